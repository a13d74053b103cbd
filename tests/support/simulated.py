"""Simulated machines of the sample plant, and the features of their blocks."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from models.features import Extractor
from palier.plant import Plant, load_sample_plant
from simulators.courses import Constant
from simulators.faults import Fault, FaultKind
from simulators.kinds import anatomy_of
from simulators.machines.machine import Machine

START_S = 1_792_000_000.0
"""A mild day, when the air is near its mean of the year."""

BLOCK_S = 2.5
SPACING_S = 17_237.0
"""Blocks come at any time of the day, in passes and in pauses."""


@cache
def plant() -> Plant:
    return load_sample_plant()


def constant(kind: str, severity: float, point: str = "") -> Fault:
    return Fault(FaultKind(kind), Constant(severity), point)


def build(machine_id: str, *faults: Fault, seed: int = 1) -> Machine:
    spec = plant().machine(machine_id)
    assert spec is not None
    return Machine(spec, anatomy_of(spec), seed=seed, faults=faults)


def under_load(machine: Machine, count: int, from_s: float = START_S) -> list[float]:
    """Ends of blocks through which the machine works."""
    ends: list[float] = []
    at_s = from_s
    least = 0.85 * machine.anatomy.duty.mean
    while len(ends) < count:
        at_s += SPACING_S
        if min(machine.load(at_s - BLOCK_S), machine.load(at_s)) >= least:
            ends.append(at_s)
    return ends


def features(machine: Machine, blocks: int = 4, point: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    """Features of blocks of one point, by name."""
    place = machine.spec.points[point]
    fs_hz = place.channels[0].fs_hz or 0.0
    n = round(BLOCK_S * fs_hz)
    extractor = _extractor(fs_hz, n)
    rows = []
    for end_s in under_load(machine, blocks):
        block = machine.acquire(place, n, fs_hz, end_s)
        rows.append(
            extractor.extract(
                block.samples[:1],
                machine.sensor.scale("m/s²"),
                speed_hz=block.speed_rpm / 60 * place.shaft_order,
                orders=None if place.bearing is None else place.bearing.orders,
            )[0]
        )
    return dict(zip(extractor.names, np.array(rows).T, strict=True))


@cache
def _extractor(fs_hz: float, n: int) -> Extractor:
    return Extractor(fs_hz, n)
