"""What a point is said to be in, from what the limits say and what the detector says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ingest.watch import NO_TESTS, Verdict
from ingest.watch_diagnosis import EVERY_BLOCKS, Looked, look
from ingest.watch_health import Health, together
from ingest.watch_parts import PointModel, Watched
from ingest.watch_states import merged
from models.detection.decision import Basis, Level
from models.detection.regimes import Regime
from models.detection.zones import NO_DATA, Judgement, unknown
from models.types import MachineSpec, PointSpec, State

NAMES = ("H/velocity_rms_mm_s", "H/kurtosis")
NORMAL = Judgement(State.NORMAL, State.NORMAL, True, 1, "A", 1.0, "iso")
ALERT = Judgement(State.ALERT, State.ALERT, True, 3, "C", 7.0, "iso", "B/C", 6.1)
DANGER = Judgement(State.DANGER, State.DANGER, True, 5, "D", 12.0, "iso", "C/D", 9.5)
NO_LIMITS = Judgement(State.LEARNING, learning=True, value=1.0)
STOPPED = Judgement(State.STOPPED, value=0.0)
SICK = unknown(NO_DATA)


def verdict(*, learned: bool = True, column: int = 1, **what: Any) -> Verdict:
    model = PointModel(1, ("H",), None, np.ones((1, 2))) if learned else None  # type: ignore[arg-type]
    point = PointSpec("1", ())
    watched = Watched(
        ("s", "m", "1"), MachineSpec("m", (point,)), point, ("H",), ("velocity_rms_mm_s", "kurtosis"),
        6.1, 9.5, NAMES[:1], model,
    )  # fmt: skip
    level = what.get("level", Level.NONE)
    told: dict[str, Any] = {
        "watched": watched, "ts_ns": 1, "frame": None, "advanced": True, "counted": True,
        "regime": Regime.RUNNING, "said": State.NORMAL, "basis": Basis.BASELINE, "level": Level.NONE,
        "tests": {"alert": (NAMES[column],)} if level else NO_TESTS,
        "x": np.array([3.0, 9.0]), "z": np.array([6.0, 9.0]), "alert": np.array([2.5, 6.0]),
        "health": Health(),
    }  # fmt: skip
    return Verdict(**(told | what))


def test_while_learning_the_limits_alone_speak() -> None:
    for said in (NORMAL, ALERT, DANGER, NO_LIMITS, STOPPED, SICK):
        assert merged(said, verdict(learned=False, basis=Basis.STANDARD)) is said


@pytest.mark.parametrize(
    ("said", "level", "state", "severity"),
    [
        (NORMAL, Level.NONE, State.NORMAL, 1),
        (NORMAL, Level.WATCH, State.WATCH, 2),
        (NORMAL, Level.ALERT, State.ALERT, 3),
        (NORMAL, Level.DANGER, State.DANGER, 5),
        (ALERT, Level.WATCH, State.ALERT, 3),
        (DANGER, Level.NONE, State.DANGER, 5),
        (NO_LIMITS, Level.NONE, State.NORMAL, 1),
        (NO_LIMITS, Level.WATCH, State.WATCH, 2),
    ],
)
def test_with_a_baseline_the_worse_of_both_speaks(
    said: Judgement, level: Level, state: State, severity: int
) -> None:
    told = merged(said, verdict(level=level))
    assert (told.state, told.severity, told.learning) == (state, severity, False)
    assert told.zone == said.zone


def test_a_limit_of_the_baseline_is_told_where_it_is_one_of_velocity() -> None:
    of_velocity = merged(NORMAL, verdict(level=Level.ALERT, column=0))
    assert (of_velocity.value, of_velocity.limit, of_velocity.limit_name) == (3.0, 2.5, "baseline")
    other = merged(NORMAL, verdict(level=Level.ALERT))
    assert (other.value, other.limit, other.limit_name) == (1.0, None, "baseline")


@pytest.mark.parametrize(
    ("regime", "state"), [(Regime.STOPPED, State.STOPPED), (Regime.TRANSIENT, State.TRANSIENT)]
)
def test_a_machine_that_stands_or_settles_is_nothing_else_but_in_danger(regime: Regime, state: State) -> None:
    for learned in (True, False):
        assert merged(ALERT, verdict(regime=regime, level=Level.ALERT, learned=learned)).state is state
        assert merged(DANGER, verdict(regime=regime, learned=learned)).state is State.DANGER
    assert merged(NORMAL, verdict(regime=regime, level=Level.DANGER)).state is State.DANGER
    assert merged(SICK, verdict(regime=regime)) is SICK


def test_unknown_is_a_value() -> None:
    assert merged(SICK, verdict()) is SICK
    assert merged(SICK, verdict(level=Level.ALERT)).state is State.ALERT
    unseen = merged(NO_LIMITS, verdict(basis=Basis.NONE))
    assert (unseen.state, unseen.reason, unseen.remedy) == (State.UNKNOWN, "regime_unseen", "learn_regime")
    assert merged(NORMAL, verdict(basis=Basis.STANDARD)).state is State.NORMAL


def test_a_point_is_examined_when_it_gets_worse_and_then_every_sixth_block_that_counts() -> None:
    states = [
        State.NORMAL,
        State.WATCH,
        *[State.WATCH] * EVERY_BLOCKS,
        State.ALERT,
        State.NORMAL,
        State.WATCH,
    ]
    looked, asked = Looked(), []
    for state in states:
        looked, due = look(looked, state, counted=True)
        asked.append(due)
    assert [i for i, due in enumerate(asked) if due] == [
        1,
        1 + EVERY_BLOCKS,
        2 + EVERY_BLOCKS,
        4 + EVERY_BLOCKS,
    ]


def test_blocks_that_do_not_count_ask_for_nothing_more() -> None:
    looked, due = look(Looked(), State.ALERT, counted=False)
    assert due
    assert not any(look(looked, State.ALERT, counted=False)[1] for _ in range(20))


def test_a_machine_is_as_healthy_as_its_worst_point() -> None:
    whole = together([Health((("bearing", 50.0), ("shaft", 90.0)), True), Health((("shaft", 70.0),), True)])
    assert whole == Health((("bearing", 50.0), ("shaft", 70.0)), True)
    assert whole.worst == ("bearing", 50.0)
    assert together([]) == Health()
    assert not together([whole, Health()]).complete


@pytest.mark.parametrize("level", [Level.WATCH, Level.ALERT, Level.DANGER])
def test_what_once_stood_says_nothing_of_a_point_that_nothing_is_known_of(level: Level) -> None:
    blind = verdict(level=level, x=np.full(2, np.nan))
    assert merged(SICK, blind) is SICK
