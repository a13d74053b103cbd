"""The link against a real broker and a small host: sessions, faults, what is on the wire."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from edge_agent import backoff
from edge_agent.events import Cause
from edge_agent.outbox import OutboxFullError
from edge_agent.window import Phase
from palier import brokers
from palier.frames import Readings
from palier.wire import messages
from palier.wire.payload import Payload
from palier.wire.topics import Kind
from tests.support.edge_agent import readings, waveform
from tests.support.fake_host import FakeHost
from tests.support.services import Mosquitto, answers, free_port
from tests.support.tapped_agent import Agent, complete
from tests.support.waiting import eventually

StartAgent = Callable[[int], Agent]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartAgent]:
    running: list[Agent] = []

    def start_agent(port: int) -> Agent:
        running.append(Agent(tmp_path / "outbox", port))
        return running[-1]

    yield start_agent
    for agent in running:
        agent.service.stop()


def test_births_come_before_data_and_seq_counts_without_a_gap(
    mosquitto: Mosquitto, start: StartAgent
) -> None:
    with FakeHost(mosquitto.port) as host:
        agent = start(mosquitto.port)
        agent.tap.give(300)
        complete(agent, host, 300)
        assert host.kinds[:2] == [Kind.NBIRTH, Kind.DBIRTH]
        seqs = list(host.seqs)  # a report may join them at any moment
        assert seqs == [number % 256 for number in range(len(seqs))]
        assert host.births[0].epoch == "ab" * 8
        assert host.devices["P-101"].channels[0].unit == "m/s²"
        assert agent.sent == {Cause.FIRST: 300}


def test_readings_travel_as_frames(mosquitto: Mosquitto, start: StartAgent) -> None:
    with FakeHost(mosquitto.port) as host:
        agent = start(mosquitto.port)
        agent.tap.queue.put(readings(1))
        complete(agent, host, 1)
        (frame,) = host.stored.values()
        assert isinstance(frame, Readings)
        assert frame.values.tolist() == [[52.5], [1485.0]]
        assert frame.unit == ("°C", "r/min")


def test_a_machine_that_nobody_announced_is_born_before_its_first_frame(
    mosquitto: Mosquitto, start: StartAgent
) -> None:
    with FakeHost(mosquitto.port) as host:
        agent = start(mosquitto.port)
        agent.tap.queue.put(waveform(1, machine="B-501"))
        complete(agent, host, 1)
        assert host.devices["B-501"].channels[0].fs_hz == 1000
        seqs = list(host.seqs)  # as above
        assert seqs == list(range(len(seqs)))


def test_frames_are_kept_while_the_host_is_away_and_old_ones_are_historical(
    mosquitto: Mosquitto, start: StartAgent
) -> None:
    agent = start(mosquitto.port)
    agent.tap.give(20)  # acquired in 2023
    eventually(lambda: agent.outbox.last_seq == 20, 30, "20 frames on disk")
    eventually(lambda: agent.phase is Phase.WAITING, 30, "a connection")
    assert agent.sent == {}
    with FakeHost(mosquitto.port) as host:
        complete(agent, host, 20)
        assert set(host.historical.values()) == {True}


def test_offline_is_answered_by_death_and_online_by_births(mosquitto: Mosquitto, start: StartAgent) -> None:
    with FakeHost(mosquitto.port) as host:
        agent = start(mosquitto.port)
        agent.tap.give(5)
        complete(agent, host, 5)
        host.say(online=False)
        eventually(lambda: Kind.NDEATH in host.kinds, 30, "NDEATH")
        eventually(lambda: agent.phase is Phase.WAITING, 30, "a new connection")
        agent.tap.give(5)
        eventually(lambda: agent.outbox.last_seq == 10, 30, "frames on disk")
        assert len(host.received) == 5
        host.say(online=True, new_session=True)
        complete(agent, host, 10)
        first, second = (birth.bd_seq for birth in host.births)
        assert second == first + 1


def test_a_new_host_session_and_a_rebirth_bring_births(mosquitto: Mosquitto, start: StartAgent) -> None:
    with FakeHost(mosquitto.port) as host:
        agent = start(mosquitto.port)
        agent.tap.give(3)
        complete(agent, host, 3)
        host.command(messages.rebirth_payload(1))
        eventually(lambda: len(host.births) == 2, 30, "births on request")
        host.say(online=True, new_session=True)
        eventually(lambda: len(host.births) == 3, 30, "births for the new session")
        agent.tap.give(3)
        complete(agent, host, 6)
        assert set(host.received.values()) == {1}


def test_a_killed_broker_costs_nothing(mosquitto: Mosquitto, start: StartAgent) -> None:
    with FakeHost(mosquitto.port) as host:
        agent = start(mosquitto.port)
        agent.tap.give(50)
        complete(agent, host, 50)
    mosquitto.kill()
    eventually(lambda: agent.phase is Phase.OFFLINE, 30, "the loss of the connection")
    agent.tap.give(50)
    mosquitto.start()
    with FakeHost(mosquitto.port) as second:
        second.stored.update(host.stored)
        complete(agent, second, 100)
    assert not second.received.keys() & host.received.keys()


def test_lost_acknowledgements_are_asked_for_at_the_next_birth(
    mosquitto: Mosquitto, start: StartAgent
) -> None:
    with FakeHost(mosquitto.port) as host:
        agent = start(mosquitto.port)
        agent.tap.give(1)
        complete(agent, host, 1)
        host.acknowledging = False
        agent.tap.give(30)
        eventually(lambda: len(host.stored) == 31, 30, "frames at the host")
        assert agent.outbox.pending() == ((2, 31),)
        host.acknowledging = True
        host.say(online=True, new_session=True)
        complete(agent, host, 31)
        assert host.births[-1].in_flight == ((2, 31),)
        assert set(host.received.values()) == {1}


def test_a_clean_end_reports_the_ledger_before_death(mosquitto: Mosquitto, start: StartAgent) -> None:
    with FakeHost(mosquitto.port) as host:
        agent = start(mosquitto.port)
        agent.tap.give(4)
        complete(agent, host, 4)
        agent.service.link.stop()
        eventually(lambda: host.kinds[-1] is Kind.NDEATH, 30, "NDEATH")
        assert host.kinds[-2] is Kind.NDATA
        assert host.kinds.count(Kind.NDEATH) == 1  # the broker forgot the will
        report = host.reports[-1]
        assert (report.seq, report.acquired, report.pending, report.oldest_unacknowledged) == (4, 4, 0, None)


def test_commands_that_cannot_be_read_are_counted_and_left(mosquitto: Mosquitto, start: StartAgent) -> None:
    with FakeHost(mosquitto.port) as host:
        agent = start(mosquitto.port)
        eventually(lambda: agent.phase is Phase.OPEN, 30, "an open link")
        for bad in (b"", b"\xff" * 40, messages.node_death(3)):
            host.command(bad)
        agent.tap.give(3)
        complete(agent, host, 3)
        assert agent.service.link.counters.ignored >= 1
        assert agent.service.link.counters.errors == 0


def test_an_unexpected_error_ends_the_connection_and_not_the_thread(
    mosquitto: Mosquitto,
    start: StartAgent,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    failing = threading.Event()
    failing.set()
    real = messages.read_stored

    def broken(payload: Payload) -> messages.Stored | None:
        if failing.is_set():
            raise ZeroDivisionError("a defect")
        return real(payload)

    monkeypatch.setattr(messages, "read_stored", broken)
    with caplog.at_level(logging.ERROR), FakeHost(mosquitto.port) as host:
        agent = start(mosquitto.port)
        agent.tap.give(3)
        eventually(lambda: agent.service.link.counters.errors > 0, 30, "the error")
        failing.clear()
        complete(agent, host, 3)
        assert agent.service.link.alive
    assert "unexpected error on the link" in caplog.text


def test_an_outbox_that_fails_for_a_while_costs_connections_and_no_frame(
    mosquitto: Mosquitto, start: StartAgent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also while what the error left undone is cleared away."""
    monkeypatch.setattr(backoff, "BACKOFF_S", (0.01, 0.05))
    with caplog.at_level(logging.ERROR), FakeHost(mosquitto.port) as host:
        agent = start(mosquitto.port)
        failures = iter([sqlite3.OperationalError("disk I/O error")] * 6)
        for name in ("load", "rows"):
            monkeypatch.setattr(agent.outbox, name, failing(failures, getattr(agent.outbox, name)))
        agent.tap.give(60)
        complete(agent, host, 60)
        assert agent.service.link.alive
        assert agent.service.link.counters.errors == 6


