"""The kurtogram: in which band of the spectrum impulses stand out.

The usable spectrum is cut into 1, 2, 3, 4, 6, 8, 12, 16 … equal bands (a tree of halves and thirds), and each
band's spectral kurtosis is taken: E|z|⁴ / (E|z|²)² - 2 of its analytic signal z, 0 for gaussian noise, -1 for
a steady tone, more the rarer and stronger impulses are. The bands are cut out of one FFT and moved to 0 Hz
(see `envelope`). The block is tapered before that FFT: in a block cut off at its ends, strong tones between
two lines leak into all bands as one short burst at the seam, which then looks like the best of impulses.
Source: Antoni, MSSP 21 (2007) 108-124; spectral kurtosis: Antoni, MSSP 20 (2006) 282-307.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.fft

from .bands import usable_hz
from .centring import centre
from .gate import DoubleArray, FloatArray, check_rate, check_samples, per_window
from .windows import HANN_FOURTH_MEAN, HANN_SQUARE_MEAN, TAPER, fast_length, spectral_length, squares, tukey

LOWEST_HZ: Final = 2.0
"""Where the tree begins: below it is the sensor's drift."""

STANDS_OUT: Final = 0.5
"""Spectral kurtosis from which a band may be chosen. The highest of a tree of 4 levels over 4 s of gaussian
noise at 25.6 kHz stays below 0.12 in 95 % of blocks, of 6 levels below 0.3."""

NOISE: Final = 13.0
"""Over √(lines of the band), what gaussian noise exceeds in one band of ten thousand: more than `STANDS_OUT`
where a band holds fewer than 700 lines."""

FEWEST_LINES: Final = 32
"""Lines in a band below which its kurtosis says nothing: noise alone reaches 2."""

CHUNK_SAMPLES: Final = 1 << 17
"""Samples worked on at a time: with the bands of one level they stay in the cache."""


@dataclass(frozen=True, slots=True)
class Kurtogram:
    """Spectral kurtosis of every band of the tree, for a batch of blocks.

    `bands_hz` (m, 2): edges, coarse bands first. `sk` (n, m): spectral kurtosis, 0 for noise. `share` (n, m):
    energy of the band over that of all. `threshold` (m,): what `sk` must exceed to stand out.
    """

    bands_hz: DoubleArray
    sk: FloatArray
    share: FloatArray
    threshold: DoubleArray

    def best_band(self, narrowest_hz: npt.ArrayLike = 0.0) -> DoubleArray:
        """Edges in Hz (n, 2) of each block's most impulsive band; NaN where none stands out from noise.

        Of the bands that stand out it is the one with the highest product of spectral kurtosis and amplitude
        (root of the energy per Hz): kurtosis alone prefers bands that hold next to nothing.
        `narrowest_hz`, one number or (n,), leaves out narrower bands: five lines of an inner ring with their
        sidebands need 5·BPFI + 2·fr. NaN there counts as 0.
        """
        n = len(self.sk)
        width = self.bands_hz[:, 1] - self.bands_hz[:, 0]
        narrowest = np.nan_to_num(per_window("narrowest_hz", narrowest_hz, n))
        wide = width + LOWEST_HZ >= narrowest[:, None]
        stands_out = wide & np.greater(self.sk, self.threshold)
        # Without a noise floor the last trace of any impulse has a high kurtosis, far from the resonance that
        # carries it: what is asked is where kurtosis and amplitude are high together.
        weighted = self.sk * np.sqrt(self.share / width)
        best = np.where(stands_out, weighted, -np.inf).argmax(axis=1)
        found: DoubleArray = self.bands_hz[best]
        found[~stands_out.any(axis=1)] = np.nan
        return found


