"""From a table of agent.toml to blocks: MCC 172, audio and IIO, as the agent opens and plays them."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from edge_agent.acquisition.acquisition import Acquisition
from edge_agent.opening import SourceError, open_or_later, open_source
from edge_agent.sensors import audio_host
from edge_agent.sensors.continuous import ContinuousSource, source_of
from edge_agent.sensors.iio import IioDriver
from edge_agent.sensors.iio_options import IioOptions, read_options
from edge_agent.settings import SourceSettings
from palier.clock import PlantClock
from palier.frames import Frame, Waveform
from palier.source import Source
from tests.support.fake_daqhats import FakeDaqhats
from tests.support.fake_iio import FakeIio, scans
from tests.support.fake_sounddevice import FakeSounddevice, Interface

PLACE = {"machine": "P-101", "point": "2", "mounting": "stud", "speed_rpm": 6000}
PLAN = {"h_every_s": 0.25, "h_s": 0.25, "danger": False}
MCC = {"sensitivity_mv_per_g": [100.0, 98.0], "fs_hz": 25600, "iepe": False}
AUDIO = {"device": "485B39", "full_scale": [98.1], "unit": "m/s²"}


def first_block(source: Source) -> Waveform:
    stop = threading.Event()
    frames: Iterator[Frame] = source.frames(stop)
    (block,) = islice((frame for frame in frames if isinstance(frame, Waveform)), 1)
    stop.set()
    frames.close()  # type: ignore[attr-defined]
    return block


@pytest.fixture
def portaudio(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSounddevice]:
    module = FakeSounddevice(Interface("485B39: USB Audio (hw:1,0)"))
    monkeypatch.setitem(sys.modules, "sounddevice", module)  # type: ignore[arg-type]
    audio_host.shared.cache_clear()
    yield module
    audio_host.shared.cache_clear()


def test_mcc172_from_its_table_to_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "daqhats", FakeDaqhats())  # type: ignore[arg-type]
    source = open_source(SourceSettings("mcc172", {**PLACE, **MCC, "plan": PLAN}), PlantClock())
    (device,) = source.devices()
    assert [channel.name for channel in device.channels] == ["2/ch0", "2/ch1"]
    block = first_block(source)
    assert (block.unit, block.samples.shape) == (("g", "g"), (2, 6400))
    assert (np.diff(block.samples.astype(np.int64)) % 65536 == 1).all()  # no sample is missing in it
    assert block.fs_hz == pytest.approx(25600, rel=0.01)
    assert abs(block.end_ns - time.time_ns()) < 60e9  # it is the time of day


def test_each_channel_has_the_end_of_its_own_range() -> None:
    """Two accelerometers of 100 and 10 mV/g: 60 g of the second are no clipping."""
    table = {**PLACE, **MCC, "sensitivity_mv_per_g": [100.0, 10.0], "gain": [1.0, 0.9]}
    source = open_source(SourceSettings("mcc172", table), PlantClock())
    assert isinstance(source, ContinuousSource)
    (device,) = source.devices()
    ranges = [channel.full_scale for channel in device.channels if channel.fs_hz]
    assert ranges == pytest.approx([50.0, 450.0])
    sensor = source.place.sensor
    g = 60 * np.sin(2 * np.pi * 160 * np.arange(2 * 25600) / 25600)
    counts = np.stack([g / 10 / sensor.scale[0], g / sensor.scale[1]]).astype(np.int32)
    (danger, *_) = Acquisition(source.place.plan, sensor).feed(counts, 0)
    assert danger.velocity_mm_s is not None
    assert danger.velocity_mm_s[1] > 400


def test_audio_from_its_table_to_a_block(portaudio: FakeSounddevice) -> None:
    source = open_source(SourceSettings("audio", {**PLACE, **AUDIO, "plan": PLAN}), PlantClock())
    block = first_block(source)
    assert (block.channels, block.unit, block.samples.shape) == (("in1",), ("m/s²",), (1, 12000))
    assert (np.diff(block.samples) == 256).all()
    assert portaudio.plugged[0].users == []  # given back


def test_iio_from_its_table_to_a_block(tmp_path: Path) -> None:
    fake = FakeIio(tmp_path)
    table = {**PLACE, "device": "iis3dwb", "fs_hz": 1666, "channels": ["h", "v", "a"], "plan": PLAN}
    driver = IioDriver(read_options(table), sysfs=fake.sysfs, dev=fake.dev)
    source: ContinuousSource = source_of(driver, table, PlantClock(), IioOptions.__slots__, driver.axes)
    counts = (np.arange(2000)[:, None] * np.array([1, 2, 3])).astype(np.int16)
    stamps = time.monotonic_ns() - (np.arange(2000)[::-1] * 1e9 / 1666).astype(np.int64)

    def feed() -> None:
        while fake.says("buffer/enable") != "1":
            time.sleep(0.005)
        fake.feed(scans(counts, stamps))

    feeder = threading.Thread(target=feed)
    feeder.start()
    block = first_block(source)
    feeder.join()
    fake.unplug()
    assert (block.channels, block.unit[0], block.samples.dtype) == (("h", "v", "a"), "m/s²", np.int16)
    assert (np.diff(block.samples[0]) == 1).all()
    assert (block.samples[2] == 3 * block.samples[0].astype(np.int64)).all()


@pytest.mark.parametrize(
    ("kind", "table", "sentence"),
    [
        ("mcc172", {**PLACE, **MCC, "fs_hz": 48000}, "fs_hz must be 51200 divided by"),
        ("mcc172", {**PLACE, **MCC, "chanels": ["a"]}, "unknown key 'chanels'.*channels"),
        ("audio", {**PLACE, **AUDIO, "unit": "V"}, "unit must be that of full_scale"),
        ("audio", {**AUDIO}, "machine must be given"),
        ("iio", {**PLACE, "device": "x"}, "fs_hz must be a number above 0"),
    ],
)
def test_a_mistake_in_the_table_ends_the_agent_at_start(
    kind: str, table: dict[str, object], sentence: str
) -> None:
    with pytest.raises(SourceError, match=sentence):
        open_source(SourceSettings(kind, table), PlantClock())


def test_an_iio_device_that_is_not_there_is_tried_again() -> None:
    options = {**PLACE, "device": "no-such-device-anywhere", "fs_hz": 1000}
    assert open_or_later(SourceSettings("iio", options), PlantClock()) is None
