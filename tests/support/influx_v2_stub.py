"""The parts of InfluxDB 2.x that a set-up talks to, in memory: organisations, buckets, authorizations, and
whether a token may query. Not a store: what is written is counted only."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

ADMIN_TOKEN = "admin-token"


class InfluxV2Stub(ThreadingHTTPServer):
    """`buckets` by name, `tokens` with what each may: {"read:BUCKET", "write:BUCKET"}."""

    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.scheme = "http"
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"
        self.orgs = {"palier": "0000000000000001"}
        self.buckets: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, set[str]] = {}

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: InfluxV2Stub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def log_message(self, *_: Any) -> None:
        """Nothing on the tests' terminal."""

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        token = self.headers.get("Authorization", "").removeprefix("Token ")
        if parts.path == "/ping":
            self._answer(204, None)
        elif parts.path == "/query":
            form = {name: values[0] for name, values in parse_qs(raw.decode()).items()}
            self._query(form, token)
        elif parts.path == "/api/v2/write":
            may = token == ADMIN_TOKEN or f"write:{asked['bucket']}" in self.server.tokens.get(token, set())
            self._answer(
                204 if may and raw else 401 if not may else 400, None if may and raw else _error("no")
            )
        elif token != ADMIN_TOKEN:
            self._answer(401, _error("unauthorized access"))
        else:
            self._manage(parts.path, asked, json.loads(raw) if raw else {})

    def _query(self, form: dict[str, str], token: str) -> None:
        may = token == ADMIN_TOKEN or f"read:{form.get('db')}" in self.server.tokens.get(token, set())
        if not may:
            self._answer(401, _error("unauthorized access"))
        else:
            self._answer(200, {"results": [{"statement_id": 0}]})

    def _manage(self, path: str, asked: dict[str, str], body: dict[str, Any]) -> None:
        kind, _, which = path.removeprefix("/api/v2/").partition("/")
        if kind == "orgs":
            self._answer(200, {"orgs": [{"id": i, "name": name} for name, i in self.server.orgs.items()]})
        elif kind == "buckets" and self.command == "GET":
            found = [b for name, b in self.server.buckets.items() if asked.get("name") in {None, name}]
            self._answer(200 if found else 404, {"buckets": found} if found else _error("bucket not found"))
        elif kind == "buckets" and self.command == "POST":
            made = {**body, "id": f"{len(self.server.buckets) + 16:016x}"}
            self.server.buckets[body["name"]] = made
            self._answer(201, made)
        elif kind == "buckets":
            changed = next(b for b in self.server.buckets.values() if b["id"] == which)
            changed.update(body)
            self._answer(200, changed)
        elif kind == "authorizations":
            names = {b["id"]: name for name, b in self.server.buckets.items()}
            token = f"token-{len(self.server.tokens)}"
            self.server.tokens[token] = {
                f"{p['action']}:{names[p['resource']['id']]}" for p in body["permissions"]
            }
            self._answer(201, {**body, "id": "1", "token": token})
        else:
            self._answer(404, _error(f"no {path}"))

    def _answer(self, status: int, body: object) -> None:
        text = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("X-Influxdb-Version", "v2.9.1")
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def _error(message: str) -> dict[str, str]:
    return {"code": "fault", "message": message}


@contextmanager
def running_v2_stub(tls: ssl.SSLContext | None = None) -> Iterator[InfluxV2Stub]:
    """The stub for the length of the block."""
    stub = InfluxV2Stub(tls)
    thread = threading.Thread(target=stub.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        stub.shutdown()
        stub.server_close()
        thread.join()
