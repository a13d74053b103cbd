"""What is fitted: each course since its onset, in at most `BINS` medians, on a clock from −1 (onset) to 0
(now).

The clock's unit is the row's own span, so that nothing that follows depends on the unit of time. A bin's
noise is that of a median of so many points (π/2 of the variance of a mean) that hang together: the
autocorrelation within bins and between them is counted once, as white noise of the same density, (1 + ρ)/(1
− ρ).

The logarithm of a rise that is hardly above the noise is biased, and leaving out the bins that the noise took
below the baseline would bias it more. So it is taken as a straight line about the rise of the nearest
course that never falls: first-order unbiased, with a variance that does not depend on the bin's own noise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray

from .courses import BoolArray, Courses

BINS: Final = 40
"""Bins of a window. Forty medians keep the slope of a line to 95 %, and a day of data costs as a year."""

LEAST_RISE: Final = 1.0
"""Standard deviations of a bin by which the rise must exceed the noise to have a logarithm worth fitting."""

MOST_MEMORY: Final = 0.95
"""Correlation of neighbours above which they are taken for one course and not for noise."""

_HALF_PI: Final = np.pi / 2


@dataclass(frozen=True, slots=True)
class Window:
    """n windows of M bins. Unit of time: `span_clock` hours of damage (n,), `span_h` hours of the caller's.

    `t` (n, M): −1..0; `x`: the indicator; `var_x`: variance of its noise; `y` = ln(x − baseline), `var_y` its
    variance by the rule of errors; `seen` where there is a bin, `risen` where it stands clear of the
    baseline. `goal_x`, `goal_y`: the threshold in both (n,). `points` (n,): raw points in the window.
    `wander` (n,): variance per span of the damage hours about their mean rate, in spans squared.
    """

    t: DoubleArray
    x: DoubleArray
    y: DoubleArray
    var_x: DoubleArray
    var_y: DoubleArray
    seen: BoolArray
    risen: BoolArray
    goal_x: DoubleArray
    goal_y: DoubleArray
    baseline: DoubleArray
    span_clock: DoubleArray
    span_h: DoubleArray
    onset_h: DoubleArray
    wander: DoubleArray
    points: npt.NDArray[np.intp]
    linear: bool

    def take(self, rows: npt.NDArray[np.intp] | BoolArray) -> Window:
        """The windows of some rows."""
        names = [name for name in self.__slots__ if isinstance(getattr(self, name), np.ndarray)]
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


def windows(data: Courses, first: npt.NDArray[np.intp], correlation: DoubleArray) -> Window:
    """The window of each course from its point `first` (n,) to its last time.

    `correlation` (n,) is that of neighbouring points of the course in health. A course without two points of
    different time has a span of 0 and bins without a value.
    """
    place = np.arange(data.values.shape[1])
    inside = data.known & (place >= first[:, None])
    rows = np.arange(len(first))
    some = inside.any(axis=1)
    begin = np.where(some, inside.argmax(axis=1), 0)
    given = np.isfinite(data.hours)
    end = inside.shape[1] - 1 - given[:, ::-1].argmax(axis=1)  # now is the last time, with a value or without
    since, now = data.clock[rows, begin], data.clock[rows, end]
    span = np.where(some, now - since, 0.0)
    unit = np.where(span > 0, span, 1.0)
    t = np.where(inside, (data.clock - now[:, None]) / unit[:, None], 0.0)
    t_bin, x, count = _bins(t, data.values, inside)
    seen = count > 0
    left = np.clip(correlation, 0.0, MOST_MEMORY)[:, None]
    share = np.where(count > 2, _HALF_PI, 1.0) * (1 + left) / (1 - left) / np.maximum(count, 1)
    noise = data.spread[:, None] * (1.0 if data.linear else np.where(seen, x, 1.0)) * np.sqrt(share)
    rise = x - data.baseline[:, None]
    near = isotonic(x) - data.baseline[:, None]
    risen = seen & (near > LEAST_RISE * noise)
    safe = np.where(risen, near, 1.0)
    goal = data.threshold - data.baseline
    return Window(
        t=t_bin,
        x=x,
        y=np.where(risen, np.log(safe) + np.maximum(rise / safe - 1, -1.0), np.nan),
        var_x=np.where(seen, noise**2, np.inf),
        var_y=np.where(risen, (noise / safe) ** 2, np.inf),
        seen=seen,
        risen=risen,
        goal_x=data.threshold,
        goal_y=np.log(np.where(goal > 0, goal, np.nan)),
        baseline=data.baseline,
        span_clock=span,
        span_h=data.hours[rows, end] - data.hours[rows, begin],
        onset_h=data.hours[rows, begin],
        wander=data.wander / np.where(span > 0, data.hours[rows, end] - data.hours[rows, begin], np.inf),
        points=inside.sum(axis=1),
        linear=data.linear,
    )


def isotonic(x: DoubleArray) -> DoubleArray:
    """The never falling course nearest to each row (n, m), NaN where x is: damage does not heal.

    max over i ≤ k of min over j ≥ k of the mean of x from i to j (Robertson, Wright & Dykstra 1988, 1.4): m²
    a row, for bins.
    """
    known = np.isfinite(x)
    n, m = x.shape
    total = np.concatenate([np.zeros((n, 1)), np.cumsum(np.where(known, x, 0.0), axis=1)], axis=1)
    count = np.concatenate([np.zeros((n, 1)), np.cumsum(known, axis=1)], axis=1)
    number = count[:, None, 1:] - count[:, :-1, None]
    mean = (total[:, None, 1:] - total[:, :-1, None]) / np.where(number > 0, number, 1.0)
    place = np.arange(m)
    forward = (place[None, :] >= place[:, None]) & (number > 0)
    best = np.where(forward, mean, np.inf)
    least = np.minimum.accumulate(best[:, :, ::-1], axis=2)[:, :, ::-1]
    # least[i, k] = min over j >= k of the means from i; of these the greatest over i <= k.
    held = np.where((place[:, None] <= place[None, :]) & np.isfinite(least), least, -np.inf)
    return np.where(known, held.max(axis=1), np.nan)


def _bins(
    t: DoubleArray, x: DoubleArray, inside: BoolArray
) -> tuple[DoubleArray, DoubleArray, npt.NDArray[np.intp]]:
    """Median of time, median of value and number of points of each bin (n, BINS); NaN where there is none."""
    n, m = t.shape
    # A hair on top: a point on an edge falls to the same side whatever the unit of time.
    spot = np.clip(((t + 1) * BINS + 1e-9).astype(np.intp), 0, BINS - 1)
    key = np.where(inside, np.arange(n)[:, None] * BINS + spot, n * BINS).ravel()
    count = np.bincount(key, minlength=n * BINS + 1)[:-1]
    found = []
    for values in (np.where(inside, t, 0.0).ravel(), np.where(inside, x, 0.0).ravel()):
        ordered = values[np.lexsort((values, key))]
        last = np.cumsum(count)
        begin = last - count
        low = np.minimum(begin + np.maximum(count - 1, 0) // 2, n * m - 1)
        high = np.minimum(begin + count // 2, n * m - 1)
        found.append(np.where(count > 0, (ordered[low] + ordered[high]) / 2, np.nan).reshape(n, BINS))
    return found[0], found[1], count.reshape(n, BINS)
