"""Windows, and what turns the bins of a windowed block into energies.

Two corrections exist and are never mixed. The amplitude of a line is read with the coherent gain of the
window (2|X|/Σw); the energy of a band with its noise bandwidth (2|X|²/(NΣw²)), so that ΣP is the mean square.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from .bands import usable_hz
from .gate import DoubleArray, FloatArray

MM_PER_M: Final = 1000.0

HANN_MEAN: Final = 1 / 2
HANN_SQUARE_MEAN: Final = 3 / 8
HANN_FOURTH_MEAN: Final = 35 / 128
"""Means of w, w² and w⁴ of the periodic Hann window, exact from five samples on."""

_ON_A_BIN: Final = 1e-9
"""An edge that falls on a bin belongs to it, whatever the last digit of the division."""

TAPER: Final = 0.1
"""Share of a block that is tapered at each end where a waveform is read, and left out of the reading."""


def spectral_length(n_samples: int) -> int:
    """How many samples of a block its spectra take: the longest even length ≤ n without a factor above 5.

    The FFT of a length with large prime factors costs five to ten times as much; the samples left out are a
    few per cent at most, and only of spectra: peaks and moments see all of them.
    """
    best = 0
    five = 1
    while five <= n_samples:
        three = five
        while three <= n_samples:
            if 2 * three <= n_samples:
                best = max(best, three << ((n_samples // three).bit_length() - 1))
            three *= 3
        five *= 5
    return best


def fast_length(n: int) -> int:
    """The shortest even length ≥ n for an FFT of float32: no factor above 5, and 16 as a factor.

    SIMD FFTs like powers of two: 1372 = 4 · 7³ takes a third longer than 1440.
    """
    sixteens = -(-n // 16)
    while spectral_length(2 * sixteens) != 2 * sixteens:  # twice: lengths without another factor are even
        sixteens += 1
    return 16 * sixteens


def half_spectrum(windowed: npt.NDArray[np.float32]) -> npt.NDArray[np.complex64]:
    """FFT (n, m // 2 + 1) of windowed blocks (n, m): scipy's, which is SIMD over rows of float32.

    It is loaded with the first batch: numpy's is three times slower, but who shows single spectra does
    without scipy's 17 MB.
    """
    import scipy.fft

    return np.asarray(scipy.fft.rfft(windowed, axis=1), dtype=np.complex64)


def squares(spectrum: npt.NDArray[np.complex64], out: FloatArray | None = None) -> FloatArray:
    """|X|² of complex64, into `out` or a new array. numpy's absolute value is SIMD, its re² + im² is not."""
    power: FloatArray = np.abs(spectrum, out=out)
    return np.multiply(power, power, out=power)


def tukey(n: int) -> FloatArray:
    """Ones with cosine tapers over `TAPER` of the block at each end: what lies between them is unchanged."""
    position = (np.arange(n, dtype=np.float64) + 0.5) / n
    edge = np.minimum(np.minimum(position, 1 - position) / TAPER, 1.0)
    return (0.5 - 0.5 * np.cos(np.pi * edge)).astype(np.float32)


def hann(n: int) -> FloatArray:
    """The periodic Hann window: a constant signal leaks into its bins 0 and 1 only."""
    k = np.arange(n, dtype=np.float64)
    return (0.5 - 0.5 * np.cos(2 * np.pi / n * k)).astype(np.float32)


def band_bins(
    band_hz: tuple[float, float], fs_hz: float, n_samples: int, *, upper: bool = True
) -> tuple[int, int]:
    """First bin and one past the last whose frequency lies in the band, the upper edge included or not."""
    df = fs_hz / n_samples
    first = math.ceil(band_hz[0] / df - _ON_A_BIN)
    last = band_hz[1] / df
    stop = math.floor(last + _ON_A_BIN) + 1 if upper else math.ceil(last - _ON_A_BIN)
    return first, min(stop, n_samples // 2 + 1)


def velocity_weights(fs_hz: float, n_samples: int, first: int, stop: int) -> FloatArray:
    """(mm/s)² per |X|² of acceleration, by bin: what turns a Hann power spectrum into velocity energy."""
    omega = 2 * np.pi * fs_hz / n_samples * np.arange(first, stop, dtype=np.float64)
    weights: DoubleArray = power_gain(n_samples) * (MM_PER_M / omega) ** 2
    return weights.astype(np.float32)


def power_gain(n_samples: int) -> float:
    """Mean square per |X|² of a Hann-windowed block: 2/(NΣw²), with Σw² = 3N/8 for the periodic window."""
    return 2.0 / (n_samples * HANN_SQUARE_MEAN * n_samples)


class Bins:
    """The spectra of blocks of `n_samples` at `fs_hz`: which bin is which frequency.

    `length` is how many samples a spectrum takes, `df_hz` the distance of two bins.
    """

    def __init__(self, fs_hz: float, n_samples: int) -> None:
        self.fs_hz = fs_hz
        self.n_samples = n_samples
        self.length = spectral_length(n_samples)
        self.df_hz = fs_hz / self.length

    @property
    def usable_stop(self) -> int:
        """One past the last bin that the anti-aliasing filter leaves usable; always inside the spectrum."""
        return self.closed((0.0, usable_hz(self.fs_hz)))[1]

    @property
    def gain(self) -> float:
        """Mean square per |X|² of a Hann-windowed block."""
        return power_gain(self.length)

    def closed(self, band_hz: tuple[float, float]) -> tuple[int, int]:
        """First bin and one past the last of a band, both edges included."""
        return band_bins(band_hz, self.fs_hz, self.length)

    def half_open(self, band_hz: tuple[float, float]) -> tuple[int, int]:
        """The same without the upper edge, so that neighbouring bands share no bin."""
        return band_bins(band_hz, self.fs_hz, self.length, upper=False)

    def reaches(self, high_hz: float) -> bool:
        """Whether a band up to here is usable at this rate."""
        return high_hz <= usable_hz(self.fs_hz) * (1 + _ON_A_BIN)

    def omega(self, first: int, stop: int) -> DoubleArray:
        """Angular frequencies of bins in rad/s."""
        bins: DoubleArray = 2 * np.pi * self.df_hz * np.arange(first, stop, dtype=np.float64)
        return bins
