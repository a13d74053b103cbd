"""Baselines of incomplete, constant or odd histories: what is missing may not make them narrower."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from models.detection.baseline import Baseline
from models.detection.charts import bin_means, chart_limits
from models.detection.context import Context
from models.detection.measured import Blocks, Part
from models.detection.monitor import TESTS, Monitor

WEEK, BLOCK_S, T0 = 1008, 600.0, 1.7e9


def times(m: int, every_s: float = BLOCK_S) -> np.ndarray:
    return T0 + every_s * np.arange(m)


def fitted(x: np.ndarray, context: Context) -> Baseline:
    found = Baseline.fit(x, context)
    assert isinstance(found, Baseline)
    return found


def levels(m: int, c: int = 3, seed: int = 0) -> np.ndarray:
    return np.exp(0.2 * np.random.default_rng(seed).standard_normal((m, c)))


def test_blocks_that_are_missing_do_not_narrow_the_limits_of_the_charts() -> None:
    """A chart holds at what is unknown: with and without it, it has seen the same."""
    rng = np.random.default_rng(0)
    z = lfilter([1], [1, -0.9], np.sqrt(1 - 0.81) * rng.standard_normal((2000, 3)), axis=0)
    gaps = np.full((4000, 3), np.nan)
    gaps[np.sort(rng.permutation(4000)[:2000])] = z
    none = np.full((1, 3), np.nan)
    whole, holed = chart_limits(z, none), chart_limits(gaps, none)
    assert holed.ewma == pytest.approx(whole.ewma)
    assert holed.cusum == pytest.approx(whole.cusum, rel=0.1)  # its slack is that of other days


@pytest.mark.parametrize("sigma", [0.0, 1e-4, 0.005])
@pytest.mark.parametrize("c", [2, 10])
def test_features_that_hardly_vary_may_change_by_a_few_percent(sigma: float, c: int) -> None:
    """No sensor repeats better than 5 %: that holds for all tests, slopes and T² and SPE as well."""
    rng = np.random.default_rng(1)
    x = np.exp(sigma * rng.standard_normal((2 * WEEK, c)))
    baseline = fitted(x[:WEEK], Context(times(WEEK)))
    live = x[WEEK:].copy()
    live[:, 0] *= np.linspace(1.0, 1.02, WEEK)
    monitor = Monitor(baseline.names, [Part(baseline)])
    _, decided = monitor.run(monitor.start(), Blocks(times(WEEK)[:, None], live[:, None], 25.0))
    on = decided.tests.any(axis=(0, 1))
    assert [test for test, was in zip(TESTS, on, strict=True) if was] == []
    assert baseline.score(live, Context(times(WEEK))).verdict.max() == 0


def test_readings_of_one_feature_do_not_displace_whole_blocks() -> None:
    m = 20 * WEEK
    x = levels(m)
    x[np.arange(m) % 20 != 7, 1:] = np.nan  # each 30 s velocity alone, each ten minutes a whole block
    found = fitted(x, Context(times(m, 30.0)))
    assert found.learned.all()


def test_a_speed_that_is_hardly_ever_known_is_none() -> None:
    speed = np.where(np.arange(WEEK) % 20 == 0, 25.0, np.nan)
    found = fitted(levels(WEEK), Context(times(WEEK), speed))
    assert found.blocks == WEEK
    assert found.expect(np.ones((1, 3)), Context([0.0])).known[0]


@pytest.mark.parametrize("name", ["running", "in_alarm"])
def test_a_flag_is_true_or_false_and_no_regime(name: str) -> None:
    for value in (np.array([-1, 1, 2], dtype=np.int8), np.array([np.nan, 1, 0])):
        with pytest.raises(ValueError, match="must be true or false"):
            Context(times(3), **{name: value})


def test_other_causes_have_a_row_each_time() -> None:
    with pytest.raises(ValueError, match="others must be"):
        Context(times(6), others=np.ones((2, 6)))
    assert Context(times(6), others=np.ones(6)).others.shape == (6, 1)


def test_means_of_6_h_do_not_grow_with_a_gap() -> None:
    time_s = np.array([0.0, 600.0, 30 * 365 * 86_400.0])
    assert bin_means(time_s, np.ones((3, 2))).tolist() == [[1, 1], [1, 1]]
