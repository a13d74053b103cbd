"""The agent on a link that breaks: nothing is lost, nothing is stored twice, and what is new comes first."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.events import Cause
from edge_agent.window import MAX_FRAMES_IN_FLIGHT, Phase
from palier import ranges
from tests.support.broken_link import BrokenLink
from tests.support.edge_agent import waveform
from tests.support.fake_host import FakeHost
from tests.support.services import Mosquitto
from tests.support.tapped_agent import Agent, complete
from tests.support.waiting import eventually

EPOCH = "ab" * 8


@pytest.fixture
def link(mosquitto: Mosquitto) -> Iterator[BrokenLink]:
    with BrokenLink(mosquitto.port) as made:
        yield made


@pytest.fixture
def agent(link: BrokenLink, tmp_path: Path) -> Iterator[Agent]:
    made = Agent(tmp_path / "outbox", link.port)
    yield made
    made.service.stop()


def give(agent: Agent, numbers: Iterator[int], count: int) -> int:
    """Give frames as large as a gateway's ordinary block; how many there were by then."""
    last = 0
    for last in itertools.islice(numbers, count):
        agent.tap.queue.put(waveform(last, n_samples=12_500))
    return last + 1


def test_after_a_cut_the_newest_frames_come_first(
    mosquitto: Mosquitto, link: BrokenLink, agent: Agent
) -> None:
    with FakeHost(mosquitto.port, credit=20) as host:
        numbers = itertools.count()
        give(agent, numbers, 20)
        complete(agent, host, 20)
        link.cut()
        eventually(lambda: agent.phase is Phase.OFFLINE, 30, "the loss")
        given = give(agent, numbers, 200)
        eventually(lambda: agent.outbox.last_seq == given, 30, "frames on disk")
        link.heal()
        complete(agent, host, given)
        order = [frame_id.seq for frame_id in host.received][20:]
        assert order[0] == given
        assert ranges.of(order[:100]) == ((given - 99, given),)
        assert set(host.received.values()) == {1}


@pytest.mark.long
def test_a_link_that_flaps(mosquitto: Mosquitto, link: BrokenLink, agent: Agent) -> None:
    dice, stop = random.Random(3), threading.Event()
    numbers = itertools.count()

    def sample() -> None:
        while not stop.wait(0.007):
            give(agent, numbers, 1)

    with FakeHost(mosquitto.port) as host:
        sampling = threading.Thread(target=sample)
        sampling.start()
        counters, connections = agent.service.link.counters, 0
        for number in range(8):
            if number % 2:  # else the cable may be out again each time before anybody noticed that it was in
                eventually(lambda least=connections: counters.connections > least, 30, "a connection")
                connections = counters.connections
            stop.wait(0.3 + 0.5 * dice.random())
            link.cut()
            stop.wait(0.2 * dice.random())
            link.heal()
        stop.set()
        sampling.join()
        given = next(numbers)
        complete(agent, host, given)
        assert counters.connections > 3
        assert sum(host.received.values()) - given <= 8 * MAX_FRAMES_IN_FLIGHT


@pytest.mark.long
def test_a_half_open_link_is_noticed_by_the_keepalive(
    mosquitto: Mosquitto, link: BrokenLink, agent: Agent
) -> None:
    with FakeHost(mosquitto.port) as host:
        numbers = itertools.count()
        give(agent, numbers, 10)
        complete(agent, host, 10)
        link.stalled = True
        given = give(agent, numbers, 150)
        eventually(lambda: agent.phase is Phase.OFFLINE, 60, "the keepalive's end")
        link.cut()
        link.heal()
        complete(agent, host, given)
        assert sum(host.received.values()) - given <= MAX_FRAMES_IN_FLIGHT


@pytest.mark.long
def test_acknowledgements_that_do_not_come_back_cost_no_second_copy(
    mosquitto: Mosquitto, link: BrokenLink, agent: Agent
) -> None:
    with FakeHost(mosquitto.port) as host:
        numbers = itertools.count()
        give(agent, numbers, 5)
        complete(agent, host, 5)
        for _ in range(2):
            link.deaf = True
            given = give(agent, numbers, 40)
            eventually(lambda given=given: len(host.received) == given, 30, "frames at the host")
            link.cut()
            link.heal()
            complete(agent, host, given)
        assert set(host.received.values()) == {1}  # the answer to the birth told what was there
        assert agent.sent.get(Cause.GAP, 0) == 0


@pytest.mark.long
def test_a_slow_link_carries_each_frame_once(mosquitto: Mosquitto, link: BrokenLink, agent: Agent) -> None:
    with FakeHost(mosquitto.port) as host:
        numbers = itertools.count()
        give(agent, numbers, 5)
        complete(agent, host, 5)
        before, link.bytes_per_s = link.passed, 250_000
        given = give(agent, numbers, 75)  # 1.9 MB: 7.5 s
        complete(agent, host, given)
        assert set(host.received.values()) == {1}
        assert (link.passed - before) / (75 * 25_000) < 1.1
        assert agent.service.link.counters.connections == 1
