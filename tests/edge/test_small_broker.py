"""A broker that takes smaller messages than a frame may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import services
from tests.support.edge_agent import waveform
from tests.support.fake_host import FakeHost
from tests.support.services import Mosquitto
from tests.support.tapped_agent import Agent, complete
from tests.support.waiting import eventually


def test_a_frame_too_large_for_the_broker_waits_and_holds_up_no_other(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mosquitto.kill()
    with monkeypatch.context() as small:
        small.setattr(services, "MAX_FRAME_BYTES", 20_000 - 65_536)
        mosquitto.start()
    agent = Agent(tmp_path / "outbox", mosquitto.port)
    try:
        with FakeHost(mosquitto.port) as host:
            agent.tap.give(3)
            agent.tap.queue.put(waveform(3, n_samples=12_500))
            agent.tap.give(3, first=4)
            eventually(lambda: host.seqs_of("ab" * 8) == ((1, 3), (5, 7)), 30, "the small frames")
            eventually(lambda: agent.outbox.pending() == ((4, 4),), 30, "their acknowledgements")
            told = agent.service.report()
            assert "the broker's max_packet_size is too small: 1 frames wait" in told.problems
            assert agent.service.link.counters.connections == 1
            seqs = list(host.seqs)  # a report may join them at any moment
            assert seqs == list(range(len(seqs)))  # no gap in Sparkplug's seq
        mosquitto.kill()
        mosquitto.start()
        with FakeHost(mosquitto.port) as second:
            second.stored.update(host.stored)
            complete(agent, second, 7)
        eventually(lambda: not agent.service.problems(), 30, "no problem any more")
    finally:
        agent.service.stop()
