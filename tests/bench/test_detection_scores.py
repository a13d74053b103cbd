"""The scores of `palier bench detection`, against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.detection_nab_score import (
    LOW_FALSE,
    NOTHING,
    STANDARD,
    Rows,
    changepoint_score,
    nab_score,
    probation,
)
from benchmarks.detection_point_score import at_random, count, episodes, events, pooled

WINDOWS = ((400, 499), (800, 899))
N = 1000


def rows(*numbers: int) -> Rows:
    return np.array(numbers, dtype=np.intp)


def sigmoid(position: float) -> float:
    """2 / (1 + e^(5 y)) - 1 of the paper."""
    return 2 / (1 + math.exp(5 * position)) - 1


def seconds(*numbers: float) -> np.ndarray:
    return np.array(numbers, dtype=np.float64)


def flags(text: str) -> np.ndarray:
    return np.array([c == "1" for c in text])


def test_each_window_at_its_first_row_is_perfect() -> None:
    assert nab_score(rows(400, 800), WINDOWS, N).percent == pytest.approx(100)


def test_silence_is_null() -> None:
    score = nab_score(rows(), WINDOWS, N)
    assert score.points == -2
    assert score.percent == 0


def test_a_window_counts_once_and_by_its_earliest_detection() -> None:
    once = nab_score(rows(450), WINDOWS, N)
    assert once == nab_score(rows(450, 451, 499), WINDOWS, N)
    # row 450 of 400..499 lies at -(499 - 450 + 1) / 100 = -0.5; the published value there is 0.84828
    assert sigmoid(-0.5) == pytest.approx(0.84828, abs=1e-5)
    assert once.points == pytest.approx(0.84828 / 0.98661 - 1, abs=1e-5)


def test_the_last_row_of_a_window_is_worth_next_to_nothing() -> None:
    assert nab_score(rows(499), WINDOWS, N).points == pytest.approx(sigmoid(-0.01) / sigmoid(-1) - 1)


def test_a_false_detection_costs_more_the_farther_it_is_from_the_window_before() -> None:
    def cost(row: int) -> float:
        return -2 - nab_score(rows(row), WINDOWS, N).points

    assert cost(300) == pytest.approx(0.11)  # before any window
    assert cost(500) == pytest.approx(0.11 * -sigmoid(1 / 99))  # one row past 400..499, 99 rows wide
    assert cost(598) == pytest.approx(0.11 * 0.98661, abs=1e-6)  # its width past it
    assert cost(796) == pytest.approx(0.11)  # three widths past it
    assert -2 - nab_score(rows(300), WINDOWS, N, LOW_FALSE).points == pytest.approx(0.22)


def test_the_head_is_not_scored() -> None:
    assert probation(1000) == 150
    assert probation(22_695) == 750
    assert nab_score(rows(0, 10, 149), WINDOWS, N).percent == 0
    assert nab_score(rows(150), WINDOWS, N).percent < 0


def test_scores_of_series_add_up() -> None:
    total = NOTHING + nab_score(rows(400, 800), WINDOWS, N) + nab_score(rows(), WINDOWS, N)
    assert total.percent == pytest.approx(50)
    with pytest.raises(ValueError, match="at least one labelled window"):
        _ = NOTHING.percent


def test_changepoints_said_at_once_are_perfect_and_silence_is_null() -> None:
    true = seconds(100, 300)
    assert changepoint_score(true, true).percent == pytest.approx(100)
    assert changepoint_score(seconds(), true).percent == 0


def test_a_changepoint_said_late_falls_to_the_cost_of_a_false_one() -> None:
    middle = changepoint_score(seconds(130), seconds(100)).points
    assert middle == pytest.approx((1 - 0.11) / 2)
    assert changepoint_score(seconds(160), seconds(100)).points == pytest.approx(-0.11)
    # a quarter in: half of 1.11, times one plus tanh(π/4) / tanh(π/2), less 0.11
    early = 1.11 / 2 * (1 + math.tanh(math.pi / 4) / math.tanh(math.pi / 2)) - 0.11
    assert changepoint_score(seconds(115), seconds(100)).points == pytest.approx(early)


def test_reports_outside_of_every_window_cost_the_same_each() -> None:
    score = changepoint_score(seconds(10, 100, 170, 500), seconds(100), profile=STANDARD)
    assert score.points == pytest.approx(1 - 3 * 0.11)


def test_of_two_windows_that_meet_the_right_one_begins_where_the_left_one_ends() -> None:
    # 100..160 and 140..200: the second is 160..200, and 180 lies in its middle
    score = changepoint_score(seconds(100, 180), seconds(100, 140))
    assert score.points == pytest.approx(1 + (1 - 0.11) / 2)


def test_rows_are_counted_as_they_are() -> None:
    counts = count(flags("01101"), flags("00111"))
    assert counts == (2, 1, 1, 1)
    assert counts.f1 == pytest.approx(2 / 3)
    assert counts.false_rate == 50
    assert counts.missed_rate == pytest.approx(100 / 3)


def test_a_detector_that_always_alarms_has_the_f1_of_the_prevalence() -> None:
    truth = np.arange(1000) < 500
    assert count(np.ones(1000, dtype=bool), truth).f1 == pytest.approx(2 / 3)
    assert at_random(truth, 0.5).f1 == pytest.approx(0.5)


def test_episodes_are_runs_of_true() -> None:
    assert episodes(flags("0110101")) == [(1, 2), (4, 4), (6, 6)]
    assert episodes(flags("000")) == []


def test_events_are_found_with_a_delay_and_false_ones_counted_per_hour() -> None:
    truth = flags("0001111000111000")
    alarm = flags("1000011110000010")
    found = events(np.arange(16.0) * 60, alarm, truth)
    assert found.true == 2
    assert found.delays_s == (120.0,)
    assert found.false == 2  # that at the head, and that at the end; the one that overlaps is not
    assert found.normal_s == 9 * 60
    both = pooled([found, found])
    assert (both.found, both.true, both.median_delay_s) == (2, 4, 120)
    assert both.false_per_hour == pytest.approx(4 / (18 / 60))
