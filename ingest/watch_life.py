"""How long an abnormal point still has, from the hourly rows of what leads there. Pure: the shell reads.

Asked every six hours at most: an hourly trend says no more in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from models.advice import Lasting
from models.detection.bands import ALERT_RATIO, DANGER_RATIO
from models.detection.baseline import Baseline
from models.detection.measured import feature_of
from models.features.catalogue import CATALOGUE
from models.features.gate import DoubleArray
from models.features.trend import theil_sen
from models.prognosis import ClassHistory, RemainingLife, Threshold, Trend, remaining_life
from models.prognosis.types import NO_ALERT, NO_DEGRADATION, Assumption
from models.types import Refusal
from palier.historian.base import Table
from palier.historian.rows import HOUR_NS

from .watch_learning import Ask
from .watch_parts import Place, Watched

EVERY_NS: Final = 6 * HOUR_NS
BACK_NS: Final = 90 * 24 * HOUR_NS
"""How far back a course is looked at: a season, from a bearing's first line to its end."""

GROWTH_NS: Final = 14 * 24 * HOUR_NS
"""What a doubling time is taken over: twice the shortest that raises a severity."""

GROWTH_HOURS: Final = 72
"""Hours that it needs: three days, for a level that follows the day is no trend."""

GROWTH_CONFIDENCE: Final = 0.99
"""Of the interval of its slope, which must lie above 0."""

RMS_OF_POWERS: Final = "acceleration_rms_m_s2"
"""A level whose causes add as powers: shocks grow beside a noise that stays. Its square less that of good
health is theirs, and grows as they do; the level itself creeps first and hurries then, and its course tells
too early an end."""

FIRST_SHARE: Final = 0.2
FIRST_HOURS: Final = 8
"""Of the hours of a course those whose spread is that of good health, and how many there are at least."""

MAD_OF_NORMAL: Final = 1.4826
"""Standard deviation of a normal distribution, in median absolute deviations."""

_UNIT: Final = {spec.name: spec.unit or "1" for spec in CATALOGUE}


@dataclass(frozen=True, slots=True)
class Course:
    """What is asked of a point's life: which column grows, from which alert to which danger."""

    place: Place
    column: str
    alert: float
    danger: float
    level: float
    spread: float

    @property
    def feature(self) -> str:
        """The feature of the catalogue."""
        return feature_of(self.column)

    @property
    def power(self) -> float:
        """By which its values are raised before they are followed: causes whose powers add grow so."""
        return 2.0 if self.feature == RMS_OF_POWERS else 1.0

    def ask(self, now_ns: int) -> Ask:
        """What the shell reads, of the channel `channel`."""
        site, machine, point = self.place
        fields = (f"{self.feature}_mean", "blocks")
        return Ask("feature_hourly", fields, site, machine, point, now_ns - BACK_NS, now_ns)


def courses_of(one: Watched) -> tuple[Course, ...]:
    """The courses that may lead to a danger: of the limits' own velocity, and of the acceleration beside its
    baseline. A bearing's damage is long in the one before it shows in the other; what is neither has none.
    """
    baseline = one.model.baseline if one.model else None
    found = []
    if one.zoned and not np.isnan(one.danger):
        column = one.zoned[0]
        found.append(Course(one.place, column, one.alert, one.danger, *_healthy(one, baseline, column)))
    column = next((name for name in one.names if feature_of(name) == "acceleration_rms_m_s2"), "")
    level, spread = _healthy(one, baseline, column)
    if not np.isnan(level):
        found.append(Course(one.place, column, ALERT_RATIO * level, DANGER_RATIO * level, level, spread))
    return tuple(found)


def soonest(
    lives: Sequence[tuple[Course, RemainingLife | Refusal]],
) -> tuple[Course, RemainingLife | Refusal]:
    """Of several courses the one that ends first; where none can be told, the first that is under way, and
    why."""
    told = [(course, life) for course, life in lives if isinstance(life, RemainingLife)]
    if told:
        return min(told, key=lambda one: one[1].p50)
    return next((one for one in lives if one[1] != NO_DEGRADATION), lives[0])


