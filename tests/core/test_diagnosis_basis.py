"""No verdict without basis: lines that are noise, those of another shaft, and exclusions nobody looked at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.diagnosis import (
    RULE_OF,
    Diagnosis,
    Evidence,
    Fault,
    confidences,
    diagnose,
    indicators,
    severity,
    views_of,
)
from models.diagnosis.rules import Role
from models.features.kinematics import Kinematics
from models.types import Belt, Gear, Impeller, MachineSpec
from tests.support.sick_cases import CASES, HF, Finding, case, everywhere, motor, ramp, with_findings
from tests.support.sick_machines import SOUND, SPEED_HZ, Signal, history, machine, observed, of_1x, shaft

SHAKES = {"H": shaft(4.0), "V": shaft(3.6), "A": shaft(0.4)}


def told(spec: MachineSpec, evidence: Evidence) -> tuple[Diagnosis, ...]:
    found = diagnose(spec, evidence)
    assert isinstance(found, tuple)
    return found


def faults(spec: MachineSpec, evidence: Evidence) -> list[Fault]:
    return [d.fault for d in told(spec, evidence)]


def turned(spec: MachineSpec, shaft_order: float) -> MachineSpec:
    """The same machine, its point on a shaft of another order."""
    return replace(spec, points=(replace(spec.points[0], shaft_order=shaft_order),))


def along(evidence: Evidence, *directions: str) -> Evidence:
    """Only some of the channels."""
    point = evidence.points[0]
    channels = tuple(c for c in point.channels if c.direction in directions)
    return replace(evidence, points=(replace(point, channels=channels),))


def scaled(evidence: Evidence, times: dict[str, float]) -> Evidence:
    """Some ratios to the baseline set to a number, in all channels."""
    point = evidence.points[0]
    channels = tuple(
        replace(c, ratios={**c.ratios, **{name: np.full(evidence.n_blocks, v) for name, v in times.items()}})
        for c in point.channels
    )
    return replace(evidence, points=(replace(point, channels=channels),))


# Lines


def test_a_zone_that_another_line_makes_is_not_laid_at_the_shaft() -> None:
    """2x is 60 % of a 1x that is nothing: the machine shakes at 170 Hz."""
    hum = {d: shaft(0.1, 0.07) + Signal({170.0: 4.0}) for d in "HVA"}
    assert faults(machine(), observed(hum, None)) == [Fault.UNIDENTIFIED]


def test_nor_at_a_belt_whose_lines_are_noise() -> None:
    hum = {d: shaft(0.05) + Signal({0.31 * SPEED_HZ: 0.05, 170.0: 4.0}) for d in "HV"}
    spec = machine("fan", belt=Belt(500.0, 500.0 * np.pi / 0.31))
    evidence = observed(hum, None, kinematics=Kinematics(belt_order=0.31))
    assert Fault.BELT not in faults(spec, evidence)


def test_a_line_that_doubles_far_below_the_velocity_is_no_news() -> None:
    flow = Signal({170.0: 1.2})
    before = {d: shaft(0.02, 0.01) + flow for d in "HV"}
    now = {d: shaft(0.05, 0.04) + flow for d in "HV"}
    assert diagnose(machine(), observed(now, before)) == ()


def test_an_axial_1x_that_rises_is_no_unbalance() -> None:
    before = {"H": shaft(0.8), "V": shaft(0.7), "A": shaft(0.1)}
    now = {**before, "A": shaft(0.3)}
    assert Fault.UNBALANCE not in faults(machine(), observed(now, before))


def test_noise_that_rises_everywhere_is_no_wear_of_gears() -> None:
    before = everywhere(Signal(mesh=(23 * SPEED_HZ, 0.05, 0.1)))
    now = {d: s + Signal(bands=((5.0, 10_000.0, 12.0),)) for d, s in before.items()}
    evidence = observed(now, before, kinematics=Kinematics(mesh_order=23.0, driven_order=23 / 91))
    gears = {Fault.GEAR_WEAR, Fault.GEAR_MISALIGNMENT}
    assert not gears & set(faults(machine("gearbox", gears=(Gear("g", 23, 91),)), evidence))


def test_noise_beside_a_small_1x_is_no_broken_bar() -> None:
    spec, evidence = motor(SPEED_HZ, Signal(bands=((5.0, 60.0, 0.25),)))
    assert Fault.ROTOR_BARS not in faults(spec, evidence)


def test_two_vanes_make_2x_too() -> None:
    now = {d: shaft(1.0, 3.0) for d in "HV"}
    spec = machine("pump", impeller=Impeller(2))
    assert Fault.MISALIGNMENT in faults(machine("pump", impeller=Impeller(5)), observed(now, None))
    assert Fault.MISALIGNMENT not in faults(spec, observed(now, None))


# Other shafts


RATTLE = dict.fromkeys("HV", Signal({SPEED_HZ * k: 2.5 for k in (1, 2, 4, 6, 8, 10)}))
HALF = {d: shaft(2.0) + Signal({SPEED_HZ / 2: 2.0}) for d in "HV"}


def at_twice_the_machine(spec: MachineSpec, evidence: Evidence) -> tuple[MachineSpec, Evidence]:
    """The point's shaft turns twice as fast as the machine."""
    slow = np.full(evidence.n_blocks, SPEED_HZ / 2)
    return turned(spec, 2.0), replace(evidence, speed_hz=slow)


