"""What is asked for: by the severity of a diagnosis, and by the state of its point where that asks for more.

A diagnosis is as old as its examination. A point that got worse since asks for more than its diagnosis did,
and people are told the greater of the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from models.diagnosis.severity import ACTIONS, URGENT_HOURS, Action
from models.types import State

from .deadline import Deadline

ABNORMAL: Final = frozenset({State.WATCH, State.ALERT, State.DANGER})
"""States of a point that ask for something; one that stands still, or that nobody can judge, does not."""


@dataclass(frozen=True, slots=True)
class InForce:
    """The state that a point is said to be in since `ts_ns`, and its severity, 1 to 5."""

    state: str
    severity: int
    ts_ns: int


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked for: an `Action`, and by when.

    `raised_by` is the state of the point where that asks for more than the diagnosis did, "" else.
    """

    severity: int
    action: str
    deadline: Deadline
    raised_by: str = ""


def asked_of(severity: int, criticality: str, *, fast: bool = False) -> tuple[Action, float | None]:
    """What a severity asks for on a machine, and within how many hours.

    `fast` says that the trend doubles within a week. Severity 4 is then, and on a machine of criticality A, a
    matter of 72 hours rather than of a week.
    """
    action, deadline_h = ACTIONS[severity]
    urgent = action is Action.INTERVENE and (fast or criticality == "A")
    return action, URGENT_HOURS if urgent else deadline_h


def raised(told: Demand, state: InForce | None, criticality: str) -> Demand:
    """What a diagnosis asks for, raised to what the state in force at its point asks for."""
    if state is None or state.state not in ABNORMAL or state.severity <= told.severity:
        return told
    action, deadline_h = asked_of(state.severity, criticality)
    return Demand(state.severity, action, Deadline(deadline_h, state.ts_ns), state.state)
