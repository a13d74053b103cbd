"""The commands of docs/operator.md for Debian's mosquitto as written, with another folder than /etc."""

from __future__ import annotations

import re
import subprocess
import textwrap
from pathlib import Path

import pytest

from palier.plant import sample_plant_path
from tests.support.services import answers, free_port, mosquitto_path
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]

DEBIANS = """
persistence true
persistence_location {folder}/lib/
log_dest file {folder}/log
include_dir {folder}/etc/conf.d
"""
"""What Debian ships as /etc/mosquitto/mosquitto.conf, without its pid file."""


def commands(folder: Path) -> str:
    """The three commands, for `folder`/etc in place of /etc/mosquitto and the test's own user."""
    text = (ROOT / "docs" / "operator.md").read_text("utf-8")
    block = re.search(r"\n\n((?:    .*\n)+)\nthen `systemctl restart mosquitto`", text)
    assert block is not None
    shell = textwrap.dedent(block[1]).replace("/etc/mosquitto", str(folder / "etc"))
    return shell.replace("-o mosquitto ", "").replace("FOLDER", str(folder / "made"))


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """A folder in which the commands were run, beside Debian's own configuration."""
    from datetime import UTC, datetime

    from palier.plant import load_plant
    from palier.provision.making import Wanted, provision

    site = load_plant(sample_plant_path()).site_id
    provision(tmp_path / "made", Wanted(site=site), datetime.now(UTC))
    for name in ("etc/conf.d", "lib"):
        (tmp_path / name).mkdir(parents=True)
    done = subprocess.run(
        ["sh", "-eu", "-c", commands(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (tmp_path / "etc" / "mosquitto.conf").write_text(DEBIANS.format(folder=tmp_path))
    return tmp_path


def test_debians_mosquitto_takes_the_configuration_of_the_guide(configured: Path) -> None:
    conf, port = configured / "etc" / "conf.d" / "palier.conf", free_port()
    text, count = re.subn(r"^listener 8883$", f"listener {port} 127.0.0.1", conf.read_text(), flags=re.M)
    assert count == 1
    # The tests may run as root, whose place mosquitto would not keep; the files here are its starter's.
    conf.write_text(f"{text}\nuser root\n")
    main = str(configured / "etc" / "mosquitto.conf")
    with subprocess.Popen([str(mosquitto_path()), "-c", main], stderr=subprocess.PIPE) as broker:
        try:
            eventually(lambda: broker.poll() is not None or answers(port), 60, "the broker's answer")
            assert broker.poll() is None, broker.stderr.read() if broker.stderr else ""
        finally:
            broker.terminate()
            broker.wait(60)


def test_what_was_copied_is_its_owners_alone(configured: Path) -> None:
    access = configured / "etc" / "access"
    assert access.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in access.iterdir()} == {0o600}
    assert {"server.crt", "server.key", "passwords", "acl"} <= {file.name for file in access.iterdir()}
