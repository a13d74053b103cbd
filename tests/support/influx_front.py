"""A front before a real InfluxDB 1.6: `/api/v2/write` as 1.8 has it, and faults on demand.

`Token name:password` becomes a Basic account, a bucket a database, an error the JSON of 2.x. Everything else
is passed on as it came. `fault` answers the next requests itself: a status, "silent" (takes the request and
never answers), or None. `silent` is how many requests it holds at this moment.
"""

from __future__ import annotations

import base64
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

VERSION = "1.8.10"


class Front(ThreadingHTTPServer):
    """What stands before the server at `behind`; `requests` are the paths it was asked for."""

    daemon_threads = True

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = behind
        self.fault: int | str | None = None
        self.requests: list[str] = []
        self.silent = 0
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Front
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, *_: Any) -> None:
        """Nothing on the tests' terminal."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urlsplit(self.path)
        self.server.requests.append(parts.path)
        fault = self.server.fault
        if fault == "silent":
            self.server.silent += 1
            self.server.released.wait(100)
            self.server.silent -= 1
            self.close_connection = True
            return
        if isinstance(fault, int) and parts.path != "/ping":
            self._answer(fault, b'{"code":"fault","message":"made by the test"}')
            return
        path = self.path
        if is_v2 := parts.path == "/api/v2/write":
            asked = parse_qs(parts.query)
            path = "/write?" + urlencode({"db": asked["bucket"][0], "precision": asked["precision"][0]})
            if not body:
                self._answer(400, b'{"code":"invalid","message":"no body"}')
                return
        status, answer = self._pass_on(path, body)
        if is_v2 and status >= 400:
            told = json.loads(answer).get("error", "")
            answer = json.dumps({"code": "invalid", "message": told}).encode()
        self._answer(status, answer)

    def _pass_on(self, path: str, body: bytes) -> tuple[int, bytes]:
        request = urllib.request.Request(
            self.server.behind + path, data=body if self.command == "POST" else None, method=self.command
        )
        if kind := self.headers.get("Content-Type"):
            request.add_header("Content-Type", kind)
        if account := self.headers.get("Authorization"):
            if account.startswith("Token "):
                account = (
                    "Basic " + base64.b64encode(account.removeprefix("Token ").encode("latin-1")).decode()
                )
            request.add_header("Authorization", account)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except OSError:
            return 503, b'{"error":"no server behind"}'

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("X-Influxdb-Version", VERSION)
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)


@contextmanager
def running_front(behind: str) -> Iterator[Front]:
    """A front for the length of the block."""
    front = Front(behind)
    thread = threading.Thread(target=front.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield front
    finally:
        front.released.set()
        front.shutdown()
        front.server_close()
        thread.join()
