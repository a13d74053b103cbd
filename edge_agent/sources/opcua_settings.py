"""The [[source]] of an OPC UA server, read strictly: a mistake is a ValueError with a sentence."""

from __future__ import annotations

import base64
import math
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from edge_agent.settings import is_loopback
from palier.table_mistakes import TableMistakes

from .reading_pace import SEND_EVERY_S
from .reading_table import ROWS, ReadingRow, ReadingTable, refuse_unknown_keys

NONE: Final = "None"
BASIC256SHA256: Final = "Basic256Sha256"
"""Messages signed and encrypted. Older policies rest on SHA-1 and are withdrawn (OPC UA Part 7, 2017)."""

DEFAULT_PORT: Final = 4840  # registered with IANA for opc.tcp
NODE_ID: Final = re.compile(
    r"(nsu=(?P<uri>[^;]+);|ns=(?P<ns>\d{1,5});)?(?P<kind>[isgb])=(?P<what>.+)", re.DOTALL
)
_FILES: Final = ("certificate_file", "key_file", "server_certificate_file", "server_ca_file", "password_file")
_KEYS: Final = (
    "url",
    "security",
    *_FILES,
    "username",
    "insecure",
    "every_s",
    "send_every_s",
    "sampling_s",
    "queue",
    "read_s",
)

FASTEST_S: Final = 0.05
"""Slow values: what changes faster is sampled as a waveform."""

LONGEST_READ_S: Final = 300.0
"""Values are read at least so often: half of the time after which the agent takes a source for hanging."""


@dataclass(frozen=True, slots=True)
class OpcUaSettings:
    """One server. `every_s` is the publishing interval, `sampling_s` the server's own, `queue` how many
    samples it keeps between two messages, `read_s` how often all values are read beside the subscription,
    `send_every_s` how often one travels to the host.
    """

    url: str
    security: str = NONE
    certificate_file: Path | None = None
    key_file: Path | None = None
    server_certificate_file: Path | None = None
    server_ca_file: Path | None = None
    username: str | None = None
    password_file: Path | None = field(default=None, repr=False)
    every_s: float = 1.0
    sampling_s: float = 1.0
    queue: int = 10
    read_s: float = 30.0
    send_every_s: float = SEND_EVERY_S

    @property
    def secure(self) -> bool:
        """Whether messages are signed and encrypted."""
        return self.security != NONE


def read_table(
    table: Mapping[str, object], found: TableMistakes | None = None
) -> tuple[OpcUaSettings, ReadingTable]:
    """The server and its values. Raises TableError with sentences naming the keys; or notes them in `found`.

    Then the rows are those whose node is known, and the url is empty where nobody may connect by what the
    table says of the server.
    """
    noted, server = found or TableMistakes(), TableMistakes()
    noted.read(None, refuse_unknown_keys, table, {*_KEYS, ROWS, "machine", "point"}, "opcua")
    rows = ReadingTable.read(table, own=("node_id",), address=node_id, found=noted)
    every_s = noted.read(1.0, _seconds, table, "every_s", 1.0, FASTEST_S, 60.0)
    settings = OpcUaSettings(
        url=server.read("", _url, table),
        security=server.read(NONE, _security, table),
        **{key: server.read(None, _file, table, key) for key in _FILES},
        username=server.read(None, _text, table, "username") if "username" in table else None,
        every_s=every_s,
        sampling_s=noted.read(1.0, _seconds, table, "sampling_s", every_s, FASTEST_S, 3600.0),
        queue=noted.read(10, _queue, table),
        read_s=noted.read(30.0, _seconds, table, "read_s", 30.0, 1.0, LONGEST_READ_S),
        send_every_s=noted.read(
            SEND_EVERY_S, _seconds, table, "send_every_s", SEND_EVERY_S, FASTEST_S, LONGEST_READ_S
        ),
    )
    insecure = server.read(False, _flag, table, "insecure")
    try:
        server.refuse()
        _must_fit(settings, insecure=insecure)  # what belongs together, where each is right
    except ValueError as error:
        noted.note(error)
        settings = replace(settings, url="")
    if found is None:
        noted.refuse()
    known = [row for row in rows.rows if TableMistakes().read(None, node_id, row) is not None]
    return settings, rows if len(known) == len(rows.rows) else ReadingTable(known)


