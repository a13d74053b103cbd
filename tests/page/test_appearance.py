"""The one map of states: colour, shape and letter."""

from __future__ import annotations

import pytest

from dashboards.console.appearance import STATES_BY_URGENCY, look_of, state_named
from dashboards.console.words import Words
from models.types import State
from palier.locale import LANGUAGES


def test_every_state_has_a_shape_and_a_letter_of_its_own() -> None:
    looks = [look_of(state) for state in State]
    assert len({look.symbol for look in looks}) == len(State)
    for lang in LANGUAGES:
        letters = {Words(lang).letters(look) for look in looks}
        assert len(letters) == len(State)


def test_the_most_urgent_state_stands_first_and_the_unknown_before_the_normal() -> None:
    assert STATES_BY_URGENCY[:3] == (State.DANGER, State.ALERT, State.WATCH)
    assert STATES_BY_URGENCY.index(State.UNKNOWN) < STATES_BY_URGENCY.index(State.NORMAL)


@pytest.mark.parametrize("judged", [State.NORMAL, State.WATCH, State.ALERT, State.DANGER])
def test_a_learning_machine_looks_as_the_limits_judge_it_with_a_dotted_edge(judged: State) -> None:
    by_state = look_of(State.LEARNING, judged)
    by_mark = look_of(judged, judged, learning=True)
    for look in (by_state, by_mark):
        assert (look.tone, look.symbol, look.order) == (
            look_of(judged).tone,
            look_of(judged).symbol,
            look_of(judged).order,
        )
        assert look.dotted
        assert look.letters[-1] is State.LEARNING


@pytest.mark.parametrize(
    ("judged", "letters"),
    [
        (None, "L"),
        (State.NORMAL, "L"),
        (State.WATCH, "S L"),
        (State.ALERT, "A L"),
        (State.DANGER, "D L"),
    ],
)
def test_a_learning_machine_can_be_read_by_its_letters(judged: State | None, letters: str) -> None:
    assert Words("fr").letters(look_of(judged or State.LEARNING, judged, learning=True)) == letters


def test_a_machine_without_limits_is_learning_and_not_normal() -> None:
    look = look_of(State.LEARNING)
    assert look.word is State.LEARNING
    assert look.tone != look_of(State.NORMAL).tone


def test_an_unknown_machine_is_never_dotted() -> None:
    assert not look_of(State.UNKNOWN, learning=True).dotted


@pytest.mark.parametrize("name", [None, "", "fine", "NORMAL"])
def test_a_state_of_another_version_is_unknown_and_never_normal(name: str | None) -> None:
    assert state_named(name) is State.UNKNOWN
