"""Whether a degradation is under way, since when, and whether it still grows: no remaining life before that.

An onset is confirmed when the indicator stands above its alert level and either rises without doubt
(Mann-Kendall, one-sided p < 0.01 over at least 10 bins) or has left its baseline (CUSUM). Neighbouring points
of a machine's trend hang together, which makes a Mann-Kendall test on them see trends in noise: the
variance of S is multiplied by n/n* = 1 + 2·Σ(1 − k/n)·ρ^k, from the correlation ρ of the residuals about a
straight line (Yue & Wang, Water Resour. Manage. 18 (2004) 201-218), and the CUSUM's limit by (1 + ρ)/(1 −
ρ).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from models.features.gate import DoubleArray

from .courses import BoolArray, Courses
from .window import Window, windows

CUSUM_SLACK: Final = 1.0
"""Spreads a point must exceed to count for a change: half of a shift of two, the smallest that matters
here."""

CUSUM_LIMIT: Final = 8.0
"""Spreads in sum that confirm a change: in independent noise one false change in some 10^7 points
(Siegmund's e^(2·1·(8 + 1.17)) / 2)."""

TREND_P: Final = 0.01
TREND_BINS: Final = 10
_MOST_CORRELATION: Final = 0.95


@dataclass(frozen=True, slots=True)
class Onset:
    """Of n courses, all (n,): `alerted`: the latest median of three is at or above the alert level;
    `confirmed`: alerted and grown; `p_rising`: one-sided p of Mann-Kendall, NaN below 10 bins; `falling`: the
    same test sees a fall; `window`: the course since the change."""

    alerted: BoolArray
    confirmed: BoolArray
    p_rising: DoubleArray
    falling: BoolArray
    window: Window


def onset(data: Courses) -> Onset:
    """When each course left its baseline, and whether that is confirmed."""
    z = data.deviation()
    rho = _correlation(z, data.known)
    excess = np.cumsum(np.where(data.known, z - CUSUM_SLACK, 0.0), axis=1)
    floor = np.minimum(np.minimum.accumulate(excess, axis=1), 0.0)
    changed = excess[:, -1] - floor[:, -1] >= CUSUM_LIMIT * (1 + rho) / (1 - rho)
    # The change is the last time the sum stood at its lowest: all after it counts in favour of a rise.
    place = np.arange(z.shape[1])
    lowest = np.where((excess <= floor[:, -1:]) & data.known, place, -1).max(axis=1)
    window = windows(data, lowest + 1, rho)
    p_rising, p_falling = mann_kendall(window.t, window.x)
    with np.errstate(invalid="ignore"):
        alerted = data.latest() >= data.alert
        rising = p_rising < TREND_P
        falling = p_falling < TREND_P
    return Onset(alerted, alerted & (rising | changed), p_rising, falling, window)


def mann_kendall(t: npt.ArrayLike, x: npt.ArrayLike) -> tuple[DoubleArray, DoubleArray]:
    """One-sided p of a rise and of a fall of each row (n,), for independent or autocorrelated noise.

    `t`, `x` (n, m), NaN where there is none; NaN for a row with fewer than `TREND_BINS` values. Cost is m² a
    row: for bins, not for raw points.
    """
    times, values = np.asarray(t, dtype=np.float64), np.asarray(x, dtype=np.float64)
    known = np.isfinite(values) & np.isfinite(times)
    count = known.sum(axis=1)
    signs = np.sign(values[:, None, :] - values[:, :, None])
    upper = np.triu(np.ones((values.shape[1],) * 2, dtype=bool), 1)
    s = np.where(upper & known[:, None, :] & known[:, :, None], signs, 0.0).sum(axis=(1, 2))
    inflation = _inflation(_residual_correlation(times, values, known), count)
    variance = count * (count - 1.0) * (2 * count + 5) / 18 * inflation
    scale = np.sqrt(np.where(variance > 0, variance, 1.0))
    enough = count >= TREND_BINS
    # One step of continuity towards zero, as Kendall gives it.
    rise, fall = ndtr(-(s - 1) / scale), ndtr((s + 1) / scale)
    return np.where(enough, rise, np.nan), np.where(enough, fall, np.nan)


def _inflation(rho: DoubleArray, count: npt.NDArray[np.intp]) -> DoubleArray:
    """n/n* of Yue & Wang for a first-order process, in closed form."""
    n = np.maximum(count, 2).astype(np.float64)
    inside = (rho ** (n + 1) - n * rho**2 + (n - 1) * rho) / (n * (rho - 1) ** 2)
    return np.maximum(1 + 2 * inside, 1.0)


def _residual_correlation(t: DoubleArray, x: DoubleArray, known: BoolArray) -> DoubleArray:
    """Lag-1 correlation of the residuals about each row's straight line, (n,) in 0..0.95."""
    count = np.maximum(known.sum(axis=1), 1)[:, None]
    tt, xx = np.where(known, t, 0.0), np.where(known, x, 0.0)
    dt = np.where(known, t - tt.sum(axis=1, keepdims=True) / count, 0.0)
    dx = np.where(known, x - xx.sum(axis=1, keepdims=True) / count, 0.0)
    power = (dt**2).sum(axis=1, keepdims=True)
    slope = (dt * dx).sum(axis=1, keepdims=True) / np.where(power > 0, power, 1.0)
    left = dx - slope * dt
    energy = (left**2).sum(axis=1)
    both = known[:, 1:] & known[:, :-1]
    product = np.where(both, left[:, 1:] * left[:, :-1], 0.0).sum(axis=1)
    found = product / np.where(energy > 0, energy, 1.0)
    # About a fitted line the correlation comes out (2 + 4ρ)/n too small (van Giersbergen, Econ. Lett. 86
    # (2005) 1-6), and a memory that is underestimated is taken for a trend.
    n = np.maximum(known.sum(axis=1), TREND_BINS)
    return np.asarray(np.clip((n * found + 2) / (n - 4), 0.0, _MOST_CORRELATION), dtype=np.float64)


def _correlation(z: DoubleArray, known: BoolArray) -> DoubleArray:
    """Correlation of neighbours from their differences: of values of unit variance, var(Δz) = 2·(1 − ρ).

    Differences see through the degradation, which a correlation of the values would take for memory.
    """
    both = known[:, 1:] & known[:, :-1]
    step = np.where(both, np.abs(np.diff(z, axis=1)), np.nan)
    middle = np.sort(step, axis=1)
    count = both.sum(axis=1)
    if middle.shape[1] == 0:
        return np.zeros(len(z))
    typical = middle[np.arange(len(z)), np.maximum(count - 1, 0) // 2] * 1.4826
    rho = 1 - np.where(count > 0, typical, np.sqrt(2.0)) ** 2 / 2
    return np.asarray(np.clip(np.nan_to_num(rho, nan=0.0), 0.0, _MOST_CORRELATION), dtype=np.float64)
