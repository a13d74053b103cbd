"""Pumps that differ, each in good health and then with one fault: what a classifier of faults is tried on.

Machines of one anatomy would be one machine. So each draws its own: forces, modes, noise and what a fault
does to it by a factor up or down (a standard deviation of a fifth), its speed within a tenth, its channels'
names and number. Blocks come at any time of a day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Final

import numpy as np

from ingest.turning import kinematics_of
from models.detection.context import Context
from models.features import Extractor
from models.features.catalogue import NAMES, UNITS
from models.training.dataset import HEALTHY, Label, PointHistory
from models.types import MachineSpec, PointSpec
from palier.plant import load_sample_plant
from simulators.courses import Constant
from simulators.faults import LOCAL_KINDS, Fault, FaultKind
from simulators.machines.anatomy import Anatomy, structure
from simulators.machines.fleet import PUMP
from simulators.machines.machine import Machine

START_S: Final = 1_792_000_000.0
SPACING_S: Final = 17_237.0
"""Between two blocks: any time of the day comes up."""

SAMPLES: Final = 102_400  # 4 s: the supply's line stands apart from the shaft's orders
HEALTHY_BLOCKS: Final = 6
FAULTY_BLOCKS: Final = 4
SPREAD: Final = 0.2
SEVERITY: Final = (0.35, 1.0)
"""From where a technician would be called to the end."""

CHANNELS: Final = (("H",), ("X", "Y"), ("radial",))

KINDS: Final = (
    FaultKind.OUTER_RING, FaultKind.INNER_RING, FaultKind.LUBRICATION, FaultKind.UNBALANCE,
    FaultKind.MISALIGNMENT, FaultKind.CAVITATION, FaultKind.BELT,
)  # fmt: skip


def histories(
    kinds: Sequence[FaultKind], machines: int, seed: int, faulty_blocks: int = FAULTY_BLOCKS
) -> Iterator[PointHistory]:
    """`machines` pumps for each kind of fault, with their labels."""
    for kind in kinds:
        for k in range(machines):
            yield _history(kind, seed * 10_000 + k, faulty_blocks)


def _history(kind: FaultKind, seed: int, faulty_blocks: int) -> PointHistory:
    rng = np.random.default_rng([seed, *kind.value.encode()])
    channels = CHANNELS[int(rng.integers(len(CHANNELS)))]
    spec, point = _spec(rng, channels, f"P-{kind.value}-{seed}")
    anatomy, severity = _anatomy(rng), float(rng.uniform(*SEVERITY))
    where = point.id if kind in LOCAL_KINDS else ""
    sound = Machine(spec, anatomy, seed=seed)
    sick = Machine(spec, anatomy, seed=seed, faults=[Fault(kind, Constant(severity), where)])
    ends = START_S + SPACING_S * np.arange(1, HEALTHY_BLOCKS + faulty_blocks + 1, dtype=np.float64)
    rows = [_features(sound if k < HEALTHY_BLOCKS else sick, point, float(end)) for k, end in enumerate(ends)]
    x = np.array(rows, dtype=np.float64).reshape(len(ends), -1)
    change = float(ends[HEALTHY_BLOCKS]) - 1.0
    return PointHistory(
        "site", spec.id, point.id, spec.kind,
        tuple(f"{channel}/{name}" for channel in channels for name in NAMES), UNITS * len(channels), x,
        Context(ends, in_alarm=ends > change),
        labels=(
            Label(START_S, change, HEALTHY, "truth"),
            Label(change, float(ends[-1]) + 1, kind.value, "truth"),
        ),
    )  # fmt: skip


def _spec(rng: np.random.Generator, channels: Sequence[str], name: str) -> tuple[MachineSpec, PointSpec]:
    spec = load_sample_plant().machine("P-101")
    assert spec is not None
    point = spec.points[0]
    directions = ("H", "V", "A")
    own = replace(
        point,
        channels=tuple(
            replace(point.channels[0], id=channel, direction=direction)
            for channel, direction in zip(channels, directions, strict=False)
        ),
    )
    rpm = (spec.speed_rpm or 0.0) * float(rng.uniform(0.9, 1.1))
    return replace(spec, id=name, points=(own,), speed_rpm=rpm), own


def _anatomy(rng: np.random.Generator) -> Anatomy:
    def off() -> float:
        return float(np.exp(SPREAD * rng.normal()))

    worst = {name: getattr(PUMP.worst, name) * off() for name in type(PUMP.worst).__slots__}
    return replace(
        PUMP,
        support=replace(PUMP.support, natural_hz=PUMP.support.natural_hz * off()),
        unbalance_kg_m=PUMP.unbalance_kg_m * off(),
        misalignment_n=PUMP.misalignment_n * off(),
        blade_velocity_mm_s=PUMP.blade_velocity_mm_s * off(),
        modes=structure(PUMP.modes[0].natural_hz * off(), PUMP.modes[0].damping * off()),
        rolling_m_s2=PUMP.rolling_m_s2 * off(),
        belt_mm_s=PUMP.belt_mm_s * off(),
        supply_mm_s=PUMP.supply_mm_s * off(),
        spall=replace(PUMP.spall, strike_m_s2=PUMP.spall.strike_m_s2 * off()),
        worst=type(PUMP.worst)(**worst),
    )


def _features(
    machine: Machine, point: PointSpec, end_s: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    fs_hz = point.channels[0].fs_hz or 0.0
    block = machine.acquire(point, SAMPLES, fs_hz, end_s)
    hz = block.speed_rpm / 60 * point.shaft_order
    return _extractor(fs_hz).extract(
        block.samples,
        machine.sensor.scale("m/s²"),
        speed_hz=hz,
        orders=None if point.bearing is None else point.bearing.orders,
        kinematics=kinematics_of(machine.spec, point, hz),
    )


@cache
def _extractor(fs_hz: float) -> Extractor:
    return Extractor(fs_hz, SAMPLES)
