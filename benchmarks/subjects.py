"""The windows that are benched: made from a seed, so that every run and every machine has the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.types import STANDARD_GRAVITY_M_S2

FS_HZ: Final = 25_600.0
SCALE: Final = 1 / 600
"""m/s² of a count: gaussian noise of 1 m/s² fills some 600 counts, as an accelerometer of ±50 m/s² does."""

ORDERS: Final = (3.585, 5.415, 2.357, 0.398)
"""Of a 6205: nine balls of 7.94 mm on a pitch circle of 39.04 mm."""

_SEED: Final = 20816
_RESONANCE_HZ: Final = 4000.0

Counts = npt.NDArray[np.int16]
Blocks = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Machine:
    """What is known of a machine beside its samples; `kinematics` by the names of `Kinematics`."""

    speed_hz: float
    kinematics: Mapping[str, float]


SPINDLE: Final = Machine(
    165.0,
    {
        "mesh_order": 17.0,
        "driving_order": 1.0,
        "driven_order": 0.6,
        "vane_order": 5.0,
        "belt_order": 0.35,
        "supply_hz": 50.0,
        "pole_pass_hz": 1.4,
    },
)
"""26 turns and 10 of the cage in 0.16 s: about the slowest whose defects are searched in 4,096 samples."""

SLOW_SPINDLE: Final = Machine(82.0, SPINDLE.kinematics)
"""The core set in 4,096 samples: five lines of the cage fit in, three of the inner ring end below 1500 Hz."""

MOTOR: Final = Machine(
    24.65,
    {
        "mesh_order": 23.0,
        "driving_order": 1.0,
        "driven_order": 23 / 41,
        "vane_order": 5.0,
        "belt_order": 0.4,
        "supply_hz": 50.0,
        "pole_pass_hz": 1.4,
    },
)
"""Four poles at 1479 r/min: slip and pole pass stand clear of the orders in the 4 s of 102,400 samples."""


def blocks(windows: int, n_samples: int, machine: Machine) -> Blocks:
    """Windows (windows, n_samples) in m/s²: noise, the shaft, and an outer ring that rings at 4 kHz."""
    x = np.random.default_rng(_SEED).standard_normal((windows, n_samples), dtype=np.float32)
    x += _tone(n_samples, machine.speed_hz) + _impacts(n_samples, ORDERS[0] * machine.speed_hz)
    return x


def counts(x: Blocks) -> Counts:
    """The same as a converter of 16 bits gives them: `SCALE` m/s² a count."""
    limits = np.iinfo(np.int16)
    whole: Blocks = np.rint(x / np.float32(SCALE)).clip(limits.min, limits.max)
    return whole.astype(np.int16)


def kinds(n_samples: int, machine: Machine) -> dict[str, tuple[Blocks | Counts, float]]:
    """One window (1, n_samples) of each kind that arithmetic in float32 could find hard, and its scale."""
    noise = np.random.default_rng(_SEED).standard_normal((1, n_samples), dtype=np.float32)
    tone = _tone(n_samples, machine.speed_hz)
    impulsive = noise + 10 * _impacts(n_samples, ORDERS[1] * machine.speed_hz)
    return {
        "noise": (noise, 1.0),
        "tone, noise 60 dB below": (math.sqrt(2) * 1e3 * tone + noise, SCALE),
        "impulsive": (impulsive, 1.0),
        "1 g of offset": (noise + np.float32(STANDARD_GRAVITY_M_S2), 1.0),
        "int16 counts": (counts(blocks(1, n_samples, machine)), SCALE),
    }


def _tone(n_samples: int, frequency_hz: float) -> Blocks:
    wave: npt.NDArray[np.float64] = np.sin(2 * np.pi * frequency_hz / FS_HZ * np.arange(n_samples))
    return wave.astype(np.float32)


def _impacts(n_samples: int, rate_hz: float) -> Blocks:
    """Bursts that start at `rate_hz` and ring for a millisecond."""
    since = np.arange(n_samples) / FS_HZ % (1 / rate_hz)
    ring: npt.NDArray[np.float64] = 3 * np.exp(-since / 1e-3) * np.sin(2 * np.pi * _RESONANCE_HZ * since)
    return ring.astype(np.float32)
