"""The monitor of tables: what it sees, what it leaves out, and that a stream and a batch say the same."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detection.table_monitor import LEVEL_LIMIT, Note, TableMonitor, TableScores
from models.detection.table_monitor_charts import FixedCharts, MovingCharts
from models.detection.table_monitor_fit import MIN_ROWS, inverse_covariance, slow_share
from models.types import Refusal

Rows = npt.NDArray[np.float64]
NAMES = ("flow", "pressure", "vibration")
FIT = 400


def steady(n: int, seed: int = 1) -> Rows:
    """Three channels of a machine at work: two move together, as a pump's flow and pressure do."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(n, 3))
    noise[:, 1] = 0.9 * noise[:, 0] + np.sqrt(1 - 0.9**2) * noise[:, 1]
    table: Rows = np.array([32.0, 4.0, 0.2]) + noise * np.array([0.5, 0.1, 0.01])
    return table


def drifting(n: int, seed: int = 2) -> Rows:
    """A channel that wanders: the sum of its steps."""
    walk: Rows = 60 + np.cumsum(np.random.default_rng(seed).normal(size=n)) * 0.1
    return walk


def fitted(rows: Rows, names: tuple[str, ...] = NAMES) -> TableMonitor:
    monitor = TableMonitor.fit(rows, names)
    assert isinstance(monitor, TableMonitor)
    return monitor


def judged(table: Rows, names: tuple[str, ...] = NAMES) -> TableScores:
    return fitted(table[:FIT], names).step(table[FIT:])


def test_a_steady_machine_does_not_alarm() -> None:
    alarms = [judged(steady(3000, seed)).alarm.mean() for seed in range(8)]
    assert max(alarms) < 0.02


def test_a_lasting_shift_is_seen_within_a_minute_of_rows_and_named() -> None:
    table = steady(1200)
    table[800:1000, 0] -= 1.5  # three standard deviations of the flow
    said = judged(table)
    assert not said.alarm[:400].any()
    assert said.alarm[415:600].all()
    assert not said.alarm[700:].any()
    shares = said.contributions[450:600].mean(axis=0)
    assert shares.argmax() == 0  # with the pressure, which did not follow
    assert shares[2] < 0.1


def test_channels_that_stop_moving_together_are_seen_though_each_stays_normal() -> None:
    table = steady(1200)
    table[800:, 1] = steady(400, seed=9)[:, 1]
    assert judged(table).alarm[450:].mean() > 0.8


def test_a_changepoint_stands_at_the_beginning_and_at_the_end_of_a_shift() -> None:
    table = steady(1200)
    table[800:1000, 0] -= 3
    found = np.flatnonzero(judged(table).changepoint)
    assert min(abs(found - 400)) <= 3
    assert min(abs(found - 600)) <= 3


@pytest.mark.parametrize("wild", [1e6, -1e300, 12.0])
def test_a_wild_reading_is_forgotten_within_the_memory_of_the_charts(wild: float) -> None:
    table = steady(1200)
    table[800, 0] += wild
    assert not judged(table).alarm[415:600].any()


def test_a_channel_that_warms_up_is_left_out_and_said() -> None:
    table = np.column_stack((steady(1200), drifting(1200)))
    monitor = fitted(table[:FIT], (*NAMES, "temperature"))
    assert monitor.watched == NAMES
    assert monitor.notes == (Note("channel_drifting", "temperature"),)
    said = monitor.step(table[FIT:])
    alone = judged(table[:, :3])
    assert np.allclose(said.score, alone.score)
    assert not said.contributions[:, 3].any()


def test_where_every_channel_drifts_the_past_is_the_reference() -> None:
    slow = np.convolve(np.random.default_rng(3).normal(size=4100), np.ones(100) / 10, "valid")[:, None]
    slow[3000:3200] -= 8
    monitor = fitted(slow[:FIT], ("temperature",))
    assert monitor.moving
    assert monitor.notes == (Note("channel_moving", "temperature"),)
    said = monitor.step(slow[FIT:])
    assert said.alarm[2620:2750].all()
    assert said.alarm[:2600].mean() < 0.06  # the prefix shows four swings only


