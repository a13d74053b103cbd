"""What is asked of the alarms: rows of `event` of kind alarm, one a transition, `channel` being the mode.

What else is known of a transition is the JSON of its `detail`, as `palier.alarms.Alarm.told` writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from palier.alarm_modes import OF_NO_MACHINE
from palier.alarms import Level, Life, Mode, Priority, What

from . import queries as q

OF_ALARMS: Final = f'"kind" = {q.text_of(q.ALARM)}'
EVERY_MODE: Final = "\"channel\" != ''"
"""Rows without a mode are of an older version, which wrote them once more with it."""

OF_A_MACHINE: Final = q.one_of("channel", [mode for mode in Mode if mode not in OF_NO_MACHINE])
"""Alarms whose `machine` is one, and not a gateway or a model."""

ALARMS: Final = ("site", "machine", "point", "channel")
"""What tells one alarm from another."""

RAISED: Final = (
    OF_ALARMS,
    EVERY_MODE,
    f'"state" = {q.text_of(Life.UNACKNOWLEDGED)}',
    f'"detail" =~ /"what":"({What.RAISED}|{What.ESCALATED})"/',
)
"""Transitions that were announced to people: an alarm came, or became a danger."""

WAITING: Final = (Life.UNACKNOWLEDGED, Life.RETURNED)
"""States of an alarm that somebody has yet to take notice of."""

AT_ONCE_S: Final = 60
"""An alarm that comes again so soon chatters (ISA-18.2, EEMUA 191)."""

DETAILS: Final = {
    name: name for name in ("alarm", "level", "priority", "fault", "action", "what", "who", "why")
}
"""Columns that are taken out of `detail`, and where they stand in it."""


def level(which: Level) -> str:
    """A condition: transitions of alarms that are announced at a level. Causes have levels too, but nothing
    that stands.
    """
    return f'"detail" =~ /"level":"{which}","standing":/'


def priority(which: Priority) -> str:
    """A condition: transitions of alarms of a priority."""
    return f'"detail" =~ /"priority":"{which}"/'


def open_alarms(*where: str) -> str:
    """The alarms that are not over: their last transition, whatever period is looked at."""
    return q.among('"state", "detail"', _last(*where), where=(_NOT_OVER,), by=ALARMS)


def count_open(*where: str, states: Sequence[Life] = (), by: Sequence[str] = (), name: str = "open") -> str:
    """How many alarms are open, or in some of the states."""
    condition = q.one_of("state", states) if states else _NOT_OVER
    return q.among(
        f"count({q.quoted('state')}) AS {q.quoted(name)}", _last(*where), where=(condition,), by=by
    )


def journal(*where: str, newest: int) -> str:
    """The transitions of the period, the newest first."""
    return q.select(
        '"site", "machine", "point", "channel", "state", "detail"',
        "event",
        OF_ALARMS,
        EVERY_MODE,
        *where,
        q.IN_RANGE,
        newest=newest,
    )


def raises(name: str, *where: str, by: Sequence[str] = (), fill: str = "") -> str:
    """How often alarms were raised in the period, in a column of this name."""
    what = f"count({q.field('event', 'state')}) AS {q.quoted(name)}"
    return q.select(what, "event", *RAISED, *where, q.IN_RANGE, by=by, fill=fill)


def at_once(name: str, *where: str) -> str:
    """How often each alarm was raised within a minute of the time before."""
    apart = f'elapsed({q.field("event", "state")}, 1s) AS "apart_s"'
    each = q.select(apart, "event", *RAISED, *where, q.IN_RANGE, by=ALARMS)
    return q.among(
        f'count("apart_s") AS {q.quoted(name)}', each, where=(f'"apart_s" < {AT_ONCE_S}',), by=ALARMS
    )


def per_window(how: str, window: str, name: str, *where: str) -> str:
    """Raises in each window of the period (an hour, a day): their mean, or the most; windows without any
    count as 0.
    """
    each = raises("raises", *where, by=(f"time({window})",), fill="0")
    return q.among(f'{how}("raises") AS {q.quoted(name)}', each)


def unacknowledged(*of_the_last: str) -> str:
    """1 for each alarm that waits for somebody, if these conditions hold for its last transition; nothing for
    the others. Over the period of an alert rule.
    """
    waits = f'"state" = {q.text_of(Life.UNACKNOWLEDGED)}'
    last = _last(since=q.IN_RANGE)
    return q.among('count("state") AS "open"', last, where=(waits, *of_the_last, q.IN_RANGE), by=ALARMS)


_NOT_OVER: Final = f'"state" != {q.text_of(Life.NORMAL)}'


def _last(*where: str, since: str = q.KEPT) -> str:
    what = f'last("state") AS "state", {q.field("event", "detail")}'
    return q.select(what, "event", OF_ALARMS, EVERY_MODE, *where, since, by=ALARMS)
