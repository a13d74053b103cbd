"""Order tracking: blocks resampled at equal angles of the shaft, whose lines stay lines as it speeds up.

The block is low-passed in the spectrum (what lies above the highest order would fold down), transformed back
at eight samples or more per period of the highest order, and read between those samples by a cubic B-spline
whose own response was divided out in the spectrum. Left is the spline's image, (1/7)⁴ = 4e-4 of a line at the
highest order, 2e-5 at half of it. Source: Fyfe & Munck, MSSP 11 (1997) 187-205; B-splines: Unser, IEEE Signal
Processing Magazine 16 (1999) 22-38.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.fft

from .angle import Profile, check_profile
from .bands import usable_hz
from .centring import centre
from .gate import DoubleArray, FloatArray, check_rate, check_samples, check_scale
from .windows import HANN_MEAN, fast_length, hann, spectral_length

ROLL_OFF: Final = 1.28
"""The low-pass ends at this times the highest order: at half the rate where that order is just usable."""

STEADY: Final = 2.0
"""Within a block the speed may double. Beyond that it is a run-up, to be cut into shorter blocks."""

PER_ORDER: Final = 1 + ROLL_OFF * STEADY
"""Samples per turn and order: even where the shaft is slowest, what passes folds onto no order wanted."""

OVERSAMPLED: Final = 8
"""Samples per period of the highest order between which the spline reads."""

MARGIN: Final = 10.0
"""Periods of the highest order left out at each end, where the low-pass rings."""

FEWEST_TURNS: Final = 8
"""Half orders are then four bins apart, as far as lines of a Hann spectrum must be to be told apart."""

CHUNK_ANGLES: Final = 1 << 18
"""Angles worked on at a time."""


def resample_to_angle(
    x: npt.NDArray[np.generic],
    fs_hz: float,
    speed_hz: npt.ArrayLike,
    *,
    max_order: float,
    at_s: npt.ArrayLike | None = None,
    turns: int | None = None,
    scale: npt.ArrayLike = 1.0,
) -> FloatArray:
    """Blocks (n, n_samples) at equal angles: (n, turns, per_turn), their mean removed, in samples · `scale`.

    `speed_hz` of the shaft is one number, (n,), or (n, k) over the block: at `at_s`, (k,) or (n, k) seconds
    after the first sample, else equally spaced from the first to the last; linear in between and held
    outside. Orders up to `max_order` are kept, what is above is filtered out before. All rows have the same
    number of whole `turns`, without another factor than 2, 3 and 5: that asked for, or as many as the row
    with fewest has. NaN rows where the speed is unknown, 0 or more than doubles, where the block has fewer
    than 8 turns or fewer than asked for, or a sample that is not finite. Raises ValueError for arguments
    that can't be meant, or when the highest order at the highest speed is not usable at this rate.
    """
    return resample(
        x, fs_hz, speed_hz, max_order=max_order, at_s=at_s, turns=turns, scale=scale, fewest=FEWEST_TURNS
    )


def order_spectrum(
    x: npt.NDArray[np.generic],
    fs_hz: float,
    speed_hz: npt.ArrayLike,
    *,
    max_order: float,
    at_s: npt.ArrayLike | None = None,
    turns: int | None = None,
    scale: npt.ArrayLike = 1.0,
) -> tuple[DoubleArray, FloatArray]:
    """(order (m,), peak amplitude (n, m)) of blocks (n, n_samples): orders 0 to `max_order`, 1/turns apart.

    Arguments, NaN rows and errors are those of `resample_to_angle`. Whole orders fall on a bin; between two
    bins a line reads up to 1.42 dB less, which `line_amplitude` gives back.
    """
    angles = resample_to_angle(x, fs_hz, speed_hz, max_order=max_order, at_s=at_s, turns=turns, scale=scale)
    n, used, per_turn = angles.shape
    count = used * per_turn
    lines = scipy.fft.rfft(angles.reshape(n, count) * hann(count), axis=1)
    amplitude: FloatArray = np.abs(lines[:, : math.floor(max_order * used + 1e-9) + 1])
    amplitude *= np.float32(2 / (HANN_MEAN * count))
    amplitude[:, 0] /= 2
    return np.arange(amplitude.shape[1]) / used, amplitude


@np.errstate(over="ignore")  # what is beyond float32 is infinite
def resample(
    x: npt.NDArray[np.generic],
    fs_hz: float,
    speed_hz: npt.ArrayLike,
    *,
    max_order: float,
    at_s: npt.ArrayLike | None,
    turns: int | None,
    scale: npt.ArrayLike,
    fewest: int,
) -> FloatArray:
    """As `resample_to_angle`, with the number of turns that a block must hold."""
    samples = check_samples(x)
    n, length = len(samples), spectral_length(samples.shape[1])
    rate, factors = check_rate(fs_hz), check_scale(scale, n)
    profile = check_profile(speed_hz, at_s, n, (samples.shape[1] - 1) / rate)
    top_hz = _highest(profile, max_order, rate)
    margin_s = MARGIN / top_hz
    start = profile.angle_at(margin_s)
    held = profile.angle_at((length - 1) / rate - margin_s) - start
    used, wanted = _wanted(turns, fewest, held)
    per_turn = fast_length(math.ceil(PER_ORDER * max_order))
    angles = np.full((n, used * per_turn), np.nan, dtype=np.float32)
    step = max(1, CHUNK_ANGLES // max(angles.shape[1], OVERSAMPLED * length // 2))
    for first in range(0, wanted.size, step):
        rows = wanted[first : first + step]
        moments = profile[rows].moments(start[rows], per_turn, used * per_turn)
        block = np.empty((rows.size, samples.shape[1]), dtype=np.float32)
        centred = centre(samples[rows], block)
        read = _read(block[:, :length], moments * rate, top_hz[rows] / rate)
        read *= (centred.factor * factors[rows]).astype(np.float32)[:, None]
        read[centred.bad] = np.nan
        angles[rows] = read
    return angles.reshape(n, used, per_turn)


def _highest(profile: Profile, max_order: float, rate: float) -> DoubleArray:
    """Highest frequency (n,) that is wanted; NaN where the speed is unknown, 0 or not steady enough."""
    if not 1 <= max_order < math.inf:
        raise ValueError(f"max_order must be 1 or more, got {max_order!r}")
    slowest, fastest = profile.speed_hz.min(axis=1), profile.speed_hz.max(axis=1)
    known = (slowest > 0) & (fastest <= STEADY * slowest)
    top: DoubleArray = np.where(known, max_order * fastest, np.nan)
    highest = top[known].max(initial=0.0)
    if highest > usable_hz(rate) * (1 + 1e-9):
        raise ValueError(
            f"max_order {max_order:g} must stay below {usable_hz(rate):g} Hz (sampling rate {rate:g} Hz / "
            f"2.56), got {highest:g} Hz at the highest speed: ask for lower orders or sample faster"
        )
    return top


def _wanted(turns: int | None, fewest: int, held: DoubleArray) -> tuple[int, npt.NDArray[np.intp]]:
    """How many turns are used, and the rows that hold as many."""
    if turns is not None:
        if not isinstance(turns, int | np.integer) or turns < fewest:
            raise ValueError(f"turns must be a whole number of at least {fewest}, got {turns!r}")
        return int(turns), np.flatnonzero(held >= turns)
    rows = np.flatnonzero(held >= fewest)
    return (spectral_length(int(held[rows].min())) if rows.size else fewest), rows


def _read(x: FloatArray, place: DoubleArray, top: DoubleArray) -> FloatArray:
    """Blocks (n, m) read at fractional samples `place` (n, j), low-passed from `top` (n,), per sample, on."""
    n, length = x.shape
    stop = min(math.ceil(ROLL_OFF * top.max() * length), length // 2) + 1
    size = fast_length(math.ceil(max(OVERSAMPLED * top.max() * length, 2 * stop)))
    lines = scipy.fft.rfft(x, axis=1)[:, :stop]
    frequency = np.arange(stop) / length
    ending = np.clip((frequency / top[:, None] - 1) / (ROLL_OFF - 1), 0, 1)
    # The spline reads a line at f of its own grid with sinc⁴ f; the inverse FFT of `size` divides by `size`.
    gain = size / length / np.sinc(frequency * length / size) ** 4
    lines *= ((0.5 + 0.5 * np.cos(np.pi * ending)) * gain).astype(np.float32)
    fine = scipy.fft.irfft(lines, n=size, axis=1).ravel()
    place = place * (size / length)
    before = np.floor(place)
    u = (place - before).astype(np.float32)
    at = before.astype(np.intp) + np.arange(n)[:, None] * size
    v = 1 - u
    read: FloatArray = fine[at - 1] * (v * v * v)
    read += fine[at] * (4 - 3 * u * u * (1 + v))
    read += fine[at + 1] * (4 - 3 * v * v * (1 + u))
    read += fine[at + 2] * (u * u * u)
    read *= np.float32(1 / 6)
    return read
