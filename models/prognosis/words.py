"""Rounding of a remaining life for people: never more digits than it deserves, as data for the locale.

The planning date is rounded down and the far end up, so that the interval said holds the interval found.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

HOURS_BELOW_H: Final = 48.0
"""Two days: below it a shift matters."""

DAYS_BELOW_H: Final = 60 * 24.0
"""Two months: beyond it a plan knows weeks only."""


class Unit(StrEnum):
    """In what a duration is said."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


@dataclass(frozen=True, slots=True)
class Spoken:
    """A duration as it is said. `beyond_two_months` allows to say no more than that."""

    value: int
    unit: Unit
    beyond_two_months: bool = False


def spoken(hours: float, quantile: float = 0.5) -> Spoken:
    """A duration in hours as it is said: down below the median, up above it, else to the nearest.

    Raises ValueError where the duration is negative or not finite.
    """
    if not 0 <= hours < math.inf:
        raise ValueError(f"a duration must be 0 or more and finite, got {hours} h")
    unit = Unit.HOUR if hours < HOURS_BELOW_H else Unit.DAY if hours < DAYS_BELOW_H else Unit.WEEK
    size = {Unit.HOUR: 1.0, Unit.DAY: 24.0, Unit.WEEK: 168.0}[unit]
    count = hours / size
    # A hair below a whole number is that number: 23.999999 h of rounding error is not 23 h.
    down, up = math.floor(count + 1e-9), math.ceil(count - 1e-9)
    value = down if quantile < 0.5 else up if quantile > 0.5 else math.floor(count + 0.5)
    return Spoken(value, unit, beyond_two_months=unit is Unit.WEEK)
