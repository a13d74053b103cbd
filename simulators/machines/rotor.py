"""Forces that turn with the shaft, and how the housing answers: a mass on a damped spring, in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .shaft import Floats, Turning


@dataclass(frozen=True, slots=True)
class Support:
    """A rotor in its support, in one direction: mass in kg, natural frequency in Hz, damping ratio."""

    mass_kg: float
    natural_hz: float
    damping: float

    def receptance(self, hz: float) -> complex:
        """Displacement for one newton at `hz`, m/N; its angle is the lag (one degree of freedom)."""
        r = hz / self.natural_hz
        stiffness = self.mass_kg * (2 * math.pi * self.natural_hz) ** 2
        return 1 / (stiffness * complex(1 - r * r, 2 * self.damping * r))


def unbalance_velocity_mm_s(support: Support, unbalance_kg_m: float, speed_hz: float) -> float:
    """Velocity of the housing under a rotating unbalance, mm/s RMS.

    X = (m e / M) r² / sqrt((1 - r²)² + (2 zeta r)²), the closed form that the blocks are tested against.
    """
    w = 2 * math.pi * speed_hz
    return abs(support.receptance(speed_hz)) * unbalance_kg_m * w * w * w / math.sqrt(2) * 1e3


@dataclass(frozen=True, slots=True)
class OrderForce:
    """A force of `newtons` peak at a multiple of the shaft's speed, leading the shaft by `phase` rad."""

    order: float
    newtons: float
    phase: float = 0.0


def unbalance(unbalance_kg_m: float, speed_hz: float) -> OrderForce:
    """The centrifugal force of an unbalance in kg·m."""
    return OrderForce(1.0, unbalance_kg_m * (2 * math.pi * speed_hz) ** 2)


MISALIGNMENT = ((1.0, 0.6), (2.0, 1.0), (3.0, 0.35))
"""Orders of a misaligned coupling and their shares: 2x above 1x, some 3x, as analysts are taught."""


def misalignment(newtons: float, torque: float) -> tuple[OrderForce, ...]:
    """The forces of a misaligned coupling; they follow the torque (1 = nominal)."""
    return tuple(OrderForce(order, newtons * share * torque, 0.7 * order) for order, share in MISALIGNMENT)


def acceleration(
    turning: Turning, forces: Sequence[Sequence[OrderForce]], supports: Sequence[Support]
) -> Floats:
    """What each direction feels of its forces, (directions, n) m/s².

    The amplitude is that of the block's mean speed, the phase follows the angle of every sample: speed
    wanders by tenths of a percent within a block, far slower than the support settles.
    """
    orders = sorted({force.order for row in forces for force in row})
    out = np.zeros((len(supports), turning.theta.size))
    for order in orders:
        hz = order * turning.mean_hz
        square = (2 * math.pi * hz) ** 2
        phasors = [
            -square
            * support.receptance(hz)
            * sum(f.newtons * np.exp(1j * f.phase) for f in row if f.order == order)
            for row, support in zip(forces, supports, strict=True)
        ]
        angle = order * turning.theta
        out += np.outer(np.real(phasors), np.cos(angle)) - np.outer(np.imag(phasors), np.sin(angle))
    return out
