"""What alarms did: their transitions in a period, and how good an alarm system they make."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from palier.alarm_figures import figures
from palier.alarms import Mode
from palier.historian.base import HistorianError
from palier.historian.rows import Transition

from .alarm_rows import Wanted
from .context import RANGES_S, console_of, words_of
from .freshness import NS
from .rendering import page, page_settings

PERIODS: Final = ("24h", "7d", "30d")
MOST_STEPS: Final = 300
"""Rows of a history: more is a matter for `palier export` and a notebook, not for a page."""

TARGET_PER_HOUR: Final = 6
"""Alarms an hour that one operator can still deal with (ISA-18.2)."""


@dataclass(frozen=True, slots=True)
class HistoryStep:
    """One transition of an alarm, as a row."""

    ts_ns: int
    alarm: str
    machine: str
    mode: str
    what: str
    level: str
    who: str
    why: str


async def history_page(request: Request) -> Response:
    """GET /alarms/history?range=&machine=&mode=: what every alarm did, the newest first."""
    console, words = console_of(request), words_of(request)
    board = await console.live.board()
    period, wanted = _period(request), Wanted.of(request.query_params)
    since_ns = console.clock.now_ns() - RANGES_S[period] * NS
    found: list[HistoryStep] | None = None
    try:
        found = await console.records.run(  # read and sorted on its thread: a noisy month is long
            lambda records: steps_of(reversed(records.transitions(since_ns, "alarm")), wanted, MOST_STEPS + 1)
        )
    except HistorianError:
        found = None
    return page(
        request,
        words,
        "alarm_history.html",
        problem=board.problem,
        steps=(found or [])[:MOST_STEPS],
        more=found is not None and len(found) > MOST_STEPS,
        unread=found is None,
        period=period,
        periods=PERIODS,
        wanted=wanted,
        modes=tuple(Mode),
        settings=page_settings(request, words, board, stream=f"/events?lang={words.lang}"),
    )


async def figures_page(request: Request) -> Response:
    """GET /alarms/figures?range=: how often alarms come, the worst actors, and what chatters."""
    console, words = console_of(request), words_of(request)
    board = await console.live.board()
    period, now_ns = _period(request), console.clock.now_ns()
    since_ns = now_ns - RANGES_S[period] * NS
    try:
        found = await console.records.run(
            lambda records: figures(records.transitions(since_ns, "alarm"), since_ns, now_ns + 1)
        )
    except HistorianError:
        found = None
    return page(
        request,
        words,
        "alarm_figures.html",
        problem=board.problem,
        figures=found,
        target=TARGET_PER_HOUR,
        period=period,
        periods=PERIODS,
        settings=page_settings(request, words, board, stream=f"/events?lang={words.lang}"),
    )


def steps_of(transitions: Iterable[Transition], wanted: Wanted, most: int) -> list[HistoryStep]:
    """Transitions as rows, as many at most; what can't be read is passed over."""
    found: list[HistoryStep] = []
    for transition in transitions:
        if wanted.machine not in ("", transition.machine):
            continue
        step = _step(transition)
        if step is not None and wanted.mode in ("", step.mode):
            found.append(step)
        if len(found) >= most:
            break
    return found


def _step(transition: Transition) -> HistoryStep | None:
    try:
        told = json.loads(transition.detail)
    except ValueError:
        return None
    if not isinstance(told, dict):
        return None
    names = ("alarm", "machine", "mode", "what", "level", "who", "why")
    return HistoryStep(transition.ts_ns, *(str(told.get(name) or "") for name in names))


def _period(request: Request) -> str:
    """The period of `?range=`; one that is not offered is a week."""
    asked = request.query_params.get("range", "7d")
    return asked if asked in PERIODS else "7d"
