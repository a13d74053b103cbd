"""From the sensor to the alarm: a danger is raised within 90 s of its onset, by danger readings alone.

A sensor that never stops, the agent, a broker and the ingest, in plant time: twenty times the real one.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_agent.acquisition.acquisition import Acquisition
from edge_agent.acquisition.blocks import births_of, frames_of
from edge_agent.acquisition.plan import read_plan
from edge_agent.acquisition.sensor import Sensor
from edge_agent.outbox import open_outbox
from edge_agent.service import AgentService
from edge_agent.settings import AgentSettings, BrokerSettings, SourceSettings
from ingest.alarms import restore
from palier.alarms import Alarm, Level
from palier.clock import PlantClock
from palier.frames import Frame, Readings, Waveform
from palier.historian.folder import DataFolder
from palier.historian.records import RecordsReader
from palier.source import Device, HeedingSource, Standing
from tests.support.forked import Forked
from tests.support.services import Mosquitto, free_port
from tests.support.waiting import eventually

RATE = 20.0
FS, HZ = 4096.0, 160.0
START_NS = 1_790_000_000 * 10**9
NEVER_NS = 2 * START_NS
SENSOR = Sensor("pompe", "p1", ("h", "a"), FS, (1e-3, 1e-3), "g")

PLANT = """
[site]
id = "usine"
name = "Usine"
timezone = "Africa/Casablanca"
[[machine]]
id = "pompe"
name = "Pompe"
kind = "pump"
criticality = "A"
power_kw = 250.0
speed = { source = "fixed", rpm = 1500.0 }
limits = "iso10816-7:cat1:over200kw"
[[machine.point]]
id = "p1"
[[machine.point.channel]]
id = "h"
quantity = "acceleration"
unit = "g"
direction = "H"
fs_hz = 4096.0
samples = 16384
[[machine.point.channel]]
id = "a"
quantity = "acceleration"
unit = "g"
direction = "A"
fs_hz = 4096.0
samples = 16384
"""


class Endless:
    """A sensor of one tone, 1 mm/s RMS and from the onset on 14, cut by the plan. `shake` is the onset."""

    def __init__(self, clock: PlantClock) -> None:
        self.clock = clock
        self.plan = read_plan({"h_every_s": 86_400.0}, SENSOR, 1500.0)  # none of its own after the first two
        self.given: list[Frame] = []
        self.began_ns, self.onset_ns = 0, NEVER_NS
        self._told: Callable[[str], Standing] = lambda _machine: Standing()

    def devices(self) -> tuple[Device, ...]:
        return (Device("pompe", births_of(self.plan, SENSOR)),)

    def heed(self, told: Callable[[str], Standing]) -> None:
        self._told = told

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        acquisition = Acquisition(self.plan, SENSOR, lambda: self._told("pompe"))
        began_ns, done = self.clock.now_ns(), 0
        self.began_ns = began_ns
        while not stop.wait(0.01):
            n = int((self.clock.now_ns() - began_ns) / 1e9 * FS) - done
            onset_s = (self.onset_ns - began_ns) / 1e9
            for cut in acquisition.feed(_samples(done, n, onset_s), done):
                start_ns = began_ns + round(cut.first_sample / FS * 1e9)
                for frame in frames_of(cut, SENSOR, start_ns=start_ns, fs_hz=FS, speed_rpm=1500.0):
                    self.given.append(frame)
                    yield frame
            done += n

    def shake(self) -> None:
        """From half a minute on, and after the H blocks of the beginning."""
        self.onset_ns = max(self.clock.now_ns(), self.began_ns + 35 * 10**9) + 30 * 10**9

    def waveforms(self) -> list[Waveform]:
        return [frame for frame in self.given if isinstance(frame, Waveform)]


def _samples(first: int, n: int, onset_s: float) -> np.ndarray:
    t = (first + np.arange(n)) / FS
    mm_s = np.where(t < onset_s, 1.0, 14.0)
    g = mm_s * np.sqrt(2) * 2 * np.pi * HZ / 9806.65 * np.sin(2 * np.pi * HZ * t)
    noise = np.random.default_rng(first).normal(0, 5, (2, n))
    return np.asarray((g / 1e-3 + noise).round(), np.int16)


def _alarms(data: DataFolder) -> list[Alarm]:
    reader = RecordsReader(data.records)
    try:
        return [alarm for alarm in restore(reader.alarms())[0].known.values() if alarm.level]
    finally:
        reader.close()


@pytest.mark.long
def test_a_danger_is_raised_within_90_s_and_the_gateway_samples_more(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    wall_ns = time.time_ns()
    clock = PlantClock(START_NS, RATE, wall_ns)
    (tmp_path / "plant.toml").write_text(PLANT, "utf-8")
    (tmp_path / "ingest.toml").write_text(
        f'plant = "plant.toml"\ndata = "data"\nhealth_port = {free_port()}\n'
        f"[broker]\nport = {mosquitto.port}\n"
        f"[clock]\nstart_ns = {START_NS}\nwall_start_ns = {wall_ns}\nrate = {RATE}\n",
        "utf-8",
    )
    config, data = tmp_path / "ingest.toml", DataFolder(tmp_path / "data")
    code = f"from palier.cli import main\nmain(['ingest', '--config', {str(config)!r}])"
    ingest = Forked(code, {}, tmp_path / "ingest.log")
    source = Endless(clock)
    assert isinstance(source, HeedingSource)
    settings = AgentSettings(
        "usine", "p1", tmp_path, broker=BrokerSettings(port=mosquitto.port), sources=(SourceSettings("e"),)
    )
    outbox = open_outbox(tmp_path, "usine/p1", draw_epoch=lambda: "ab" * 8, cap_bytes=10**9)
    agent = AgentService(
        settings, outbox, [("e", source, lambda: source)], clock=clock, jitter=lambda: 0.5, serve_health=False
    )
    try:
        eventually(data.records.exists, 30, "the ingest")
        agent.start()
        eventually(lambda: agent.word.standing("pompe").limits == {"p1/h": 7.6}, 30, "the limits")
        source.shake()
        eventually(lambda: _alarms(data), 60, "the alarm")
        (alarm,) = _alarms(data)
        # By the time of the reading that raised it: how long the machine here is about that is in no plant.
        late_s = (alarm.raised_ns - source.onset_ns) / 1e9
        assert 0 < late_s <= 90, f"{late_s:.0f} s after the onset"
        assert (alarm.key.id, alarm.level) == ("pompe/p1/vibration", Level.DANGER)
        before = [frame for frame in source.waveforms() if frame.end_ns > source.onset_ns]
        assert all(frame.samples.shape[1] <= FS for frame in before)  # no H block spoke: the readings did
        eventually(lambda: agent.word.standing("pompe").attention, 30, "the host's attention")
        heeded_ns = clock.now_ns()
        eventually(lambda: len(_long(source)) >= 2, 60, "two H blocks more")
        first, second = (frame.start_ns for frame in _long(source)[:2])
        assert first - heeded_ns < 65e9
        assert second - first == pytest.approx(60e9, abs=1e9)
        (same,) = _alarms(data)
        assert (same.key, same.raises) == (alarm.key, 1)
        readings = [frame for frame in source.given if isinstance(frame, Readings)]
        assert np.diff([r.start_ns for r in readings]).tolist() == pytest.approx(
            [30e9] * (len(readings) - 1), abs=1e7
        )
    finally:
        agent.stop()
        ingest.send_signal(signal.SIGKILL)
        ingest.wait(timeout=60)


def _long(source: Endless) -> list[Waveform]:
    """The H blocks since the onset."""
    return [f for f in source.waveforms() if f.samples.shape[1] > FS and f.start_ns > source.onset_ns]
