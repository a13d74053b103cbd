"""The page's web server: takes the address, serves, and ends cleanly when it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import structlog
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from palier.options import USAGE, CommandError
from palier.settings import is_loopback

from .live import Live
from .memory import settle
from .rendering import warm_up
from .settings import ConsoleSettings

STOP_SECONDS: Final = 3
"""Open streams end as soon as the server is told to stop; a chart that is being read may finish."""


class Server(uvicorn.Server):
    """A uvicorn that ends the open streams first, for it waits for its connections before it stops."""

    def __init__(self, config: uvicorn.Config, live: Live) -> None:
        super().__init__(config)
        self._live = live

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called on SIGINT and SIGTERM."""
        self._live.close()
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Being told to stop is no failure: end with 0, where uvicorn raises the signal again."""
        before = {sig: signal.signal(sig, self.handle_exit) for sig in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)


MOST_CONNECTIONS: Final = 512
"""Open at once: each page that follows has one for itself and a few while it is drawn. Beyond it: 503."""

MOST_OF_ONE: Final = MOST_CONNECTIONS // 2
"""Of one address: one machine alone keeps nobody out. This one may have more: a proxy brings all."""

SILENT_S: Final = 20.0
"""How long a connection may be open and ask for nothing: on the slowest link a request takes a second."""


class Connection(H11Protocol):
    """A connection that asks for something, or is ended: uvicorn waits for ever for the first."""

    _looking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by asyncio."""
        super().connection_made(transport)
        if self._of_this_address() > MOST_OF_ONE:
            transport.abort()
        self._looking = self.loop.call_later(SILENT_S, self._look, None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        super().connection_lost(exc)
        if self._looking is not None:
            self._looking.cancel()

    def _of_this_address(self) -> int:
        here = self.client[0] if self.client else ""
        if not here or is_loopback(here):
            return 0
        others = (getattr(other, "client", None) for other in self.connections)
        return sum(client is not None and client[0] == here for client in others)

    def _look(self, before: object) -> None:
        """End it where the last request was answered at the look before already, or none ever came."""
        answered = self.cycle is None or self.cycle.response_complete
        if answered and self.cycle is before:
            self.transport.close()
            return
        self._looking = self.loop.call_later(SILENT_S, self._look, self.cycle if answered else self)


TRUSTED: Final = ("127.0.0.1", "::1")
"""Where a proxy must stand to be believed, beside `proxy`: who else connects could write its headers too."""


def config_of(application: Starlette, settings: ConsoleSettings) -> uvicorn.Config:
    """How the application is served. Raises CommandError for a certificate that can't be used."""
    config = uvicorn.Config(
        application,
        http=Connection,
        log_config=None,  # our own logging stands already
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
        limit_concurrency=MOST_CONNECTIONS,
        proxy_headers=settings.behind_proxy,
        forwarded_allow_ips=[*TRUSTED, *([settings.proxy] if settings.proxy else [])],
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
    try:
        config.load()  # TLS 1.2 and later: what Python's ssl takes of itself
    except (OSError, ssl.SSLError) as error:
        raise CommandError(
            f"{settings.tls_cert} and {settings.tls_key} must be a certificate and its private key in PEM: "
            f"{error.strerror or error}",
            USAGE,
        ) from error
    return config


def serve(application: Starlette, settings: ConsoleSettings) -> None:
    """Serve until SIGINT or SIGTERM, from the main thread. Raises CommandError when the address is taken."""
    config = config_of(application, settings)
    with _listener(settings.host, settings.port) as listener:
        warm_up(application.state.console.templates)
        settle()
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        address = f"{'https' if settings.tls_cert else 'http'}://{host}:{listener.getsockname()[1]}/"
        structlog.get_logger().info("page served", address=address, plant=str(settings.plant))
        Server(config, application.state.console.live).run(sockets=[listener])


def _listener(host: str, port: int) -> socket.socket:
    """A bound socket. Named TCP: only then asyncio turns Nagle's delay off, or each answer waits 40 ms."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CommandError(
            f"the page can't listen on {host} port {port}: {error.strerror or error}; "
            "stop what does, or give another port"
        ) from error
    return listener
