"""The way in and out: GET and POST /login, POST /logout, GET and POST /account, GET /session.

A login that fails says one thing, after one time, whatever was wrong with it.
"""

from __future__ import annotations

import math
from typing import Final, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from .access import Access, Login, address_of
from .acting import form_of, own_path, token_of
from .context import console_of, spoken, words_of
from .passwords import SHORTEST, flaw_of
from .rendering import page, page_settings
from .roles import Person, person_of
from .session_cookie import browser_in, give, take


async def login_page(request: Request) -> Response:
    """GET /login?next=: the form; who is logged in already goes on."""
    if person_of(request.scope) is not None:
        return _on(request, request.query_params.get("next", ""))
    return _form(request, after=request.query_params.get("next", ""))


async def log_in(request: Request) -> Response:
    """POST /login: `name`, `password`, `next`, `token`. The session is a new one, whatever came before."""
    access, words = _access(request), spoken(request)
    form = await form_of(request)
    name, after = form.get("name", ""), form.get("next", "")
    if not access.takes_passwords(request):
        return _form(request, words.text("login.plain"), name, after, status=403)
    address = address_of(request)
    found = await access.login(name, form.get("password", ""), address=address, browser=browser_in(request))
    if found.wait_s:
        return _paused(request, found, name, after)
    if not found.token:
        return _form(request, words.text("login.failed"), name, after, status=401)
    before = person_of(request.scope)
    if before is not None:
        await access.logout(before, address)
    return _entered(request, access, found, after)


async def log_out(request: Request) -> Response:
    """POST /logout: end the session."""
    await form_of(request)
    await _access(request).logout(_person(request), address_of(request))
    response = RedirectResponse(f"{request.scope.get('root_path', '')}/login", 303)
    take(request, response)
    return response


async def session_json(request: Request) -> Response:
    """GET /session: {"name", "role", "token"} of who is logged in; 401 when the session is over.

    `token` is what forms carry: a page that was being written on goes on with it after another login.
    """
    person = _person(request)
    return JSONResponse({"name": person.name, "role": person.role, "token": token_of(person.session)})


async def account_page(request: Request) -> Response:
    """GET /account: who one is here, and a form for another password."""
    return await _account(request)


async def change_password(request: Request) -> Response:
    """POST /account: `password`, `new`, `again`. Sessions elsewhere end."""
    access, person, words = _access(request), _person(request), spoken(request)
    form = await form_of(request)
    new = form.get("new", "")
    flaw = flaw_of(person.name, new)
    if flaw is None and new != form.get("again", ""):
        flaw = "password_differs"
    if flaw is not None:
        return await _account(request, words.text(f"login.{flaw}", least=SHORTEST), 422)
    if not access.takes_passwords(request):
        return await _account(request, words.text("login.plain"), 403)
    address = address_of(request)
    found = await access.change_password(person, form.get("password", ""), new, address=address)
    if found.wait_s:
        return await _account(request, _pause_text(request, found), 429, _retry(found))
    if not found.token:
        return await _account(request, words.text("login.password_wrong"), 403)
    return _entered(request, access, found, "/account?changed=1")


ROUTES: Final = (
    Route("/login", login_page),
    Route("/login", log_in, methods=["POST"]),
    Route("/logout", log_out, methods=["POST"]),
    Route("/session", session_json),
    Route("/account", account_page),
    Route("/account", change_password, methods=["POST"]),
)
"""What only a page with accounts serves."""


async def _account(
    request: Request, problem: str = "", status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    console, words = console_of(request), words_of(request)
    board = await console.live.board()
    response = page(
        request,
        words,
        "account.html",
        status=status,
        problem=board.problem,
        refused=problem,
        changed="changed" in request.query_params,
        least=SHORTEST,
        settings=page_settings(request, words, board, stream=f"/events?lang={words.lang}"),
    )
    response.headers.update(headers or {})
    return response


def _form(
    request: Request, problem: str = "", name: str = "", after: str = "", *, status: int = 200
) -> Response:
    return page(
        request,
        words_of(request),
        "login.html",
        status=status,
        refused=problem,
        name=name[:64],
        after=own_path(after),
    )


def _paused(request: Request, found: Login, name: str, after: str) -> Response:
    response = _form(request, _pause_text(request, found), name, after, status=429)
    response.headers.update(_retry(found))
    return response


def _pause_text(request: Request, found: Login) -> str:
    return spoken(request).text("login.paused", seconds=max(1, math.ceil(found.wait_s)))


def _retry(found: Login) -> dict[str, str]:
    return {"Retry-After": str(max(1, math.ceil(found.wait_s)))}


def _entered(request: Request, access: Access, found: Login, after: str) -> Response:
    response = _on(request, after)
    give(request, response, found.token, access.browser_after(browser_in(request), found.name))
    return response


def _on(request: Request, after: str) -> Response:
    """To a page of ours, never to another host's."""
    path = own_path(after)
    return RedirectResponse(
        request.scope.get("root_path", "") + ("/" if path.startswith("/login") else path), 303
    )


def _access(request: Request) -> Access:
    access = console_of(request).access
    if access is None:  # not routed without accounts
        raise HTTPException(404, "error_not_found")
    return access


def _person(request: Request) -> Person:
    return cast(Person, person_of(request.scope))  # behind the guard there is one