def test_vanes_are_counted_on_the_shaft_of_the_point() -> None:
    """Four vanes on the machine's shaft pass at twice a turn of a shaft that is twice as fast."""
    spec, evidence = machine("pump", impeller=Impeller(4)), observed(RATTLE, None)
    nine = machine("pump", impeller=Impeller(9))
    assert Fault.ROTATING_LOOSENESS in faults(*at_twice_the_machine(nine, evidence))
    assert Fault.ROTATING_LOOSENESS not in faults(*at_twice_the_machine(spec, evidence))


def test_half_an_order_that_is_another_shaft_is_no_looseness() -> None:
    spec, evidence = machine("gearbox"), observed(HALF, None)
    assert Fault.ROTATING_LOOSENESS in faults(spec, evidence)
    assert Fault.ROTATING_LOOSENESS not in faults(*at_twice_the_machine(spec, evidence))


def test_a_belt_is_that_of_the_machine_at_a_point_of_another_shaft() -> None:
    """A belt that turns 0.75 times a turn of the machine turns 1.5 times one of a shaft at half its speed."""
    belted, evidence = (
        machine("fan", belt=Belt(500.0, 500.0 * np.pi / 0.75)),
        observed({d: shaft(2.0) + Signal({1.5 * SPEED_HZ: 2.0}) for d in "HV"}, None),
    )
    evidence = replace(evidence, speed_hz=np.full(3, 2 * SPEED_HZ))
    assert Fault.ROTATING_LOOSENESS in faults(turned(machine("fan"), 0.5), evidence)
    assert Fault.ROTATING_LOOSENESS not in faults(turned(belted, 0.5), evidence)


# Speed


def test_lines_of_a_speed_that_is_too_rough_are_unknown() -> None:
    rough = replace(observed(SHAKES), speed_sigma_hz=np.full(3, 1.0))
    first = told(machine(), rough)[0]
    assert first.fault is Fault.UNIDENTIFIED
    assert first.separate_by[0] == "measure_speed"


def test_without_a_speed_no_comb_was_searched() -> None:
    blind = replace(observed(everywhere(HF), residual_k=8.0), speed_hz=None)
    first = told(machine(), blind)[0]
    assert first.fault is Fault.UNIDENTIFIED
    assert Fault.LUBRICATION in first.not_separated


# Bearings


def test_a_comb_does_not_name_what_the_bearing_rule_does_not() -> None:
    grown = {f"{d}_{of}": 9.0 for d in ("bpfi", "bpfo") for of in ("modulation", "m_s2")}
    spec, evidence = case(Fault.OUTER_RING)
    channels = tuple(
        replace(c, features={**c.features, **{f"{d}_harmonics": np.full(3, 5.0) for d in ("bpfi", "bpfo")}})
        for c in evidence.points[0].channels
    )
    evidence = replace(evidence, points=(replace(evidence.points[0], channels=channels),))
    silent = [Finding(None, 0.1)] * 3
    assert faults(spec, scaled(evidence, grown)) == [Fault.OUTER_RING]
    assert Fault.INNER_RING not in faults(spec, with_findings(scaled(evidence, grown), *silent))
    unasked = with_findings(scaled(evidence, grown))
    assert {Fault.INNER_RING, Fault.OUTER_RING} <= set(faults(spec, unasked))


def test_no_current_flutes_a_bearing_without_a_motor() -> None:
    spec, evidence = case(Fault.ELECTRICAL_EROSION)
    del spec
    assert faults(machine("pump"), evidence)[0] is Fault.OUTER_RING


def test_noise_at_the_place_of_the_lines_is_no_stage_three() -> None:
    state = indicators(views_of(machine(), observed(everywhere(Signal(bands=((5.0, 9000.0, 3.0),)))))[0])
    assert not state.stage_3


def test_zone_c_that_doubles_within_a_month_is_not_counted_twice() -> None:
    evidence = observed({"H": shaft(3.0)}, {"H": shaft(2.0)})
    channel = evidence.points[0].channels[0]

    def doubling(days: float) -> int:
        rising = replace(channel, doubling_days={"velocity_rms_mm_s": days})
        point = replace(evidence.points[0], channels=(rising,))
        return severity(indicators(views_of(machine(), replace(evidence, points=(point,)))[0])).level

    assert [doubling(days) for days in (400.0, 20.0, 5.0)] == [4, 4, 5]


# Exclusions


