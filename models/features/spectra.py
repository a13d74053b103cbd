"""Spectra of whole batches: amplitude for people, power for levels.

Two corrections exist and are never mixed. The amplitude of a line is read with the coherent gain of the
window (2|X|/Σw); the energy of a band with its noise bandwidth (2|X|²/(NΣw²)), so that ΣP is the mean square.
Velocity is acceleration divided by 2πf in the spectrum: integrating in time drifts.
"""

from __future__ import annotations

import math
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from .bands import VELOCITY_BAND_HZ, usable_hz
from .centring import centre
from .gate import DoubleArray, FloatArray, SampleArray, check_rate, check_samples, check_scale
from .windows import MM_PER_M, band_bins, hann, power_gain, velocity_weights

DISPLAY_LOW_HZ: Final = 2.0
"""Below it a velocity spectrum shows the sensor's drift divided by a small frequency: left out as 0."""

FULL_RESOLUTION_HZ: Final = 1000.0
"""Up to here a thinned spectrum keeps every line that its budget allows: shaft and gear lines live here."""


def velocity_covered(band_hz: tuple[float, float], fs_hz: float, n_samples: int) -> bool:
    """Whether rate and length can give the RMS velocity of a band.

    The rate must reach the upper edge behind its filter, the block must last a period of the lower one.
    """
    return band_hz[1] <= usable_hz(fs_hz) * (1 + 1e-9) and fs_hz / n_samples <= band_hz[0]


@np.errstate(over="ignore")  # what is beyond float32 is infinite
def velocity_rms(
    x: npt.NDArray[np.generic],
    fs_hz: float,
    *,
    scale: npt.ArrayLike = 1.0,
    band_hz: tuple[float, float] = VELOCITY_BAND_HZ,
) -> FloatArray:
    """RMS velocity (n,) in mm/s of blocks (n, n_samples) of acceleration; `scale` brings them to m/s².

    NaN where the rate or the length can't cover the band, where no bin lies in it, or where a sample is not
    finite. Raises ValueError as `Extractor.extract` does. Source: ISO 20816-1 (band), ISO 2954.
    """
    samples = check_samples(x)
    n, length = samples.shape
    scales = check_scale(scale, n)
    if not 0 < band_hz[0] < band_hz[1] < math.inf:
        raise ValueError(f"band_hz must be 0 < low < high in Hz, got {band_hz!r}")
    covered = velocity_covered(band_hz, check_rate(fs_hz), length)
    first, stop = band_bins(band_hz, fs_hz, length)
    if not covered or first >= stop:
        return np.full(n, np.nan, dtype=np.float32)
    weights = velocity_weights(fs_hz, length, first, stop).astype(np.float64)
    lines, factor = _windowed(samples)
    energy = (np.abs(lines[:, first:stop]).astype(np.float64) ** 2) @ weights
    return (np.sqrt(energy) * factor * scales).astype(np.float32)


