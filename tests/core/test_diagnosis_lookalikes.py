"""Faults that look alike: told apart by what is measured, or named as not told apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.diagnosis import Diagnosis, Evidence, Fault, diagnose
from models.types import MachineSpec, Motor
from tests.support.sick_cases import (
    FROM_1_KHZ,
    HF,
    case,
    centrifugal,
    everywhere,
    finding,
    motor,
    tightened,
    with_findings,
)
from tests.support.sick_machines import LIMITS, Signal, machine, observed, shaft

TWO_POLE_HZ = 49.6  # twice it is 0.8 Hz from 100 Hz: not resolved in 4 s
SLIPPING_HZ = 49.1  # twice it is 1.8 Hz away: resolved
HUM = Signal({100.0: 2.5})


def verdict(spec: MachineSpec, evidence: Evidence) -> tuple[Diagnosis, ...]:
    found = diagnose(spec, evidence)
    assert isinstance(found, tuple)
    return found


def faults(spec: MachineSpec, evidence: Evidence) -> list[Fault]:
    return [d.fault for d in verdict(spec, evidence)]


def test_unbalance_on_all_three_axes_is_told_from_what_looks_like_it() -> None:
    first = verdict(*case(Fault.UNBALANCE))[0]
    assert first.not_separated == ()
    assert first.separate_by == ("phase_hv", "balance_run")


def test_one_axis_can_not_tell_unbalance_from_what_looks_like_it() -> None:
    first = verdict(machine(), observed({"": shaft(4.0)}, None, blocks=1))[0]
    assert first.fault is Fault.UNBALANCE
    assert set(first.not_separated) == {
        Fault.BENT_SHAFT,
        Fault.RESONANCE,
        Fault.MISALIGNMENT,
        Fault.STRUCTURAL_LOOSENESS,
    }
    assert {"axial_reading", "bump_test", "coast_down", "phase_frame_base"} <= set(first.separate_by)


@pytest.mark.parametrize("fault", [Fault.BENT_SHAFT, Fault.RESONANCE, Fault.STRUCTURAL_LOOSENESS])
def test_unbalance_does_not_lead_where_directions_say_otherwise(fault: Fault) -> None:
    found = verdict(*case(fault))
    unbalance = [d.confidence for d in found if d.fault is Fault.UNBALANCE]
    assert found[0].fault is fault
    assert all(sure < found[0].confidence for sure in unbalance)


def test_a_high_axial_1x_is_no_unbalance() -> None:
    assert Fault.UNBALANCE not in faults(*case(Fault.BENT_SHAFT))


def test_1x_that_follows_the_square_of_the_speed_supports_unbalance_and_excludes_resonance() -> None:
    found = verdict(machine(), centrifugal())
    assert [d.fault for d in found] == [Fault.UNBALANCE]
    assert "follows_square" in {item.key for item in found[0].evidence}


def test_a_bent_shaft_is_not_told_from_misalignment_without_phase() -> None:
    first = verdict(*case(Fault.BENT_SHAFT))[0]
    assert Fault.MISALIGNMENT in first.not_separated
    assert "phase_across_coupling" in first.separate_by


def test_resonance_and_looseness_are_not_told_apart_at_one_speed() -> None:
    found = {d.fault: d for d in verdict(*case(Fault.STRUCTURAL_LOOSENESS))}
    assert Fault.RESONANCE in found[Fault.STRUCTURAL_LOOSENESS].not_separated
    assert "bump_test" in found[Fault.STRUCTURAL_LOOSENESS].separate_by


def test_a_sweep_tells_resonance_from_looseness() -> None:
    assert verdict(*case(Fault.RESONANCE))[0].not_separated == ()


def test_a_change_on_tightening_is_looseness() -> None:
    assert verdict(machine(), tightened())[0].fault is Fault.STRUCTURAL_LOOSENESS


def test_a_pump_with_random_noise_cavitates_and_one_that_warms_lacks_grease() -> None:
    pump = machine("pump")
    assert verdict(pump, observed(everywhere(FROM_1_KHZ), residual_k=0.0))[0].fault is Fault.CAVITATION
    assert verdict(pump, observed(everywhere(HF), residual_k=8.0))[0].fault is Fault.LUBRICATION


def test_without_a_temperature_cavitation_and_lack_of_grease_are_not_told_apart() -> None:
    first = verdict(machine("pump"), observed(everywhere(FROM_1_KHZ)))[0]
    assert first.fault is Fault.CAVITATION
    assert first.not_separated == (Fault.LUBRICATION,)
    assert {"raise_suction", "grease_test"} <= set(first.separate_by)


@pytest.mark.parametrize("noise", [HF, FROM_1_KHZ])
def test_high_frequencies_with_lines_of_the_bearing_are_neither_cavitation_nor_grease(noise: Signal) -> None:
    evidence = with_findings(observed(everywhere(noise), residual_k=8.0), *[finding(Fault.OUTER_RING)] * 3)
    found = faults(machine("pump"), evidence)
    assert found[0] is Fault.OUTER_RING
    assert not {Fault.CAVITATION, Fault.LUBRICATION} & set(found)


def test_cavitation_is_of_pumps() -> None:
    assert Fault.CAVITATION not in faults(machine("fan"), observed(everywhere(FROM_1_KHZ)))


def test_noise_without_a_known_bearing_names_no_fault_but_what_is_missing() -> None:
    evidence = observed(everywhere(HF), residual_k=8.0)
    blind = {name for name in evidence.points[0].channels[0].features if name.endswith("_harmonics")}
    channels = tuple(
        replace(c, features={k: v for k, v in c.features.items() if k not in blind})
        for c in evidence.points[0].channels
    )
    spec = machine()
    spec = replace(spec, points=(replace(spec.points[0], bearing=None),))
    first = verdict(spec, replace(evidence, points=(replace(evidence.points[0], channels=channels),)))[0]
    assert first.fault is Fault.UNIDENTIFIED
    assert Fault.LUBRICATION in first.not_separated
    assert "name_bearing" in first.separate_by


def test_a_line_at_100_hz_that_is_resolved_from_2x_is_the_stator() -> None:
    spec, evidence = motor(SLIPPING_HZ, HUM, poles=2)
    assert faults(spec, evidence) == [Fault.STATOR]


def test_2x_that_is_resolved_from_100_hz_is_misalignment() -> None:
    spec, evidence = motor(SLIPPING_HZ, Signal({2 * SLIPPING_HZ: 2.5, SLIPPING_HZ: 2.0}), poles=2)
    first = verdict(spec, evidence)[0]
    assert first.fault is Fault.MISALIGNMENT
    assert Fault.STATOR not in first.not_separated


@pytest.mark.parametrize("signal", [HUM, Signal({2 * TWO_POLE_HZ: 2.5})])
def test_2x_that_may_be_100_hz_is_neither_until_it_is_resolved(signal: Signal) -> None:
    first = verdict(*motor(TWO_POLE_HZ, signal, poles=2))[0]
    assert first.fault is Fault.UNIDENTIFIED
    assert {Fault.STATOR, Fault.MISALIGNMENT} <= set(first.not_separated)
    assert {"longer_block", "power_off"} <= set(first.separate_by)


def test_2x_near_100_hz_of_a_motor_nobody_described_may_be_the_supply() -> None:
    evidence = observed(
        {d: shaft(2.0, 2.5, 0.8, speed_hz=TWO_POLE_HZ) for d in "HV"},
        {d: shaft(0.8, speed_hz=TWO_POLE_HZ) for d in "HV"},
        speed_hz=TWO_POLE_HZ,
    )
    first = verdict(machine("motor"), evidence)[0]
    assert first.fault is Fault.MISALIGNMENT
    assert Fault.STATOR in first.not_separated


def test_what_rose_elsewhere_in_the_spectrum_is_not_laid_at_the_shaft() -> None:
    """A chronic 1x of twice 2x and an axial one are no news when the line of the supply rises."""
    sound = {"H": shaft(0.8), "V": shaft(0.7), "A": shaft(0.7)}
    now = {d: s + Signal({170.0: 4.0}) for d, s in sound.items()}
    assert faults(machine(), observed(now, sound)) == [Fault.UNIDENTIFIED]


def test_fluting_is_told_before_the_ring_that_it_is_in() -> None:
    first = verdict(*case(Fault.ELECTRICAL_EROSION))[0]
    assert first.not_separated == (Fault.OUTER_RING,)
    assert "shaft_voltage" in first.separate_by


def test_a_finding_hands_on_what_it_can_not_tell_apart() -> None:
    spec, evidence = case(Fault.ROLLING_ELEMENT)
    by_cage = replace(finding(Fault.ROLLING_ELEMENT), not_separated=(Fault.CAGE,))
    first = verdict(spec, with_findings(evidence, *[by_cage] * 3))[0]
    assert first.not_separated == (Fault.CAGE,)


def test_a_rolling_element_shows_now_and_then_and_a_ring_all_the_time() -> None:
    spec, evidence = case(Fault.OUTER_RING)
    silent = replace(finding(Fault.OUTER_RING), fault=None, confidence=0.1)
    some = [finding(Fault.ROLLING_ELEMENT), silent, silent, finding(Fault.ROLLING_ELEMENT), silent]
    rings = [finding(Fault.OUTER_RING), silent, silent, finding(Fault.OUTER_RING), silent]
    assert verdict(spec, with_findings(evidence, *some))[0].fault is Fault.ROLLING_ELEMENT
    assert Fault.OUTER_RING not in faults(spec, with_findings(evidence, *rings))


def test_bars_of_a_rotor_are_not_named_at_low_or_unknown_load() -> None:
    spec, evidence = case(Fault.ROTOR_BARS)
    assert Fault.ROTOR_BARS in faults(spec, evidence)
    for load in (40.0, np.nan):
        idle = replace(evidence, load=np.full(evidence.n_blocks, load))
        found = diagnose(spec, idle)
        assert not isinstance(found, tuple) or Fault.ROTOR_BARS not in [d.fault for d in found]


def test_a_machine_with_a_motor_of_other_supply_is_not_held_to_100_hz() -> None:
    spec, evidence = motor(SLIPPING_HZ, Signal({2 * SLIPPING_HZ: 2.5, SLIPPING_HZ: 2.0}), poles=2)
    spec = replace(spec, motor=Motor(37.0, 2))
    assert Fault.STATOR not in verdict(spec, evidence)[0].not_separated


def test_a_chronic_unbalance_is_one_by_its_zone() -> None:
    chronic = {"H": shaft(4.0), "V": shaft(3.6), "A": shaft(0.4)}
    first = verdict(machine(), observed(chronic, chronic, limits=LIMITS))[0]
    assert first.fault is Fault.UNBALANCE
    assert "velocity_zone" in {item.key for item in first.evidence}


def test_what_a_machine_can_not_have_is_no_look_alike() -> None:
    first = verdict(machine("spindle"), observed(everywhere(HF)))[0]
    assert first.fault is Fault.LUBRICATION
    assert first.not_separated == (Fault.OUTER_RING, Fault.INNER_RING)
    assert "grease_test" in first.separate_by
