"""What passes by: gear teeth, fan blades, pump vanes, cutter teeth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .shaft import Floats, Turning

TORQUE_EXPONENT = 0.8  # mesh amplitude grows a little slower than the torque: the teeth bend into contact
HARMONICS = (1.0, 0.45, 0.2)  # shares of 1, 2 and 3 times the mesh of a sound pair


@dataclass(frozen=True, slots=True)
class Mesh:
    """A gear pair as it sounds: its first mesh line at nominal torque, mm/s RMS, and its modulation.

    `amplitude_modulation` and `phase_modulation` (rad) are by the driving shaft: its run-out.
    """

    velocity_mm_s: float
    amplitude_modulation: float = 0.08
    phase_modulation: float = 0.05


def gear_mesh(mesh: Mesh, teeth: float, turning: Turning, *, torque: float, wear: float) -> Floats:
    """Sum of A_k (1 + m cos θ) cos(k z θ + β sin θ), (n,) m/s²; lines above half the rate are left out.

    `wear` 0..1 raises the second and third harmonic and the modulation: worn flanks.
    """
    out = np.zeros_like(turning.theta)
    first_hz = teeth * turning.mean_hz
    amplitude = (
        mesh.velocity_mm_s
        * 1e-3
        * math.sqrt(2)
        * 2
        * math.pi
        * first_hz
        * max(torque, 0.0) ** TORQUE_EXPONENT
    )
    slow = mesh.phase_modulation * np.sin(turning.theta)
    for k, share in enumerate(HARMONICS, start=1):
        if k * first_hz < 0.45 * turning.fs_hz:
            grown = share * (1 + (k - 1) * 2 * wear)
            out += amplitude * grown * np.cos(k * teeth * turning.theta + slow)
    out *= 1 + (mesh.amplitude_modulation + 0.4 * wear) * np.cos(turning.theta)
    return out


def passing(velocity_mm_s: float, blades: int, turning: Turning) -> Floats:
    """Blades passing a tongue or a strut: a line of `velocity_mm_s` RMS at blades x speed, (n,) m/s²."""
    w = 2 * math.pi * blades * turning.mean_hz
    if blades * turning.mean_hz >= 0.45 * turning.fs_hz:
        return np.zeros_like(turning.theta)
    return velocity_mm_s * 1e-3 * math.sqrt(2) * w * np.cos(blades * turning.theta)
