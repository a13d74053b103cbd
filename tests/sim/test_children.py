"""Child processes: ready, explained, and gone whatever becomes of their parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from palier.children import ChildError, Family, free_port, is_ready, port_is_free, start, stop, wait_until
from tests.support.processes import alive
from tests.support.services import answers
from tests.support.waiting import eventually

SLEEPS = (sys.executable, "-S", "-c", "import time; print('here', flush=True); time.sleep(60)")
STUBBORN = (
    sys.executable,
    "-S",
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('here', flush=True); time.sleep(60)",
)


def test_its_output_goes_to_its_log(tmp_path: Path) -> None:
    child = start("sleeper", SLEEPS, tmp_path / "log")
    try:
        wait_until(child, lambda: "here" in child.log.read_text(), 10)
        assert child.running
    finally:
        stop([child], 5)
    assert not child.running


def test_a_stubborn_child_is_killed(tmp_path: Path) -> None:
    child = start("stubborn", STUBBORN, tmp_path / "log")
    wait_until(child, lambda: "here" in child.log.read_text(), 10)
    stop([child], 0.2)
    assert child.process.returncode == -signal.SIGKILL


def test_what_a_child_left_behind_goes_with_it(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\nprint(subprocess.Popen(sys.argv[1:]).pid, flush=True); time.sleep(60)"
    )
    child = start("parent", (sys.executable, "-c", code, *SLEEPS), tmp_path / "log")
    wait_until(child, lambda: child.log.read_text().strip() != "", 10)
    grandchild = int(child.log.read_text().split()[0])
    stop([child], 5)
    eventually(lambda: not alive(grandchild), 5, "the end of the grandchild")


def test_a_child_that_ends_is_explained_by_its_log(tmp_path: Path) -> None:
    code = "import sys; print('no such sensor'); sys.exit(3)"
    child = start("agent x", (sys.executable, "-c", code), tmp_path / "log")
    with pytest.raises(
        ChildError, match=r"agent x ended at its start with exit code 3(?s:.*)no such sensor"
    ) as caught:
        wait_until(child, lambda: False, 10)
    assert str(tmp_path / "log") in str(caught.value)


def test_a_child_that_is_never_ready_is_explained(tmp_path: Path) -> None:
    child = start("slow", SLEEPS, tmp_path / "log")
    try:
        with pytest.raises(ChildError, match=r"slow was not ready within 0\.2 s"):
            wait_until(child, lambda: False, 0.2)
    finally:
        stop([child], 5)


def test_a_log_that_can_not_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ChildError, match="can't be started with its log at"):
        start("x", SLEEPS, tmp_path / "nowhere" / "log")


def test_a_family_stops_the_last_first_and_notices_a_death(tmp_path: Path) -> None:
    family = Family()
    family.members += [start(name, SLEEPS, tmp_path / name) for name in ("broker", "agent")]
    family.check()
    broker = family.members[0]
    broker.process.kill()
    broker.process.wait()
    with pytest.raises(ChildError, match="broker ended with exit code -9"):
        family.check()
    family.stop()
    family.stop()
    assert not family.members


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
def test_kill_9_of_the_parent_takes_its_children_along(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from palier.children import start\n"
        "child = start('sleeper', sys.argv[2:], Path(sys.argv[1]))\n"
        "print(child.process.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "log"), *SLEEPS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        eventually(lambda: "here" in (tmp_path / "log").read_text(), 10, "the child at work")
        parent.kill()
    eventually(lambda: not alive(child), 5, "the end of the child")


def test_a_child_does_not_share_the_terminals_signals(tmp_path: Path) -> None:
    child = start("sleeper", SLEEPS, tmp_path / "log")
    try:
        assert os.getpgid(child.process.pid) == child.process.pid != os.getpgrp()
    finally:
        stop([child], 5)


def test_a_port_that_may_not_be_opened_is_not_called_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forbidding(socket.socket):
        def bind(self, address: object, /) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "socket", Forbidding)
    with pytest.raises(PermissionError):
        port_is_free(80)


def test_a_free_port_is_free_and_not_ready() -> None:
    port = free_port()
    assert port_is_free(port)
    assert not answers(port)
    assert not is_ready(port)
