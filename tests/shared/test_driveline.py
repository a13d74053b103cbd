"""What turns in a machine beside its shafts: gears, impellers, belts and motors of plant.toml."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from models.types import Belt, Gear, Impeller, MachineSpec, Motor
from palier.plant import PlantError, load_sample_plant, parse_plant

PLANT = """\
[site]
id = "s"
name = "Site"
timezone = "Africa/Casablanca"
[[machine]]
id = "M1"
kind = "pump"
speed = { source = "fixed", rpm = 1485 }
limits = "none"
HERE
[[machine.point]]
id = "1"
[[machine.point.channel]]
id = "H"
quantity = "acceleration"
unit = "g"
fs_hz = 25600
samples = 102400
"""


def machine(lines: str) -> MachineSpec:
    return parse_plant(PLANT.replace("HERE", lines), file=Path("plant.toml")).machines[0]


def mistakes(lines: str) -> list[str]:
    with pytest.raises(PlantError) as caught:
        machine(lines)
    return str(caught.value).splitlines()


def test_what_is_not_said_is_not_known() -> None:
    spec = machine("")
    assert (spec.gears, spec.impeller, spec.belt, spec.motor) == ((), None, None, None)


def test_an_impeller_a_belt_and_a_motor_are_read() -> None:
    spec = machine(
        "impeller = { vanes = 5 }\n"
        "belt = { pulley_diameter_mm = 300, length_mm = 4000, shaft_order = 0.5 }\n"
        "motor = { supply_hz = 50, poles = 4 }"
    )
    assert spec.impeller == Impeller(5)
    assert spec.belt == Belt(300.0, 4000.0, 0.5)
    assert spec.motor == Motor(50.0, 4)
    assert spec.motor.synchronous_hz == 25.0


def test_a_motor_may_have_poles_that_nobody_knows() -> None:
    motor = machine("motor = { supply_hz = 60 }").motor
    assert motor == Motor(60.0)
    assert motor.synchronous_hz is None


def test_a_belt_turns_once_while_its_pulley_winds_its_length() -> None:
    """A pulley of 500 mm takes in π·500 mm a turn, of a belt of 4000 mm."""
    assert Belt(500, 4000).belt_order == pytest.approx(0.3927, abs=1e-4)
    assert Belt(500, 4000, shaft_order=2.0).belt_order == pytest.approx(2 * math.pi / 8)


def test_a_driven_shaft_is_slower_by_the_ratio_of_the_teeth() -> None:
    assert Gear("g", 23, 91).driven_order == pytest.approx(23 / 91)
    assert Gear("g", 21, 85, shaft_order=23 / 91).driven_order == pytest.approx(23 / 91 * 21 / 85)


def test_the_gears_of_the_sample_follow_one_another() -> None:
    plant = load_sample_plant()
    for name, ratio in (("C-201", 20.0), ("L-401", 91 * 85 / (23 * 21))):
        spec = plant.machine(name)
        assert spec is not None
        first, second = spec.gears
        assert second.shaft_order == pytest.approx(first.driven_order, rel=1e-5)
        assert second.driven_order == pytest.approx(1 / ratio, rel=1e-5)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("impeller = 4", "plant.toml:10: impeller must be a table, got 4"),
        ("impeller = {}", "plant.toml:10: vanes is missing in [machine.impeller]"),
        ("impeller = { vanes = 0 }", "plant.toml:10: vanes must be at least 1, got 0"),
        ("impeller = { vanes = 4.5 }", "plant.toml:10: vanes must be a whole number, got 4.5"),
        (
            "impeller = { blades = 4, vanes = 4 }",
            "plant.toml:10: unknown key 'blades' in [machine.impeller] (known: shaft_order, vanes)",
        ),
        (
            "belt = { pulley_diameter_mm = 500 }",
            "plant.toml:10: length_mm is missing in [machine.belt]",
        ),
        (
            "belt = { pulley_diameter_mm = 500, length_mm = 1500 }",
            "plant.toml:10: length_mm must be above the 1571 mm around its pulley, got 1500",
        ),
        ("motor = { poles = 4 }", "plant.toml:10: supply_hz is missing in [machine.motor]"),
        (
            "motor = { supply_hz = 50, poles = 3 }",
            "plant.toml:10: poles must be an even number, they come in pairs, got 3",
        ),
        (
            "motor = { supply_hz = 50, poles = 2 }",
            "plant.toml:10: poles, supply_hz and shaft_order must fit the speed: 2 poles at 50 Hz turn at "
            "3000 r/min or a little less, the motor's shaft at 1485",
        ),
        (
            "motor = { supply_hz = 50, poles = 6 }",
            "plant.toml:10: poles, supply_hz and shaft_order must fit the speed: 6 poles at 50 Hz turn at "
            "1000 r/min or a little less, the motor's shaft at 1485",
        ),
        (
            '[[machine.gear]]\nname = "g"\ndriving_teeth = 2\ndriven_teeth = 40',
            "plant.toml:12: driving_teeth",
        ),
        (
            "imppeller = { vanes = 4 }",
            "plant.toml:10: unknown key 'imppeller' in [machine] (did you mean \"i",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(lines: str, told: str) -> None:
    (found,) = mistakes(lines)
    assert found.startswith(told)


@pytest.mark.parametrize(("rate", "shown"), [("0.5", "0.5"), ("2e7", "2e+07")])
def test_a_rate_that_no_converter_has_is_a_mistake(rate: str, shown: str) -> None:
    text = PLANT.replace("HERE", "").replace("fs_hz = 25600", f"fs_hz = {rate}")
    with pytest.raises(PlantError) as caught:
        parse_plant(text, file=Path("plant.toml"))
    assert str(caught.value) == (
        f"plant.toml:17: fs_hz must be from 1 to 10,000,000 samples a second, got {shown}"
    )
