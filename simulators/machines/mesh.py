"""What passes by: gear teeth, fan blades, pump vanes, cutter teeth."""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

import numpy as np

from simulators.draws import Floats

from .rotor import harmonics
from .shaft import Singles, Turning
from .structure import Impulses

TORQUE_EXPONENT = 0.8  # mesh amplitude grows a little slower than the torque: the teeth bend into contact
HARMONICS = (1.0, 0.45, 0.2)  # shares of 1, 2 and 3 times the mesh of a sound pair
NYQUIST_SHARE = 0.45
"""Lines above this share of the sampling rate are left out: the converter's filter takes them away."""


@dataclass(frozen=True, slots=True)
class Mesh:
    """A gear pair as it sounds: its first mesh line at nominal torque, mm/s RMS, and its modulation.

    `amplitude_modulation` and `phase_modulation` (rad) are by the driving shaft, `driven_modulation` by the
    driven one: their run-outs.
    """

    velocity_mm_s: float
    amplitude_modulation: float = 0.08
    phase_modulation: float = 0.05
    driven_modulation: float = 0.04


@dataclass(frozen=True, slots=True)
class Teeth:
    """How far the teeth of a pair are from sound, each 0..1."""

    wear: float = 0.0
    crack: float = 0.0
    misaligned: float = 0.0


SOUND = Teeth()


def gear_mesh(
    mesh: Mesh,
    teeth: float,
    turning: Turning,
    *,
    torque: Singles | float,
    condition: Teeth = SOUND,
    ratio: float = 0.0,
) -> Singles:
    """Sum of A_k (1 + m cos θ_1 + m' cos θ_2) cos(k z θ_1 + β sin θ_1), (n,) m/s², A following torque^0.8.

    `turning` is the driving shaft, `ratio` the driven one's speed over it (0: not known). Wear raises the
    second and third harmonic and the modulation; misaligned teeth raise the second alone; a cracked tooth
    gives way once a turn.
    """
    first_hz = teeth * turning.mean_hz
    out = np.zeros(turning.theta.size, dtype=np.float32)
    if first_hz <= 0:
        return out
    peak = mesh.velocity_mm_s * 1e-3 * math.sqrt(2) * 2 * math.pi * first_hz
    wear = condition.wear
    lines: dict[int, complex] = {}
    for k, share in enumerate(HARMONICS, start=1):
        if k * first_hz < NYQUIST_SHARE * turning.fs_hz:
            grown = share * (1 + (1.5 + (k - 1) * 2.5) * wear)
            lines[k] = complex(peak * (grown + (2.6 * condition.misaligned if k == 2 else 0.0)))
    if not lines:
        return out
    shaft = turning.wheel(1.0)
    cos, slow = shaft.real, np.float32(mesh.phase_modulation * (1 + 6 * wear)) * shaft.imag
    carrier = harmonics(turning.wheel(teeth), lines)
    out += carrier.real * np.cos(slow)
    out -= carrier.imag * np.sin(slow)
    depth = 1 + np.float32(mesh.amplitude_modulation + 0.6 * wear) * cos
    if ratio:
        depth += np.float32(mesh.driven_modulation + 0.25 * wear) * turning.cos(ratio)
    if condition.crack:
        depth -= np.float32(0.7 * condition.crack) * np.exp(np.float32(40.0) * (cos - 1))
    out *= depth
    out *= np.maximum(np.float32(torque), np.float32(0)) ** np.float32(TORQUE_EXPONENT)
    return out


def tooth_strikes(height_m_s2: float, turning: Turning, rng: np.random.Generator) -> Impulses:
    """A cracked or broken tooth strikes once a turn of its wheel, always at the same angle."""
    first, last = float(turning.theta[0]), float(turning.theta[-1])
    turns = np.arange(math.ceil(first / (2 * math.pi)), math.floor(last / (2 * math.pi)) + 1)
    angles: Floats = 2 * math.pi * turns.astype(np.float64)
    angles = angles[(angles >= first) & (angles < last)]
    times = np.interp(angles, turning.theta, np.arange(turning.theta.size) / turning.fs_hz)
    return Impulses(times, height_m_s2 * (1 + 0.1 * rng.standard_normal(times.size)))


def passing(
    velocity_mm_s: float, blades: float, turning: Turning, harmonics_: tuple[float, ...] = (1.0,)
) -> Singles:
    """Blades passing a tongue: lines at blades x speed, the first of `velocity_mm_s` RMS, (n,) m/s²."""
    lines: dict[int, complex] = {}
    for k, share in enumerate(harmonics_, start=1):
        hz = k * blades * turning.mean_hz
        if share and hz < NYQUIST_SHARE * turning.fs_hz:
            peak = velocity_mm_s * share * 1e-3 * math.sqrt(2) * 2 * math.pi * hz
            lines[k] = cmath.rect(peak, 0.7 * k)
    if not lines:
        return np.zeros(turning.theta.size, dtype=np.float32)
    return np.asarray(harmonics(turning.wheel(blades), lines).real)
