"""What turns in a machine beside the shafts of its points: the tables gear, impeller, belt and motor of
plant.toml. Orders of their shafts are multiples of the machine's speed.
"""

from __future__ import annotations

import math
from typing import Final

from models.types import Belt, Gear, Impeller, Motor

from .strict_toml import Table

MOST_SLIP: Final = 0.15
"""Small induction motors slip by a tenth of their speed at full load; what slips more has other poles."""


def read_gear(table: Table) -> Gear:
    """A [[machine.gear]]: one pair, the driving shaft by its order."""
    return Gear(
        name=table.text("name"),
        driving_teeth=table.integer("driving_teeth", low=3),
        driven_teeth=table.integer("driven_teeth", low=3),
        shaft_order=_shaft_order(table),
    )


def read_impeller(machine: Table) -> Impeller | None:
    """`impeller = { vanes = 4 }`: vanes of a pump or blades of a fan."""
    table = _table(machine, "impeller")
    if table is None:
        return None
    return Impeller(vanes=table.integer("vanes", low=1), shaft_order=_shaft_order(table))


def read_belt(machine: Table) -> Belt | None:
    """`belt = { pulley_diameter_mm = 500, length_mm = 4000 }`: either pulley, with the order of its shaft."""
    table = _table(machine, "belt")
    if table is None:
        return None
    diameter_mm = table.number("pulley_diameter_mm", above=0)
    length_mm = table.number("length_mm", above=0)
    shaft_order = _shaft_order(table)
    if diameter_mm is None or length_mm is None:
        return None
    around_mm = math.pi * diameter_mm
    if length_mm <= around_mm:
        table.mistake(
            "length_mm",
            f"length_mm must be above the {around_mm:.0f} mm around its pulley, got {length_mm:g}: no belt "
            "is shorter",
        )
    return Belt(diameter_mm, length_mm, shaft_order)


def read_motor(machine: Table, rpm: float | None) -> Motor | None:
    """`motor = { supply_hz = 50, poles = 4 }`; `rpm` is the machine's nominal speed, if anybody knows it."""
    table = _table(machine, "motor")
    if table is None:
        return None
    supply_hz = table.number("supply_hz", above=0)
    poles = table.integer("poles", low=2) if "poles" in table else None
    shaft_order = _shaft_order(table)
    if poles is not None and poles % 2:
        table.mistake("poles", f"poles must be an even number, they come in pairs, got {poles}")
        return None
    if supply_hz is None:
        return None
    motor = Motor(supply_hz, poles, shaft_order)
    _check_slip(table, motor, rpm)
    return motor


def _check_slip(table: Table, motor: Motor, rpm: float | None) -> None:
    """A motor turns a little slower than its field: the nominal speed tells when the poles are wrong."""
    if motor.synchronous_hz is None or rpm is None:
        return
    field_rpm, turns_rpm = 60 * motor.synchronous_hz, rpm * motor.shaft_order
    if not (1 - MOST_SLIP) * field_rpm <= turns_rpm <= field_rpm * (1 + 1e-3):  # a rounded order may exceed
        table.mistake(
            "poles",
            f"poles, supply_hz and shaft_order must fit the speed: {motor.poles} poles at "
            f"{motor.supply_hz:g} Hz turn at {field_rpm:g} r/min or a little less, the motor's shaft at "
            f"{turns_rpm:.4g}",
        )


def _table(machine: Table, key: str) -> Table | None:
    """The table of that key, None where there is none. It is asked for either way: it may be there."""
    table = machine.table(key)
    return table if isinstance(machine.data.get(key), dict) else None


def _shaft_order(table: Table) -> float:
    return table.number("shaft_order", 1.0, above=0) or 1.0
