"""What the host lost and asks for: sent again from what the gateway still has, once for each request."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent import outbox_recalled
from edge_agent import replays as module
from edge_agent.outbox import Outbox, OutboxFullError, open_outbox
from edge_agent.replays import Replays
from palier.wire import messages
from palier.wire.messages import Replay, Replayed
from tests.support.edge_agent import START_NS, waveform
from tests.support.fake_host import FakeHost
from tests.support.services import Mosquitto
from tests.support.tapped_agent import Agent, complete
from tests.support.waiting import eventually

EPOCH = "ab" * 8
SECOND = 1_000_000_000
"""Between two frames of `waveform`, which last 64 ms."""

OF_FIVE = Replay("request-of-five", START_NS + 10 * SECOND, START_NS + 15 * SECOND)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """Thirty frames, one a second, all acknowledged but the last."""
    opened = open_outbox(tmp_path, "usine/p1", draw_epoch=lambda: EPOCH, cap_bytes=10**9)
    opened.put([waveform(number) for number in range(30)])
    opened.acknowledge(((1, 29),))
    yield opened
    opened.close()


def done(replays: Replays) -> Replayed:
    """Work until there is an answer."""
    for _ in range(100):
        _, answer = replays.work()
        if answer is not None:
            return answer
    raise AssertionError("no answer")


def test_the_frames_of_that_time_wait_again(outbox: Outbox) -> None:
    replays = Replays(outbox)
    replays.ask(OF_FIVE)
    assert replays.work() == (((11, 15),), Replayed(OF_FIVE.request, EPOCH, 5))
    assert outbox.pending() == ((11, 15), (30, 30))
    assert replays.frames == 5


def test_a_large_replay_is_done_piece_by_piece(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_recalled, "PIECE_ROWS", 10)
    replays = Replays(outbox)
    replays.ask(Replay("request-of-all", 0, START_NS + 100 * SECOND, EPOCH))
    assert replays.work() == (((1, 10),), None)
    assert replays.work() == (((11, 20),), None)
    assert replays.work() == (((21, 29),), Replayed("request-of-all", EPOCH, 29))
    assert replays.work() == ((), None)


def test_a_request_that_comes_again_is_answered_and_not_done(outbox: Outbox, tmp_path: Path) -> None:
    for again in range(2):
        replays = Replays(outbox)  # also in another process
        replays.ask(OF_FIVE)
        replays.ask(OF_FIVE)
        assert done(replays).frames == 5
        assert replays.frames == (0 if again else 5)
        outbox.acknowledge(((1, 30),))
    assert outbox.pending() == ()


def test_the_last_sixteen_requests_are_remembered(outbox: Outbox) -> None:
    replays = Replays(outbox)
    for number in range(17):
        replays.ask(Replay(f"request-{number:02}", 0, 1))
        done(replays)
    kept = [row for row in [outbox.noted("replays")] if row is not None]
    assert "request-00" not in kept[0]
    assert "request-01" in kept[0]


def test_more_requests_than_can_wait_are_passed_over(outbox: Outbox) -> None:
    replays = Replays(outbox)
    for number in range(module.MAX_WAITING + 5):
        replays.ask(Replay(f"request-{number:02}", 0, 1))
    assert len([done(replays) for _ in range(module.MAX_WAITING)]) == module.MAX_WAITING
    assert replays.work() == ((), None)


def test_a_replay_of_another_epoch_finds_nothing(outbox: Outbox) -> None:
    replays = Replays(outbox)
    replays.ask(Replay("request-of-old", 0, 2**62, "cd" * 8))
    assert done(replays) == Replayed("request-of-old", EPOCH, 0)


def test_a_disk_that_takes_nothing_costs_the_request_and_nothing_else(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_asked: Replay, **_where: int) -> None:
        raise OutboxFullError("no space") from sqlite3.OperationalError("full")

    replays = Replays(outbox)
    with monkeypatch.context() as full:
        full.setattr(outbox, "replay", refused)
        replays.ask(OF_FIVE)
        assert replays.work() == ((), None)
    replays.ask(OF_FIVE)
    assert done(replays).frames == 5


def test_a_host_that_lost_its_store_gets_the_frames_again(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with FakeHost(mosquitto.port) as host:
        agent = Agent(tmp_path / "outbox", mosquitto.port)
        try:
            agent.tap.give(40)
            complete(agent, host, 40)
            lost = {frame_id for frame_id in host.stored if 11 <= frame_id.seq <= 15}
            for frame_id in lost:
                del host.stored[frame_id]
            for _ in range(2):
                host.command(messages.replay_payload(OF_FIVE, 1))
            eventually(lambda: len(host.replayed) == 2, 30, "two answers to one request")
            assert host.replayed == [Replayed(OF_FIVE.request, EPOCH, 5)] * 2
            complete(agent, host, 40)
            assert {host.received[frame_id] for frame_id in lost} == {2}
            assert sum(host.received.values()) == 45
            assert all(host.historical[frame_id] for frame_id in lost)
            seqs = list(host.seqs)  # a report may join them at any moment
            assert seqs == [number % 256 for number in range(len(seqs))]
        finally:
            agent.service.stop()
