"""The link's rules, one by one: (state, event) to (state, effects)."""

from __future__ import annotations

import pytest

from edge_agent import events as ev
from edge_agent.machine import MAX_STALL_S, begin, step
from edge_agent.window import Phase
from palier import ranges
from palier.wire.state import HostState
from tests.support.link_simulation import EPOCH, FRAME_BYTES, Birth, Edge, Host, connect, deliver, settle


def acknowledge(edge: Edge, *seqs: int, credit: tuple[int, int] = (100, 8_000_000)) -> None:
    edge.feed(ev.StoredReceived(EPOCH, ranges.of(seqs), *credit))


def opened(credit: tuple[int, int] = (100, 8_000_000)) -> Edge:
    edge = Edge()
    connect(edge, Host(credit=credit))
    assert edge.link.phase is Phase.OPEN
    return edge


ONLINE, OFFLINE = HostState(True, 5), HostState(False, 5)
PHASES = [
    # phase after ..., event, phase then, effects then
    ([], ev.Connected(), Phase.WAITING, []),
    ([], ONLINE, Phase.OFFLINE, []),
    ([], ev.RebirthRequested(), Phase.OFFLINE, []),
    ([], ev.Stop(), Phase.CLOSED, []),
    ([ev.Connected()], ONLINE, Phase.SYNCING, [ev.SendBirth]),
    ([ev.Connected()], OFFLINE, Phase.WAITING, []),
    ([ev.Connected()], ev.Disconnected(), Phase.OFFLINE, []),
    ([ev.Connected()], ev.RebirthRequested(), Phase.WAITING, []),
    ([ev.Connected()], ev.Stop(), Phase.CLOSED, [ev.Disconnect]),
    ([ev.Connected(), ONLINE], ONLINE, Phase.SYNCING, []),
    ([ev.Connected(), ONLINE], HostState(True, 6), Phase.SYNCING, [ev.SendBirth]),
    ([ev.Connected(), ONLINE], HostState(True, 4), Phase.SYNCING, [ev.SendBirth]),
    ([ev.Connected(), ONLINE], HostState(False, 4), Phase.SYNCING, []),
    ([ev.Connected(), ONLINE], OFFLINE, Phase.OFFLINE, [ev.SendDeath, ev.Disconnect]),
    ([ev.Connected(), ONLINE], ev.RebirthRequested(), Phase.SYNCING, [ev.SendBirth]),
    ([ev.Connected(), ONLINE], ev.StoredReceived(EPOCH, (), 1, 1, sync=True), Phase.OPEN, []),
    ([ev.Connected(), ONLINE], ev.StoredReceived("other", (), 1, 1, sync=True), Phase.SYNCING, []),
    ([ev.Connected(), ONLINE], ev.StoredReceived(EPOCH, (), 1, 1), Phase.SYNCING, []),
    ([ev.Connected(), ONLINE], ev.Stop(), Phase.CLOSED, [ev.SendLedger, ev.SendDeath, ev.Disconnect]),
]


@pytest.mark.parametrize(("before", "event", "phase", "effects"), PHASES)
def test_the_table_of_phases(
    before: list[ev.Event], event: ev.Event, phase: Phase, effects: list[type[ev.Effect]]
) -> None:
    link = begin(EPOCH, 0, ())
    for earlier in before:
        link, _ = step(link, earlier, 0.0)
    link, found = step(link, event, 0.1)
    assert link.phase is phase
    assert [type(effect) for effect in found] == effects


def test_nothing_happens_after_the_end() -> None:
    link, _ = step(begin(EPOCH, 0, ()), ev.Stop(), 0.0)
    for event in (ev.Connected(), ONLINE, ev.FramesAdded(EPOCH, 1, 2), ev.Tick()):
        assert step(link, event, 1.0) == (link, ())


