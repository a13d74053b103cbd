"""Whatever happens on the way, in any order: nothing is lost, and nothing is sent without a cause."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from edge_agent import events as ev
from edge_agent.window import Phase
from palier import ranges
from palier.wire.state import HostState
from tests.support.link_simulation import EPOCH, Birth, Edge, Host, connect, settle


class FaultyWorld(RuleBasedStateMachine):
    """One edge, one host, and everything that goes wrong between them. The checks are in `Edge`."""

    @initialize()
    def begin(self) -> None:
        self.edge, self.host = Edge(), Host()
        self.answers: deque[ev.StoredReceived] = deque()

    @rule(count=st.integers(1, 30), size=st.sampled_from((100, 25_000, 4_000_000)))
    def acquire(self, count: int, size: int) -> None:
        self.edge.add(count, size)

    @rule(count=st.integers(1, 40))
    def bring_to_the_host(self, count: int) -> None:
        for _ in range(min(count, len(self.edge.channel))):
            self.answers.append(self.host.take(self.edge.channel.popleft()))

    @rule(count=st.integers(1, 40))
    def bring_back_answers(self, count: int) -> None:
        for _ in range(min(count, len(self.answers))):
            self.edge.feed(self.answers.popleft())

    @rule(which=st.integers(0, 100))
    def a_full_queue_refuses_the_newest(self, which: int) -> None:
        if self.edge.channel:
            del self.edge.channel[-1 - which % len(self.edge.channel)]

    @rule()
    def answers_are_lost(self) -> None:
        self.answers.clear()

    @rule(keep=st.integers(0, 10))
    def the_connection_breaks(self, keep: int) -> None:
        while len(self.edge.channel) > keep:
            self.edge.channel.pop()
        for item in self.edge.channel:  # on their way at the broker: they arrive before the next birth
            self.host.take(item)
        self.edge.channel.clear()
        self.answers.clear()
        self.edge.sent_in_session.clear()
        self.edge.lose_connection()

    @rule()
    def the_agent_is_killed(self) -> None:
        self.answers.clear()
        self.edge.restart()

    @rule()
    def connects(self) -> None:
        if self.edge.link.phase is Phase.OFFLINE:
            self.edge.feed(ev.Connected())
            self.edge.feed(HostState(True, self.host.since_ms))

    @rule(seen=st.booleans())
    def the_host_is_killed(self, seen: bool) -> None:
        """With or without its death being heard before it is back."""
        self.edge.channel.clear()
        self.answers.clear()
        self.edge.sent_in_session.clear()
        if seen:
            self.edge.feed(HostState(False, self.host.since_ms))
            self.edge.lose_connection()
        self.edge.feed(self.host.restart())

    @rule(credit=st.sampled_from(((0, 0), (2, 50_000), (20, 10**6), (100, 8 * 10**6))))
    def the_credit_changes(self, credit: tuple[int, int]) -> None:
        self.host.credit = credit
        self.answers.append(ev.StoredReceived(EPOCH, (), *credit))

    @rule()
    def a_rebirth_is_requested(self) -> None:
        self.edge.feed(ev.RebirthRequested())

    @rule(slow=st.booleans())
    def the_uplink_is(self, slow: bool) -> None:
        self.edge.written_at_once = not slow
        self.edge.write()

    @rule(seconds=st.sampled_from((0.1, 1.0, 3.0, 15.0)))
    def time_passes(self, seconds: float) -> None:
        self.edge.now += seconds
        self.edge.feed(ev.Tick())

    def teardown(self) -> None:
        if not hasattr(self, "edge"):
            return
        self.host.credit = (50, 8 * 10**6)
        self.edge.written_at_once = True
        while self.answers:
            self.edge.feed(self.answers.popleft())
        settle(self.edge, self.host)
        assert self.edge.link.idle
        assert self.host.stored == set(self.edge.sizes)
        assert self.edge.released == set(self.edge.sizes)


class FaultyWorldAtLength(FaultyWorld):
    """The same, many times over."""


FaultyWorld.TestCase.settings = settings(max_examples=50, stateful_step_count=40)
TestFaultyWorld = FaultyWorld.TestCase
FaultyWorldAtLength.TestCase.settings = settings(max_examples=400, stateful_step_count=50)
TestFaultyWorldAtLength = pytest.mark.long(FaultyWorldAtLength.TestCase)


def test_random_losses_cost_little_and_lose_nothing() -> None:
    """5 % of messages and acknowledgements lost for ten minutes, a reconnect a minute."""
    edge, host, dice = Edge(), Host(), random.Random(7)
    connect(edge, host)
    for tenth in range(6000):
        edge.now = tenth / 10
        if tenth % 600 == 599:
            edge.channel.clear()
            edge.sent_in_session.clear()
            edge.lose_connection()
            connect(edge, host)
        edge.add(1)
        while edge.channel:
            item = edge.channel.popleft()
            if isinstance(item, int) and dice.random() < 0.05:
                continue
            answer = host.take(item)
            if dice.random() >= 0.05:
                edge.feed(answer)
        edge.feed(ev.Tick())
    settle(edge, host)
    assert host.stored == set(edge.sizes)
    lost_and_needed = 0.05 + 0.05  # a lost frame, and a frame whose acknowledgement was lost, go again
    assert sum(edge.sent.values()) / len(edge.sizes) < 1 + 1.3 * lost_and_needed


@dataclass
class BusyHost:
    """A host of many edges: one bounded queue, a fixed commit rate, credit shared among the edges."""

    edges: list[Edge]
    rate: int  # frames committed each second
    queue: deque[tuple[int, int | Birth]] = field(default_factory=deque)
    stored: list[set[int]] = field(default_factory=list)
    refused: int = 0
    size: int = 500
    fair: bool = True

    def __post_init__(self) -> None:
        self.stored = [set() for _ in self.edges]

    @property
    def credit(self) -> tuple[int, int]:
        """Two seconds of commit work shared, at least two frames each; an unfair host gives each all."""
        if not self.fair:
            return 100, 8_000_000
        return max(2, min(self.size - 50, 2 * self.rate) // len(self.edges)), 8_000_000

    def receive(self) -> None:
        for number, edge in enumerate(self.edges):
            while edge.channel:
                item = edge.channel.popleft()
                if len(self.queue) < self.size:
                    self.queue.append((number, item))
                else:
                    self.refused += 1

    def commit(self, count: int) -> None:
        done: dict[int, list[int]] = {}
        syncs: list[tuple[int, Birth]] = []
        for _ in range(min(count, len(self.queue))):
            number, item = self.queue.popleft()
            if isinstance(item, Birth):
                syncs.append((number, item))
            else:
                self.stored[number].add(item)
                done.setdefault(number, []).append(item)
        for number, seqs in done.items():
            self.edges[number].feed(ev.StoredReceived(EPOCH, ranges.of(seqs), *self.credit))
        for number, birth in syncs:
            have = ranges.intersect(ranges.of(self.stored[number]), birth.in_flight)
            self.edges[number].feed(ev.StoredReceived(EPOCH, have, *self.credit, sync=True))


def test_twenty_edges_at_twice_the_commit_rate_put_no_copy_on_the_wire() -> None:
    """A window alone makes 20 x 100 frames in flight: the host's credit is what keeps copies off the wire."""
    edges = [Edge() for _ in range(20)]
    host = BusyHost(edges, rate=200)
    for edge in edges:
        edge.feed(ev.Connected())
        edge.feed(HostState(True, 1))
    steps, overloaded = 20, 12  # a step is 50 ms; 12 s at 20 x 20 frames/s against 200/s
    for number in range(60 * steps):
        for edge in edges:
            edge.now = number / steps
            if number < overloaded * steps:
                edge.add(1)
            edge.feed(ev.Tick())
        host.receive()
        host.commit(host.rate // steps)
        if number > overloaded * steps and all(edge.link.idle for edge in edges):
            break
    sent = sum(sum(edge.sent.values()) for edge in edges)
    assert [len(stored) for stored in host.stored] == [overloaded * steps] * 20
    assert sent / (20 * overloaded * steps) <= 1.1
    assert host.refused == 0


def test_a_host_that_drops_from_a_full_queue_gets_everything_in_the_end() -> None:
    """Without shared credit (each edge is told 100) the queue overflows: costly, but nothing is lost."""
    edges = [Edge() for _ in range(8)]
    host = BusyHost(edges, rate=200, size=60, fair=False)
    for edge in edges:
        edge.feed(ev.Connected())
        edge.feed(HostState(True, 1))
        edge.add(60)
    for number in range(2000):
        for edge in edges:
            edge.now = number / 20
            edge.feed(ev.Tick())
        host.receive()
        host.commit(10)
    assert host.refused > 0
    assert all(stored == set(range(1, 61)) for stored in host.stored)
