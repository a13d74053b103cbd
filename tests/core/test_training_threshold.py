"""Thresholds to the budget of false alarms, what stands by them, and what is held out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from models.training.splits import by_machine, by_time, latest
from models.training.threshold import calibrate, daily_highest, episodes, paced, standing

A_DAY = 144


def scores(days: int, memory: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=days * A_DAY + 500) * np.sqrt(1 - memory**2)
    return 600.0 * np.arange(days * A_DAY), 3.0 + lfilter([1.0], [1.0, -memory], noise)[500:]


@pytest.mark.parametrize(("days", "memory"), [(7, 0.7), (7, 0.95), (30, 0.95), (90, 0.0)])
def test_fresh_healthy_time_raises_less_than_the_budget(days: int, memory: float) -> None:
    alerts = 0
    for seed in range(6):
        limit = calibrate([scores(days, memory, seed)])
        assert limit is not None
        time_s, raw = scores(120, memory, 100 + seed)
        alerts += episodes(standing(limit.of(raw), limit.value, time_s))
    assert alerts <= 0.25 * 24  # a quarter of an alert a month, in 6 · 4 months


def test_held_out_time_itself_stays_within_the_budget_and_strange_days_are_told() -> None:
    time_s, raw = scores(30, 0.7, 0)
    raw[900:910] += 50.0
    limit = calibrate([(time_s, raw)])
    assert limit is not None
    assert limit.alerts == 0
    assert limit.strangest_s == (float(time_s[900] // 86_400 * 86_400),)
    assert 0 < limit.rate < 10


def test_more_points_of_a_machine_have_a_higher_threshold() -> None:
    one, three = (calibrate([scores(30, 0.7, 0)], tests=tests) for tests in (1, 3))
    assert one is not None
    assert three is not None
    assert three.value > one.value


def test_too_few_days_or_scores_that_do_not_vary_give_none() -> None:
    assert calibrate([scores(4, 0.7, 0)]) is None
    assert calibrate([(600.0 * np.arange(2000.0), np.ones(2000))]) is None
    assert calibrate([]) is None


def test_an_alert_takes_three_in_a_row_and_ends_after_six_calm_ones() -> None:
    said = np.array([0, 9, 9, 0, 9, 9, 9, 4.8, *[1.0] * 5, 4.8, *[1.0] * 6, 1.0])
    stands = standing(said, 5.0, 600.0 * np.arange(len(said)))
    assert np.flatnonzero(stands).tolist() == list(range(6, 19))
    assert episodes(stands) == 1


def test_what_is_not_known_or_too_close_changes_nothing() -> None:
    said = np.array([9, np.nan, 9, 9, 9, np.nan])
    time_s = np.array([0, 600, 700, 720, 1400, 2000.0])
    assert paced(time_s, ~np.isnan(said)).tolist() == [0, 2, 4]
    assert standing(said, 5.0, time_s).tolist() == [False, False, False, False, True, True]


def test_the_highest_of_a_day_is_the_lowest_of_three_neighbours() -> None:
    time_s, flat = 600.0 * np.arange(2.0 * A_DAY), np.zeros(2 * A_DAY)
    flat[200:203], flat[50:52] = (5, 4, 6), 9
    start, highest = daily_highest(time_s, flat)
    assert (start.tolist(), highest.tolist()) == ([0.0, 86_400.0], [0.0, 4.0])


def test_splits_hold_out_stretches_and_machines_never_single_rows() -> None:
    time_s = 600.0 * np.arange(1000.0)
    for fold in (*by_time(time_s), latest(time_s)):
        held = np.flatnonzero(fold.held_out)
        assert (np.diff(held) == 1).all()
        gap = np.abs(time_s[fold.fit][:, None] - time_s[held][None]).min()
        assert gap >= 6 * 3600
    assert sum(fold.held_out.sum() for fold in by_time(time_s)) == 1000
    machines = ["a", "a", "b", "c", "c"]
    folds = by_machine(machines)
    assert [np.flatnonzero(fold.held_out).tolist() for fold in folds] == [[0, 1], [2], [3, 4]]
    assert all(not (fold.fit & fold.held_out).any() for fold in folds)


def test_splits_that_can_not_be_are_refused() -> None:
    with pytest.raises(ValueError, match="number of machines"):
        by_machine(["a", "a"])
    with pytest.raises(ValueError, match="number of rows"):
        by_time(np.arange(3.0), 4)
    with pytest.raises(ValueError, match="between 0 and 1"):
        latest(np.arange(3.0), 1.0)
