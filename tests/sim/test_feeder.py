"""`palier simulate --broker`: an agent of its own against a running broker and host."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from palier.frames import Waveform
from palier.plant import load_sample_plant
from simulators import feeder
from simulators.feeder import Feed, FeedError, feed
from tests.support.fake_host import FakeHost
from tests.support.processes import mentioning
from tests.support.services import Mosquitto

SOURCE = {"machines": ["B-501"], "interval_s": 0.5, "block_s": 0.2}
SIMULATE = (sys.executable, "-P", "-m", "palier", "simulate", "--broker")


def test_machines_are_fed_to_the_host_that_is_there(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALIER_HOME", str(tmp_path / "home"))
    said: list[str] = []
    with FakeHost(mosquitto.port, group=load_sample_plant().site_id) as host:
        feed(Feed(SOURCE, "127.0.0.1", mosquitto.port, "simulated", 1.0), said.append)
        fed = [frame for frame in host.stored.values() if isinstance(frame, Waveform)]
    assert any("linked to a host" in line for line in said)
    assert fed  # how many fall into a second is the pace of the machine that runs this
    assert {frame.machine for frame in fed} == {"B-501"}
    assert not mentioning(str(tmp_path / "home"))


@pytest.mark.long
def test_blocks_that_nobody_acknowledges_are_counted_and_no_success(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALIER_HOME", str(tmp_path))
    monkeypatch.setattr(feeder, "PATIENCE_S", 2.0)
    host, said = FakeHost(mosquitto.port, group=load_sample_plant().site_id), list[str]()
    host.acknowledging = False
    with host, pytest.raises(FeedError) as told:
        feed(Feed(SOURCE, "127.0.0.1", mosquitto.port, "simulated", 1.0), said.append)
    assert any("linked to a host" in line for line in said)
    count = re.search(r"(\d+) blocks are not acknowledged: .* wait in \S+ for the next run", str(told.value))
    assert count is not None, told.value
    assert 0 < len(host.stored) <= int(count[1])  # the last may not have been on its way yet


def test_ctrl_c_is_a_success_where_the_host_answers(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALIER_HOME", str(tmp_path))
    options = ("--machine", "B-501", "--interval", "1", "--block", "0.5")
    feeding = [*SIMULATE, f"127.0.0.1:{mosquitto.port}", *options]
    with (
        FakeHost(mosquitto.port, group=load_sample_plant().site_id),
        subprocess.Popen(feeding, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running,
    ):
        assert running.stdout is not None
        assert any("linked" in line for line in running.stdout)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    assert (running.returncode, err) == (0, "")
    assert "stopped" in out


def test_ctrl_c_is_none_where_nothing_was_delivered(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALIER_HOME", str(tmp_path))
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if "Ctrl-C stops it" in line:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(
        FeedError, match=r"nothing was delivered: the broker .* is there, but no ingest answered"
    ):
        feed(Feed(SOURCE, "127.0.0.1", mosquitto.port, "simulated", None), say)
    assert said[-1] == "stopped"


def test_a_broker_on_another_machine_needs_a_decision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALIER_HOME", str(tmp_path))
    with pytest.raises(FeedError, match="tls_ca must name its authority's certificate"):
        feed(Feed(SOURCE, "192.0.2.1", 1883, "simulated", 5.0), print)


def test_a_run_without_a_broker_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIER_HOME", str(tmp_path))
    monkeypatch.setattr(feeder, "NO_LINK_S", 0.5)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # nobody listens there, and nobody else gets it meanwhile
        port = held.getsockname()[1]
        with pytest.raises(FeedError) as told:
            feed(Feed(SOURCE, "127.0.0.1", port, "simulated", 1.0), print)
    assert f"nothing was delivered: the broker 127.0.0.1:{port} can't be reached" in str(told.value)
    assert str(tmp_path / "simulate" / "simulated" / "outbox" / "simulated") in str(told.value)
    assert re.search(r"; [1-9]\d* blocks wait in ", str(told.value))
