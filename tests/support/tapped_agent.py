"""An agent in the test's process, whose source yields what the test gives it."""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Iterator
from pathlib import Path

from edge_agent.events import Cause
from edge_agent.outbox import Outbox, open_outbox
from edge_agent.service import AgentService
from edge_agent.settings import AgentSettings, BrokerSettings, SourceSettings
from edge_agent.transmit_settings import TransmitSettings
from edge_agent.window import Phase
from palier import ranges
from palier.clock import PlantClock
from palier.frames import Frame
from palier.source import ChannelBirth, Device
from tests.support.edge_agent import waveform
from tests.support.fake_host import FakeHost
from tests.support.waiting import eventually


class Tap:
    """A source that yields what a test gives it."""

    def __init__(self) -> None:
        self.queue: queue.SimpleQueue[Frame] = queue.SimpleQueue()

    def devices(self) -> tuple[Device, ...]:
        return (Device("P-101", (ChannelBirth("1/DE", "m/s²", "int16", 0.001, 1000.0),)),)

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        while not stop.is_set():
            try:
                yield self.queue.get(timeout=0.05)
            except queue.Empty:
                continue

    def give(self, count: int, first: int = 0) -> None:
        for number in range(first, first + count):
            self.queue.put(waveform(number))


class Agent:
    """An agent in this process."""

    def __init__(
        self,
        folder: Path,
        port: int,
        transmit: TransmitSettings = TransmitSettings(),  # noqa: B008 - frozen
    ) -> None:
        self.tap = Tap()
        settings = AgentSettings(
            "usine",
            "p1",
            folder,
            broker=BrokerSettings(port=port),
            sources=(SourceSettings("tap"),),
            transmit=transmit,
        )
        self.outbox: Outbox = open_outbox(folder, "usine/p1", draw_epoch=lambda: "ab" * 8, cap_bytes=10**9)
        self.service = AgentService(
            settings,
            self.outbox,
            [("tap", self.tap, lambda: self.tap)],
            clock=PlantClock(),
            jitter=random.Random(1).random,
            serve_health=False,
        )
        self.service.start()

    @property
    def phase(self) -> Phase:
        return self.service.link.state.phase

    @property
    def sent(self) -> dict[Cause, int]:
        return dict(self.service.link.counters.sent)


def complete(agent: Agent, host: FakeHost, count: int) -> None:
    """Every frame once in the store, and the outbox knows it."""
    everything = ranges.merge([(1, count)])
    eventually(lambda: host.seqs_of("ab" * 8) == everything, 60, f"{count} frames at the host")
    eventually(lambda: agent.outbox.pending() == (), 30, "an empty outbox")
    assert not host.errors
