"""/healthz, /readyz and /metrics of a service, on loopback.

/healthz answers 200 as long as a restart would not help, /readyz as long as the service does its work,
/metrics in the text format of Prometheus. All three are cheap and change nothing.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

LOOPBACK: Final = "127.0.0.1"
"""Health tells about the inside of a service: it is for this machine only."""

_JSON: Final = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    content_type: str
    body: bytes


class Health:
    """What a service knows of itself: named conditions, and its metrics in `registry`. Safe from any thread.

    `conditions` must all be stated true before the service is ready.
    """

    def __init__(self, service: str, conditions: tuple[str, ...] = ()) -> None:
        self.service = service
        self.registry = CollectorRegistry()
        self._lock = threading.Lock()
        self._conditions = dict.fromkeys(conditions, (False, "not yet"))
        self._failure: str | None = None
        ready = Gauge("palier_ready", "1 while the service is ready", ["service"], registry=self.registry)
        ready.labels(service).set_function(lambda: float(self.ready))

    def set(self, condition: str, ok: bool, detail: str = "") -> None:
        """State a condition of readiness, e.g. set("broker", False, "connection refused")."""
        with self._lock:
            self._conditions[condition] = (ok, detail)

    def fail(self, detail: str) -> None:
        """The service can't go on without a restart: /healthz answers 500 from now on."""
        with self._lock:
            self._failure = detail

    @property
    def ready(self) -> bool:
        """True when every condition holds and nothing failed."""
        with self._lock:
            return self._failure is None and all(ok for ok, _ in self._conditions.values())

    def answer(self, path: str) -> Answer | None:
        """The answer to GET `path`, None for any other path: for a service that has a server of its own."""
        match path.partition("?")[0]:
            case "/healthz":
                return self._healthz()
            case "/readyz":
                return self._readyz()
            case "/metrics":
                return Answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self.registry))
        return None

    def _healthz(self) -> Answer:
        failure = self._failure
        status = HTTPStatus.OK if failure is None else HTTPStatus.INTERNAL_SERVER_ERROR
        return _json(status, {"service": self.service, "ok": failure is None, "detail": failure or ""})

    def _readyz(self) -> Answer:
        ready = self.ready
        with self._lock:
            conditions = {name: {"ok": ok, "detail": text} for name, (ok, text) in self._conditions.items()}
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return _json(status, {"service": self.service, "ready": ready, "conditions": conditions})


def _json(status: HTTPStatus, body: object) -> Answer:
    return Answer(status, _JSON, json.dumps(body, ensure_ascii=False).encode() + b"\n")


class HealthServer:
    """Serves a Health on 127.0.0.1 from a thread while entered. Port 0 takes a free one: see `port`.

    Entering raises OSError with a sentence when the port is taken.
    """

    def __init__(self, health: Health, port: int) -> None:
        self.health = health
        self.port = port
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> HealthServer:
        health = self.health

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = health.answer(self.path) or Answer(
                    HTTPStatus.NOT_FOUND, "text/plain", b"not found\n"
                )
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Nothing: being asked is normal."""

        try:
            server = ThreadingHTTPServer((LOOPBACK, self.port), Handler)
        except OSError as error:
            raise OSError(
                f"health_port {self.port} can't be listened on: {error.strerror}; "
                "name another, 0 takes a free one"
            ) from error
        server.daemon_threads = True
        self._server, self.port = server, server.server_address[1]
        self._thread = threading.Thread(
            target=server.serve_forever,
            kwargs={"poll_interval": 0.1},
            name=f"{health.service}.health",
            daemon=True,
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = self._thread = None
