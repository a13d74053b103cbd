"""Many gateways at once, each with more than its share: what is on the wire beyond what is stored.

One gateway never shows an overload: its window bounds it. With many, only the credit in the acknowledgements
keeps what they send together within what the host can commit.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from edge_agent.outbox import open_outbox
from edge_agent.service import AgentService
from edge_agent.settings import AgentSettings, BrokerSettings, SourceSettings
from palier.clock import PlantClock
from palier.frames import Frame
from palier.source import ChannelBirth, Device
from tests.host.conftest import Ingest
from tests.support.gateway import waveform
from tests.support.services import Mosquitto
from tests.support.waiting import eventually

EDGES = 6
COMMIT_S = 0.6
"""Each commit is made to last so long: with 50 frames in one, as at the start, 83 frames a second are the
most; with 200, the most there can be once the credit has grown, 333."""

RATE_HZ = 400 / EDGES  # more than both
SECONDS = 3.0


class Sensor:
    """A source that yields its frames at their rate, whatever becomes of them."""

    def __init__(self, number: int) -> None:
        self.machine = f"m{number}"
        self.frames_total = round(RATE_HZ * SECONDS)

    def devices(self) -> tuple[Device, ...]:
        return (Device(self.machine, (ChannelBirth("p1/h", "m/s²", "int16", 0.001, 4096.0),)),)

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        began = time.monotonic()
        for n in range(self.frames_total):
            if stop.wait(max(0.0, began + n / RATE_HZ - time.monotonic())):
                return
            yield waveform(time.time_ns(), machine=self.machine, n=64)


def agent(folder: Path, port: int, number: int) -> AgentService:
    """A whole agent in this process, not started yet."""
    node, sensor = f"g{number}", Sensor(number)
    settings = AgentSettings(
        "usine", node, folder / node, broker=BrokerSettings(port=port), sources=(SourceSettings("sensor"),)
    )
    outbox = open_outbox(folder / node, settings.edge, draw_epoch=lambda: "ab" * 8, cap_bytes=10**9)
    return AgentService(
        settings,
        outbox,
        [("sensor", sensor, lambda: sensor)],
        clock=PlantClock(),
        jitter=random.Random(number).random,
        serve_health=False,
    )


def behind(agents: list[AgentService]) -> int:
    """Frames that the gateways still keep for the host."""
    return sum(one.outbox.totals().pending for one in agents)


def test_above_the_commit_rate_hardly_a_frame_is_sent_in_vain(
    mosquitto: Mosquitto, ingest: Ingest, tmp_path: Path
) -> None:
    ingest.environment["PALIER_FAILPOINT"] = f"before_records:sleep={COMMIT_S}"
    ingest.start()
    ingest.wait_ready()
    with ExitStack() as stack:
        agents = [agent(tmp_path, mosquitto.port, number) for number in range(EDGES)]
        for one in agents:
            one.start()
            stack.callback(one.stop)
        useful = EDGES * round(RATE_HZ * SECONDS)
        eventually(lambda: all(one.sampled_all for one in agents), 15, "the end of the sampling")
        assert behind(agents) > useful / 4, "there was no overload"
        eventually(lambda: behind(agents) == 0, 30, "empty outboxes")
        wire = sum(one.link.counters.sent.total() for one in agents)

        assert ingest.metric("palier_ingest_stored_total") == useful
        assert wire / useful <= 1.1
        assert ingest.metric("palier_ingest_refused_total") == 0