def test_an_exclusion_that_nobody_looked_at_costs_trust_and_is_named() -> None:
    whole = told(machine(), observed(SHAKES))[0]
    single = told(machine(), along(observed(SHAKES), "H"))[0]
    flat = told(machine(), along(observed(SHAKES), "H", "V"))[0]
    assert single.confidence < flat.confidence < whole.confidence
    assert whole.not_separated == ()
    assert set(flat.not_separated) == {Fault.BENT_SHAFT, Fault.MISALIGNMENT}


def test_hiding_what_excludes_unbalance_says_what_it_may_be_instead() -> None:
    spec, evidence = case(Fault.BENT_SHAFT)
    checked = confidences(machine(), observed(SHAKES))[Fault.UNBALANCE]
    blind = {d.fault: d for d in told(spec, along(evidence, "H", "V"))}[Fault.UNBALANCE]
    assert blind.confidence < checked
    assert Fault.BENT_SHAFT in blind.not_separated
    assert blind.separate_by[0] == "axial_reading"


def test_a_fan_without_history_is_cleaned_before_it_is_balanced() -> None:
    first = told(machine("fan"), observed(SHAKES))[0]
    assert first.fault is Fault.UNBALANCE
    assert Fault.FAN_DEPOSIT in first.not_separated
    assert first.separate_by[0] == "clean_rotor"


def test_a_fan_whose_history_is_flat_has_no_deposit() -> None:
    hours, _ = ramp()
    level = np.where(np.arange(40) >= 30, 4.0, 1.0)
    found = {d.fault: d for d in told(machine("fan"), history(hours, of_1x(level)))}
    assert Fault.FAN_DEPOSIT not in found[Fault.UNBALANCE].not_separated


@pytest.mark.parametrize(("kind", "other"), [("pump", Fault.BLOCKED_VANE), ("spindle", Fault.TOOL)])
def test_what_a_step_would_tell_is_named_where_nobody_saw_it(kind: str, other: Fault) -> None:
    bare = replace(observed(SHAKES), hours=None)
    assert other in told(machine(kind), bare)[0].not_separated


def test_a_tooth_is_not_told_from_a_bearing_that_nobody_named() -> None:
    spec, evidence = case(Fault.TOOTH_CRACK)
    combs = {f"{d}_harmonics" for d in ("bpfo", "bpfi", "bsf", "ftf")}
    channels = tuple(
        replace(c, features={k: v for k, v in c.features.items() if k not in combs})
        for c in evidence.points[0].channels
    )
    blind = replace(evidence, points=(replace(evidence.points[0], channels=channels),))
    found = {d.fault: d for d in told(spec, blind)}[Fault.TOOTH_CRACK]
    assert {Fault.OUTER_RING, Fault.INNER_RING} <= set(found.not_separated)
    assert found.confidence < confidences(spec, evidence)[Fault.TOOTH_CRACK]


@pytest.mark.parametrize("fault", CASES)
def test_every_exclusion_names_a_fault_that_the_rule_holds_as_a_look_alike(fault: Fault) -> None:
    rule = RULE_OF[fault]
    alike = {look.fault for look in rule.look_alikes}
    for clause in rule.clauses:
        if clause.role is Role.EXCLUDES:
            assert clause.instead
            assert set(clause.instead) <= alike


# What a sign may say


def test_a_sign_has_the_limit_of_its_rule_where_detection_has_none() -> None:
    """1.6 times is enough where the rule says 1.5, unless detection has a limit of its own."""
    spec, evidence = case(Fault.CAVITATION)
    spec = replace(spec, impeller=Impeller(4))
    vanes = {"vane_pass_mm_s": 1.6}
    channels = tuple(
        replace(c, features={**c.features, "vane_pass_mm_s": np.full(3, 0.5)})
        for c in evidence.points[0].channels
    )
    evidence = replace(evidence, points=(replace(evidence.points[0], channels=channels),))
    quiet = confidences(spec, scaled(evidence, {"vane_pass_mm_s": 1.0}))[Fault.CAVITATION]
    assert confidences(spec, scaled(evidence, vanes))[Fault.CAVITATION] > quiet


def test_what_is_absent_is_no_reason_to_suspect() -> None:
    """No comb and no shocks: that alone is not lack of grease."""
    hum = {d: s + Signal({170.0: 4.0}) for d, s in SOUND.items()}
    first = told(machine("pump"), observed(hum, None))[0]
    assert first.fault is Fault.UNIDENTIFIED
    assert not {Fault.LUBRICATION, Fault.CAVITATION} & set(first.not_separated)


def test_a_ring_without_baseline_may_be_fluted_where_there_is_a_motor() -> None:
    spec, evidence = case(Fault.ELECTRICAL_EROSION)
    point = evidence.points[0]
    bare = replace(point, channels=tuple(replace(c, ratios={}) for c in point.channels))
    first = told(spec, replace(evidence, points=(bare,)))[0]
    assert first.fault is Fault.OUTER_RING
    assert first.not_separated == (Fault.ELECTRICAL_EROSION,)
    assert told(machine("pump"), replace(evidence, points=(bare,)))[0].not_separated == ()