def kurtogram(x: npt.NDArray[np.generic], fs_hz: float, *, levels: int = 4) -> Kurtogram:
    """The kurtogram of blocks (n, n_samples), over a tree of `levels` halvings of the usable spectrum.

    The finest bands are 1/2^levels of it (four levels of 25.6 kHz: 625 Hz); levels whose bands would hold
    fewer than 32 lines of the block are left out. Kurtosis has no unit, so there is no scale. Rows of NaN for
    blocks that are constant or hold a sample that is not finite. Raises ValueError for arguments that can't
    be meant, or where not even one band holds 32 lines. Source: Antoni, MSSP 21 (2007) 108-124.
    """
    samples = check_samples(x)
    if not isinstance(levels, int | np.integer) or not 0 <= levels <= 12:
        raise ValueError(f"levels must be a whole number from 0 to 12, got {levels!r}")
    n, length = samples.shape[0], spectral_length(samples.shape[1])
    tree = _tree(check_rate(fs_hz), length, int(levels))
    width = sum(len(level.edges) - 1 for level in tree)
    sk, share = (np.full((n, width), np.nan, dtype=np.float32) for _ in range(2))
    taper = tukey(length)
    step = max(1, CHUNK_SAMPLES // length)
    for start in range(0, n, step):
        rows = slice(start, start + step)
        block = np.empty(samples[rows].shape, dtype=np.float32)
        centred = centre(samples[rows], block)
        lines = scipy.fft.rfft(block[:, :length] * taper, axis=1)
        lines[centred.bad | (centred.highest == centred.lowest)] = np.nan
        sk[rows], share[rows] = _measure(lines, tree)
    df = fs_hz / length
    pairs = [np.stack((level.edges[:-1], level.edges[1:]), axis=1) for level in tree]
    bins = np.concatenate(pairs)
    threshold = np.maximum(STANDS_OUT, NOISE / np.sqrt(bins[:, 1] - bins[:, 0]))
    return Kurtogram((bins * df).astype(np.float64), sk, share, threshold)


@dataclass(frozen=True, slots=True)
class _Level:
    """Bands [edges[i], edges[i + 1]) in bins; `size` is the length of their inverse FFTs.

    It is twice the width of a band, so that the square of the squared envelope is not aliased into its mean.
    """

    edges: npt.NDArray[np.intp]
    size: int


def _tree(fs_hz: float, length: int, levels: int) -> tuple[_Level, ...]:
    """The levels whose bands hold enough lines."""
    df = fs_hz / length
    found = []
    for count in _counts(levels):
        edges = np.ceil(np.linspace(0, usable_hz(fs_hz), count + 1) / df - 1e-9).astype(np.intp)
        edges[0] = math.ceil(LOWEST_HZ / df)
        width = np.diff(edges)
        if width.min() >= FEWEST_LINES:
            found.append(_Level(edges, fast_length(2 * int(width.max()))))
    if not found:
        raise ValueError(
            f"x must hold blocks with at least {FEWEST_LINES} lines from {LOWEST_HZ:g} Hz to "
            f"{usable_hz(fs_hz):g} Hz, got {length} samples at {fs_hz:g} Hz: take longer blocks"
        )
    return tuple(found)


def _counts(levels: int) -> Iterator[int]:
    """Bands of each level: 1, 2, 3, 4, 6, 8, 12 …"""
    yield 1
    for level in range(1, levels + 1):
        yield 2**level
        if level < levels:
            yield 3 * 2 ** (level - 1)


def _measure(lines: npt.NDArray[np.complex64], tree: tuple[_Level, ...]) -> tuple[FloatArray, FloatArray]:
    """(spectral kurtosis, share of the energy), both (n, m), from spectra (n, bins) of tapered blocks."""
    window = _taper_mean(HANN_SQUARE_MEAN) ** 2 / _taper_mean(HANN_FOURTH_MEAN)
    kurtosis, energy = [], []
    for level in tree:
        bands = np.zeros((len(lines), level.edges.size - 1, level.size), dtype=np.complex64)
        for i, (first, stop) in enumerate(zip(level.edges[:-1], level.edges[1:], strict=True)):
            bands[:, i, : stop - first] = lines[:, first:stop]
        square = squares(scipy.fft.ifft(bands, axis=2, overwrite_x=True))
        total = square.sum(axis=2).astype(np.float64)
        fourth = np.matmul(square[:, :, None, :], square[:, :, :, None])[:, :, 0, 0].astype(np.float64)
        with np.errstate(invalid="ignore"):  # a band without any energy has no kurtosis
            kurtosis.append(fourth * (level.size * window) / total**2 - 2)
        energy.append(total * level.size)  # Parseval: all sizes in one unit
    energies = np.concatenate(energy, axis=1)
    with np.errstate(invalid="ignore"):
        share = energies / energy[0].sum(axis=1, keepdims=True)
    return np.concatenate(kurtosis, axis=1).astype(np.float32), share.astype(np.float32)


def _taper_mean(hann_mean: float) -> float:
    """Mean of a power of the taper: ones, and at both ends half a Hann window with that mean."""
    return 1 - 2 * TAPER * (1 - hann_mean)
