"""The time base: how fast a shaft turns, and by which angle it has turned at each sample."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulators.draws import Floats, normals

Singles = npt.NDArray[np.float32]
"""Samples: 24 bits of mantissa are more than any converter has, and half the memory of doubles."""

Wheel = npt.NDArray[np.complex64]
"""e^(iθ) of every sample: its powers are the harmonics."""

KNOTS = 33
"""Points at which speed and load inside a block are known: they move within tenths of seconds."""

STEPS_PER_TAU = 8
MEMORY = 64
"""Steps after which an Ornstein-Uhlenbeck process has forgotten: e^-8 of a draw is left."""


@dataclass(frozen=True, slots=True)
class Wander:
    """An Ornstein-Uhlenbeck process around 0: standard deviation `sd` (relative), memory `tau_s` seconds."""

    sd: float
    tau_s: float

    def at(self, times_s: Floats, key: int) -> Floats:
        """Its values at `times_s` (ascending), whatever was asked before: the draws are those of `key`.

        Exact on a grid of an eighth of the memory (Gillespie, Phys. Rev. E 54 (1996) 2084, eq. 3.1), with
        straight lines between.
        """
        if self.sd == 0 or times_s.size == 0:
            return np.zeros(times_s.size)
        step = self.tau_s / STEPS_PER_TAU
        first = math.floor(float(times_s[0]) / step)
        last = math.floor(float(times_s[-1]) / step) + 1
        keep = math.exp(-1 / STEPS_PER_TAU)
        kicks = normals(key, np.arange(first - MEMORY, last + 1)) * math.sqrt(1 - keep * keep)
        values = np.convolve(kicks, keep ** np.arange(MEMORY + 1), mode="valid")
        return self.sd * np.interp(times_s / step - first, np.arange(values.size), values)


@dataclass(frozen=True, slots=True, eq=False)
class Turning:
    """A shaft during one block: `theta` (n,) rad, and its mean speed."""

    theta: Floats
    mean_hz: float
    fs_hz: float

    @property
    def seconds(self) -> float:
        """Length of the block."""
        return self.theta.size / self.fs_hz

    def geared(self, order: float) -> Turning:
        """A shaft that is driven at `order` times this one's speed."""
        return self if order == 1.0 else Turning(self.theta * order, self.mean_hz * order, self.fs_hz)

    def cos(self, order: float, shift: float = 0.0) -> Singles:
        """cos(order θ + shift), (n,) single precision of an angle that was wrapped in double precision."""
        return np.cos(self._wrapped(order, shift))

    def wheel(self, order: float) -> Wheel:
        """e^(i order θ), (n,)."""
        angle = self._wrapped(order, 0.0)
        out = np.empty(angle.size, dtype=np.complex64)
        np.cos(angle, out=out.real)
        np.sin(angle, out=out.imag)
        return out

    def _wrapped(self, order: float, shift: float) -> Singles:
        turns = self.theta * (order / (2 * math.pi))
        turns -= np.floor(turns)
        angle = turns.astype(np.float32)
        angle *= np.float32(2 * math.pi)
        angle += np.float32(shift)
        return angle


def turn(speeds_hz: Floats, *, phase: float, n: int, fs_hz: float) -> Turning:
    """One block of `n` samples of a shaft whose speed is known at KNOTS points from its start to its end."""
    at = np.arange(n) * ((speeds_hz.size - 1) / n)
    theta = np.cumsum(np.interp(at, np.arange(speeds_hz.size), speeds_hz))
    mean_hz = float(theta[-1]) / n
    theta *= 2 * math.pi / fs_hz
    theta += phase
    return Turning(theta, mean_hz, fs_hz)
