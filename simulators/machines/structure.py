"""What lies between a force and a sensor: modes of the housing that ring, and the foot of the sensor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from simulators.draws import Floats

from .shaft import Singles

Lines = npt.NDArray[np.complex64]


@dataclass(frozen=True, slots=True)
class Resonance:
    """A structural mode that impulses excite: natural frequency in Hz, damping ratio, and its share."""

    natural_hz: float
    damping: float
    share: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Impulses:
    """Strikes at `times_s` within a block, `heights` in m/s² of the peak of what rings (without damping)."""

    times_s: Floats
    heights: Floats


MOUNTINGS: Final = {"stud": (32_000.0, 0.05), "glue": (28_000.0, 0.05), "magnet": (11_000.0, 0.08)}
HANDHELD: Final = (2_800.0, 0.15)
"""Resonance of a sensor on its foot, Hz, and damping: what is held by hand follows to 1 kHz, a stud to 10."""

RIGID_BELOW: Final = 0.3
"""Share of a mode's frequency far below which it hardly accelerates any more."""

LOOSE_HZ: Final = 1_300.0
LOOSE_DAMPING: Final = 0.12


def deposit(impulses: Impulses, *, n: int, fs_hz: float) -> Singles:
    """Impulses as a force on the grid of samples, (n,): each is shared by its two neighbours.

    `modes` divides by the spectrum of this sharing. What falls beyond the end wraps to the start, as the FFT
    does with what still rings at the end: so a block begins in the middle of things.
    """
    at = impulses.times_s * fs_hz
    first = np.floor(at).astype(np.int64)
    part = at - first
    force = np.bincount(first % n, impulses.heights * (1 - part), minlength=n)
    force += np.bincount((first + 1) % n, impulses.heights * part, minlength=n)
    return force.astype(np.float32)


@lru_cache(maxsize=16)
def modes(modes_: tuple[Resonance, ...], n: int, fs_hz: float) -> Lines:
    """Spectrum that turns deposited impulses into the sum of share · e^(-zeta w t) sin(w_d t), (n/2+1,).

    Far below its frequency a mode hardly accelerates: what the formula has there is taken out.
    """
    f = np.fft.rfftfreq(n, 1 / fs_hz)
    s = 2j * math.pi * f
    out = np.zeros(f.size, dtype=np.complex128)
    for mode in modes_:
        w = 2 * math.pi * mode.natural_hz
        w_d = w * math.sqrt(1 - mode.damping**2)
        rung = mode.share * w_d / ((s + mode.damping * w) ** 2 + w_d * w_d)
        out += rung / (1 + (RIGID_BELOW * mode.natural_hz / np.maximum(f, f[1])) ** 4)
    lines: Lines = (out / np.sinc(f / fs_hz) ** 2 * fs_hz).astype(np.complex64)
    lines.flags.writeable = False
    return lines


@lru_cache(maxsize=16)
def ringing(modes_: tuple[Resonance, ...], n: int, fs_hz: float) -> float:
    """RMS of what white noise of unit mean square makes of the modes."""
    return math.sqrt(float(np.mean(np.abs(modes(modes_, n, fs_hz)) ** 2)))


@lru_cache(maxsize=16)
def mounted(mounting: str, n: int, fs_hz: float) -> Singles:
    """Gain of a sensor's foot at each line, (n/2+1,), 1 at low frequencies."""
    natural_hz, damping = MOUNTINGS.get(mounting, HANDHELD)
    return _gain(np.fft.rfftfreq(n, 1 / fs_hz), natural_hz, damping)


def loosened(n: int, fs_hz: float, amount: float) -> Singles:
    """Gain of a foot that has worked loose, (n/2+1,): a new resonance above 1 kHz, and little beyond it."""
    f = np.fft.rfftfreq(n, 1 / fs_hz)
    return np.asarray((1 - amount) + amount * _gain(f, LOOSE_HZ, LOOSE_DAMPING), dtype=np.float32)


def _gain(f_hz: npt.NDArray[np.floating], natural_hz: float, damping: float) -> Singles:
    r = f_hz / natural_hz
    return np.asarray(1 / np.sqrt((1 - r * r) ** 2 + (2 * damping * r) ** 2), dtype=np.float32)


def spectrum(waves: Sequence[Singles]) -> Lines:
    """FFT of the sum of some waves of one length, (n/2+1,) single precision."""
    whole = waves[0] if len(waves) == 1 else np.sum(waves, axis=0, dtype=np.float32)
    return np.asarray(np.fft.rfft(whole), dtype=np.complex64)
