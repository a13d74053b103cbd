"""`palier demo --training`: what it is asked, what it keeps, and one whole run from machine to page."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from palier.historian.folder import DataFolder
from palier.training_results import TrainingFolder
from simulators import demo_command, training
from simulators.demo import DemoError
from simulators.run_folder import RunFolderError, locked
from simulators.training import TrainingOptions, session_of
from tests.shared.test_training import result
from tests.support.commands import app_of
from tests.support.services import free_port, mosquitto_path
from tests.support.waiting import eventually

ONE = """title = "Une machine"
[[exercise]]
title = "Pompe"
text = "Un bruit."
machine = "P-101"
fault = "cavitation"
severity = 0.7
explanation = "bruit"
"""


def options(folder: Path, **given: object) -> TrainingOptions:
    return TrainingOptions(folder, free_port(), **given)  # type: ignore[arg-type]


def test_a_session_is_a_file_or_drawn_by_the_seed_or_the_shipped_one(tmp_path: Path) -> None:
    file = tmp_path / "one.toml"
    file.write_text(ONE)
    assert len(session_of(options(tmp_path, exercises=file)).exercises) == 1
    assert len(session_of(options(tmp_path, seed=4)).exercises) == 3
    assert len(session_of(options(tmp_path)).exercises) >= 8


def test_data_are_named_by_machines_and_seeds_and_not_by_texts(tmp_path: Path) -> None:
    file = tmp_path / "one.toml"

    def key(text: str, **given: object) -> str:
        file.write_text(text)
        return session_of(options(tmp_path, exercises=file, **given)).key

    assert key(ONE) == key(ONE.replace("Un bruit", "Autre chose"))
    assert len({key(ONE), key(ONE.replace("0.7", "0.6")), key(ONE, seed=3)}) == 3


def test_what_was_not_finished_begins_anew_and_few_sessions_stay(tmp_path: Path) -> None:
    session = session_of(options(tmp_path))
    folder = TrainingFolder(tmp_path)
    data = training._prepare(folder, session)
    (data / "left").touch()
    assert not (training._prepare(folder, session) / "left").exists()
    (data / training.PREPARED).touch()
    (data / "left").touch()
    assert (training._prepare(folder, session) / "left").exists()
    for key in "abcd":
        (training._prepare(folder, session_of(options(tmp_path, seed=ord(key)))) / training.PREPARED).touch()
    assert len(list(tmp_path.glob("data-*"))) == training.KEPT
    assert folder.session().exercises == session_of(options(tmp_path, seed=ord("d"))).exercises


class Silent:
    """A screen that shows nothing."""

    def say(self, text: str) -> None:
        """Nowhere."""

    def show(self, rows: Sequence[tuple[str, ...]], progress: tuple[str, float] | None = None) -> None:
        """Nothing."""


def test_a_second_training_is_told_of_the_first_and_not_of_its_port(tmp_path: Path) -> None:
    with locked(tmp_path), socket.create_server(("127.0.0.1", 0)) as page:
        port = page.getsockname()[1]
        with pytest.raises(RunFolderError, match="another run is using"):
            training.run_training(TrainingOptions(tmp_path, port), Silent())
    with socket.create_server(("127.0.0.1", 0)) as page, pytest.raises(DemoError, match="in use"):
        training.run_training(TrainingOptions(tmp_path, page.getsockname()[1]), Silent())


def test_mistakes_of_a_file_and_options_that_do_not_go_together_are_sentences(tmp_path: Path) -> None:
    file = tmp_path / "one.toml"
    file.write_text(ONE.replace("cavitation", "cavitatoin"))
    with pytest.raises(DemoError, match="cavitatoin"):
        session_of(options(tmp_path, exercises=file))
    app = app_of(demo_command.demo)
    told = CliRunner().invoke(app, ["--training", "--exercise", str(file), "--data", str(tmp_path / "t")])
    assert told.exit_code == 1
    assert "palier demo:" in told.output
    assert "one.toml:6: fault must be one of" in told.output
    assert CliRunner().invoke(app, ["--exercise", str(file)]).exit_code == 2
    assert CliRunner().invoke(app, ["--training", "--scenario", "healthy"]).exit_code == 2


def test_the_trainer_gets_all_results_as_a_table(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    folder.mkdir()
    TrainingFolder(folder).add(result("Zoé"))
    out = tmp_path / "out.csv"
    app = app_of(demo_command.demo)
    told = CliRunner().invoke(app, ["--training", "--data", str(folder), "--results", str(out)])
    assert told.output == f"1 results written to {out}\n"
    assert out.read_text("utf-8-sig").splitlines()[1].split(",")[1] == "Zoé"
    told = CliRunner().invoke(app, ["--training", "--data", str(folder), "--results", str(tmp_path / "no/x")])
    assert "can't be written" in told.output


@pytest.mark.long
@pytest.mark.timeout(300)  # a busy machine takes half a minute to import everything
def test_a_machine_comes_to_the_page_through_gateway_and_ingest_and_stays_for_the_next_time(
    tmp_path: Path,
) -> None:
    mosquitto_path()
    (tmp_path / "one.toml").write_text(ONE)
    assert "Signaux des exercices" in played(tmp_path, "prêts, et le resteront")
    assert "depuis une fois précédente" in played(tmp_path, "depuis une fois précédente")
    (data,) = (tmp_path / "t").glob("data-*")
    assert DataFolder(data / "data").historian.exists()


def played(folder: Path, until: str) -> str:
    """What a run shows until it says so; its page tells by then that all blocks are there."""
    log, port = folder / "shown", free_port()
    command = [
        sys.executable,
        "-P",
        "-m",
        "palier",
        "demo",
        "--training",
        "--no-browser",
        "--port",
        str(port),
    ]
    command += ["--exercise", str(folder / "one.toml"), "--data", str(folder / "t")]
    with log.open("w") as shown:
        process = subprocess.Popen(command, stdout=shown, stderr=subprocess.STDOUT, text=True)
    try:
        eventually(lambda: until in log.read_text(), 100, f"{until!r} on the screen")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/training/ready")
        assert json.loads(connection.getresponse().read()) == {"EX-01": 1.0}
        connection.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    return log.read_text()
