"""The alarm list and the page of one alarm: what is there, since when, what to do, and what was done."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from models.diagnosis.types import Fault
from palier.alarms import Alarm, AlarmError, AlarmKey, Mode
from palier.historian.base import HistorianError
from palier.historian.records import RecordsReader
from palier.historian.rows import Transition, VerdictRow
from palier.operations import CauseCode, Found

from .alarm_board import AlarmsReader
from .alarm_rows import KINDS, Wanted, row_of, rows_of, sentences
from .context import Console, console_of, words_of
from .freshness import NS
from .rendering import page, page_settings
from .words import Words

PAST_NS: Final = 90 * 86_400 * NS
"""How far back the page of an alarm tells its story: as long as the series hold what it was raised by."""

MOST_STEPS: Final = 40
"""Steps of a story that are told, the newest first."""

SHELVES_S: Final = (1800, 3600, 7200, 14_400, 28_800)
"""Lengths of a shelf to choose from, beside the end of the shift."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step in the story of an alarm: when, what, who and why ("" where nobody did it)."""

    ts_ns: int
    what: str
    state: str
    who: str
    why: str


@dataclass(frozen=True, slots=True)
class Story:
    """An alarm as it is now, what happened to it, and what people found behind it; the newest first."""

    alarm: Alarm
    steps: tuple[Step, ...]
    verdicts: tuple[VerdictRow, ...]


async def alarms_page(request: Request) -> Response:
    """GET /alarms?machine=&mode=&kind=: the open alarms, the most urgent first."""
    console, words = console_of(request), words_of(request)
    board = await console.live.board()
    wanted = Wanted.of(request.query_params)
    stream = "/events?" + urlencode({"lang": words.lang, "page": "alarms", **wanted.query()})
    return page(
        request,
        words,
        "alarms.html",
        problem=board.problem,
        alarms=board.alarms,
        rows=rows_of(board.alarms.open, console.plant, wanted),
        sentences=lambda alarm: sentences(alarm, words),
        wanted=wanted,
        kinds=tuple(KINDS),
        modes=tuple(Mode),
        now_ns=board.now_ns,
        settings=page_settings(request, words, board, stream=stream),
    )


async def alarm_page(request: Request) -> Response:
    """GET /alarm/<machine>/<point>/<mode>: all of one alarm, its story, and what can be done."""
    console, words = console_of(request), words_of(request)
    key = alarm_in(request)
    board = await console.live.board()
    story = await story_of(console, key)
    if story is None:
        raise HTTPException(404, words.t("error_alarm", alarm=key.id))
    stream = "/events?" + urlencode({"lang": words.lang, "alarm": key.id})
    return page(
        request,
        words,
        "alarm.html",
        problem=board.problem,
        now_ns=board.now_ns,
        shelves=SHELVES_S,
        found=tuple(Found),
        faults=tuple(Fault),
        causes=tuple(CauseCode),
        settings=page_settings(request, words, board, stream=stream),
        **story_values(console, words, story),
    )


def story_values(console: Console, words: Words, story: Story) -> dict[str, Any]:
    """What the fragments of an alarm are drawn from."""
    return {
        "row": row_of(story.alarm, console.plant),
        "said": sentences(story.alarm, words),
        "story": story,
        "href": quote(story.alarm.key.id),
    }


def alarm_in(request: Request) -> AlarmKey:
    """The alarm that a URL names. HTTPException 404 where it can't be one."""
    name = str(request.path_params.get("alarm") or request.query_params.get("alarm", ""))
    try:
        return AlarmKey.parse(console_of(request).plant.site_id, name)
    except AlarmError as error:
        raise HTTPException(404, words_of(request).t("error_alarm", alarm=name[:80])) from error


async def story_of(console: Console, key: AlarmKey) -> Story | None:
    """The story of an alarm, None where there never was such a one. Raises HistorianError."""
    since_ns = console.clock.now_ns() - PAST_NS
    return await console.records.run(lambda records: _story(records, key, since_ns))


async def story_or_none(console: Console, key: AlarmKey) -> Story | None:
    """As `story_of`, None too while the records can't be read."""
    try:
        return await story_of(console, key)
    except HistorianError:
        return None


def _story(records: RecordsReader, key: AlarmKey, since_ns: int) -> Story | None:
    found = [alarm for alarm in AlarmsReader(key.site).all(records) if alarm.key == key]
    if not found:
        return None
    told = [
        t for t in records.transitions(since_ns, "alarm") if (t.machine, t.point) == (key.machine, key.point)
    ]
    steps = [step for t in told if (step := step_of(t, key.id)) is not None]
    verdicts = [v for v in records.verdicts(since_ns) if (v.site, v.alarm) == (key.site, key.id)]
    return Story(found[0], tuple(reversed(steps[-MOST_STEPS:])), tuple(reversed(verdicts)))


def step_of(transition: Transition, alarm: str) -> Step | None:
    """A transition as a step of that alarm's story, None where it is another's, or can't be read."""
    try:
        told = json.loads(transition.detail)
    except ValueError:
        return None
    if not isinstance(told, dict) or told.get("alarm") != alarm:
        return None
    what, who, why = (str(told.get(name) or "") for name in ("what", "who", "why"))
    return Step(transition.ts_ns, what, transition.state, who, why)
