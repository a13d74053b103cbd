"""What turns at the points of the plant, as the extractor asks for it: in multiples of the point's shaft.

Of several gears the point is given one: the first in plant.toml of which a wheel sits on the point's own
shaft, else the first of all, whose mesh is felt through the whole case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.kinematics import Kinematics
from models.types import Gear, MachineSpec, Motor, PointSpec

SAME_SHAFT: Final = 2e-3
"""Relative difference of orders of one shaft: they are written with three digits at least. For two shafts of
a pair to be as near as this, its wheels would need 500 teeth."""

MOST_SLIP: Final = 0.1
"""Beyond this an induction motor is starting, or its poles are not those of the plant."""

NOTHING_KNOWN: Final = Kinematics()


def kinematics_of(machine: MachineSpec, point: PointSpec, measured_hz: float | None) -> Kinematics:
    """What turns at a point. `measured_hz` is the speed of its shaft where it was measured with the block.

    A nominal speed is no measure of the slip: of that the pole pass frequency is NaN.
    """
    shaft = point.shaft_order
    gear = gear_of(machine.gears, point)
    motor = machine.motor
    return Kinematics(
        mesh_order=None if gear is None else gear.mesh_order / shaft,
        driving_order=1.0 if gear is None else gear.shaft_order / shaft,
        driven_order=None if gear is None else gear.driven_order / shaft,
        vane_order=None if machine.impeller is None else machine.impeller.vane_order / shaft,
        belt_order=None if machine.belt is None else machine.belt.belt_order / shaft,
        supply_hz=None if motor is None else motor.supply_hz,
        pole_pass_hz=None if motor is None else _pole_pass_hz(motor, point, measured_hz),
    )


def gear_of(gears: Sequence[Gear], point: PointSpec) -> Gear | None:
    """The gear pair that a point is given, None where the machine has none."""
    own = (g for g in gears if _is(g.shaft_order, point) or _is(g.driven_order, point))
    return next(own, gears[0] if gears else None)


def together(each: Sequence[Kinematics], windows: npt.NDArray[np.int64]) -> Kinematics:
    """Those of several blocks, one number each, as one: columns (n,), NaN where unknown.

    `windows` is how many windows each of the blocks has.
    """
    return Kinematics(
        **{
            field.name: np.array([getattr(one, field.name) for one in each], dtype=np.float64).repeat(windows)
            for field in fields(Kinematics)
        }
    )


def _pole_pass_hz(motor: Motor, point: PointSpec, measured_hz: float | None) -> float | None:
    """Poles times the slip frequency, for a point on the motor's own shaft whose speed was measured."""
    field_hz = motor.synchronous_hz
    if motor.poles is None or field_hz is None or measured_hz is None or not _is(motor.shaft_order, point):
        return None
    slip_hz = field_hz - measured_hz
    return motor.poles * slip_hz if 0 < slip_hz <= MOST_SLIP * field_hz else None


def _is(order: float, point: PointSpec) -> bool:
    """Whether a shaft of that order is the point's own."""
    return abs(order - point.shaft_order) <= SAME_SHAFT * point.shaft_order
