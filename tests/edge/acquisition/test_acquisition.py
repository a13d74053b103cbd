"""Cutting: whole blocks, each sample once, whatever the bursts; and what the host says of a machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.acquisition.acquisition import Acquisition, Cut
from edge_agent.acquisition.decimation import Decimator
from edge_agent.acquisition.plan import Plan
from edge_agent.acquisition.schedule import share_of
from edge_agent.acquisition.sensor import Sensor
from palier.source import Standing

FS = 2_560.0
PLAN = Plan(h_every_s=40.0, h_s=4.0, l_every_s=80.0, l_s=8.0, l_factor=4, speed_rpm=1_500.0)
SENSOR = Sensor("P-101", "2", ("x", "y"), FS, (1e-3, 1e-3), "g")


@lru_cache(maxsize=1)
def _stream() -> np.ndarray:
    """Two minutes that nowhere repeat: a block tells where it was cut."""
    rng = np.random.default_rng(7)
    return rng.integers(-8_000, 8_000, (2, round(130 * FS)), np.int16)


def _feed(acquisition: Acquisition, stream: np.ndarray, size: int = 997) -> Iterator[Cut]:
    for at in range(0, stream.shape[1], size):
        yield from acquisition.feed(stream[:, at : at + size].copy(), at)


def _starts(cuts: list[Cut], kind: str) -> list[float]:
    return [cut.first_sample / FS for cut in cuts if cut.kind == kind]


def test_blocks_are_the_stream_where_they_say_they_are() -> None:
    stream = _stream()
    cuts = list(_feed(Acquisition(PLAN, SENSOR), stream))
    assert {cut.kind for cut in cuts} == {"H", "L", "danger"}
    for cut in (cut for cut in cuts if cut.kind == "H"):
        assert cut.samples is not None
        assert cut.samples.shape == (2, round(4 * FS))
        assert np.array_equal(cut.samples, stream[:, cut.first_sample : cut.first_sample + cut.n_samples])
    for cut in (cut for cut in cuts if cut.kind == "L"):
        whole = Decimator(4, 2, round(8 * FS / 4))
        whole.feed(stream[:, cut.first_sample - Decimator.delay_of(4) :])
        assert np.array_equal(cut.samples, whole.out)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [997, 2939, 2940])  # the first blocks begin at sample 2939
def test_no_two_blocks_of_a_point_begin_at_one_sample(size: int) -> None:
    """A slow machine and a sensor that needs no thinning: H and L come of one moment, also behind a gap."""
    acquisition = Acquisition(replace(PLAN, l_factor=1, speed_rpm=300.0), SENSOR)
    cuts = list(_feed(acquisition, _stream(), size))
    cuts += acquisition.feed(_stream(), 10 * _stream().shape[1])
    starts = [cut.first_sample for cut in cuts if cut.samples is not None]
    assert len(set(starts)) == len(starts) >= 8
    for cut in cuts:
        if cut.kind == "L" and cut.first_sample < _stream().shape[1]:
            stop = cut.first_sample + cut.n_samples
            assert np.array_equal(cut.samples, _stream()[:, cut.first_sample : stop])  # type: ignore[arg-type]


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_any_bursts_give_the_same_blocks(data: st.DataObject) -> None:
    stream, plan = _stream()[:, : round(75 * FS)], replace(PLAN, danger_mm_s=1e-6)
    expected = list(_feed(Acquisition(plan, SENSOR), stream, 4_096))
    acquisition, at = Acquisition(plan, SENSOR), 0
    got: list[Cut] = []
    sizes = data.draw(st.lists(st.integers(1, 20_000), min_size=1, max_size=20))
    while at < stream.shape[1]:
        size = sizes[len(got) % len(sizes)] if at else sizes[0]
        got += acquisition.feed(stream[:, at : at + size], at)
        at += min(size, stream.shape[1] - at)
    assert len(got) == len(expected)
    for a, b in zip(_by_kind(got), _by_kind(expected), strict=True):
        assert (a.kind, a.first_sample, a.n_samples, a.velocity_mm_s) == (
            b.kind,
            b.first_sample,
            b.n_samples,
            b.velocity_mm_s,
        )
        assert (a.samples is None) == (b.samples is None)
        assert a.samples is None or np.array_equal(a.samples, b.samples)  # type: ignore[arg-type]


def _by_kind(cuts: list[Cut]) -> list[Cut]:
    return sorted(cuts, key=lambda cut: (cut.kind, cut.first_sample))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9_000), st.integers(0, 3)), min_size=5, max_size=40))
def test_no_block_spans_a_gap_and_none_of_a_kind_overlap(bursts: list[tuple[int, int]]) -> None:
    """A ramp shows a gap as a step, and a sample that comes twice as one that stays."""
    acquisition, at, cuts = Acquisition(PLAN, SENSOR), 0, []
    for size, lost in [*bursts, (40_000, 0)]:
        at += 500 * lost
        ramp = (np.arange(at, at + size) % 30_000).astype(np.int16)
        cuts += acquisition.feed(np.stack([ramp, ramp]), at)
        at += size
    ends: dict[str, int] = {}
    for cut in _by_kind(cuts):
        assert cut.first_sample >= ends.get(cut.kind, 0) or cut.kind == "L"
        ends[cut.kind] = cut.first_sample + cut.n_samples
        if cut.kind == "H" and cut.samples is not None:
            steps = np.diff(cut.samples[0].astype(int)) % 30_000
            assert (steps == 1).all()
            assert cut.samples[0, 0] == cut.first_sample % 30_000


def test_an_overrun_begins_the_block_anew() -> None:
    stream = _stream()
    acquisition = Acquisition(PLAN, SENSOR)
    first = round(share_of("P-101") * 40 * FS)
    middle = first + round(2 * FS)
    assert not [c for c in acquisition.feed(stream[:, :middle], 0) if c.kind == "H"]
    acquisition.cut()
    cuts = acquisition.feed(stream[:, middle : middle + round(6 * FS)], middle)
    assert [c.first_sample for c in cuts if c.kind == "H"] == [middle]


def test_samples_that_come_twice_are_refused() -> None:
    acquisition = Acquisition(PLAN, SENSOR)
    acquisition.feed(_stream()[:, :100], 0)
    with pytest.raises(ValueError, match="must not come twice: 100 is next, got 99"):
        acquisition.feed(_stream()[:, 99:200], 99)
    with pytest.raises(ValueError, match="a burst must be"):
        acquisition.feed(_stream()[:1, 100:200], 100)


def test_a_machine_in_alarm_is_sampled_each_minute() -> None:
    plan = replace(PLAN, h_every_s=120.0, l_every_s=120.0)
    calm = list(_feed(Acquisition(plan, SENSOR), _stream()))
    heeded = list(_feed(Acquisition(plan, SENSOR, lambda: Standing(attention=True)), _stream()))
    first = share_of("P-101") * 60
    assert _starts(heeded, "H")[:2] == pytest.approx([first, first + 60], abs=1e-3)
    assert np.diff(_starts(calm, "H")).tolist() == pytest.approx([120 + first], abs=1e-3)  # in step at last


@pytest.mark.parametrize(("rpm", "slow"), [(None, True), (300.0, True), (1_500.0, False)])
def test_a_slow_or_unknown_machine_has_an_l_block_with_each_h(rpm: float | None, slow: bool) -> None:
    plan = replace(PLAN, speed_rpm=None)
    cuts = list(_feed(Acquisition(plan, SENSOR, lambda: Standing(speed_rpm=rpm)), _stream()))
    assert (len(_starts(cuts, "L")) >= 3) is slow


def test_the_danger_block_comes_each_half_minute_and_keeps_its_waveform_from_the_second_over() -> None:
    limits, plan = {"2/x": 1e-6}, replace(PLAN, h_s=25.0)
    cuts = list(_feed(Acquisition(plan, SENSOR, lambda: Standing(limits=limits)), _stream()))
    danger = [cut for cut in cuts if cut.kind == "danger"]
    spans = [(cut.first_sample, cut.first_sample + cut.n_samples) for cut in cuts if cut.kind == "H"]
    held = [
        any(a <= cut.first_sample and cut.first_sample + cut.n_samples <= b for a, b in spans)
        for cut in danger
    ]
    assert any(held)
    assert not all(held[1:])
    starts = _starts(cuts, "danger")
    assert np.diff(starts).tolist() == pytest.approx([30.0] * (len(starts) - 1), abs=1e-3)
    assert [cut.samples is None for cut in danger] == [True, *held[1:]]
    calm = list(_feed(Acquisition(PLAN, SENSOR), _stream()))
    assert all(cut.samples is None for cut in calm if cut.kind == "danger")
    own = list(_feed(Acquisition(replace(PLAN, danger_mm_s=1e-6), SENSOR), _stream()))
    assert any(cut.samples is not None for cut in own if cut.kind == "danger")


@settings(max_examples=12, deadline=None)
@given(
    machine=st.text("ABCPF-0123456789", min_size=1, max_size=8),
    rpm=st.sampled_from([1_500.0, 300.0]),
    attention=st.booleans(),
    limits=st.sampled_from([{}, {"2/x": 1e-6}]),
)
def test_blocks_of_a_point_end_in_the_order_in_which_they_begin(
    machine: str, rpm: float, attention: bool, limits: dict[str, float]
) -> None:
    """The host drops from the present what is older than what it has heard of a point."""
    plan = replace(PLAN, h_every_s=120.0, l_every_s=280.0, l_s=16.0, speed_rpm=rpm)
    told = Standing(limits, attention)
    acquisition = Acquisition(plan, replace(SENSOR, machine=machine), lambda: told)
    cuts, block = [], _stream()[:, : round(10 * FS)]
    for at in range(0, 42 * block.shape[1], block.shape[1]):
        cuts += acquisition.feed(block, at)
    starts = [cut.first_sample for cut in cuts if cut.samples is not None]
    assert starts == sorted(starts)
    assert len(_starts(cuts, "L")) >= 2


def test_a_dead_channel_is_no_verdict_and_the_other_is() -> None:
    stream = _stream()[:, : round(62 * FS)].copy()
    stream[1] = 5
    danger = [c for c in _feed(Acquisition(PLAN, SENSOR), stream) if c.kind == "danger"]
    assert danger
    for cut in danger:
        assert cut.velocity_mm_s is not None
        assert cut.velocity_mm_s[0] > 0
        assert np.isnan(cut.velocity_mm_s[1])


@settings(max_examples=15, deadline=None)
@given(
    machine=st.text("ABCPF-0123456789", min_size=1, max_size=8),
    onset_s=st.floats(0.0, 60.0),
    size=st.integers(200, 20_000),
)
def test_the_second_reading_over_the_limit_is_there_61_s_after_the_onset(
    machine: str, onset_s: float, size: int
) -> None:
    t = np.arange(round((onset_s + 62) * FS)) / FS
    x = np.where(t < onset_s, 20, 3_000) * np.sin(2 * np.pi * 160 * t)
    x = np.stack([x, x]) + np.random.default_rng(0).normal(0, 5, (2, t.size))
    acquisition = Acquisition(PLAN, replace(SENSOR, machine=machine))
    cuts = _feed(acquisition, x.round().astype(np.int16), size)
    over = [
        (cut.first_sample + cut.n_samples) / FS
        for cut in cuts
        if cut.velocity_mm_s is not None and cut.velocity_mm_s[0] > 10.0
    ]
    assert len(over) >= 2
    assert over[1] - onset_s <= 61.001


def test_blocks_as_long_as_their_period_follow_without_a_pause() -> None:
    plan = replace(PLAN, h_every_s=20.0, h_s=20.0)
    starts = _starts(list(_feed(Acquisition(plan, SENSOR), _stream())), "H")
    assert np.diff(starts).tolist() == pytest.approx([20.0] * (len(starts) - 1), abs=1e-3)
