"""The machine page's fragments, for the page and for the stream that follows it."""

from __future__ import annotations

from typing import Any, Final

from models.detection.sensors import REFUSALS
from models.types import MachineSpec
from palier.alarm_text import found_line, to_do_line
from palier.alarms import Mode
from palier.historian.base import HistorianError
from palier.typesetting import Typeset

from .context import Console
from .live import Board
from .machine import MachineView, Unread, newest_values
from .machine_judgement import NO_JUDGEMENT, MachineJudgement, read_judgement
from .machine_picture import picture
from .machine_synoptic import drawing_of, spots
from .machine_words import MachineWords
from .rendering import fragment
from .words import Words

FRAGMENTS: Final = {
    "head": "_machine_head.html",
    "points": "_machine_points.html",
    "judgement": "_machine_judgement.html",
    "sensor-state": "_machine_sensor.html",
    "values": "_machine_values.html",
}
"""Each fragment that follows the data: the id of the element that holds it, and its template."""


async def machine_context(
    console: Console, words: Words, board: Board, view: MachineView, root: str
) -> dict[str, Any]:
    """What the templates of one machine are given."""
    values = await newest_values(console, view.tile.machine, view.channel)
    judged = await judgement_of(console, view)
    m = MachineWords(words)
    texts = Typeset(words.lang)
    alarms = [
        (alarm, found_line(alarm, texts), to_do_line(alarm, texts))
        for alarm in board.alarms.of(view.tile.machine)
    ]
    return {
        "m": m,
        "view": view,
        "values": values,
        "picture": None if judged == "unread" else picture(view, judged, console.limits, m),
        "alarms": alarms,
        "alarms_problem": board.alarms.problem,
        "sensor": _sensor(view, board, m),
        "spots": spots(view.tile.kind, view.tile.points, view.channels, view.channel, view.spec),
        "drawn": drawing_of(view.tile.kind, view.spec),
        "now_ns": board.now_ns,
        "root": root,
        "at": console.at,
    }


async def machine_fragments(
    console: Console, words: Words, board: Board, view: MachineView, root: str
) -> dict[str, str]:
    """The fragments by the id of the element that holds them; what can't be read now is left out, so that
    what is shown stays and grows old, as the banner says."""
    given = await machine_context(console, words, board, view, root)
    unread = {"values": given["values"] == "unread", "judgement": given["picture"] is None}
    return {
        name: fragment(console, template, words, **given)
        for name, template in FRAGMENTS.items()
        if not unread.get(name)
    }


def _sensor(view: MachineView, board: Board, m: MachineWords) -> tuple[str, str] | None:
    """What is the matter with the sensor of the point that is looked at, and what to do, by its state or an
    open alarm; None where nothing is."""
    point = view.channel.point if view.channel else ""
    row = view.data.states.get(point)
    told = [row.reason] if row and row.reason else []
    told += [
        cause.feature
        for alarm in board.alarms.of(view.tile.machine)
        if (alarm.key.point, alarm.key.mode) == (point, Mode.SENSOR)
        for cause in alarm.causes
    ]
    found = next((refusal for refusal in REFUSALS for reason in told if refusal.reason == reason), None)
    return (m.refusal(found.reason), m.remedy(found.remedy)) if found else None


async def judgement_of(console: Console, view: MachineView) -> MachineJudgement | Unread:
    """What the ingest found of a machine; unread while the historian can't be read."""
    machine = view.spec or MachineSpec(view.tile.machine, ())
    points = tuple(dict.fromkeys([*(point.id for point in machine.points), *view.data.states]))
    named = tuple(point for point in points if point)
    if not named:
        return NO_JUDGEMENT

    async def read() -> MachineJudgement:
        return await console.ask(
            lambda historian: read_judgement(
                historian, console.plant.site_id, machine, named, view.data.newest_ns
            )
        )

    try:
        return await console.desk.judgement(machine.id, view.data.newest_ns, read)
    except HistorianError:  # why is in the page's banner
        return "unread"
