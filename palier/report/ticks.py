"""Where the axes of a plot are marked: at round numbers, and at round hours of a time zone's clocks. Pure."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, tzinfo
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1)

DAY_S: Final = 86_400
_TIME_STEPS_S: Final = (
    60,
    300,
    900,
    3600,
    7200,
    21_600,
    43_200,
    DAY_S,
    2 * DAY_S,
    5 * DAY_S,
    10 * DAY_S,
    30 * DAY_S,
)


def nice_step(span: float, most: int) -> float:
    """The distance of ticks, 1, 2 or 5 times a power of ten, so that at most `most` of them fit."""
    rough = span / max(most, 1)
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    return next(power * k for k in (1, 2, 5, 10) if power * k >= rough * (1 - 1e-9))


def time_ticks(first_s: float, last_s: float, zone: tzinfo, most: int = 9) -> list[tuple[float, str]]:
    """Times to write under an axis (s since 1970) and their texts: midnights, else round hours of the zone's
    clocks, also where they are put forward or back within the axis."""
    fitting = [step for step in _TIME_STEPS_S if (last_s - first_s) / step <= most]
    step = fitting[0] if fitting else 30 * DAY_S * math.ceil((last_s - first_s) / most / 30 / DAY_S)
    form = "%d/%m" if step >= DAY_S else "%H:%M"
    clocks = [_clock_s(at, zone) for at in (first_s, last_s)]
    shown = [_EPOCH + timedelta(seconds=value) for value in multiples(min(clocks), max(clocks), float(step))]
    times = [(clock.replace(tzinfo=zone).timestamp(), clock) for clock in shown]
    return [
        (at, clock.strftime(form))
        for at, clock in times
        if first_s <= at <= last_s and _EPOCH + timedelta(seconds=_clock_s(at, zone)) == clock
    ]


def _clock_s(at_s: float, zone: tzinfo) -> float:
    """What the clocks of a zone show at a time, counted as seconds since their own 1970: an offset that
    changes within an axis moves them."""
    return (datetime.fromtimestamp(at_s, zone).replace(tzinfo=None) - _EPOCH).total_seconds()


def multiples(low: float, high: float, step: float) -> list[float]:
    """The multiples of `step` from `low` to `high`."""
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def digits(step: float) -> int:
    """Digits behind the point that tell such steps apart."""
    return max(0, -math.floor(math.log10(step) + 1e-9))
