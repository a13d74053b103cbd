"""The link's rules on when the stall clock restarts, and on what a new session forgets."""

from __future__ import annotations

import pytest

from edge_agent import events as ev
from edge_agent.machine import step
from edge_agent.window import FIRST_WINDOW
from palier import ranges
from palier.wire.messages import MAX_RANGES
from palier.wire.state import HostState
from tests.support.link_simulation import EPOCH, FRAME_BYTES, Birth, Edge, Host, connect, deliver, settle


@pytest.fixture
def edge() -> Edge:
    """An open link at time 0, credit for every frame."""
    opened = Edge()
    connect(opened, Host())
    return opened


def tick(edge: Edge, at: float) -> int:
    """Time passes until `at`; how many probes there were by then."""
    edge.now = at
    edge.feed(ev.Tick())
    return edge.causes[ev.Cause.PROBE]


def test_an_acknowledgement_restarts_the_stall_clock(edge: Edge) -> None:
    edge.add(1)
    edge.add(1)
    edge.now = 8.0
    edge.feed(ev.StoredReceived(EPOCH, ((1, 1),), 100, 10**9))
    assert tick(edge, 17.9) == 0
    assert tick(edge, 18.0) == 1


def test_a_completed_write_restarts_the_stall_clock(edge: Edge) -> None:
    edge.written_at_once = False
    edge.add(1)
    edge.now = 50.0  # a slow uplink
    edge.write()
    assert tick(edge, 59.9) == 0
    assert tick(edge, 60.0) == 1


def test_a_new_session_restarts_the_stall_clock_at_ten_seconds(edge: Edge) -> None:
    edge.add(1)
    assert tick(edge, 10.0) == 1  # the next one would be due at 30 s
    edge.channel.clear()
    edge.sent_in_session.clear()
    edge.lose_connection()
    edge.now = 100.0
    connect(edge, Host(credit=(0, 0)))
    assert tick(edge, 109.9) == 1
    assert tick(edge, 110.0) == 2


@pytest.mark.parametrize("how", ["reconnect", "new host session"])
def test_the_credit_of_an_earlier_session_is_forgotten(edge: Edge, how: str) -> None:
    if how == "reconnect":
        edge.lose_connection()
        edge.feed(ev.Connected())
    edge.feed(HostState(True, 77))
    edge.now = 2.0
    edge.feed(ev.Tick())  # no answer to the birth
    edge.add(50)
    assert len(edge.link.in_flight) == FIRST_WINDOW


def test_what_an_ended_connection_had_not_written_does_not_hold_up_the_next(edge: Edge) -> None:
    edge.written_at_once = False
    edge.add(8)
    edge.channel.clear()
    edge.sent_in_session.clear()
    edge.lose_connection()
    connect(edge, Host())
    assert edge.unwritten == 8


def test_a_rebirth_asks_only_for_what_is_in_flight() -> None:
    edge = Edge()
    edge.add(3)
    edge.restart()  # may have been sent by the process before
    edge.feed(ev.Connected())
    edge.feed(HostState(True, 1))
    edge.feed(ev.StoredReceived(EPOCH, (), 1, 10**9, sync=True))
    edge.feed(ev.RebirthRequested())
    assert list(edge.channel) == [Birth(((1, 3),)), 3, Birth(((3, 3),))]


def test_reports_of_an_often_idle_link_stay_five_seconds_apart(edge: Edge) -> None:
    host = Host()
    tick(edge, 1.0)
    for second in range(2, 10):
        edge.add(1)
        deliver(edge, host)
        tick(edge, second + 0.99)
    assert edge.ledgers == 2  # at 1 s and at 6 s


def test_a_measurement_that_an_error_took_away_is_asked_for_again(edge: Edge) -> None:
    host = Host()
    edge.link, effects = step(edge.link, ev.FramesAdded(EPOCH, 1, 3), edge.now)
    assert effects == (ev.Measure((3, 2, 1)),)  # and no Measured comes
    edge.sizes.update(dict.fromkeys((1, 2, 3), FRAME_BYTES))
    edge.lose_connection()
    settle(edge, host)
    assert host.stored == {1, 2, 3}


def test_a_birth_can_be_read_however_often_a_host_took_frames_and_died() -> None:
    edge = Edge()
    for session in range(600):
        edge.channel.clear()
        edge.sent_in_session.clear()
        edge.add(40)  # a window goes out, the rest leaves a hole
        edge.feed(ev.Connected())
        edge.feed(HostState(True, session))
        edge.now += 3.0
        edge.feed(ev.Tick())
        edge.lose_connection()
    birth = edge.channel.popleft()
    assert isinstance(birth, Birth)
    assert 16 < len(birth.in_flight) <= MAX_RANGES
    assert ranges.merge((*edge.link.unsent, *ranges.of(edge.link.in_flight))) == edge.pending
