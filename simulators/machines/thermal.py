"""How warm a housing is: friction heats it, the air cools it, and its mass makes that slow."""

from __future__ import annotations

import math
from dataclasses import dataclass

DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Air:
    """The air around a machine: a mean in °C and a daily swing, warmest at 15 h UTC."""

    mean_c: float = 24.0
    swing_c: float = 5.0

    def at(self, seconds: float) -> float:
        """Temperature in °C at `seconds` since 1970 UTC."""
        return self.mean_c + self.swing_c * math.cos(2 * math.pi * (seconds / DAY_S - 15 / 24))


@dataclass(frozen=True, slots=True)
class Housing:
    """C dT/dt = P - hA (T - T_air), divided by hA: `rise_k` is P/hA when nominal, `tau_s` C/hA."""

    rise_k: float
    tau_s: float

    def settled(self, air_c: float, *, speed: float, load: float, friction: float) -> float:
        """Temperature that would be reached, °C. Half of the friction needs no load (seals, churning)."""
        return air_c + self.rise_k * speed * (0.5 + 0.5 * load) * friction

    def step(self, now_c: float, settled_c: float, seconds: float) -> float:
        """Temperature `seconds` later, °C; exact while the conditions hold."""
        return settled_c + (now_c - settled_c) * math.exp(-seconds / self.tau_s)
