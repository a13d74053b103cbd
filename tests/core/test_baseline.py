"""Baselines: what is learned, from what, what is refused, and where nothing may be said."""

from __future__ import annotations

import numpy as np
import pytest

from models.detection.baseline import (
    BASELINE_TOO_SHORT,
    NOTHING_TO_LEARN,
    PACE_S,
    Baseline,
    Progress,
)
from models.detection.context import Context
from models.detection.lines import LEAST_SIGMA
from models.detection.plain import baseline_from_arrays, baseline_to_arrays, decode, encode

WEEK = 1008
BLOCK_S = 600.0


def times(m: int, every_s: float = BLOCK_S) -> np.ndarray:
    return 1.7e9 + every_s * np.arange(m)


def levels(m: int, c: int = 3, sigma: float = 0.2, seed: int = 0) -> np.ndarray:
    return np.exp(sigma * np.random.default_rng(seed).standard_normal((m, c)))


def fitted(x: np.ndarray, context: Context, **options: object) -> Baseline:
    found = Baseline.fit(x, context, **options)
    assert isinstance(found, Baseline)
    return found


def test_a_week_gives_medians_and_spreads() -> None:
    x = 3 * levels(WEEK)
    found = fitted(x, Context(times(WEEK)))
    log = np.log(x)
    assert found.intercept == pytest.approx(np.median(log, axis=0))
    mad = np.median(np.abs(log - np.median(log, axis=0)), axis=0)
    assert found.sigma == pytest.approx(1.4826 * mad)
    assert (found.blocks, found.days, found.z) == (WEEK, 7, 5)


def test_a_month_lowers_z_and_many_features_raise_it() -> None:
    x = levels(30 * 144)
    assert fitted(x, Context(times(len(x)))).z == 4
    assert fitted(x, Context(times(len(x))), features_of_machine=40).z == pytest.approx(4.276, abs=1e-3)


@pytest.mark.parametrize(
    ("m", "every_s"),
    [(1, BLOCK_S), (5, 1.0), (999, BLOCK_S), (990, 3600.0), (5000, 60.0), (100_000, 5.0)],
)
def test_too_short_is_refused_however_many_blocks(m: int, every_s: float) -> None:
    assert Baseline.fit(levels(m), Context(times(m, every_s))) == BASELINE_TOO_SHORT


def test_nothing_at_all_is_too_short() -> None:
    assert Baseline.fit(np.empty((0, 3)), Context(np.empty(0))) == BASELINE_TOO_SHORT


def test_blocks_of_every_minute_count_at_the_pace() -> None:
    context = Context(times(7 * 1440 + 10, 60.0))
    progress = Baseline.progress(levels(len(context.time_s)), context)
    assert progress.blocks == pytest.approx(7 * 86_400 / PACE_S, rel=0.01)
    assert progress == Progress(fitted(levels(len(context.time_s)), context).blocks, 8)


def test_three_declared_cycles_are_enough() -> None:
    x = levels(60)
    assert Baseline.fit(x, Context(times(60, 60.0), cycles=2)) == BASELINE_TOO_SHORT
    found = fitted(x, Context(times(60, 60.0), cycles=3))
    assert (found.blocks, found.pace_s) == (60, 0)
    assert Baseline.fit(x[:29], Context(times(29, 60.0), cycles=3)) == BASELINE_TOO_SHORT


def test_speed_and_load_are_taken_out() -> None:
    m = 2 * WEEK
    rng = np.random.default_rng(5)
    speed, load = rng.uniform(10, 40, m), rng.uniform(0, 100, m)
    x = (0.02 * speed**1.8 * np.exp(0.004 * load))[:, None] * levels(m, 2, 0.1)
    x[rng.random(m) < 0.1] *= 6  # outliers
    found = fitted(x, Context(times(m), speed, load))
    assert found.coefficients == pytest.approx(np.array([[1.8, 0.004]] * 2), rel=0.05)
    assert found.sigma == pytest.approx(0.115, rel=0.1)
    near = found.expect(np.full((1, 2), 0.02 * 20**1.8 * np.exp(0.2)), Context([0.0], [20.0], [50.0]))
    assert np.abs(near.z).max() < 0.2


@pytest.mark.parametrize(
    ("speed", "load", "known"),
    [
        (25, 50, True),
        (41.5, 50, True),
        (43, 50, False),
        (9, 50, False),
        (25, 110, False),
        (np.nan, 50, False),
    ],
)
def test_a_regime_that_was_not_learned_is_unknown(speed: float, load: float, known: bool) -> None:
    m = 2 * WEEK
    rng = np.random.default_rng(5)
    found = fitted(levels(m), Context(times(m), rng.uniform(10, 40, m), rng.uniform(0, 100, m)))
    told = found.expect(np.ones((1, 3)), Context([0.0], [speed], [load]))
    assert bool(told.known[0]) is known
    assert np.isnan(told.z).all() == (not known)
    assert found.score(np.ones((1, 3)), Context([0.0], [speed], [load])).verdict[0] == (0 if known else -1)


def test_a_machine_of_one_speed_ignores_what_it_can_not_know() -> None:
    speed = 25 + 0.1 * np.random.default_rng(1).standard_normal(WEEK)
    found = fitted(levels(WEEK), Context(times(WEEK), speed))
    assert not found.coefficients.any()
    assert not found.expect(np.ones((1, 3)), Context([0.0], [50.0])).known[0]


