"""Charts that see what single blocks do not: EWMA, two-sided CUSUM and Theil-Sen slopes of residuals in σ.

All arrays have any shape behind their first axis, time: a scan over time works on all machines and features
at once. A NaN is a block that says nothing: the charts hold.

Blocks of a machine are not independent (autocorrelations of 0.7 to 0.95 at ten minutes), so that the textbook
limits for independent samples alarm more than a hundred times a month. Here all limits come from the
baseline's own series of the same chart:

- EWMA: k times 1.4826 MAD of the baseline's EWMA;
- CUSUM: it is never negative and falls off like an exponential, whose square root falls off like a gaussian
  (a Rayleigh variable). So the limit is taken on the root and squared: (k · 1.4826 · median √C)², over the
  baseline's blocks where C > 0. Its slack is half a σ, wider by what the baseline does not know of its own
  median: measured with one standard error more, run with three more;
- slope: k times the standard deviation that the line over a week of 6 h means would have if these were
  independent, from 1.4826 MAD of the baseline's, times 1.4: neighbouring means have a correlation of 0.3
  where blocks of ten minutes have 0.95. That is besides Sen's own interval, which supposes independence.

S. W. Roberts, Technometrics 1 (1959) 239; E. S. Page, Biometrika 41 (1954) 100; P. K. Sen, JASA 63 (1968)
1379.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray
from models.features.huber import MAD_TO_SIGMA
from models.features.trend import theil_sen

Slack = float | npt.NDArray[np.floating]

LAMBDA: Final = 0.2
"""Weight of the newest block in the EWMA: it looks back some ten blocks."""

SLACK: Final = 0.5
"""Slack of the CUSUM in σ: best for a shift of one σ, the least that is worth a look."""

CEILING: Final = 2.0
"""A CUSUM rises no further than so many times its limit, so that it returns when the machine does."""

LEAST_EWMA: Final = 1 / 3
"""√(λ/(2-λ)): the EWMA of independent residuals. A baseline that varies less has not shown all it does."""

LEAST_CUSUM: Final = 8.0
"""Limit in σ below which even independent residuals would cross it each month (Siegmund's approximation)."""

OUTLIER: Final = 5.0
"""Residuals count at most so many σ in means of 6 h and in covariances: one block moves neither."""

BIN_S: Final = 6 * 3600.0
"""A slope is taken over means of 6 h: longer than the memory of most residuals."""

BINS: Final = 28
"""A week of them: the slope's window."""

LEAST_BINS: Final = 14
"""Means that a slope needs in its window."""

LEAST_MEAN: Final = 1 / 6
"""Standard deviation of a mean over 6 h of independent residuals, ten minutes apart: a baseline that varies
less has not shown all it does."""

SLOPE_INFLATION: Final = 1.4
"""√((1+r)/(1-r)) at r = 0.3, by which correlated means widen the slope's standard deviation."""

SLOPE_CONFIDENCE: Final = 0.99
"""Of Sen's interval, which must lie above 0."""


@dataclass(frozen=True, slots=True)
class Charts:
    """EWMA and the two sides of CUSUM in σ, arrays of one shape."""

    ewma: npt.NDArray[np.floating]
    up: npt.NDArray[np.floating]
    down: npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class ChartLimits:
    """Limits (c,) in σ at k = 1: multiply the EWMA's and the slope's by k, the CUSUM's by k². NaN: none.

    `slack` (c,) is that of the running CUSUM; `steep` (c,) the standard deviation of `rises`.
    """

    ewma: DoubleArray
    cusum: DoubleArray
    slack: DoubleArray
    steep: DoubleArray


def start(shape: tuple[int, ...], dtype: npt.DTypeLike = np.float64) -> Charts:
    """Charts at rest."""
    return Charts(np.zeros(shape, dtype), np.zeros(shape, dtype), np.zeros(shape, dtype))


def advance(
    charts: Charts,
    z: npt.NDArray[np.floating],
    slack: Slack = SLACK,
    ceiling: Slack = np.inf,
) -> Charts:
    """The charts after one residual `z` of each, in their shape and type; where it is NaN they hold."""
    known, zero = ~np.isnan(z), z.dtype.type(0)
    value = np.where(known, z, zero)
    return Charts(
        np.where(known, charts.ewma + LAMBDA * (value - charts.ewma), charts.ewma),
        np.where(known, np.minimum(np.maximum(charts.up + value - slack, zero), ceiling), charts.up),
        np.where(known, np.minimum(np.maximum(charts.down - value - slack, zero), ceiling), charts.down),
    )


def scan(charts: Charts, z: npt.NDArray[np.floating], slack: Slack = SLACK) -> Charts:
    """The charts after all residuals `z` (m, ...): `advance` once a row, without a ceiling.

    Without a NaN it works in place on three arrays of the charts' own type, in float32 some hundreds of
    millions of channels a second.
    """
    if np.isnan(np.min(z, initial=0.0)):
        for row in z:
            charts = advance(charts, row, slack)
        return charts
    ewma, up, down = charts.ewma.copy(), charts.up.copy(), charts.down.copy()
    shift = np.asarray(slack, dtype=ewma.dtype)
    new, keep, zero = (ewma.dtype.type(v) for v in (LAMBDA, 1 - LAMBDA, 0))
    work = np.empty_like(ewma)
    for row in z:
        np.multiply(row, new, out=work)
        np.multiply(ewma, keep, out=ewma)
        np.add(ewma, work, out=ewma)
        np.subtract(row, shift, out=work)
        np.add(up, work, out=up)
        np.maximum(up, zero, out=up)
        np.add(row, shift, out=work)
        np.subtract(down, work, out=down)
        np.maximum(down, zero, out=down)
    return Charts(ewma, up, down)


def ewma_series(z: DoubleArray) -> DoubleArray:
    """The EWMA after each residual of `z` (m, ...), from 0; NaN where a residual is (there it holds)."""
    from scipy.signal import lfilter  # most of a second, in every process that never fits anything

    known = ~np.isnan(z)
    if known.all():
        series: DoubleArray = lfilter([LAMBDA], [1.0, LAMBDA - 1.0], z, axis=0)
        return series
    order = np.argsort(~known, axis=0, kind="stable")  # what is known to the front, in time order
    front = np.nan_to_num(np.take_along_axis(z, order, axis=0))
    series = np.empty_like(front)
    np.put_along_axis(series, order, lfilter([LAMBDA], [1.0, LAMBDA - 1.0], front, axis=0), axis=0)
    return np.where(known, series, np.nan)


def cusum_series(z: DoubleArray, slack: Slack = SLACK) -> tuple[DoubleArray, DoubleArray]:
    """The CUSUM after each residual of `z` (m, ...), up and down, from 0, without a loop; it holds at a NaN.

    A sum S that is pushed back to 0 is S minus its least value so far (Lindley's recursion).
    """
    known = ~np.isnan(z)
    both = (np.cumsum(np.where(known, sign * z - slack, 0.0), axis=0) for sign in (1, -1))
    up, down = (s - np.minimum(np.minimum.accumulate(s, axis=0), 0.0) for s in both)
    return up, down


def chart_limits(z: DoubleArray, bin_means: DoubleArray) -> ChartLimits:
    """The limits of a baseline of residuals `z` (m, c) in time order, and of their 6 h means (b, c)."""
    learned = ~np.isnan(z).all(axis=0)
    error = _median_error(z)
    ewma = np.maximum(MAD_TO_SIGMA * medians(np.abs(ewma_series(z))), LEAST_EWMA)
    c = np.maximum(*cusum_series(z, SLACK + error))
    root = medians(np.where((c > 0) & ~np.isnan(z), np.sqrt(c), np.nan))
    return ChartLimits(
        ewma=np.where(learned, ewma, np.nan),
        cusum=np.where(learned, (MAD_TO_SIGMA * np.nan_to_num(root)) ** 2, np.nan),
        slack=np.where(learned, SLACK + 3 * error, np.nan),
        steep=_steep(bin_means),
    )


def bin_means(time_s: DoubleArray, z: DoubleArray) -> DoubleArray:
    """Means (b, c) of residuals `z` (m, c) at rising times in the bins of 6 h that have one; NaN: unknown."""
    _, first = np.unique(np.floor(time_s / BIN_S), return_index=True)
    known = ~np.isnan(z)
    sums = np.add.reduceat(np.where(known, np.clip(z, -OUTLIER, OUTLIER), 0.0), first, axis=0)
    counts = np.add.reduceat(known, first, axis=0, dtype=np.int64)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def rises(means: DoubleArray) -> tuple[DoubleArray, npt.NDArray[np.bool_]]:
    """The Theil-Sen line over the week of `means` (BINS, n): how steep, and whether it is told from level.

    Steep is the slope times √Σ(t - mean t)² over the bins that are known: of independent means it has their
    own standard deviation, whatever is missing. NaN and False with fewer than `LEAST_BINS`.
    """
    known = ~np.isnan(means)
    count = np.count_nonzero(known, axis=0)
    enough = count >= LEAST_BINS
    steep, told = np.full(means.shape[1], np.nan), np.zeros(means.shape[1], dtype=np.bool_)
    if enough.any():
        t = np.where(known, np.arange(BINS)[:, None] + 1.0, 0.0)[:, enough]
        reach = np.sqrt((t**2).sum(axis=0) - t.sum(axis=0) ** 2 / count[enough])
        line = theil_sen(np.arange(BINS), means[:, enough].T, confidence=SLOPE_CONFIDENCE)
        steep[enough], told[enough] = line.slope_per_h * reach, line.low_per_h > 0
    return steep, told


def _steep(means: DoubleArray) -> DoubleArray:
    """Standard deviation (c,) of `rises` without a trend; NaN with fewer than `LEAST_BINS` means."""
    enough = np.count_nonzero(~np.isnan(means), axis=0) >= LEAST_BINS
    spread = np.maximum(MAD_TO_SIGMA * medians(np.abs(means - medians(means))), LEAST_MEAN)
    return np.where(enough, SLOPE_INFLATION * spread, np.nan)


def _median_error(z: DoubleArray) -> DoubleArray:
    """Standard error (c,) of a baseline's level, from the spread of the means of its sevenths.

    A seventh is a day of the shortest baseline: what varies from day to day is in it.
    """
    parts = np.array_split(np.clip(z, -OUTLIER, OUTLIER), max(7, len(z) // 144))
    with np.errstate(invalid="ignore"):
        means = np.array([np.nansum(p, axis=0) / np.count_nonzero(~np.isnan(p), axis=0) for p in parts])
    count = np.maximum(np.count_nonzero(~np.isnan(means), axis=0), 2)
    off = means - np.nansum(means, axis=0) / count
    return np.asarray(np.sqrt(np.nansum(off**2, axis=0) / (count - 1) / count), dtype=np.float64)


def medians(values: DoubleArray) -> DoubleArray:
    """Medians (c,) of the known values (m, c) of each column; NaN where there is none."""
    count = np.count_nonzero(~np.isnan(values), axis=0)
    rising = np.sort(values, axis=0)  # NaN goes to the end
    low, high = (
        np.take_along_axis(rising, np.minimum(at, len(values) - 1)[None], axis=0)[0]
        for at in (np.maximum(count - 1, 0) // 2, count // 2)
    )
    return np.asarray((low + high) / 2, dtype=np.float64)
