"""The simulated plant: how much faster than time it runs, what it sounds like, what is made of its faults."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from models.diagnosis import Diagnosis
from models.types import MachineSpec, Refusal
from palier.plant import Plant, load_sample_plant
from simulators.courses import Constant
from simulators.faults import LOCAL_KINDS, Fault, FaultKind
from simulators.kinds import anatomy_of
from simulators.machines.machine import Machine

from .simulators_levels import (
    BLOCKS,
    SEVERITIES,
    Sound,
    diagnosed,
    hear,
    ladder,
    machine_of,
    point_of,
    sound_of,
)

LEAST_RATIO: Final = 100.0
"""Three channels at 25.6 kHz on one core: a hundred machines could be simulated live."""

SPEED_BLOCKS: Final = 12
HALF: Final = 0.5
"""Severity at which a fault's own diagnosis must lead."""

LADDERS: Final = (
    ("P-101", "2", FaultKind.OUTER_RING),
    ("C-201", "1", FaultKind.INNER_RING),
    ("C-201", "2", FaultKind.INNER_RING),
    ("V-301", "1", FaultKind.ROLLING_ELEMENT),
    ("L-401", "1", FaultKind.OUTER_RING),
    ("L-401", "1", FaultKind.GEAR_WEAR),
    ("B-501", "1", FaultKind.INNER_RING),
)
"""Machine, point and fault of the tables of severities."""

BEARINGS: Final = (
    FaultKind.OUTER_RING,
    FaultKind.INNER_RING,
    FaultKind.ROLLING_ELEMENT,
    FaultKind.CAGE,
    FaultKind.LUBRICATION,
)
SHAFTS: Final = (FaultKind.UNBALANCE, FaultKind.MISALIGNMENT, FaultKind.ROTATING_LOOSENESS)
GEARS: Final = (FaultKind.GEAR_WEAR, FaultKind.TOOTH_CRACK, FaultKind.GEAR_MISALIGNMENT)
PUMPS: Final = (FaultKind.CAVITATION, FaultKind.BLOCKED_VANE, FaultKind.BELT, FaultKind.STATOR)

DIAGNOSED: Final[Mapping[tuple[str, str], tuple[FaultKind, ...]]] = {
    ("P-101", "2"): (*BEARINGS, *SHAFTS, *PUMPS, FaultKind.SLURRY_SHOCKS),
    ("C-201", "2"): (*BEARINGS, *SHAFTS, *GEARS),
    ("V-301", "1"): (*BEARINGS, *SHAFTS, FaultKind.FAN_DEPOSIT),
    ("L-401", "1"): (*BEARINGS, *SHAFTS, *GEARS),
    ("B-501", "1"): (*BEARINGS, FaultKind.UNBALANCE, FaultKind.TOOL),
}
"""Faults of each machine that are put before the diagnosis."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How long three channels take: processor seconds a block, and how much faster than time that is."""

    what: str
    milliseconds: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the diagnosis leads with at half severity: the fault's own name where it is right."""

    machine: str
    point: str
    kind: FaultKind | None
    led: str
    confidence: float

    @property
    def right(self) -> bool:
        """Whether the leading diagnosis is the fault; for a sound machine and harmless shocks: no part."""
        if self.kind is None:
            return not self.led
        if self.kind is FaultKind.SLURRY_SHOCKS:
            return self.led not in {kind.value for kind in BEARINGS}
        return self.led == self.kind.value


@dataclass(frozen=True, slots=True)
class Report:
    """All of it. Ladders are by machine, point and fault, in the order of SEVERITIES."""

    speeds: tuple[Speed, ...]
    sound: Mapping[tuple[str, str], Sound]
    ladders: Mapping[tuple[str, str, FaultKind], tuple[Sound, ...]]
    verdicts: tuple[Verdict, ...]

    def as_json(self) -> dict[str, object]:
        """For a program."""
        return {
            "least_ratio": LEAST_RATIO,
            "speeds": [{"what": s.what, "ms": s.milliseconds, "ratio": s.ratio} for s in self.speeds],
            "sound": {"/".join(place): _known(one) for place, one in self.sound.items()},
            "severities": SEVERITIES,
            "ladders": {"/".join(key): [_known(s) for s in one] for key, one in self.ladders.items()},
            "diagnoses": [
                {"machine": v.machine, "point": v.point, "fault": v.kind, "led": v.led, "right": v.right}
                for v in self.verdicts
            ],
        }


def _known(one: Sound) -> dict[str, float | None]:
    """Levels by name, None where there is no such thing: JSON has no NaN."""
    return {name: None if math.isnan(value) else value for name, value in one._asdict().items()}


def bench_simulators(*, quick: bool, tell: Callable[[str], None]) -> Report:
    """Measures speed; unless `quick`, also levels, ladders and what the diagnosis makes of every fault."""
    plant = load_sample_plant()
    tell("speed")
    speeds = tuple(_speeds(plant))
    if quick:
        return Report(speeds, {}, {}, ())
    tell("levels of sound machines")
    sound = {
        (m.id, p.id): sound_of(hear(machine_of(m, None, 0.0, p.id), p, BLOCKS))
        for m in plant.machines
        for p in m.points
    }
    ladders = {}
    for machine, point, kind in LADDERS:
        tell(f"{machine}: {kind}")
        ladders[machine, point, kind] = tuple(ladder(*point_of(plant, machine, point), kind))
    verdicts = []
    for (machine, point), kinds in DIAGNOSED.items():
        tell(f"diagnoses of {machine}")
        verdicts += [_verdict(plant, machine, point, kind) for kind in (None, *kinds)]
    return Report(speeds, sound, ladders, tuple(verdicts))


def _speeds(plant: Plant) -> list[Speed]:
    spec = _three_channels(point_of(plant, "P-101", "2")[0])
    kinds: tuple[FaultKind | None, ...] = (None, FaultKind.OUTER_RING, FaultKind.CAVITATION)
    return [_speed(spec, kind) for kind in kinds]


def _three_channels(spec: MachineSpec) -> MachineSpec:
    """The pump with a point that has an axis each way."""
    point = spec.points[1]
    wave = point.channels[0]
    axes = tuple(replace(wave, id=axis, direction=axis) for axis in ("H", "V", "A"))
    return replace(spec, points=(spec.points[0], replace(point, channels=axes)))


def _speed(spec: MachineSpec, kind: FaultKind | None) -> Speed:
    point = spec.points[1]
    local = point.id if kind in LOCAL_KINDS else ""
    faults = () if kind is None else (Fault(kind, Constant(HALF), local),)
    machine = Machine(spec, anatomy_of(spec), seed=1, faults=faults)
    fs_hz, n = point.channels[0].fs_hz or 0.0, point.channels[0].n_samples or 0
    took = []
    for k in range(SPEED_BLOCKS + 2):
        began = time.process_time()
        machine.acquire(point, n, fs_hz, 1.79e9 + 600 * k)
        took.append(time.process_time() - began)
    each = float(np.median(took[2:]))  # the first fill the caches
    what = "in good order" if kind is None else str(kind)
    return Speed(what, 1e3 * each, n / fs_hz / each)


def _verdict(plant: Plant, machine: str, point: str, kind: FaultKind | None) -> Verdict:
    found = diagnosed(*point_of(plant, machine, point), kind, HALF)
    led: Diagnosis | None = None if isinstance(found, Refusal) or not found else found[0]
    if isinstance(found, Refusal):
        return Verdict(machine, point, kind, f"refused: {found.reason}", 0.0)
    return Verdict(machine, point, kind, led.fault.value if led else "", led.confidence if led else 0.0)
