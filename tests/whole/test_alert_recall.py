"""A gateway in mode adaptive and the host: every waveform from an hour before to an hour after the first
alert arrives, once, beside the one of the day; the alert itself is raised by features alone.

An agent, a broker and the ingest, in plant time: six hundred times the real one. The agent is stopped and
started again, and the ingest killed, between the alert and the end of the hour after it.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_agent.modes import Mode
from edge_agent.outbox import open_outbox
from edge_agent.service import AgentService
from edge_agent.settings import AgentSettings, BrokerSettings, SourceSettings
from edge_agent.transmit_settings import TransmitSettings
from ingest.alarms import restore
from palier.alarms import Alarm
from palier.clock import PlantClock
from palier.frames import Frame, Waveform
from palier.historian.base import Unavailable
from palier.historian.folder import DataFolder
from palier.historian.records import RecordsReader
from palier.source import ChannelBirth, Device
from tests.support.forked import Forked
from tests.support.services import Mosquitto, free_port
from tests.support.waiting import eventually

RATE = 600.0
FS, N, HZ = 4096.0, 4096, 160.0
EVERY_S = 60.0
SECOND = 10**9
HOUR = 3600 * SECOND
START_NS = 1_789_953_000 * SECOND  # 01:10 UTC: two minutes of the test until the day ends, and it needs half
ONSET = 75  # the block from which on it shakes

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
samples = 4096
"""


class Pump:
    """A block each minute of plant time: 1 mm/s RMS, from the onset on 14. It goes on where another ended."""

    def __init__(self, clock: PlantClock, given: list[Waveform]) -> None:
        self.clock = clock
        self.given = given

    def devices(self) -> tuple[Device, ...]:
        return (Device("pompe", (ChannelBirth("p1/h", "g", "int16", 1e-3, FS),)),)

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        while True:
            number = len(self.given)
            start_ns = START_NS + round(number * EVERY_S * SECOND)
            end_ns = start_ns + round(N / FS * SECOND)
            if stop.wait(max(0.0, self.clock.real_seconds((end_ns - self.clock.now_ns()) / 1e9))):
                return
            self.given.append(_block(number, start_ns))
            yield self.given[-1]


def _block(number: int, start_ns: int) -> Waveform:
    mm_s = 14.0 if number >= ONSET else 1.0
    t = np.arange(N) / FS
    g = mm_s * np.sqrt(2) * 2 * np.pi * HZ / 9806.65 * np.sin(2 * np.pi * HZ * t)
    noise = np.random.default_rng(number).normal(0, 5, (1, N))
    samples = np.asarray((g / 1e-3 + noise).round(), "<i2")
    return Waveform("pompe", "p1", ("h",), samples, (1e-3,), ("g",), FS, start_ns, speed_rpm=1500.0)


class Parts:
    """The agent and the ingest, to be started again."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        wall_ns = time.time_ns()
        self.clock = PlantClock(START_NS, RATE, wall_ns)
        self.given: list[Waveform] = []
        (folder / "plant.toml").write_text(PLANT, "utf-8")
        (folder / "ingest.toml").write_text(
            f'plant = "plant.toml"\ndata = "data"\nhealth_port = {free_port()}\n'
            f"[broker]\nport = {port}\n"
            f"[clock]\nstart_ns = {START_NS}\nwall_start_ns = {wall_ns}\nrate = {RATE}\n",
            "utf-8",
        )
        self.data = DataFolder(folder / "data")
        self.start_ingest()
        eventually(self.data.records.exists, 30, "the ingest")
        self.start_agent()

    def start_ingest(self) -> None:
        code = (
            f"from palier.cli import main\nmain(['ingest', '--config', {str(self.folder / 'ingest.toml')!r}])"
        )
        self.ingest = Forked(code, {}, self.folder / "ingest.log")

    def kill_ingest(self) -> None:
        self.ingest.send_signal(signal.SIGKILL)
        self.ingest.wait(timeout=60)

    def start_agent(self) -> None:
        settings = AgentSettings(
            "usine",
            "p1",
            self.folder,
            broker=BrokerSettings(port=self.port),
            sources=(SourceSettings("pump"),),
            transmit=TransmitSettings(Mode.ADAPTIVE),
        )
        outbox = open_outbox(self.folder, "usine/p1", draw_epoch=lambda: "ab" * 8, cap_bytes=10**9)
        source = Pump(self.clock, self.given)
        self.agent = AgentService(
            settings,
            outbox,
            [("pump", source, lambda: source)],
            clock=self.clock,
            jitter=lambda: 0.5,
            serve_health=False,
        )
        self.agent.start()

    def alarms(self) -> list[Alarm]:
        try:
            reader = RecordsReader(self.data.records)
        except Unavailable:  # still empty
            return []
        try:
            return [alarm for alarm in restore(reader.alarms())[0].known.values() if alarm.level]
        finally:
            reader.close()

    def kept(self) -> list[int]:
        """The numbers of the blocks whose waveforms the host has."""
        reader = RecordsReader(self.data.records)
        try:
            rows = reader.waveforms("usine", "pompe", "p1")
        finally:
            reader.close()
        return sorted(round((row.start_ns - START_NS) / SECOND / EVERY_S) for row in rows)


@pytest.mark.long
def test_every_waveform_around_the_first_alert_arrives_across_restarts_of_both(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    parts = Parts(tmp_path, mosquitto.port)
    try:
        eventually(parts.alarms, 60, "the alarm, of features")
        since_ns = min(alarm.since_ns for alarm in parts.alarms())
        around = [n for n in range(10**4) if since_ns - HOUR <= _end_ns(n) <= since_ns + HOUR]
        before = [n for n in around if _end_ns(n) <= since_ns]
        assert len(before) == 60
        eventually(lambda: {*before} <= {*parts.kept()}, 60, "the hour before")
        parts.agent.stop()
        parts.start_agent()
        parts.kill_ingest()
        parts.start_ingest()
        eventually(lambda: {*around} <= {*parts.kept()}, 60, "the hour after")
        eventually(lambda: len(parts.given) > max(around) + 15, 60, "what is no longer wished for")
        kept = parts.kept()
        assert len(kept) == len(set(kept))
        after = [n for n in kept if n > max(around)]
        assert len(after) <= 1 + (len(parts.given) - max(around)) / 10  # one in ten minutes of the alarm
        assert [n for n in kept if n < min(around)] == [0]  # the day's own
        assert not parts.agent.outbox.report().dropped
    finally:
        parts.agent.stop()
        parts.kill_ingest()


def _end_ns(number: int) -> int:
    return START_NS + round(number * EVERY_S * SECOND) + round(N / FS * SECOND)
