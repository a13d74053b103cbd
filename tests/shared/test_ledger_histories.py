"""Whatever happens between a gateway and its host, in any order: the law holds; what is forged is found."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palier import ranges
from palier.ledger import LedgerLine, balance
from palier.wire.messages import LedgerReport

EPOCH = "0123456789abcdef"
STEPS = ("acquire", "acquire", "send", "send", "quarantine", "acknowledge", "forget_ack", "drop", "report")


@dataclass
class World:
    """A gateway with its outbox, a host with its records, and acknowledgements on their way."""

    luck: random.Random
    given: int = 0
    waiting: set[int] = field(default_factory=set)
    believed: set[int] = field(default_factory=set)  # what the gateway believes at the host
    dropped: dict[int, str] = field(default_factory=dict)
    stored: set[int] = field(default_factory=set)
    quarantined: set[int] = field(default_factory=set)
    on_their_way: set[int] = field(default_factory=set)
    reported: LedgerReport = field(default_factory=lambda: LedgerReport(EPOCH, 0, 0, (), None, 0))

    @property
    def seen(self) -> set[int]:
        return self.stored | self.quarantined

    def step(self, what: str) -> None:
        getattr(self, what)()

    def one_of(self, seqs: set[int]) -> int | None:
        return self.luck.choice(sorted(seqs)) if seqs else None

    def acquire(self) -> None:
        self.given += 1
        self.waiting.add(self.given)

    def send(self) -> None:
        self._arrives(self.stored)

    def quarantine(self) -> None:
        self._arrives(self.quarantined)

    def _arrives(self, verdict: set[int]) -> None:
        seq = self.one_of(self.waiting)
        if seq is None:
            return
        if seq not in self.seen:  # the first verdict stays
            verdict.add(seq)
        self.on_their_way.add(seq)

    def acknowledge(self) -> None:
        seq = self.one_of(self.on_their_way)
        if seq is None:
            return
        self.on_their_way.discard(seq)
        self.waiting.discard(seq)
        self.dropped.pop(seq, None)
        self.believed.add(seq)

    def hear_all(self) -> None:
        """Every acknowledgement comes: sent once more for what the host has already, if need be."""
        self.believed |= self.waiting & self.seen
        self.waiting -= self.seen
        self.on_their_way.clear()
        for seq in self.seen & self.dropped.keys():
            del self.dropped[seq]

    def forget_ack(self) -> None:
        seq = self.one_of(self.on_their_way)
        if seq is not None:
            self.on_their_way.discard(seq)

    def drop(self) -> None:
        seq = self.one_of(self.waiting)
        if seq is not None:
            self.waiting.discard(seq)
            self.dropped[seq] = self.luck.choice(["cap", "disk", "unreadable", "something new"])

    def report(self) -> None:
        reasons = sorted({*self.dropped.values()})
        given_up = [
            (lo, hi, why)
            for why in reasons
            for lo, hi in ranges.of(s for s, reason in self.dropped.items() if reason == why)
        ]
        oldest = min(self.waiting, default=None)
        self.reported = LedgerReport(
            EPOCH, self.given, self.given, tuple(sorted(given_up)), oldest, len(self.waiting)
        )

    def line(self, *, replaced: bool = False) -> LedgerLine:
        stored, quarantined = ranges.of(self.stored), ranges.of(self.quarantined)
        return balance("s/n", self.reported, stored, quarantined, replaced=replaced)


def history(seed: int, steps: list[str]) -> World:
    world = World(random.Random(seed))
    for what in steps:
        world.step(what)
    return world


HISTORIES = st.builds(
    history, st.integers(0, 2**32), st.lists(st.sampled_from(STEPS), min_size=1, max_size=120)
)


@given(HISTORIES)
def test_the_law_holds_at_any_moment_after_a_report(world: World) -> None:
    line = world.line()
    assert line.adds_up is True
    assert line.acquired == line.stored + line.quarantined + line.dropped + line.pending
    assert sum(line.dropped_for.values()) == line.dropped
    assert line.gaps == ()


@given(HISTORIES, st.data())
def test_a_frame_that_the_host_lost_is_found(world: World, data: st.DataObject) -> None:
    world.report()
    settled = sorted(world.believed & world.seen)
    if not settled:
        return
    lost = set(data.draw(st.lists(st.sampled_from(settled), min_size=1, unique=True)))
    unheard = len(world.waiting & world.seen)  # each may stand for a lost one, until the next report
    world.stored -= lost
    world.quarantined -= lost
    assert len(lost) - unheard <= world.line().missing <= len(lost)
    world.hear_all()
    world.report()
    line = world.line()
    assert (line.missing, line.adds_up) == (len(lost), False)
    oldest = world.reported.oldest_unacknowledged or world.given + 1
    assert line.gaps == ranges.of(seq for seq in lost if seq < oldest)[:20]


@given(HISTORIES, st.data())
def test_a_frame_in_two_places_is_found(world: World, data: st.DataObject) -> None:
    world.report()
    if not world.seen:
        return
    forged = data.draw(st.sampled_from(sorted(world.seen)))
    world.stored.add(forged)
    world.quarantined.add(forged)
    line = world.line()
    assert (line.twice, line.adds_up) == (1, False)


@given(HISTORIES)
def test_records_of_an_older_backup_are_found_by_their_count(world: World) -> None:
    stored, quarantined = set(world.stored), set(world.quarantined)
    for what in (*("acquire", "send", "acknowledge") * 20, "report"):
        world.step(what)
    world.stored, world.quarantined = stored, quarantined
    world.hear_all()
    world.report()
    gone = world.believed - world.seen
    assert world.line().missing == len(gone)
    assert world.line().adds_up is (not gone)
    world.stored |= gone  # sent again by command
    assert world.line().adds_up is True


@given(HISTORIES)
def test_an_outbox_that_was_replaced_never_adds_up_over_what_nobody_has(world: World) -> None:
    line = world.line(replaced=True)
    seen = world.seen
    last = max((world.reported.seq, *seen))
    dropped = {seq for lo, hi, _ in world.reported.dropped for seq in range(lo, hi + 1)}
    nobody = set(range(1, last + 1)) - seen - dropped
    assert (line.lost, line.missing, line.pending) == (len(nobody), 0, 0)
    assert line.adds_up is (not nobody)
    assert line.acquired == line.stored + line.quarantined + line.dropped + line.lost


def test_an_outbox_that_was_replaced_is_never_silent() -> None:
    report = LedgerReport(EPOCH, 4, 4, (), 3, 2)
    line = balance("s/n", report, ((1, 2), (4, 4), (6, 6)), (), unknown_since_ns=7, replaced=True)
    assert (line.adds_up, line.unknown_since_ns, line.lost, line.acquired) == (False, None, 2, 6)
    assert replace(line, lost=0).told()["replaced"] is True


@pytest.mark.parametrize("reason", ["cap", "disk", "unreadable"])
def test_each_reason_is_counted_of_its_own(reason: str) -> None:
    report = LedgerReport(EPOCH, 6, 6, ((2, 3, reason), (5, 5, "new in a later version")), None, 0)
    line = balance("s/n", report, ((1, 2), (4, 4), (6, 6)), ())
    assert dict(line.dropped_for) == {reason: 1, "other": 1}
    assert line.adds_up is True
