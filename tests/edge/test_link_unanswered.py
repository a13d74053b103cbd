"""A gateway whose messages the broker drops unsaid: the host is online and answers nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.__main__ import main
from edge_agent.link import UNANSWERED
from edge_agent.outbox import open_outbox
from edge_agent.service import AgentService
from edge_agent.settings import AgentSettings, BrokerSettings, SourceSettings
from edge_agent.window import Phase
from palier.clock import PlantClock
from palier.frames import Frame
from palier.source import ChannelBirth, Device
from tests.support.edge_agent import running_agent, stop_agent, waveform, write_agent
from tests.support.fake_host import FakeHost
from tests.support.leaping_clock import LeapingClock
from tests.support.services import Mosquitto
from tests.support.waiting import eventually


class Once:
    """A source of one frame."""

    def devices(self) -> tuple[Device, ...]:
        return (Device("P-101", (ChannelBirth("1/DE", "m/s²", "int16", 0.001, 1000.0),)),)

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        yield waveform(0)
        stop.wait()


@pytest.fixture
def clock() -> LeapingClock:
    return LeapingClock()


@pytest.fixture
def agent(mosquitto: Mosquitto, tmp_path: Path, clock: LeapingClock) -> Iterator[AgentService]:
    settings = AgentSettings(
        "usine",
        "p1",
        tmp_path,
        broker=BrokerSettings(port=mosquitto.port),
        sources=(SourceSettings("once"),),
    )
    outbox = open_outbox(tmp_path, "usine/p1", draw_epoch=lambda: "ab" * 8, cap_bytes=10**9)
    source = Once()
    service = AgentService(
        settings,
        outbox,
        [("once", source, lambda: source)],
        clock=PlantClock(),
        monotonic_s=clock,
        jitter=lambda: 0.5,
        serve_health=False,
    )
    service.start()
    yield service
    service.stop()


def test_it_is_not_ready_until_the_host_answers(
    mosquitto: Mosquitto, agent: AgentService, clock: LeapingClock
) -> None:
    host = FakeHost(mosquitto.port)
    host.acknowledging = False
    with host:
        eventually(lambda: agent.link.state.phase is Phase.OPEN, 30, "the host online for the agent")
        eventually(lambda: host.received, 30, "the frame, which nobody answers")
        clock.leap(61)
        eventually(lambda: agent.report().detail == UNANSWERED, 30, "the agent's doubt")
        told = agent.report()
        assert told.alive
        assert not told.ready
        host.acknowledging = True
        clock.leap(61)  # by then it has asked once more
        eventually(lambda: agent.report().ready, 30, "the host's answer")
        assert agent.report().detail != UNANSWERED
        eventually(lambda: agent.outbox.totals().pending == 0, 30, "an empty outbox")
        later_s = clock.leap(100)
        eventually(lambda: agent.link.beat_s > later_s, 30, "more than a minute without a frame")
        assert agent.report().ready  # nothing to answer is no silence


NAMES = "the account is gw-1 and the node p1"


def with_account(config: Path, name: str) -> Path:
    (config.parent / "password").write_text("x")
    (config.parent / "password").chmod(0o600)
    config.write_text(
        config.read_text().replace(
            "[broker]\n", f'[broker]\nusername = "{name}"\npassword_file = "password"\n'
        )
    )
    return config


def test_check_doubts_an_account_of_another_name(
    mosquitto: Mosquitto, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = with_account(write_agent(tmp_path, mosquitto.port), "gw-1")
    assert main(["--config", str(config), "--check"]) == 0
    assert f"warning {NAMES}" in capsys.readouterr().out


def test_check_does_not_doubt_an_account_of_the_nodes_name(
    mosquitto: Mosquitto, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = with_account(write_agent(tmp_path, mosquitto.port), "p1")
    assert main(["--config", str(config), "--check"]) == 0
    assert "warning" not in capsys.readouterr().out


def test_the_start_doubts_an_account_of_another_name(mosquitto: Mosquitto, tmp_path: Path) -> None:
    config = with_account(write_agent(tmp_path, mosquitto.port), "gw-1")
    with running_agent(config) as process:
        log = config.with_suffix(".log")
        eventually(lambda: NAMES in log.read_text(), 30, "the warning")
        assert "WARNING" in log.read_text()
        assert stop_agent(process) == 0