def lasting_of(life: RemainingLife | Refusal, now_ns: int) -> Lasting | None:
    """What a remaining life told now says of deadlines; None where nobody can say."""
    if isinstance(life, Refusal) or not np.isfinite(life.p10):
        return None
    return Lasting(now_ns, max(0.0, life.p10))


def life_of(
    course: Course,
    hourly: Table,
    *,
    interventions_ns: tuple[int, ...] = (),
    history: ClassHistory | None = None,
) -> RemainingLife | Refusal:
    """The remaining life from the rows of `course.ask`."""
    if np.isnan(course.alert):
        return NO_ALERT
    unit, power = _UNIT[course.feature], course.power
    hours, values, blocks = points_of(course, hourly)
    spread = spread_of_hours(course.spread, values, blocks)
    trend = Trend(
        hours,
        values**power,
        unit,
        alert=course.alert**power,
        baseline=None if np.isnan(course.level) else course.level**power,
        spread=None if np.isnan(spread) else power * spread,
        interventions=tuple(done / HOUR_NS for done in interventions_ns),
    )
    life = remaining_life(trend, Threshold(course.danger**power, unit), history=history)
    return life if isinstance(life, Refusal) else replace(life, assumptions=_told(life, course))


def points_of(course: Course, hourly: Table) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    """Hours, values and blocks (n,) of the rows of `course.ask`."""
    channel = course.column.partition("/")[0]
    mine = [i for i, name in enumerate(hourly.channel) if name == channel]
    values, blocks = (
        np.asarray(hourly.columns[name], dtype=np.float64)[mine]
        for name in (f"{course.feature}_mean", "blocks")
    )
    return hourly.ts_ns[mine] / HOUR_NS, values, blocks


def spread_of_hours(of_blocks: float, values: DoubleArray, blocks: DoubleArray) -> float:
    """The spread of the logarithm of hourly means (n,) in good health, from that of blocks; NaN without one.

    Between that of a block and what the mean of independent ones would leave of it: what moves a machine's
    level moves it longer than a block, and then sixty blocks an hour say no more than a few. Where in between
    the first fifth of the hours shows, as a trend without a baseline takes its own.
    """
    known = values > 0
    if np.isnan(of_blocks) or not known.any():
        return of_blocks
    first = np.log(values[known][: max(FIRST_HOURS, round(FIRST_SHARE * np.count_nonzero(known)))])
    own = MAD_OF_NORMAL * np.median(np.abs(first - np.median(first)))
    in_an_hour = np.median(blocks[known & (blocks > 0)]) if (known & (blocks > 0)).any() else 1.0
    return float(np.clip(own, of_blocks / np.sqrt(max(1.0, in_an_hour)), of_blocks))


def _told(life: RemainingLife, course: Course) -> tuple[Assumption, ...]:
    """The assumptions, with the threshold in the unit of its feature."""
    return tuple(
        replace(one, params={**one.params, "value": course.danger}) if one.key == "threshold" else one
        for one in life.assumptions
    )


def doubling_days_of(course: Course, hourly: Table) -> dict[str, float]:
    """In how many days the columns of a course double ("channel/feature"), of those that rise: by the median
    slope of their logarithm over the last weeks, where it is told from none.
    """
    found = {}
    values = np.asarray(hourly.columns[f"{course.feature}_mean"], dtype=np.float64)
    channels = np.array(hourly.channel)
    for channel in dict.fromkeys(hourly.channel):
        known = (channels == channel) & (values > 0) & (hourly.ts_ns > hourly.ts_ns.max() - GROWTH_NS)
        if np.count_nonzero(known) < GROWTH_HOURS:
            continue
        times_h = hourly.ts_ns[known] / HOUR_NS
        line = theil_sen(times_h - times_h[0], np.log(values[known])[None], confidence=GROWTH_CONFIDENCE)
        if line.low_per_h[0] > 0:
            found[f"{channel}/{course.feature}"] = float(np.log(2) / line.slope_per_h[0] / 24)
    return found


def _healthy(one: Watched, baseline: Baseline | None, column: str) -> tuple[float, float]:
    """The level of a column in good health and the spread of its logarithm, NaN where it was not learned."""
    if baseline is None or column not in one.names:
        return np.nan, np.nan
    i = one.names.index(column)
    return float(one.levels[i]), float(baseline.sigma[i])
