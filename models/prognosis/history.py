"""What the class of a machine teaches: how fast its kind degrades, how unsteadily, and its failed courses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from models.features.gate import DoubleArray

from . import exponential, wiener
from .courses import Courses
from .exponential import Slope
from .onset import onset
from .similarity import AVERAGED, FEWEST_LIVES, Library
from .window import Window

LEAST_SPREAD: Final = 0.5
"""Of the mean slope, its standard deviation at least while lives are fewer than a library wants: two that
happen to agree say nothing of a third, and lives of one kind of bearing alone differ by this much."""

LIBRARY_POINTS: Final = 256
"""Points of a course in the library: more than a window has bins."""


@dataclass(frozen=True, slots=True)
class ClassHistory:
    """Of `lives` failed machines: mean and variance of the slope of ln(x − φ) per hour of damage, typical
    variance of its walk per hour (0 where none is known), and their courses (None below a handful)."""

    slope_mean: float
    slope_variance: float
    process: float
    library: Library | None
    lives: int

    def slope(self, span: DoubleArray) -> Slope:
        """The prior of the slope in each row's spans."""
        return Slope(self.slope_mean * span, self.slope_variance * span**2)


def class_history(failed: Courses) -> ClassHistory | None:
    """What courses that ran to their threshold teach; their last known point is the end. None below two."""
    place = np.arange(failed.hours.shape[1])
    end = np.where(failed.known, place, -1).max(axis=1)
    ended = replace(failed, hours=np.where(place <= end[:, None], failed.hours, np.nan))
    window = onset(ended).window
    rows = (window.span_clock > 0) & (window.risen.sum(axis=1) >= 8) & ~failed.back
    window = window.take(rows)
    if rows.sum() < 2:
        return None
    nothing = Slope.unknown(int(rows.sum()))
    line = exponential.fit(window, nothing)
    slopes = line.slope / window.span_clock
    walk = wiener.fit(window, nothing)
    share = np.where(walk.power == 0, walk.weight + 1e-12, 0.0)
    process = (walk.diffusion * share).sum(axis=1) / share.sum(axis=1) / window.span_clock
    # One life's slope says how far a life may be from the mean: n + 1 for the uncertainty of the mean itself.
    variance = float(slopes.var(ddof=1))
    if len(slopes) < FEWEST_LIVES:
        variance = max(variance, (LEAST_SPREAD * float(slopes.mean())) ** 2)
    return ClassHistory(
        slope_mean=float(slopes.mean()),
        slope_variance=variance * (1 + 1 / len(slopes)),
        process=float(np.median(process)),
        library=_library(window) if len(slopes) >= FEWEST_LIVES else None,
        lives=len(slopes),
    )


def _library(window: Window) -> Library:
    """The courses over the hours before their end."""
    longest = float(window.span_clock.max())
    left = np.linspace(0, longest, LIBRARY_POINTS)
    distance = np.empty((len(window.t), LIBRARY_POINTS))
    for row in range(len(window.t)):
        known = window.risen[row]
        before = -window.t[row, known] * window.span_clock[row]
        off = window.y[row, known] - window.goal_y[row]
        distance[row] = np.interp(left, before[::-1], off[::-1])
    # Second differences see the noise of neighbours (six times its variance) and hardly the course itself.
    bent = np.abs(np.diff(window.y, n=2, axis=1))
    typical = 1.4826 * np.median(bent[np.isfinite(bent)]) / np.sqrt(6)
    # The difference of two courses has the variance of both, over the bins that a lag of a window averages.
    noise = max(np.sqrt(2 / AVERAGED) * float(typical), 1e-3)
    return Library(distance, longest / (LIBRARY_POINTS - 1), float(noise))
