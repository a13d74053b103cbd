"""What an answer of the training mode is worth, and how sessions and results are kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.diagnosis import Fault
from palier.locale import LANGUAGES, Catalogue
from palier.training import (
    ACTIONS,
    FAMILIES,
    FAMILY_OF,
    FAULTS,
    NOTHING,
    SENSOR,
    WORTH,
    Answer,
    Exercise,
    Expected,
    Session,
    TrainingError,
    Wrong,
    said,
    score,
    settled,
)
from palier.training_results import COLUMNS, Result, TrainingFolder, table_text

OUTER = Expected(("outer_ring",), ("2",), 3, ("plan",))
RIGHT = Answer("outer_ring", "2", 3, "plan")
ANSWERS = st.builds(
    Answer,
    st.sampled_from(FAULTS),
    st.sampled_from(["", "1", "2"]),
    st.integers(1, 5),
    st.sampled_from(ACTIONS),
)


def marks(answer: Answer, expected: Expected = OUTER) -> dict[str, int]:
    return {mark.question: mark.got for mark in score(answer, expected).marks}


def test_a_right_answer_has_all_points_and_a_hint_costs_five() -> None:
    assert sum(WORTH.values()) == 100
    assert score(RIGHT, OUTER).points == 100
    assert score(RIGHT, OUTER, hints=2).points == 90


def test_the_right_family_without_the_right_name_is_a_third_and_keeps_the_point() -> None:
    assert marks(replace(RIGHT, fault="inner_ring")) == {
        "family": 30, "fault": 0, "point": 15, "severity": 15, "action": 10,
    }  # fmt: skip


def test_a_point_that_was_guessed_with_the_wrong_family_is_worth_nothing() -> None:
    assert marks(replace(RIGHT, fault="unbalance"))["point"] == 0


@pytest.mark.parametrize(("severity", "got"), [(1, 0), (2, 15), (4, 15), (5, 0)])
def test_a_severity_may_be_one_off(severity: int, got: int) -> None:
    assert marks(replace(RIGHT, severity=severity))["severity"] == got


def test_several_names_and_any_point_can_be_right() -> None:
    fan = Expected(("unbalance", "fan_deposit"), (), 3, ("plan", "intervene"))
    assert score(Answer("fan_deposit", "", 3, "intervene"), fan).points == 100
    assert score(Answer("unbalance", "1", 3, "plan"), fan).points == 100


def test_what_a_trainer_left_open_is_settled_by_the_judgement_and_by_the_kind_of_trouble() -> None:
    assert settled(Expected(("cavitation",), (), 0, ()), 2) == Expected(("cavitation",), (), 2, ("watch",))
    assert settled(Expected((SENSOR,), ("1",), 0, ()), 4).actions == ("check_sensor",)
    assert settled(Expected((NOTHING,), (), 0, ()), 3).severity == 1
    assert settled(OUTER, 5) == OUTER


@given(ANSWERS, ANSWERS, st.integers(0, 9))
def test_points_stay_within_0_and_100_and_only_a_right_answer_has_them_all(
    answer: Answer, truth: Answer, hints: int
) -> None:
    expected = Expected((truth.fault,), (truth.point,), truth.severity, (truth.action,))
    got = score(answer, expected, hints=hints)
    assert 0 <= got.points <= 100
    full = score(answer, expected).points == 100
    near = abs(answer.severity - truth.severity) <= 1
    assert full == (replace(answer, severity=truth.severity) == truth and near)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"fault": "gremlin"}, "fault must be one of"),
        ({"severity": 6}, "1 to 5, got 6"),
        ({"action": "run"}, "action must"),
    ],
)
def test_an_answer_that_can_not_be_one_is_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        replace(RIGHT, **changes)  # type: ignore[arg-type]


def test_every_fault_of_the_diagnosis_can_be_named_and_every_word_is_there() -> None:
    assert set(FAULTS) == {fault.value for fault in Fault} - {"unidentified"} | {SENSOR, NOTHING}
    assert set(FAMILY_OF.values()) == set(FAMILIES)
    for lang in LANGUAGES:
        words = Catalogue(lang)
        assert all(f"training.family_{name}" in words for name in FAMILIES)
        assert all(f"training.action_{name}" in words for name in ACTIONS)
        assert all(f"training.mark_{name}" in words for name in WORTH)


EXERCISE = Exercise(
    "EX-01", {"fr": "Pompe", "en": "Pump"}, {"": "bruit"}, 2, 7, "P-101", 81,
    (Wrong("outer_ring", "2", 0.4, 9.0),), OUTER, {"": "parce que"}, ({"": "regarde"},),
)  # fmt: skip
SESSION = Session("abc", {"": "S"}, 10**18, (EXERCISE, replace(EXERCISE, id="EX-02")))


def test_a_session_comes_back_as_it_was_kept() -> None:
    assert Session.from_json(SESSION.to_json()) == SESSION
    assert SESSION.after("EX-01") == SESSION.exercises[1]
    assert SESSION.after("EX-02") is None


def test_a_text_is_said_in_the_language_or_in_the_first_one() -> None:
    assert said(EXERCISE.title, "en") == "Pump"
    assert said(EXERCISE.title, "ar") == "Pompe"
    assert said(EXERCISE.text, "ar") == "bruit"


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"key": "a", "title": {}, "end_ns": 1, "exercises": [{}]}']
)
def test_what_is_no_session_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(TrainingError, match="no stored training session"):
        Session.from_json(text)


def test_a_folder_without_a_session_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="palier demo --training"):
        TrainingFolder(tmp_path).session()


def result(pupil: str = "Amina", **changes: object) -> Result:
    given_ = {
        "at_ms": 1_793_606_400_000, "pupil": pupil, "key": "abc", "session": "S", "exercise": "EX-01",
        "title": "Pompe", "seed": 7, "attempt": 1, "fault": "outer_ring", "point": "2", "severity": 3,
        "action": "plan", "expected_fault": "outer_ring", "expected_severity": 3, "hints": 0, "points": 100,
    }  # fmt: skip
    return Result(**(given_ | changes))  # type: ignore[arg-type]


def test_results_are_kept_and_a_line_that_was_cut_off_takes_no_other_with_it(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path)
    assert folder.results() == ()
    folder.add(result())
    with folder.results_file.open("a", encoding="utf-8") as file:
        file.write('{"at_ms": 17')  # the power went
    folder.add(result("Karim", points=45))
    assert [one.pupil for one in TrainingFolder(tmp_path).results()] == ["Amina", "Karim"]


def test_the_table_has_a_row_for_each_result_and_no_formula() -> None:
    head, row, _ = table_text([result('=HYPERLINK("x")')]).split("\r\n")
    assert tuple(head.split(",")) == COLUMNS
    assert row.startswith("2026-11-02T08:00:00Z,\"'=HYPERLINK")
