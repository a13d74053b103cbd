"""The cookie of a session, and of a browser that is known: no script reads them, no other site sends them.

Over https a session's cookie is a `__Host-` one: browsers take it from this very host only, encrypted, so
that no neighbour can plant one. SameSite is Lax, not Strict: a link in a message of an alarm must find its
reader logged in; what changes something is a POST, which Lax does not send along.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from . import known_browsers
from .access import is_secure
from .sessions import VIEWERS_LONGEST_S

NAME: Final = "palier_session"
LONGEST_TOKEN: Final = 64


def token_in(request: Request) -> str:
    """The token that a browser brings, "" without one."""
    token = request.cookies.get(_name(request), "")
    return token if len(token) <= LONGEST_TOKEN and token.isascii() else ""


def browser_in(request: Request) -> str:
    """What the browser tells of where it logged in before, "" where it does not."""
    return request.cookies.get(known_browsers.COOKIE, "")


def give(request: Request, response: Response, token: str, browser: str) -> None:
    """Have the browser keep a session, and that it is known. Both outlive its closing: a shift's phone does
    not ask twice; how long a session lasts is decided here and not there.
    """
    secure = is_secure(request)
    for name, value in ((_name(request), token), (known_browsers.COOKIE, browser)):
        response.set_cookie(
            name, value, max_age=VIEWERS_LONGEST_S, httponly=True, samesite="lax", secure=secure
        )


def take(request: Request, response: Response) -> None:
    """Have the browser forget its session."""
    response.delete_cookie(_name(request), httponly=True, samesite="lax", secure=is_secure(request))


def _name(request: Request) -> str:
    return f"__Host-{NAME}" if is_secure(request) else NAME
