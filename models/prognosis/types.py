"""What is asked of a prognosis and what it answers: values without text for people.

Refusals, assumptions and methods are keys; the locale writes their sentences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy.typing as npt

from models.types import Refusal

NO_DEGRADATION: Final = Refusal("no_degradation", "keep_watching")
TOO_FEW_POINTS: Final = Refusal("too_few_points", "wait_for_points")
TREND_FALLING: Final = Refusal("trend_falling", "check_intervention")
POOR_FIT: Final = Refusal("poor_fit", "wait_for_points")
INTERVAL_TOO_WIDE: Final = Refusal("interval_too_wide", "wait_for_points")
TIME_GOES_BACK: Final = Refusal("time_goes_back", "check_clock")
UNIT_MISMATCH: Final = Refusal("unit_mismatch", "give_unit")
UNIT_UNKNOWN: Final = Refusal("unit_unknown", "give_unit")
NO_THRESHOLD: Final = Refusal("no_threshold", "name_limits")
NO_ALERT: Final = Refusal("no_alert_level", "name_limits")
BELOW_BASELINE: Final = Refusal("threshold_below_baseline", "check_limits")

REFUSALS: Final = (
    NO_DEGRADATION,
    TOO_FEW_POINTS,
    TREND_FALLING,
    POOR_FIT,
    INTERVAL_TOO_WIDE,
    TIME_GOES_BACK,
    UNIT_MISMATCH,
    UNIT_UNKNOWN,
    NO_THRESHOLD,
    NO_ALERT,
    BELOW_BASELINE,
)
"""Every refusal of this package: a locale must have a sentence for each."""


class Quantity(StrEnum):
    """What grows: it chooses the models. A level grows as damage does, a temperature as friction does."""

    LEVEL = "level"
    TEMPERATURE = "temperature"


class Method(StrEnum):
    """How a remaining life was found."""

    MIXTURE = "mixture"
    THRESHOLD_CROSSED = "threshold_crossed"
    POPULATION = "population_weibull"


@dataclass(frozen=True, slots=True)
class Trend:
    """The course of one indicator of one machine, oldest first.

    `hours` (m,): times in hours, never falling; `values` (m,): the indicator, NaN where there is none, in
    `unit`. `baseline` is its level in health, `spread` the robust standard deviation of the natural logarithm
    of its values around it (for a temperature: of the values themselves, in kelvin); None takes both from the
    first fifth of the points. `alert` is the level above which degradation may be spoken of.
    `use` (m,): damage done in the hour before each point, as a share of that of an hour at rated load: 0
    at rest, load³ of a bearing (ISO 281); None is 1 throughout. `interventions`: times after which the course
    begins anew, hours. `unit` "unknown" is refused.
    """

    hours: npt.ArrayLike
    values: npt.ArrayLike
    unit: str
    alert: float | None
    baseline: float | None = None
    spread: float | None = None
    use: npt.ArrayLike | None = None
    interventions: tuple[float, ...] = ()
    quantity: Quantity = Quantity.LEVEL


@dataclass(frozen=True, slots=True)
class Threshold:
    """The level that ends a life by convention: `name` says which ("danger"), `unit` is that of the trend."""

    value: float
    unit: str
    name: str = "danger"


@dataclass(frozen=True, slots=True)
class Assumption:
    """What an answer rests on: a key of the locale (`assumption.<key>`) with its numbers."""

    key: str
    params: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RemainingLife:
    """Hours of the trend's own time until the threshold is reached: 10 %, 50 % and 90 % quantile.

    `p10` is the planning date. `weights` is the share of each model in the mixture. `confidence` is
    "high", "medium" or "low", by the width of the interval. `onset_hours` is when degradation began, in the
    trend's time, None where it was not asked.
    """

    p10: float
    p50: float
    p90: float
    method: Method
    assumptions: tuple[Assumption, ...]
    weights: Mapping[str, float] = field(default_factory=dict)
    confidence: str = "low"
    onset_hours: float | None = None
