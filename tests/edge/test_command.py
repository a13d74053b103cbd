"""`palier agent` becomes the agent; `--check` tries everything once."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_agent import command
from edge_agent.__main__ import main
from edge_agent.outbox import Outbox
from tests.support.edge_agent import waveform, write_agent
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


def test_check_reads_the_services_credential_where_it_came_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_agent(tmp_path, free_port())
    text = config.read_text()
    assert "[broker]\n" in text
    credential = 'username = "gw-1"\npassword_file = "/run/credentials/palier-agent.service/password"\n'
    config.write_text(text.replace("[broker]\n", "[broker]\n" + credential))
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "password").chmod(0o600)
    assert main(["--config", str(config), "--check"]) == 1
    shown = capsys.readouterr().out
    assert "the broker can't be reached" in shown
    assert "can't be read" not in shown


def test_a_second_agent_on_the_same_outbox_ends_with_1(tmp_path: Path) -> None:
    from edge_agent.outbox import open_outbox

    config = write_agent(tmp_path, free_port())
    held = open_outbox(tmp_path / "outbox", "usine/p1", draw_epoch=lambda: "a" * 16, cap_bytes=10**9)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "edge_agent", "--config", str(config)],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    finally:
        held.close()
    assert done.returncode == 1
    assert "another agent is running" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_host_lost_is_sent_again_by_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from edge_agent.outbox import open_outbox

    config = write_agent(tmp_path, free_port())

    def opened() -> Outbox:
        return open_outbox(tmp_path / "outbox", "usine/p1", draw_epoch=lambda: "a" * 16, cap_bytes=10**9)

    outbox = opened()
    outbox.put([waveform(number) for number in range(5)])
    outbox.acknowledge([(1, 5)])
    outbox.close()
    since = datetime.fromtimestamp(waveform(3).end_ns / 1e9, tz=UTC).isoformat()
    assert main(["--config", str(config), "--resend-since", since]) == 0
    assert "2 frames since" in capsys.readouterr().out
    outbox = opened()
    assert outbox.pending() == ((4, 5),)
    assert main(["--config", str(config), "--resend-since", since]) == 1
    assert "another agent is running" in capsys.readouterr().err
    outbox.close()


def test_a_time_that_is_none_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_agent(tmp_path, free_port())
    with pytest.raises(SystemExit, match="2"):
        main(["--config", str(config), "--resend-since", "yesterday"])
    assert "a time must be as 2026-11-20T06:00" in capsys.readouterr().err
