"""The page's web server: takes the address, serves, and ends cleanly when it is told to stop."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import structlog
import uvicorn
from starlette.applications import Starlette

from palier.options import CommandError

from .live import Live
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


def serve(application: Starlette, settings: ConsoleSettings) -> None:
    """Serve until SIGINT or SIGTERM, from the main thread. Raises CommandError when the address is taken."""
    config = uvicorn.Config(
        application,
        log_config=None,  # our own logging stands already
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
        proxy_headers=False,  # nothing here depends on who asks
    )
    with _listener(settings.host, settings.port) as listener:
        warm_up(application.state.console.templates)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        address = f"http://{host}:{listener.getsockname()[1]}/"
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
