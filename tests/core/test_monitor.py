"""The detector of machine parts: streaming is batch, late blocks advance nothing, and each rule by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detection.baseline import Baseline
from models.detection.context import Context
from models.detection.measured import Blocks, Part
from models.detection.monitor import TESTS, Basis, Decision, Level, Monitor, MonitorState
from models.detection.regimes import Regime
from models.types import State

NAMES = ("velocity_rms_mm_s", "acceleration_rms_m_s2", "envelope_rms_m_s2")
SIGMA, BLOCK_S, WEEK = 0.1, 600.0, 1008


def noise(m: int, seed: int = 0) -> np.ndarray:
    return np.exp(SIGMA * np.random.default_rng(seed).standard_normal((m, len(NAMES))))


def learned(speeds: tuple[float, float] = (20.0, 30.0)) -> Baseline:
    speed = np.random.default_rng(1).uniform(*speeds, WEEK)
    found = Baseline.fit(noise(WEEK, 1), Context(BLOCK_S * np.arange(WEEK), speed), names=NAMES)
    assert isinstance(found, Baseline)
    return found


BASELINE = learned()
ZONES = {"alert": 4.5, "danger": 7.1}


def run(
    part: Part, x: np.ndarray, every_s: float = BLOCK_S, **known: object
) -> tuple[MonitorState, Decision]:
    monitor = Monitor(NAMES, [part])
    time_s = 1e6 + every_s * np.arange(len(x))
    blocks = Blocks(time_s[:, None], np.asarray(x)[:, None], **{"speed_hz": 25.0} | known)
    return monitor.run(monitor.start(), blocks)


def first(decision: Decision, test: str) -> int | None:
    """Blocks until a test is on, None where it never is."""
    on = decision.tests[:, 0, TESTS.index(test)]
    return int(on.argmax()) + 1 if on.any() else None


def stepped(m: int, column: int, factor: float, seed: int = 3) -> np.ndarray:
    x = noise(m, seed)
    x[:, column] *= factor
    return x


def equal(one: Decision, two: Decision) -> None:
    for name in Decision.__slots__:
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=1e-6, atol=1e-6)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31), st.integers(20, 80))
def test_streaming_with_a_restart_after_any_block_is_the_batch(seed: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.exp(SIGMA * rng.standard_normal((m, 2, 3))) * np.where(rng.random((m, 2, 1)) < 0.3, 4.0, 1.0)
    x[rng.random(x.shape) < 0.05] = np.nan
    time_s = np.cumsum(rng.choice([-300.0, 30.0, 600.0, 7200.0], (m, 2), p=[0.1, 0.1, 0.6, 0.2]), axis=0)
    time_s[rng.random((m, 2)) < 0.05] = np.nan
    told = {
        "speed_hz": rng.choice([25.0, 27.0, 0.0, 50.0, np.nan], (m, 2), p=[0.7, 0.15, 0.05, 0.05, 0.05]),
        "temperature_c": rng.uniform(60, 110, (m, 2)),
        "live": rng.random((m, 2)) < 0.9,
    }
    monitor = Monitor(NAMES, [Part(BASELINE, **ZONES, temperature_danger=95.0), Part(**ZONES)])
    end, batch = monitor.run(monitor.start(), Blocks(time_s, x, **told))
    state, decisions = monitor.start(), []
    for t in range(m):
        state = MonitorState.from_text(state.to_text())
        state, one = monitor.step(state, Blocks(time_s[t], x[t], **{k: v[t] for k, v in told.items()}))
        decisions.append(one)
    equal(Decision(*(np.stack([getattr(d, n) for d in decisions]) for n in Decision.__slots__)), batch)
    assert state.to_text() == end.to_text()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31))
def test_late_blocks_advance_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, time_s = stepped(60, 1, 3.0)[:, None], 1e6 + BLOCK_S * np.arange(60)[:, None]
    late = np.sort(rng.integers(1, 60, 25))
    monitor = Monitor(NAMES, [Part(BASELINE)])
    end, clean = monitor.run(monitor.start(), Blocks(time_s, x, 25.0))
    live = np.insert(np.ones(60, dtype=bool), late, rng.random(25) < 0.5)[:, None]
    back = np.insert(time_s, late, time_s[late - 1] - rng.choice([0.0, 5e4], (25, 1)), axis=0)
    mixed = Blocks(back, np.insert(x, late, 500.0, axis=0), 25.0, live=live)
    same, decided = monitor.run(monitor.start(), mixed)
    assert same.to_text() == end.to_text()
    kept = decided.advanced[:, 0]
    assert kept.sum() == 60
    assert np.array_equal(decided.level[kept], clean.level)
    assert not decided.raised[~kept].any()


def test_parts_together_are_as_parts_alone() -> None:
    x = np.stack([stepped(50, c, 3.0, seed=c) for c in range(3)], axis=1)
    time_s = BLOCK_S * np.arange(50)[:, None]
    parts = [Part(BASELINE), Part(BASELINE, **ZONES), Part(**ZONES)]
    monitor = Monitor(NAMES, parts)
    end, together = monitor.run(monitor.start(), Blocks(time_s, x, 25.0))
    states = []
    for p, part in enumerate(parts):
        alone = Monitor(NAMES, [part])
        state, one = alone.run(alone.start(), Blocks(time_s, x[:, p : p + 1], 25.0))
        assert np.array_equal(one.tests[:, 0], together.tests[:, p])
        assert state.to_text() == end.of([p]).to_text()
        states.append(MonitorState.from_text(state.to_text()))
    assert MonitorState.joined(states).to_text() == end.to_text()
    with pytest.raises(ValueError, match="states must be"):
        MonitorState.joined([])


def test_a_healthy_machine_is_normal() -> None:
    _, decided = run(Part(BASELINE, **ZONES), noise(500, 9))
    assert set(decided.level.ravel()) == {Level.NONE}
    assert set(decided.basis.ravel()) == {Basis.BASELINE}
    assert {decided.said[-1, 0]} == {0}


def test_three_blocks_make_an_alert_and_name_the_feature() -> None:
    x = stepped(3, 2, 3.0)
    _, decided = run(Part(BASELINE), x)
    assert first(decided, "alert") == 3
    assert decided.raised[:, 0].tolist() == [False, False, True]
    last = Decision(*(getattr(decided, n)[-1] for n in Decision.__slots__))
    assert last.state() is State.ALERT
    assert last.reasons(NAMES) == {"alert": ("envelope_rms_m_s2",)}


def test_an_envelope_twenty_times_as_high_is_an_alert_but_acceleration_a_danger() -> None:
    for column, level in ((2, Level.ALERT), (1, Level.DANGER)):
        assert run(Part(BASELINE), stepped(5, column, 20.0))[1].level[-1, 0] == level


def test_blocks_of_every_minute_do_not_alert_sooner() -> None:
    assert first(run(Part(BASELINE), stepped(60, 2, 3.0), 60.0)[1], "alert") == 19
    assert first(run(Part(**ZONES), np.full((60, 3), 5.5), 60.0)[1], "alert") == 19


def test_an_alert_is_over_six_calm_blocks_later() -> None:
    x = np.concatenate((stepped(5, 2, 3.0), np.ones((10, 3))))
    assert run(Part(BASELINE), x)[1].level[:, 0].tolist() == [0, 0, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0]


def test_the_zone_alerts_although_statistics_would_not() -> None:
    _, decided = run(Part(BASELINE, alert=1.2, danger=1.8), np.full((5, 3), 1.25))
    assert first(decided, "alert") == 3
    assert first(run(Part(BASELINE), np.full((5, 3), 1.25))[1], "alert") is None


@pytest.mark.parametrize("speed_hz", [25.0, 0.0, 100.0, np.nan], ids=["runs", "stands", "unseen", "unknown"])
def test_zone_d_is_a_danger_in_every_regime_after_30_s(speed_hz: float) -> None:
    x = stepped(3, 0, 9.0)
    _, decided = run(Part(BASELINE, **ZONES), x, 30.0, speed_hz=speed_hz)
    assert first(decided, "danger") == 2
    assert decided.said[-1, 0] == Level.DANGER


def test_a_hot_bearing_is_a_danger_and_a_warm_one_an_alert() -> None:
    part = Part(BASELINE, temperature_alert=80.0, temperature_danger=95.0)
    hot = run(part, noise(4), 30.0, temperature_c=97.0)[1]
    assert (first(hot, "hot"), first(hot, "warm")) == (2, 3)
    assert run(part, noise(4), temperature_c=85.0)[1].level[-1, 0] == Level.ALERT


@pytest.mark.parametrize(
    ("known", "regime", "state"),
    [
        ({"speed_hz": 0.0}, Regime.STOPPED, State.STOPPED),
        ({"speed_change": 0.05}, Regime.TRANSIENT, State.TRANSIENT),
    ],
)
def test_nothing_else_is_judged_of_what_stands_or_settles(
    known: dict[str, float], regime: Regime, state: State
) -> None:
    end, decided = run(Part(BASELINE), stepped(40, 1, 9.0), **known)
    assert set(decided.regime.ravel()) == {regime}
    assert not decided.tests.any()
    assert not end.charts.up.any()
    assert Decision(*(getattr(decided, n)[-1] for n in Decision.__slots__)).state() is state


def test_a_quiet_machine_without_speed_is_stopped() -> None:
    _, decided = run(Part(BASELINE), np.full((1, 3), 0.01), speed_hz=np.nan)
    assert decided.regime[0, 0] == Regime.STOPPED


@pytest.mark.parametrize(
    ("part", "speed_hz", "basis", "state"),
    [
        (Part(), 25.0, Basis.NONE, State.LEARNING),
        (Part(**ZONES), 25.0, Basis.STANDARD, State.NORMAL),
        (Part(BASELINE), 50.0, Basis.NONE, State.UNKNOWN),
        (Part(BASELINE, **ZONES), 50.0, Basis.STANDARD, State.NORMAL),
    ],
)
def test_no_verdict_without_basis(part: Part, speed_hz: float, basis: Basis, state: State) -> None:
    _, decided = run(part, noise(4), speed_hz=speed_hz)
    assert decided.basis[-1, 0] == basis
    assert Decision(*(getattr(decided, n)[-1] for n in Decision.__slots__)).state() is state


def test_while_learning_only_the_standard_alerts() -> None:
    x = stepped(30, 1, 50.0)
    assert not run(Part(**ZONES), x)[1].tests.any()
    assert first(run(Part(**ZONES), np.full((5, 3), 5.5))[1], "alert") == 3


def test_blocks_of_nothing_but_nan_say_nothing() -> None:
    _, decided = run(Part(BASELINE, **ZONES), np.full((30, 3), np.nan), speed_hz=np.nan)
    assert set(decided.regime.ravel()) == {Regime.UNKNOWN}
    assert not decided.tests.any()
    assert Decision(*(getattr(decided, n)[-1] for n in Decision.__slots__)).state() is State.UNKNOWN


def test_a_small_lasting_shift_is_watched() -> None:
    x = stepped(300, 1, np.exp(2.5 * SIGMA))
    _, decided = run(Part(BASELINE), x)
    assert first(decided, "ewma") is not None
    assert first(decided, "cusum") is not None
    assert first(decided, "alert") is None
    assert decided.level.max() == Level.WATCH


def test_a_drift_is_a_slope_within_days() -> None:
    drift = np.exp(SIGMA * 0.4 * np.arange(7 * 144) / 144)
    x = noise(7 * 144, 5)
    x[:, 1] *= drift
    found = first(run(Part(BASELINE), x)[1], "slope")
    assert found is not None
    assert found <= 5 * 144


def test_a_sensor_that_came_off_is_below_the_low_limit() -> None:
    assert first(run(Part(BASELINE), stepped(4, 1, 0.1))[1], "low") == 3


def test_a_gap_of_weeks_clears_the_window_of_the_slope() -> None:
    monitor = Monitor(NAMES, [Part(BASELINE)])
    state, _ = run(Part(BASELINE), noise(144))
    assert np.isfinite(state.means).sum() > 0
    later = Blocks(state.time_s + 30 * 86_400, noise(1), 25.0)
    assert np.isnan(monitor.step(state, later)[0].means).all()


@pytest.mark.parametrize(
    "blocks",
    [
        Blocks(0.0, np.ones((2, 3))),
        Blocks(0.0, np.ones((1, 4))),
        Blocks([0.0, 1.0], np.ones((1, 3))),
        Blocks([[0.0], [1.0]], np.ones((2, 1, 3))),
    ],
)
def test_what_does_not_fit_is_an_error(blocks: Blocks) -> None:
    monitor = Monitor(NAMES, [Part(BASELINE)])
    with pytest.raises(ValueError, match="must be"):
        monitor.step(monitor.start(), blocks)
    with pytest.raises(ValueError, match="must be of the columns"):
        Monitor(("a", "b"), [Part(BASELINE)])


def test_a_residual_of_half_an_hour_alerts_and_twice_as_much_is_a_danger() -> None:
    part = Part(BASELINE, residual_alert=10.0, residual_danger=20.0)
    quiet = noise(40, 11)
    off = np.where(np.arange(40) >= 20, 12.0, 3.0)
    _, decided = run(part, quiet, residual_k=off[:, None])
    assert first(decided, "residual") == 23
    assert set(decided.level[22:, 0]) == {Level.ALERT}
    assert first(decided, "residual_danger") is None
    minutes = np.where(np.arange(40) >= 10, 25.0, 3.0)[:, None]
    _, decided = run(part, quiet, 60.0, residual_k=minutes)
    assert first(decided, "residual_danger") == 12  # two in a row; the alert waits for the pace
    assert decided.level[-1, 0] == Level.DANGER


def test_a_residual_of_a_machine_at_rest_or_without_a_model_says_nothing() -> None:
    hot = np.full((20, 1), 40.0)
    part = Part(BASELINE, residual_alert=10.0, residual_danger=20.0)
    _, decided = run(part, noise(20, 12), residual_k=hot, speed_hz=0.0)
    assert not decided.level.any()
    _, decided = run(Part(BASELINE), noise(20, 12), residual_k=hot)
    assert not decided.level.any()
    with_none, plain = (run(part, noise(60, 13), **told)[1] for told in ({"residual_k": np.nan}, {}))
    for name in Decision.__slots__:
        np.testing.assert_array_equal(getattr(with_none, name), getattr(plain, name))
