"""Metrics of prognosis and detection against values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models import evaluate as ev


def test_coverage_late_errors_and_answers_leave_refusals_out() -> None:
    low, high = [1, 5, np.nan, 2], [3, 9, np.nan, 4]
    actual = [2, 4, 7, 4]
    assert ev.interval_coverage(low, high, actual) == pytest.approx(2 / 3)
    assert ev.late_error_rate(low, actual) == pytest.approx(1 / 3)
    assert ev.answered(low) == 0.75
    assert np.isnan(ev.interval_coverage([np.nan], [np.nan], [1]))
    assert np.isnan(ev.answered([]))


def test_relative_accuracy_and_alpha_lambda() -> None:
    assert ev.relative_accuracy([8, 12, 10, 1], [10, 10, 10, 0]) == pytest.approx(
        [0.8, 0.8, 1, np.nan], nan_ok=True
    )
    assert ev.alpha_lambda([8, 12.5, np.nan], [10, 10, 10]).tolist() == pytest.approx(
        [1, 0, np.nan], nan_ok=True
    )


def test_the_challenge_scores_at_their_own_scales() -> None:
    assert ev.phm08_score([87, 100, 110], [100, 100, 100]) == pytest.approx([np.e - 1, 0, np.e - 1])
    # 20 % early and 5 % late are worth one half.
    assert ev.phm2012_score([80, 100, 105], [100, 100, 100]) == pytest.approx([0.5, 1, 0.5])
    assert np.isnan(ev.phm2012_score(np.nan, 100))


def test_the_horizon_begins_where_answers_are_right_for_good() -> None:
    times, end = [0, 10, 20, 30, 40], 50
    assert ev.prognostic_horizon(times, [0.6, 0.4, 0.5, 0.9, 0.7], end) == 30
    assert ev.prognostic_horizon(times, [0.6] * 5, end) == 50
    assert ev.prognostic_horizon(times, [0.6, 0.6, 0.6, 0.6, 0.4], end) == 0
    assert ev.prognostic_horizon(times, [np.nan, 0.6, np.nan, 0.6, 0.6], end) == 20
    assert ev.prognostic_horizon([], [], end) == 0
    with pytest.raises(ValueError, match="rise"):
        ev.prognostic_horizon([1, 0], [1, 1], end)


def test_the_mass_between_two_times_is_linear_between_quantiles() -> None:
    quantiles, levels = [[10.0, 20, 40], [10, 10, 10]], [0.1, 0.5, 0.9]
    assert ev.mass_within(quantiles, levels, [15, 5], [30, 15]) == pytest.approx([0.2 + 0.2, 0.8])
    assert ev.mass_within(quantiles, levels, [0, 11], [100, 12]) == pytest.approx([0.8, 0.0])


def test_detection_rates_and_what_has_no_rate() -> None:
    found = ev.detection([1, 1, 1, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0])
    assert found == pytest.approx((2 / 3, 2 / 3, 2 / 3, 1 / 4, 1 / 3))
    assert ev.detection([0, 0], [0, 0]) == (None, None, None, 0.0, None)
    with pytest.raises(ValueError, match="shape"):
        ev.detection([1], [1, 0])
