"""Servers that take messages, for tests: enough SMTP for smtplib, a web server that keeps posts."""

from __future__ import annotations

import base64
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, TypeVar

S = TypeVar("S", bound=socketserver.BaseServer)


class MailServer(socketserver.ThreadingTCPServer):
    """Keeps messages; `refusing` answers every message with a temporary refusal, as a greylist does."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _MailSession)
        self.messages: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.logins: list[tuple[str, str]] = []
        self.attempts = 0
        self.refusing = False

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _MailSession(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say("220 test")
        while line := self.rfile.readline():
            verb = line.decode("ascii", "replace").split(" ")[0].strip().upper()
            if verb == "QUIT":
                self._say("221 bye")
                return
            self._answer(verb, line.decode("utf-8", "replace").strip())

    def _answer(self, verb: str, line: str) -> None:
        match verb:
            case "EHLO":
                self._say("250-test\r\n250-AUTH PLAIN\r\n250 8BITMIME")
            case "AUTH":
                _, user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
                self.server.logins.append((user, password))
                self._say("235 welcome")
            case "RCPT":
                self.server.recipients.append(line.partition("<")[2].rstrip(">"))
                self._say("250 ok")
            case "DATA":
                self._data()
            case _:
                self._say("250 ok")

    def _data(self) -> None:
        self.server.attempts += 1
        if self.server.refusing:
            self._say("451 try again later")
            return
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        message = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.server.messages.append(message)
        self._say("250 taken")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class Hook(HTTPServer):
    """Keeps what is posted as (headers, JSON); `status` is what it answers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Post)
        self.posts: list[tuple[dict[str, str], Any]] = []
        self.status = 204

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hooks/palier"


class _Post(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.posts.append((dict(self.headers), told))
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", self.server.url)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing."""


@contextmanager
def running(server: S) -> Iterator[S]:
    """The server at work for the length of the block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
