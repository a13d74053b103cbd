"""An alarm on the command line: one line of a list, or all of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from palier.alarms import Alarm
    from palier.historian.rows import Transition
    from palier.locale import Catalogue
    from palier.plant_times import Times


def alarm_line(alarm: Alarm, words: Catalogue, times: Times) -> str:
    """One line of the list, and what belongs to it below."""
    from palier.alarm_text import found_line, to_do_line

    lines = [_head(alarm, words, times)]
    lines += [line for tell in (found_line, to_do_line) if (line := tell(alarm, words))]
    return "\n    ".join([*lines, *_aside(alarm, words, times)])


def alarm_lines(alarm: Alarm, events: Sequence[Transition], words: Catalogue, times: Times) -> list[str]:
    """All of an alarm: what it stands on, its cause, what to do, and its transitions, oldest first."""
    from palier.alarm_text import also_line, found_line, measured_lines, to_do_line

    below = measured_lines(alarm, words)
    below += [line for tell in (found_line, also_line, to_do_line) if (line := tell(alarm, words))]
    if alarm.due_ns is not None and alarm.standing:
        below.append(words.text("alarm.due", time=times.text(alarm.due_ns)))
    below += _aside(alarm, words, times)
    told = [_event(event, words, times) for event in events]
    return [_head(alarm, words, times), *(f"    {line}" for line in (*below, *told))]


def alarm_json(alarm: Alarm, events: Sequence[Transition]) -> list[str]:
    """The same as one object of JSON."""
    history = [
        {"ts_ns": event.ts_ns, "state": event.state, **_detail(event, ("what", "who", "why"))}
        for event in events
    ]
    return [json.dumps(alarm.told() | {"history": history}, ensure_ascii=False)]


def _head(alarm: Alarm, words: Catalogue, times: Times) -> str:
    return words.text(
        "alarm.line",
        alarm=alarm.key.id,
        level=words.text(f"alarm.level_{alarm.level or 'none'}"),
        state=words.text(f"alarm.state_{alarm.life}"),
        priority=words.text(f"alarm.priority_{alarm.priority}"),
        time=times.text(alarm.raised_ns),
        version=alarm.version,
    )


def _aside(alarm: Alarm, words: Catalogue, times: Times) -> Iterator[str]:
    """Who put it aside, and until when."""
    if (shelf := alarm.shelf) is not None:
        yield words.text("alarm.line_shelf", time=times.text(shelf.until_ns), who=shelf.by, why=shelf.why)
    if (outage := alarm.outage) is not None:
        yield words.text("alarm.line_outage", time=times.text(outage.since_ns), who=outage.by, why=outage.why)


def _event(event: Transition, words: Catalogue, times: Times) -> str:
    told = _detail(event, ("what", "who", "why"))
    what = words.text(f"alarm.what_{told['what']}")
    said = words.colon.join(str(told[name]) for name in ("who", "why") if told[name])
    return f"{times.text(event.ts_ns)}  {what}{f' ({said})' if said else ''}"


def _detail(event: Transition, names: Sequence[str]) -> dict[str, object]:
    """These of what else is known of a transition; "" where it was not told."""
    try:
        told = json.loads(event.detail)
    except ValueError:
        told = {}
    return {name: told.get(name, "") for name in names}
