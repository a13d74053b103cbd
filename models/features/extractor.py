"""The extractor: a whole batch of blocks in, one row of features each out.

One FFT of the windowed block serves every spectral feature: levels are weighted sums of its powers, envelopes
are cut out of it. Blocks are taken in chunks that stay in the second-level cache. The scale is applied to
the features, not to the samples.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.fft

from models.types import BEARING_DEFECTS

from .catalogue import (
    CATALOGUE,
    DEFAULT_BANDS,
    LEVEL_BANDS_HZ,
    NAMES,
    SHAFT_ORDERS,
    UNITS,
    VELOCITY_BAND_HZ,
    VELOCITY_LOW_BAND_HZ,
    usable_hz,
)
from .defects import NEEDED
from .envelope import Demodulator, demodulator, line_power
from .gate import (
    DoubleArray,
    FloatArray,
    SampleArray,
    check_bands,
    check_length,
    check_orders,
    check_rate,
    check_samples,
    check_scale,
    check_speed,
)
from .levels import centre, measure
from .lines import CYCLES, FLOOR, HARMONICS, SEARCH, TURNS, search
from .spectra import band_bins, hann, power_gain, velocity_covered, velocity_weights

CACHE_BYTES: Final = 1 << 20
"""What a chunk may occupy: half of a common second-level cache."""

WORKING_COPIES: Final = 4
"""Arrays of the size of the samples alive in a chunk: samples, scratch, spectrum, powers."""

LINES_BYTES: Final = 32 << 20
"""What the envelope spectra of a run of chunks may occupy before their lines are searched."""

_COLUMN: Final = {name: i for i, name in enumerate(NAMES)}
_DEGREE: Final = np.array([spec.degree for spec in CATALOGUE])
_VELOCITIES: Final = (
    ("velocity_rms_mm_s", VELOCITY_BAND_HZ),
    ("velocity_rms_low_mm_s", VELOCITY_LOW_BAND_HZ),
)
_HIGHEST_ORDER_LINE_HZ: Final = VELOCITY_BAND_HZ[1]
_LOWEST_ORDER_LINE_HZ: Final = VELOCITY_LOW_BAND_HZ[0]
_BINS_BETWEEN_ORDERS: Final = 5
"""Shaft lines are told apart when the windows of ±2 bins around two of them do not touch."""

_ENVELOPED: Final = (0, 1, 2, 2, 3)
_TIMES: Final = (1.0, 1.0, 1.0, 2.0, 1.0)
"""What is searched: column of the orders, and its multiple. A damaged element hits both rings: 2·BSF."""


class Extractor:
    """Features of blocks of one length and rate. Not for two threads at once: it owns its scratch memory.

    `bands` are the demodulation bands in Hz that are tried for bearing lines; names and units depend on
    nothing. Raises ValueError for a rate, length or band that can't be meant.
    """

    names: tuple[str, ...] = NAMES
    units: tuple[str, ...] = UNITS

    def __init__(
        self, fs_hz: float, n_samples: int, *, bands: tuple[tuple[float, float], ...] = DEFAULT_BANDS
    ) -> None:
        self.fs_hz = check_rate(fs_hz)
        self.n_samples = check_length(n_samples)
        self.bands = check_bands(bands)
        self._df = self.fs_hz / self.n_samples
        self._window = hann(self.n_samples)
        self._sums = _weighted_sums(self.fs_hz, self.n_samples)
        self._top = band_bins((0.0, usable_hz(self.fs_hz)), self.fs_hz, self.n_samples)[1]
        self._shaft_stop = band_bins(
            (0.0, min(_HIGHEST_ORDER_LINE_HZ, usable_hz(self.fs_hz))), self.fs_hz, self.n_samples
        )[1]
        self._shaft_weights = velocity_weights(self.fs_hz, self.n_samples, 1, self._shaft_stop)
        self._chunk = max(1, CACHE_BYTES // (4 * WORKING_COPIES * self.n_samples))
        self._block = np.empty((self._chunk, self.n_samples), dtype=np.float32)
        self._scratch = np.empty_like(self._block)

    def extract(
        self,
        x: npt.NDArray[np.generic],
        scale: npt.ArrayLike = 1.0,
        *,
        speed_hz: npt.ArrayLike | None = None,
        orders: npt.ArrayLike | None = None,
    ) -> FloatArray:
        """Features (n, len(names)), float32, of blocks `x` (n, n_samples) of int16, int32 or float32.

        `scale` (one, or (n,)) brings the samples to m/s². `speed_hz` (one, or (n,)) is the speed of the
        point's shaft, `orders` (4,) or (n, 4) the defect orders of its bearing in the order of
        `BEARING_DEFECTS`; None or NaN where unknown gives NaN in the features that need it and only there, as
        does what rate or length can't give. A block with a sample that is not finite is a row of NaN.
        `x` is never written to. Raises ValueError with a sentence for arguments that can't be meant.
        """
        samples = check_samples(x, self.n_samples)
        n = len(samples)
        scales = check_scale(scale, n)
        speed, defects = check_speed(speed_hz, n), check_orders(orders, n)
        lines = self._lines(speed, defects)
        bands = self._demodulators(lines)
        out = np.full((n, len(NAMES)), np.nan)
        for start in range(0, n, self._rows_at_once(bands)):
            run = slice(start, min(n, start + self._rows_at_once(bands)))
            self._run(samples[run], speed[run], lines[run], bands, out[run])
        out[:, _DEGREE == 1] *= scales[:, None]
        return out.astype(np.float32)

    def _run(
        self,
        samples: SampleArray,
        speed: DoubleArray,
        lines: DoubleArray,
        bands: tuple[Demodulator, ...],
        out: DoubleArray,
    ) -> None:
        """Fills `out` for some blocks: chunk by chunk, then their defect lines all at once."""
        wanted = np.asarray(np.isfinite(lines).any(axis=1) & bool(bands), dtype=np.bool_)
        most = max((band.lines for band in bands), default=0)
        power = np.zeros((int(wanted.sum()), len(bands), most), dtype=np.float32)
        done = 0
        for start in range(0, len(samples), self._chunk):
            rows = slice(start, min(len(samples), start + self._chunk))
            asked = wanted[rows]
            count = int(asked.sum())
            spectrum = self._levels(samples[rows], speed[rows], out[rows])
            for i, band in enumerate(bands if count else ()):
                power[done : done + count, i, : band.lines] = line_power(spectrum[asked], band)
            done += count
        if done:
            found = _best_bands(power, lines[wanted], bands)
            good = np.isfinite(out[wanted, _COLUMN["acceleration_rms_m_s2"]])
            out[np.flatnonzero(wanted), _COLUMN["bpfo_bits"] :] = np.where(good[:, None], found, np.nan)

    def _levels(
        self, samples: SampleArray, speed: DoubleArray, out: DoubleArray
    ) -> npt.NDArray[np.complex64]:
        """Fills the features of a chunk that need no envelope; the spectrum of its windowed blocks."""
        block, scratch = self._block[: len(samples)], self._scratch[: len(samples)]
        centred = centre(samples, block)
        levels = measure(block, scratch, centred.offset)
        rms = np.sqrt(levels.mean_square)
        out[:, _COLUMN["acceleration_rms_m_s2"]] = rms
        out[:, _COLUMN["acceleration_peak_m_s2"]] = levels.peak
        out[:, _COLUMN["crest_factor"]] = np.divide(
            levels.peak, rms, out=np.full(len(rms), np.nan), where=rms > 0
        )
        out[:, _COLUMN["kurtosis"]] = levels.kurtosis
        block *= self._window
        spectrum: npt.NDArray[np.complex64] = scipy.fft.rfft(block, axis=1)
        power = self._power(spectrum, block, scratch)
        for column, first, weights in self._sums:
            out[:, column] = np.sqrt(power[:, first : first + weights.size] @ weights)
        self._shaft_lines(power, speed, out)
        out[:, _DEGREE == 1] *= centred.factor[:, None]
        out[centred.bad] = np.nan
        return spectrum

    def _power(
        self, spectrum: npt.NDArray[np.complex64], squares: FloatArray, power: FloatArray
    ) -> FloatArray:
        """|X|² of the usable bins, in memory that was used for something else before."""
        pairs = spectrum[:, : self._top].view(np.float32)
        squares = np.multiply(pairs, pairs, out=squares[:, : 2 * self._top])
        return np.add(squares[:, ::2], squares[:, 1::2], out=power[:, : self._top])

    def _shaft_lines(self, power: FloatArray, speed: DoubleArray, out: DoubleArray) -> None:
        """RMS velocity at multiples of the speed: power within max(2 bins, 1.5 %) of each."""
        fundamental = speed / self._df
        if not (fundamental >= _BINS_BETWEEN_ORDERS).any():
            return
        energy = np.zeros((len(power), self._shaft_stop))
        np.cumsum(
            power[:, 1 : self._shaft_stop] * self._shaft_weights, axis=1, dtype=np.float64, out=energy[:, 1:]
        )
        each = np.arange(len(power))
        for order in SHAFT_ORDERS:
            line = np.where(fundamental >= _BINS_BETWEEN_ORDERS, order * fundamental, np.nan)
            aside = np.maximum(2.0, 0.015 * line)
            seen = (line * self._df >= _LOWEST_ORDER_LINE_HZ) & (np.floor(line + aside) < self._shaft_stop)
            low = np.ceil(np.where(seen, line - aside, 1.0)).astype(np.intp)
            high = np.floor(np.where(seen, line + aside, 1.0)).astype(np.intp)
            inside = np.sqrt(np.maximum(energy[each, high] - energy[each, low - 1], 0.0))
            out[:, _COLUMN[f"order_{order}x_mm_s"]] = np.where(seen, inside, np.nan)

    def _lines(self, speed: DoubleArray, orders: DoubleArray) -> DoubleArray:
        """Fundamentals (n, candidates) in bins of what is searched; NaN what is unknown or too slow."""
        turns = np.where(speed / self._df >= TURNS, speed / self._df, np.nan)
        lines = turns[:, None] * orders[:, _ENVELOPED] * np.array(_TIMES)
        return np.where(lines >= CYCLES, lines, np.nan)

    def _demodulators(self, lines: DoubleArray) -> tuple[Demodulator, ...]:
        """The bands that the rate leaves, with as many lines as these fundamentals need."""
        if not np.isfinite(lines).any():
            return ()
        highest = float(np.nanmax(lines)) * self._df * HARMONICS * (1 + FLOOR + SEARCH)
        found = (demodulator(band, self.fs_hz, self.n_samples, highest) for band in self.bands)
        return tuple(band for band in found if band is not None)

    def _rows_at_once(self, bands: tuple[Demodulator, ...]) -> int:
        """Blocks whose envelope spectra fit the memory set aside for them, in whole chunks."""
        bytes_each = 4 * len(bands) * max((band.lines for band in bands), default=1)
        return self._chunk * max(1, LINES_BYTES // max(bytes_each, 4096) // self._chunk)


def _weighted_sums(fs_hz: float, n_samples: int) -> tuple[tuple[int, int, FloatArray], ...]:
    """(column, first bin, weights) of every level that is a weighted sum of powers and can be given."""
    found = []
    for name, band in _VELOCITIES:
        if velocity_covered(band, fs_hz, n_samples):
            first, stop = band_bins(band, fs_hz, n_samples)
            found.append((_COLUMN[name], first, velocity_weights(fs_hz, n_samples, first, stop)))
    for low, high in LEVEL_BANDS_HZ:
        first, stop = (math.ceil(edge * n_samples / fs_hz - 1e-9) for edge in (low, high))
        if high <= usable_hz(fs_hz) * (1 + 1e-9) and first < stop:
            weights = np.full(stop - first, power_gain(n_samples), dtype=np.float32)
            found.append((_COLUMN[f"band_{low:.0f}_{high:.0f}_m_s2"], first, weights))
    return tuple(found)


def _best_bands(power: FloatArray, lines: DoubleArray, bands: tuple[Demodulator, ...]) -> DoubleArray:
    """(n, 3 · defects): bits, harmonics and band of each defect, in the band where it stands out most.

    That is the band with enough harmonics, and among several the one with the highest score: the same rule
    for every defect, bearing and rate.
    """
    n, kinds = lines.shape
    shape = (n, len(bands), kinds)
    row = np.broadcast_to(np.arange(n * len(bands)).reshape(n, -1, 1), shape).ravel()
    width = np.broadcast_to(np.array([band.width for band in bands])[None, :, None], shape).ravel()
    line = np.broadcast_to(lines[:, None, :], shape).ravel()
    found = search(power.reshape(n * len(bands), -1), row, line, width)
    bits, counts = found.bits.reshape(shape), found.harmonics.reshape(shape)
    low = np.broadcast_to(np.array([band.low_hz for band in bands])[None, :, None], shape)
    table = np.full((n, 3 * len(BEARING_DEFECTS)), np.nan)
    rank = np.nan_to_num(np.where(counts >= NEEDED, 1e6, 0.0) + bits, nan=-np.inf)
    for defect in range(len(BEARING_DEFECTS)):
        candidates = [i for i, column in enumerate(_ENVELOPED) if column == defect]
        best = rank[:, :, candidates].reshape(n, -1).argmax(axis=1)
        for i, values in enumerate((bits, counts, low)):
            table[:, 3 * defect + i] = values[:, :, candidates].reshape(n, -1)[np.arange(n), best]
        table[np.isnan(table[:, 3 * defect]), 3 * defect + 2] = np.nan
    return table
