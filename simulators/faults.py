"""What can be wrong with a machine, and how wrong it is at an instant: apart from the machine, and from when.

A fault is a kind at a place with a course over time (courses). What a severity of 1 does to a machine is a
number of its anatomy, how it sounds is the physics of machines/.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from .courses import Course
from .draws import Floats


class FaultKind(StrEnum):
    """Kinds of fault, called as the diagnosis calls them; `slurry_shocks` is none, but sounds like one."""

    OUTER_RING = "outer_ring"
    INNER_RING = "inner_ring"
    ROLLING_ELEMENT = "rolling_element"
    CAGE = "cage"
    LUBRICATION = "lubrication"
    UNBALANCE = "unbalance"
    MISALIGNMENT = "misalignment"
    BENT_SHAFT = "bent_shaft"
    ROTATING_LOOSENESS = "rotating_looseness"
    STRUCTURAL_LOOSENESS = "structural_looseness"
    RESONANCE = "resonance"
    GEAR_WEAR = "gear_wear"
    TOOTH_CRACK = "tooth_crack"
    GEAR_MISALIGNMENT = "gear_misalignment"
    CAVITATION = "cavitation"
    BLOCKED_VANE = "blocked_vane"
    BELT = "belt"
    STATOR = "stator"
    FAN_DEPOSIT = "fan_deposit"
    TOOL = "tool"
    SLURRY_SHOCKS = "slurry_shocks"


BEARING_KINDS: Final = frozenset(
    {
        FaultKind.OUTER_RING,
        FaultKind.INNER_RING,
        FaultKind.ROLLING_ELEMENT,
        FaultKind.CAGE,
    }
)
"""Faults of the parts of a rolling bearing: they need a point with a bearing."""

LOCAL_KINDS: Final = BEARING_KINDS | {FaultKind.LUBRICATION}
"""Faults of one point; all others are the whole machine's."""

GEAR_KINDS: Final = frozenset(
    {
        FaultKind.GEAR_WEAR,
        FaultKind.TOOTH_CRACK,
        FaultKind.GEAR_MISALIGNMENT,
    }
)
"""Faults of the teeth of a pair of gears."""

WHEEL_KINDS: Final = frozenset(
    {
        FaultKind.CAVITATION,
        FaultKind.BLOCKED_VANE,
        FaultKind.FAN_DEPOSIT,
    }
)
"""Faults of the wheel of a pump or a fan."""

HARMLESS: Final = frozenset({FaultKind.SLURRY_SHOCKS})
"""What a detector must not take for a fault."""

HEAT: Final = {
    FaultKind.OUTER_RING: 0.35,
    FaultKind.INNER_RING: 0.35,
    FaultKind.ROLLING_ELEMENT: 0.35,
    FaultKind.CAGE: 0.5,
    FaultKind.LUBRICATION: 0.6,
}
"""Share by which a fault of severity 1 raises the heat of its bearing."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault over time; `point` names the bearing of a local one, "" the whole machine."""

    kind: FaultKind
    course: Course
    point: str = ""


@dataclass(frozen=True, slots=True)
class Active:
    """A fault as it is at an instant."""

    kind: FaultKind
    point: str
    severity: float


@dataclass(frozen=True, slots=True)
class Condition:
    """All that is wrong at an instant; the default is a sound machine."""

    active: tuple[Active, ...] = ()

    def of(self, kind: FaultKind) -> float:
        """Severity of a fault of the whole machine, 0..1; several of one kind add up."""
        return min(1.0, sum(one.severity for one in self.active if one.kind is kind))

    def at(self, kind: FaultKind, point: str) -> float:
        """Severity of a local fault at a point, 0..1."""
        return min(1.0, sum(one.severity for one in self.active if one.kind is kind and one.point == point))


def condition_of(faults: Sequence[Fault], seconds: float) -> Condition:
    """What all faults together make of a sound machine at an instant (seconds since 1970 UTC)."""
    at = np.array([seconds])
    severities = [float(fault.course.severity(at)[0]) for fault in faults]
    return Condition(
        tuple(
            Active(fault.kind, fault.point, severity)
            for fault, severity in zip(faults, severities, strict=True)
            if severity > 0
        )
    )


def friction(faults: Sequence[Fault], point: str, times_s: Floats) -> Floats:
    """What the faults of a point make of the heat of its bearing, as a factor, over time."""
    out = np.ones(times_s.size)
    for fault in faults:
        if fault.point == point and fault.kind in HEAT:
            out *= 1 + HEAT[fault.kind] * fault.course.severity(times_s)
    return out
