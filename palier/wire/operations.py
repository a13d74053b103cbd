"""People's commands and their replies on the wire: JSON on topics of Palier's own. Pure.

    palier/v1/SITE/command      {"id": …, "user": …, "do": "acknowledge", "alarm": "P-101/2/vibration", …}
    palier/v1/SITE/reply/ID     {"id": …, "outcome": "done", "reason": …, "version": 4, …}

Both at QoS 1, never retained. Reading is strict: a stranger may write the topic, and what is recorded stays.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import fields as fields_of
from enum import StrEnum
from functools import partial
from typing import Any, Final, TypeVar

from models.diagnosis.types import Fault
from palier.alarms import AlarmError, AlarmKey
from palier.frames import NAME_PATTERN
from palier.operations import (
    LONGEST_SHELF_S,
    SHORTEST_SHELF_S,
    Acknowledge,
    Ask,
    CauseCode,
    Command,
    Configure,
    ConfirmBaseline,
    Found,
    GiveVerdict,
    Intervene,
    InterventionKind,
    Outcome,
    PutBack,
    RelearnBaseline,
    Reply,
    SendAgain,
    Shelve,
    TakeOut,
    TellGateway,
    Unshelve,
)

from . import configuration as configured
from .configuration import MAX_TEXT_BYTES, Configuration, check_configuration, read_signature
from .letters import is_strange
from .payload import DecodeError, Reason
from .topics import TopicError

PREFIX: Final = "palier/v1"

MAX_COMMAND_BYTES: Final = 16 * 1024
"""A text of the longest, each letter escaped, and the rest."""

MAX_CONFIGURE_BYTES: Final = 2 * MAX_TEXT_BYTES + MAX_COMMAND_BYTES
"""Of a command that carries a configuration, each end of a line and each quote escaped."""

MAX_REPLY_BYTES: Final = 64 * 1024 + 2 * MAX_TEXT_BYTES
"""A reply holds an alarm with its causes, some 4 kB, or a gateway's configuration."""

MAX_TEXT: Final = 2000
"""Letters of a person's remark: a page."""

MAX_USER: Final = 64
MAX_VERSION: Final = 2**31

MAX_NS: Final = 2**63 - 2
"""The latest time that a gateway can be asked about."""

MAX_MS: Final = 2**53 - 1
"""The largest integer that every reader of JSON keeps."""

ID_PATTERN: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
"""A command's id: a part of a topic, long enough to be drawn at random. Use `fullmatch`."""

ASKS: Final[Mapping[str, type[Ask]]] = {
    "acknowledge": Acknowledge,
    "shelve": Shelve,
    "unshelve": Unshelve,
    "take_out": TakeOut,
    "put_back": PutBack,
    "intervention": Intervene,
    "confirm_baseline": ConfirmBaseline,
    "relearn_baseline": RelearnBaseline,
    "verdict": GiveVerdict,
    "replay": SendAgain,
    "configure": Configure,
    "gateway": TellGateway,
}
"""What may stand behind "do"."""

_VERBS: Final = {kind: verb for verb, kind in ASKS.items()}
_NEEDS_WHY: Final = (Shelve, TakeOut, RelearnBaseline, SendAgain, Configure)
_IN_MS: Final[Mapping[str, str]] = {"at_ns": "at_ms", "from_ns": "from_ms", "to_ns": "to_ms"}
"""Times, as they travel: not every reader of JSON keeps nanoseconds."""


def command_topic(site: str) -> str:
    """Where people's commands to the ingest are written. TopicError where the site is not a name."""
    return f"{PREFIX}/{_site(site)}/command"


def reply_topic(site: str, command_id: str) -> str:
    """Where a command is answered. TopicError where it can't be."""
    if not ID_PATTERN.fullmatch(command_id):
        raise TopicError(f"a command's id must match {ID_PATTERN.pattern}, got {command_id[:80]!r}")
    return f"{PREFIX}/{_site(site)}/reply/{command_id}"


def reply_filter(site: str) -> str:
    """All replies of a site, for an access list."""
    return f"{PREFIX}/{_site(site)}/reply/#"


def site_of(topic: str) -> str | None:
    """The site of a command topic, None for any other topic."""
    parts = topic.split("/")
    fits = len(parts) == 4 and parts[:2] == PREFIX.split("/") and parts[3] == "command"
    return parts[2] if fits and NAME_PATTERN.fullmatch(parts[2]) else None


def encode_command(command: Command) -> bytes:
    """A command as JSON. DecodeError where no host would take it: told before it is sent."""
    data = _bytes(_command_told(command))
    decode_command(data)
    return data


