"""The demonstration as people run it: a process of its own, ended in every way."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from palier.children import free_port
from palier.locale import Catalogue
from palier.plant import load_sample_plant
from simulators import demo
from simulators.demo import rate
from simulators.screens import PlainScreen
from tests.support.processes import mentioning
from tests.support.services import mosquitto_path
from tests.support.waiting import eventually

MACHINES = [machine.id for machine in load_sample_plant().machines]


def command(folder: Path, *arguments: str) -> list[str]:
    port = str(free_port())
    base = [sys.executable, "-P", "-m", "palier", "demo", "--no-browser", "--data", str(folder)]
    return [*base, "--port", port, *arguments]


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A demonstration whose page is served."""
    log = folder.parent / "shown"
    with log.open("w") as shown:
        process = subprocess.Popen(
            command(folder, *arguments), stdout=shown, stderr=subprocess.STDOUT, text=True
        )
    try:
        eventually(lambda: "http://" in log.read_text(), 45, "the address of the page")
        yield process
    finally:
        process.kill()
        process.wait()


def gone(folder: Path) -> None:
    """Nothing that was configured from the folder runs any more."""
    eventually(lambda: not mentioning(str(folder)), 10, "the end of every process")


def test_all_five_machines_are_live(tmp_path: Path) -> None:
    mosquitto_path()
    folder = tmp_path / "demo"
    done = subprocess.run(
        command(folder, "--for", "20"), capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    last = {line.split("  ")[0]: line for line in lines if line.split("  ")[0] in MACHINES}
    assert sorted(last) == sorted(MACHINES)
    for line in last.values():
        assert "mm/s eff." in line, done.stdout
        assert "°C" in line
    assert "surveillance" in last["V-301"] or "alerte" in last["V-301"]
    assert "apprentissage" in last["B-501"]  # no standard has limits for it
    assert "http://127.0.0.1:" in done.stdout
    assert lines[-1].startswith("Tout est arrêté.")
    gone(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_being_asked_to_stop_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    mosquitto_path()
    folder = tmp_path / "demo"
    with running(folder, "--seed", "3") as process:
        assert len(mentioning(str(folder))) >= 5  # itself, broker, ingest, page, agent
        process.send_signal(number)
        assert process.wait(25) == 0
    gone(folder)
    assert "Tout est arrêté." in (tmp_path / "shown").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
def test_kill_9_leaves_nothing(tmp_path: Path) -> None:
    mosquitto_path()
    folder = tmp_path / "demo"
    with running(folder) as process:
        process.kill()
        process.wait()
        gone(folder)


def test_a_second_one_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    mosquitto_path()
    folder = tmp_path / "demo"
    with running(folder):
        second = subprocess.run(command(folder), capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert "another run is using" in second.stderr
    assert "--data" in second.stderr
    gone(folder)


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*command(tmp_path / "demo"), "--port", port],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    assert f"port {port}" in done.stderr
    assert "--port" in done.stderr


def test_a_port_without_the_right_to_it_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(port: int) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(demo, "port_is_free", forbidden)
    with pytest.raises(demo.DemoError, match=r"port 80 of .* needs rights that this user does not have"):
        demo.run_demo(demo.DemoOptions(tmp_path, 80), PlainScreen(Console(), quiet=True))


def test_the_printed_rate_is_what_is_sent() -> None:
    blocks, megabytes = rate(load_sample_plant())
    assert blocks == pytest.approx(10 / 5)  # ten points, each every 5 s
    assert megabytes == pytest.approx(2 * 2.5 * (9 * 25_600 + 51_200) / 5 * 60 / 1e6)


def test_every_language_says_everything() -> None:
    keys = {f"demo.{key}" for key in Catalogue("fr").table("demo")}
    assert {"demo.starting", "demo.page", "demo.rate", "demo.hint", "demo.stopped"} <= keys
    for lang in ("en", "ar"):
        assert keys <= Catalogue(lang).keys()
