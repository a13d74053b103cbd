"""How far a sample has moved from another, where blocks remember each other: PSI, Kolmogorov-Smirnov and
Page-Hinkley, each with a limit that holds for what is left of the sample when its memory is taken off.

Blocks ten minutes apart remember each other (autocorrelations of 0.7 to 0.95) and days differ beside that, so
a fortnight of 2,000 blocks tells no more than 30 to 300 independent ones. A plain p-value of two such samples
is below 0.001 for most healthy machines. Here every sample has its `memory`: how many blocks one independent
block is worth, the greater of

- (1 + r) / (1 - r) at the lag-1 autocorrelation r, and
- blocks a day times the variance of the days' means over that of the blocks, times the memory of the days
  themselves (weather and campaigns last longer than a day), which is found alike, over all columns together,

and all limits are those of samples of n / memory.

PSI: B. Yurdakul & J. Naranjo, Statistical properties of the population stability index, J. Risk Model
Validation 14 (2020): without a change it is distributed as (1/n + 1/m) times a chi-square of B - 1 degrees of
freedom. Kolmogorov-Smirnov with M. A. Stephens' correction, JRSS B 32 (1970) 115. E. S. Page, Biometrika 41
(1954) 100; D. V. Hinkley, Biometrika 58 (1971) 509.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import chdtri, kolmogorov

from models.detection.charts import OUTLIER
from models.features.gate import DoubleArray

LEVELS: Final = np.linspace(0.0, 1.0, 41)
"""Shares at which quantiles of what was trained on are kept: 2.5 % apart, so that 2, 4, 5, 8 and 10 bins of
equal shares can be made of them, and a Kolmogorov-Smirnov distance is found to that (never too large)."""

PER_BIN: Final = 5
"""Independent blocks that a bin must expect, or a chi-square is no description of it (Cochran's rule)."""

BINS: Final = (10, 8, 5, 4, 2)
"""How many bins PSI is taken over: as many as `PER_BIN` allows. Ten is what its customary limits are for;
more would only make it count noise in the tails."""

LEAST_EFFECTIVE: Final = PER_BIN * BINS[-1]
"""Independent blocks below which nothing is said."""

MOST_MEMORY: Final = 1008.0
"""A week of blocks: what remembers longer is a trend, and no sample of its length tells how long."""

LEAST_DAYS: Final = 5
"""Days below which no autocorrelation of days is found."""

MOST_DAYS_MEMORY: Final = 7.0
"""A week of days, for the same reason."""

DAY_S: Final = 86_400.0


def memory_of(time_s: DoubleArray, z: DoubleArray, days_memory: float) -> DoubleArray:
    """How many blocks (c,) of residuals `z` (m, c) at rising times are worth one independent block, 1 at
    least; NaN where fewer than three are known. `days_memory` is that of daily means (`memory_of_days`).
    """
    tame = np.clip(z, -OUTLIER, OUTLIER)
    off = tame - _mean(tame)
    variance = _mean(off**2)
    means, per_day = daily_means(time_s, tame)
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.clip(_mean(off[1:] * off[:-1]) / variance, 0.0, 0.998)
        of_days = per_day * spread_of(means, days_memory) ** 2 * days_memory / variance
    found = np.fmax(np.fmax((1 + r) / (1 - r), of_days), 1.0)
    enough = np.count_nonzero(~np.isnan(z), axis=0) >= 3
    return np.where(enough, np.minimum(found, MOST_MEMORY), np.nan)


def memory_of_days(means: DoubleArray) -> float:
    """How many days are worth one independent day, from daily means (d, c): the median over the columns.

    A lag-1 autocorrelation of d days is too small by (1 + 3r) / d (M. G. Kendall, Biometrika 41 (1954) 403).
    """
    d = len(means)
    if d < LEAST_DAYS:
        return MOST_DAYS_MEMORY
    off = means - _mean(means)
    with np.errstate(divide="ignore", invalid="ignore"):
        raw = _mean(off[1:] * off[:-1]) / _mean(off**2)
    known = raw[np.isfinite(raw)]
    if not known.size:
        return MOST_DAYS_MEMORY
    r = (float(np.median(known)) + 1 / d) / (1 - 3 / d)
    r = min(max(r, 0.0), 0.9)
    return min((1 + r) / (1 - r), MOST_DAYS_MEMORY, d / 2)


def spread_of(means: DoubleArray, days_memory: float) -> DoubleArray:
    """The standard deviation (c,) of daily means (d, c), made larger by what days that remember each other
    hide of it; NaN with fewer than two.
    """
    known = np.count_nonzero(~np.isnan(means), axis=0)
    squares = np.nansum((means - _mean(means)) ** 2, axis=0)
    free = np.maximum(known - np.minimum(days_memory, known / 2), 1.0)
    return np.where(known > 1, np.sqrt(squares / free), np.nan)


def daily_means(time_s: DoubleArray, z: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Means (d, c) of residuals `z` (m, c) in the days (UTC) that have any, NaN where a column has none, and
    the typical number of blocks a day (c,). No residual counts beyond `OUTLIER`.
    """
    if not len(time_s):
        return np.empty((0, z.shape[1])), np.zeros(z.shape[1])
    first = np.unique(np.floor(time_s / DAY_S), return_index=True)[1]
    known = ~np.isnan(z)
    sums = np.add.reduceat(np.where(known, np.clip(z, -OUTLIER, OUTLIER), 0.0), first, axis=0)
    counts = np.add.reduceat(known, first, axis=0, dtype=np.int64)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means, np.median(counts, axis=0)


def bins_for(effective: float) -> int:
    """How many bins a sample of so many independent blocks can fill; 0 where it can't fill two."""
    return next((bins for bins in BINS if effective >= PER_BIN * bins), 0)


def psi(quantiles: DoubleArray, values: DoubleArray, bins: int, effective: float) -> float:
    """The population stability index of `values` (m,) against a sample of these `quantiles` (41,).

    Each bin holds an equal share of the trained sample (where values are many times the same, the share that
    is below them); half an independent block is added to each of the new, so that an empty bin weighs what a
    sample of that size can prove, and not infinitely.
    """
    step = (len(LEVELS) - 1) // bins
    edges = np.unique(quantiles[step:-1:step])
    below = LEVELS[np.searchsorted(quantiles, edges)]
    edges, below = edges[below > 0], below[below > 0]
    was = np.diff(np.concatenate(([0.0], below, [1.0])))
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(was))
    share = (counts / len(values) * effective + 0.5 * bins * was) / (effective + 0.5 * bins)
    return float(((share - was) * np.log(share / was)).sum())


def psi_limit(bins: int, trained: float, effective: float, alpha: float) -> float:
    """What PSI exceeds with probability `alpha` without a change, for that many independent blocks."""
    return float(chdtri(bins - 1, alpha)) * (1 / trained + 1 / effective)


def ks(quantiles: DoubleArray, values: DoubleArray) -> float:
    """The Kolmogorov-Smirnov distance of `values` (m,) to a sample of these `quantiles` (41,), at these."""
    rising = np.sort(values)
    low, high = (np.searchsorted(rising, quantiles, side=side) / len(rising) for side in ("left", "right"))
    return float(np.max(np.maximum(LEVELS - high, low - LEVELS), initial=0.0))


def ks_limit(trained: float, effective: float, alpha: float) -> float:
    """The distance that is exceeded with probability `alpha` without a change, two samples of these many
    independent blocks.
    """
    n = trained * effective / (trained + effective)
    tail = np.linspace(0.3, 4.0, 3701)
    at = tail[int(np.argmax(kolmogorov(tail) <= alpha))]
    return float(at / (np.sqrt(n) + 0.12 + 0.11 / np.sqrt(n)))


def page_hinkley(days: DoubleArray, centre: DoubleArray, allowed: float) -> DoubleArray:
    """The larger of the two one-sided sums (c,) of daily means (d, c) after the last day, in σ · days.

    Σ(mean - centre - allowed), never below 0, and the same downwards. A day that is not known changes
    nothing.
    """
    up = down = np.zeros(days.shape[1])
    for mean in days - centre:
        known = ~np.isnan(mean)
        up = np.where(known, np.maximum(up + mean - allowed, 0.0), up)
        down = np.where(known, np.maximum(down - mean - allowed, 0.0), down)
    return np.maximum(up, down)


def page_hinkley_limit(spread: npt.ArrayLike, drift: npt.ArrayLike, tail: float) -> DoubleArray:
    """What the sum exceeds about once in 1/`tail` starts without a change: days with this standard deviation
    `spread`, that fall by `drift` a day on the mean.

    exp(-2 · drift · limit / spread²) is the probability that a random walk with that fall ever rises so far
    (Lundberg's bound).
    """
    s, fall = np.asarray(spread, dtype=np.float64), np.maximum(np.asarray(drift, dtype=np.float64), 0.1)
    return np.asarray(-np.log(tail) * s**2 / (2 * fall))


def _mean(values: DoubleArray) -> DoubleArray:
    """Means (c,) of the known values (m, c), NaN where none is."""
    known = ~np.isnan(values)
    count = np.count_nonzero(known, axis=0)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
