"""The [[source]] of a broker with JSON, read strictly: a mistake is a ValueError with a sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge_agent.settings import BrokerSettings, is_loopback
from palier.table_mistakes import TableMistakes

from .json_mqtt_path import Path as JsonPath
from .json_mqtt_path import parse_path
from .json_mqtt_presets import with_preset
from .json_mqtt_values import ISO, TIME_UNITS, TYPES, Hex
from .reading_pace import SEND_EVERY_S
from .reading_table import ROWS, ReadingRow, ReadingTable, refuse_unknown_keys

_BROKER: Final = ("host", "port", "username", "password_file", "tls_ca_file", "insecure")
_TEMPLATES: Final = ("topic", "path", "time_path", "code_path", "status_topic")
_OWN: Final = (*_TEMPLATES, "time_unit", "code", "offline", "hex", "preset")
VARIABLES: Final = ("port", "sensor", "measure", "prefix", "name")
"""Keys of a row that stand for themselves in templates, beside machine, point and channel."""

_SHARED: Final = ("machine", "point", *_OWN, *VARIABLES)
"""Keys that may stand in [[source]] for all of its rows; `port` there is the broker's."""

_HEX: Final = ("byte", "bit", "bits", "type", "exponent_byte", "bytes", "reserved")
_PLACE: Final = re.compile(r"\{([^{}]*)\}")
LONGEST_TOPIC: Final = 1024  # bytes; MQTT allows 65,535, brokers mostly less
MOST_BYTES: Final = 256  # of process data; IO-Link has 32


@dataclass(frozen=True, slots=True)
class JsonRow:
    """Where the value of a row comes from. `topic` may hold + for a level of any name."""

    topic: str
    path: JsonPath
    hex: Hex | None = None
    time_path: JsonPath | None = None
    time_unit: str = ISO
    code_path: JsonPath | None = None
    code: object = None
    status_topic: str | None = None
    offline: str = "offline"


@dataclass(frozen=True, slots=True)
class JsonMqttSettings:
    """The broker, and a `JsonRow` for each row of the table. The newest value of each row travels each
    `send_every_s`; `silent_s` after the last one, it is told as stale.
    """

    broker: BrokerSettings
    rows: tuple[JsonRow, ...]
    send_every_s: float = SEND_EVERY_S
    silent_s: float = 300.0

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Every topic, each once."""
        status = (row.status_topic for row in self.rows if row.status_topic is not None)
        return tuple(dict.fromkeys([*(row.topic for row in self.rows), *status]))


def read_table(
    table: Mapping[str, object], found: TableMistakes | None = None
) -> tuple[JsonMqttSettings, ReadingTable]:
    """The broker and its values. Raises TableError with sentences naming the rows and the keys; or notes them
    in `found`: then the rows are those that can be read, and the host is empty where the broker's can't.
    """
    noted = found or TableMistakes()
    known = {*_BROKER, "send_every_s", "silent_s", ROWS, *_SHARED}
    noted.read(None, refuse_unknown_keys, table, known, "json_mqtt")
    given = table.get(ROWS)
    shared = {key: table[key] for key in _SHARED if key in table and key != "port"}
    filled = [
        noted.read({**shared, **row}, with_preset, {**shared, **row}, f"{ROWS} {place + 1}")
        if isinstance(row, Mapping)
        else row
        for place, row in enumerate(given if isinstance(given, list) else [])
    ]
    rows = ReadingTable.read({ROWS: filled}, own=(*_OWN, *VARIABLES), address=_address, found=noted)
    read = [(row, noted.read(None, _row, row)) for row in rows.rows]
    settings = JsonMqttSettings(
        broker=noted.read(BrokerSettings(host=""), _broker, table),
        rows=tuple(one for _, one in read if one is not None),
        send_every_s=noted.read(SEND_EVERY_S, _seconds, table, "send_every_s", SEND_EVERY_S, 0.01, 300.0),
        silent_s=noted.read(300.0, _seconds, table, "silent_s", 300.0, 1.0, 300.0),
    )
    if found is None:
        noted.refuse()
    return settings, ReadingTable(row for row, one in read if one is not None)


@dataclass(frozen=True, slots=True)
class _Address:
    topic: str
    path: str
    first: int | None

    def __str__(self) -> str:
        return f"{self.path or 'the whole message'} of topic {self.topic}"


def _address(row: ReadingRow) -> _Address:
    one = _row(row)
    return _Address(one.topic, _filled(row, "path"), None if one.hex is None else one.hex.first)


def _row(row: ReadingRow) -> JsonRow:
    """Raises TableError."""
    own, found = row.own, TableMistakes()
    topic = found.read("?", _topic, row, "topic")
    if topic is None and "preset" not in own:
        found.note(f'{row}: topic is missing, e.g. topic = "atelier/{{machine}}/mesures"')
    time_unit = own.get("time_unit", ISO)
    if time_unit != ISO and time_unit not in tuple(TIME_UNITS):
        found.note(f"{row}: time_unit must be {ISO} or one of {', '.join(TIME_UNITS)}, got {time_unit!r}")
    path = found.read(None, _path, row, "path")
    one = JsonRow(
        topic=topic or "?",
        path=path or (),
        hex=None if "hex" not in own else found.read(None, _hex, row, own["hex"]),
        time_path=found.read(None, _path, row, "time_path"),
        time_unit=str(time_unit),
        code_path=found.read(None, _path, row, "code_path"),
        code=own.get("code"),
        status_topic=found.read(None, _topic, row, "status_topic"),
        offline=str(own.get("offline", "offline")),
    )
    found.refuse()
    return one


def _filled(row: ReadingRow, key: str) -> str:
    """A template with the row's names and variables in it; "" where there is none."""
    template = row.own.get(key, "")
    if not isinstance(template, str):
        raise ValueError(f"{row}: {key} must be text in quotes, got {template!r}")
    names: dict[str, object] = {"machine": row.machine, "point": row.point, "channel": row.channel}
    names |= {key: row.own[key] for key in VARIABLES if key in row.own}

    def fill(match: re.Match[str]) -> str:
        value = names.get(match[1])
        if isinstance(value, bool) or not isinstance(value, str | int):
            known = ", ".join(("machine", "point", "channel", *VARIABLES))
            raise ValueError(
                f"{row}: {key} asks for {{{match[1]}}}, which must be a text or a whole number of the row "
                f"(one of {known}), got {value!r}"
            )
        return str(value)

    return _PLACE.sub(fill, template)


