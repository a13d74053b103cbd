"""When the machines of an exercise are measured: four weeks, ever more densely. Seconds since 1970 UTC."""

from __future__ import annotations

from typing import Final

HOUR_S: Final = 3600.0
DAYS: Final = 28
END_S: Final = 1_793_606_400.0
"""2026-11-02 08:00 UTC, a Monday: the moment of the judgement. A date of its own, so that what was prepared
once stays right."""

STRETCHES: Final = ((DAYS * 24.0, 12.0), (7 * 24.0, 6.0), (12.0, 1.0))
"""(until how many hours before the end, hours between two blocks): enough to see weeks, days and hours."""

LONGEST_DAYS: Final = 14.0
"""How long ago a fault may begin: two weeks before it are what it is compared with."""


def ends_s() -> tuple[float, ...]:
    """Ends of the blocks of a point, oldest first; the last is the end itself."""
    hours: list[float] = []
    for k, (start, step) in enumerate(STRETCHES):
        until = STRETCHES[k + 1][0] if k + 1 < len(STRETCHES) else -step
        at = start
        while at > until:
            hours.append(at)
            at -= step
    return tuple(END_S - hour * HOUR_S for hour in hours)


def blocks_each() -> int:
    """How many blocks each point of an exercise has."""
    return len(ends_s())
