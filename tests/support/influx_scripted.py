"""Something that answers as a test says: a proxy, a stranger's service, a server in a bad hour.

`answer` gets the path (without its query) and the body, and gives status, headers and body. By default it is
a 2.x that takes all and holds nothing.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Answer = tuple[int, Mapping[str, str], bytes]

EMPTY = b'{"results":[{"statement_id":0}]}\n'


def well(path: str, body: bytes) -> Answer:
    """What a 2.x without a row answers."""
    if path == "/query":
        return 200, {}, EMPTY
    return (204 if body or path == "/ping" else 400), {}, b"" if body else b'{"code":"invalid"}'


class Scripted(ThreadingHTTPServer):
    """`seen` are the paths and headers of all requests."""

    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: Callable[[str, bytes], Answer] = well
        self.seen: list[tuple[str, dict[str, str]]] = []
        self._scheme = "http"
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
            self._scheme = "https"

    @property
    def url(self) -> str:
        return f"{self._scheme}://localhost:{self.server_port}"

    def handle_error(self, *_: Any) -> None:
        """A client that leaves is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: Scripted
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, *_: Any) -> None:
        """Nothing on the tests' terminal."""

    def _serve(self) -> None:
        asked = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = urlsplit(self.path).path
        self.server.seen.append((path, dict(self.headers)))
        status, headers, body = self.server.answer(path, asked)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204 and "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)
        if "Content-Length" in headers:  # less than it promised: the connection is cut
            self.close_connection = True


@contextmanager
def running_scripted(tls: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    """The server for the length of the block."""
    server = Scripted(tls)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