def _path(row: ReadingRow, key: str) -> JsonPath | None:
    if key not in row.own:
        return None
    try:
        return parse_path(_filled(row, key))
    except ValueError as error:
        raise ValueError(f"{row}: {key}: {error}") from error


def _topic(row: ReadingRow, key: str) -> str | None:
    topic = _filled(row, key)
    if not topic:
        return None
    levels = topic.split("/")
    if "#" in topic or "\0" in topic or any("+" in level and level != "+" for level in levels):
        raise ValueError(f"{row}: {key} may hold + for a whole level, and neither # nor NUL, got {topic!r}")
    if len(topic.encode()) > LONGEST_TOPIC or topic.startswith("$share/"):
        raise ValueError(f"{row}: {key} must be a topic of at most {LONGEST_TOPIC} bytes, got {topic[:80]!r}")
    return topic


def _hex(row: ReadingRow, given: object) -> Hex:
    where = f"{row}: hex"
    if not isinstance(given, Mapping):
        raise ValueError(f'{where} must be a table, as {{ byte = 0, type = "int16" }}, got {given!r}')
    refuse_unknown_keys(given, _HEX, where)
    kind = given.get("type", "bits" if "bits" in given else None)
    if kind not in TYPES and kind != "bits":
        raise ValueError(f'{where}: type must be one of {", ".join(TYPES)} or "bits", got {kind!r}')
    width = _whole(given, "bits", TYPES.get(str(kind), 0), 1, 64, where)
    if kind == "float32" and width != TYPES["float32"]:
        raise ValueError(f"{where}: a float32 has 32 bits, got {width}")
    byte = _whole(given, "byte", 0, 0, MOST_BYTES, where)
    exponent = _whole(given, "exponent_byte", 0, 0, MOST_BYTES, where) if "exponent_byte" in given else None
    return Hex(
        first=8 * byte + _whole(given, "bit", 0, 0, 7, where),
        width=width,
        signed=str(kind).startswith("int"),
        real=kind == "float32",
        exponent_byte=exponent,
        n_bytes=_whole(given, "bytes", 0, 1, MOST_BYTES, where) if "bytes" in given else None,
        reserved=_reserved(given.get("reserved", {}), where),
    )


def _reserved(given: object, where: str) -> tuple[tuple[int, str], ...]:
    if not isinstance(given, Mapping) or not all(isinstance(code, int) for code in given.values()):
        raise ValueError(f"{where}: reserved must name raw numbers, got {given!r}")
    return tuple((code, str(name)) for name, code in given.items())


def _whole(given: Mapping[str, Any], key: str, default: int, low: int, high: int, where: str) -> int:  # noqa: PLR0917
    value = given.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{where}: {key} must be a whole number from {low} to {high}, got {value!r}")
    return value


def _broker(table: Mapping[str, object]) -> BrokerSettings:
    """As [broker] of agent.toml, with tls_ca_file for tls_ca. Raises TableError."""
    found = TableMistakes()
    host, port = table.get("host", "127.0.0.1"), table.get("port", 8883 if "tls_ca_file" in table else 1883)
    if not isinstance(host, str) or not host:
        found.note(f"json_mqtt: host must be a name or an address in quotes, got {host!r}")
        host = "127.0.0.1"
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        found.note(f"json_mqtt: port must be 1 to 65535, got {port!r}")
        port = 1883
    insecure = table.get("insecure", False)
    if not isinstance(insecure, bool):
        found.note(f"json_mqtt: insecure must be true or false, got {insecure!r}")
    files = {key: found.read(None, _file, table, key) for key in ("password_file", "tls_ca_file")}
    if not (is_loopback(host) or insecure) and "tls_ca_file" not in table:
        found.note(
            f"json_mqtt: the broker {host!r} is not on this machine, so tls_ca_file must name its "
            "authority's certificate; insecure = true reads what anybody may have written on the way"
        )
    broker = BrokerSettings(
        host=host,
        port=port,
        username=found.read(None, _text, table, "username"),
        password_file=files["password_file"],
        tls_ca=files["tls_ca_file"],
        insecure=bool(insecure),
    )
    found.refuse()
    return broker


def _file(table: Mapping[str, object], key: str) -> Path | None:
    path = _text(table, key)
    if path is not None and not Path(path).is_file():
        raise ValueError(f"json_mqtt: {key} must name a file, there is none at {path}")
    return None if path is None else Path(path)


def _text(table: Mapping[str, object], key: str) -> str | None:
    value = table.get(key)
    if value is not None and (not isinstance(value, str) or not value):
        raise ValueError(f"json_mqtt: {key} must be text in quotes, got {value!r}")
    return value


def _seconds(table: Mapping[str, object], key: str, default: float, low: float, high: float) -> float:
    value = table.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"json_mqtt: {key} must be {low:g} to {high:g} s, got {value!r}")
    return float(value)
