"""Before every route of a page with accounts: nobody passes without a session, and nobody too fast.

It comes before the routes, so that who is not logged in learns not even which there are. What a role may is
looked at per route (`roles.Doorkeeper`).
"""

from __future__ import annotations

import math
from typing import Final
from urllib.parse import quote

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from palier.settings import is_loopback

from .access import Access, address_of
from .account_file import AccountError
from .acting import is_here
from .context import spoken
from .rendering import error_answer, wants_json
from .roles import HERE, OPEN, PERSON
from .session_cookie import token_in

log = structlog.get_logger(__name__)

OF_SCRIPTS: Final = ("/api/", "/events", "/session")
"""What a page asks by itself: a screen that is left open does not keep its session by it, and is not sent to
the login but told."""


class Guard:
    """Lets requests pass that may, and names who asks (ASGI 3)."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or say why not."""
        if scope["type"] == "websocket":  # there is none; one that is added must not be open by accident
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http":
            refusal = self._refusal(Request(scope), scope)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, request: Request, scope: Scope) -> Response | None:
        """The answer to who may not pass, None to who may; that one then stands in the scope."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if wait_s := self._access.pause_of_requests(request):
            return too_fast(request, wait_s)
        if _stands_in(path, OPEN) and path != "/login":
            return None
        try:
            person = self._access.person(token_in(request), active=not path.startswith(OF_SCRIPTS))
        except AccountError as error:
            return unreadable(request, error)
        if person is not None:
            scope[PERSON] = person
            return None
        machine_itself = _stands_in(path, HERE) and is_here(request) and is_loopback(address_of(request))
        return None if path == "/login" or machine_itself else _to_login(request, path)


def _stands_in(path: str, routes: frozenset[str]) -> bool:
    return path in routes or any(path.startswith(f"{route}/") for route in routes if route == "/static")


def _to_login(request: Request, path: str) -> Response:
    """A reader is led to the login and back; a script, or a form whose session is over, is told."""
    if request.method not in ("GET", "HEAD") or path.startswith(OF_SCRIPTS) or wants_json(request):
        return error_answer(request, 401, spoken(request).text("login.needed"))
    asked = f"{path}?{request.url.query}" if request.url.query else path
    back = "" if asked == "/" else f"?next={quote(asked)}"
    return RedirectResponse(f"{request.scope.get('root_path', '')}/login{back}", 303)


def unreadable(request: Request, error: Exception) -> Response:
    """503: the accounts can't be read or written. Why goes to the log."""
    log.error("accounts_unreadable", error=str(error))
    return error_answer(request, 503, spoken(request).text("login.unreadable"), {"Retry-After": "5"})


def too_fast(request: Request, wait_s: float) -> Response:
    """429, with how long to wait."""
    seconds = max(1, math.ceil(wait_s))
    sentence = spoken(request).text("login.too_fast", seconds=seconds)
    return error_answer(request, 429, sentence, {"Retry-After": str(seconds)})