def node_id(row: ReadingRow) -> str:
    """The node of a row as written. ValueError where it can't be one."""
    text = row.own.get("node_id")
    match = NODE_ID.fullmatch(text) if isinstance(text, str) else None
    if not isinstance(text, str) or match is None or not _is_identifier(match["kind"], match["what"]):
        raise ValueError(
            f'{row}: node_id must be as the server names it, e.g. "ns=2;s=Pump.Speed", "ns=3;i=1042" or '
            f'"nsu=http://vendor.example/plc;s=Pump.Speed", got {text!r}'
        )
    return text


def _is_identifier(kind: str, what: str) -> bool:
    """Whether a text is an identifier of its kind: a number, a text, a GUID, or bytes as base64."""
    try:
        match kind:
            case "i":
                return what.isascii() and what.isdecimal() and int(what) < 2**32
            case "g":
                uuid.UUID(what)
            case "b":
                base64.b64decode(what, validate=True)
    except ValueError:
        return False
    return True


def _url(table: Mapping[str, object]) -> str:
    text = _text(table, "url")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"opcua: url {text!r}: {error}") from error
    if parts.scheme != "opc.tcp" or not parts.hostname:
        raise ValueError(f'opcua: url must be like "opc.tcp://10.0.0.5:4840/path", got {text!r}')
    if parts.username is not None or parts.password is not None:
        raise ValueError("opcua: url must not hold an account: use username and password_file")
    return text if port is not None else text.replace(parts.netloc, f"{parts.netloc}:{DEFAULT_PORT}", 1)


def _security(table: Mapping[str, object]) -> str:
    given = table.get("security")
    for policy in (NONE, BASIC256SHA256):
        if isinstance(given, str) and given.lower() == policy.lower():
            return policy
    raise ValueError(
        f'opcua: security must be "{BASIC256SHA256}" (signed and encrypted) or "{NONE}" (neither), '
        f"got {given!r}"
    )


def _must_fit(settings: OpcUaSettings, *, insecure: bool) -> None:
    """What belongs together is there together, and no password goes out in clear. Raises TableError."""
    found = TableMistakes()
    if settings.secure:
        if settings.certificate_file is None or settings.key_file is None:
            found.note(
                f"opcua: security {BASIC256SHA256} needs certificate_file and key_file: this gateway's own "
                "application certificate, which the server must trust"
            )
        if (settings.server_certificate_file is None) == (settings.server_ca_file is None):
            found.note(
                f"opcua: security {BASIC256SHA256} needs server_certificate_file (the server's certificate "
                "itself) or server_ca_file (the authority that issued it), one of the two: else anybody may "
                "pretend to be the server"
            )
    elif settings.certificate_file or settings.key_file or settings.server_certificate_file:
        found.note(f'opcua: with security "{NONE}" no certificate is used: say "{BASIC256SHA256}"')
    if (settings.username is None) != (settings.password_file is None):
        found.note("opcua: username and password_file must be given together")
    host = urlsplit(settings.url).hostname or ""
    if settings.username is not None and not settings.secure and not insecure and not is_loopback(host):
        found.note(
            f'opcua: with security "{NONE}" the password may go in clear to {host}: say "{BASIC256SHA256}", '
            "or insecure = true where that is meant"
        )
    found.refuse()


def _file(table: Mapping[str, object], key: str) -> Path | None:
    if key not in table:
        return None
    path = Path(_text(table, key))
    if not path.is_file():
        raise ValueError(f"opcua: {key} must name a file, there is none at {path}")
    return path


def _text(table: Mapping[str, object], key: str) -> str:
    value = table.get(key)
    if value is None:
        raise ValueError(f"opcua: {key} is missing")
    if not isinstance(value, str) or not value:
        raise ValueError(f"opcua: {key} must be text in quotes, got {value!r}")
    return value


def _seconds(table: Mapping[str, object], key: str, default: float, low: float, high: float) -> float:
    value = table.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"opcua: {key} must be {low:g} to {high:g} s, got {value!r}")
    return float(value) if math.isfinite(value) else default


def _queue(table: Mapping[str, object]) -> int:
    value = table.get("queue", 10)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1000:
        raise ValueError(f"opcua: queue must be 1 to 1000 samples, got {value!r}")
    return value


def _flag(table: Mapping[str, object], key: str) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise ValueError(f"opcua: {key} must be true or false, got {value!r}")
    return value
