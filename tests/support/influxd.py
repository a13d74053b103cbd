"""A real InfluxDB 1.x for the tests: on a free port, in a folder of its own, with accounts."""

from __future__ import annotations

import base64
import os
import subprocess
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from palier.historian.influx import InfluxHistorian, database_of
from palier.historian.influx_server import Account, Server
from palier.historian.schema import MEASUREMENTS
from tests.support.services import free_port, program
from tests.support.waiting import eventually

ADMIN = ("admin", "only-for-tests")


@dataclass
class Influxd:
    """A server of a test's own: `kill` is kill -9, `start` brings it back on the same port with its data."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *, administrator: bool = True) -> None:
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.folder),
            "INFLUXDB_REPORTING_DISABLED": "true",
            "INFLUXDB_BIND_ADDRESS": f"127.0.0.1:{free_port()}",
            "INFLUXDB_META_DIR": str(self.folder / "meta"),
            "INFLUXDB_DATA_DIR": str(self.folder / "data"),
            "INFLUXDB_DATA_WAL_DIR": str(self.folder / "wal"),
            "INFLUXDB_DATA_QUERY_LOG_ENABLED": "false",
            "INFLUXDB_HTTP_BIND_ADDRESS": f"127.0.0.1:{self.port}",
            "INFLUXDB_HTTP_AUTH_ENABLED": "true",
            "INFLUXDB_HTTP_LOG_ENABLED": "false",
            "INFLUXDB_MONITOR_STORE_ENABLED": "false",
            **self.settings,
        }
        with (self.folder / "influxd.log").open("ab") as log:
            self.process = subprocess.Popen(
                [program("influxd"), "-config", os.devnull], env=environment, stdout=log, stderr=log
            )
        eventually(self._answers, 60, f"influxd on port {self.port}")
        if not administrator:
            return
        # The first account is made without one; on a later start it is there, and this is refused.
        self.query(f"CREATE USER {ADMIN[0]} WITH PASSWORD '{ADMIN[1]}' WITH ALL PRIVILEGES", account=None)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def query(
        self, statement: str, database: str = "", account: tuple[str, str] | None = ADMIN
    ) -> tuple[int, str]:
        """(status, body) of a statement."""
        body = urllib.parse.urlencode({"q": statement, "db": database, "epoch": "ns"}).encode()
        return self._post("/query", body, account)

    def write(self, lines: bytes, database: str, account: tuple[str, str] = ADMIN) -> tuple[int, str]:
        """(status, body) of line protocol."""
        return self._post(f"/write?db={urllib.parse.quote(database)}", lines, account)

    def _post(self, path: str, body: bytes, account: tuple[str, str] | None) -> tuple[int, str]:
        request = urllib.request.Request(self.url + path, data=body)
        if account is not None:
            request.add_header(
                "Authorization", "Basic " + base64.b64encode(":".join(account).encode()).decode()
            )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + "/ping", timeout=10) as answer:
                return bool(answer.status == 204)
        except OSError:
            return False


@contextmanager
def running_influxd(folder: Path, **settings: str) -> Iterator[Influxd]:
    """An InfluxDB for the length of the block, with the account `ADMIN` and no database.

    `settings` are its variables: `INFLUXDB_HTTP_MAX_ROW_LIMIT="3"`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    server = Influxd(folder, settings=settings)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def influx_historian(behind: Influxd, url: str) -> Iterator[InfluxHistorian]:
    """A historian in databases of its own, which keep everything; `url` is `behind` or a front before it."""
    name = f"t{uuid.uuid4().hex}"
    databases = {database_of(table, name) for table in MEASUREMENTS.values()}
    for database in databases:
        behind.query(f'CREATE DATABASE "{database}"')
    historian = InfluxHistorian(Server(url, Account(*ADMIN)), name)
    try:
        yield historian
    finally:
        historian.close()
        for database in databases:
            behind.query(f'DROP DATABASE "{database}"')