@pytest.mark.parametrize(
    ("column", "key"),
    [(np.full(FIT, 7.0), "channel_constant"), (np.full(FIT, np.nan), "channel_missing")],
)
def test_a_channel_that_says_nothing_in_the_prefix_is_left_out_and_said(column: Rows, key: str) -> None:
    table = np.column_stack((steady(FIT), column))
    monitor = fitted(table, (*NAMES, "extra"))
    assert monitor.notes == (Note(key, "extra"),)
    assert monitor.step(np.column_stack((steady(50, 5), np.arange(50)))).judged.all()


def test_a_fit_that_is_short_for_its_channels_says_so() -> None:
    names = tuple("abcdefghi")
    rows = np.random.default_rng(6).normal(size=(FIT, 9))
    assert fitted(rows, names).notes == tuple(Note("channel_few_rows", name) for name in names)
    assert fitted(rows[:, :8], names[:8]).notes == ()


@pytest.mark.parametrize(
    ("rows", "refusal"),
    [
        (steady(MIN_ROWS - 1), Refusal("fit_too_short", "more_fit_rows")),
        (np.ones((FIT, 3)), Refusal("no_usable_channel", "other_columns")),
        (np.full((FIT, 3), np.nan), Refusal("no_usable_channel", "other_columns")),
    ],
)
def test_a_prefix_that_teaches_nothing_is_refused(rows: Rows, refusal: Refusal) -> None:
    assert TableMonitor.fit(rows, NAMES) == refusal


def test_a_row_without_half_of_its_values_is_not_judged_and_changes_nothing() -> None:
    table = steady(900)
    monitor, spared = fitted(table[:FIT]), fitted(table[:FIT])
    hole = np.full((30, 3), np.nan)
    hole[:, 0] = 1e3
    said = monitor.step(np.vstack((hole, table[FIT:])))
    assert not said.judged[:30].any()
    assert not said.alarm[:30].any()
    assert np.isnan(said.contributions[:30]).all()
    assert np.allclose(said.score[30:], spared.step(table[FIT:]).score)


def test_a_sensor_that_dies_in_an_alarm_does_not_end_it() -> None:
    table = steady(1200)
    table[700:, 0] -= 3
    table[900:, 0] = np.nan
    said = judged(table)
    assert said.judged.all()
    assert said.alarm[320:].all()


def test_nothing_that_follows_changes_what_was_said() -> None:
    table = steady(900)
    other = table.copy()
    other[700:] += 5
    before, after = judged(table), judged(other)
    assert np.array_equal(before.score[:300], after.score[:300])
    assert np.array_equal(before.alarm[:300], after.alarm[:300])


def test_units_and_the_order_of_channels_do_not_matter() -> None:
    table = steady(900)
    table[700:, 2] += 0.03
    other = (table * np.array([1000.0, 0.01, 9.81]) + np.array([0.0, -5.0, 100.0]))[:, ::-1]
    said, again = judged(table), judged(other, NAMES[::-1])
    assert np.allclose(said.score, again.score, rtol=1e-6)
    assert np.array_equal(said.alarm, again.alarm)
    assert np.allclose(said.contributions, again.contributions[:, ::-1], atol=1e-6)


def test_shares_are_parts_of_one() -> None:
    said = judged(steady(900))
    assert np.allclose(said.contributions.sum(axis=1), 1)
    assert np.array_equal(said.threshold, np.full(500, LEVEL_LIMIT))


