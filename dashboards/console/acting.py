"""What people ask from the page, handed to the ingest: it alone decides, and the page shows what it replied.

A page without login must not be made to act by a stranger's. A request that changes something has to come
from a page of this server (Origin and Sec-Fetch-Site), to this computer by its own name (a name that somebody
else's DNS turned to 127.0.0.1 is not it), with the token of the form, which only a page of ours knows.
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

VISIT_COOKIE: Final = "palier_visit"
USER_COOKIE: Final = "palier_user"

MOST_ASKED: Final = 8
"""Commands on their way at once, each with a thread and a connection to the broker: people are few."""

MOST_FIELDS: Final = 32
"""Fields of a form: the largest of ours has ten."""

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
        """Why a viewer can't act: "no_broker", "network", "other_name"; None where they can."""
        if self._why_not is not None:
            return self._why_not
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


def user_of(request: Request) -> str:
    """The name that this viewer gave, "" before."""
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
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_COMMAND_BYTES:
            raise HTTPException(413, "act_too_long")
    try:
        text = bytes(body).decode("utf-8")
        form = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError as error:
        raise HTTPException(415, "act_not_a_form") from error
    visit, token = visit_of(request), form.get("token", "").encode()
    known = visit is not None and hmac.compare_digest(token_of(visit).encode(), token)
    if not (known and _is_ours(request)):
        raise HTTPException(403, "act_foreign")
    return form


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
