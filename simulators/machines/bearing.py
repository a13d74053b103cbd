"""A rolling bearing's damage: impulses at the defect's order, with slip, ringing in a structural resonance.

After McFadden & Smith, J. Sound Vib. 96 (1984) 69-82 (load zone and transmission) and Antoni & Randall,
J. Vib. Acoust. 125 (2003) 282-289 (slip as a random walk: the train is cyclostationary, not periodic).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from models.types import Bearing

from .shaft import Floats, Turning

SLIP = 0.01  # rolling elements lag pure rolling by 0.5-2 %
JITTER = 0.008  # sd of one spacing; 0.5-1 % in Antoni & Randall's own simulations
AMPLITUDE_SPREAD = 0.15  # no two strikes are alike
RING_DOWN = 7.0  # time constants after which an impulse is below 0.1 % of its peak
LOAD_ZONE = 0.5  # Stribeck's epsilon of a bearing with no clearance: half of the ring carries
STRIBECK_BALL = 1.5  # exponent of the load distribution of balls (rollers 10/9)


class Place(StrEnum):
    """Where a bearing is damaged."""

    OUTER = "outer_ring"
    INNER = "inner_ring"
    ROLLING = "rolling_element"


@dataclass(frozen=True, slots=True)
class Resonance:
    """A structural mode that impulses excite: natural frequency in Hz and damping ratio."""

    natural_hz: float
    damping: float


def strikes(order: float, turning: Turning, rng: np.random.Generator) -> Floats:
    """Shaft angles at which the defect of that order is struck within the block, rad, ascending."""
    spacing = 2 * math.pi / order * (1 + SLIP)
    first, last = float(turning.theta[0]), float(turning.theta[-1])
    count = int((last - first) / (spacing * (1 - 5 * JITTER))) + 2
    steps = spacing * (1 + JITTER * rng.standard_normal(count))
    angles = first + spacing * float(rng.uniform()) + np.concatenate(([0.0], np.cumsum(steps)))
    return angles[angles < last]


def load_zone(angle: Floats) -> Floats:
    """Stribeck's load on a defect at `angle` rad from the load line, 0..1 of the greatest."""
    share: Floats = np.clip(1 - (1 - np.cos(angle)) / (2 * LOAD_ZONE), 0.0, None) ** STRIBECK_BALL
    return share


def weights(place: Place, bearing: Bearing, angles: Floats, rng: np.random.Generator) -> Floats:
    """How hard each strike is, 1 = in the middle of the load zone.

    A spot on the fixed outer ring is loaded alike at each strike; one on the inner ring passes the load zone
    once a turn; one on a rolling element once a turn of the cage, and strikes both rings, not alike.
    """
    spread = 1 + AMPLITUDE_SPREAD * rng.standard_normal(angles.size)
    if place is Place.OUTER:
        return spread
    start = float(rng.uniform(0, 2 * math.pi))
    if place is Place.INNER:
        return spread * load_zone(angles + start)
    rings = np.where(np.arange(angles.size) % 2 == 0, 1.0, 0.7)
    return spread * rings * load_zone(angles * bearing.ftf + start)


def defect_order(place: Place, bearing: Bearing) -> float:
    """Strikes a turn; a spot on a rolling element meets a ring twice each spin."""
    return {Place.OUTER: bearing.bpfo, Place.INNER: bearing.bpfi, Place.ROLLING: 2 * bearing.bsf}[place]


def ring(times_s: Floats, heights: Floats, mode: Resonance, *, n: int, fs_hz: float) -> Floats:
    """Sum of h(t) = e^(-zeta w t) sin(w_d t) started at each of `times_s`, (n,), in the unit of `heights`.

    Starts fall between samples; each response is evaluated where the samples are, not moved to the grid.
    """
    w = 2 * math.pi * mode.natural_hz
    pole = complex(-mode.damping * w, w * math.sqrt(1 - mode.damping**2))
    length = math.ceil(RING_DOWN / (mode.damping * w) * fs_hz)
    first = np.ceil(times_s * fs_hz).astype(np.int64)
    late = first / fs_hz - times_s
    starts = heights * np.exp(pole * late)
    tail = np.exp(pole * np.arange(length) / fs_hz)
    responses = np.outer(starts.real, tail.imag) + np.outer(starts.imag, tail.real)
    places = first[:, None] + np.arange(length)
    felt = np.bincount(places.ravel(), responses.ravel(), minlength=n + length)
    return felt[:n].astype(np.float64, copy=False)


def damage(
    place: Place,
    bearing: Bearing,
    peak_m_s2: float,
    turning: Turning,
    *,
    mode: Resonance,
    rng: np.random.Generator,
) -> Floats:
    """The acceleration of one local defect, (n,) m/s²; `peak_m_s2` is that of a strike under full load."""
    angles = strikes(defect_order(place, bearing), turning, rng)
    n, fs_hz = turning.theta.size, turning.fs_hz
    times_s = np.interp(angles, turning.theta, np.arange(n) / fs_hz)
    return ring(times_s, peak_m_s2 * weights(place, bearing, angles, rng), mode, n=n, fs_hz=fs_hz)
