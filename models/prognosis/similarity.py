"""(c) Similarity: the remaining life of machines that failed, where their course looked like this one's.

Each course of the library is kept as its logarithmic distance to the threshold over the hours left to its
end. The latest window of a course is laid at every place of every one of them; a place weighs exp(−d²) and
says "so many hours were left there". d² is the mean square of the differences, over that which takes in the
five most similar lives: a library that is dense speaks sharply, one that is thin does not. The spread of what
is said, smoothed on a logarithmic scale, is the distribution (Wang, Yu, Siegel & Lee, PHM 2008; no time
warping: least squares on lagged windows).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtr

from models.features.gate import DoubleArray

from .window import BINS, Window

LAGS: Final = 8
"""Points of the window that are compared: its shape has level, slope and curvature, and noise to average."""

PLACES: Final = 64
"""Places along each life, by equal ratios of the hours left: the answer is a ratio as well."""

_NEAR: Final = 3.0
"""Bins, standard deviation of the gaussian weights about a lag."""

AVERAGED: Final = 2.5
"""Bins that such a line is worth at the end of a window, where half of it is missing."""

FEWEST_LIVES: Final = 5
"""Lives below which a library says nothing of a spread."""

_ROWS: Final = 32
"""Rows in work at a time: 32 rows x 64 places x 8 lags x 60 lives are 8 MB."""

_SUREST: Final = 0.1
"""Standard deviation of a logarithm below which lags count alike: lives differ by more than that."""

_SOFTEST: Final = 0.15
"""Least standard deviation of the kernel on the logarithm of the hours left: what the places are apart."""


@dataclass(frozen=True, slots=True)
class Library:
    """L failed courses: `distance` (L, H) = ln((x − φ)/(D − φ)), 0 at the end, at `step_h`·k hours of damage
    before it; `noise` the typical standard deviation between two lives' distances at the same remaining
    life."""

    distance: DoubleArray
    step_h: float
    noise: float

    @property
    def lives(self) -> int:
        """Number of failed courses."""
        return len(self.distance)

    def at(self, left_h: DoubleArray) -> DoubleArray:
        """The distance of every life at some hours left, (...,) -> (L, ...); held beyond both ends."""
        spot = np.clip(left_h / self.step_h, 0, self.distance.shape[1] - 1.000001)
        low = spot.astype(np.intp)
        share = spot - low
        found: DoubleArray = self.distance[:, low] * (1 - share) + self.distance[:, low + 1] * share
        return found


@dataclass(frozen=True, slots=True)
class Similar:
    """Hours left by each place (p,) in the row's spans, `left` (n, p), with `weight` (n, p) and kernel
    width (n, p)."""

    left: DoubleArray
    weight: DoubleArray
    width: DoubleArray

    def cdf(self, t: DoubleArray) -> DoubleArray:
        """P(threshold reached by t), t (n, q) in spans -> (n, q)."""
        ratio = np.log(np.maximum(t, 1e-300))[:, :, None] - np.log(self.left)[:, None, :]
        reached = (ndtr(ratio / self.width[:, None, :]) * self.weight[:, None, :]).sum(axis=2)
        return np.asarray(reached, dtype=np.float64)


def fit(window: Window, library: Library) -> Similar:
    """Where each row stands in the lives of the library; no row is looked at for longer than its window."""
    n = len(window.span_clock)
    lags = np.linspace(0, 1, LAGS)
    own, sure = _own(window, lags)
    longest = library.step_h * (library.distance.shape[1] - 1)
    places = np.geomspace(max(library.step_h, longest / 400), longest, PLACES)
    weight = np.empty((n, PLACES))
    for row in range(0, n, _ROWS):
        part = slice(row, row + _ROWS)
        hours = places[None, :, None] + window.span_clock[part, None, None] * lags
        off = library.at(hours) - own[None, part, None, :]
        square = (off**2 * sure[None, part, None, :]).sum(axis=3)
        each = np.sort(square.min(axis=2), axis=0)  # the best place of each life, the most similar life first
        reach = np.maximum(each[FEWEST_LIVES - 1] - each[0], library.noise**2)
        weight[part] = np.exp(-(square - each[0][None, :, None]) / reach[None, :, None]).sum(axis=0)
    weight /= weight.sum(axis=1, keepdims=True)
    left = places[None, :] / window.span_clock[:, None]
    logs = np.log(left)
    mean = (weight * logs).sum(axis=1, keepdims=True)
    spread = np.sqrt((weight * (logs - mean) ** 2).sum(axis=1))
    # Silverman's width for as many independent places as there are lives.
    width = np.maximum(1.06 * spread * library.lives**-0.2, _SOFTEST)[:, None]
    return Similar(left, weight, np.sqrt(width**2 + window.wander[:, None] * (1 + 1 / left)))


def _own(window: Window, lags: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Each row's distance to the threshold at the lags (n, LAGS), by a local straight line through its risen
    bins (a local mean would lag behind at the end); and how much each lag counts, of sum 1: by its variance,
    and not at all where no bins are near."""
    off = np.where(window.risen, window.y - window.goal_y[:, None], 0.0)
    away = (np.where(window.risen, window.t, 9.0)[:, None, :] + lags[None, :, None]) * BINS / _NEAR
    near = np.exp(-0.5 * away**2)
    m0, m1, m2 = (near.sum(axis=2), (near * away).sum(axis=2), (near * away**2).sum(axis=2))
    free = m0 * m2 - m1**2
    seen = free > 0.1
    line = near * (m2[:, :, None] - m1[:, :, None] * away) / np.where(seen, free, 1.0)[:, :, None]
    variance = (line**2 * np.where(window.risen, window.var_y, 0.0)[:, None, :]).sum(axis=2)
    counts = np.where(seen, 1 / (variance + _SUREST**2), 0.0)
    counts /= np.maximum(counts.sum(axis=1, keepdims=True), 1e-300)
    return np.where(seen, (line * off[:, None, :]).sum(axis=2), 0.0), counts
