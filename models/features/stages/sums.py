"""Levels that are weighted sums of a power spectrum: all of them by one matrix product, or two.

What ends at 1000 Hz is a separate product over the few bins below it: most columns do, and most bins do not.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from models.features.bands import (
    LEVEL_BANDS_HZ,
    VDI_BAND_HZ,
    VELOCITY_BAND_HZ,
    VELOCITY_LOW_BAND_HZ,
    usable_hz,
)
from models.features.gate import DoubleArray, FloatArray
from models.features.kinematics import Known
from models.features.windows import MM_PER_M, Bins

from .levels import ratio
from .passes import Passes, Weights
from .stage import Chunk, Given

UM_PER_M: Final = 1e6

SKI_SLOPE_HZ: Final = (2.0, 8.0)
SKI_BAND_HZ: Final = (2.0, 10.0)
"""Where a settling sensor writes its slope, and where a machine above 600 r/min has nothing to say."""

FEWEST_SLOPE_BINS: Final = 4

_LOWEST_HZ: Final = 2.0
"""Below it there is drift of the sensor and no machine."""


_VELOCITIES: Final = {"velocity_rms_mm_s": VELOCITY_BAND_HZ, "velocity_rms_low_mm_s": VELOCITY_LOW_BAND_HZ}
_DISPLACEMENTS: Final = {
    "displacement_rms_um": VELOCITY_BAND_HZ,
    "displacement_rms_low_um": VELOCITY_LOW_BAND_HZ,
}
_BANDS: Final = {
    f"band_{low:.0f}_{high:.0f}_m_s2": (low, high) for low, high in (*LEVEL_BANDS_HZ, VDI_BAND_HZ)
}
_ROOTS: Final = frozenset((*_VELOCITIES, *_DISPLACEMENTS, *_BANDS, "acceleration_rms_usable_m_s2"))
_NEEDED_BY: Final = {
    "acceleration_rms_usable_m_s2": "spectral_centroid_hz",
    "velocity_rms_mm_s": "ski_ratio",
}


class Sums:
    """The stage of bands, velocity, displacement and centroid, and of the slope of a settling sensor."""

    names: Final = (*_ROOTS, "spectral_centroid_hz", "ski_ratio", "ski_slope")

    def __init__(self, passes: Passes, bins: Bins, wanted: frozenset[str]) -> None:
        self._passes = passes
        weights = {
            name: (first, column)
            for name, (first, column) in (_columns(bins) | _ski(bins)).items()
            if name in wanted or _NEEDED_BY.get(name, name) in wanted
        }
        split = bins.closed((0.0, VELOCITY_BAND_HZ[1]))[1]
        low = [name for name, (first, column) in weights.items() if first + column.size <= split]
        high = [name for name in weights if name not in low]
        self._low, self._high = _side_by_side(weights, low), _side_by_side(weights, high)
        self._order = (*low, *high)
        self._slope = _SlopeFit(bins) if "ski_slope" in wanted else None
        self.bytes_kept = 4 * len(self._order) + 8

    def begin(self, known: Known) -> None:
        """Room for the sums of the run."""
        n = len(known.turns)
        self._lows = np.empty((n, len(self._low.columns)), dtype=np.float32)
        self._highs = np.empty((n, len(self._high.columns)), dtype=np.float32)
        self._slopes = np.full(n, np.nan)

    def chunk(self, rows: slice, chunk: Chunk) -> None:
        """The products."""
        for weights, out in ((self._low, self._lows), (self._high, self._highs)):
            if weights.columns.size:
                self._passes.weighted_sums(chunk.power, weights, out[rows])
        if self._slope is not None:
            self._slopes[rows] = self._slope.of(chunk.power)

    def finish(self) -> Given:
        """Sums as levels and ratios."""
        columns = np.concatenate((self._lows, self._highs), axis=1).astype(np.float64).T
        energy = dict(zip(self._order, columns, strict=True))
        given = {name: np.sqrt(values) for name, values in energy.items() if name in _ROOTS}
        if "spectral_centroid_hz" in energy:
            given["spectral_centroid_hz"] = ratio(
                energy["spectral_centroid_hz"], energy["acceleration_rms_usable_m_s2"]
            )
        if "ski_ratio" in energy:
            given["ski_ratio"] = ratio(energy["ski_ratio"], energy["velocity_rms_mm_s"])
        if self._slope is not None:
            given["ski_slope"] = self._slopes
        return given


def _columns(bins: Bins) -> dict[str, tuple[int, DoubleArray]]:
    """First bin and weights of every level that rate and length can give."""
    found: dict[str, tuple[int, DoubleArray]] = {}
    for levels, power, unit in ((_VELOCITIES, 2, MM_PER_M), (_DISPLACEMENTS, 4, UM_PER_M)):
        for name, band in levels.items():
            if bins.reaches(band[1]) and bins.df_hz <= band[0]:
                first, stop = bins.closed(band)
                found[name] = first, unit**2 * bins.gain / bins.omega(first, stop) ** power
    for name, band in _BANDS.items():
        first, stop = bins.half_open(band)
        if bins.reaches(band[1]) and first < stop:
            found[name] = first, np.full(stop - first, bins.gain)
    first, stop = bins.closed((_LOWEST_HZ, usable_hz(bins.fs_hz)))
    first = max(first, 1)
    if first < stop:
        found["acceleration_rms_usable_m_s2"] = first, np.full(stop - first, bins.gain)
        found["spectral_centroid_hz"] = (
            first,
            bins.gain * bins.df_hz * np.arange(first, stop, dtype=np.float64),
        )
    return found


def _ski(bins: Bins) -> dict[str, tuple[int, DoubleArray]]:
    """Velocity energy below what a machine has; it is compared to that of the whole velocity band."""
    first, stop = bins.half_open(SKI_BAND_HZ)
    if not (bins.reaches(VELOCITY_BAND_HZ[1]) and bins.df_hz <= SKI_BAND_HZ[0]):
        return {}
    return {"ski_ratio": (first, MM_PER_M**2 * bins.gain / bins.omega(first, stop) ** 2)}


def _side_by_side(weights: dict[str, tuple[int, DoubleArray]], names: list[str]) -> Weights:
    """The weights of some levels, of the bins that they have together."""
    start = min((weights[name][0] for name in names), default=0)
    stop = max((weights[name][0] + weights[name][1].size for name in names), default=0)
    columns = np.zeros((len(names), stop - start), dtype=np.float32)
    extents = np.zeros((len(names), 2), dtype=np.intp)
    for i, name in enumerate(names):
        first, column = weights[name]
        extents[i] = first - start, first - start + column.size
        columns[i, extents[i, 0] : extents[i, 1]] = column
    return Weights(start, columns, extents)


class _SlopeFit:
    """Least squares of ln(√P/ω) on ln f over 2-8 Hz: a fixed row of weights on ln P."""

    def __init__(self, bins: Bins) -> None:
        self._first, self._stop = bins.closed(SKI_SLOPE_HZ)
        logs = np.log(bins.omega(max(self._first, 1), self._stop))
        usable = bins.reaches(SKI_SLOPE_HZ[1])
        self._covered = usable and self._first >= 1 and logs.size >= FEWEST_SLOPE_BINS
        if self._covered:
            aside = logs - logs.mean()
            self._weights = aside / (aside @ aside)

    def of(self, power: FloatArray) -> DoubleArray:
        """Slope (n,) of the velocity spectrum; NaN where a bin is empty or there are too few."""
        if not self._covered:
            return np.full(len(power), np.nan)
        part = power[:, self._first : self._stop].astype(np.float64)
        with np.errstate(divide="ignore"):
            slope: DoubleArray = np.log(part) @ (0.5 * self._weights)
        return np.where((part > 0).all(axis=1), slope - 1.0, np.nan)
