"""Advice: what the severity asks for, by when, and which facts are told."""

from __future__ import annotations

import pytest

from models.advice import advise, advise_all
from models.advice.advise import MOST_FACTS, facts_of, task_of
from models.diagnosis import BEARING_FAULTS, Diagnosis, EvidenceItem, Fault, diagnose
from models.diagnosis.severity import Action
from tests.support.sick_cases import CASES, case
from tests.support.sick_machines import machine


def diagnosis(severity: int, fault: Fault = Fault.UNBALANCE, *items: EvidenceItem) -> Diagnosis:
    return Diagnosis(fault, 0.8, severity, "DE", items, separate_by=("phase_hv", "balance_run"))


@pytest.mark.parametrize(
    ("severity", "action", "deadline_h"),
    [
        (1, Action.NONE, None),
        (2, Action.WATCH, 720.0),
        (3, Action.PLAN, 672.0),
        (4, Action.INTERVENE, 168.0),
        (5, Action.STOP, 0.0),
    ],
)
def test_each_severity_has_its_action_and_deadline(
    severity: int, action: Action, deadline_h: float | None
) -> None:
    advice = advise(diagnosis(severity), machine())
    assert (advice.action, advice.deadline_h) == (action, deadline_h)


@pytest.mark.parametrize(("criticality", "fast"), [("A", False), ("B", True)])
def test_a_critical_machine_or_a_fast_trend_makes_a_week_72_hours(criticality: str, fast: bool) -> None:
    advice = advise(diagnosis(4), machine(criticality=criticality), fast=fast)
    assert advice.deadline_h == 72.0


def test_no_other_deadline_depends_on_the_machine() -> None:
    assert advise(diagnosis(3), machine(criticality="A"), fast=True).deadline_h == 672.0


def test_the_first_measurement_that_separates_confirms() -> None:
    assert advise(diagnosis(3), machine()).confirm == ("phase_hv",)


def test_one_task_serves_all_parts_of_a_bearing() -> None:
    assert {task_of(fault) for fault in BEARING_FAULTS} == {"bearing"}
    assert task_of(Fault.BELT) == "belt"


def item(key: str, weight: float, met: float = 1.0, feature: str = "f") -> EvidenceItem:
    return EvidenceItem(key, weight, met, feature=feature)


def test_facts_are_the_strongest_evidence_for_the_fault() -> None:
    weak, strong, against = item("a", 0.1), item("b", 0.5), item("c", -0.9)
    unmet, also = item("d", 0.9, 0.0), item("e", 0.3)
    assert facts_of((weak, strong, against, unmet, also)) == (strong, also)


def test_a_fact_is_told_once() -> None:
    assert facts_of((item("a", 0.5), item("a", 0.2), item("b", 0.1))) == (item("a", 0.5), item("b", 0.1))


def test_where_the_shocks_are_is_told_first() -> None:
    lines = item("bearing_lines", 0.2)
    assert facts_of((item("bearing_found", 1.0), item("raised", 0.9), lines))[0] is lines


def test_a_bearing_rule_without_lines_is_still_told() -> None:
    assert [i.key for i in facts_of((item("bearing_found", 1.0),))] == ["bearing_found"]


@pytest.mark.parametrize("fault", CASES)
def test_every_case_gets_advice_that_stands_on_facts(fault: Fault) -> None:
    spec, evidence = case(fault)
    found = diagnose(spec, evidence)
    assert isinstance(found, tuple)
    advice = advise(found[0], spec)
    assert advice.machine == "M-1"
    assert 1 <= len(advice.facts) <= MOST_FACTS
    assert advice.confirm
    assert advice.stage >= (2 if fault in BEARING_FAULTS else 0)


def test_the_worst_is_told_first() -> None:
    told = advise_all((diagnosis(2), diagnosis(5, Fault.BELT), diagnosis(3)), machine())
    assert [advice.severity for advice in told] == [5, 3, 2]
