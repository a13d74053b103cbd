"""The built-in page on a free port of loopback, served from a thread of the test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from starlette.applications import Starlette

from tests.support.waiting import eventually


@contextmanager
def running_page(app: Starlette, port: int = 0, config: uvicorn.Config | None = None) -> Iterator[str]:
    """Serve the application for the length of the block, as `config` says where it is given; yields its
    address without a slash at the end."""
    config = config or uvicorn.Config(
        app, log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=3
    )
    server = uvicorn.Server(config)
    # Named TCP, as the service does it: asyncio turns Nagle's delay off only then.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="page")
        thread.start()
        try:
            eventually(lambda: server.started, what="the page's server")
            scheme = "https" if config.is_ssl else "http"
            yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            app.state.console.live.close()
            server.should_exit = True
            thread.join(10)


@contextmanager
def page_client(app: Starlette) -> Iterator[httpx.Client]:
    """A client of the served application, with the header of a browser that prefers English."""
    with (
        running_page(app) as address,
        httpx.Client(
            base_url=address, headers={"accept-language": "en-US,en;q=0.9"}, trust_env=False, timeout=30
        ) as client,
    ):
        yield client
