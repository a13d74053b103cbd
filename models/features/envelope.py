"""Envelopes, at baseband: a band of the spectrum is moved to 0 Hz and transformed back at its own low rate.

The magnitude of an analytic signal does not depend on where its band lies, so the few bins of the band are
copied to bin 0 and a short inverse FFT does the rest. The block is windowed before its first FFT: cutting a
band out of an unwindowed spectrum lets strong tones outside it ring at the ends of the block.

Two tones in a band beat, and their beat is a line of the envelope although nothing strikes: shaft, gear and
supply lines make combs of them. Shocks fill a band with many weak lines instead. So before lines of bearings
are searched, the few bins that stand far above their neighbourhood are cut down to where they can do no harm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from .bands import usable_hz
from .centring import centre
from .gate import DoubleArray, FloatArray, check_rate, check_samples, check_scale
from .windows import HANN_MEAN, HANN_SQUARE_MEAN, band_bins, fast_length, hann, spectral_length, squares

ComplexArray = npt.NDArray[np.complex64]

LEAKED_BINS: Final = 3
"""The mean of the squared envelope leaks through the window (Hann, squared) into bins 0, 1 and 2."""

PIECES: Final = 16
"""A band is cut into so many pieces, whose medians are its floor: a resonance spans some of them."""

SMALLEST_PIECE: Final = 32
"""Bins; a short block has fewer pieces. The median of 32 exponential powers is known to a quarter."""

LOOKED_AT: Final = 64
"""Bins of a piece, evenly spaced, whose median is taken: all of them would cost as much as an FFT."""


@dataclass(frozen=True, slots=True)
class Demodulator:
    """One demodulation band of one kind of block: bins [first, stop); `lines` is how many lines are wanted.

    `size` is the length of the short FFTs: long enough that nothing wanted is aliased.
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


class Demodulated(NamedTuple):
    """Of each block: its lines (n, lines), and mean and mean square (n,) of its squared envelope.

    `power` is |spectrum|² of the squared envelope with tones limited, bins of the block's own spectrum, in a
    unit of its own: for ratios of lines only. `mean` and `mean_square` are of the envelope as it is; times
    (2 size / n_samples)² and its square they are in the unit of the samples.
    """

    power: FloatArray
    mean: DoubleArray
    mean_square: DoubleArray


def demodulator(
    band_hz: tuple[float, float],
    fs_hz: float,
    n_samples: int,
    f_max_hz: float = math.inf,
    *,
    moments: bool = False,
) -> Demodulator | None:
    """The demodulator of a band, or None where the rate leaves less than half of the band usable.

    A band that reaches over what the anti-aliasing filter leaves is cut there; its upper edge is not in it.
    `n_samples` is the length of the block's FFT. Lines are wanted up to `f_max_hz`; `moments` makes the size
    such that the mean square of the squared envelope is not aliased either.
    """
    low, high = band_hz
    usable = min(high, usable_hz(fs_hz))
    if usable - low < (high - low) / 2:
        return None
    first, stop = band_bins((low, usable), fs_hz, n_samples, upper=False)
    width = stop - first
    if width <= 2 * LEAKED_BINS:
        return None
    lines = width if math.isinf(f_max_hz) else min(width, math.ceil(f_max_hz * n_samples / fs_hz) + 1)
    return Demodulator(low, first, stop, lines, fast_length(max(width + lines, 2 * width * moments)))


def demodulate(spectrum: ComplexArray, band: Demodulator, out: FloatArray | None = None) -> Demodulated:
    """Demodulates spectra (n, m) of Hann-windowed blocks: lines, mean and mean square of |a|².

    `out` (n, lines) is where the lines may be put.

    Rows without a strong tone take one inverse FFT and one FFT of `band.size`, others an inverse one more.
    The moments mean something where the demodulator was made with `moments`.
    """
    import scipy.fft

    moved = np.empty((len(spectrum), band.size), dtype=np.complex64)
    inside = moved[:, : band.width]
    inside[:] = spectrum[:, band.first : band.stop]
    moved[:, band.width :] = 0
    square = squares(scipy.fft.ifft(moved, axis=1))
    mean = (square @ np.full(band.size, 1 / band.size, dtype=np.float32)).astype(np.float64)
    mean_square = np.matmul(square[:, None, :], square[:, :, None])[:, 0, 0].astype(np.float64) / band.size
    if band.lines <= LEAKED_BINS:  # none but those of the mean are wanted
        return Demodulated(np.zeros((len(square), band.lines), dtype=np.float32), mean, mean_square)
    tonal = limit_tones(inside)
    if tonal.size == len(square):
        square = squares(scipy.fft.ifft(moved, axis=1, overwrite_x=True), square)
    elif tonal.size:
        square[tonal] = squares(scipy.fft.ifft(moved[tonal], axis=1, overwrite_x=True))
    lines: ComplexArray = scipy.fft.rfft(square, axis=1)[:, : band.lines]
    return Demodulated(squares(lines, out), mean, mean_square)


