"""Real servers for the tests: found, started on free ports in folders of their own, and stopped."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO, Final

import pytest

from palier import children
from palier.frames import MAX_FRAME_BYTES
from tests.support.waiting import eventually

_given: Final[set[int]] = set()

REMEDY = "run `make services` (apt), or put it on PATH"


def program(*names: str) -> Path:
    """The first of the programs on PATH or in /usr/sbin; without any, the test is skipped.

    PALIER_REQUIRE_SERVICES=1 turns that skip into a failure: CI must not pass by skipping.
    """
    path = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"
    for name in names:
        found = shutil.which(name, path=path)
        if found:
            return Path(found)
    sentence = f"{names[0]} is not installed: {REMEDY}"
    if os.environ.get("PALIER_REQUIRE_SERVICES") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)


def mosquitto_path() -> Path:
    """Debian's broker."""
    return program("mosquitto")


def chromium_path() -> Path:
    """Debian's Chromium."""
    return program("chromium", "chromium-browser")


def free_port() -> int:
    """A TCP port on loopback that nobody listens on; no other test is given it while this process lives."""
    while not _claimed(port := children.free_port()):
        pass
    return port


@cache
def _claims() -> BinaryIO:
    """Byte N of it is locked by the process that was given port N, until that process ends."""
    return (Path(tempfile.gettempdir()) / f"palier-test-ports-{os.geteuid()}").open("a+b")


def _claimed(port: int) -> bool:
    if port in _given:
        return False
    try:
        fcntl.lockf(_claims(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _given.add(port)
    return True


def answers(port: int) -> bool:
    """Whether somebody accepts connections on that port of loopback."""
    with socket.socket() as client:
        client.settimeout(0.5)
        return client.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Mosquitto:
    """A broker of a test's own: `kill` is kill -9, `start` brings it back on the same port."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        conf = self.folder / "mosquitto.conf"
        conf.write_text(
            f"listener {self.port} 127.0.0.1\n"
            "allow_anonymous true\n"
            "set_tcp_nodelay true\n"
            f"max_packet_size {MAX_FRAME_BYTES + 65536}\n"
            + (
                "user root\n" if os.geteuid() == 0 else ""
            )  # else it drops to `mosquitto`, which can't read tmp
        )
        self.process = subprocess.Popen(
            [mosquitto_path(), "-c", conf], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        eventually(lambda: answers(self.port), 30, f"mosquitto on port {self.port}")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def running_mosquitto(folder: Path) -> Iterator[Mosquitto]:
    """A mosquitto for the length of the block."""
    broker = Mosquitto(folder, free_port())
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()