def decode_command(data: bytes) -> Command:
    """The command in a message. DecodeError, and nothing else, whatever the bytes."""
    told = _object(data, _most(data), "a command")
    if told.get("do") != _VERBS[Configure] and len(data) > MAX_COMMAND_BYTES:
        raise DecodeError(Reason.SIZE, f"it must be at most {MAX_COMMAND_BYTES} bytes, got {len(data)}")
    verb = told.pop("do", None)
    kind = ASKS.get(verb) if isinstance(verb, str) else None
    if kind is None:
        raise DecodeError(Reason.SCHEMA, f"do must be one of {', '.join(ASKS)}, got {_short(verb)}")
    head = {name: told.pop(name, None) for name in ("id", "user", "expected_version")}
    return Command(
        id=_id(head["id"]),
        user=_text("user", head["user"], MAX_USER, needed=True),
        ask=_ask(kind, told),
        expected_version=_integer("expected_version", head["expected_version"], 0, MAX_VERSION),
    )


def _most(data: bytes) -> int:
    """Bytes that are looked at: more only where they may be a configuration."""
    return MAX_CONFIGURE_BYTES if b'"configure"' in data else MAX_COMMAND_BYTES


def readable_id(data: bytes) -> str | None:
    """The id of a command that can't be read otherwise, so that it can be refused; None without one."""
    try:
        return _id(_object(data, _most(data), "a command").get("id"))
    except DecodeError:
        return None


def digest(command: Command) -> str:
    """What tells a command sent again from another under the same id."""
    return hashlib.sha256(_bytes(_command_told(command))).hexdigest()


def encode_reply(reply: Reply) -> bytes:
    """A reply as JSON."""
    return _bytes({name: _plain(getattr(reply, name)) for name in Reply.__slots__})


def decode_reply(data: bytes) -> Reply:
    """The reply in a message. DecodeError, and nothing else, whatever the bytes."""
    told = _object(data, MAX_REPLY_BYTES, "a reply")
    params, present = told.get("params"), told.get("present")
    if not isinstance(params, dict) or not isinstance(present, dict | None):
        raise DecodeError(Reason.TYPE, "a reply's params and present must be objects")
    if not all(isinstance(value, str | int) for value in params.values()):
        raise DecodeError(Reason.TYPE, "a reply's params must be texts and integers")
    return Reply(
        id=_id(told.get("id")),
        outcome=_word("outcome", Outcome, told.get("outcome")),
        reason=_text("reason", told.get("reason"), MAX_TEXT, needed=True),
        params=params,
        version=_integer("version", told.get("version"), 0, MAX_VERSION),
        present=present,
    )


def _command_told(command: Command) -> dict[str, Any]:
    told: dict[str, Any] = {"id": command.id, "user": command.user, "do": _VERBS[type(command.ask)]}
    if command.expected_version is not None:
        told["expected_version"] = command.expected_version
    for field in fields_of(command.ask):
        value = getattr(command.ask, field.name)
        if value not in (None, "") and value is not False:
            in_ms = _IN_MS.get(field.name)
            told[in_ms or field.name] = value // 1_000_000 if in_ms else value
    return told


def _ask(kind: type[Ask], told: Mapping[str, Any]) -> Ask:
    """What is asked, every field looked at and none left over."""
    wanted = {_IN_MS.get(field.name, field.name): field.name for field in fields_of(kind)}
    unknown = sorted(set(told) - set(wanted))
    if unknown:
        raise DecodeError(
            Reason.SCHEMA, f"unknown key {_short(unknown[0])}: it takes {', '.join(sorted(wanted))}"
        )
    read: dict[str, Any] = {}
    for name in sorted(wanted):
        read[wanted[name]] = _READ[name](told.get(name))
    if kind in _NEEDS_WHY and not read["why"]:
        raise DecodeError(Reason.SCHEMA, "why must be there: say why, somebody will read it")
    if kind is SendAgain and read["from_ns"] > read["to_ns"]:
        raise DecodeError(Reason.RANGE, "from_ms must not lie after to_ms")
    if kind is Configure:
        signature = read_signature(read["signature"])
        check_configuration(
            Configuration(read["edge"], read["version"], read["toml"], signature, "not-sent-yet")
        )
    return kind(**read)


def _alarm(value: object) -> str:
    text = _text("alarm", value, 256, needed=True)
    try:
        return AlarmKey.parse("site", text).id
    except AlarmError as error:
        raise DecodeError(Reason.NAME, str(error)) from error


def _name(key: str, value: object, *, needed: bool) -> str:
    text = _text(key, value, 64, needed=needed)
    if text and not NAME_PATTERN.fullmatch(text):
        raise DecodeError(Reason.NAME, f"{key} must match {NAME_PATTERN.pattern}, got {_short(text)}")
    return text


