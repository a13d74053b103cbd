"""The source `simulated` as an agent sees it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from models.types import ChannelSpec, MachineSpec, PointSpec, Quantity
from palier.clock import PlantClock
from palier.frames import MAX_FRAME_BYTES, Frame, Readings, Waveform
from palier.plant import load_sample_plant, sample_plant_path
from palier.source import OpenSource, Source
from simulators.source import open_source
from simulators.tasks import Options, stagger, tasks_of
from tests.support.waited_clock import START_NS, WaitedClock


def frames_of(clock: WaitedClock, **options: object) -> Iterator[Frame]:
    source = open_source({"interval_s": 20.0, "block_s": 0.1, **options}, clock)
    return iter(source.frames(clock.waits))


def take(count: int, **options: object) -> list[Frame]:
    return list(islice(frames_of(WaitedClock(), **options), count))


def test_it_ends_when_its_time_is_over() -> None:
    ends = [frame.end_ns for frame in frames_of(WaitedClock(), seconds=60)]
    assert 40e9 < max(ends) - min(ends) <= 61e9


def test_it_is_a_source() -> None:
    opener: OpenSource = open_source
    source: Source = opener({}, PlantClock())
    assert {device.machine for device in source.devices()} == {"P-101", "C-201", "V-301", "L-401", "B-501"}


def test_frames_are_what_the_birth_announced() -> None:
    clock = WaitedClock()
    source = open_source({"interval_s": 20.0, "block_s": 0.1}, clock)
    born = {(d.machine, c.name): c for d in source.devices() for c in d.channels}
    for frame in islice(source.frames(clock.waits), 20):
        names = (
            frame.channels if isinstance(frame, Readings) else [f"{frame.point}/{c}" for c in frame.channels]
        )
        for name, unit in zip(names, frame.unit, strict=True):
            assert born[frame.machine, name].unit == unit
        if isinstance(frame, Waveform):
            assert frame.samples.dtype == np.dtype(born[frame.machine, names[0]].dtype)
            assert frame.fs_hz == born[frame.machine, names[0]].fs_hz
            assert frame.scale == (born[frame.machine, names[0]].scale,)


def test_every_point_and_every_machine_comes_within_one_interval() -> None:
    frames = take(15)
    waveforms = {(f.machine, f.point) for f in frames if isinstance(f, Waveform)}
    readings = [f.machine for f in frames if isinstance(f, Readings)]
    assert len(waveforms) == 10
    assert sorted(readings) == ["B-501", "C-201", "L-401", "P-101", "V-301"]


def test_frames_come_in_order_of_their_end() -> None:
    ends = [frame.end_ns for frame in take(40)]
    assert ends == sorted(ends)


def test_readings_come_at_once_and_then_at_most_once_a_minute() -> None:
    frames = [f for f in take(30, machine="P-101", interval_s=5.0) if isinstance(f, Readings)]
    assert len(frames) >= 2
    assert frames[0].start_ns - START_NS < 1e9
    assert np.all(np.diff([f.start_ns for f in frames]) >= 59.9e9)


def test_a_speed_that_is_read_comes_right_before_each_block() -> None:
    frames = take(12, machine="V-301", interval_s=1200.0)
    for before, frame in pairwise(frames):
        if isinstance(frame, Waveform):
            assert isinstance(before, Readings)
            assert abs(before.end_ns - frame.end_ns) < 1e6


def test_a_block_ends_when_it_is_given_and_never_before_its_length_has_passed() -> None:
    clock = PlantClock(start_ns=START_NS, rate=50.0, wall_start_ns=time.time_ns())
    source = open_source({"machine": "P-101", "interval_s": 20.0, "block_s": 2.0}, clock)
    for frame in islice(source.frames(threading.Event()), 6):
        assert frame.end_ns <= clock.now_ns()
        assert frame.start_ns >= START_NS


def test_a_gateway_that_was_held_up_does_not_catch_up() -> None:
    clock = WaitedClock()
    frames = frames_of(clock, machine="B-501")
    first = next(f for f in frames if isinstance(f, Waveform))
    clock.waits.now_ns += 200 * 10**9
    resumed_ns = clock.now_ns()
    late = next(f for f in frames if isinstance(f, Waveform))
    assert late.end_ns > resumed_ns - 21e9  # an interval
    assert late.end_ns > first.end_ns + 20e9


def test_the_speed_travels_where_the_plant_says_that_the_gateway_sends_it() -> None:
    for frame in take(15):
        if isinstance(frame, Waveform):
            spec = load_sample_plant().machine(frame.machine)
            assert spec is not None
            assert (frame.speed_rpm is not None) == (spec.speed_source == "frame")


def test_slow_values_are_plausible() -> None:
    fan = next(f for f in take(5, machine="V-301") if isinstance(f, Readings))
    values = dict(zip(fan.channels, fan.values[:, 0], strict=True))
    assert values["1/N"] == pytest.approx(990, rel=0.02)
    assert 30 < values["1/T"] < 80


def test_what_streams_is_what_the_plant_is_at_that_time() -> None:
    clock = WaitedClock()
    source = open_source(
        {"interval_s": 20.0, "block_s": 0.1, "seed": 7, "scenario": "demo", "origin_s": 1.7e9}, clock
    )
    plant = source.plant(1.7e9)
    tasks = {(t.machine, t.point and t.point.id): t for t in plant.tasks(source.options)}
    for frame in islice(source.frames(clock.waits), 12):
        if isinstance(frame, Waveform):
            task = tasks[frame.machine, frame.point]
            # A frame tells the end of its block to a fraction of a microsecond, which is what draws go by.
            ends = (frame.start_ns / 1e9 + task.seconds + off for off in (-1e-6, 0.0, 1e-6))
            again = [plant.frame_at(task, end_s) for end_s in ends]
            assert any(
                isinstance(one, Waveform) and np.array_equal(one.samples, frame.samples) for one in again
            )


def test_the_truth_is_written_beside_the_stream(tmp_path: Path) -> None:
    file = tmp_path / "truth.jsonl"
    origin_s = 1.7e9 - 60 * 3600
    frames = take(4, machine="P-101", scenario="demo", origin_s=origin_s, truth_file=str(file))
    truths = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert len(truths) == len(frames)
    assert truths[0]["machine"] == "P-101"
    assert truths[0]["faults"][0]["kind"] == "outer_ring"
    assert truths[0]["faults"][0]["severity"] > 0.3


def test_lost_frames_are_not_sent_and_their_truth_is_told(tmp_path: Path) -> None:
    scenario = tmp_path / "cut.toml"
    scenario.write_text('[[impairment]]\nmachine="P-101"\nkind="power_cut"\npoint="1"\n', "utf-8")
    frames = take(6, machine="P-101", scenario_file=str(scenario))
    assert {f.point for f in frames if isinstance(f, Waveform)} == {"2"}


def test_it_stops_at_once() -> None:
    stop = threading.Event()
    source = open_source({"machine": "P-101"}, PlantClock())
    got: list[Frame] = []
    thread = threading.Thread(target=lambda: got.extend(source.frames(stop)))
    thread.start()
    stop.set()
    thread.join(30)
    assert not thread.is_alive()


def test_the_plant_of_a_file() -> None:
    source = open_source({"plant_file": str(sample_plant_path()), "machines": ["B-501"]}, PlantClock())
    assert [d.machine for d in source.devices()] == ["B-501"]


def test_blocks_are_spread_over_the_interval() -> None:
    tasks = [
        t for m in load_sample_plant().machines for t in tasks_of(m, Options(interval_s=5.0, block_s=1.0))
    ]
    first = [wait for wait, task in zip(stagger(tasks, 5.0), tasks, strict=True) if task.point is not None]
    assert np.diff(first) == pytest.approx(0.5)


def test_without_options_a_block_is_as_long_as_the_plant_says() -> None:
    spec = load_sample_plant().machine("P-101")
    assert spec is not None
    assert [t.n for t in tasks_of(spec, Options()) if t.point is not None] == [102_400, 102_400]


def channel(name: str, fs_hz: float) -> ChannelSpec:
    return ChannelSpec(name, Quantity.ACCELERATION, "m/s²", "H", fs_hz, 1000)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"machine": "Z-9"}, "no machine 'Z-9'.*P-101"),
        ({"interval": 3}, "has the keys .*interval_s.*got interval"),
        ({"interval_s": 0}, "interval_s must be a number from 0.1"),
        ({"interval_s": 1.0}, "interval_s must be at least the block's 4 s"),
        ({"block_s": "long"}, "block_s must be a number"),
        ({"block_s": 100.0, "interval_s": 200.0}, f"fit {MAX_FRAME_BYTES} bytes"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"seed": True}, "seed must be a whole number"),
        ({"machines": 3}, "machines must be a list"),
        ({"plant_file": 3}, "plant_file must be text"),
        ({"scenario": "flood"}, "scenario must be one of healthy, demo"),
        ({"time_scale": 0}, "time_scale must be a number from 1e-06"),
        ({"origin_s": "now"}, "origin_s must be a number"),
        ({"truth_file": 3}, "truth_file must be text"),
        ({"truth_file": "/nowhere/truth.jsonl"}, "truth_file must be a file in a folder that is there"),
        ({"truth_file": "/"}, "truth_file must be a file in"),
        ({"scenario_file": "/nowhere.toml"}, "can't be read"),
    ],
)
def test_options_that_can_not_be(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        open_source(options, PlantClock())


def test_channels_of_a_point_must_share_their_rate() -> None:
    point = PointSpec("1", (channel("H", 25600), channel("V", 12800)))
    with pytest.raises(ValueError, match="one fs_hz"):
        tasks_of(MachineSpec("X", (point,)), Options())


def test_a_plant_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"plant\.toml"):
        open_source({"plant_file": str(tmp_path / "plant.toml")}, PlantClock())