@np.errstate(over="ignore")
def spectrum(
    x: npt.NDArray[np.generic],
    fs_hz: float,
    *,
    kind: Literal["acceleration", "velocity"] = "acceleration",
    scale: npt.ArrayLike = 1.0,
) -> tuple[DoubleArray, FloatArray]:
    """(frequency in Hz (m,), peak amplitude (n, m)) of blocks (n, n_samples), m = n_samples // 2 + 1.

    Amplitudes are m/s² or mm/s when `scale` brings the samples to m/s². A sine reads its amplitude at its own
    bin, 1.42 dB less halfway between two. Velocity below 2 Hz is 0. A block with a sample that is not finite
    gives a row of NaN. Raises ValueError for arguments that can't be meant.
    """
    samples = check_samples(x)
    n, length = samples.shape
    if kind not in ("acceleration", "velocity"):
        raise ValueError(f"kind must be 'acceleration' or 'velocity', got {kind!r}")
    frequency = np.arange(length // 2 + 1) * (check_rate(fs_hz) / length)
    gain = np.full(frequency.size, 2.0 / (0.5 * length))
    gain[0] /= 2
    if length % 2 == 0:
        gain[-1] /= 2
    if kind == "velocity":
        seen = frequency >= DISPLAY_LOW_HZ
        gain = np.divide(gain * MM_PER_M, 2 * np.pi * frequency, out=np.zeros_like(gain), where=seen)
    factors = check_scale(scale, n)
    lines, factor = _windowed(samples)
    amplitude = np.abs(lines) * gain.astype(np.float32)
    amplitude *= (factors * factor).astype(np.float32)[:, None]
    return frequency, amplitude


@np.errstate(over="ignore")
def power_spectrum(
    x: npt.NDArray[np.generic],
    fs_hz: float,
    *,
    scale: npt.ArrayLike = 1.0,
    density: bool = False,
) -> tuple[DoubleArray, FloatArray]:
    """(frequency in Hz (m,), power (n, m)) of blocks (n, n_samples), m = n_samples // 2 + 1, for energies.

    Power is the mean square in each bin, 2|X|²/(NΣw²), in the unit of the samples times `scale`, squared: its
    sum over all bins is the mean square of the Hann-weighted block without its mean, Σ(wx)²/Σw². `density`
    gives it per Hz, 2|X|²/(fs Σw²): its integral is the same, and white noise of density S reads S whatever
    the length. A line is spread over three bins; for its amplitude see `spectrum`. A block with a sample that
    is not finite gives a row of NaN. Raises ValueError for arguments that can't be meant.
    """
    samples = check_samples(x)
    n, length = samples.shape
    df = check_rate(fs_hz) / length
    # Rooted gains: squares of counts of 32 bits alone could leave float32.
    factors = check_scale(scale, n) * math.sqrt(power_gain(length) / (df if density else 1.0))
    lines, factor = _windowed(samples)
    power = np.abs(lines) * (factors * factor).astype(np.float32)[:, None]
    power *= power
    power[:, 0] /= 2
    if length % 2 == 0:
        power[:, -1] /= 2
    return np.arange(length // 2 + 1) * df, power


def thin_spectrum(
    frequency_hz: npt.ArrayLike, amplitude: npt.ArrayLike, max_rows: int = 400
) -> tuple[DoubleArray, DoubleArray]:
    """At most `max_rows` lines of one spectrum, for the screen, (frequency, amplitude); frequencies rise.

    Below 1 kHz every line is kept as far as three quarters of the budget go (all of it where nothing lies
    above); what has to be thinned is cut into bins of equal ratio, and each bin keeps its highest line at
    that line's own frequency. So the highest line of the spectrum always stays, where it was.
    `frequency_hz` and `amplitude` (m,), of any unit; `max_rows` is 2 or more. Raises ValueError.
    """
    frequency = np.asarray(frequency_hz, dtype=np.float64)
    heights = np.asarray(amplitude, dtype=np.float64)
    if frequency.ndim != 1 or frequency.shape != heights.shape:
        raise ValueError(
            f"frequency and amplitude must be of one length, got shapes {frequency.shape} and {heights.shape}"
        )
    if not isinstance(max_rows, int | np.integer) or max_rows < 2:
        raise ValueError(f"max_rows must be a whole number of at least 2, got {max_rows!r}")
    if not ((frequency[:1] >= 0).all() and (np.diff(frequency) > 0).all()):
        raise ValueError(f"frequency_hz must rise from 0 or more, got {frequency[:3]} …: sort the lines")
    if frequency.size <= max_rows:
        return frequency.copy(), heights.copy()
    split = int(np.searchsorted(frequency, FULL_RESOLUTION_HZ, side="right"))
    above = frequency.size - split
    below_budget = min(split, max_rows - min(above, max(1, max_rows // 4)))
    kept = np.concatenate(
        (
            _peaks(frequency[:split], heights[:split], below_budget),
            split + _peaks(frequency[split:], heights[split:], max_rows - below_budget),
        )
    )
    return frequency[kept], heights[kept]


def _peaks(frequency: DoubleArray, heights: DoubleArray, rows: int) -> npt.NDArray[np.intp]:
    """Indices of at most `rows` lines: all of them, or the highest of each bin of equal ratio."""
    if frequency.size <= rows:
        return np.arange(frequency.size)
    # A spectrum starts at 0 Hz; its first line that is not 0 starts the ratios.
    start = frequency[frequency > 0][0]
    position = np.log(np.maximum(frequency, start) / start) / (math.log(frequency[-1] / start) or 1.0)
    bins = np.minimum((position * rows).astype(np.intp), rows - 1)
    heights = np.nan_to_num(heights, nan=-np.inf)
    starts = np.flatnonzero(np.diff(bins, prepend=-1))  # frequencies rise, so bins do
    highest = np.maximum.reduceat(heights, starts)
    at_peak = np.flatnonzero(heights == np.repeat(highest, np.diff(starts, append=bins.size)))
    chosen: npt.NDArray[np.intp] = at_peak[np.diff(bins[at_peak], prepend=-1) > 0]  # the first of equals
    return chosen


def _windowed(samples: SampleArray) -> tuple[npt.NDArray[np.complex64], DoubleArray]:
    """rfft of the Hann-windowed blocks, mean removed, and the factor (n,) that brings them to their size.

    Rows with a sample that is not finite are NaN.
    """
    x = np.empty(samples.shape, dtype=np.float32)
    centred = centre(samples, x)
    x *= hann(samples.shape[1])
    lines = np.fft.rfft(x, axis=1).astype(np.complex64, copy=False)  # see `windows.half_spectrum`
    lines[centred.bad] = np.nan
    return lines, centred.factor
