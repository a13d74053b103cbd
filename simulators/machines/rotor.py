"""Forces that turn with the shaft, and how the housing answers: a mass on a damped spring, in closed form."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .shaft import Singles, Turning, Wheel


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


def tuned_hz(support: Support, speed_hz: float, times: float) -> float:
    """Natural frequency at which the same mass would answer `times` as much to its unbalance at `speed_hz`.

    r²/|1 - r²| is the answer without damping; a support tuned below the speed stays below it.
    """
    r2 = (speed_hz / support.natural_hz) ** 2
    if r2 == 1:
        return support.natural_hz
    wanted = times * r2 / abs(1 - r2)
    return speed_hz / math.sqrt(wanted / (wanted + 1) if r2 < 1 else wanted / (wanted - 1))


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


@dataclass(frozen=True, slots=True)
class OrderMotion:
    """A motion of `velocity_mm_s` RMS at a multiple of the shaft's speed, in the phase of the shaft."""

    order: float
    velocity_mm_s: float
    phase: float = 0.0


LOOSE_ORDERS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0)
LOOSE_SHARES = (0.45, 0.75, 0.3, 0.55, 0.2, 0.45, 0.35, 0.3, 0.2)
"""A rotor that knocks in its fit: its motion is cut off once a turn, and once in two turns."""


def looseness(velocity_mm_s: float) -> tuple[OrderMotion, ...]:
    """A rotor loose in its fit, `velocity_mm_s` RMS over all its orders."""
    whole = math.sqrt(sum(share * share for share in LOOSE_SHARES))
    return tuple(
        OrderMotion(order, velocity_mm_s * share / whole, 1.3 * order)
        for order, share in zip(LOOSE_ORDERS, LOOSE_SHARES, strict=True)
    )


def phasors(
    hz: float, forces: Sequence[OrderForce], motions: Sequence[OrderMotion], support: Support
) -> dict[float, complex]:
    """Acceleration by order, m/s² peak: what a support makes of its forces, and motions that are given."""
    out: dict[float, complex] = {}
    for force in forces:
        w = 2 * math.pi * force.order * hz
        felt = -w * w * support.receptance(force.order * hz) * force.newtons
        out[force.order] = out.get(force.order, 0j) + felt * complex(
            math.cos(force.phase), math.sin(force.phase)
        )
    for motion in motions:
        peak = motion.velocity_mm_s * 1e-3 * math.sqrt(2) * 2 * math.pi * motion.order * hz
        out[motion.order] = out.get(motion.order, 0j) + peak * complex(
            math.cos(motion.phase), math.sin(motion.phase)
        )
    return out


HIGHEST_MULTIPLE = 12
"""Up to which an order is taken as a multiple of another: one cosine serves them all."""


def families(orders: Collection[float]) -> dict[float, dict[int, float]]:
    """Orders by the lowest that each is a whole multiple of: {lowest: {multiple: order}}."""
    found: dict[float, dict[int, float]] = {}
    for order in sorted(orders):
        for base, multiples in found.items():
            ratio = order / base
            if abs(ratio - round(ratio)) < 1e-9 and ratio < HIGHEST_MULTIPLE + 0.5:
                multiples[round(ratio)] = order
                break
        else:
            found[order] = {1: order}
    return found


def acceleration(turning: Turning, directions: Sequence[dict[float, complex]]) -> Singles:
    """What each direction feels of its phasors, (directions, n) m/s².

    The amplitude is that of the block's mean speed, the phase follows the angle of every sample: speed
    wanders by tenths of a percent within a block, far slower than the support settles.
    """
    out = np.zeros((len(directions), turning.theta.size), dtype=np.float32)
    heard = 0.45 * turning.fs_hz
    orders = {o for one in directions for o in one if o * turning.mean_hz < heard}
    for base, multiples in families(orders).items():
        wheel = turning.wheel(base)
        for k, one in enumerate(directions):
            out[k] += harmonics(wheel, {m: one.get(o, 0j) for m, o in multiples.items()}).real
    return out


def harmonics(wheel: Wheel, phasors_: Mapping[int, complex]) -> Wheel:
    """Sum of phasor_k wheel^k over the multiples k, (n,), by Horner's rule."""
    top = max(phasors_)
    total = np.full(wheel.size, phasors_[top], dtype=np.complex64)
    for k in range(top - 1, -1, -1):
        total *= wheel
        phasor = phasors_.get(k, 0j)
        if phasor:
            total += np.complex64(phasor)
    return total
