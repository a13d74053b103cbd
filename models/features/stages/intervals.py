"""Energies between bins: each window has lines of its own, and every line is an interval of its spectrum."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray, FloatArray

from .passes import Passes

ON_A_BIN: Final = 1e-9


class Intervals(NamedTuple):
    """Bins first to last (n, k), both included; `known` where the interval can be read."""

    first: npt.NDArray[np.intp]
    last: npt.NDArray[np.intp]
    known: npt.NDArray[np.bool_]


def between(low: DoubleArray, high: DoubleArray, stop: int) -> Intervals:
    """Intervals from `low` to `high` (n, k), fractions of bins; known where both are in bins 1 to stop - 1.

    An interval without a bin (low above high after rounding) is known, and holds nothing.
    """
    with np.errstate(invalid="ignore"):
        # An edge that falls on a bin belongs to it, whatever the last digit of a product.
        first, last = np.ceil(low - ON_A_BIN), np.floor(high + ON_A_BIN)
        known = (first >= 1) & (last < stop)  # NaN is not
    return Intervals(
        np.where(known, first, 1).astype(np.intp), np.where(known, last, 1).astype(np.intp), known
    )


def around(line: DoubleArray, aside: DoubleArray | float, stop: int) -> Intervals:
    """Intervals of `aside` bins on both sides of lines (n, k)."""
    return between(line - aside, line + aside, stop)


class IntervalSums:
    """Energies of intervals for all windows of a run, whose spectra come in chunks."""

    def __init__(self, passes: Passes, intervals: Intervals, bins: int) -> None:
        """`bins` is how many a row of power has; no interval may hold the last of them."""
        self._passes = passes
        n, k = intervals.first.shape
        needed = max(int(intervals.first.max(initial=0)), int(intervals.last.max(initial=0))) + 2
        bins = self._bins = min(bins, needed)
        self._empty = intervals.last < intervals.first
        self._unknown = ~intervals.known
        self._any = bool(intervals.known.any())
        self._edges = np.empty((n, k, 2), dtype=np.intp)
        start = (np.arange(n) * bins)[:, None]
        np.add(intervals.first, start, out=self._edges[:, :, 0])
        np.add(intervals.last, start + 1, out=self._edges[:, :, 1])
        self._sums = np.zeros((n, k, 2), dtype=np.float32)

    def read(self, rows: slice, power: FloatArray) -> None:
        """Sums over the intervals of some windows of their power (n, bins)."""
        if self._any:
            part = np.ascontiguousarray(power[:, : self._bins])
            edges = self._edges[rows] - rows.start * self._bins
            self._passes.interval_sums(part, edges, self._sums[rows])

    def energies(self) -> DoubleArray:
        """(n, k), NaN where an interval is not known, 0 where it holds no bin."""
        energies = self._sums[:, :, 0].astype(np.float64)
        energies[self._empty] = 0.0
        energies[self._unknown] = np.nan
        return energies


def together(*groups: Intervals) -> Intervals:
    """Groups of intervals (n, k) side by side."""
    return Intervals(*(np.concatenate(parts, axis=1) for parts in zip(*groups, strict=True)))