def test_a_full_disk_does_not_forget_what_was_acknowledged(
    mosquitto: Mosquitto, start: StartAgent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR), FakeHost(mosquitto.port) as host:
        agent = start(mosquitto.port)
        failures = iter([OutboxFullError("no space")] * 3)
        monkeypatch.setattr(agent.outbox, "acknowledge", failing(failures, agent.outbox.acknowledge))
        agent.tap.give(1)
        complete(agent, host, 1)
        assert set(host.received.values()) == {1}
        assert agent.service.link.counters.connections == 1
        assert agent.service.link.counters.acknowledged == 1


def test_a_frame_that_cannot_be_read_back_is_given_up_and_the_others_arrive(
    mosquitto: Mosquitto, start: StartAgent, caplog: pytest.LogCaptureFixture
) -> None:
    agent = start(mosquitto.port)
    agent.tap.give(3)
    eventually(lambda: agent.outbox.last_seq == 3, 30, "frames on disk")
    with agent.outbox._lock:
        agent.outbox._db.execute("UPDATE body SET header = '{}' WHERE seq = 2")
    with caplog.at_level(logging.ERROR), FakeHost(mosquitto.port) as host:
        eventually(lambda: agent.outbox.pending() == (), 30, "an empty outbox")
        assert host.seqs_of("ab" * 8) == ((1, 1), (3, 3))
    assert agent.outbox.report().dropped == ((2, 2, "unreadable"),)
    assert "frame 2 is given up" in caplog.text


def failing(failures: Iterator[Exception], real: Callable[..., object]) -> Callable[..., object]:
    """`real`, which first raises every failure that is left."""

    def call(*arguments: object) -> object:
        for failure in failures:
            raise failure
        return real(*arguments)

    return call


def test_a_broker_of_mqtt_3_1_1_is_spoken_to_in_3_1_1(tmp_path: Path, start: StartAgent) -> None:
    pytest.importorskip("iotcore", reason="iotcore is not installed: pip install '.[demo]'")
    port = free_port()
    command = brokers.write(brokers.plan("iotcore", port), tmp_path)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as broker:
        try:
            eventually(lambda: answers(port), 30, "iotcore")
            agent = start(port)
            eventually(lambda: agent.phase is Phase.WAITING, 30, "a connection")
            assert "MQTT 3.1.1" in agent.service.link.detail
            with FakeHost(port, protocol=MQTTProtocolVersion.MQTTv311) as host:
                agent.tap.give(20)
                complete(agent, host, 20)
            agent.service.link.stop()
        finally:
            broker.kill()
