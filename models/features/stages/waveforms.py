"""Peaks of what lies in a band: displacement, and the shocks in 1-10 kHz.

Shocks are cut out of the Hann-windowed spectrum that all share, transformed back, and the window is divided
out. Displacement divides by frequency, which the slope of that window would disturb: its block is tapered at
both ends only, so what lies between is the signal itself. Both leave the first and the last tenth out: a tone
that does not fit the block rings there. Integrating in time would drift.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.fft

from models.features.bands import VDI_BAND_HZ, VELOCITY_BAND_HZ, VELOCITY_LOW_BAND_HZ
from models.features.gate import DoubleArray, FloatArray
from models.features.kinematics import Known
from models.features.windows import TAPER, Bins, fast_length, half_spectrum, hann, tukey

from .stage import Chunk, Given
from .sums import UM_PER_M

ComplexArray = npt.NDArray[np.complex64]

SAMPLES_A_PERIOD: Final = 10
"""Displacement is read at this multiple of 1000 Hz, tops through five samples: 0.03 % off one of 1000 Hz."""

PERIODS: Final = 8
"""Periods of its lowest frequency that a block must hold for a displacement: with fewer, what leaks from
there is as large as what is there."""

_DISPLACEMENTS: Final = {
    "displacement_pp_um": VELOCITY_BAND_HZ,
    "displacement_pp_low_um": VELOCITY_LOW_BAND_HZ,
}
_PEAK: Final = "peak_1000_10000_m_s2"


class Waveforms:
    """The stage of peaks that need the signal of a band: an inverse FFT each, and an FFT for displacement."""

    names: Final = (*_DISPLACEMENTS, _PEAK)

    def __init__(self, bins: Bins, wanted: frozenset[str], rows: int) -> None:
        self._taper = tukey(bins.length)
        self._given = [name for name in self.names if name in wanted]
        self._bands = {
            name: _Displacement(bins, band, rows)
            for name, band in _DISPLACEMENTS.items()
            if name in wanted and bins.reaches(band[1]) and PERIODS * bins.df_hz <= band[0] * (1 + 1e-9)
        }
        first, stop = bins.half_open(VDI_BAND_HZ)
        given = _PEAK in wanted and bins.reaches(VDI_BAND_HZ[1]) and first < stop
        self._shocks = _Shocks(bins, rows) if given else None
        self.bytes_kept = 8 * len(self.names)

    def begin(self, known: Known) -> None:
        """Room for the run."""
        self._found = {name: np.full(len(known.turns), np.nan) for name in self._given}

    def chunk(self, rows: slice, chunk: Chunk) -> None:
        """One FFT of the tapered block for all displacements."""
        if self._shocks is not None:
            self._found[_PEAK][rows] = self._shocks.peak(chunk.spectrum)
        if self._bands:
            length = self._taper.size
            tapered = np.multiply(chunk.block[:, :length], self._taper, out=chunk.scratch[:, :length])
            spectrum = half_spectrum(tapered)
            for name, band in self._bands.items():
                self._found[name][rows] = band.peak_to_peak(spectrum)

    def finish(self) -> Given:
        """What was found."""
        return self._found


class _Shocks:
    """The waveform of 1-10 kHz. Its spectra are 0 outside the band, and stay so."""

    def __init__(self, bins: Bins, rows: int) -> None:
        self._length = bins.length
        self._first, self._stop = bins.half_open(VDI_BAND_HZ)
        self._lines = np.zeros((rows, bins.length // 2 + 1), dtype=np.complex64)
        self._unwindow = 1 / _middle(hann(bins.length)[None, :])

    def peak(self, spectrum: ComplexArray) -> DoubleArray:
        """max|a| (n,) of spectra (n, m) of Hann-windowed blocks."""
        lines = self._lines[: len(spectrum)]
        lines[:, self._first : self._stop] = spectrum[:, self._first : self._stop]
        wave = _middle(_wave(lines, self._length))
        wave *= self._unwindow
        heights: DoubleArray = np.maximum(wave.max(axis=1), -wave.min(axis=1)).astype(np.float64)
        return heights


class _Displacement:
    """Displacement of one band, at a rate just high enough for 1000 Hz, whatever that of the samples."""

    def __init__(self, bins: Bins, band: tuple[float, float], rows: int) -> None:
        self._first, self._stop = bins.closed(band)
        self._size = fast_length(SAMPLES_A_PERIOD * self._stop)
        self._lines = np.zeros((rows, self._size // 2 + 1), dtype=np.complex64)
        omega = bins.omega(self._first, self._stop)
        self._gain = (-UM_PER_M * self._size / bins.length / omega**2).astype(np.float32)

    def peak_to_peak(self, spectrum: ComplexArray) -> DoubleArray:
        """(n,) in µm, of spectra (n, m) of tapered blocks of m/s²."""
        inside = slice(self._first, self._stop)
        lines = self._lines[: len(spectrum)]
        np.multiply(spectrum[:, inside], self._gain, out=lines[:, inside])
        wave = _wave(lines, self._size)
        middle = _middle(wave)
        first = math.ceil(TAPER * self._size)
        return _top(wave, first + middle.argmax(axis=1), 1) - _top(wave, first + middle.argmin(axis=1), -1)


def _top(wave: FloatArray, place: npt.NDArray[np.intp], up: int) -> DoubleArray:
    """Height (n,) of the top (`up` 1) or bottom (-1) whose highest sample between the tapers is at `place`.

    That of the polynomial through the five samples around it, a step of Newton's from the middle one, no
    further than the tapers.
    """
    each, size = np.arange(len(wave)), wave.shape[1]
    a, b, c, d, e = (wave[each, place + step].astype(np.float64) for step in (-2, -1, 0, 1, 2))
    first, second = (8 * (d - b) - (e - a)) / 12, (16 * (b + d) - (a + e) - 30 * c) / 12
    third, fourth = ((e - a) - 2 * (d - b)) / 2, (a + e) - 4 * (b + d) + 6 * c
    # Where a wave still rises at the edge of a taper, the edge is its top, between two samples.
    step = np.divide(up * first, np.abs(second), out=np.zeros_like(c), where=second != 0)
    step = np.clip(np.clip(step, -1, 1), TAPER * size - place, (1 - TAPER) * size - place)
    top: DoubleArray = c + step * (first + step * (second / 2 + step * (third / 6 + step * fourth / 24)))
    return top


def _wave(lines: ComplexArray, size: int) -> FloatArray:
    """The signal (n, size) of half spectra (n, size // 2 + 1), which are not written to."""
    return np.asarray(scipy.fft.irfft(lines, size, axis=1), dtype=np.float32)


def _middle(wave: FloatArray) -> FloatArray:
    """What lies between the tapers."""
    length = wave.shape[1]
    return wave[:, math.ceil(TAPER * length) : math.floor((1 - TAPER) * length) + 1]