def _text(key: str, value: object, longest: int, *, needed: bool = False) -> str:
    """A person's words: no control letter but the end of a line, nothing that turns the reading around."""
    if value is None and not needed:
        return ""
    if not isinstance(value, str):
        raise DecodeError(Reason.TYPE, f"{key} must be a text, got {_short(value)}")
    if len(value) > longest:
        raise DecodeError(Reason.LENGTH, f"{key} must have at most {longest} letters, got {len(value)}")
    strange = next((letter for letter in value if is_strange(letter, lines=longest == MAX_TEXT)), None)
    if strange is not None:
        raise DecodeError(Reason.RANGE, f"{key} must hold no control characters, got U+{ord(strange):04X}")
    if needed and not value.strip():
        raise DecodeError(Reason.SCHEMA, f"{key} must not be empty")
    return value.strip()


def _integer(key: str, value: object, low: int, high: int) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise DecodeError(Reason.RANGE, f"{key} must be an integer from {low} to {high}, got {_short(value)}")
    return value


def _time(value: object) -> int | None:
    at_ms = _integer("at_ms", value, 0, MAX_MS)
    return None if at_ms is None else at_ms * 1_000_000


def _needed_time(key: str, value: object) -> int:
    at_ms = _integer(key, value, 0, MAX_MS)
    if at_ms is None or at_ms * 1_000_000 > MAX_NS:
        raise DecodeError(Reason.RANGE, f"{key} must be there, in ms since 1970 UTC, got {_short(value)}")
    return at_ms * 1_000_000


def _edge(value: object) -> str:
    text = _text("edge", value, 129, needed=True)
    parts = text.split("/")
    if len(parts) != 2 or not all(NAME_PATTERN.fullmatch(part) for part in parts):
        raise DecodeError(Reason.NAME, f"edge must be SITE/NODE, got {_short(text)}")
    return text


def _version(value: object) -> int:
    version = _integer("version", value, 1, configured.MAX_VERSION)
    if version is None:
        raise DecodeError(Reason.SCHEMA, "version must be there: one more than the gateway has")
    return version


def _toml(value: object) -> str:
    """Any text: what it says is for the gateway to judge."""
    if not isinstance(value, str):
        raise DecodeError(Reason.TYPE, f"toml must be a text, got {_short(value)}")
    return value


def _flag(key: str, value: object) -> bool:
    if value is not None and not isinstance(value, bool):
        raise DecodeError(Reason.TYPE, f"{key} must be true or false, got {_short(value)}")
    return value is True


E = TypeVar("E", bound=StrEnum)


def _word(key: str, words: type[E], value: object) -> E:
    found = next((word for word in words if word.value == value), None)
    if found is None:
        raise DecodeError(Reason.RANGE, f"{key} must be one of {', '.join(words)}, got {_short(value)}")
    return found


def _optional_word(key: str, words: type[E], value: object) -> E | None:
    return None if value is None else _word(key, words, value)


_READ: Final[Mapping[str, Callable[[object], Any]]] = {
    "alarm": _alarm,
    "machine": partial(_name, "machine", needed=True),
    "point": partial(_name, "point", needed=False),
    "waveforms_of": partial(_name, "waveforms_of", needed=False),
    "comment": lambda value: _text("comment", value, MAX_TEXT),
    "why": lambda value: _text("why", value, MAX_TEXT),
    "text": lambda value: _text("text", value, MAX_TEXT),
    "for_s": lambda value: _integer("for_s", value, SHORTEST_SHELF_S, LONGEST_SHELF_S),
    "at_ms": _time,
    "from_ms": lambda value: _needed_time("from_ms", value),
    "to_ms": lambda value: _needed_time("to_ms", value),
    "edge": _edge,
    "again": lambda value: _flag("again", value),
    "version": _version,
    "toml": _toml,
    "signature": lambda value: _text("signature", value, 256, needed=True),
    "kind": partial(_word, "kind", InterventionKind),
    "cause": partial(_optional_word, "cause", CauseCode),
    "verdict": partial(_word, "verdict", Found),
    "found": partial(_optional_word, "found", Fault),
}


def _id(value: object) -> str:
    if not isinstance(value, str) or not ID_PATTERN.fullmatch(value):
        raise DecodeError(Reason.NAME, f"id must match {ID_PATTERN.pattern}, got {_short(value)}")
    return value


def _site(site: str) -> str:
    if not NAME_PATTERN.fullmatch(site):
        raise TopicError(f"a site must match {NAME_PATTERN.pattern}, got {site[:80]!r}")
    return site


def _object(data: bytes, most: int, what: str) -> dict[str, Any]:
    """A JSON object of which every key stands once, with numbers that JSON has."""
    if len(data) > most:
        raise DecodeError(Reason.SIZE, f"{what} must be at most {most} bytes, got {len(data)}")
    try:
        read = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise DecodeError(Reason.DECODE, f"{what} must be JSON: {str(error)[:200]}") from error
    if not isinstance(read, dict):
        raise DecodeError(Reason.SCHEMA, f"{what} must be a JSON object, got {_short(read)}")
    return read


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a key stands twice")
    return read


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _bytes(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else value


def _short(value: object) -> str:
    """What a log can take of what a stranger sent."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
