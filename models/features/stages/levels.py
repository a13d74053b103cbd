"""What is read from the samples themselves: mean, RMS, peaks, skewness, kurtosis."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray, FloatArray
from models.features.kinematics import Known

from .stage import Chunk, Given

FLOAT32_STEP: Final = float(np.finfo(np.float32).eps)

STEP: Final = 3.0
"""Standard deviations of a part that its mean may lie beside that of the block for products of float32."""

QUARTERS: Final = 4
"""Parts of a block whose kurtosis is compared: one shock is in one of them, a defect's shocks are in all."""


class Levels:
    """The stage of everything that is a moment or an extreme of the samples."""

    names: Final = (
        "mean_m_s2",
        "acceleration_rms_m_s2",
        "acceleration_peak_m_s2",
        "peak_to_peak_m_s2",
        "crest_factor",
        "skewness",
        "kurtosis",
        "kurtosis_quarters",
    )

    def __init__(self, n_samples: int, *, quarters: bool) -> None:
        self._length = n_samples
        self._parts = parts_of(quarters=quarters)
        self._part = n_samples // self._parts
        self.bytes_kept = 8 * (4 * self._parts + 7)

    def begin(self, known: Known) -> None:
        """Room for the moments of the run."""
        n = len(known.turns)
        self._sums = np.empty((4, n, self._parts), dtype=np.float32)
        self._rest = np.zeros((4, n))
        self._extremes = np.empty((2, n), dtype=np.float32)
        self._offset = np.empty(n)
        self._stepped: list[tuple[npt.NDArray[np.intp], DoubleArray]] = []

    def chunk(self, rows: slice, chunk: Chunk) -> None:
        """Sums of the powers of the samples, by parts of the block."""
        self._extremes[0, rows], self._extremes[1, rows] = chunk.centred.highest, chunk.centred.lowest
        self._offset[rows] = chunk.centred.offset
        self._sums[:, rows] = chunk.sums
        if self._parts * self._part < self._length:
            rest = chunk.block[:, self._parts * self._part :].astype(np.float64)
            self._rest[:, rows] = [(rest**power).sum(axis=1) for power in (1, 2, 3, 4)]
        if self._parts > 1:
            self._look_closer(rows, chunk.block)

    def _look_closer(self, rows: slice, block: FloatArray) -> None:
        """Kurtosis of the parts of blocks whose level steps: about their own means, as products lose them."""
        first, second = self._sums[:2, rows]
        far = (first**2 > STEP**2 / (1 + STEP**2) * self._part * second).any(axis=1)
        if far.any():
            parts = block[far, : self._parts * self._part].reshape(-1, self._parts, self._part)
            aside = parts - parts.mean(axis=2, keepdims=True, dtype=np.float64)
            variance, fourth = (aside**2).mean(axis=2), (aside**4).mean(axis=2)
            variance[np.ptp(parts, axis=2) == 0] = 0
            self._stepped.append((rows.start + np.flatnonzero(far), ratio(fourth, variance**2)))

    def finish(self) -> Given:
        """Levels and ratios; a constant window has levels of 0, and no ratios."""
        sums = self._sums.astype(np.float64)
        whole = (sums.sum(axis=2) + self._rest) / self._length
        mean = whole[0]  # what float32 had left of the offset
        variance, third, fourth = _central(whole, self._offset)
        alive = variance > 0
        peak = np.where(alive, np.maximum(self._extremes[0], -self._extremes[1]), 0.0)
        rms = np.sqrt(variance)
        return {
            "mean_m_s2": self._offset + mean,
            "acceleration_rms_m_s2": rms,
            "acceleration_peak_m_s2": peak,
            "peak_to_peak_m_s2": np.where(alive, self._extremes[0] - self._extremes[1], 0.0),
            "crest_factor": ratio(peak, rms),
            "skewness": ratio(third, variance * rms),
            "kurtosis": ratio(fourth, variance**2),
            "kurtosis_quarters": self._quarters(sums / self._part),
        }

    def _quarters(self, moments: DoubleArray) -> DoubleArray:
        variance, _, fourth = _central(moments, self._offset[:, None])
        kurtosis = ratio(fourth, variance**2)
        for rows, closer in self._stepped:
            kurtosis[rows] = closer
        known = np.isfinite(kurtosis).sum(axis=1)
        kurtosis.sort(axis=1)  # NaN last
        each = np.arange(len(kurtosis))
        middle: DoubleArray = (
            kurtosis[each, np.maximum(known - 1, 0) // 2]
            + kurtosis[each, np.minimum(known // 2, QUARTERS - 1)]
        ) / 2
        return middle


def parts_of(*, quarters: bool) -> int:
    """Of how many parts of a block the sums are needed."""
    return QUARTERS if quarters else 1


def ratio(a: DoubleArray, b: DoubleArray) -> DoubleArray:
    """a / b (n,), NaN where b is not above 0: a ratio to nothing is not known."""
    out: DoubleArray = np.divide(a, b, out=np.full(np.shape(b), np.nan), where=b > 0)
    return out


def _central(raw: DoubleArray, offset: DoubleArray) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    """Central moments 2, 3 and 4 from raw moments (4, …) of samples whose mean was removed but for a rest."""
    first, second, third, fourth = raw
    variance = second - first**2
    # Below this a block is a constant: what is left of it is the rounding of its mean.
    rounding = (4 * FLOAT32_STEP * offset) ** 2 + 16 * FLOAT32_STEP * first**2
    variance = np.where(variance > rounding, variance, 0.0)
    skew = third - 3 * first * second + 2 * first**3
    return variance, skew, fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4
