"""Theil-Sen slopes: equal to scipy's over all pairs, and what bins of a long series keep of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import theilslopes

from models.features.trend import LEAST_POINTS, MOST_POINTS, theil_sen

DAY_H = np.arange(1440) / 60
WEEK_H = np.arange(10_080) / 60


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("m", [8, 9, 60, 239, 240])
def test_a_short_series_has_the_slope_of_all_its_pairs(m: int, confidence: float) -> None:
    rng = np.random.default_rng(m)
    t = np.cumsum(rng.uniform(0.2, 1, m))
    y = 3 + 0.2 * t + rng.standard_t(2, (4, m))
    y[1] = np.round(y[1])  # equal values: the variance of Kendall's S is corrected
    y[2] = 5
    found = theil_sen(t, y, confidence=confidence)
    for k, row in enumerate(y):
        told = theilslopes(row, t, alpha=confidence)
        assert found.slope_per_h[k] == pytest.approx(told.slope, rel=1e-12, abs=1e-15)
        assert found.intercept[k] == pytest.approx(told.intercept, rel=1e-12)
        assert found.low_per_h[k] == pytest.approx(told.low_slope, rel=1e-12, abs=1e-15)
        assert found.high_per_h[k] == pytest.approx(told.high_slope, rel=1e-12, abs=1e-15)


@settings(max_examples=60, deadline=None)
@given(st.integers(LEAST_POINTS, 40), st.integers(0, 2**31), st.floats(0, 0.6))
def test_gaps_are_as_if_those_times_were_not_there(m: int, seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    t, y = np.arange(m) / 60, np.round(rng.standard_normal(m), 1)
    y[rng.random(m) < share] = np.nan
    kept = ~np.isnan(y)
    found = theil_sen(t, y[None, :])
    if kept.sum() < LEAST_POINTS:
        assert np.isnan([found.slope_per_h, found.intercept, found.low_per_h, found.high_per_h]).all()
        return
    told = theilslopes(y[kept], t[kept], alpha=0.95)
    got = (found.slope_per_h[0], found.intercept[0], found.low_per_h[0], found.high_per_h[0])
    assert got == pytest.approx(tuple(told), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("t", [DAY_H, WEEK_H, WEEK_H[:9999], WEEK_H**1.1])
def test_a_straight_line_keeps_its_slope_through_bins_and_gaps(t: np.ndarray) -> None:
    """A line's bin median is its value at the median time of the bin, so nothing of it is lost."""
    y = np.stack([40 + 0.05 * t, 70 - 2 * t])
    y[1, 100:700] = np.nan
    y[1, ::3] = np.nan
    found = theil_sen(t, y)
    assert found.slope_per_h == pytest.approx([0.05, -2], rel=1e-9)
    assert found.intercept == pytest.approx([40, 70], rel=1e-9)
    assert found.low_per_h == pytest.approx(found.high_per_h, rel=1e-8)


@pytest.mark.parametrize("m", [100, MOST_POINTS])
def test_it_bears_29_percent_of_outliers_and_not_more(m: int) -> None:
    """With a share e of bad points (1 - e)² of the pairs are good: half of them at e = 1 - 1/√2 = 0.293.

    The worst bad points are steep among themselves too."""
    t = np.arange(m) / 60
    y = np.tile(50 + 0.4 * t, (2, 1))
    for row, share in zip(y, (0.28, 0.31), strict=True):
        bad = round(share * m)
        row[-bad:] += 1e6 * np.arange(1, bad + 1)
    slope = theil_sen(t, y).slope_per_h
    assert slope[0] == pytest.approx(0.4, rel=1e-6)
    assert slope[1] > 100


def test_a_week_bears_a_burst_of_two_days_and_scattered_outliers_of_two_samples_in_five() -> None:
    rng = np.random.default_rng(5)
    y = np.tile(50 + 0.01 * WEEK_H, (2, 1)) + 0.2 * rng.standard_normal((2, WEEK_H.size))
    y[0, 4000 : 4000 + 2880] += 500  # 28.6 % of the points, 69 bins of 240
    y[1, rng.random(WEEK_H.size) < 0.4] += rng.choice((-500, 500))
    found = theil_sen(WEEK_H, y)
    assert found.slope_per_h == pytest.approx([0.01, 0.01], abs=0.01)
    clean = theil_sen(WEEK_H, np.tile(50 + 0.01 * WEEK_H, (1, 1)))
    assert clean.slope_per_h[0] == pytest.approx(0.01)


