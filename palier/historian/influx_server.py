"""An InfluxDB server, spoken to over HTTP: line protocol in, InfluxQL out, errors split by who acts.

Servers with `/api/v2/write` (1.8 and 2.x) are written to through influxdb-client, older ones by a plain POST
to `/write`. All of them answer InfluxQL on `/query`. Which of both a server has, and whether it takes bound
parameters, is found by asking it.
"""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

from .base import HistorianError, SchemaError, Unavailable
from .influx_answers import Failed, Garbled, Series, said, series_of, shown
from .influxql import Statement

if TYPE_CHECKING:
    import urllib3
    from influxdb_client.client.influxdb_client import InfluxDBClient

CONNECT_S: Final = 3.0
"""A server of the same plant answers a connection in milliseconds; one that does not is not there."""

READ_S: Final = 30.0
"""A half-open connection is given up after this. The slowest query of a dashboard takes a second."""

_NO_SUCH_PATH: Final = frozenset({404, 405, 501})
"""What a web server answers that has no such path; an InfluxDB that says one of them says it in JSON."""

POOL: Final = 4
"""Connections kept: the ingest has one writer, the page two readers."""

_DROPPED: Final = re.compile(r"dropped=(\d+)")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class Unauthorized(Unavailable):
    """The server refuses the account, or what it wants to do: `said` is its own word of it."""

    def __init__(self, sentence: str, said: str) -> None:
        super().__init__(sentence)
        self.said = said


class Refused(HistorianError):
    """The server took not all of what was written. `dropped` is how many lines, None where it did not say."""

    def __init__(self, sentence: str, dropped: int | None, *, too_large: bool = False) -> None:
        super().__init__(sentence)
        self.dropped = dropped
        self.too_large = too_large


