"""Every fault of the table, on a machine that shows exactly it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.diagnosis import RULE_OF, RULES, Diagnosis, Evidence, Fault, diagnose
from models.diagnosis.rules import Role
from models.types import MachineSpec
from tests.support.sick_cases import CASES, case, clogged
from tests.support.sick_machines import SOUND, machine, observed


def verdict(spec: MachineSpec, evidence: Evidence) -> tuple[Diagnosis, ...]:
    found = diagnose(spec, evidence)
    assert isinstance(found, tuple)
    return found


@pytest.mark.parametrize("fault", CASES)
def test_a_machine_that_shows_exactly_one_fault_has_it_ranked_first(fault: Fault) -> None:
    found = verdict(*case(fault))
    assert found[0].fault is fault, [(d.fault, d.confidence) for d in found]
    assert found[0].severity >= 2
    assert found[0].point == "DE"


@pytest.mark.parametrize("fault", CASES)
def test_a_verdict_says_what_it_stands_on(fault: Fault) -> None:
    first = verdict(*case(fault))[0]
    for_it = [item for item in first.evidence if item.weight > 0]
    assert any(item.needed for item in for_it)
    assert all(item.met > 0 and item.point == "DE" for item in for_it)
    assert len({item.feature for item in for_it} | {item.params.get("against", "") for item in for_it}) >= 2


@pytest.mark.parametrize("fault", CASES)
def test_at_most_three_faults_are_told_from_the_surest_down(fault: Fault) -> None:
    found = verdict(*case(fault))
    sure = [d.confidence for d in found]
    assert 1 <= len(found) <= 3
    assert sure == sorted(sure, reverse=True)
    assert min(sure) >= 0.5


def test_every_fault_but_the_unidentified_has_a_rule() -> None:
    assert set(RULE_OF) == set(Fault) - {Fault.UNIDENTIFIED}
    assert len(RULES) == len(RULE_OF)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.fault))
def test_needed_evidence_names_a_fault_and_support_alone_does_not(rule: object) -> None:
    weight = rule.weight  # type: ignore[attr-defined]
    assert weight(Role.NEEDED) >= 0.7 - 1e-9
    assert weight(Role.SUPPORTS) < 0.5


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.fault))
def test_every_rule_says_where_it_comes_from_and_what_confirms_it(rule: object) -> None:
    assert rule.source  # type: ignore[attr-defined]
    assert rule.confirm  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["machine", "pump", "fan", "spindle", "motor"])
def test_a_sound_machine_has_no_fault(kind: str) -> None:
    assert diagnose(machine(kind), observed(SOUND)) == ()


def at_both_ends(spec: MachineSpec, evidence: Evidence) -> tuple[MachineSpec, Evidence]:
    """The same at two points of the machine."""
    other = replace(spec.points[0], id="NDE")
    points = (evidence.points[0], replace(evidence.points[0], id="NDE"))
    return replace(spec, points=(spec.points[0], other)), replace(evidence, points=points)


def test_a_fault_of_the_shaft_is_told_once_however_many_points_show_it() -> None:
    found = verdict(*at_both_ends(*case(Fault.UNBALANCE)))
    assert [d.fault for d in found] == [Fault.UNBALANCE]


def test_two_bearings_may_be_damaged() -> None:
    found = verdict(*at_both_ends(*case(Fault.OUTER_RING)))
    assert [(d.fault, d.point) for d in found] == [(Fault.OUTER_RING, "DE"), (Fault.OUTER_RING, "NDE")]


def test_a_line_that_all_points_show_is_surer_to_be_the_supply() -> None:
    one, two = case(Fault.STATOR), at_both_ends(*case(Fault.STATOR))
    assert verdict(*two)[0].confidence > verdict(*one)[0].confidence


def test_the_worst_point_of_a_sound_and_a_sick_one_is_told() -> None:
    spec, evidence = at_both_ends(*case(Fault.UNBALANCE))
    sound = observed(SOUND).points[0]
    found = verdict(spec, replace(evidence, points=(sound, evidence.points[1])))
    assert [d.point for d in found] == ["NDE"]


def test_a_rotor_that_clogs_from_one_block_to_the_next_is_blocked() -> None:
    first = verdict(machine("pump"), clogged())[0]
    assert first.fault is Fault.BLOCKED_VANE
    assert Fault.UNBALANCE in first.not_separated


def test_the_same_step_on_a_machine_without_blades_is_unbalance() -> None:
    assert verdict(machine("motor"), clogged())[0].fault is Fault.UNBALANCE
