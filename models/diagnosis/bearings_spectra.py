"""Spectra of squared envelopes in several bands at once, of blocks as they are and of whitened ones.

A squared envelope's line at f, over its mean, says which share of the band's energy comes and goes at f: it
has no unit and does not depend on how long the block is. Each band is demodulated twice: as it is (strong
tones cut down), and after whitening, which gives each line of the block's spectrum the same size and leaves
its phase. Whitening takes away all that is periodic with the shaft, the supply or a gear at once, and leaves
the weak shocks that random slip has spread over many lines (cepstrum pre-whitening: Borghesani, Pennacchi,
Randall, Sawalhi & Ricci, MSSP 36 (2013) 370-384).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.fft

from models.features.bands import usable_hz
from models.features.centring import centre
from models.features.envelope import LEAKED_BINS, Demodulator, demodulate, demodulator
from models.features.gate import DoubleArray, FloatArray, SampleArray
from models.features.windows import HANN_FOURTH_MEAN, HANN_SQUARE_MEAN, hann, spectral_length

NOISE_BINS: Final = HANN_FOURTH_MEAN / HANN_SQUARE_MEAN**2
"""Bins that a line of the squared envelope spreads over: its window is Hann squared."""

NOTHING: Final = 1e-6
"""Of the highest line of a spectrum: what stands lower than this is rounding, and stays as it is."""


@dataclass(frozen=True, slots=True)
class Envelopes:
    """Spectra of the squared envelope of blocks (n,) in one band.

    `power` (n, m) is |line|², `mean` (n,) the squared envelope's mean in the same unit (its line at 0 Hz),
    `df_hz` the distance of two lines. `low_hz` and `high_hz` are the band, `whitened` says which kind it is.
    """

    low_hz: float
    high_hz: float
    whitened: bool
    df_hz: float
    power: FloatArray
    mean: DoubleArray


def squared_envelopes(
    samples: SampleArray, fs_hz: float, bands: tuple[tuple[float, float], ...], f_max_hz: float
) -> tuple[tuple[Envelopes, ...], npt.NDArray[np.bool_]]:
    """Envelopes of blocks (n, n_samples) up to `f_max_hz` in each usable band, and which blocks (n,) are bad.

    A bad block holds a sample that is not finite, or nothing but a constant. Bands that the rate leaves less
    than half of are left out; so there may be none.
    """
    length = spectral_length(samples.shape[1])
    block = np.empty(samples.shape, dtype=np.float32)
    centred = centre(samples, block)
    bad = centred.bad | (centred.highest == centred.lowest)
    window = hann(length)
    made = []
    for low, high in bands:
        demodulating = demodulator((low, high), fs_hz, length, f_max_hz)
        if demodulating is not None and demodulating.lines > LEAKED_BINS:
            made.append((low, min(high, usable_hz(fs_hz)), demodulating))
    found = []
    for whitened in (False, True):
        kept = whiten(block[:, :length]) if whitened else block[:, :length]
        spectrum = np.asarray(scipy.fft.rfft(kept * window, axis=1), dtype=np.complex64)
        found += [
            _envelopes(spectrum, demodulating, low, high, fs_hz / length, whitened=whitened)
            for low, high, demodulating in made
        ]
    return tuple(found), bad


def whiten(block: FloatArray) -> FloatArray:
    """Blocks (n, m), m even, whose spectra have lines of one size and the phases of the block's."""
    lines = scipy.fft.rfft(block, axis=1)
    size = np.abs(lines)
    floor = np.maximum(NOTHING * size.max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    lines /= np.maximum(size, floor)
    white: FloatArray = scipy.fft.irfft(lines, n=block.shape[1], axis=1)
    return white


def _envelopes(
    spectrum: npt.NDArray[np.complex64],
    band: Demodulator,
    low_hz: float,
    high_hz: float,
    df_hz: float,
    *,
    whitened: bool,
) -> Envelopes:
    power = demodulate(spectrum, band).power
    mean = np.sqrt(power[:, 0].astype(np.float64))
    return Envelopes(low_hz, high_hz, whitened, df_hz, power, mean)
