"""One run at a time in a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from palier.embedded import state_folder
from simulators.run_folder import RunFolderError, locked, run_folder
from tests.support.waiting import eventually


def test_a_run_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    with run_folder(tmp_path / "demo") as run:
        assert run.is_dir()
        assert run.stat().st_mode & 0o077 == 0


def test_the_last_run_is_kept_until_the_next(tmp_path: Path) -> None:
    with run_folder(tmp_path) as first:
        (first / "data").mkdir()
    assert first.exists()
    old = first.rename(tmp_path / "run-20200101-000000")
    with run_folder(tmp_path):
        assert not old.exists()


def test_what_is_not_a_run_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "notes"
    mine.mkdir()
    with run_folder(tmp_path):
        assert mine.exists()


def test_a_second_run_is_refused_and_told_of_the_first(tmp_path: Path) -> None:
    with (
        run_folder(tmp_path),
        pytest.raises(RunFolderError, match=f"process {os.getpid()}.*--data") as caught,
        run_folder(tmp_path),
    ):
        pass
    assert str(tmp_path) in str(caught.value)
    with run_folder(tmp_path):  # and is let in afterwards
        pass


def test_what_is_checked_is_asked_after_the_lock_and_before_the_last_run_is_removed(tmp_path: Path) -> None:
    """A second run on the same port is told of the first, not of a port; and a refusal removes nothing."""

    def refuse() -> None:
        raise OSError("port")

    with run_folder(tmp_path), pytest.raises(RunFolderError), run_folder(tmp_path, refuse):
        pass
    old = tmp_path / "run-20200101-000000"
    old.mkdir()
    with pytest.raises(OSError, match="port"), run_folder(tmp_path, refuse):
        pass
    assert old.exists()


def test_a_killed_run_does_not_hold_the_folder(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from simulators.run_folder import locked\n"
        "with locked(Path(sys.argv[1])): time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) as holder:
        eventually(
            lambda: (tmp_path / "run.lock").exists() and (tmp_path / "run.lock").read_text(), 10, "lock"
        )
        holder.kill()
    with locked(tmp_path):
        pass


def test_a_folder_that_can_not_be_made_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(RunFolderError, match=r"can't be written.*--data"), run_folder(file / "demo"):
        pass


def test_where_state_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PALIER_HOME", str(tmp_path))
    assert state_folder() == tmp_path
    monkeypatch.delenv("PALIER_HOME")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert state_folder() == tmp_path / "state" / "palier"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert state_folder() == Path.home() / ".local" / "state" / "palier"