@pytest.mark.parametrize(("t", "ratio"), [(DAY_H, 1.2), (WEEK_H, 1.22)])
def test_noise_spreads_the_slope_as_stated_and_the_interval_holds_it(t: np.ndarray, ratio: float) -> None:
    """Least squares has the variance σ²/Σ(t - mean t)²; 300 series tell a spread to 4 %, a share to 1.3 %."""
    y = np.random.default_rng(1).standard_normal((300, t.size)).astype(np.float32)
    found = theil_sen(t, y)
    least_squares = 1 / np.sqrt(((t - t.mean()) ** 2).sum())
    assert found.slope_per_h.std() / least_squares == pytest.approx(ratio, rel=0.12)
    assert np.mean((found.low_per_h < 0) & (found.high_per_h > 0)) == pytest.approx(0.95, abs=0.04)


def test_too_few_points_have_no_slope_and_the_others_keep_theirs() -> None:
    t = WEEK_H[:1440]
    y = np.tile(2 * t, (4, 1))
    y[0, LEAST_POINTS - 1 :] = np.nan
    y[1, LEAST_POINTS:] = np.nan  # 8 values, but in 2 bins of 6 min
    y[2] = np.nan
    found = theil_sen(t, y)
    assert np.isnan(found.slope_per_h).tolist() == [True, True, True, False]
    assert found.slope_per_h[3] == pytest.approx(2)
    assert theil_sen(t[:60], y[:, :60]).slope_per_h[1] == pytest.approx(2)


@pytest.mark.parametrize("m", [0, 1, 7])
def test_a_series_of_nothing_has_no_slope(m: int) -> None:
    assert np.isnan(theil_sen(np.arange(m), np.zeros((3, m))).slope_per_h).tolist() == [True] * 3


def test_the_batch_changes_nothing_and_nothing_is_written_to() -> None:
    rng = np.random.default_rng(8)
    y = rng.standard_normal((90, 300))
    y[rng.random(y.shape) < 0.2] = np.nan
    t, kept = np.arange(300) / 60, y.copy()
    t.flags.writeable = y.flags.writeable = False
    found = theil_sen(t, y)
    alone = [theil_sen(t, row[None, :]).slope_per_h[0] for row in y]
    assert np.array_equal(found.slope_per_h, alone, equal_nan=True)
    assert np.array_equal(y, kept, equal_nan=True)


def test_scaling_and_shifting_go_through() -> None:
    rng = np.random.default_rng(9)
    y = rng.standard_normal((2, 1440))
    one, other = theil_sen(DAY_H, y), theil_sen(DAY_H, 5 - 3 * y)
    assert other.slope_per_h == pytest.approx(-3 * one.slope_per_h)
    assert other.high_per_h == pytest.approx(-3 * one.low_per_h)


@pytest.mark.parametrize(
    ("t", "y", "told"),
    [
        ([0, 1, 1], np.zeros((1, 3)), "t_h must be times in hours, .* strictly rising, got 1 at place 2"),
        ([0, 1, np.nan], np.zeros((1, 3)), "t_h must be times .* got nan at place 2"),
        ([[0, 1, 2]], np.zeros((1, 3)), r"t_h must be times in hours of shape \(m,\), got shape \(1, 3\)"),
        ([0, 1, 2], np.zeros(3), r"y must be a batch of series of shape \(n, 3\).* write y\[None, :\]"),
        ([0, 1, 2], np.zeros((1, 4)), r"y must be a batch of series of shape \(n, 3\)"),
        ([0, 1, 2], np.full((1, 3), np.inf), "y must be finite, and NaN where it is unknown, got inf"),
    ],
)
def test_what_is_no_series_is_said_in_a_sentence(t: list[float], y: np.ndarray, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        theil_sen(t, y)


def test_a_confidence_next_to_1_is_the_whole_range_of_slopes() -> None:
    y = np.random.default_rng(3).standard_normal((1, 9))
    found = theil_sen(np.arange(9), y, confidence=1 - 1e-16)
    slopes = [(y[0, j] - y[0, i]) / (j - i) for i in range(9) for j in range(i + 1, 9)]
    assert (found.low_per_h[0], found.high_per_h[0]) == pytest.approx((min(slopes), max(slopes)))


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95, np.nan])
def test_a_confidence_is_a_probability(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence must be between 0 and 1"):
        theil_sen([0, 1], np.zeros((1, 2)), confidence=confidence)
