"""The time base: how fast a shaft turns, and by which angle it has turned at each sample."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

KNOTS = 33
"""Points at which the speed inside a block is drawn: it wanders within seconds, not within samples."""


@dataclass(frozen=True, slots=True)
class Wander:
    """An Ornstein-Uhlenbeck process around 0: standard deviation `sd` (relative), memory `tau_s` seconds."""

    sd: float
    tau_s: float

    def step(self, value: float, seconds: float, rng: np.random.Generator) -> float:
        """The value `seconds` later; exact for any step (Gillespie, Phys. Rev. E 54 (1996) 2084, eq. 3.1)."""
        keep = math.exp(-seconds / self.tau_s)
        return value * keep + self.sd * math.sqrt(1 - keep * keep) * float(rng.standard_normal())


@dataclass(frozen=True, slots=True, eq=False)
class Turning:
    """A shaft during one block: `theta` (n,) rad since the block's start, plus the phase it started with."""

    theta: Floats
    mean_hz: float
    fs_hz: float

    def geared(self, order: float) -> Turning:
        """A shaft that is driven at `order` times this one's speed."""
        return self if order == 1.0 else Turning(self.theta * order, self.mean_hz * order, self.fs_hz)


def turn(
    nominal_hz: float,
    wander: Wander,
    deviation: float,
    *,
    n: int,
    fs_hz: float,
    rng: np.random.Generator,
) -> tuple[Turning, float]:
    """One block of `n` samples of a shaft of `nominal_hz`, and the deviation of its speed at the end.

    The phase at the start is drawn: between two blocks the shaft made many turns at a wandering speed.
    """
    seconds = n / fs_hz
    knots = np.empty(KNOTS)
    knots[0] = deviation
    for k in range(1, KNOTS):
        knots[k] = wander.step(float(knots[k - 1]), seconds / (KNOTS - 1), rng)
    at = np.arange(n) / fs_hz
    speed_hz = nominal_hz * (1 + np.interp(at, np.linspace(0, seconds, KNOTS), knots))
    theta = np.cumsum(speed_hz)
    theta *= 2 * math.pi / fs_hz
    theta += float(rng.uniform(0, 2 * math.pi))
    return Turning(theta, float(speed_hz.mean()), fs_hz), float(knots[-1])
