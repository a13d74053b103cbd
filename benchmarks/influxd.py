"""An InfluxDB 1.x of the bench's own: from PATH, in a folder that is thrown away, on 127.0.0.1."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import urllib3

from palier.historian.influx import InfluxHistorian
from palier.historian.influx_server import Account, Server

START_S: Final = 30.0
IDLE_SHARE: Final = 0.1
"""Of one core: below this over a second the server is no longer tidying up what was written."""

SETTLE_S: Final = 60.0


@dataclass(frozen=True)
class Influxd:
    """A running server without accounts."""

    url: str
    pool: urllib3.PoolManager
    process: subprocess.Popen[bytes]
    folder: Path

    def make(self, database: str) -> InfluxHistorian:
        """A historian on a new database of its own. It keeps rows of any age."""
        self._post("/query?q=" + quote(f'CREATE DATABASE "{database}"'), b"")
        return self.historian(database)

    def historian(self, database: str) -> InfluxHistorian:
        """A historian on a database that is there."""
        return InfluxHistorian(Server(self.url, Account()), database)

    def write(self, database: str, body: bytes) -> None:
        """The bare POST of lines."""
        self._post(f"/write?db={quote(database)}", body)

    def settle(self) -> None:
        """Waits until the server rests, SETTLE_S at most."""
        deadline = time.monotonic() + SETTLE_S
        used = self._cpu_s()
        while time.monotonic() < deadline:
            time.sleep(1)
            before, used = used, self._cpu_s()
            if used - before < IDLE_SHARE:
                return

    def _post(self, path: str, body: bytes) -> None:
        answer = self.pool.request("POST", self.url + path, body=body, retries=False)
        if answer.status not in {200, 204}:
            raise RuntimeError(f"influxd answers {answer.status} to {path}: {answer.data[:200]!r}")

    def _cpu_s(self) -> float:
        """Seconds of CPU that it has used; on a system without /proc none, so that nobody waits."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def found() -> str | None:
    """The server on PATH, if there is one."""
    return shutil.which("influxd")


@contextmanager
def running(folder: Path) -> Iterator[Influxd]:
    """A server for the length of the block. Raises RuntimeError where it does not come up."""
    program, port = found(), _free_port()
    if program is None:
        raise RuntimeError("influxd is not on PATH")
    folder.mkdir()
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "INFLUXDB_REPORTING_DISABLED": "true",
        "INFLUXDB_BIND_ADDRESS": f"127.0.0.1:{_free_port()}",
        "INFLUXDB_META_DIR": str(folder / "meta"),
        "INFLUXDB_DATA_DIR": str(folder / "data"),
        "INFLUXDB_DATA_WAL_DIR": str(folder / "wal"),
        "INFLUXDB_DATA_QUERY_LOG_ENABLED": "false",
        "INFLUXDB_HTTP_BIND_ADDRESS": f"127.0.0.1:{port}",
        "INFLUXDB_HTTP_LOG_ENABLED": "false",
        "INFLUXDB_MONITOR_STORE_ENABLED": "false",
    }
    with (folder / "influxd.log").open("ab") as log:
        process = subprocess.Popen([program, "-config", os.devnull], env=environment, stdout=log, stderr=log)
    try:
        server = Influxd(f"http://127.0.0.1:{port}", urllib3.PoolManager(), process, folder)
        _wait(server)
        yield server
        server.pool.clear()
    finally:
        process.kill()
        process.wait()


def _wait(server: Influxd) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            if server.pool.request("GET", server.url + "/ping", retries=False, timeout=1).status == 204:
                return
        except urllib3.exceptions.HTTPError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"influxd did not answer within {START_S:g} s: see {server.folder / 'influxd.log'}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
