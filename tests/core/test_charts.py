"""EWMA, CUSUM and slopes: closed forms, the loop they replace, limits from the series itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from models.detection.charts import (
    BIN_S,
    BINS,
    LAMBDA,
    LEAST_EWMA,
    advance,
    bin_means,
    chart_limits,
    cusum_series,
    ewma_series,
    rises,
    scan,
    start,
)


def ar(rho: float, m: int, n: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((m, n)) * np.sqrt(1 - rho**2)
    return lfilter([1], [1, -rho], noise, axis=0)


def test_the_ewma_of_a_step() -> None:
    charts = scan(start((1,)), np.ones((10, 1)))
    assert charts.ewma == pytest.approx(1 - (1 - LAMBDA) ** 10)
    assert charts.up == pytest.approx(5)  # ten times one less a slack of one half
    assert charts.down == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(0, 2**31), st.floats(0, 2))
def test_scan_series_and_steps_are_the_same(m: int, seed: int, slack: float) -> None:
    z = 2 * np.random.default_rng(seed).standard_normal((m, 3))
    charts = start((3,))
    for row in z:
        charts = advance(charts, row, slack)
    scanned = scan(start((3,)), z, slack)
    up, down = cusum_series(z, slack)
    for one, two, three in (
        (charts.ewma, scanned.ewma, ewma_series(z)[-1]),
        (charts.up, scanned.up, up[-1]),
        (charts.down, scanned.down, down[-1]),
    ):
        np.testing.assert_allclose(two, one, atol=1e-12)
        np.testing.assert_allclose(three, one, atol=1e-9)


def test_a_block_that_says_nothing_is_held() -> None:
    z = ar(0.5, 50, 4)
    gaps = np.insert(z, 20, np.nan, axis=0)
    before, after = scan(start((4,)), z), scan(start((4,)), gaps)
    for name in ("ewma", "up", "down"):
        np.testing.assert_allclose(getattr(after, name), getattr(before, name), rtol=1e-12, atol=1e-12)


def test_a_cusum_stops_at_its_ceiling() -> None:
    charts = start((1,))
    for _ in range(100):
        charts = advance(charts, np.array([9.0]), 0.5, 20.0)
    assert charts.up == 20


def test_the_ewma_limit_follows_autocorrelation() -> None:
    rho = 0.95
    z = ar(rho, 20_000, 6)
    limits = chart_limits(z, np.full((1, 6), np.nan))
    exact = np.sqrt(LAMBDA / (2 - LAMBDA) * (1 + (1 - LAMBDA) * rho) / (1 - (1 - LAMBDA) * rho))
    assert limits.ewma == pytest.approx(exact, rel=0.15)  # 2.7 times that of independent samples
    assert chart_limits(ar(0, 5000, 6), np.full((1, 6), np.nan)).ewma == pytest.approx(LEAST_EWMA, rel=0.1)


def test_slack_and_limit_of_the_cusum_grow_with_memory() -> None:
    white, red = (chart_limits(ar(rho, 4320, 8), np.full((1, 8), np.nan)) for rho in (0.0, 0.95))
    assert (red.cusum > 5 * white.cusum).all()
    assert white.slack == pytest.approx(0.5 + 3 / np.sqrt(4320), rel=0.1)
    assert (red.slack > white.slack).all()


def test_a_column_without_values_has_no_limits() -> None:
    z = ar(0.5, 500, 2)
    z[:, 1] = np.nan
    limits = chart_limits(z, bin_means(600.0 * np.arange(500), z))
    for values in (limits.ewma, limits.cusum, limits.slack, limits.steep):
        assert np.isfinite(values[0])
        assert np.isnan(values[1])


def test_means_of_6_h() -> None:
    time_s = np.array([0.0, 600.0, BIN_S, 3 * BIN_S])
    assert bin_means(time_s, np.array([[1.0], [3.0], [-90.0], [np.nan]])).ravel() == pytest.approx(
        [2, -5, np.nan], nan_ok=True
    )


def test_a_straight_line_is_as_steep_as_it_is() -> None:
    line = np.arange(BINS)[:, None] * np.array([[0.1, -0.1, 0.0]])
    line[::3, 0] = np.nan
    steep, told = rises(line)
    t = np.delete(np.arange(BINS), np.arange(0, BINS, 3))
    assert steep[0] == pytest.approx(0.1 * np.sqrt(((t - t.mean()) ** 2).sum()))
    assert steep[1] == pytest.approx(-0.1 * np.sqrt(BINS * (BINS**2 - 1) / 12))
    assert told.tolist() == [True, False, False]


def test_half_a_week_is_needed_for_a_slope() -> None:
    few = np.full((BINS, 1), np.nan)
    few[:13, 0] = np.arange(13)
    steep, told = rises(few)
    assert np.isnan(steep[0])
    assert not told[0]


def test_independent_means_are_one_sigma_steep() -> None:
    steep, _ = rises(np.random.default_rng(3).standard_normal((BINS, 2000)))
    assert steep.std() == pytest.approx(1, rel=0.1)
