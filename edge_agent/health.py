"""/healthz, /readyz and /metrics on loopback, from the standard library (a gateway has little memory)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

PREFIX: Final = "palier_agent_"


@dataclass(frozen=True, slots=True)
class Report:
    """What the agent knows of itself. `values` by metric name, labels included; `_total` marks a counter.

    `alive`: a restart would not help. `ready`: it does its work; else `detail` and `problems` say what is
    in the way. `notes` are for a human and in the way of nothing.
    """

    alive: bool
    ready: bool
    detail: str
    values: Mapping[str, float]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def metrics_text(report: Report) -> str:
    """The Prometheus text format."""
    lines: list[str] = []
    values = {"up": float(report.alive), "ready": float(report.ready), **report.values}
    seen: set[str] = set()
    for name, value in values.items():
        family = PREFIX + name.partition("{")[0]
        if family not in seen:
            seen.add(family)
            lines.append(f"# TYPE {family} {'counter' if family.endswith('_total') else 'gauge'}")
        lines.append(f"{PREFIX}{name} {value:g}" if value < 1e5 else f"{PREFIX}{name} {value:.0f}")
    return "\n".join(lines) + "\n"


class HealthServer:
    """Serves reports on 127.0.0.1:`port` (0: a free one, see `.port`)."""

    def __init__(self, report: Callable[[], Report], port: int) -> None:
        """Binds at once, so that a port in use is a mistake at start. Raises OSError with a sentence."""
        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(report))
        except OSError as error:
            raise OSError(
                f"health_port {port} can't be listened on: {error.strerror}; name another, 0 takes a free one"
            ) from error
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the port."""
        if self._thread.ident is not None:
            self._server.shutdown()
            self._thread.join(5.0)
        self._server.server_close()


def _handler(report: Callable[[], Report]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers three paths."""

        def do_GET(self) -> None:
            """One of the three, or 404."""
            now = report()
            match self.path:
                case "/healthz":
                    self._answer(now.alive, now)
                case "/readyz":
                    self._answer(now.alive and now.ready, now)
                case "/metrics":
                    self._write(HTTPStatus.OK, "text/plain; version=0.0.4", metrics_text(now))
                case _:
                    self._write(HTTPStatus.NOT_FOUND, "text/plain", "/healthz /readyz /metrics\n")

        def _answer(self, good: bool, now: Report) -> None:
            status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
            words = {"detail": now.detail, "problems": now.problems, "notes": now.notes}
            said = {"ok": good, **words, **now.values}
            body = json.dumps(said, ensure_ascii=False)
            self._write(status, "application/json", body + "\n")

        def _write(self, status: HTTPStatus, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Nothing: a scrape each few seconds is no news."""

    return Handler
