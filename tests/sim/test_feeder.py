"""`palier simulate --broker`: an agent of its own against a running broker and host."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from palier.children import free_port
from palier.embedded import EmbeddedPlant
from palier.historian.sqlite import SqliteHistorian
from palier.plant import load_sample_plant, sample_plant_path
from tests.support.fake_host import FakeHost
from tests.support.processes import mentioning
from tests.support.services import Mosquitto, mosquitto_path

SIMULATE = (sys.executable, "-P", "-m", "palier", "simulate", "--broker")


def test_machines_are_fed_into_a_running_plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mosquitto_path()
    monkeypatch.setenv("PALIER_HOME", str(tmp_path / "home"))
    site = load_sample_plant().site_id
    with EmbeddedPlant(tmp_path / "run", sample_plant_path()) as plant:
        length = ("--seconds", "8", "--interval", "2", "--block", "1")
        done = subprocess.run(
            [*SIMULATE, f"127.0.0.1:{plant.broker_port}", "--machine", "B-501", *length],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        historian = SqliteHistorian(plant.data.historian, read_only=True)
        scored = historian.read("feature", ["velocity_rms_mm_s"], site=site, machine="B-501")
        historian.close()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "linked to a host" in done.stdout
    assert len(scored) >= 2
    assert not mentioning(str(tmp_path / "home"))


def test_blocks_that_nobody_acknowledges_are_counted_and_no_success(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALIER_HOME", str(tmp_path))
    options = ("--machine", "B-501", "--seconds", "6", "--interval", "1", "--block", "0.5")
    host = FakeHost(mosquitto.port, group=load_sample_plant().site_id)
    host.acknowledging = False
    with host:
        done = subprocess.run(
            [*SIMULATE, f"127.0.0.1:{mosquitto.port}", *options],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    assert done.returncode == 1
    assert "linked to a host" in done.stdout
    told = re.search(r"(\d+) blocks are not acknowledged: .* wait in \S+ for the next run", done.stderr)
    assert told is not None, done.stderr
    assert int(told[1]) == len(host.stored)


@pytest.mark.parametrize("acknowledging", [True, False])
def test_ctrl_c_is_a_success_where_the_host_answers(
    acknowledging: bool, mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALIER_HOME", str(tmp_path))
    options = ("--machine", "B-501", "--interval", "1", "--block", "0.5")
    host = FakeHost(mosquitto.port, group=load_sample_plant().site_id)
    feeding = [*SIMULATE, f"127.0.0.1:{mosquitto.port}", *options]
    with (
        host if acknowledging else contextlib.nullcontext(),
        subprocess.Popen(feeding, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running,
    ):
        assert running.stdout is not None
        for line in running.stdout:
            if "linked" in line or ("samples" in line and not acknowledging):
                break
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    assert "stopped" in out
    assert (running.returncode, "nothing was delivered" in err) == (
        (0, False) if acknowledging else (1, True)
    )


def test_a_broker_on_another_machine_needs_a_decision() -> None:
    done = subprocess.run(
        [*SIMULATE, "192.0.2.1:1883", "--seconds", "5"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert "tls_ca" in done.stderr


def test_a_run_without_a_broker_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIER_HOME", str(tmp_path))
    broker = f"127.0.0.1:{free_port()}"
    options = ("--machine", "B-501", "--seconds", "6", "--interval", "1", "--block", "0.5")
    done = subprocess.run(
        [*SIMULATE, broker, *options], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert f"nothing was delivered: the broker {broker} can't be reached" in done.stderr
    assert str(tmp_path / "simulate" / "simulated" / "outbox" / "simulated") in done.stderr
    assert re.search(r"; [1-9]\d* blocks wait in ", done.stderr)
