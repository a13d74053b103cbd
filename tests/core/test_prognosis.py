"""The public face of prognosis: answers, refusals, bad input, words, and a small acceptance."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.life_acceptance import acceptance
from benchmarks.lives import CLASSES
from models.prognosis import (
    NOMINAL,
    REFUSALS,
    ClassHistory,
    Method,
    Quantity,
    RemainingLife,
    Spoken,
    Threshold,
    Trend,
    Unit,
    answers,
    courses,
    forecast,
    remaining_life,
    spoken,
)
from models.types import Refusal

DANGER = Threshold(7.1, "mm/s")


def failing(
    seed: int = 1, *, growth: float = 0.012, noise: float = 0.04, points: int = 300, start: int = 120
) -> Trend:
    hours = np.arange(float(points))
    rng = np.random.default_rng(seed)
    rise = np.where(hours > start, 0.15 * np.exp(growth * (hours - start)), 0.0)
    level = 1.2 * (1 + rise) * np.exp(noise * rng.standard_normal(points))
    return Trend(hours, level, "mm/s", alert=1.6, baseline=1.2, spread=max(noise, 1e-3))


def answer(trend: Trend, threshold: Threshold = DANGER, **more: object) -> RemainingLife:
    found = remaining_life(trend, threshold, **more)  # type: ignore[arg-type]
    assert isinstance(found, RemainingLife), found
    return found


def reason(trend: Trend, threshold: Threshold = DANGER) -> str:
    found = remaining_life(trend, threshold)
    assert isinstance(found, Refusal), found
    assert found in REFUSALS
    return found.reason


def changed(trend: Trend, **parts: object) -> Trend:
    return dataclasses.replace(trend, **parts)  # type: ignore[arg-type]


def test_an_answer_says_when_by_what_and_under_which_assumptions() -> None:
    found = answer(failing())
    assert 0 < found.p10 < found.p50 < found.p90
    truth = 120 + np.log((7.1 / 1.2 - 1) / 0.15) / 0.012 - 299
    assert found.p10 < truth < found.p90
    assert found.method is Method.MIXTURE
    assert sum(found.weights.values()) == pytest.approx(1)
    assert found.confidence in {"high", "medium", "low"}
    assert found.onset_hours is not None
    assert 110 < found.onset_hours < 170
    keys = [assumption.key for assumption in found.assumptions]
    assert keys[:2] == ["regime_unchanged", "threshold"]
    assert {"no_class_history", "calibrated_on_simulation"} <= set(keys)
    assert found.assumptions[1].params == {"name": "danger", "value": 7.1, "unit": "mm/s"}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(1.05, 2))
def test_more_distance_is_more_life_and_quantiles_are_ordered(seed: int, factor: float) -> None:
    trend = failing(seed)
    near, far = (remaining_life(trend, Threshold(7.1 * f, "mm/s")) for f in (1, factor))
    for found in (near, far):
        assert isinstance(found, Refusal) or found.p10 <= found.p50 <= found.p90
    if isinstance(near, RemainingLife) and isinstance(far, RemainingLife):
        assert far.p50 > near.p50
        assert far.p10 > near.p10


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 1000), st.floats(1e-3, 1e3))
def test_an_answer_scales_with_time_and_not_with_the_unit(seed: int, time: float, unit: float) -> None:
    trend = failing(seed)
    plain = remaining_life(trend, DANGER)
    other = remaining_life(
        changed(
            trend,
            hours=np.asarray(trend.hours) * time,
            values=np.asarray(trend.values) * unit,
            alert=1.6 * unit,
            baseline=1.2 * unit,
        ),
        Threshold(7.1 * unit, "mm/s"),
    )
    if isinstance(plain, Refusal) or isinstance(other, Refusal):
        assert plain == other
        return
    assert [other.p10, other.p50, other.p90] == pytest.approx(
        [plain.p10 * time, plain.p50 * time, plain.p90 * time], rel=1e-5
    )


def test_it_is_the_same_answer_each_time_and_alone_or_in_a_batch() -> None:
    trends = [failing(seed) for seed in range(6)]
    data = courses(
        [t.hours for t in trends],
        [t.values for t in trends],
        threshold=7.1,
        alert=1.6,
        baseline=1.2,
        spread=0.04,
    )
    batch = answers(forecast(data))
    for row, trend in enumerate(trends):
        found = answer(trend)
        assert found == answer(trend)
        assert [batch.p10[row], batch.p50[row], batch.p90[row]] == pytest.approx(
            [found.p10, found.p50, found.p90]
        )


@pytest.mark.parametrize(
    ("what", "trend", "threshold"),
    [
        ("no_degradation", failing(growth=0, start=1000), DANGER),
        ("no_degradation", Trend(np.arange(50.0), np.full(50, 2.0), "mm/s", alert=3.0, baseline=2.0), DANGER),
        ("too_few_points", failing(points=7), DANGER),
        ("too_few_points", changed(failing(), hours=[], values=[]), DANGER),
        ("too_few_points", changed(failing(), values=np.full(300, np.nan)), DANGER),
        ("too_few_points", changed(failing(), interventions=(295.0,)), DANGER),
        ("unit_mismatch", failing(), Threshold(7.1, "m/s²")),
        ("unit_unknown", changed(failing(), unit="unknown"), DANGER),
        ("no_threshold", failing(), Threshold(float("nan"), "mm/s")),
        ("no_threshold", failing(), Threshold(0.0, "mm/s")),
        ("no_alert_level", changed(failing(), alert=None), DANGER),
        ("threshold_below_baseline", failing(), Threshold(1.0, "mm/s")),
        ("time_goes_back", changed(failing(), hours=np.r_[np.arange(200.0), np.arange(100.0)]), DANGER),
    ],
)
def test_refusals(what: str, trend: Trend, threshold: Threshold) -> None:
    assert reason(trend, threshold) == what


def test_a_fall_a_step_and_noise_are_no_remaining_life() -> None:
    hours = np.arange(200.0)
    rng = np.random.default_rng(0)
    noise = np.exp(0.03 * rng.standard_normal(200))

    def told(level: np.ndarray) -> str:
        return reason(Trend(hours, level * noise, "mm/s", alert=1.6, baseline=1.2, spread=0.03))

    assert told(np.where(hours < 60, 1.2, 5 - 0.02 * (hours - 60))) == "trend_falling"
    assert told(np.where(hours < 100, 1.2, 3.0)) in {"poor_fit", "trend_falling", "no_degradation"}
    assert told(np.full(200, 1.2)) == "no_degradation"


def test_what_is_known_only_roughly_is_refused() -> None:
    hours = np.arange(60.0)
    level = 1.2 * (1 + 0.6 * (hours > 30) * (hours - 30) / 30)
    wobble = np.exp(0.15 * np.random.default_rng(3).standard_normal(60))
    trend = Trend(hours, level * wobble, "mm/s", alert=1.3, baseline=1.2, spread=0.15)
    assert reason(trend, Threshold(40.0, "mm/s")) in {"interval_too_wide", "poor_fit", "no_degradation"}


def test_a_threshold_that_is_crossed_leaves_nothing() -> None:
    found = answer(failing(), Threshold(1.9, "mm/s"))
    assert (found.p10, found.p50, found.p90) == (0, 0, 0)
    assert found.method is Method.THRESHOLD_CROSSED


def test_runs_of_nan_and_a_gap_in_time_are_lived_with() -> None:
    trend = failing()
    values = np.array(trend.values)
    values[150:180] = np.nan
    values[40] = np.inf
    values[250:255] = 0  # a level of nothing is no level
    whole, holed = answer(trend), answer(changed(trend, values=values))
    assert holed.p50 == pytest.approx(whole.p50, rel=0.25)
    kept = np.r_[0:150, 200:300]
    gap = answer(changed(trend, hours=np.asarray(trend.hours)[kept], values=np.asarray(trend.values)[kept]))
    assert gap.p50 == pytest.approx(whole.p50, rel=0.25)


def test_an_answer_counts_from_the_last_time_even_without_a_value() -> None:
    trend = failing()
    values = np.array(trend.values)
    values[-10:] = np.nan
    cut = changed(trend, hours=np.asarray(trend.hours)[:-10], values=np.asarray(trend.values)[:-10])
    assert answer(changed(trend, values=values)).p50 == pytest.approx(answer(cut).p50 - 10, rel=0.06)


def test_an_intervention_begins_a_new_course() -> None:
    old, new = failing(1), failing(2)
    hours = np.r_[np.asarray(old.hours), 300 + np.asarray(new.hours)]
    both = changed(
        old, hours=hours, values=np.r_[np.asarray(old.values), np.asarray(new.values)], interventions=(300.0,)
    )
    assert answer(both).p50 == pytest.approx(answer(new).p50, rel=1e-6)
    assert (
        answer(changed(both, interventions=(300.0, 9e9))).p50 == answer(both).p50
    )  # one that is still to come


def test_running_hours_count_and_rest_does_not() -> None:
    """The same course, stretched by rests of half the time, leaves twice the hours."""
    trend = failing()
    doubled = changed(
        trend,
        hours=np.arange(600) / 1.0,
        values=np.stack([np.asarray(trend.values), np.full(300, np.nan)], axis=1).ravel(),
        use=np.tile([1.0, 0.0], 300),
    )
    assert answer(doubled).p50 == pytest.approx(2 * answer(trend).p50, rel=0.06)
    assert answer(changed(trend, use=np.full(300, 0.5))).p50 == pytest.approx(answer(trend).p50, rel=1e-3)


def test_nothing_beyond_six_times_what_was_seen() -> None:
    trend = failing(noise=0.001, growth=0.012, points=200)
    found = answer(trend, Threshold(1.2 * (1 + 0.15 * np.exp(0.012 * 700)), "mm/s"), calibration=NOMINAL)
    assert found.onset_hours is not None
    assert found.p90 <= 6 * (199 - found.onset_hours) + 1e-9
    assert "capped" in [assumption.key for assumption in found.assumptions]


def test_a_jump_is_said_and_widens_the_interval() -> None:
    trend = failing(noise=0.01)
    values = np.array(trend.values)
    values[220:] = 1.2 + (values[220:] - 1.2) * 1.6
    jumped = answer(changed(trend, values=values))
    calm = answer(trend)
    assert "jumps_seen" in [assumption.key for assumption in jumped.assumptions]
    assert jumped.p90 / jumped.p10 > calm.p90 / calm.p10


def test_class_history_narrows_what_little_data_leave_open() -> None:
    trend = failing(points=230)
    history = ClassHistory(0.012, 0.002**2, 0.0, None, 20)
    known, unknown = answer(trend, history=history), answer(trend)
    assert known.p90 / known.p10 < unknown.p90 / unknown.p10
    assert {"lives": 20} in [assumption.params for assumption in known.assumptions]


def test_a_temperature_is_taken_as_one() -> None:
    hours = np.arange(200.0)
    rise = 30 + 0.15 * np.maximum(hours - 80, 0) + 0.3 * np.random.default_rng(2).standard_normal(200)
    trend = Trend(hours, rise, "K", alert=40, baseline=30, spread=0.3, quantity=Quantity.TEMPERATURE)
    found = answer(trend, Threshold(55.0, "K"))
    assert found.weights == {"temperature": 1.0}
    assert found.p10 < (55 - 30) / 0.15 + 80 - 199 < found.p90 * 1.15


def test_the_callers_arrays_stay_as_they_are() -> None:
    trend = failing()
    before = np.array(trend.hours), np.array(trend.values)
    remaining_life(trend, DANGER)
    np.testing.assert_array_equal(trend.hours, before[0])
    np.testing.assert_array_equal(trend.values, before[1])


@pytest.mark.parametrize(
    ("hours", "quantile", "said"),
    [
        (47.9, 0.5, Spoken(48, Unit.HOUR)),
        (47.9, 0.1, Spoken(47, Unit.HOUR)),
        (48.0, 0.5, Spoken(2, Unit.DAY)),
        (12.6 * 24, 0.1, Spoken(12, Unit.DAY)),
        (12.6 * 24, 0.9, Spoken(13, Unit.DAY)),
        (60 * 24, 0.5, Spoken(9, Unit.WEEK, beyond_two_months=True)),
        (0.0, 0.1, Spoken(0, Unit.HOUR)),
    ],
)
def test_durations_are_said_with_no_more_digits_than_they_deserve(
    hours: float, quantile: float, said: Spoken
) -> None:
    assert spoken(hours, quantile) == said


def test_a_duration_must_be_one() -> None:
    with pytest.raises(ValueError, match="duration"):
        spoken(-1.0)


@pytest.mark.long
def test_intervals_hold_what_they_promise_on_lives_that_taught_nothing() -> None:
    """150 lives of three kinds; the whole acceptance is a bench."""
    found = acceptance(kinds=CLASSES[:3], taught_by=CLASSES[:3], lives=(25, 40, 50))
    pooled = found.pooled()
    assert pooled.answered > 0.6
    assert 0.7 <= pooled.coverage <= 0.92  # 150 lives: two standard errors of 4 % about the goal
    assert pooled.late < 0.13
    assert pooled.accuracy > 0.6
