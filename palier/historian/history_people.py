"""What the `event` series tells of alarms and of people: episodes, verdicts, work, baselines. Pure.

Everything is in the events, so that who has only the historian (no records, no plant) has all labels too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from models.diagnosis.types import Fault
from models.training.dataset import HEALTHY
from palier.alarms import Level, Life, Mode, What, rank
from palier.labels import fault_of
from palier.operations import CauseCode, Found

from .history_table import Tidy, rows_table

COLUMNS: Final = ("event_id", "kind", "state", "previous", "detail")
"""What is read of `event`."""

OF_THE_MACHINE: Final = frozenset({Mode.VIBRATION, Mode.BEARING, Mode.TEMPERATURE})
"""Alarms of what a machine does. Those of a sensor, a gateway or a model say nothing of its health, nor does
one that was false."""

AFTER_WORK_NS: Final = 24 * 3600 * 10**9
"""An alarm that went so short a time before work on its machine is what the work was for: people stop a
machine first, and its alarm may go with that."""

_ALARMS: Final = {
    "alarm": "key",
    "machine": "key",
    "point": "key",
    "mode": "key",
    "raised": "time",
    "acknowledged": "time",
    "returned": "time",
    "ended": "time",
    "level": "text",
    "priority": "text",
    "by": "text",
    "fault": "text",
    "confidence": "1",
    "verdict": "text",
    "found": "text",
    "cause": "text",
}
_LABELS: Final = {
    "machine": "key",
    "point": "key",
    "start": "time",
    "end": "time",
    "fault": "text",
    "source": "text",
    "said": "text",
    "cause": "text",
    "alarm": "text",
    "who": "text",
    "text": "text",
    "told": "time",
}
_INTERVENTIONS: Final = {
    "time": "time",
    "machine": "key",
    "point": "key",
    "kind": "text",
    "cause": "text",
    "who": "text",
    "text": "text",
    "recorded": "time",
}
_BASELINES: Final = {
    "time": "time",
    "machine": "key",
    "point": "key",
    "status": "text",
    "version": "1",
    "blocks": "1",
    "days": "1",
    "who": "text",
    "text": "text",
}


@dataclass(frozen=True, slots=True)
class Event:
    """A row of `event`, with its detail read."""

    ts_ns: int
    machine: str
    point: str
    kind: str
    state: str
    detail: Mapping[str, Any]


@dataclass(slots=True)
class Episode:
    """One alarm from its raise until it is normal again, or raised anew before anybody saw that it was gone;
    times in ns, None for what did not happen yet.

    `returned_ns` is when the condition was gone, `ended_ns` when nothing was left to do either. `raises_ns`
    are all its raises: a verdict names one of them.
    """

    alarm: str
    machine: str
    point: str
    mode: str
    raised_ns: int
    acknowledged_ns: int | None = None
    returned_ns: int | None = None
    ended_ns: int | None = None
    heard_ns: int = 0
    level: Level | None = None
    priority: str = ""
    by: str = ""
    fault: str = ""
    confidence: float | None = None
    raises_ns: set[int] = field(default_factory=set)
    verdict: Event | None = None


def events_of(table: Tidy) -> list[Event]:
    """The events of a table with COLUMNS, in order of time; a detail that is no JSON object tells nothing."""
    times, details = table["time"].astype("int64").tolist(), table["detail"].tolist()
    rows = zip(
        times,
        table["machine"].tolist(),
        table["point"].tolist(),
        table["kind"].tolist(),
        table["state"].tolist(),
        map(_detail, details),
        strict=True,
    )
    events = [
        Event(ts, machine, point, kind or "", state or "", told)
        for ts, machine, point, kind, state, told in rows
    ]
    return sorted(events, key=lambda event: (event.ts_ns, event.detail.get("version") or 0))


def episodes_of(events: Iterable[Event]) -> list[Episode]:
    """The episodes of all alarms, by their raise. What was only shown, and alarmed nobody, is none."""
    going: dict[str, Episode] = {}
    found: list[Episode] = []
    for event in events:
        alarm = event.detail.get("alarm")
        if event.kind == "verdict":
            _judge(found, event)
        if event.kind != "alarm" or not isinstance(alarm, str):
            continue
        episode = going.get(alarm)
        if (
            episode is not None
            and episode.returned_ns is not None
            and event.detail.get("what") == What.RAISED
        ):
            episode.ended_ns, episode = event.ts_ns, None
        if episode is None:
            if event.detail.get("level") is None:
                continue  # taken out of service, or put back, without an alarm
            raised_ns = event.detail.get("raised_ns") or event.ts_ns
            episode = going[alarm] = Episode(
                alarm, event.machine, event.point, str(event.detail.get("mode", "")), raised_ns
            )
            found.append(episode)
        _follow(episode, event)
        if episode.ended_ns is not None:
            del going[alarm]
    return sorted(found, key=lambda episode: (episode.raised_ns, episode.alarm))


def alarms_table(episodes: Sequence[Episode]) -> Tidy:
    """A row an episode."""
    return rows_table("alarms", _ALARMS, [_alarm_row(episode) for episode in episodes])


def labels_table(events: Sequence[Event], episodes: Sequence[Episode]) -> Tidy:
    """What people found: a row a verdict, and a row for work on a machine that was closed with its cause.

    `fault` is None, or `start` not known, where that tells nothing of the blocks before it: of a verdict that
    was followed by another on the same alarm, of a false alarm beside one that was not, of work on a machine
    with alarms at several points. A false alarm that goes on was false up to the verdict, and no longer.
    """
    rows = [row for event in events for row in _label_rows(event, episodes)]
    return rows_table("labels", _LABELS, rows)


def interventions_table(events: Iterable[Event]) -> Tidy:
    """What was done to machines, a row each."""
    rows = [
        _place(event)
        | {"time": event.ts_ns, "kind": event.state, "recorded": event.detail.get("recorded_ns")}
        | {"cause": event.detail.get("cause")}
        for event in events
        if event.kind == "intervention"
    ]
    return rows_table("interventions", _INTERVENTIONS, rows)


def baselines_table(events: Iterable[Event]) -> Tidy:
    """What became of baselines, a row each change; `point` is empty for the machine as a whole."""
    rows = [
        _place(event)
        | {"time": event.ts_ns, "status": event.state}
        | {name: event.detail.get(name) for name in ("version", "blocks", "days")}
        for event in events
        if event.kind == "baseline"
    ]
    return rows_table("baselines", _BASELINES, rows)


def _detail(text: object) -> Mapping[str, Any]:
    try:
        told = json.loads(text) if isinstance(text, str) else {}
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _follow(episode: Episode, event: Event) -> None:
    """What one transition makes of its episode."""
    told = event.detail
    level = Level(told["level"]) if told.get("level") in tuple(Level) else None
    episode.heard_ns = event.ts_ns
    episode.raises_ns.add(told.get("raised_ns") or 0)
    if rank(level) > rank(episode.level):
        episode.level, episode.priority = level, told.get("priority") or ""
    if told.get("what") == What.ACKNOWLEDGED and episode.acknowledged_ns is None:
        episode.acknowledged_ns, episode.by = event.ts_ns, told.get("who") or ""
    if told.get("fault"):
        episode.fault, episode.confidence = told["fault"], told.get("confidence")
    if told.get("standing") is not None:
        episode.returned_ns = None
    elif episode.returned_ns is None:
        episode.returned_ns = event.ts_ns
    if event.state == Life.NORMAL:
        episode.ended_ns = event.ts_ns


def _judge(found: Sequence[Episode], event: Event) -> None:
    """Put a verdict to the episode that it is about: the last of its alarm that had this raise."""
    for episode in reversed(found):
        if episode.alarm == event.detail.get("alarm") and event.detail.get("raised_ns") in episode.raises_ns:
            episode.verdict = event
            return


def _alarm_row(episode: Episode) -> dict[str, Any]:
    said = episode.verdict
    return {
        "alarm": episode.alarm,
        "machine": episode.machine,
        "point": episode.point,
        "mode": episode.mode,
        "raised": episode.raised_ns,
        "acknowledged": episode.acknowledged_ns,
        "returned": episode.returned_ns,
        "ended": episode.ended_ns,
        "level": episode.level and episode.level.value,
        "priority": episode.priority,
        "by": episode.by,
        "fault": episode.fault,
        "confidence": episode.confidence,
        "verdict": said and said.state,
        "found": said and said.detail.get("found"),
        "cause": said and said.detail.get("cause"),
    }


def _label_rows(event: Event, episodes: Sequence[Episode]) -> Iterator[dict[str, Any]]:
    if event.kind == "verdict" and event.state in tuple(Found):
        alarm, raised_ns = event.detail.get("alarm"), event.detail.get("raised_ns")
        about = [e for e in episodes if e.alarm == alarm and raised_ns in e.raises_ns]
        row = _label(event, Found(event.state), about[-1] if about else None, "verdict")
        yield row | {"fault": None} if about and not _holds(event, about[-1], episodes) else row
    elif event.kind == "intervention" and event.detail.get("cause"):
        yield _label(event, Found.OTHER_CAUSE, _worked_on(event, episodes), "work_order")


def _label(event: Event, verdict: Found, about: Episode | None, source: str) -> dict[str, Any]:
    """What was said, over the stretch that the alarm stood."""
    found, cause = event.detail.get("found"), event.detail.get("cause")
    fault = fault_of(
        verdict,
        said=event.detail.get("fault") or None,
        found=Fault(found) if found in tuple(Fault) else None,
        cause=CauseCode(cause) if cause in tuple(CauseCode) else None,
    )
    row = _place(event) | {"fault": fault, "source": source, "said": event.state, "cause": cause}
    row |= {"told": event.detail.get("recorded_ns") or event.ts_ns, "alarm": about and about.alarm}
    if about is not None:
        end_ns = about.returned_ns or max(event.ts_ns, about.heard_ns)
        if fault == HEALTHY:
            end_ns = min(end_ns, event.ts_ns)
        row |= {"start": about.raised_ns, "end": max(end_ns, about.raised_ns + 1)}
        row |= {"point": event.point or about.point}
    return row


def _holds(event: Event, about: Episode, episodes: Sequence[Episode]) -> bool:
    """Whether a verdict tells something of the blocks: it is the last on its alarm, and where it calls the
    alarm false, nothing else stood at the point then that was not false.
    """
    if about.verdict is not event:
        return False
    if event.state != Found.REFUTED:
        return True
    end_ns = min(about.returned_ns or event.ts_ns, event.ts_ns)
    beside = (e for e in episodes if e is not about and _is_beside(e, about, end_ns))
    return about.mode in OF_THE_MACHINE and all(_is_false(e) for e in beside)


def _is_beside(one: Episode, about: Episode, end_ns: int) -> bool:
    """Whether an alarm of the same point's machine stood in a stretch of another."""
    same = (one.machine, one.point) == (about.machine, about.point) and one.mode in OF_THE_MACHINE
    return same and one.raised_ns < end_ns and (one.returned_ns is None or one.returned_ns > about.raised_ns)


def _is_false(one: Episode) -> bool:
    return one.verdict is not None and one.verdict.state == Found.REFUTED


def _worked_on(event: Event, episodes: Sequence[Episode]) -> Episode | None:
    """The last alarm that the work was for: it stood then, or went within a day before. None where alarms of
    several points did, and the work does not say at which it was.
    """
    found = [e for e in episodes if e.mode in OF_THE_MACHINE and _may_be_for(event, e)]
    return found[-1] if len({e.point for e in found}) == 1 else None


def _may_be_for(event: Event, one: Episode) -> bool:
    same = one.machine == event.machine and event.point in ("", one.point)
    gone_ns = event.ts_ns if one.returned_ns is None else one.returned_ns
    return same and one.raised_ns <= event.ts_ns <= gone_ns + AFTER_WORK_NS


def _place(event: Event) -> dict[str, Any]:
    return {
        "machine": event.machine,
        "point": event.point,
        "who": event.detail.get("who"),
        "text": event.detail.get("why"),
    }
