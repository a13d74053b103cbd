"""POST /act and /sign: a form becomes a command, and the ingest's reply a sentence.

A script gets JSON {"outcome", "sentence", "version"}; a form that was sent by itself gets a page.
`outcome` is "done", "refused", "conflict", or "unanswered" and "unsigned" where the ingest was not heard.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from palier.local_time import zone_of
from palier.operations import Command, Outcome, Reply
from palier.wire.operations import decode_command
from palier.wire.payload import DecodeError

from .acting import (
    USER_COOKIE,
    NoAnswer,
    TooMany,
    form_of,
    own_path,
    readable_name,
    user_cookie,
    user_of,
)
from .context import Console, console_of, spoken
from .guard import too_fast
from .rendering import keep, page, wants_json
from .roles import need_role, person_of
from .words import Words

OF_THE_PAGE: Final = frozenset({"token", "back", "at", "seen", "user"})
"""Fields of a form that are no part of a command."""

INTEGERS: Final = ("expected_version", "for_s", "at_ms", "from_ms", "to_ms")
UNANSWERED: Final = "unanswered"
UNSIGNED: Final = "unsigned"

log = structlog.get_logger(__name__)


async def act(request: Request) -> Response:
    """POST /act: `do`, `id` and the fields of that command (docs/alarms.md), `token`, `back`."""
    console, words = console_of(request), spoken(request)
    form = await form_of(request)
    why_not = console.messenger.why_not(request)
    if why_not is not None:
        raise HTTPException(403, f"read_only_{why_not}")
    need_role(request, _verb(form))
    person = person_of(request.scope)
    if console.access and person and (wait_s := console.access.pause_of_commands(person)):
        return too_fast(request, wait_s)
    user = user_of(request)
    if not user:
        return _answer(request, words, form, UNSIGNED, words.t("act_unsigned"))
    try:
        command = command_of(form, user, console.plant.timezone)
    except DecodeError as error:
        reason = words.t("act_why") if _lacks_why(form) else words.t("act_unreadable", sentence=str(error))
        return _answer(request, words, form, Outcome.REFUSED, reason)
    return await _asked(request, console, words, form, command)


async def sign(request: Request) -> Response:
    """POST /sign: remember who it is that acts from this browser, on a page without accounts."""
    words = spoken(request)
    form = await form_of(request)
    name = readable_name(form.get("user", ""))
    response = _answer(request, words, form, Outcome.DONE, words.t("signed", name=name or "–"))
    keep(request, response, USER_COOKIE, user_cookie(name))
    return response


def _verb(form: Mapping[str, str]) -> str:
    """What a role is needed for. To have all sent again that the host has loads a gateway's line for nothing:
    of a replay a technician has the waveforms of a machine.
    """
    verb = form.get("do", "")
    return "replay_all" if verb == "replay" and not form.get("waveforms_of", "").strip() else verb


def command_of(form: Mapping[str, str], user: str, timezone: str) -> Command:
    """The command of a form, looked at as strictly as one from a stranger. Raises DecodeError.

    `at` is a date and time of the plant's own zone, as a browser's field gives it; `seen` is an alarm with
    the version that the viewer saw, as a button's value: "P-101/2/vibration@3".
    """
    told: dict[str, object] = {
        name: value.replace("\r\n", "\n") for name, value in form.items() if value.strip()
    }
    for name in OF_THE_PAGE & told.keys():
        del told[name]
    for name in INTEGERS:
        if isinstance(text := told.get(name), str) and text.isascii() and text.isdigit() and len(text) < 16:
            told[name] = int(text)
    if at := form.get("at", ""):
        told["at_ms"] = _moment_ms(at, timezone)
    if seen := form.get("seen", ""):
        told["alarm"], _, version = seen.rpartition("@")
        if "id" in told:  # one form for all rows: each row's press is a command of its own
            told["id"] = hashlib.sha256(f"{told['id']} {seen}".encode()).hexdigest()[:32]
        told["expected_version"] = int(version) if version.isdecimal() and version.isascii() else version
    return decode_command(json.dumps(told | {"user": user}).encode())


def _moment_ms(text: str, timezone: str) -> object:
    """Milliseconds since 1970 of a local time; what is none is handed on, to be refused as such."""
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=zone_of(timezone)).timestamp()) * 1000
    except (ValueError, OverflowError):
        return text


def _lacks_why(form: Mapping[str, str]) -> bool:
    return "why" in form and not form["why"].strip()


async def _asked(
    request: Request, console: Console, words: Words, form: Mapping[str, str], command: Command
) -> Response:
    try:
        reply = await console.messenger.ask(command)
    except TooMany:
        return _answer(request, words, form, UNANSWERED, words.t("act_too_many"))
    except NoAnswer as error:
        log.warning("command_unanswered", id=command.id, error=str(error))
        return _answer(request, words, form, UNANSWERED, words.t("act_unanswered"))
    return _answer(request, words, form, reply.outcome, words.reply(reply.reason, reply.params), reply=reply)


def _answer(
    request: Request,
    words: Words,
    form: Mapping[str, str],
    outcome: str,
    sentence: str,
    *,
    reply: Reply | None = None,
) -> Response:
    if wants_json(request):
        version = reply.version if reply else None
        return JSONResponse({"outcome": str(outcome), "sentence": sentence, "version": version})
    return page(
        request,
        words,
        "said.html",
        outcome=str(outcome),
        sentence=sentence,
        back=own_path(form.get("back", "")),
    )
