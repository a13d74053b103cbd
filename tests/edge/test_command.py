"""`palier agent` becomes the agent; `--check` tries everything once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent import command
from edge_agent.__main__ import main
from tests.support.edge_agent import write_agent
from tests.support.services import Mosquitto, free_port


def test_it_executes_the_small_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executed: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _path, arguments: executed.append(arguments))
    command.agent(tmp_path / "agent.toml", check=True)
    assert executed == [
        [sys.executable, "-P", "-m", "edge_agent", "--config", str(tmp_path / "agent.toml"), "--check"]
    ]


def test_check_says_what_works(
    mosquitto: Mosquitto, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", str(write_agent(tmp_path, mosquitto.port)), "--check"]) == 0
    shown = capsys.readouterr().out
    assert "source replay: 1 machines" in shown
    assert "accepts MQTT 5" in shown


def test_check_fails_without_a_broker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(write_agent(tmp_path, free_port())), "--check"]) == 1
    assert "FAILED  the broker can't be reached" in capsys.readouterr().out


def test_a_second_agent_on_the_same_outbox_ends_with_1(tmp_path: Path) -> None:
    from edge_agent.outbox import open_outbox

    config = write_agent(tmp_path, free_port())
    held = open_outbox(tmp_path / "outbox", "usine/p1", draw_epoch=lambda: "a" * 16, cap_bytes=10**9)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "edge_agent", "--config", str(config)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    finally:
        held.close()
    assert done.returncode == 1
    assert "another agent is running" in done.stderr
    assert "Traceback" not in done.stderr
