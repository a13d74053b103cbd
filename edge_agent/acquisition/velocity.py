"""The danger block: RMS velocity of 10 to 1000 Hz of one second, and whether its samples can be believed.

The velocity is that of ISO 20816-1 as the host computes it: the energy of a Hann-windowed spectrum between
both edges, each bin divided by its angular frequency. A sensor at fault gives no verdict (NaN), never a
danger.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

BAND_HZ: Final = (10.0, 1000.0)
LOWEST_RATE_HZ: Final = 2560.0
"""Below it an anti-aliasing filter leaves less than the band (1/2.56 of the rate is usable)."""

HANN_SQUARE_MEAN: Final = 3 / 8  # of the periodic window, exact

NEAR_END: Final = 0.99  # of the full scale: an amplifier's rail lies a little below
CLIPPED_SHARE: Final = 1e-4
"""Of a block. Three samples of 25,600: one peak that touches the end moves no level."""

FEWEST_CLIPPED: Final = 3

STILL: Final = 0.9
FEW_STEPS: Final = 8
"""A block of so few steps of its converter, of which so many samples equal the one before, is dead: the noise
of the converter alone (q/√12) leaves 0.84 of them equal."""

SKI_BAND_HZ: Final = (2.0, 10.0)
SKI_SLOPE: Final = -1.5
SKI_RATIO: Final = 55.0
SKI_SHARE: Final = 0.1
SKI_VELOCITY_MM_S: Final = 0.71
"""A sensor that settles writes a tail that falls with a slope of -2 (a step) or steeper (a smooth one); noise
has -1. Its energy below 10 Hz over that above is 5^-(2s+1) - 1. The block is not believed where a tenth of
what is above may be the tail's, and the tail is above 0.71 mm/s, which changes no zone of any machine (ISO
10816-1, class I). 55: noise in bins 1 Hz apart stayed below 41 in 4000 blocks. The host asks the same."""

SLOPE_HZ: Final = (2.0, 8.0)

Floats = npt.NDArray[np.float64]
Samples = npt.NDArray[Any]  # of int16, int32 or float32


def block_length(fs_hz: float) -> int:
    """Samples of a danger block: the longest even length of at most a second without a factor above 5, of
    which the FFT is fast, and of which the host's spectrum takes all.
    """
    most, best = math.floor(fs_hz), 0
    five = 1
    while five <= most:
        three = five
        while 2 * three <= most:
            best = max(best, three << ((most // three).bit_length() - 1))
            three *= 3
        five *= 5
    return best


def velocity_rms_mm_s(samples: npt.NDArray[np.generic], mm_s2: tuple[float, ...], fs_hz: float) -> Floats:
    """RMS velocity (n_channels,) in mm/s of blocks (n_channels, n); samples * `mm_s2` is in mm/s².

    NaN where the samples look like a settling sensor's tail, or are not finite.
    """
    power = _power(samples, mm_s2)
    n = samples.shape[1]
    energy = _energy(power, fs_hz / n, BAND_HZ)
    found: Floats = np.sqrt(energy)
    found[_settles(power, fs_hz / n, energy)] = np.nan
    return found


def unbelievable(samples: Samples, full_scale: tuple[float, ...] | None) -> npt.NDArray[np.bool_]:
    """(n_channels,) whether a block is dead, clipped, or holds what is no number.

    `full_scale` is the end of each channel's range in counts, None where only the type ends it.
    """
    return _not_finite(samples) | _dead(samples) | _clipped(samples, full_scale)


def _not_finite(samples: Samples) -> npt.NDArray[np.bool_]:
    return np.asarray(~np.isfinite(samples).all(axis=1))


def _dead(samples: Samples) -> npt.NDArray[np.bool_]:
    low, high = samples.min(axis=1), samples.max(axis=1)
    same = low == high
    if samples.dtype.kind != "i":
        return np.asarray(same)
    few = high.astype(np.int64) - low.astype(np.int64) < FEW_STEPS
    still = np.mean(samples[:, 1:] == samples[:, :-1], axis=1) > STILL
    return np.asarray(same | (few & still))


def _clipped(samples: Samples, full_scale: tuple[float, ...] | None) -> npt.NDArray[np.bool_]:
    n = samples.shape[1]
    ends = np.zeros(len(samples), np.int64)
    if samples.dtype.kind == "i":
        info = np.iinfo(samples.dtype)
        ends = np.sum((samples == info.max) | (samples == info.min), axis=1)
    if full_scale is not None:
        end = NEAR_END * np.asarray(full_scale)[:, None]
        ends = np.maximum(ends, np.sum((samples >= end) | (samples <= -end), axis=1))
    return np.asarray(ends >= max(FEWEST_CLIPPED, CLIPPED_SHARE * n))


def _power(samples: npt.NDArray[np.generic], mm_s2: tuple[float, ...]) -> Floats:
    """Mean square by bin, in (mm/s²)², of each block without its mean: gravity would drown in the window."""
    x = samples.astype(np.float64)
    x -= x.mean(axis=1, keepdims=True)
    x *= np.asarray(mm_s2)[:, None]
    n = x.shape[1]
    found = np.abs(np.fft.rfft(x * _window(n), axis=1)) ** 2
    return np.asarray(found * (2 / (n * HANN_SQUARE_MEAN * n)), np.float64)


@lru_cache(maxsize=2)
def _window(n: int) -> Floats:
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi / n * np.arange(n)), np.float64)


def _energy(power: Floats, df_hz: float, band_hz: tuple[float, float]) -> Floats:
    """Mean square velocity of a band, both edges included."""
    first, last = math.ceil(band_hz[0] / df_hz - 1e-9), math.floor(band_hz[1] / df_hz + 1e-9)
    omega = 2 * np.pi * df_hz * np.arange(first, last + 1)
    return np.asarray(power[:, first : last + 1] @ omega**-2.0, np.float64)


def _settles(power: Floats, df_hz: float, energy: Floats) -> npt.NDArray[np.bool_]:
    below = _energy(power, df_hz, SKI_BAND_HZ)
    first, last = math.ceil(SLOPE_HZ[0] / df_hz), math.floor(SLOPE_HZ[1] / df_hz)
    part = power[:, first : last + 1]
    if part.shape[1] < 4 or not (part > 0).all():
        return np.asarray(below > np.inf)
    logs = np.log(df_hz * np.arange(first, last + 1))
    aside = logs - logs.mean()
    slope = np.minimum(np.log(part) @ (0.5 * aside / (aside @ aside)) - 1.0, SKI_SLOPE)
    share = below / (5.0 ** -(2 * slope + 1) - 1)
    tail = (slope < SKI_SLOPE) & (below > SKI_RATIO * energy) & (below > SKI_VELOCITY_MM_S**2)
    return np.asarray(tail & (share >= SKI_SHARE * energy))
