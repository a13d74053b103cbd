"""Which anatomy a machine of the plant gets: by its kind, as plant.toml names it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from models.types import MachineSpec

from .machines.anatomy import Anatomy
from .machines.fleet import CONVEYOR, FAN, MILL, MOTOR, PUMP, SPINDLE

ANATOMIES: Final[Mapping[str, Anatomy]] = {
    "pump": PUMP,
    "gearmotor": CONVEYOR,
    "fan": FAN,
    "gearbox": MILL,
    "spindle": SPINDLE,
    "motor": MOTOR,
}


def anatomy_of(spec: MachineSpec) -> Anatomy:
    """The anatomy of a machine; an electric motor stands in for a kind that has none."""
    return ANATOMIES.get(spec.kind, MOTOR)
