"""Envelopes, at baseband: a band of the spectrum is moved to 0 Hz and transformed back at its own low rate.

The magnitude of an analytic signal does not depend on where its band lies, so the few bins of the band are
copied to bin 0 and a short inverse FFT does the rest. The block is windowed before its first FFT: cutting a
band out of an unwindowed spectrum lets strong tones outside it ring at the ends of the block.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.fft

from .catalogue import usable_hz
from .gate import DoubleArray, FloatArray, check_rate, check_samples, check_scale
from .levels import centre
from .spectra import band_bins, hann

LEAKED_BINS: Final = 3
"""The mean of the squared envelope leaks through the window (Hann, squared) into bins 0, 1 and 2."""

HANN_MEAN: Final = 0.5
HANN_SQUARE_MEAN: Final = 0.375


@dataclass(frozen=True, slots=True)
class Demodulator:
    """One demodulation band of one kind of block: bins [first, stop); `lines` is how many lines are wanted.

    `size` is the length of the short FFTs: no shorter than band + wanted lines, so nothing wanted is aliased.
    """

    low_hz: float
    first: int
    stop: int
    lines: int
    size: int

    @property
    def width(self) -> int:
        """Bins in the band; the envelope has no content above it."""
        return self.stop - self.first


def demodulator(
    band_hz: tuple[float, float], fs_hz: float, n_samples: int, f_max_hz: float = math.inf
) -> Demodulator | None:
    """The demodulator of a band, or None where the rate leaves less than half of the band usable.

    A band that reaches over what the anti-aliasing filter leaves is cut there.
    """
    low, high = band_hz
    usable = min(high, usable_hz(fs_hz))
    if usable - low < (high - low) / 2:
        return None
    first, stop = band_bins((low, usable), fs_hz, n_samples)
    width = stop - first
    if width <= 2 * LEAKED_BINS:
        return None
    lines = width if math.isinf(f_max_hz) else min(width, math.ceil(f_max_hz * n_samples / fs_hz) + 1)
    return Demodulator(low, first, stop, lines, scipy.fft.next_fast_len(width + lines))


def squared_envelope(lines: npt.NDArray[np.complex64], band: Demodulator) -> FloatArray:
    """|a|² (n, band.size) of the analytic signal of a band, from the spectrum (n, m) of windowed blocks.

    It is still to be multiplied by (2 size / n_samples)²; whoever needs ratios only leaves that out.
    """
    moved = np.zeros((len(lines), band.size), dtype=np.complex64)
    moved[:, : band.width] = lines[:, band.first : band.stop]
    analytic: npt.NDArray[np.complex64] = scipy.fft.ifft(moved, axis=1, overwrite_x=True)
    return magnitude_squared(analytic)


def magnitude_squared(z: npt.NDArray[np.complex64]) -> FloatArray:
    """|z|² (n, m) of complex (n, m); overwrites z, because a copy costs as much as the sum itself."""
    pairs = z.view(np.float32)
    np.multiply(pairs, pairs, out=pairs)
    power: FloatArray = pairs[:, ::2] + pairs[:, 1::2]
    return power


def line_power(lines: npt.NDArray[np.complex64], band: Demodulator) -> FloatArray:
    """|spectrum of the squared envelope|² (n, band.lines), in a unit of its own: for ratios of lines only."""
    spectrum: npt.NDArray[np.complex64] = scipy.fft.rfft(squared_envelope(lines, band), axis=1)
    return magnitude_squared(np.ascontiguousarray(spectrum[:, : band.lines]))


def envelope_spectrum(
    x: npt.NDArray[np.generic],
    fs_hz: float,
    band_hz: tuple[float, float],
    *,
    scale: npt.ArrayLike = 1.0,
    squared: bool = False,
    f_max_hz: float = math.inf,
) -> tuple[DoubleArray, FloatArray]:
    """(frequency in Hz (m,), peak amplitude (n, m)) of the envelope of blocks (n, n_samples) in a band.

    The plain envelope is in the unit of the samples times `scale` (m/s²), for levels; `squared` gives that of
    the squared envelope (its unit squared), in which defect lines stand out best. Bin 0 is the mean. A band
    modulated by m at f reads (1 + m cos 2πft): A·m in the plain one. NaN where a sample is not finite.
    Raises ValueError where less than half of the band is below what the rate leaves usable.
    """
    samples = check_samples(x)
    n, length = samples.shape
    band = demodulator(band_hz, check_rate(fs_hz), length, f_max_hz)
    if band is None:
        raise ValueError(
            f"the band {band_hz[0]:g}-{band_hz[1]:g} Hz must lie below {usable_hz(fs_hz):g} Hz "
            f"(sampling rate {fs_hz:g} Hz / 2.56) and be wider than {2 * LEAKED_BINS} lines of the block: "
            "choose a lower band or a higher rate"
        )
    block = np.empty((n, length), dtype=np.float32)
    centred = centre(samples, block)
    block *= hann(length)
    square = squared_envelope(scipy.fft.rfft(block, axis=1), band)
    # Analytic of a windowed block: w·|a|, so the window's mean (or that of its square) is the coherent gain.
    if squared:
        unit, gain = square, (2 * band.size / length) ** 2 / HANN_SQUARE_MEAN
        factors = (centred.factor * check_scale(scale, n)) ** 2
    else:
        unit, gain = np.sqrt(square), (2 * band.size / length) / HANN_MEAN
        factors = centred.factor * check_scale(scale, n)
    amplitude = np.abs(scipy.fft.rfft(unit, axis=1)[:, : band.lines]).astype(np.float64)
    amplitude *= (gain * 2 / band.size * factors)[:, None]
    amplitude[:, 0] /= 2
    amplitude[centred.bad] = np.nan
    return np.arange(band.lines) * (fs_hz / length), amplitude.astype(np.float32)
