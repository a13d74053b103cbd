"""The levels that features follow and the spread around them: of one baseline, or of many at once.

ln(level) is a straight line of its causes: ln(speed), load and what else is known. All arrays of a `Line` or
a `Spread` are of one baseline, or have an axis of n baselines in front; blocks then are (m, n), not (m,).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray
from models.features.huber import MAD_TO_SIGMA, huber_fit

from .charts import medians
from .regimes import SPEED_STEP, bin_codes

LEAST_SIGMA: Final = 0.05
"""Least spread of ln(feature): no sensor and no mounting repeats better than 5 %."""

BIN_BLOCKS: Final = 100
"""Blocks from which a bin of regime has a spread of its own."""

LEAST_BIN_SHARE: Final = 0.5
"""Of the pooled spread, that a bin's own is never below: a hundred blocks of one day vary less than a bin."""

LEAST_SPAN: Final = 0.02
"""A cause that moved by less (of its size) is constant: what it does can't be told."""

Codes = npt.NDArray[np.int32]

_NO_BIN: Final = np.iinfo(np.int32).max


def causes_of(speed_hz: DoubleArray, load: DoubleArray, others: DoubleArray) -> DoubleArray:
    """ln(speed), load and other causes (..., p) from (...), (...), (..., q); NaN: unknown or standstill."""
    with np.errstate(divide="ignore"):
        speed = np.log(np.abs(speed_hz))
    speed = np.where(np.isfinite(speed), speed, np.nan)
    return np.concatenate((speed[..., None], load[..., None], others), axis=-1)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far causes may go, (p,) each; `free` are those that were not given when a line was learned."""

    low: DoubleArray
    high: DoubleArray
    free: npt.NDArray[np.bool_]

    def holds(self, causes: DoubleArray) -> npt.NDArray[np.bool_]:
        """Blocks (...) whose causes (..., p) are all known and within it."""
        inside = (causes >= self.low) & (causes <= self.high)
        return np.asarray((inside | self.free).all(axis=-1))


@dataclass(frozen=True, slots=True)
class Line:
    """ln(level) = intercept + coefficients · causes, over the range of the causes that was seen.

    `intercept` (c,), `coefficients` (c, p), `low` and `high` (p,), NaN for causes that were not given;
    `reference_hz` the speed in the middle of its bin.
    """

    intercept: DoubleArray
    coefficients: DoubleArray
    low: DoubleArray
    high: DoubleArray
    reference_hz: npt.ArrayLike

    @classmethod
    def fit(cls, y: DoubleArray, causes: DoubleArray, given: npt.NDArray[np.bool_]) -> Line:
        """The line of ln(features) `y` (m, c) on the `causes` (m, p) that are `given` (p,), without a NaN."""
        p, columns = causes.shape[1], y.shape[1]
        low, high = np.full((2, p), np.nan)
        low[given], high[given] = np.quantile(causes[:, given], (0.01, 0.99), axis=0)
        size = np.fmax(np.abs(low), np.abs(high))
        size[0] = 1.0  # a logarithm: its span is relative already
        moved = given & (high - low > LEAST_SPAN * size)
        coefficients = np.zeros((columns, p))
        if moved.any():
            x = np.broadcast_to(causes[:, moved], (columns, len(y), int(moved.sum())))
            coefficients[:, moved] = np.nan_to_num(huber_fit(x, y.T)[1])
        intercept = medians(y - np.where(moved, causes, 0.0) @ coefficients.T)
        speed = float(np.exp(np.median(causes[:, 0]))) if given[0] else np.nan
        return cls(intercept, coefficients, low, high, speed)

    @classmethod
    def stacked(cls, lines: Sequence[Line | None], columns: int) -> Line:
        """n lines as one; None is a line that says nothing (NaN)."""
        some = [line if line else cls.nothing(columns) for line in lines]
        n, p = len(some), max((line.low.shape[-1] for line in some), default=2)
        return cls(
            np.reshape([line.intercept for line in some], (n, columns)),
            np.reshape([padded(line.coefficients, (columns, p), 0.0) for line in some], (n, columns, p)),
            np.reshape([padded(line.low, (p,), np.nan) for line in some], (n, p)),
            np.reshape([padded(line.high, (p,), np.nan) for line in some], (n, p)),
            np.array([line.reference_hz for line in some], dtype=np.float64),
        )

    @classmethod
    def nothing(cls, columns: int) -> Line:
        """The line of no baseline."""
        none = np.full(2, np.nan)
        return cls(np.full(columns, np.nan), np.zeros((columns, 2)), none, none, np.nan)

    def of(self, causes: DoubleArray) -> DoubleArray:
        """ln(level) (..., c) at `causes` (..., p); one that is not known counts as 0."""
        known = np.where(np.isnan(causes), 0.0, causes)
        level = self.intercept
        for j in range(causes.shape[-1]):
            level = level + known[..., j, None] * self.coefficients[..., j]
        return level

    def reach(self) -> Reach:
        """How far the causes may go: a bin further than what was seen."""
        margin = SPEED_STEP * np.fmax(np.abs(self.low), np.abs(self.high))
        margin[..., 0] = np.log1p(SPEED_STEP)
        margin[..., 2:] = np.inf  # other causes are straight: the weather may go further than it went
        return Reach(self.low - margin, self.high + margin, np.isnan(self.low))

    def bins(self, speed_hz: DoubleArray, load: DoubleArray) -> Codes:
        """The bin of regime of each block."""
        span = self.high[..., 1] > self.low[..., 1]
        low, high = (np.where(span, end[..., 1], np.nan) for end in (self.low, self.high))
        return bin_codes(speed_hz, load, reference_hz=self.reference_hz, load_low=low, load_high=high)


@dataclass(frozen=True, slots=True)
class Spread:
    """σ of ln(feature): `pooled` (c,), and that of `bins` (k,) which have their `own` (k, c)."""

    pooled: DoubleArray
    bins: Codes
    own: DoubleArray

    @classmethod
    def fit(cls, residual: DoubleArray, codes: Codes) -> Spread:
        """The spreads of residuals (m, c) in bins (m,), where there are several of `BIN_BLOCKS` blocks.

        About the line of all, not about the bin's own median: what the line gets wrong there is part of it.
        """
        off = np.abs(residual)
        pooled = np.maximum(MAD_TO_SIGMA * medians(off), LEAST_SIGMA)
        bins, counts = np.unique(codes, return_counts=True)
        bins = bins[counts >= BIN_BLOCKS] if bins.size > 1 else bins[:0]
        own = np.reshape([medians(off[codes == code]) for code in bins], (bins.size, pooled.size))
        least = np.maximum(LEAST_SIGMA, LEAST_BIN_SHARE * pooled)
        return cls(pooled, bins.astype(np.int32), np.maximum(MAD_TO_SIGMA * own, least))

    @classmethod
    def stacked(cls, spreads: Sequence[Spread | None], columns: int) -> Spread:
        """n spreads as one; None says nothing (NaN)."""
        k = max((s.bins.size for s in spreads if s), default=0)
        none = cls(np.full(columns, np.nan), np.empty(0, np.int32), np.empty((0, columns)))
        some = [s if s else none for s in spreads]
        return cls(
            np.reshape([s.pooled for s in some], (len(some), columns)),
            np.reshape([padded(s.bins, (k,), _NO_BIN) for s in some], (len(some), k)).astype(np.int32),
            np.reshape([padded(s.own, (k, columns), np.nan) for s in some], (len(some), k, columns)),
        )

    def of(self, codes: Codes) -> DoubleArray:
        """σ (..., c) of the bins of blocks (...), the pooled one where a bin has none of its own."""
        k = self.bins.shape[-1]
        if not k:
            return np.broadcast_to(self.pooled, (*codes.shape, self.pooled.shape[-1]))
        is_bin = codes[..., None] == self.bins
        place = is_bin.argmax(axis=-1)
        own = self.own[place] if self.own.ndim == 2 else self.own[np.arange(len(self.own)), place]
        return np.where(is_bin.any(axis=-1)[..., None], own, self.pooled)


def padded(array: npt.NDArray[Any], shape: tuple[int, ...], value: float) -> npt.NDArray[Any]:
    """An array made larger to `shape`, with `value` behind what it holds."""
    wider = np.full(shape, value, dtype=array.dtype)
    wider[tuple(slice(0, n) for n in array.shape)] = array
    return wider
