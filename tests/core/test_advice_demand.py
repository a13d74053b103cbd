"""What is asked for: the greater of a diagnosis and of the state in force at its point."""

from __future__ import annotations

import pytest

from models.advice import Deadline, Demand, InForce, asked_of, raised
from models.diagnosis.severity import Action

PLANNED = Demand(3, Action.PLAN, Deadline(672.0, 0))


def test_a_point_in_danger_asks_to_stop_now_whatever_was_found_before() -> None:
    told = raised(PLANNED, InForce("danger", 5, 7), "B")
    assert told == Demand(5, Action.STOP, Deadline(0.0, 7), "danger")


@pytest.mark.parametrize(
    "state",
    [
        None,
        InForce("watch", 2, 7),
        InForce("alert", 3, 7),
        InForce("stopped", 5, 7),
        InForce("unknown", 5, 7),
    ],
)
def test_what_asks_for_no_more_or_cannot_be_judged_changes_nothing(state: InForce | None) -> None:
    assert raised(PLANNED, state, "A") is PLANNED


def test_severity_4_is_more_urgent_on_a_critical_machine_and_where_it_grows_fast() -> None:
    assert asked_of(4, "B") == (Action.INTERVENE, 168.0)
    assert asked_of(4, "A") == asked_of(4, "C", fast=True) == (Action.INTERVENE, 72.0)
