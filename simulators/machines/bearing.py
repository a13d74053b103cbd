"""A rolling bearing's damage: impulses at the defect's order, with slip, that make the structure ring.

After McFadden & Smith, J. Sound Vib. 96 (1984) 69-82 (load zone and transmission) and Antoni & Randall,
J. Vib. Acoust. 125 (2003) 282-289 (slip as a random walk: the train is cyclostationary, not periodic).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from models.types import Bearing
from simulators.draws import Floats

from .shaft import Singles, Turning
from .structure import Impulses

SLIP = 0.01  # rolling elements lag pure rolling by 0.5-2 %
JITTER = 0.008  # sd of one spacing; 0.5-1 % in Antoni & Randall's own simulations
AMPLITUDE_SPREAD = 0.15  # no two strikes are alike
LOAD_ZONE = 0.5  # Stribeck's epsilon of a bearing with no clearance: half of the ring carries
PRELOADED = 2.0  # that of a pair of spindle bearings under preload: all of the ring carries
STRIBECK_BALL = 1.5
STRIBECK_ROLLER = 10 / 9
"""Exponent of the load distribution (Harris, Rolling Bearing Analysis)."""

SPALL_FROM = 0.35
"""Severity from which a spall is so long that its entry and its exit are two impulses."""


class Place(StrEnum):
    """Where a bearing is damaged."""

    OUTER = "outer_ring"
    INNER = "inner_ring"
    ROLLING = "rolling_element"
    CAGE = "cage"


@dataclass(frozen=True, slots=True)
class Spall:
    """What a severity does: peak of a strike under full load at severity 1, m/s², and how it grows and falls.

    A strike grows as severity^`growth`. Late, the edges are rolled smooth and the strikes get weaker by
    `smoothed`, while the whole ring rumbles: noise that comes and goes with the load, of RMS `rumble_m_s2`,
    as the cube of the severity. `load_zone` is Stribeck's epsilon.
    """

    strike_m_s2: float
    growth: float = 1.4
    smoothed: float = 0.4
    rumble_m_s2: float = 0.0
    load_zone: float = LOAD_ZONE

    def strike(self, severity: float) -> float:
        """Peak of a strike in the middle of the load zone, m/s²."""
        return self.strike_m_s2 * math.pow(severity, self.growth) * (1 - self.smoothed * severity**4)

    def rumble(self, severity: float) -> float:
        """RMS of the cyclostationary noise, m/s²."""
        return self.rumble_m_s2 * severity**3


def strikes(order: float, turning: Turning, rng: np.random.Generator) -> Floats:
    """Shaft angles at which the defect of that order is struck within the block, rad, ascending."""
    spacing = 2 * math.pi / order * (1 + SLIP)
    first, last = float(turning.theta[0]), float(turning.theta[-1])
    count = int((last - first) / (spacing * (1 - 5 * JITTER))) + 2
    steps = spacing * (1 + JITTER * rng.standard_normal(count))
    angles = first + spacing * float(rng.uniform()) + np.concatenate(([0.0], np.cumsum(steps)))
    return angles[angles < last]


def load_zone(angle: Floats, exponent: float = STRIBECK_BALL, epsilon: float = LOAD_ZONE) -> Floats:
    """Stribeck's load on a defect at `angle` rad from the load line, 0..1 of the greatest."""
    share: Floats = np.clip(1 - (1 - np.cos(angle)) / (2 * epsilon), 0.0, None) ** exponent
    return share


def weights(
    place: Place,
    bearing: Bearing,
    angles: Floats,
    rng: np.random.Generator,
    *,
    epsilon: float = LOAD_ZONE,
) -> Floats:
    """How hard each strike is, 1 = in the middle of the load zone.

    A spot on the fixed outer ring is loaded alike at each strike; one on the inner ring passes the load zone
    once a turn; one on a rolling element once a turn of the cage, and strikes both rings, not alike.
    """
    spread = 1 + AMPLITUDE_SPREAD * rng.standard_normal(angles.size)
    if place is Place.OUTER:
        return spread
    start, exponent = float(rng.uniform(0, 2 * math.pi)), exponent_of(bearing)
    if place is Place.INNER:
        return spread * load_zone(angles + start, exponent, epsilon)
    rings = np.where(np.arange(angles.size) % 2 == 0, 1.0, 0.7)
    return spread * rings * load_zone(angles * bearing.ftf + start, exponent, epsilon)


def defect_order(place: Place, bearing: Bearing) -> float:
    """Strikes a turn; a spot on a rolling element meets a ring twice each spin."""
    orders = {
        Place.OUTER: bearing.bpfo,
        Place.INNER: bearing.bpfi,
        Place.ROLLING: 2 * bearing.bsf,
        Place.CAGE: bearing.ftf,
    }
    return orders[place]


def exponent_of(bearing: Bearing) -> float:
    """Rollers for what is called like a cylindrical (N…) or spherical (2xxxx) roller bearing, else balls."""
    name = bearing.designation.strip().upper()
    return STRIBECK_ROLLER if name.startswith(("N", "22", "23", "24")) else STRIBECK_BALL


def impulses(
    place: Place,
    bearing: Bearing,
    spall: Spall,
    turning: Turning,
    *,
    severity: float,
    rng: np.random.Generator,
) -> Impulses:
    """When the defect strikes within the block, s, and how hard, m/s² of the peak that rings."""
    order = defect_order(place, bearing)
    angles = strikes(order, turning, rng)
    heights = spall.strike(severity) * weights(place, bearing, angles, rng, epsilon=spall.load_zone)
    times = np.interp(angles, turning.theta, np.arange(turning.theta.size) / turning.fs_hz)
    late = (severity - SPALL_FROM) / (1 - SPALL_FROM)
    if late <= 0 or turning.mean_hz <= 0:
        return Impulses(times, heights)
    # The element leaves the spall when it has rolled over its length: up to a sixth of the way to the next.
    exit_s = times + (0.03 + 0.13 * late) / (order * turning.mean_hz)
    inside = exit_s < turning.seconds - 2 / turning.fs_hz
    return Impulses(
        np.concatenate((times, exit_s[inside])),
        np.concatenate((heights * (1 - 0.3 * late), -0.6 * late * heights[inside])),
    )


def rumble(order: float, turning: Turning, rng: np.random.Generator, *, depth: float = 1.0) -> Singles:
    """White noise of unit mean square that comes and goes with the defect (n,): cyclostationary."""
    noise = rng.standard_normal(turning.theta.size, dtype=np.float32)
    gate = 1 + np.float32(depth) * turning.cos(order / (1 + SLIP))
    gate *= np.float32(1 / math.sqrt(1 + depth * depth / 2))
    noise *= gate
    return noise


def cage_rub(bearing: Bearing, turning: Turning, rng: np.random.Generator) -> Singles:
    """White noise of unit mean square, loud while the worn cage rubs: a third of its turn (n,)."""
    noise = rng.standard_normal(turning.theta.size, dtype=np.float32)
    place = turning.cos(bearing.ftf / (1 + SLIP), float(rng.uniform(0, 2 * math.pi)))
    gate = np.maximum(place - np.float32(0.5), 0) + np.float32(0.02)
    gate *= np.float32(1 / math.sqrt(float(np.mean(gate * gate))))
    noise *= gate
    return noise
