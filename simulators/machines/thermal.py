"""How warm a housing is: friction heats it, the air cools it, and its mass makes that slow."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulators.draws import Floats

from .shaft import Wander

DAY_S = 86400.0
YEAR_S = 365.25 * DAY_S
HOTTEST_S = 205 * DAY_S  # the 25th of July

STEPS_PER_TAU = 40
MEMORY_TAU = 8
WEATHER = Wander(sd=1.5, tau_s=2 * DAY_S)


@dataclass(frozen=True, slots=True)
class Air:
    """The air around a machine: a mean in °C, a daily swing (warmest at 15 h UTC), a season and the weather.

    10 K between night and day, 12 K between winter and summer: a hall in inland Morocco.
    """

    mean_c: float = 24.0
    swing_c: float = 5.0
    season_c: float = 6.0
    weather: Wander = WEATHER

    def at(self, times_s: Floats, key: int) -> Floats:
        """Temperatures in °C at times in seconds since 1970 UTC, ascending."""
        day = np.cos(2 * math.pi * (times_s / DAY_S - 15 / 24))
        year = np.cos(2 * math.pi * (times_s - HOTTEST_S) / YEAR_S)
        return np.asarray(
            self.mean_c + self.swing_c * day + self.season_c * year + self.weather.at(times_s, key)
        )


@dataclass(frozen=True, slots=True)
class Housing:
    """C dT/dt = P - hA (T - T_air), divided by hA: `rise_k` is P/hA when nominal, `tau_s` C/hA."""

    rise_k: float
    tau_s: float

    def settled(self, air_c: Floats, *, speed: Floats, load: Floats, friction: Floats) -> Floats:
        """Temperature that would be reached, °C. Half of the friction needs no load (seals, churning)."""
        return np.asarray(air_c + self.rise_k * speed * (0.5 + 0.5 * load) * friction)

    def at(self, seconds: float, settled: Callable[[Floats], Floats]) -> float:
        """Temperature at an instant, °C, from where it was heading over the last eight time constants.

        Exact for a heading that is a straight line between the points of a grid which does not move with the
        instant: so the temperature is a continuous function of time.
        """
        step = self.tau_s / STEPS_PER_TAU
        last = math.floor(seconds / step)
        grid: Floats = np.arange(last - MEMORY_TAU * STEPS_PER_TAU, last + 2, dtype=np.float64) * step
        heading = settled(grid)
        keep = math.exp(-1 / STEPS_PER_TAU)
        held, gained = _weights(1.0)
        gains = held * heading[:-2] + gained * heading[1:-1]
        ages = np.arange(gains.size - 1, -1, -1)
        weights = keep**ages
        before = float((gains * weights).sum() / (weights * (1 - keep)).sum())
        part = seconds / step - last
        held, gained = _weights(part)
        now = heading[-2] + (heading[-1] - heading[-2]) * part
        return before * math.exp(-part / STEPS_PER_TAU) + float(held * heading[-2] + gained * now)


def _weights(part: float) -> tuple[float, float]:
    """What the values at the start and at the end of a `part` of a step add, for a straight line between."""
    x = part / STEPS_PER_TAU
    if x < 1e-9:
        return 0.0, 0.0
    lost = 1 - math.exp(-x)
    at_end = 1 - lost / x
    return lost - at_end, at_end
