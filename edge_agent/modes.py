"""What becomes of a waveform: sent, or kept at the gateway. Pure.

| mode | features | waveforms |
|---|---|---|
| `waveform` | the host computes them | all are sent |
| `adaptive` | of every block, at once | sent: wanted by the host, urgent, of a machine in alarm, one a day |
| `features` | of every block, at once | sent: wanted by the host, urgent |

All others are retained in the outbox (`outbox_retained`), from where a wish of the host releases them.

A budget in bytes a day bounds what is sent of them, by value: a wish may use all of it, what a limit or an
alarm caused three quarters, the one a day half. So what matters less, and comes each day, never takes what
matters more and comes once a year. What the budget refuses is retained: a wish gets it on the next day.
The first waveform of a day passes whatever its size, else a budget below a block's would send none for ever.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from palier.frames import MAX_FRAME_BYTES

DAY_NS: Final = 86_400 * 10**9

ALARM_EVERY_NS: Final = 600 * 10**9
"""Between two waveforms that a point sends because its machine is in alarm: what its schedule is without one.
The hour before and after the alarm's begin the host asks for; an alarm may stand for weeks."""

MAX_PLACES: Final = 4096
"""Points and rates of which the last daily waveform is remembered; the oldest is forgotten."""

Place = str
"""MACHINE/POINT@rate: blocks of another rate are another measurement of the same point."""


class Mode(StrEnum):
    """What a gateway, or one of its sources, sends; each keeps more back than the one before."""

    WAVEFORM = "waveform"
    ADAPTIVE = "adaptive"
    FEATURES = "features"


class Cause(StrEnum):
    """Why a waveform is sent."""

    MODE = "mode"
    WISH = "wish"
    URGENT = "urgent"
    ALARM = "alarm"
    DAILY = "daily"


SHARE: Final[Mapping[Cause, float]] = {
    Cause.WISH: 1.0,
    Cause.URGENT: 0.75,
    Cause.ALARM: 0.75,
    Cause.DAILY: 0.5,
}
"""How much of a day's budget may be used once this cause has used its part of it."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A waveform as it comes from its source; `turning` is False where its machine is known to stand."""

    machine: str
    place: Place
    end_ns: int
    bytes: int
    mode: Mode
    urgent: bool = False
    turning: bool = True


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent so far. `day` is in days since 1970 UTC, `spent` in bytes; `daily` has the day of each
    place's last daily waveform, `alarm` the end of its last one sent in alarm."""

    day: int = 0
    spent: int = 0
    daily: Mapping[Place, int] = field(default_factory=dict)
    alarm: Mapping[Place, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rules:
    """What [transmit] says of waveforms. `budget` is None without one."""

    budget: int | None = None
    one_a_day: bool = True


def decide(
    sent: Sent,
    rules: Rules,
    arrivals: Sequence[Arrival],
    *,
    now_ns: int,
    wanted: Callable[[str, int], bool],
    alarmed: Collection[str] | Callable[[str], bool] = (),
) -> tuple[Sent, tuple[Cause | None, ...]]:
    """Why each is sent, None where it is retained; and what is known then.

    `wanted` tells whether the host wants a waveform of that machine that ends then, `alarmed` whether a
    machine is in alarm.
    """
    in_alarm = alarmed if callable(alarmed) else alarmed.__contains__
    sent = _today(sent, now_ns)
    causes: list[Cause | None] = []
    for one in arrivals:
        cause = _cause(sent, rules, one, wanted=wanted, in_alarm=in_alarm)
        if cause not in (None, Cause.MODE) and not _affords(sent, rules, cause, one.bytes):
            cause = None
        causes.append(cause)
        sent = _noted(sent, one, cause)
    return sent, tuple(causes)


def _cause(
    sent: Sent,
    rules: Rules,
    one: Arrival,
    *,
    wanted: Callable[[str, int], bool],
    in_alarm: Callable[[str], bool],
) -> Cause | None:
    if one.mode is Mode.WAVEFORM:
        return Cause.MODE
    if wanted(one.machine, one.end_ns):
        return Cause.WISH
    if one.urgent:
        return Cause.URGENT
    if one.mode is Mode.ADAPTIVE and _rested(sent, one) and in_alarm(one.machine):
        return Cause.ALARM
    if one.mode is Mode.ADAPTIVE and rules.one_a_day and _is_days_own(sent, one):
        return Cause.DAILY
    return None


def _rested(sent: Sent, one: Arrival) -> bool:
    last = sent.alarm.get(one.place)
    return last is None or abs(one.end_ns - last) >= ALARM_EVERY_NS


def _is_days_own(sent: Sent, one: Arrival) -> bool:
    """Whether it is the one of its day: the first at which the machine turned, from noon on any."""
    day, into_ns = divmod(one.end_ns, DAY_NS)
    return sent.daily.get(one.place) != day and (one.turning or into_ns >= DAY_NS // 2)


def left(sent: Sent, rules: Rules, now_ns: int) -> int | None:
    """Bytes that a wish may still use today, None for any number."""
    if rules.budget is None:
        return None
    spent = _today(sent, now_ns).spent
    return max(0, rules.budget - spent) if spent else max(rules.budget, MAX_FRAME_BYTES)


def is_new_day(sent: Sent, now_ns: int) -> bool:
    """Whether nothing is known to be sent of this day yet."""
    return now_ns // DAY_NS != sent.day


def released(sent: Sent, size: int, now_ns: int) -> Sent:
    """So many bytes of what was retained were sent."""
    sent = _today(sent, now_ns)
    return replace(sent, spent=sent.spent + size)


def _affords(sent: Sent, rules: Rules, cause: Cause | None, size: int) -> bool:
    if rules.budget is None or cause is None or not sent.spent:
        return True
    return sent.spent + size <= SHARE[cause] * rules.budget


def _today(sent: Sent, now_ns: int) -> Sent:
    day = now_ns // DAY_NS
    return sent if day == sent.day else replace(sent, day=day, spent=0)


def _noted(sent: Sent, one: Arrival, cause: Cause | None) -> Sent:
    if cause in (None, Cause.MODE):
        return sent
    daily, alarm = sent.daily, sent.alarm
    if cause is not Cause.URGENT:  # a danger block is short: it is not what the day's is for
        daily = _last(daily, one.place, one.end_ns // DAY_NS)
    if cause is Cause.ALARM:
        alarm = _last(alarm, one.place, one.end_ns)
    return replace(sent, spent=sent.spent + one.bytes, daily=daily, alarm=alarm)


def _last(known: Mapping[Place, int], place: Place, value: int) -> Mapping[Place, int]:
    others = [item for item in known.items() if item[0] != place]
    return dict([*others[1 - MAX_PLACES :], (place, value)])


def remembered(sent: Sent) -> str:
    """What must survive a restart: the budget's day, and the daily ones."""
    return json.dumps({"day": sent.day, "spent": sent.spent, "daily": sent.daily}, separators=(",", ":"))


def read_sent(text: str | None) -> Sent:
    """What `remembered` wrote; nothing where it can't be read: it costs one waveform of each point."""
    try:
        told = json.loads(text or "{}")
        return Sent(int(told["day"]), int(told["spent"]), {str(k): int(v) for k, v in told["daily"].items()})
    except (AttributeError, KeyError, TypeError, ValueError):
        return Sent()