def test_nothing_is_sent_before_the_host_answered_the_birth() -> None:
    edge = Edge()
    edge.add(3)
    edge.feed(ev.Connected())
    edge.feed(ONLINE)
    assert not edge.sent
    edge.now = 1.9
    edge.feed(ev.Tick())
    assert not edge.sent
    edge.now = 2.0  # the answer never came
    edge.feed(ev.Tick())
    assert set(edge.sent) == {1, 2, 3}


def test_without_an_acknowledgement_the_window_is_sixteen() -> None:
    edge = Edge()
    edge.feed(ev.Connected())
    edge.feed(ONLINE)
    edge.now = 2.0
    edge.feed(ev.Tick())
    edge.add(50)
    assert len(edge.link.in_flight) == 16


@pytest.mark.parametrize(
    ("credit", "size", "in_flight"),
    [
        ((500, 10**9), 100, 100),  # never more than 100
        ((7, 10**9), 100, 7),
        ((100, 1000), 400, 2),
        ((100, 10**9), 1_000_000, 8),  # 8 MB
        ((100, 10), 1000, 1),  # at least one
        ((0, 0), 100, 0),
    ],
)
def test_window(credit: tuple[int, int], size: int, in_flight: int) -> None:
    edge = opened(credit)
    edge.add(150, size)
    assert len(edge.link.in_flight) == in_flight == sum(edge.sent.values())


def test_at_most_eight_frames_are_handed_over_unwritten() -> None:
    edge = opened()
    edge.written_at_once = False
    edge.add(50)
    assert len(edge.channel) == 8
    edge.unwritten = 5
    edge.write()
    assert len(edge.channel) == 13


def test_large_frames_are_handed_over_a_few_at_a_time() -> None:
    edge = opened()
    edge.written_at_once = False
    edge.add(5, 400_000)
    assert len(edge.channel) == 2
    edge.write()
    assert len(edge.channel) == 4


def test_the_newest_go_first_and_live_frames_pass_a_backlog() -> None:
    edge = opened((2, 10**9))
    edge.add(6)
    assert list(edge.channel) == [6, 5]
    edge.add(1)
    acknowledge(edge, 6, credit=(2, 10**9))
    assert list(edge.channel) == [6, 5, 7]


def test_a_frame_is_historical_when_first_sent_late_and_stays_what_it_was() -> None:
    link = opened().link
    link, effects = step(link, ev.FramesAdded(EPOCH, 1, 2), 100.0)
    rows = (ev.Candidate(2, 10, live_until=100.5), ev.Candidate(1, 10, live_until=99.0))
    link, effects = step(link, ev.Measured((2, 1), rows), 100.0)
    assert [(e.seq, e.historical) for e in effects if isinstance(e, ev.SendFrame)] == [(2, False), (1, True)]
    for event in (ev.Disconnected(), ev.Connected(), ONLINE):
        link, effects = step(link, event, 200.0)
    link, effects = step(link, ev.StoredReceived(EPOCH, (), 9, 10**9, sync=True), 200.0)
    late = (ev.Candidate(2, 10, 0.0), ev.Candidate(1, 10, 0.0))
    link, effects = step(link, ev.Measured((2, 1), late), 200.0)
    sent = [e for e in effects if isinstance(e, ev.SendFrame)]
    assert [(e.seq, e.historical, e.cause) for e in sent] == [
        (2, False, ev.Cause.SESSION),
        (1, True, ev.Cause.SESSION),
    ]


def test_a_gap_in_the_acknowledged_order_is_sent_again_at_once() -> None:
    edge = opened()
    for _ in range(5):
        edge.add(1)
    edge.channel.clear()
    acknowledge(edge, 1, 4)  # 2 and 3 were sent before 4; 5 after it
    assert list(edge.channel) == [3, 2]
    assert edge.causes[ev.Cause.GAP] == 2
    acknowledge(edge, 5)  # older than the second sending of 2 and 3
    assert edge.causes[ev.Cause.GAP] == 2


