"""Baselines of what is warm: the lag of a housing, what it makes of causes, and when nothing is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.detection.baseline import BASELINE_TOO_SHORT, Baseline
from models.detection.context import Context
from models.detection.heat import HOUSING_TAU_H, MEMORIES, fit_heat, remembered
from models.features.thermal_lag import first_order_lag

STEP_S = 20.0


def work(m: int, *, seed: int = 0) -> Context:
    """Speed and load that change every few minutes."""
    rng = np.random.default_rng(seed)
    speed, load = (np.repeat(rng.uniform(low, high, m // 10 + 1), 10)[:m] for low, high in ((30, 60), (2, 4)))
    return Context(STEP_S * np.arange(float(m)), speed, load, cycles=3)


def rise(context: Context, *, friction: float = 1.0, seed: int = 1) -> np.ndarray:
    """What friction makes of them in a housing, in K."""
    made = friction * 0.4 * context.speed_hz * context.load**0.5
    tau = np.array([HOUSING_TAU_H])
    lagged = first_order_lag(context.time_s / 3600, made[None], tau)[0]
    noise = np.random.default_rng(seed).standard_normal((2, context.time_s.size))
    return np.column_stack((lagged, 0.9 * lagged)) + 0.1 * noise.T


def fitted(context: Context) -> Baseline:
    found = fit_heat(rise(context), context)
    assert isinstance(found, Baseline)
    return found


def test_causes_are_what_the_housing_still_feels() -> None:
    m = 2000
    speed = np.where(np.arange(m) < 1000, 40.0, 60.0)
    felt = remembered(Context(STEP_S * np.arange(float(m)), speed, np.full(m, 3.0)))
    memory = int(MEMORIES * HOUSING_TAU_H * 3600 / STEP_S)
    assert np.isnan(felt.speed_hz[: memory - 5]).all()
    assert felt.speed_hz[999] == pytest.approx(40)
    later = 1000 + int(HOUSING_TAU_H * 3600 / STEP_S)
    assert felt.speed_hz[later] == pytest.approx(60 - 20 * np.exp(-1), rel=0.01)
    assert felt.load[memory + 5 :] == pytest.approx(3)


def test_causes_that_are_not_given_stay_unknown() -> None:
    felt = remembered(Context(STEP_S * np.arange(900.0), np.full(900, 40.0)))
    assert np.isnan(felt.load).all()
    assert felt.others.shape == (900, 0)
    assert felt.speed_hz[-1] == pytest.approx(40)


def test_friction_is_seen_through_changing_work() -> None:
    learned, later = work(3000), work(1500, seed=5)
    baseline = fitted(learned)
    sound, dry = (baseline.expect(rise(later, friction=f), remembered(later)) for f in (1.0, 1.3))
    known = sound.known
    assert known[600:].mean() > 0.95
    assert np.abs(sound.z[known]).max() < 2
    assert np.median(dry.z[known]) == pytest.approx(np.log(1.3) / 0.05, rel=0.1)


def test_without_the_lag_the_same_work_explains_less() -> None:
    context = work(3000)
    direct = Baseline.fit(rise(context), context)
    assert isinstance(direct, Baseline)
    lagged = fitted(context)
    off = [
        np.nanstd(np.log(rise(context)) - b.expect(rise(context), c).log_level)
        for b, c in ((direct, context), (lagged, remembered(context)))
    ]
    assert off[1] < 0.5 * off[0]


def test_work_that_was_not_learned_is_not_judged() -> None:
    baseline = fitted(work(3000))
    fast = work(1500, seed=5)
    fast = replace(fast, speed_hz=2 * fast.speed_hz)
    assert not baseline.expect(rise(fast), remembered(fast)).known.any()


def test_less_than_two_memories_are_refused() -> None:
    least = int(2 * MEMORIES * HOUSING_TAU_H * 3600 / STEP_S)
    assert fit_heat(rise(work(least - 20)), work(least - 20)) is BASELINE_TOO_SHORT
    assert isinstance(fit_heat(rise(work(least + 20)), work(least + 20)), Baseline)
    assert fit_heat(rise(work(100)), work(100)) is BASELINE_TOO_SHORT


def test_arguments_that_cannot_be_meant_are_errors() -> None:
    with pytest.raises(ValueError, match="tau_h"):
        remembered(work(100), 0.0)
    with pytest.raises(ValueError, match="rise"):
        remembered(Context(np.zeros(3), 40.0, 3.0))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rise_k"):
        fit_heat(np.zeros((3, 2)), work(100))