def limit_tones(inside: ComplexArray) -> npt.NDArray[np.intp]:
    """Cuts strong tones in bands (n, width) down, in place; the rows that had any.

    A bin's power may be √width times the median of its piece of the band. In noise of power p a pair of tones
    of power a·p makes a line a² high over a median of 0.69·width, and counts where that exceeds some 20: from
    a = 3.7 √width on. At a = 0.69 √width it takes five tones at one distance, as only shocks have them.
    """
    width = inside.shape[1]
    size = np.abs(inside)
    limit = width**0.25 * _floors(size)
    pieces = limit.shape[1]
    piece = width // pieces
    widths = np.full(pieces, piece)
    widths[-1] = width - (pieces - 1) * piece  # the rest belongs to the last piece
    over = size > np.repeat(limit, widths, axis=1)
    rows, bins = np.divmod(np.flatnonzero(over), width)  # of two axes numpy's nonzero is slow
    inside[rows, bins] *= limit[rows, np.minimum(bins // piece, pieces - 1)] / size[rows, bins]
    return rows[np.flatnonzero(np.diff(rows, prepend=-1))]  # they are in order


def _floors(size: FloatArray) -> FloatArray:
    """Medians (n, pieces) of magnitudes (n, width): of equal pieces, of evenly spaced bins in each."""
    n, width = size.shape
    pieces = max(1, min(PIECES, width // SMALLEST_PIECE))
    piece = width // pieces
    step = max(1, piece // LOOKED_AT)
    looked = size[:, : pieces * piece].reshape(n, pieces, piece)[:, :, ::step]
    middle = looked.shape[2] // 2
    ordered = np.sort(looked, axis=2)  # of so few a sort is faster than a partition
    floors: FloatArray = np.ascontiguousarray(ordered[:, :, middle])
    return floors


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
    modulated by m at f reads (1 + m cos 2πft): A·m in the plain one. Of a block whose length has a factor
    above 5 the last few per cent of the samples are left out (`spectral_length`); the frequencies are those
    of what is left. NaN where a sample is not finite.
    Raises ValueError where less than half of the band is below what the rate leaves usable.
    """
    samples = check_samples(x)
    n, length = len(samples), spectral_length(samples.shape[1])
    band = demodulator(band_hz, check_rate(fs_hz), length, f_max_hz)
    if band is None:
        raise ValueError(
            f"the band {band_hz[0]:g}-{band_hz[1]:g} Hz must lie below {usable_hz(fs_hz):g} Hz "
            f"(sampling rate {fs_hz:g} Hz / 2.56) and be wider than {2 * LEAKED_BINS} lines of the block: "
            "choose a lower band or a higher rate"
        )
    block = np.empty(samples.shape, dtype=np.float32)
    centred = centre(samples, block)
    moved = np.zeros((n, band.size), dtype=np.complex64)
    spectrum = np.fft.rfft(block[:, :length] * hann(length), axis=1)  # see `windows.half_spectrum`
    moved[:, : band.width] = spectrum[:, band.first : band.stop]
    envelope: FloatArray = np.abs(np.fft.ifft(moved, axis=1)).astype(np.float32, copy=False)
    # Analytic of a windowed block: w·|a|, so the window's mean (or that of its square) is the coherent gain.
    gain = (2 * band.size / length) / HANN_MEAN
    factors = centred.factor * check_scale(scale, n)
    if squared:
        envelope *= envelope
        gain, factors = (2 * band.size / length) ** 2 / HANN_SQUARE_MEAN, factors**2
    amplitude = np.abs(np.fft.rfft(envelope, axis=1)[:, : band.lines]).astype(np.float64)
    amplitude *= (gain * 2 / band.size * factors)[:, None]
    amplitude[:, 0] /= 2
    amplitude[centred.bad] = np.nan
    frequency = np.arange(band.lines, dtype=np.float64) * (fs_hz / length)
    return frequency, amplitude.astype(np.float32)
