"""The link's decisions against a model of everything else: outbox, FIFO channels, a host that stores by id.

Virtual time; nothing sleeps. Channels keep order and may lose what is in them, as one TCP connection through
one broker does. Every effect is checked against the rules at the head of edge_agent/machine.py as it happens.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from edge_agent import events as ev
from edge_agent.machine import begin, step
from edge_agent.window import MAX_HANDED, MAX_HANDED_BYTES, Link, Phase
from palier import ranges
from palier.ranges import Ranges
from palier.wire.state import HostState

EPOCH = "0123456789abcdef"
FRAME_BYTES = 25_000


@dataclass(frozen=True)
class Birth:
    """On the channel to the host."""

    in_flight: Ranges


@dataclass
class Edge:
    """One agent: the machine, its outbox, and what it has put on the channel to the host."""

    now: float = 0.0
    sizes: dict[int, int] = field(default_factory=dict)
    released: set[int] = field(default_factory=set)
    channel: deque[int | Birth] = field(default_factory=deque)  # towards the host, oldest first
    sent: Counter[int] = field(default_factory=Counter)
    causes: Counter[ev.Cause] = field(default_factory=Counter)
    ledgers: int = 0
    deaths: int = 0
    disconnecting: bool = False
    unwritten: int = 0
    written_at_once: bool = True
    sent_in_session: set[int] = field(default_factory=set)
    link: Link = field(default_factory=lambda: begin(EPOCH, 0, ()))

    @property
    def pending(self) -> Ranges:
        """What the outbox still keeps for the host."""
        return ranges.of(set(self.sizes) - self.released)

    def add(self, count: int, size: int = FRAME_BYTES) -> None:
        """New frames, committed."""
        first = len(self.sizes) + 1
        self.sizes.update((first + i, size) for i in range(count))
        self.feed(ev.FramesAdded(EPOCH, first, first + count - 1))

    def restart(self) -> None:
        """kill -9, and a new process on the same outbox."""
        self.channel.clear()
        self.unwritten = 0
        self.sent_in_session.clear()
        self.link = begin(EPOCH, len(self.sizes), self.pending, sure=len(self.sizes))

    def lose_connection(self) -> None:
        """The connection breaks; what was on its way may be lost (`channel` is the caller's to clear)."""
        self.unwritten = 0
        self.disconnecting = False
        self.feed(ev.Disconnected())

    def write(self) -> None:
        """What was handed over is on the socket."""
        if self.unwritten:
            count, self.unwritten = self.unwritten, 0
            self.feed(ev.Written(count))

    def feed(self, event: ev.Event) -> None:
        """Step, perform, and check."""
        todo: deque[ev.Event] = deque([event])
        while todo:
            before = self.link
            self.link, effects = step(before, todo.popleft(), self.now)
            assert len(self.link.handed) <= MAX_HANDED
            assert len(self.link.handed) < 2 or sum(self.link.handed) <= MAX_HANDED_BYTES
            for effect in effects:
                answer = self._perform(effect)
                if answer is not None:
                    todo.append(answer)
            if self.written_at_once and self.unwritten:
                count, self.unwritten = self.unwritten, 0
                todo.append(ev.Written(count))

    def _perform(self, effect: ev.Effect) -> ev.Event | None:
        match effect:
            case ev.SendFrame(seq, _, cause):
                self._check_send(seq, cause)
                self.sent[seq] += 1
                self.causes[cause] += 1
                self.sent_in_session.add(seq)
                self.channel.append(seq)
                self.unwritten += 1
            case ev.SendBirth(in_flight):
                self.channel.append(Birth(in_flight))
            case ev.Release(stored):
                for lo, hi in stored:
                    self.released.update(seq for seq in range(lo, hi + 1) if seq in self.sizes)
            case ev.Measure(seqs):
                waiting = (seq for seq in seqs if seq in self.sizes and seq not in self.released)
                rows = (ev.Candidate(seq, self.sizes[seq], self.now + 30.0) for seq in waiting)
                return ev.Measured(seqs, tuple(rows))
            case ev.Settle(_, known):
                assert known <= len(self.sizes)
                return ev.Settled(EPOCH, (), len(self.sizes), self.pending)
            case ev.SendLedger():
                self.ledgers += 1
            case ev.SendDeath():
                self.deaths += 1
            case ev.Disconnect():
                self.disconnecting = True
        return None

    def _check_send(self, seq: int, cause: ev.Cause) -> None:
        """The rules that every sending obeys. `self.link` is the state after the whole step."""
        assert seq not in self.released, "an acknowledged frame was sent"
        assert self.link.phase is Phase.OPEN
        frames, size = self.link.window
        in_flight = self.link.in_flight
        if cause in (ev.Cause.FIRST, ev.Cause.SESSION):
            assert seq not in self.sent_in_session, "sent again without a cause"
            assert len(in_flight) <= max(1, frames)
            assert len(in_flight) == 1 or sum(s.size for s in in_flight.values()) <= size
            assert frames > 0
            assert (cause is ev.Cause.FIRST) or self.sent[seq]
        if cause is ev.Cause.GAP:
            assert seq in self.sent_in_session
        if cause is ev.Cause.PROBE:
            assert self.now >= 10.0


@dataclass
class Host:
    """Stores by id, answers births and frames in the order of one queue."""

    stored: set[int] = field(default_factory=set)
    since_ms: int = 1
    credit: tuple[int, int] = (100, 8_000_000)

    def take(self, item: int | Birth) -> ev.StoredReceived:
        """Commit one message, and its acknowledgement."""
        if isinstance(item, Birth):
            have = ranges.intersect(ranges.of(self.stored), item.in_flight)
            return ev.StoredReceived(EPOCH, have, *self.credit, True, max(self.stored, default=0))
        self.stored.add(item)
        return ev.StoredReceived(EPOCH, ((item, item),), *self.credit)

    def restart(self) -> HostState:
        """kill -9 and start: the store is kept, the session is new."""
        self.since_ms += 1
        return HostState(True, self.since_ms)


def connect(edge: Edge, host: Host) -> None:
    """Connect, hear the host, and answer the birth."""
    edge.feed(ev.Connected())
    edge.feed(HostState(True, host.since_ms))
    deliver(edge, host)


def deliver(edge: Edge, host: Host, count: int | None = None) -> None:
    """Bring `count` messages to the host, and its answers back; by default until nothing is on its way."""
    while edge.channel and count != 0:
        count = None if count is None else count - 1
        edge.feed(host.take(edge.channel.popleft()))


def settle(edge: Edge, host: Host, *, seconds: float = 600.0) -> None:
    """Let everything work, and time pass, until nothing is pending."""
    end = edge.now + seconds
    if edge.link.phase is Phase.OFFLINE:
        connect(edge, host)
    while edge.now < end and not edge.link.idle:
        edge.write()
        deliver(edge, host)
        edge.now += 0.5
        edge.feed(ev.Tick())
