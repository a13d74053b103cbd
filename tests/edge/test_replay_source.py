"""The replay source: what it announces, how it cuts, and when it yields."""

from __future__ import annotations

import itertools
import logging
import threading
from pathlib import Path

import numpy as np
import pytest

from edge_agent.sources.replay import machine_names, open_source
from palier.clock import PlantClock
from palier.frames import MAX_FRAME_BYTES, Waveform
from palier.wire.messages import wire_bytes


class Clock(PlantClock):
    """A plant clock that goes on by a millisecond each time it is read."""

    def now_ns(self) -> int:
        return next(_TIMES)


_TIMES = itertools.count(1_700_000_000_000_000_000, 1_000_000)


def recording(folder: Path, n: int = 1000) -> Path:
    ramp = (np.arange(n) % 1000).astype("<i2")
    path = folder / "r.npz"
    arrays = {"a b|DE": ramp, "a b|FE": ramp, "z": ramp}
    scales = {"a b|DE__scale": np.array(0.5), "a b|FE__scale": np.array(0.25)}
    np.savez(path, allow_pickle=False, **arrays, **scales)
    return path


def play(table: dict[str, object]) -> list[Waveform]:
    frames = list(open_source({"fs_hz": 1000, "rate": "max", **table}, Clock()).frames(threading.Event()))
    assert all(isinstance(frame, Waveform) for frame in frames)
    return [frame for frame in frames if isinstance(frame, Waveform)]


def test_a_frame_for_each_record_with_its_channels(tmp_path: Path) -> None:
    first, second = play({"file": str(recording(tmp_path)), "unit": "g", "rpm": 1485})
    assert (first.machine, first.point, first.channels) == ("a_b", "1", ("DE", "FE"))
    assert (first.unit, first.scale, first.speed_rpm, first.fs_hz) == (("g", "g"), (0.5, 0.25), 1485, 1000)
    assert first.samples.shape == (2, 1000)
    assert (second.machine, second.samples.shape) == ("z", (1, 1000))


def test_devices_are_what_the_frames_will_be(tmp_path: Path) -> None:
    source = open_source({"file": str(recording(tmp_path)), "fs_hz": 1000, "rate": 0}, Clock())
    devices = {device.machine: device for device in source.devices()}
    assert [channel.name for channel in devices["a_b"].channels] == ["1/DE", "1/FE"]
    (channel,) = devices["z"].channels
    assert (channel.unit, channel.dtype, channel.fs_hz) == ("unknown", "int16", 1000)


def test_one_machine_for_all_records(tmp_path: Path) -> None:
    table: dict[str, object] = {"file": str(recording(tmp_path)), "machine": "P-101", "point": "2"}
    assert {(f.machine, f.point) for f in play(table)} == {("P-101", "2")}
    (device,) = open_source({**table, "fs_hz": 1000}, Clock()).devices()
    assert {channel.name for channel in device.channels} >= {"2/DE", "2/FE"}


def test_blocks_are_equal_and_follow_one_another(tmp_path: Path) -> None:
    frames = [f for f in play({"file": str(recording(tmp_path)), "block_samples": 300}) if f.machine == "z"]
    assert [f.samples.shape for f in frames] == [(1, 250)] * 4
    np.testing.assert_array_equal(np.concatenate([f.samples[0] for f in frames]), np.arange(1000))
    assert all(a.end_ns < b.end_ns for a, b in itertools.pairwise(frames))


def test_a_long_record_is_cut_so_that_each_block_fits_a_message(tmp_path: Path) -> None:
    np.savez(tmp_path / "long.npz", r=np.zeros(3_000_000, "<f4"))
    frames = play({"file": str(tmp_path / "long.npz")})
    assert len(frames) == 3
    assert all(wire_bytes(frame) <= MAX_FRAME_BYTES for frame in frames)


def test_at_real_time_blocks_touch_and_end_when_they_are_yielded(tmp_path: Path) -> None:
    clock = PlantClock(start_ns=10**18, rate=200.0)
    table = {"file": str(recording(tmp_path)), "fs_hz": 1000, "block_samples": 250, "rate": 1.0}
    frames = []
    for frame in open_source(table, clock).frames(threading.Event()):
        assert isinstance(frame, Waveform)
        assert frame.end_ns <= clock.now_ns()
        frames.append(frame)
    assert len(frames) == 8
    assert all(a.end_ns == b.start_ns for a, b in itertools.pairwise(frames))


def test_it_ends_soon_after_stop(tmp_path: Path) -> None:
    stop = threading.Event()
    table = {"file": str(recording(tmp_path)), "fs_hz": 1000, "rate": 0.001}
    threading.Timer(0.05, stop.set).start()
    assert list(open_source(table, PlantClock()).frames(stop)) == []


def test_repeat_begins_again(tmp_path: Path) -> None:
    table = {"file": str(recording(tmp_path)), "fs_hz": 1000, "rate": "max", "repeat": True}
    frames = open_source(table, Clock()).frames(threading.Event())
    assert [frame.machine for frame in itertools.islice(frames, 5)] == ["a_b", "z", "a_b", "z", "a_b"]


def test_names_are_made_safe_and_stay_different() -> None:
    name = machine_names()
    assert [name(text) for text in ("a b", "a/b", "été", "", "x" * 90)] == [
        "a_b",
        "a_b-2",
        "t",
        "unnamed",
        "x" * 56,
    ]


def test_a_record_that_cannot_be_read_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "i.csv").write_text("file,fs\na b,1000\nz,\n")
    table: dict[str, object] = {"file": str(recording(tmp_path)), "index_file": str(tmp_path / "i.csv")}
    with caplog.at_level(logging.ERROR):
        frames = list(open_source({**table, "rate": 0}, Clock()).frames(threading.Event()))
    assert [frame.machine for frame in frames] == ["a_b"]
    assert "z" in caplog.text


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({}, "file is missing"),
        ({"file": "x.npz", "fps": 3}, "unknown key 'fps'"),
        ({"file": "x.npz", "rate": -1}, "rate must be a number of at least 0"),
        ({"file": "x.npz", "rate": "fast"}, "rate must be"),
        ({"file": "x.npz", "fs_hz": "fast"}, "fs_hz must be a number above 0"),
        ({"file": "x.npz", "block_samples": 1.5}, "block_samples must be a whole number"),
        ({"file": "x.npz", "repeat": 1}, "repeat must be true or false"),
        ({"file": "x.npz", "machine": ""}, "machine must be text"),
        ({"file": "absent.npz"}, r"absent\.npz"),
    ],
)
def test_a_mistake_in_the_table_is_a_sentence(table: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        open_source(table, PlantClock())
