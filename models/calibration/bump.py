"""The bump test: knocks on a standing machine make its housing ring. Where it rings, bearings are heard.

What lies below the resonances of housings (hum, a bias that settles, a machine that sways on its rubber) is
taken out. Each knock is cut out, from just before its peak on; its spectrum is taken at unit energy, so that
a hard knock counts as much as a soft one, and the mean of all is searched. A resonance is believed that at
least three knocks, and half of all, agree upon.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from .refusal import CalibrationError

Array = npt.NDArray[np.float64]

LOWEST_HZ: Final = 500.0
"""Below it machines bend as a whole; no envelope is taken there (it would hold the shaft's own lines)."""

USABLE: Final = 1 / 2.56
"""What the anti-aliasing filter leaves of the rate."""

LEAST_KNOCKS: Final = 3
KNOCK: Final = 20.0
"""Times the median of |x|: noise stays below 7 in a second of samples, a knock that rings is far above."""

APART_S: Final = 0.1
BEFORE_S: Final = 0.001
LENGTH_S: Final = 0.1  # 10 Hz a line; housings ring for 5-30 ms
FADE_S: Final = 0.05  # of a drift that ends at another level than it began: its step would ring
AGREE: Final = 0.05
"""Knocks on different places move the strongest line of one resonance by a few percent."""

WIDE: Final = 5
"""Times the inner ring's frequency, plus two speeds: so wide a band holds the harmonics of a defect."""

NARROW: Final = 3  # times the same: less is not worth demodulating


@dataclass(frozen=True, slots=True)
class Bump:
    """`damping` is the share of the critical one, by the half-power width; `knocks` of the `found` agreed."""

    frequency_hz: float
    damping: float
    knocks: int
    found: int


def resonance(samples_m_s2: npt.ArrayLike, fs_hz: float, *, usable_hz: float = np.inf) -> Bump:
    """Where one channel (n,) rings. Nothing above `usable_hz` (mounting, sensor) is looked at.

    Raises CalibrationError for too few knocks, knocks that disagree, and samples that can't be meant.
    """
    x = np.asarray(samples_m_s2, dtype=np.float64)
    if x.ndim != 1 or not np.isfinite(x).all():
        raise CalibrationError(f"the samples must be one channel of finite numbers, got shape {x.shape}")
    x = _above(x - np.median(x), fs_hz)
    highest = min(usable_hz, USABLE * fs_hz)
    if highest <= 2 * LOWEST_HZ:
        raise CalibrationError(
            f"only {highest:.0f} Hz are usable (rate, mounting): resonances of housings lie above; take a "
            "higher rate or mount the sensor by a stud"
        )
    starts = _knocks(x, fs_hz)
    if len(starts) < LEAST_KNOCKS:
        raise CalibrationError(
            f"{len(starts)} knocks were found, {LEAST_KNOCKS} are needed: knock beside the sensor with a "
            "small hammer, a second apart, while the machine stands still"
        )
    freq_hz, spectra = _spectra(x, fs_hz, starts)
    inside = (freq_hz >= LOWEST_HZ) & (freq_hz <= highest)
    freq_hz, spectra = freq_hz[inside], spectra[:, inside]
    mean = spectra.mean(axis=0)
    peak = int(mean.argmax())
    own = freq_hz[spectra.argmax(axis=1)]
    agree = np.abs(own / freq_hz[peak] - 1) <= AGREE
    if agree.sum() < max(LEAST_KNOCKS, len(starts) / 2):
        rings = ", ".join(f"{one:.0f}" for one in np.sort(own))
        raise CalibrationError(
            f"the knocks disagree: they ring at {rings} Hz; knock at one place, near the sensor, "
            "and look that it sits tight"
        )
    return Bump(float(freq_hz[peak]), _damping(freq_hz, mean, peak), int(agree.sum()), len(starts))


def demodulation_band(
    bump: Bump,
    *,
    fs_hz: float,
    usable_hz: float = np.inf,
    bpfi_hz: float | None = None,
    speed_hz: float = 0.0,
) -> tuple[float, float]:
    """The band in Hz to demodulate around a resonance.

    As wide as the harmonics of the inner ring need, where its frequency at full speed is known; else an
    octave. Moved down where the usable range ends. Raises CalibrationError where what is left is too narrow.
    """
    wanted = bump.frequency_hz * (2**0.5 - 2**-0.5) if bpfi_hz is None else WIDE * bpfi_hz + 2 * speed_hz
    highest = min(usable_hz, USABLE * fs_hz)
    high = min(bump.frequency_hz + wanted / 2, highest)
    low = max(high - wanted, LOWEST_HZ)
    if bpfi_hz is not None and high - low < NARROW * bpfi_hz:
        raise CalibrationError(
            f"between {low:.0f} and {high:.0f} Hz there is no room for {NARROW} harmonics of the inner ring "
            f"({bpfi_hz:.0f} Hz): leave the band to Palier"
        )
    return float(low), float(high)


def _above(x: Array, fs_hz: float) -> Array:
    """What lies above `LOWEST_HZ`; the ends, where no knock is looked for, are faded."""
    edge = min(round(FADE_S * fs_hz), x.size // 2)
    if edge:
        fade = np.sin(np.linspace(0.0, np.pi / 2, edge)) ** 2
        x[:edge] *= fade
        x[-edge:] *= fade[::-1]
    lines = np.fft.rfft(x)
    lines[: int(LOWEST_HZ * x.size / fs_hz)] = 0
    return np.asarray(np.fft.irfft(lines, x.size), dtype=np.float64)


def _knocks(x: Array, fs_hz: float) -> npt.NDArray[np.intp]:
    """First samples of knocks that end before the samples do; one too close behind another is left out."""
    size = np.abs(x)
    floor = float(np.median(size))
    over = np.flatnonzero(size > max(KNOCK * floor, 0.1 * size.max(initial=0.0)))
    if not over.size or size.max() <= KNOCK * floor:
        return np.empty(0, dtype=np.intp)
    first = over[np.concatenate([[True], np.diff(over) > APART_S * fs_hz])]
    starts: npt.NDArray[np.intp] = first - round(BEFORE_S * fs_hz)
    whole = (starts >= 0) & (starts + round(LENGTH_S * fs_hz) <= x.size)
    return np.asarray(starts[whole])


def _spectra(x: Array, fs_hz: float, starts: npt.NDArray[np.intp]) -> tuple[Array, Array]:
    """Power spectra (n_knocks, n_lines) at unit energy each."""
    n = round(LENGTH_S * fs_hz)
    cut = x[starts[:, None] + np.arange(n)]
    # Falls to 1 % at the end, so that what has not died away does not leak; its own width is 7 Hz.
    faded = cut * np.exp(np.linspace(0.0, np.log(0.01), n))
    power = np.asarray(np.abs(np.fft.rfft(faded, axis=1)) ** 2, dtype=np.float64)
    power /= power.sum(axis=1, keepdims=True)
    freq_hz = np.arange(power.shape[1], dtype=np.float64) * (fs_hz / n)
    return freq_hz, power


def _damping(freq_hz: Array, power: Array, peak: int) -> float:
    """Half-power width over twice the frequency; the resolution is the least that can be told."""
    half = power[peak] / 2
    low = peak
    while low > 0 and power[low - 1] > half:
        low -= 1
    high = peak
    while high < power.size - 1 and power[high + 1] > half:
        high += 1
    return float((freq_hz[high] - freq_hz[low] + freq_hz[1] - freq_hz[0]) / (2 * freq_hz[peak]))