@dataclass(frozen=True, slots=True)
class Account:
    """Who one is to the server: a token, or a name with a password. Neither is shown by repr."""

    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """A secret that is no line would be told by the error of whoever can't send it."""
        for what in ("username", "password", "token"):
            if _CONTROL.search(getattr(self, what)):
                raise HistorianError(f"the {what} must be one line without control characters")

    def header(self) -> dict[str, str]:
        """The header that says so; none for an open server."""
        if self.token:
            return {"Authorization": f"Token {_in_header(self.token)}"}
        if self.username:
            name = f"{self.username}:{self.password}".encode()
            return {"Authorization": f"Basic {base64.b64encode(name).decode()}"}
        return {}

    def as_token(self) -> str:
        """The token; a name and password as 1.8 takes them in its place."""
        return _in_header(self.token or f"{self.username}:{self.password}")


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a server can do. `version` is what it says of itself, "" where it does not."""

    version: str
    v2_write: bool
    bound: bool


class Server:
    """One server and account. Any thread may call. The constructor only stores; nothing is connected yet.

    `org` is for 2.x. `ca_file` is the authority of the server's certificate, where it is a private one. After
    `read_s` without a byte of an answer a server is taken for one that does not answer.
    """

    def __init__(
        self,
        url: str,
        account: Account,
        *,
        org: str = "",
        ca_file: Path | None = None,
        read_s: float = READ_S,
    ) -> None:
        self.url = _checked_url(url)
        self.account = account
        self.ca_file = ca_file
        self._org = org
        self._read_s = read_s
        self._lock = threading.RLock()
        self._closed = False
        self._pool: urllib3.PoolManager | None = None
        self._abilities: Abilities | None = None
        self._client: InfluxDBClient | None = None

    def abilities(self) -> Abilities:
        """What it can do, asked at the first use and after it was away. Raises Unavailable."""
        with self._lock:
            if self._abilities is None:
                self._abilities = self._probe()
            return self._abilities

    def write(self, database: str, lines: Sequence[bytes]) -> None:
        """Write lines; durable when this returns. Raises Refused, Unavailable."""
        body = b"\n".join(lines)
        with self._asked_anew_after_trouble():
            if self.abilities().v2_write:
                self._write_v2(database, body)
                return
            query = urlencode({"db": database, "precision": "ns"})
            status, answer = self._request("POST", f"/write?{query}", body, "text/plain; charset=utf-8")
            self._judge_write(status, answer, database)

    def may_write(self, database: str) -> bool:
        """Whether the account may write there, found by a write of nothing. Raises Unavailable."""
        if self.abilities().v2_write:
            query = urlencode({"org": self._org or "-", "bucket": database, "precision": "ns"})
            path = f"/api/v2/write?{query}"
        else:
            path = f"/write?{urlencode({'db': database})}"
        status, answer = self._request("POST", path, b"", "text/plain; charset=utf-8")
        if status in {401, 403}:
            return False
        # Rights are looked at before the body: who may write is told that there is none, or nothing at all.
        if status == 204 or (status in {400, 422} and said(answer) is not None):
            return True
        raise self._trouble(status, answer, database)

    def query(self, database: str, statements: Sequence[Statement]) -> list[list[Series]]:
        """The series of each statement's answer. Raises Unavailable, SchemaError."""
        if not statements:
            return []
        with self._asked_anew_after_trouble():
            bound = self.abilities().bound
            form = {
                "q": ";".join(statement.text if bound else statement.rendered() for statement in statements),
                "db": database,
                "epoch": "ns",
                # In one piece a server may cut it at its limit of rows, and not say so.
                "chunked": "true",
            }
            values = {name: value for statement in statements for name, value in statement.parameters.items()}
            if bound and values:
                form["params"] = _dumps(values)
            try:
                return self._answered(self._form(form), database, len(statements))
            except Failed as error:
                raise self._failed(str(error), database) from error

    def command(self, text: str, database: str = "") -> list[Series]:
        """The answer to a statement of an administrator. Raises Unavailable, SchemaError."""
        try:
            return self._answered(self._form({"q": text, "db": database}), database, 1)[0]
        except Failed as error:
            raise SchemaError(f"{self.url} refuses a command: {_line(str(error))}") from error

    def close(self) -> None:
        """Let go of all connections, for good. Closing twice is allowed."""
        with self._lock:
            self._closed = True
            pool, self._pool = self._pool, None
            client, self._client = self._client, None
        if pool is not None:
            pool.clear()
        if client is not None:
            client.close()

    @contextmanager
    def _asked_anew_after_trouble(self) -> Iterator[None]:
        """A server that was away may come back as another version."""
        try:
            yield
        except Unavailable:
            self._abilities = None
            raise

    def _probe(self) -> Abilities:
        status, _, headers = self._raw("GET", "/ping", b"", "text/plain")
        if status >= 500 and status not in _NO_SUCH_PATH:
            raise Unavailable(f"{self.url} answers {status}: it is not ready yet")
        # An empty body writes nothing; where the path is missing the answer is not InfluxDB's JSON.
        path = "/api/v2/write?bucket=palier&precision=ns"
        status, answer = self._request("POST", path, b"", "text/plain")
        if status >= 500 or status == 429:
            raise self._trouble(status, answer, "")
        v2 = not (status == 404 and said(answer) is None)
        return Abilities(headers.get("X-Influxdb-Version", ""), v2, self._takes_parameters())

    def _takes_parameters(self) -> bool:
        """Whether a parameter is missed where it is not given, and only there. In doubt values are quoted."""
        form = {"q": "SELECT x FROM y WHERE z = $probe", "db": "palier"}
        missed = [
            b"missing parameter" in self._form(asked)[1]
            for asked in (form, {**form, "params": '{"probe":"1"}'})
        ]
        return missed == [True, False]

    def _write_v2(self, database: str, body: bytes) -> None:
        from influxdb_client.rest import ApiException
        from influxdb_client.service.write_service import WriteService

        service = WriteService(self._connected().api_client)
        try:
            _, status, _ = service.post_write_with_http_info(
                self._org or "-", database, body, precision="ns", content_type="text/plain; charset=utf-8"
            )
            answer = b""
        except ApiException as error:
            if not error.status:  # no handshake, for one
                raise self._no_answer(error) from error
            status, answer = error.status, (error.body or "").encode()
        except Exception as error:  # urllib3's own come through undressed
            raise self._no_answer(error) from error
        self._judge_write(status, answer, database)

    def _judge_write(self, status: int, answer: bytes, database: str) -> None:
        """Nothing for a write that was taken. Raises Refused, Unavailable."""
        if status == 204:  # what else is no error was not InfluxDB's, and stored nothing
            return
        if status == 413:
            raise Refused(f"{self.url} takes no bodies of this size", None, too_large=True)
        if status in {400, 422} and (why := said(answer)) is not None:
            dropped = _DROPPED.search(why)
            raise Refused(why, int(dropped.group(1)) if dropped else None)
        raise self._trouble(status, answer, database)

    def _answered(self, answered: tuple[int, bytes], database: str, statements: int) -> list[list[Series]]:
        """The series of each statement. Raises Failed, Unavailable, SchemaError."""
        status, answer = answered
        if status == 400 and (why := said(answer)) is not None:
            raise SchemaError(f"{self.url} refuses a query: {_line(why)}")
        if status != 200:
            raise self._trouble(status, answer, database)
        try:
            return series_of(answer, statements)
        except Garbled as error:
            raise self._mend(status, str(error), database) from error

    def _failed(self, said: str, database: str) -> HistorianError:
        """Of a query that was understood. Most that can happen to it then goes by, or is a setting's."""
        if "unsupported" in said:  # a number is asked of what a stranger wrote as text
            return SchemaError(f"{self.url} refuses a query: {_line(said)}")
        return self._mend(
            404 if "not found" in said else 403 if "authorized" in said else 500, _line(said), database
        )

    def _trouble(self, status: int, answer: bytes, database: str) -> Unavailable:
        """Of an answer as it came, which may be a stranger's."""
        if status in _NO_SUCH_PATH and said(answer) is None:
            return Unavailable(
                f"{self.url} is no InfluxDB ({status} {shown(answer)}): check host and port of the url"
            )
        return self._mend(status, shown(answer), database)

    def _mend(self, status: int, said: str, database: str) -> Unavailable:
        """What a person has to do about an answer, while the ingest waits: the rows are not at fault."""
        if status in {401, 403}:
            return Unauthorized(
                f"{self.url} refuses this account for {database!r} ({said}): check the token or password "
                "file, or make the accounts anew with `palier historian setup`",
                said,
            )
        if status == 404 and "organization" in said:
            return Unavailable(f"{self.url} has no organisation {self._org!r} ({said}): correct `org`")
        if status == 404:
            return Unavailable(
                f"{self.url} has no database {database!r} ({said}): make it with `palier historian setup`"
            )
        if status in {408, 429} or status >= 500:
            return Unavailable(f"{self.url} can't answer now ({status} {said}): look at its log and its disk")
        return Unavailable(
            f"{self.url} answers what no InfluxDB does ({status} {said}): check the url, and what stands "
            "between"
        )

    def _form(self, form: Mapping[str, str]) -> tuple[int, bytes]:
        return self._request("POST", "/query", urlencode(form).encode(), "application/x-www-form-urlencoded")

    def _request(self, method: str, path: str, body: bytes, kind: str) -> tuple[int, bytes]:
        status, answer, _ = self._raw(method, path, body, kind)
        return status, answer

    def _raw(self, method: str, path: str, body: bytes, kind: str) -> tuple[int, bytes, Mapping[str, str]]:
        import urllib3

        headers = {"Content-Type": kind, **self.account.header()}
        try:
            answer = self._connections().request(
                method, self.url + path, body=body, headers=headers, retries=False, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise self._no_answer(error) from error
        return answer.status, answer.data, answer.headers

    def _connections(self) -> urllib3.PoolManager:
        import urllib3

        with self._lock:
            self._refuse_closed()
            if self._pool is None:
                self._pool = urllib3.PoolManager(
                    maxsize=POOL,
                    timeout=urllib3.Timeout(connect=CONNECT_S, read=self._read_s),
                    ca_certs=str(self.ca_file) if self.ca_file else None,
                )
            return self._pool

    def _connected(self) -> InfluxDBClient:
        from influxdb_client.client.influxdb_client import InfluxDBClient

        with self._lock:
            self._refuse_closed()
            if self._client is None:
                self._client = InfluxDBClient(
                    self.url,
                    self.account.as_token(),
                    org=self._org or "-",
                    timeout=(CONNECT_S * 1000, self._read_s * 1000),
                    ssl_ca_cert=str(self.ca_file) if self.ca_file else None,
                )
            return self._client

    def _refuse_closed(self) -> None:
        if self._closed:
            raise Unavailable(f"the historian at {self.url} was closed by this process")

    def _no_answer(self, error: Exception) -> Unavailable:
        why = str(getattr(error, "reason", None) or error)
        remedy = "check that InfluxDB runs there, and the network to it"
        if "SSLError" in f"{error!r}{why}":
            remedy = "`ca_file` must be the authority of its certificate, and the url must have its name"
        return Unavailable(f"{self.url} does not answer ({why}): {remedy}")


def _checked_url(url: str) -> str:
    """The url without a slash at its end. Raises HistorianError, which never repeats an account."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none
        parts, good = None, False
    if parts is not None and "@" in parts.netloc:
        raise HistorianError("the historian's url must be without an account: its password goes into a file")
    if parts is None or not good or parts.query or parts.fragment:
        raise HistorianError(f"the historian's url must be http(s)://HOST:PORT, got {url!r}")
    return url.rstrip("/")


def _line(text: str) -> str:
    return " ".join(text.split())


def _in_header(text: str) -> str:
    """As UTF-8 where the client writes Latin-1."""
    return text.encode().decode("latin-1")


def _dumps(value: object) -> str:
    import orjson

    return orjson.dumps(value).decode()
