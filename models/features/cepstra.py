"""The real cepstrum: what repeats at even distances in a spectrum, read as one line.

The cepstrum is the inverse FFT of the logarithm of the amplitude spectrum, ln|X| = ½ ln|X|². Sidebands every
shaft frequency become one line at one turn of that shaft (a rahmonic), whatever their sizes and whichever
gear mesh they stand around; an echo of amplitude a after τ reads a/2 at τ and -a²/4 at 2τ. Between the lines
the logarithm would go to -∞ and rule everything, so a floor of 1 % of the block's median power is added.
Source: Randall, Vibration-based Condition Monitoring, Wiley 2011, §3.5; Bogert, Healy & Tukey 1963.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.fft

from .centring import centre
from .gate import DoubleArray, FloatArray, check_rate, check_samples
from .windows import hann, spectral_length

FLOOR: Final = 1e-2
"""Of the median power, added before the logarithm: it takes 1 % off a line that stands at the median."""

LOOKED_AT: Final = 256
"""Bins, evenly spaced, whose median is taken: known to 8 %, and all of them would cost as much as an FFT."""

ASIDE: Final = 0.015
"""A rahmonic is searched within ±1.5 % of its quefrency: what a speed may move within and between blocks."""

SHORTEST: Final = 8.0
"""Samples of quefrency below which the shape of the whole spectrum, not its spacing, is what is read."""

TURNS: Final = 5.0
"""Revolutions in the block below which sidebands are closer than the window can tell apart."""


def cepstrum(x: npt.NDArray[np.generic], fs_hz: float) -> tuple[DoubleArray, FloatArray]:
    """(quefrency in s (m,), real cepstrum (n, m)) of blocks (n, n_samples), m = N // 2 + 1.

    N is `spectral_length(n_samples)`; the blocks are Hann-windowed, their mean removed. It has no unit, and
    a scale only moves its first value, so it takes none. An echo of amplitude a after τ reads a/2 at τ and
    -a²/4 at 2τ (2 % less for the floor). NaN rows for blocks that are constant or hold a sample that is not
    finite. Raises ValueError for arguments that can't be meant.
    """
    samples = check_samples(x)
    rate = check_rate(fs_hz)
    length = spectral_length(samples.shape[1])
    block = np.empty(samples.shape, dtype=np.float32)
    centred = centre(samples, block)
    lines = scipy.fft.rfft(block[:, :length] * hann(length), axis=1)
    power = lines.real**2 + lines.imag**2
    power[centred.bad | (centred.highest == centred.lowest)] = np.nan
    values = _of_power(power)
    values[:, 0] += np.log(centred.factor)
    return np.arange(length // 2 + 1) / rate, values


def rahmonics(power: FloatArray, quefrency: DoubleArray) -> FloatArray:
    """Height (n, k) of the cepstrum at `quefrency` (n, k), in samples, from |X|² (n, N/2 + 1), N even.

    Each is the highest value within ±1.5 % of its quefrency, and at least one sample to each side. `power` is
    that of the Hann-windowed block in any unit. NaN where the quefrency is NaN, shorter than 8 samples, or so
    long that the block holds fewer than five of it; and in rows whose power is NaN or mostly zero.
    """
    n, width = power.shape
    heights = np.full(quefrency.shape, np.nan, dtype=np.float32)
    slack = 1 + 1e-9
    given = quefrency * (1 - ASIDE) * slack >= SHORTEST
    given &= quefrency * TURNS <= 2 * (width - 1) * slack
    rows = np.flatnonzero(given.any(axis=1))
    if rows.size == 0:
        return heights
    values = _of_power(power if rows.size == n else power[rows])
    row, column = np.nonzero(given[rows])
    centre_at = quefrency[rows[row], column]
    middle = np.rint(centre_at)
    first = np.minimum(np.ceil(centre_at * (1 - ASIDE)), middle - 1).astype(np.intp)
    last = np.maximum(np.floor(centre_at * (1 + ASIDE)), middle + 1).astype(np.intp)
    place = first[:, None] + np.arange(int((last - first).max()) + 1)
    np.minimum(place, last[:, None], out=place)
    heights[rows[row], column] = values[row[:, None], place].max(axis=1)
    return heights


def _of_power(power: FloatArray) -> FloatArray:
    """Real cepstrum (n, N/2 + 1) from power (n, N/2 + 1): half the logarithm, and a cosine transform.

    The spectrum is real and even, so the inverse FFT is the DCT of type I over N. It costs a quarter of
    `irfft`, which would carry zeros for imaginary parts.
    """
    floor = FLOOR * _medians(power)
    floor[floor == 0] = np.nan  # a block without a spectrum has no cepstrum
    logarithm = power + floor[:, None]
    np.log(logarithm, out=logarithm)
    values = np.asarray(scipy.fft.dct(logarithm, type=1, axis=1, overwrite_x=True), dtype=np.float32)
    values *= np.float32(0.5 / (2 * (power.shape[1] - 1)))
    return values


def _medians(power: FloatArray) -> FloatArray:
    """Row medians of evenly spaced bins: one partition, where `np.median` costs ten times as much.

    Every k-th bin from bin 0 on, k as small as leaves 256 of them or fewer; of an even number the upper of
    the middle two. A NaN counts as highest.
    """
    looked = power[:, :: -(-power.shape[1] // LOOKED_AT)]
    middle = looked.shape[1] // 2
    medians: FloatArray = np.partition(looked, middle, axis=1)[:, middle].copy()
    return medians