def test_a_bin_of_100_blocks_has_its_own_spread() -> None:
    m = 2 * WEEK
    speed = np.where(np.arange(m) % 2, 20.0, 30.0)
    x = np.exp(np.where(speed == 20, 0.1, 0.3)[:, None] * np.log(levels(m, 3, 1.0)))
    found = fitted(x, Context(times(m), speed))
    sigma = found.expect(np.ones((2, 3)), Context([0.0, 1.0], [20.0, 30.0])).sigma
    assert sigma[0] == pytest.approx(0.1, rel=0.2)
    assert sigma[1] == pytest.approx(0.3, rel=0.2)
    assert found.expect(np.ones((1, 3)), Context([0.0], [25.0])).sigma == pytest.approx(found.sigma[None])


def test_constant_columns_vary_by_the_least_spread() -> None:
    found = fitted(np.full((WEEK, 2), 2.0), Context(times(WEEK)))
    assert found.sigma == pytest.approx(LEAST_SIGMA)
    assert found.expect([[2.2, 2.0]], Context([0.0])).z[0] == pytest.approx([np.log(1.1) / 0.05, 0])
    scores = found.score([[2.0, 2.0], [9.0, 2.0]], Context([0.0, 1.0]))
    assert scores.verdict.tolist() == [0, 1]


def test_columns_without_logarithm_and_runs_of_nan_are_left_out() -> None:
    x = levels(2 * WEEK, 5)
    x[:, 1] -= 1  # signed
    x[:, 2] = np.nan
    x[: WEEK // 2, 3] = np.nan  # a quarter of the blocks
    x[5::7, 4] = np.inf  # a seventh
    found = fitted(x, Context(times(2 * WEEK)))
    assert found.learned.tolist() == [True, False, False, True, False]
    z = found.expect(x, Context(times(2 * WEEK))).z
    assert np.isnan(z[:, [1, 2, 4]]).all()
    assert np.isnan(found.charts.ewma[[1, 2, 4]]).all()


@pytest.mark.parametrize(
    "context",
    [Context(times(WEEK), running=False), Context(times(WEEK), in_alarm=True)],
    ids=["stopped", "in alarm"],
)
def test_nothing_is_learned_from_what_does_not_run_or_is_in_alarm(context: Context) -> None:
    assert Baseline.fit(levels(WEEK), context) == NOTHING_TO_LEARN


def test_nothing_is_learned_from_columns_that_are_nowhere() -> None:
    assert Baseline.fit(np.full((WEEK, 2), np.nan), Context(times(WEEK))) == NOTHING_TO_LEARN
    assert Baseline.fit(np.zeros((WEEK, 2)), Context(times(WEEK))) == NOTHING_TO_LEARN


def test_a_day_after_an_intervention_is_left_out() -> None:
    t = times(2 * WEEK)
    x = levels(2 * WEEK)
    clean = fitted(x, Context(t))
    x[500:644] *= 50
    found = fitted(x, Context(t, interventions_s=(t[500],)))
    assert found.blocks == 2 * WEEK - 144
    assert found.intercept == pytest.approx(clean.intercept, abs=0.02)


def test_a_clock_that_goes_back_teaches_nothing() -> None:
    t, x = times(2 * WEEK), levels(2 * WEEK)
    back = np.insert(t, WEEK, t[:50])
    found = fitted(np.insert(x, [WEEK] * 50, 1e6, axis=0), Context(back))
    assert found.intercept == pytest.approx(fitted(x, Context(t)).intercept)


def test_contributions_name_the_feature_and_sum_to_one() -> None:
    found = fitted(levels(WEEK, 6), Context(times(WEEK)), names=tuple("abcdef"))
    scores = found.score(np.exp([[0, 0, 0, 0, 3.0, 0]]), Context([0.0]))
    assert scores.verdict[0] == 1
    assert scores.score[0] > scores.threshold == 5
    assert scores.contributions.argmax() == 4
    assert scores.contributions.sum() == pytest.approx(1)


def test_one_feature_is_scored_by_itself() -> None:
    found = fitted(levels(WEEK, 1), Context(times(WEEK)))
    scores = found.score([[1.0], [4.0], [0.2], [np.nan]], Context(times(4)))
    assert scores.verdict.tolist() == [0, 1, 1, -1]
    assert np.isnan(scores.score[3])


def test_a_baseline_comes_back_from_plain_arrays_and_text() -> None:
    rng = np.random.default_rng(2)
    context = Context(times(WEEK), rng.uniform(10, 40, WEEK), others=rng.uniform(0, 30, (WEEK, 1)))
    x = levels(WEEK, 4)
    for columns in (4, 1):
        found = fitted(x[:, :columns], context, names=tuple("äbcd"[:columns]), version=3)
        again = baseline_from_arrays(decode(encode(baseline_to_arrays(found))))
        assert (again.names, again.version, again.blocks) == (found.names, 3, WEEK)
        told, retold = (b.score(x[:, :columns], context) for b in (found, again))
        assert np.array_equal(told.score, retold.score)
        assert again.charts.cusum.tolist() == found.charts.cusum.tolist()
    with pytest.raises(ValueError, match="another version"):
        baseline_from_arrays({"names": np.array(["a"])})
    with pytest.raises(ValueError, match="no text of arrays"):
        decode("[1]")


@pytest.mark.parametrize(
    ("x", "context"),
    [
        (np.ones(5), {"time_s": times(5)}),
        (np.ones((4, 2)), {"time_s": times(5)}),
        (np.ones((5, 2)), {"time_s": times(5), "speed_hz": [1.0, 2.0]}),
        (np.ones((5, 2)), {"time_s": times(5), "speed_hz": np.inf}),
    ],
)
def test_what_does_not_fit_is_an_error(x: np.ndarray, context: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Baseline.fit(x, Context(**context))
