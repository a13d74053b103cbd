"""The whole agent on a bad disk, against a real broker: sampling goes on, and the ledger tells the truth."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.outbox import FILE_NAME
from edge_agent.timekeeping import Sense, Timekeeping, look
from edge_agent.window import Phase
from palier import ranges
from palier.frames import Clock
from palier.ledger import balance
from tests.support.edge_agent import waveform
from tests.support.fake_host import FakeHost
from tests.support.services import Mosquitto
from tests.support.small_disk import fill
from tests.support.tapped_agent import Agent
from tests.support.waiting import eventually

EPOCH = "ab" * 8
Start = Callable[[Path], Agent]


@pytest.fixture
def start(mosquitto: Mosquitto) -> Iterator[Start]:
    running: list[Agent] = []

    def start_agent(folder: Path) -> Agent:
        running.append(Agent(folder, mosquitto.port))
        return running[-1]

    yield start_agent
    for agent in running:
        agent.service.stop()


def test_an_outbox_that_is_damaged_while_running_costs_what_was_in_it_and_no_more(
    mosquitto: Mosquitto, tmp_path: Path, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR), FakeHost(mosquitto.port) as host:
        agent = start(tmp_path / "outbox")
        for number in range(300):
            agent.tap.queue.put(waveform(number, n_samples=12_500))
        eventually(lambda: host.seqs_of(EPOCH) == ((1, 300),), 30, "frames at the host")
        eventually(lambda: agent.outbox.pending() == (), 30, "their acknowledgements")
        agent.outbox._draw_epoch = lambda: "cd" * 8
        with agent.outbox._lock:
            agent.outbox._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            with (tmp_path / "outbox" / FILE_NAME).open("r+b") as file:
                file.seek(4096)
                file.write(b"\xa5" * 4096 * 1500)
            agent.outbox._db.execute("PRAGMA shrink_memory")
        agent.tap.give(100, first=300)
        eventually(lambda: host.seqs_of("cd" * 8) == ((1, 100),), 30, "the frames of the new epoch")
        eventually(lambda: agent.outbox.pending() == (), 30, "an empty outbox")
        assert not host.errors
        assert host.births[-1].epoch == "cd" * 8
        told = agent.service.report()
        assert told.values["outbox_set_aside_total"] == 1
        assert "the outbox was damaged and set aside: look at the disk" in told.notes
        assert told.alive
        assert told.ready  # of the past: a container would be unhealthy for ever
        assert agent.service.link.counters.connections == 1
    assert len(list((tmp_path / "outbox").glob("*.corrupt"))) == 1


def test_a_disk_that_refuses_costs_no_frame_that_memory_can_hold(
    mosquitto: Mosquitto, small_disk: Path, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR), FakeHost(mosquitto.port) as host:
        agent = start(small_disk / "outbox")
        agent.tap.give(10)
        eventually(lambda: host.seqs_of(EPOCH) == ((1, 10),), 30, "frames at the host")
        with agent.outbox._lock:  # a card that fails is made read-only by the kernel
            agent.outbox._db.execute("PRAGMA query_only = ON")
        agent.tap.give(200, first=10)
        eventually(lambda: agent.service.recorder.intake.waiting == 200, 30, "frames in memory")
        told = agent.service.report()
        assert told.alive
        assert any(problem.startswith("the disk takes no frames: 200 in memory") for problem in told.problems)
        with agent.outbox._lock:
            agent.outbox._db.execute("PRAGMA query_only = OFF")
        eventually(lambda: host.seqs_of(EPOCH) == ((1, 210),), 30, "all frames")
        eventually(lambda: not agent.service.report().problems, 30, "no problem any more")
        assert agent.outbox.report().dropped == ()


def test_frames_of_a_gateway_without_the_time_wait_and_arrive_with_the_right_dates(
    mosquitto: Mosquitto, tmp_path: Path, start: Start
) -> None:
    """Its clock says 2023; a time server says that it is a thousand seconds later."""
    uptime_ns, late_ns = 5_000 * 10**9, 1_000 * 10**9
    now = [Sense(waveform(9).end_ns, uptime_ns, synced=False, daemon=True, battery=False)]
    with FakeHost(mosquitto.port) as host:
        agent = start(tmp_path / "outbox")
        eventually(lambda: agent.phase is Phase.OPEN, 30, "an open link")
        keeper = agent.service.keeper
        assert keeper is not None
        keeper._sense = keeper._glance = lambda: now[0]
        keeper.state = look(Timekeeping("this-boot"), now[0], connected=True)
        agent.tap.give(10)
        eventually(lambda: agent.outbox.totals().held == 10, 30, "ten frames held")
        assert any(said.startswith("frames are held: no time server") for said in agent.service.problems())
        assert host.received == {}
        now[0] = replace(now[0], wall_ns=now[0].wall_ns + late_ns, synced=True)
        eventually(lambda: host.seqs_of(EPOCH) == ((1, 10),), 30, "the frames")
        arrived = {frame_id.seq: frame for frame_id, frame in host.stored.items()}
        for number in range(10):
            assert arrived[number + 1].start_ns == waveform(number).start_ns + late_ns
            assert arrived[number + 1].clock is Clock.HOLDOVER
        assert not host.errors


@pytest.mark.long
def test_a_disk_that_another_program_filled_for_a_while(
    mosquitto: Mosquitto, small_disk: Path, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        agent = start(small_disk / "outbox")  # and no host
        filler = fill(small_disk)
        for number in range(800):  # 20 MB
            agent.tap.queue.put(waveform(number, n_samples=12_500))
        eventually(lambda: agent.tap.queue.empty() and agent.service.recorder.idle, 60, "all frames taken")
        assert agent.outbox.totals().acquired == 800
        filler.unlink()
        with FakeHost(mosquitto.port) as host:
            agent.tap.give(50, first=800)
            eventually(lambda: agent.outbox.last_seq == 850, 30, "frames on disk")
            eventually(lambda: agent.outbox.pending() == (), 30, "an empty outbox")
            eventually(lambda: host.reports and host.reports[-1].seq == 850, 30, "a report")
            report, stored = host.reports[-1], host.seqs_of(EPOCH)
        line = balance("usine/p1", report, stored, ())
        assert (line.adds_up, line.acquired) == (True, 850)
        assert {reason for _, _, reason in report.dropped} == {"disk"}
        assert ranges.count(stored) + line.dropped == 850
        assert stored[-1][1] == 850
