"""How long an abnormal point still has, from the hourly rows of what leads there. Pure: the shell reads.

Asked every six hours at most: an hourly trend says no more in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.detection.bands import ALERT_RATIO, DANGER_RATIO
from models.detection.baseline import Baseline
from models.detection.measured import feature_of
from models.features.catalogue import CATALOGUE
from models.prognosis import ClassHistory, RemainingLife, Threshold, Trend, remaining_life
from models.prognosis.types import NO_ALERT
from models.types import Refusal
from palier.historian.base import Table
from palier.historian.rows import HOUR_NS

from .watch_learning import Ask
from .watch_parts import Place, Watched

EVERY_NS: Final = 6 * HOUR_NS
BACK_NS: Final = 90 * 24 * HOUR_NS
"""How far back a course is looked at: a season, from a bearing's first line to its end."""

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

    def ask(self, now_ns: int) -> Ask:
        """What the shell reads, of the channel `channel`."""
        site, machine, point = self.place
        fields = (f"{self.feature}_mean",)
        return Ask("feature_hourly", fields, site, machine, point, now_ns - BACK_NS, now_ns)


def course_of(one: Watched) -> Course | None:
    """The course that a life is told by: of the limits' own velocity, else of the acceleration with its
    baseline; None where neither can be.
    """
    baseline = one.model.baseline if one.model else None
    if one.zoned and not np.isnan(one.danger):
        column = one.zoned[0]
        return Course(one.place, column, one.alert, one.danger, *_healthy(one, baseline, column))
    column = next((name for name in one.names if feature_of(name) == "acceleration_rms_m_s2"), "")
    level, spread = _healthy(one, baseline, column)
    if np.isnan(level):
        return None
    return Course(one.place, column, ALERT_RATIO * level, DANGER_RATIO * level, level, spread)


def life_of(
    course: Course,
    hourly: Table,
    *,
    interventions_ns: tuple[int, ...] = (),
    history: ClassHistory | None = None,
) -> RemainingLife | Refusal:
    """The remaining life from the rows of `course.ask`."""
    channel = course.column.partition("/")[0]
    mine = [i for i, name in enumerate(hourly.channel) if name == channel]
    values = np.asarray(hourly.columns[f"{course.feature}_mean"], dtype=np.float64)[mine]
    if np.isnan(course.alert):
        return NO_ALERT
    unit = _UNIT[course.feature]
    trend = Trend(
        hourly.ts_ns[mine] / HOUR_NS,
        values,
        unit,
        alert=course.alert,
        baseline=None if np.isnan(course.level) else course.level,
        spread=None if np.isnan(course.spread) else course.spread,
        interventions=tuple(done / HOUR_NS for done in interventions_ns),
    )
    return remaining_life(trend, Threshold(course.danger, unit), history=history)


def _healthy(one: Watched, baseline: Baseline | None, column: str) -> tuple[float, float]:
    """The level of a column in good health and the spread of its logarithm, NaN where it was not learned."""
    if baseline is None or column not in one.names:
        return np.nan, np.nan
    i = one.names.index(column)
    return float(one.levels[i]), float(baseline.sigma[i])
