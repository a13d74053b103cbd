"""What people ask from the page, handed to the ingest: it alone decides, and the page shows what it replied.

A page must not be made to act by a stranger's. A request that changes something has to come from a page of
this server (Origin and Sec-Fetch-Site), with the token of the form, which only a page of ours knows: it is
made of the session, or before a login (and on a page without accounts) of the visit. Without accounts it has
to come to this computer by its own name too: a name that somebody else's DNS turned to 127.0.0.1 is not it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request

from palier.asking import AskError
from palier.operations import Command, Reply
from palier.settings import is_loopback
from palier.strict_toml import ConfigError
from palier.wire.operations import MAX_COMMAND_BYTES, MAX_USER

from .roles import Role, person_of

VISIT_COOKIE: Final = "palier_visit"
USER_COOKIE: Final = "palier_user"

MOST_ASKED: Final = 8
"""Commands on their way at once, each with a thread and a connection to the broker: people are few."""

MOST_FIELDS: Final = 32
"""Fields of a form: the largest of ours has ten."""

FORM_S: Final = 20.0
"""How long a form of a few kB may take to arrive: on the slowest link it is a second. Who sends a letter now
and then would keep a connection for ever."""

_VISIT: Final = re.compile(r"[0-9a-f]{32}")
_FORM: Final = "application/x-www-form-urlencoded"
_PORTS: Final = {"http": 80, "https": 443}


class NoAnswer(Exception):
    """The ingest did not reply; `str` is the sentence for the log."""


class TooMany(Exception):
    """So many commands are on their way that no further one is taken now."""


@dataclass(frozen=True, slots=True)
class Acting:
    """How the page acts. `ask` None: it only reads, and `why_not` ("no_broker", "network") says why."""

    ask: Callable[[Command], Reply] | None = None
    why_not: str | None = "no_broker"


class Messenger:
    """Carries commands to the ingest on threads of its own: one that is away takes seconds to say so."""

    def __init__(self, acting: Acting) -> None:
        self._ask = acting.ask
        self._why_not = None if acting.ask else acting.why_not
        self._threads = ThreadPoolExecutor(max_workers=MOST_ASKED, thread_name_prefix="ask")
        self._asked = 0

    def why_not(self, request: Request) -> str | None:
        """Why a viewer can't act: "no_broker", "network", "other_name", "role"; None where they can."""
        if self._why_not is not None:
            return self._why_not
        person = person_of(request.scope)
        if person is not None:
            return None if person.role.may(Role.TECHNICIAN) else "role"
        return None if is_here(request) else "other_name"

    async def ask(self, command: Command) -> Reply:
        """The ingest's reply. Raises NoAnswer, TooMany."""
        if self._ask is None or self._asked >= MOST_ASKED:
            raise TooMany
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, command)
        except (AskError, ConfigError) as error:
            raise NoAnswer(str(error)) from error
        finally:
            self._asked -= 1

    def close(self) -> None:
        """Wait for nothing: who waits for a reply finds in the records what was done."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def is_here(request: Request) -> bool:
    """Whether the viewer reached this computer by a name that is its own."""
    try:
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname
    except ValueError:
        return False
    return host is not None and is_loopback(host)


def visit_of(request: Request) -> str | None:
    """What a browser is known by between two requests; None before its first page."""
    visit = request.cookies.get(VISIT_COOKIE, "")
    return visit if _VISIT.fullmatch(visit) else None


def new_visit() -> str:
    """A visit that nobody can guess."""
    return secrets.token_hex(16)


def token_of(visit: str) -> str:
    """What a form of that visit carries. It outlives a restart of the service, as the visit does."""
    return hmac.new(visit.encode(), b"palier form", hashlib.sha256).hexdigest()


def form_token(request: Request, visit: str) -> str:
    """What a form for who asks carries; `visit` where nobody is logged in."""
    person = person_of(request.scope)
    return token_of(visit if person is None else person.session)


def user_of(request: Request) -> str:
    """Who acts: the account that is logged in; without accounts the name that was given, "" before."""
    person = person_of(request.scope)
    if person is not None:
        return person.name
    return readable_name(unquote(request.cookies.get(USER_COOKIE, "")))


def user_cookie(name: str) -> str:
    """A name as a cookie holds it."""
    return quote(name)


def readable_name(text: str) -> str:
    """A person's name as it is recorded: one line of at most MAX_USER letters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:MAX_USER].strip()


async def form_of(request: Request) -> Mapping[str, str]:
    """The fields of a form that one of our pages sent. HTTPException 403, 413 or 415 (a key of the locale).

    Each field counts once: the last one given.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise HTTPException(415, "act_not_a_form")
    body = await _body_of(request)
    try:
        text = body.decode("utf-8")
        form = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError as error:
        raise HTTPException(415, "act_not_a_form") from error
    visit, token = visit_of(request), form.get("token", "").encode()
    known = visit is not None and hmac.compare_digest(form_token(request, visit).encode(), token)
    if not (known and _is_ours(request)):
        raise HTTPException(403, "act_foreign")
    return form


async def _body_of(request: Request) -> bytes:
    """The body of a form. HTTPException 408 or 413."""
    body = bytearray()
    try:
        async with asyncio.timeout(FORM_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_COMMAND_BYTES:
                    raise HTTPException(413, "act_too_long")
    except TimeoutError as error:
        raise HTTPException(408, "act_not_a_form") from error
    return bytes(body)


def own_path(path: str) -> str:
    """A page of this server to go to, "/" in place of anything else: never another host's."""
    plain = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if plain else "/"


def _is_ours(request: Request) -> bool:
    """Whether the request comes from a page of this server, as every browser tells of a form."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is None and origin is None:
        return False
    return site in (None, "same-origin") and (
        origin is None or _same(origin, request.headers.get("host", ""))
    )


def _same(origin: str, host: str) -> bool:
    """Whether an origin is this server as the browser named it; the scheme is a proxy's business."""
    try:
        told, here = urlsplit(origin), urlsplit(f"//{host}")
        ports = told.port or _PORTS.get(told.scheme), here.port or _PORTS.get(told.scheme)
    except ValueError:
        return False
    return told.hostname is not None and told.hostname == here.hostname and ports[0] == ports[1]