def test_lost_frames_hold_their_place_in_the_window_and_go_first() -> None:
    edge = opened((4, 10**9))
    edge.add(10)
    assert list(edge.channel) == [10, 9, 8, 7]
    edge.channel.clear()
    acknowledge(edge, 7, credit=(2, 10**9))
    assert list(edge.channel) == [10, 9]  # 8 waits: two may be on their way
    edge.channel.clear()
    acknowledge(edge, 10, credit=(2, 10**9))
    assert list(edge.channel) == [8]


def test_a_frame_in_flight_is_never_sent_again_by_time_alone() -> None:
    edge = opened()
    edge.add(3)
    for _ in range(100):
        edge.now += 0.099
        edge.feed(ev.Tick())
    assert edge.now < 10
    assert sum(edge.sent.values()) == 3


def test_the_lost_tail_of_a_burst_is_found_by_one_probe() -> None:
    edge, host = opened(), Host()
    edge.add(20)
    deliver(edge, host, 12)
    edge.channel.clear()  # the last eight are lost, and nothing follows them
    edge.now = 9.9
    edge.feed(ev.Tick())
    assert not edge.channel
    edge.now = 10.1
    edge.feed(ev.Tick())
    assert list(edge.channel) == [1]  # the last that was sent
    assert edge.causes[ev.Cause.PROBE] == 1
    deliver(edge, host)
    assert host.stored == set(range(1, 21))
    assert edge.link.idle
    assert edge.causes[ev.Cause.GAP] == 7


def test_probes_come_after_10_20_40_60_60_seconds() -> None:
    edge = opened()
    edge.add(5)
    edge.channel.clear()
    times: list[float] = []
    while edge.now < 260:
        edge.now += 0.25
        edge.feed(ev.Tick())
        if edge.channel:
            edge.channel.clear()
            times.append(edge.now)
    assert times == [10, 30, 70, 130, 190, 250]
    assert edge.link.stall_s == MAX_STALL_S


def test_no_probe_while_something_is_unwritten() -> None:
    edge = opened()
    edge.written_at_once = False
    edge.add(1)
    edge.now = 100.0
    edge.feed(ev.Tick())
    assert edge.sent[1] == 1


def test_without_credit_only_the_probe_goes_out() -> None:
    edge, host = opened((0, 0)), Host()
    edge.add(5)
    assert not edge.channel
    edge.now = 10.5
    edge.feed(ev.Tick())
    assert list(edge.channel) == [5]
    deliver(edge, host)  # its acknowledgement brings the credit
    settle(edge, host)
    assert host.stored == {1, 2, 3, 4, 5}


def test_credit_alone_reopens_the_window() -> None:
    edge = opened((0, 0))
    edge.add(5)
    acknowledge(edge, credit=(3, 10**9))
    assert list(edge.channel) == [5, 4, 3]


@pytest.mark.parametrize("how", ["reconnect", "new host session"])
def test_a_new_session_returns_what_the_host_does_not_have(how: str) -> None:
    edge, host = opened(), Host()
    edge.add(10)
    deliver(edge, host, 4)
    lost_acknowledgements = [edge.channel.popleft() for _ in range(3)]
    host.stored.update(item for item in lost_acknowledgements if isinstance(item, int))
    edge.channel.clear()
    edge.sent_in_session.clear()
    if how == "reconnect":
        edge.lose_connection()
        edge.feed(ev.Connected())
        edge.feed(HostState(True, host.since_ms))
    else:
        edge.feed(host.restart())
    (birth,) = edge.channel
    assert birth == Birth(ranges.of(set(range(1, 11)) - edge.released))
    deliver(edge, host)
    assert host.stored == set(range(1, 11))
    assert edge.causes[ev.Cause.SESSION] == 3
    assert edge.causes[ev.Cause.GAP] == 0


