"""The word to the service manager, and the units that ask for it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.outbox import open_outbox
from edge_agent.service import AgentService, run_until
from edge_agent.settings import AgentSettings, BrokerSettings
from palier.clock import PlantClock
from palier.notify_systemd import Notifier
from tests.support.edge_agent import write_agent
from tests.support.leaping_clock import LeapingClock
from tests.support.services import free_port, program
from tests.support.waiting import eventually

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"


class Manager:
    """The end of systemd: what services said, in order."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.setblocking(False)
        self.heard: list[str] = []

    def environ(self, watchdog_s: float, pid: int | None = None) -> dict[str, str]:
        told = {"NOTIFY_SOCKET": str(self.path), "WATCHDOG_USEC": str(round(watchdog_s * 1e6))}
        return told if pid is None else {**told, "WATCHDOG_PID": str(pid)}

    def listen(self) -> list[str]:
        while True:
            try:
                self.heard.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return self.heard

    def count(self, word: str) -> int:
        return sum(word in said.splitlines() for said in self.listen())


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path)
    yield made
    made.socket.close()


def test_without_a_manager_nothing_is_said() -> None:
    notifier = Notifier({})
    notifier.ready("x")
    notifier.alive("x")
    notifier.close()
    assert notifier.watchdog_s is None


def test_a_manager_that_is_gone_stops_nobody(tmp_path: Path) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "nowhere")})
    notifier.alive("x")
    notifier.close()


def test_the_watchdog_of_another_process_is_not_ours(manager: Manager) -> None:
    other = Notifier(manager.environ(60, pid=1))
    assert other.watchdog_s is None
    other.close()
    mine = Notifier(manager.environ(60, pid=os.getpid()))
    assert mine.watchdog_s == 30.0
    mine.status("two\nlines")
    mine.close()
    assert manager.listen() == ["STATUS=two lines"]


def test_an_agent_without_a_broker_is_ready_and_alive(manager: Manager, tmp_path: Path) -> None:
    """Progress is frames on the disk and loops that turn, not a connection."""
    config = write_agent(tmp_path, free_port(), rate="0.5")
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "edge_agent", "--config", str(config)],
        env={**os.environ, **manager.environ(1.0)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as agent:
        try:
            eventually(lambda: manager.count("READY=1"), 30, "READY")
            eventually(lambda: manager.count("WATCHDOG=1") > 2, 30, "signs of life")
            agent.send_signal(signal.SIGTERM)
            assert agent.wait(60) == 0
        finally:
            agent.kill()
    assert manager.listen()[0].startswith("READY=1\nSTATUS=")
    assert "STOPPING=1" in manager.heard


def test_a_link_that_stands_still_costs_the_signs_of_life(manager: Manager, tmp_path: Path) -> None:
    hang, hangs, over, stop = threading.Event(), threading.Event(), threading.Event(), threading.Event()
    clock = LeapingClock()

    def jitter() -> float:
        """Called by the link's thread between two connections; there it stays."""
        if hang.is_set():
            hangs.set()
            over.wait(100)
        return 0.5

    outbox = open_outbox(tmp_path / "outbox", "usine/p1", draw_epoch=lambda: "ab" * 8, cap_bytes=10**9)
    settings = AgentSettings("usine", "p1", tmp_path / "outbox", broker=BrokerSettings(port=free_port()))
    service = AgentService(
        settings,
        outbox,
        [],
        clock=PlantClock(),
        monotonic_s=clock,
        jitter=jitter,
        serve_health=False,
    )
    notifier = Notifier(manager.environ(0.1))
    thread = threading.Thread(target=run_until, args=(service, stop, notifier), daemon=True)
    thread.start()
    try:
        eventually(lambda: manager.count("WATCHDOG=1") > 2, 30, "signs of life")
        hang.set()
        eventually(hangs.is_set, 30, "a link that hangs")
        clock.leap(31)  # it may for 30 s
        eventually(lambda: any("stood still" in said for said in manager.listen()), 30, "the reason")
        assert not service.report().alive
        before, heard = manager.count("WATCHDOG=1"), len(manager.heard)
        eventually(lambda: len(manager.listen()) > heard + 3, 30, "more words")
        assert manager.count("WATCHDOG=1") == before
        over.set()
        eventually(lambda: manager.count("WATCHDOG=1") > before, 30, "signs of life again")
    finally:
        over.set()
        stop.set()
        thread.join(60)
    assert not thread.is_alive()


@pytest.fixture(params=["palier-agent", "palier-ingest"])
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit whose program is one that is here."""
    name: str = request.param
    text = (UNITS / f"{name}.service").read_text("utf-8")
    made = tmp_path / f"{name}.service"
    here = str(Path(sys.executable).parent)
    made.write_text(re.sub(r"/opt/palier/(current/)?bin", here, text), "utf-8")
    return made


def test_systemd_takes_the_units(unit: Path) -> None:
    analyze = program("systemd-analyze")
    done = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


MOST_EXPOSED = {"palier-agent": 1.7, "palier-ingest": 1.4}
"""What docs/gateway.md states, of 10; a new line that opens something shows here."""


def test_the_units_expose_little(unit: Path) -> None:
    analyze = program("systemd-analyze")
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= MOST_EXPOSED[unit.stem]


def test_the_units_are_watched_by_progress_and_run_as_a_user_of_their_own(unit: Path) -> None:
    lines = set(unit.read_text("utf-8").splitlines())
    assert {"Type=notify", "WatchdogSec=60", "DynamicUser=yes", f"StateDirectory={unit.stem}"} <= lines
    assert not any("assword=" in line and "LoadCredential" not in line for line in lines)
