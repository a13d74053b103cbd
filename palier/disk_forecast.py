"""How many days are left until a disk is full, by the rate at which it filled lately. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LEAST_S: Final = 6 * 3600.0
"""A rate over less says more of one start or one backlog than of the days to come."""

DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What was free on a disk, and what each of our stores held, in bytes; `at_s` by the wall clock."""

    at_s: float
    free: int
    held: tuple[int, ...]


def days_left(samples: Sequence[Sample], room: int, allowed: Sequence[int]) -> float | None:
    """Days until `room` bytes are taken; None where that is not known, or not to be seen.

    `samples` rise in time; `allowed` is what each of our stores may still take: one grows at its own rate
    until its budget is full, what others fill goes on.
    """
    if room <= 0:
        return 0.0
    if len(samples) < 2 or samples[-1].at_s - samples[0].at_s < LEAST_S:
        return None
    first, last = samples[0], samples[-1]
    over_s = last.at_s - first.at_s
    grown = [b - a for a, b in zip(first.held, last.held, strict=True)]
    others = max(0.0, (first.free - last.free - sum(grown)) / over_s)
    ends = sorted((may * over_s / g, g / over_s) for g, may in zip(grown, allowed, strict=True) if g > 0)
    return _full_after(room, others, ends)


def _full_after(room: int, others: float, ends: Sequence[tuple[float, float]]) -> float | None:
    """Days until the room is taken at the rate of others and of each store until its end: (s, bytes/s)."""
    rate = others + sum(own for _, own in ends)
    taken = at_s = 0.0
    for end_s, own in ends:
        if taken + rate * (end_s - at_s) >= room:
            break
        taken += rate * (end_s - at_s)
        at_s, rate = end_s, rate - own
    else:
        rate = others  # not what is left of a sum of floats
    return (at_s + (room - taken) / rate) / DAY_S if rate > 0 else None