@st.composite
def tables(draw: st.DrawFn) -> tuple[Rows, list[int]]:
    """Rows after a prefix with holes, steps and a wild value, and where the stream is cut."""
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    table = steady(FIT + 260, seed=int(rng.integers(100)))
    if draw(st.booleans()):
        table = np.column_stack([drifting(FIT + 260, int(seed)) for seed in rng.integers(0, 99, 3)])
    table[FIT + 60 : FIT + 160, 0] += draw(st.sampled_from([0.0, 2.0, -8.0]))
    if draw(st.booleans()):
        table[FIT:][rng.random((260, 3)) < 0.2] = np.nan
    cuts = draw(st.lists(st.integers(0, 260), max_size=6))
    return table, sorted(cuts)


@given(tables())
@settings(max_examples=30, deadline=None)
def test_a_stream_cut_and_stored_anywhere_says_what_the_batch_says(case: tuple[Rows, list[int]]) -> None:
    table, cuts = case
    batch = judged(table)
    monitor = fitted(table[:FIT])
    said = []
    for rows in np.split(table[FIT:], cuts):
        said.append(monitor.step(rows))
        monitor = TableMonitor.from_dict(json.loads(json.dumps(monitor.to_dict(), allow_nan=False)))
    for name in ("score", "threshold", "contributions"):
        stream = np.concatenate([getattr(part, name) for part in said])
        assert np.allclose(stream, getattr(batch, name), rtol=1e-6, atol=1e-6, equal_nan=True), name
    for name in ("alarm", "changepoint"):
        assert np.array_equal(np.concatenate([getattr(part, name) for part in said]), getattr(batch, name))


@pytest.mark.parametrize("moving", [False, True])
def test_a_row_at_a_time_with_the_state_stored_after_each_is_the_batch(moving: bool) -> None:
    table = steady(FIT + 60)
    if moving:
        table = np.cumsum(table - table.mean(axis=0), axis=0)
    table[FIT + 20, 1] = np.nan
    batch, monitor = judged(table), fitted(table[:FIT])
    assert monitor.moving is moving
    for i, row in enumerate(table[FIT:]):
        said = monitor.step(row[None])
        assert np.allclose(said.score, batch.score[i], rtol=1e-6)
        assert said.alarm[0] == batch.alarm[i]
        monitor = TableMonitor.from_dict(json.loads(json.dumps(monitor.to_dict())))


def test_a_stored_form_of_another_version_is_refused() -> None:
    stored: dict[str, Any] = {**fitted(steady(FIT)).to_dict(), "version": 99}
    with pytest.raises(ValueError, match="version 1, got 99: fit a new one"):
        TableMonitor.from_dict(stored)


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must be \(n, 3\)"):
        fitted(steady(FIT)).step(np.zeros((5, 2)))


def test_slow_share_is_that_of_the_slow_part() -> None:
    rng = np.random.default_rng(4)
    white, ramp = rng.normal(size=4000), np.linspace(0, 1, 4000)
    half = white / white.std() + ramp / ramp.std()
    share = slow_share(np.column_stack((white, ramp, half)))
    assert share[0] < 0.02
    assert share[1] > 0.99
    assert share[2] == pytest.approx(0.5, abs=0.03)


def test_channels_that_agree_exactly_still_have_an_inverse() -> None:
    twin = np.random.default_rng(5).normal(size=(300, 1)) @ np.ones((1, 2))
    assert np.linalg.cond(inverse_covariance(twin)) < 1000


def test_an_empty_chunk_says_nothing_and_changes_nothing() -> None:
    for table in (steady(FIT), np.cumsum(steady(FIT) - [32, 4, 0.2], axis=0)):
        monitor = fitted(table)
        before = monitor.to_dict()
        assert monitor.step(np.empty((0, 3))).score.size == 0
        assert monitor.to_dict() == before


def test_both_kinds_of_charts_are_reached() -> None:
    kinds = {type(fitted(t)._charts) for t in (steady(FIT), np.cumsum(steady(FIT) - [32, 4, 0.2], axis=0))}
    assert kinds == {FixedCharts, MovingCharts}
