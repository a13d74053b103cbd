"""What systemd hears of an ingest: ready, alive while its work moves, going."""

from __future__ import annotations

import socket
import tempfile
import time
from pathlib import Path

import pytest

from tests.host.conftest import Ingest
from tests.support.gateway import Gateway, waveform
from tests.support.services import Mosquitto
from tests.support.waiting import eventually


def test_systemd_hears_ready_alive_and_stopping(mosquitto: Mosquitto, ingest: Ingest) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="n") as folder,  # a socket's path may have 107 bytes at most
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        manager.bind(str(Path(folder, "notify")))
        manager.settimeout(60)
        ingest.environment["NOTIFY_SOCKET"] = str(Path(folder, "notify"))
        ingest.start()
        heard: set[str] = set()
        while not heard >= {"WATCHDOG=1", "READY=1"}:  # signs of life come before and after, at any pace
            heard.add(manager.recv(4096).decode().splitlines()[0])
        assert heard == {"WATCHDOG=1", "READY=1"}
        ingest.wait_ready()
        ingest.stop()
        while (said := manager.recv(4096).decode()) != "STOPPING=1":
            assert said.startswith("WATCHDOG=1")


@pytest.mark.long
def test_a_commit_that_hangs_costs_the_signs_of_life_though_the_link_is_up(
    mosquitto: Mosquitto, ingest: Ingest
) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="n") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        manager.bind(str(Path(folder, "notify")))
        manager.settimeout(60)
        ingest.environment["NOTIFY_SOCKET"] = str(Path(folder, "notify"))
        ingest.environment["PALIER_FAILPOINT"] = "before_records:sleep=60"
        ingest.start("import ingest.service\ningest.service.STUCK_S = 1.0")
        with Gateway(mosquitto.port) as gateway:
            gateway.wait_for_host().born()
            gateway.send(1, waveform(time.time_ns()))
            said: list[str] = []

            def no_sign_of_life() -> bool:
                said.append(manager.recv(4096).decode().partition("=")[0])
                return said[-3:] == ["STATUS"] * 3

            eventually(no_sign_of_life, 60, "a status without a sign of life, again and again")
            eventually(lambda: not ingest.ready() and "ago" in ingest.detail("progress"), 60, "no progress")
            assert ingest.metric("palier_ingest_online") == 1.0
            assert gateway.acked == []
