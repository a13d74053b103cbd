"""An InfluxDB 1.x of the bench's own: from PATH, in a folder that is thrown away, on 127.0.0.1."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import urllib3

from palier.historian.influx import InfluxHistorian
from palier.historian.influx_server import Account, Server

START_S: Final = 30.0
IDLE_SHARE: Final = 0.1
"""Of one core: below this over a second the server is no longer tidying up what was written."""

SETTLE_S: Final = 60.0

GRAFANA: Final = {"epoch": "ms"}
OURS: Final = {"epoch": "ns", "chunked": "true"}
"""What Grafana, and what our historian, says beside a query."""


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

    def query(self, database: str, statement: str, form: Mapping[str, str] = GRAFANA) -> bytes:
        """The bare answer to a statement; `form` is what else is said."""
        asked = {"db": database, "q": statement, **form}
        return self._post("/query", urlencode(asked).encode(), "application/x-www-form-urlencoded")

    def size(self) -> int:
        """Bytes that it has on the disk."""
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())

    def settle(self, quiet_s: int = 1) -> None:
        """Waits until the server has rested for so long, SETTLE_S at most."""
        deadline = time.monotonic() + SETTLE_S
        used, quiet = self._cpu_s(), 0
        while quiet < quiet_s and time.monotonic() < deadline:
            time.sleep(1)
            before, used = used, self._cpu_s()
            quiet = quiet + 1 if used - before < IDLE_SHARE else 0

    def _post(self, path: str, body: bytes, kind: str = "text/plain") -> bytes:
        headers = {"Content-Type": kind}
        answer = self.pool.request("POST", self.url + path, body=body, headers=headers, retries=False)
        if answer.status not in {200, 204}:
            raise RuntimeError(f"influxd answers {answer.status} to {path}: {answer.data[:200]!r}")
        return answer.data

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
def running(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Influxd]:
    """A server for the length of the block, with its settings as variables of the environment.

    Raises RuntimeError where it does not come up.
    """
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
        **(settings or {}),
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
