"""What is not known, not whole or not of this machine: it never makes a machine normal, nor an alarm."""

from __future__ import annotations

import numpy as np
import pytest

from models.detection.baseline import Baseline
from models.detection.charts import BINS
from models.detection.context import Context
from models.detection.measured import Blocks, Part
from models.detection.monitor import TESTS, Level, Monitor, MonitorState
from models.detection.regimes import Regime

NAMES = ("velocity_rms_mm_s", "acceleration_rms_m_s2", "envelope_rms_m_s2")
BLOCK_S, WEEK, T0 = 600.0, 1008, 1.7e9
ZONES = {"alert": 4.5, "danger": 7.1}


def noise(m: int, seed: int = 0) -> np.ndarray:
    return np.exp(0.1 * np.random.default_rng(seed).standard_normal((m, 3)))


def learned(x: np.ndarray, **known: object) -> Baseline:
    found = Baseline.fit(x, Context(T0 + BLOCK_S * np.arange(len(x)), **known), names=NAMES)
    assert isinstance(found, Baseline)
    return found


BASELINE = learned(noise(WEEK), speed_hz=np.random.default_rng(1).uniform(20, 30, WEEK))


@pytest.mark.parametrize("name", ["speed_hz", "load", "temperature_c", "speed_change", "time_s"])
@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinite_value_of_one_part_is_unknown_and_stops_no_other(name: str, value: float) -> None:
    told = {"time_s": np.full((9, 2), np.nan), "speed_hz": np.full((9, 2), 25.0)}
    told["time_s"][:] = T0 + BLOCK_S * np.arange(9)[:, None]
    told.setdefault(name, np.full((9, 2), 0.0))[4, 0] = value
    x = np.stack((noise(9, 2), 3 * noise(9, 3)), axis=1)
    monitor = Monitor(NAMES, [Part(BASELINE, **ZONES)] * 2)
    _, decided = monitor.run(monitor.start(), Blocks(features=x, **told))
    assert decided.level[:, 1].tolist() == [0, 0] + [Level.ALERT] * 7
    assert decided.level[-1, 0] == Level.NONE
    assert decided.advanced[5:].all()


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinite_level_tells_no_regime(value: float) -> None:
    monitor = Monitor(NAMES, [Part(BASELINE)])
    assert monitor.step(monitor.start(), Blocks([T0], np.full((1, 3), value)))[1].regime == Regime.UNKNOWN


def test_readings_between_the_blocks_do_not_crowd_them_out() -> None:
    """Of a danger only velocity is sent, each 30 s: the blocks in between must count for all the rest."""
    m = 20 * 40
    x = noise(m, 5)
    x[:, 2] *= 9
    x[np.arange(m) % 20 != 7, 1:] = np.nan
    monitor = Monitor(NAMES, [Part(BASELINE, **ZONES)])
    time_s = T0 + 30.0 * np.arange(m)[:, None]
    _, decided = monitor.run(monitor.start(), Blocks(time_s, x[:, None], 25.0))
    assert decided.level[7 + 2 * 20, 0] == Level.ALERT
    assert decided.tests[
        :, 0, TESTS.index("t2") : TESTS.index("hot")
    ].any()  # T² or SPE as well, which need most features of one block
    assert not decided.columns[:, 0, :, 0].any()


def test_refused_blocks_do_not_take_the_place_of_valid_ones() -> None:
    x = 9 * noise(12, 6)
    x[::2] = np.nan
    monitor = Monitor(NAMES, [Part(BASELINE)])
    time_s = T0 + BLOCK_S / 2 * np.arange(12)[:, None]
    _, decided = monitor.run(monitor.start(), Blocks(time_s, x[:, None], 25.0))
    assert decided.level[5, 0] >= Level.ALERT


def test_a_state_of_other_parts_or_columns_is_refused() -> None:
    one, three = Monitor(NAMES, [Part(BASELINE)]), Monitor(NAMES, [Part(BASELINE)] * 3)
    fewer = Monitor(NAMES[:2], [Part()])
    for state in (one.start(), fewer.start(), MonitorState.from_text(one.start().to_text())):
        with pytest.raises(ValueError, match="state must be of"):
            three.step(state, Blocks(T0, np.ones((3, 3))))
    with pytest.raises(ValueError, match="state must be of"):
        one.step(fewer.start(), Blocks(T0, np.ones((1, 3))))


def test_limits_that_do_not_fit_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="signed must be"):
        Monitor(NAMES, [Part(**ZONES, signed=2.0)])
    with pytest.raises(ValueError, match="danger must come with alert"):
        Monitor(NAMES, [Part(danger=7.1)])


@pytest.mark.parametrize("text", ["", "[1]", "é", "eJw=", "AAAA"])
def test_a_text_of_no_state_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no text of arrays"):
        MonitorState.from_text(text)


def test_a_state_of_36_columns_is_a_few_kilobytes() -> None:
    """A state is written with each block, for hundreds of points."""
    names = tuple(f"{channel}/f{i}" for channel in "xyz" for i in range(12))
    x = np.exp(0.1 * np.random.default_rng(4).standard_normal((2 * WEEK, 36)))
    baseline = Baseline.fit(x[:WEEK], Context(T0 + BLOCK_S * np.arange(WEEK)), names=names)
    assert isinstance(baseline, Baseline)
    monitor = Monitor(names, [Part(baseline)])
    time_s = T0 + BLOCK_S * np.arange(WEEK)[:, None]
    state, _ = monitor.run(monitor.start(), Blocks(time_s, x[WEEK:, None], 25.0))
    assert len(state.to_text()) < 5000
    assert np.isfinite(state.means).sum() == BINS * 36


def test_causes_that_were_learned_must_be_told() -> None:
    baseline = learned(noise(WEEK), others=np.random.default_rng(3).uniform(0, 30, (WEEK, 1)))
    monitor = Monitor(NAMES, [Part(baseline), Part(BASELINE)])
    with pytest.raises(ValueError, match="others must be"):
        monitor.step(monitor.start(), Blocks(T0, np.ones((2, 3)), 25.0))
    with pytest.raises(ValueError, match="others must be"):
        baseline.expect(np.ones((1, 3)), Context([T0]))
    told = monitor.step(monitor.start(), Blocks(T0, np.ones((2, 3)), 25.0, others=[[5.0], [np.nan]]))[1]
    assert np.isfinite(told.z).all()  # the second part was learned without
