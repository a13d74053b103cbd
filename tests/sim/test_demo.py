"""The demonstration as people run it: a process of its own, ended in every way."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from palier.asking import OperatorSettings
from palier.embedded import Agent
from palier.historian.sqlite import SqliteHistorian
from palier.locale import Catalogue
from palier.plant import load_plant, load_sample_plant, sample_plant_path
from palier.settings import load_settings
from simulators import demo, demo_command
from simulators.demo import DemoOptions, cache_of, rate, source_of
from simulators.interruptions import Interrupted, interruptions
from simulators.screens import PlainScreen
from tests.support.processes import mentioning
from tests.support.services import free_port, mosquitto_path
from tests.support.stores import rows
from tests.support.waiting import eventually

MACHINES = [machine.id for machine in load_sample_plant().machines]
START_S = 180  # on a machine that is busy with other tests


@dataclass(frozen=True)
class Running:
    """A demonstration under way, and what it has shown."""

    folder: Path
    process: subprocess.Popen[str]
    log: Path
    port: int

    def shown(self) -> str:
        return self.log.read_text()

    def wait_for(self, text: str) -> None:
        eventually(lambda: text in self.shown(), START_S, f"{text!r} on the screen")


@contextmanager
def running(folder: Path, *, until: str = "http://") -> Iterator[Running]:
    """A demonstration that has said so much; by default its page is served."""
    mosquitto_path()
    log = folder.parent / "shown"
    port = free_port()
    command = [sys.executable, "-P", "-m", "palier", "demo", "--no-browser", "--data", str(folder)]
    with log.open("w") as shown:
        process = subprocess.Popen(
            [*command, "--port", str(port)], stdout=shown, stderr=subprocess.STDOUT, text=True
        )
    one = Running(folder, process, log, port)
    try:
        one.wait_for(until)
        yield one
    finally:
        process.kill()
        process.wait()


def gone(folder: Path) -> None:
    """Nothing that was configured from the folder runs any more."""
    eventually(lambda: not mentioning(str(folder)), 30, "the end of every process")


def run_here(folder: Path, **options: object) -> None:
    """A demonstration that is refused before it starts anything."""
    port = options.pop("port", free_port())
    demo.run_demo(
        DemoOptions(folder, port, **options),  # type: ignore[arg-type]
        PlainScreen(Console(), quiet=True),
    )


@pytest.mark.long  # tests/whole looks at a first run in a browser
@pytest.mark.timeout(400)
def test_a_first_run_is_live_fills_its_history_and_leaves_nothing_when_it_is_stopped(tmp_path: Path) -> None:
    with running(tmp_path / "demo") as one:
        one.wait_for("Historique de 30 jours")
        one.wait_for("Les premières valeurs en direct")
        one.wait_for("B-501 est à l'arrêt")
        eventually(
            lambda: all(f"{name}  " in one.shown() and "mm/s eff." in one.shown() for name in MACHINES),
            START_S,
            "a line of each machine",
        )
        assert len(mentioning(str(one.folder))) >= 5  # itself, broker, ingest, page, agent
        with pytest.raises(Exception, match=r"another run is using (?s:.*)--data"):
            run_here(one.folder, port=one.port)  # a second one of the same kind meets the same port
        one.process.send_signal(signal.SIGINT)
        assert one.process.wait(60) == 0
    gone(one.folder)
    assert one.shown().splitlines()[-1].startswith("Tout est arrêté.")
    (data,) = one.folder.glob("run-*/data")
    for command in (f"palier alarms list --data {data}", f"palier report P-101 --data {data}"):
        assert command in one.shown()
    site = load_plant(data.parent / "plant.toml").site_id
    assert load_settings(OperatorSettings, data.parent / "operator.toml").site == site


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
def test_kill_9_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with running(folder, until="Démarrage") as one:
        eventually(lambda: len(mentioning(str(folder))) >= 3, START_S, "the first parts")
        one.process.kill()
        one.process.wait()
        gone(folder)


@pytest.mark.parametrize(
    ("kept", "sources"), [(True, ["simulated"]), (False, ["simulated", "simulated_history"])]
)
def test_a_kept_history_is_taken_over_and_without_one_it_is_made(
    kept: bool, sources: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Agent] = []

    def plant(folder: Path, plant_file: Path, *, agents: Sequence[Agent], **more: object) -> None:
        started.extend(agents)
        assert (folder / "data" / "historian.sqlite").exists() == kept
        raise Interrupted

    monkeypatch.setattr(demo, "EmbeddedPlant", plant)
    if kept:
        keep_a_past(tmp_path)
    run_here(tmp_path)
    assert [source["type"] for source in started[0].sources] == sources


def keep_a_past(folder: Path) -> None:
    """As an earlier demonstration would have: a row of each machine."""
    plant_file = sample_plant_path()
    plant = load_plant(plant_file)
    options = DemoOptions(folder, 1)
    cache = cache_of(options, source_of(options, plant_file, plant), plant_file)
    cache.folder.mkdir(parents=True)
    historian = SqliteHistorian(cache.file)
    for machine in MACHINES:
        block = rows("feature", [1], {"frame": ["e:a:1"]}, site=plant.site_id, machine=machine)
        historian.write([block])
    historian.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whoever_asks_it_to_stop_is_heard_once(number: signal.Signals) -> None:
    with pytest.raises(Interrupted), interruptions():
        signal.raise_signal(number)


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        app = typer.Typer()
        app.command()(demo_command.demo)
        done = CliRunner().invoke(app, ["--data", str(tmp_path / "demo"), "--port", str(port)])
    assert done.exit_code == 1
    assert f"port {port}" in done.output
    assert "--port" in done.output


def test_a_port_without_the_right_to_it_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(port: int) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(demo, "port_is_free", forbidden)
    with pytest.raises(demo.DemoError, match=r"port 80 of .* needs rights that this user does not have"):
        run_here(tmp_path, port=80)


def test_a_folder_that_can_not_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Exception, match=r"can't be written(?s:.*)--data"):
        run_here(tmp_path / "file" / "demo")


def test_a_scenario_that_is_none_is_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(demo.DemoError, match=r"nowhere\.toml"):
        run_here(tmp_path, scenario=str(tmp_path / "nowhere.toml"))


def test_the_printed_rate_is_what_is_sent() -> None:
    blocks, megabytes = rate(load_sample_plant())
    assert blocks == pytest.approx(10 * 1440 / 1200)  # ten points, each every 20 minutes of the plant
    assert megabytes == pytest.approx(2 * 1.6 * (9 * 25_600 + 51_200) / 1200 * 1440 * 60 / 1e6)


def test_every_language_says_everything() -> None:
    keys = {f"demo.{key}" for key in Catalogue("fr").table("demo")}
    assert {"demo.starting", "demo.page", "demo.rate", "demo.hint", "demo.stopped"} <= keys
    for lang in ("en", "ar"):
        assert keys <= Catalogue(lang).keys()
