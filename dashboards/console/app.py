"""The built-in page as an ASGI application: routes, headers, errors. Nothing here writes: what people ask
goes to the ingest (`acting.py`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from copy import copy
from importlib import resources
from pathlib import Path
from typing import Final, cast

import structlog
from pydantic_settings import BaseSettings
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.detection.zones import LimitSet
from palier.clock import PlantClock
from palier.health import Answer, Health
from palier.historian.base import Historian, HistorianError
from palier.locale import LANGUAGES
from palier.plant import Plant

from .access import Access
from .account_file import AccountError
from .accounts import gateways_page, ledger_page
from .acting import Acting, Messenger
from .actions import act, sign
from .alarm_history import figures_page, history_page
from .alarm_pages import alarm_page, alarms_page
from .api import machine_json, overview_json, spectrum_json, temperature_json, trend_json, values_json
from .context import Console, console_of, spoken
from .events import events
from .guard import Guard, unreadable
from .live import Board, Live
from .login import ROUTES as LOGIN_ROUTES
from .machine_routes import ROUTES as MACHINE_ROUTES
from .metrics import Metrics
from .news import News
from .order_page import alarm_order_page, machine_order_page
from .pages import overview_page
from .raw_blocks import ROUTES as RAW_ROUTES
from .reader import Busy, HistorianReader, records_reader
from .rendering import error_answer, templates
from .report import ROUTES as REPORT_ROUTES
from .roles import Doorkeeper, RoleNeeded, person_of
from .settings_page import settings_page
from .words import Words
from .work import work_page

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
"""Everything comes from this server; no script or style stands in a page. uPlot sets styles through the DOM,
which the policy allows."""

log = structlog.get_logger(__name__)

READY_S: Final = 1.0
"""How long /readyz waits for a reading of now."""

GZIP_LEVEL: Final = 5
"""Of 9: a tenth more bytes than the last for a third of its time. Streams are left as they are."""

HEADERS: Final = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    # Other hosts are told nothing; with "no-referrer" a form sent without script has the origin "null".
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def create_app(
    plant: Plant,
    *,
    historian: Path | None,
    open_historian: Callable[[], Historian],
    limits: Mapping[str, LimitSet],
    records: Path,
    waveforms: Path | None = None,
    acting: Acting | None = None,
    access: Access | None = None,
    clock: PlantClock | None = None,
    lang: str = LANGUAGES[0],
    shown: BaseSettings | None = None,
) -> Starlette:
    """The application over a plant, its historian and the ingest's records; files need not exist yet.

    `open_historian` opens it read-only; `limits` are all that points may name; `acting` carries what people
    ask (None: the page only reads); `access` holds the accounts (None: the page has none); `lang` is spoken
    until a page is asked for in another one; `shown` are the settings in force.
    """
    health = Health("console", ("historian",))
    metrics = Metrics(health.registry)
    plant_clock = clock or PlantClock()

    def on_read(board: Board, seconds: float) -> None:
        health.set("historian", board.problem is None, board.detail)
        metrics.board_read(board, seconds)

    readers = [
        HistorianReader(historian, open_historian, name=f"historian-{use}") for use in ("live", "query")
    ]
    recorders = [records_reader(records) for _ in range(2)]
    messenger = Messenger(acting or Acting())
    console = Console(
        plant=plant,
        limits=limits,
        clock=plant_clock,
        live=Live(plant, readers[0], plant_clock, limits=limits, records=recorders[0], on_read=on_read),
        queries=readers[1],
        records=recorders[1],
        messenger=messenger,
        news=News(),
        templates=templates(),
        words={name: Words(name) for name in LANGUAGES},
        health=health,
        metrics=metrics,
        lang=lang,
        shown=shown,
        waveforms=waveforms,
        access=access,
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        console.live.close()
        messenger.close()
        console.desk.close()
        for reader in readers:
            reader.close()
        for recorder in recorders:
            recorder.close()
        if access is not None:
            access.close()

    app = Starlette(
        routes=_routes() if access is None else _guarded([*_routes(), *LOGIN_ROUTES]),
        middleware=[
            Middleware(Answers, metrics=metrics),
            *([] if access is None else [Middleware(Guard, access=access)]),
            Middleware(GZipMiddleware, compresslevel=GZIP_LEVEL),
        ],
        exception_handlers={
            HTTPException: _refused,
            HistorianError: _no_historian,
            AccountError: _no_accounts,
        },
        lifespan=lifespan,
    )
    app.state.console = console
    return app


def _routes() -> list[Route | Mount]:
    static = resources.files("dashboards.console") / "static"
    return [
        Route("/", overview_page),
        *MACHINE_ROUTES,
        *REPORT_ROUTES,
        *RAW_ROUTES,
        Route("/machine/{machine}/work", work_page),
        Route("/machine/{machine}/order", machine_order_page),
        Route("/alarms", alarms_page),
        Route("/alarms/history", history_page),
        Route("/alarms/figures", figures_page),
        Route("/alarm/{alarm:path}/order", alarm_order_page),
        Route("/alarm/{alarm:path}", alarm_page),
        Route("/gateways", gateways_page),
        Route("/ledger", ledger_page),
        Route("/settings", settings_page),
        Route("/act", act, methods=["POST"]),
        Route("/sign", sign, methods=["POST"]),
        Route("/events", events),
        Route("/api/overview", overview_json),
        Route("/api/machines/{machine}", machine_json),
        Route("/api/machines/{machine}/trend", trend_json),
        Route("/api/machines/{machine}/temperature", temperature_json),
        Route("/api/machines/{machine}/spectrum", spectrum_json),
        Route("/api/machines/{machine}/values", values_json),
        *(Route(path, _health) for path in ("/healthz", "/readyz", "/metrics")),
        Mount("/static", StaticFiles(directory=str(static))),
    ]


def _guarded(routes: list[Route | Mount]) -> list[Route | Mount]:
    """Copies of the routes, each with somebody before it who asks for its role."""
    guarded = [copy(route) for route in routes]  # the modules' own are shared by all applications
    for route in guarded:
        route.app = Doorkeeper(route.app, route.path)
    return guarded


async def _health(request: Request) -> Response:
    """GET /healthz, /readyz, /metrics: what the service knows of itself."""
    console = console_of(request)
    if request.url.path.endswith("/readyz"):
        await console.live.look(READY_S)  # then by what is known: who asks must not hang with the historian
    console.metrics.streams.set(console.live.streams)
    answer = cast(Answer, console.health.answer(request.url.path))  # routed here: one of the three
    return Response(answer.body, answer.status, media_type=answer.content_type)


async def _refused(request: Request, error: Exception) -> Response:
    """A mistake in the request, as a sentence."""
    error = cast(HTTPException, error)
    words = spoken(request)
    if isinstance(error, RoleNeeded):
        person = person_of(request.scope)
        log.warning(
            "role_needed", user=person.name if person else "", path=request.url.path, needed=error.needed
        )
        return error_answer(request, error.status_code, words.role_needed(error.needed, person))
    known = {404: words.t("error_not_found"), 405: words.t("error_method")}
    plain = error.detail in ("Not Found", "Method Not Allowed")
    sentence = known[error.status_code] if plain else words.told(error.detail)
    return error_answer(request, error.status_code, sentence, error.headers)


async def _no_accounts(request: Request, error: Exception) -> Response:
    """The file of accounts can't be read or written now; why is in the log and not on the page."""
    return unreadable(request, error)


async def _no_historian(request: Request, error: Exception) -> Response:
    """The historian can't answer now: the page says what to do, the sentence of the store goes to the log."""
    key = "error_busy" if isinstance(error, Busy) else "error_historian"
    return error_answer(request, 503, spoken(request).t(key), {"Retry-After": "5"})


class Answers:
    """Puts the headers of HEADERS on every answer and counts it."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)  # a report has a policy of its own
                # A file is asked for again after an upgrade (304 when it is the same); states are never kept.
                headers["cache-control"] = "no-cache" if scope["path"].startswith("/static/") else "no-store"
                self._metrics.requests.labels(str(message["status"])).inc()
            await send(message)

        await self._app(scope, receive, answer)