def test_a_new_process_asks_for_what_the_old_one_may_have_sent() -> None:
    edge, host = opened(), Host()
    edge.add(10)
    host.stored.update((9, 10))
    edge.restart()
    connect(edge, host)
    deliver(edge, host)
    assert host.stored == set(range(1, 11))
    assert edge.sent[9] == edge.sent[10] == 1


def test_a_rebirth_alone_sends_no_frame_again() -> None:
    edge, host = opened(), Host()
    edge.add(5)
    edge.feed(ev.RebirthRequested())
    deliver(edge, host)
    assert set(edge.sent.values()) == {1}


def test_acknowledgements_that_make_no_sense_are_harmless() -> None:
    edge = opened()
    edge.add(3)
    for mad in (((9, 4),), ((0, 0),), ((4, 2**63 - 1),), ((-5, -1),)):
        edge.feed(ev.StoredReceived(EPOCH, mad, 100, 10**9))
    edge.feed(ev.StoredReceived("f" * 16, ((1, 3),), 100, 10**9))
    assert not edge.released
    acknowledge(edge, 1, 2, 3)
    assert edge.link.idle


def test_frames_that_the_outbox_gave_up_are_forgotten() -> None:
    edge = opened((2, 10**9))
    edge.add(5)
    del edge.sizes[5], edge.sizes[1]  # 5 is in flight, 1 is not
    edge.feed(ev.FramesDropped(EPOCH, ((1, 1), (5, 5))))
    acknowledge(edge, 4, credit=(2, 10**9))
    assert set(edge.sent) == {5, 4, 3, 2}
    acknowledge(edge, 2, 3)
    assert edge.link.idle


def test_the_ledger_is_reported_each_minute_and_soon_after_idle() -> None:
    edge, host = opened(), Host()
    edge.now = 1.0
    edge.feed(ev.Tick())
    assert edge.ledgers == 1  # after the birth
    edge.now = 20.0
    edge.add(2)
    deliver(edge, host)
    edge.feed(ev.Tick())
    assert edge.ledgers == 1
    edge.now = 21.0
    edge.feed(ev.Tick())
    assert edge.ledgers == 2
    edge.now = 80.9
    edge.feed(ev.Tick())
    assert edge.ledgers == 2
    edge.now = 81.0
    edge.feed(ev.Tick())
    assert edge.ledgers == 3


def test_bytes_of_one_large_frame_do_not_block_for_ever() -> None:
    edge, host = opened((100, 1_000_000)), Host(credit=(100, 1_000_000))
    edge.add(3, 4_000_000)
    edge.add(3, FRAME_BYTES)
    settle(edge, host)
    assert host.stored == {1, 2, 3, 4, 5, 6}


@pytest.mark.parametrize("connected", [True, False])
def test_a_replaced_outbox_is_told_by_a_birth_and_what_was_of_the_old_one_is_not_for_it(
    connected: bool,
) -> None:
    edge = opened((2, 10**9)) if connected else Edge()
    edge.add(5)
    edge.channel.clear()
    edge.feed(ev.OutboxReplaced("f" * 16))
    assert edge.link.idle
    assert list(edge.channel) == ([Birth(())] if connected else [])
    assert edge.link.phase is (Phase.SYNCING if connected else Phase.OFFLINE)
    for old in (
        ev.StoredReceived(EPOCH, ((1, 5),), 9, 10**9, sync=True),
        ev.FramesAdded(EPOCH, 6, 9),
        ev.FramesDropped(EPOCH, ((1, 9),)),
    ):
        edge.link, effects = step(edge.link, old, 0.0)
        assert effects == ()
        assert edge.link.idle
    edge.link, _ = step(edge.link, ev.FramesAdded("f" * 16, 1, 2), 0.0)
    edge.link, effects = step(edge.link, ev.FramesDropped("f" * 16, ((1, 1),)), 0.0)
    assert edge.link.unsent == ((2, 2),)
