"""Whole agents in the test's own process, each with a sensor of its own: many gateways at little cost."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from edge_agent.outbox import open_outbox
from edge_agent.service import AgentService
from edge_agent.settings import AgentSettings, BrokerSettings, SourceSettings
from palier.clock import PlantClock
from palier.frames import Frame
from palier.source import ChannelBirth, Device
from tests.support.gateway import waveform

EPOCH: Final = "ab" * 8


class Sensor:
    """A source that yields its frames at their rate, whatever becomes of them."""

    def __init__(self, number: int, rate_hz: float, seconds: float, samples: int = 64) -> None:
        self.machine = f"m{number}"
        self.frames_total = round(rate_hz * seconds)
        self.acquired_s: list[float] = []  # of seq 1, 2, ...: monotonic seconds
        self._rate_hz = rate_hz
        self._samples = samples

    def devices(self) -> tuple[Device, ...]:
        return (Device(self.machine, (ChannelBirth("p1/h", "m/s²", "int16", 0.001, 4096.0),)),)

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        began = time.monotonic()
        for n in range(self.frames_total):
            if stop.wait(max(0.0, began + n / self._rate_hz - time.monotonic())):
                return
            self.acquired_s.append(time.monotonic())
            yield waveform(time.time_ns(), machine=self.machine, n=self._samples)


class SensorAgent(AgentService):
    """A whole agent in this process, not started yet. `acked_s` is when each seq was acknowledged."""

    def __init__(self, folder: Path, port: int, number: int, sensor: Sensor) -> None:
        node = f"g{number}"
        settings = AgentSettings(
            "usine",
            node,
            folder / node,
            broker=BrokerSettings(port=port),
            sources=(SourceSettings("sensor"),),
        )
        outbox = open_outbox(folder / node, settings.edge, draw_epoch=lambda: EPOCH, cap_bytes=10**9)
        super().__init__(
            settings,
            outbox,
            [("sensor", sensor, lambda: sensor)],
            clock=PlantClock(),
            jitter=random.Random(number).random,
            serve_health=False,
        )
        self.sensor = sensor
        self.acked_s: dict[int, float] = {}
        self._acknowledge = outbox.acknowledge
        outbox.acknowledge = self._noted  # type: ignore[method-assign]

    def _noted(self, stored: Iterable[tuple[int, int]], epoch: str | None = None) -> int:
        told = tuple(stored)
        now_s = time.monotonic()
        for lo, hi in told:
            for seq in range(lo, hi + 1):
                self.acked_s.setdefault(seq, now_s)
        return self._acknowledge(told, epoch)

    @property
    def behind(self) -> int:
        """Frames that this gateway still keeps for the host."""
        return self.outbox.totals().pending

    def ages_s(self, until_s: float) -> list[float]:
        """How old each frame was that was acknowledged until then, when that was heard."""
        return [at - self.sensor.acquired_s[seq - 1] for seq, at in self.acked_s.items() if at <= until_s]
