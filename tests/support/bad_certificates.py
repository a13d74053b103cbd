"""Brokers that one must not trust: a server that shows any certificate, and certificates with each fault."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from palier.provision.certificates import issue_authority, issue_server, new_key

NAMES = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Authority:
    """One that issues for the tests; `folder` keeps its files."""

    folder: Path
    key: bytes
    pem: bytes

    @property
    def ca(self) -> Path:
        """What clients trust."""
        return self.folder / "ca.crt"

    def issue(
        self, *, names: tuple[str, ...] = NAMES, begins: timedelta = timedelta(0), days: int = 90
    ) -> tuple[Path, Path]:
        """A certificate that is valid from a day before now + `begins`, and its key."""
        key = new_key()
        pem = issue_server(
            key,
            names,
            site="usine",
            authority_pem=self.pem,
            authority_key_pem=self.key,
            now=datetime.now(UTC) + begins,
            days=days,
        )
        certificate, private = self.folder / "server.crt", self.folder / "server.key"
        certificate.write_bytes(pem)
        private.write_bytes(key)
        return certificate, private


def authority(folder: Path) -> Authority:
    """A new authority, twenty years old at the most, valid since long ago."""
    folder.mkdir(parents=True, exist_ok=True)
    key = new_key()
    made = Authority(folder, key, issue_authority(key, "usine", datetime.now(UTC) - timedelta(days=1000)))
    made.ca.write_bytes(made.pem)
    return made


@contextmanager
def shows(
    certificate: Path,
    key: Path,
    *,
    oldest: ssl.TLSVersion | None = None,
    newest: ssl.TLSVersion | None = None,
) -> Iterator[int]:
    """A port that shakes hands with that certificate and then says nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if oldest is not None:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = oldest
    if newest is not None:
        context.maximum_version = newest
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_greet, args=(listener, context), daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(60)


def _greet(listener: socket.socket, context: ssl.SSLContext) -> None:
    with suppress(OSError):
        while True:
            plain, _ = listener.accept()
            plain.settimeout(30)
            with suppress(OSError), plain, context.wrap_socket(plain, server_side=True) as wrapped:
                wrapped.recv(1024)
