"""What a gateway tells of itself, in its NBIRTH and by NDATA each minute or when it changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from .configuration import MAX_TEXT_BYTES, MAX_VERSION
from .letters import shown
from .payload import WIRE_VERSION, DataType, DecodeError, Metric, Payload, Reason, Value, encode
from .said import MAX_CODE

VERSION: Final = "Palier/Version"

MAX_TEXT: Final = 400
"""Letters of one sentence or name: what is longer is cut by who tells it."""

MAX_SENTENCES: Final = 64
"""Sources, problems, notes: a gateway has some ten of each."""

_BIG: Final = 2**62


@dataclass(frozen=True, slots=True)
class GatewayStatus:
    """A gateway as it sees itself; None is what it can't tell.

    `clock` is synced, holdover, unsynced or held. Sizes are bytes; `card_*` is the disk that the outbox is
    on, `written_per_h` what the agent writes to it. `origin` is where the configuration in force comes from
    (agent.toml or remote), `state` how far that is (local, trial, kept, broken), `configuration_highest` the
    highest version that was ever taken: the next must be above it. `text` is the part in force that can be
    sent from the host, secrets masked; it stands in births and after a change. `answer_*` is what became of
    the last configuration that was sent: taken, kept, went_back or refused, with the sentence why. What each
    sentence was made of stands in `*_codes`, by its place (`said.code_of`).
    """

    version: str = ""
    python: str | None = None
    system: str | None = None
    board: str | None = None
    clock: str | None = None
    card_free: int | None = None
    card_total: int | None = None
    memory_free: int | None = None
    memory_total: int | None = None
    cpu_celsius: float | None = None
    uptime_s: int | None = None
    outbox_bytes: int | None = None
    outbox_cap: int | None = None
    pending: int | None = None
    fsyncs_per_h: int | None = None
    written_per_h: int | None = None
    sources: tuple[str, ...] | None = None
    problems: tuple[str, ...] | None = None
    notes: tuple[str, ...] | None = None
    origin: str | None = None
    state: str | None = None
    configuration_version: int | None = None
    configuration_highest: int | None = None
    configuration_hash: str | None = None
    text: str | None = None
    answer_request: str | None = None
    answer_version: int | None = None
    answer: str | None = None
    answer_sentence: str | None = None
    problem_codes: tuple[str, ...] | None = None
    note_codes: tuple[str, ...] | None = None
    answer_code: str | None = None


_NAMES: Final[dict[str, tuple[str, DataType]]] = {
    "version": (VERSION, DataType.STRING),
    "python": ("Palier/Status/Python", DataType.STRING),
    "system": ("Palier/Status/System", DataType.STRING),
    "board": ("Palier/Status/Board", DataType.STRING),
    "clock": ("Palier/Status/Clock", DataType.STRING),
    "card_free": ("Palier/Status/CardFree", DataType.INT64),
    "card_total": ("Palier/Status/CardTotal", DataType.INT64),
    "memory_free": ("Palier/Status/MemoryFree", DataType.INT64),
    "memory_total": ("Palier/Status/MemoryTotal", DataType.INT64),
    "cpu_celsius": ("Palier/Status/CpuTemperature", DataType.DOUBLE),
    "uptime_s": ("Palier/Status/Uptime", DataType.INT64),
    "outbox_bytes": ("Palier/Status/OutboxBytes", DataType.INT64),
    "outbox_cap": ("Palier/Status/OutboxCap", DataType.INT64),
    "pending": ("Palier/Status/Pending", DataType.INT64),
    "fsyncs_per_h": ("Palier/Status/Fsyncs", DataType.INT64),
    "written_per_h": ("Palier/Status/Written", DataType.INT64),
    "sources": ("Palier/Status/Sources", DataType.STRING_ARRAY),
    "problems": ("Palier/Status/Problems", DataType.STRING_ARRAY),
    "notes": ("Palier/Status/Notes", DataType.STRING_ARRAY),
    "origin": ("Palier/Configuration/Origin", DataType.STRING),
    "state": ("Palier/Configuration/State", DataType.STRING),
    "configuration_version": ("Palier/Configuration/Version", DataType.INT64),
    "configuration_highest": ("Palier/Configuration/Highest", DataType.INT64),
    "configuration_hash": ("Palier/Configuration/Hash", DataType.STRING),
    "text": ("Palier/Configuration/Text", DataType.STRING),
    "answer_request": ("Palier/Configuration/Answer/Request", DataType.STRING),
    "answer_version": ("Palier/Configuration/Answer/Version", DataType.INT64),
    "answer": ("Palier/Configuration/Answer", DataType.STRING),
    "answer_sentence": ("Palier/Configuration/Answer/Sentence", DataType.STRING),
    "problem_codes": ("Palier/Status/ProblemCodes", DataType.STRING_ARRAY),
    "note_codes": ("Palier/Status/NoteCodes", DataType.STRING_ARRAY),
    "answer_code": ("Palier/Configuration/Answer/Code", DataType.STRING),
}

_LONGEST: Final = {
    "text": MAX_TEXT_BYTES,
    "answer_sentence": 2000,
    **dict.fromkeys(("problem_codes", "note_codes", "answer_code"), MAX_CODE),
}
_HIGHEST: Final = dict.fromkeys(
    ("configuration_version", "configuration_highest", "answer_version"), MAX_VERSION
)


def status_metrics(status: GatewayStatus, timestamp_ms: int) -> tuple[Metric, ...]:
    """All metrics of a status, as a birth lists them; null is what is not told."""
    found = []
    for attribute, (name, datatype) in _NAMES.items():
        value: Value = getattr(status, attribute)
        found.append(Metric(name, datatype, value, timestamp_ms=timestamp_ms))
    return tuple(found)


def status_payload(status: GatewayStatus, *, seq: int, timestamp_ms: int) -> bytes:
    """NDATA of a status; `seq` is Sparkplug's. The text goes only where it is given."""
    metrics = [
        metric
        for metric in status_metrics(status, timestamp_ms)
        if metric.value is not None or metric.name != _NAMES["text"][0]
    ]
    return encode(Payload(timestamp_ms, tuple(metrics), seq, WIRE_VERSION))


def read_status(payload: Payload) -> GatewayStatus | None:
    """The status in an NBIRTH or NDATA of Palier's own, None where there is none.

    DecodeError where a value can't be one. What a later version tells beside it is passed over.
    """
    if payload.uuid != WIRE_VERSION:
        return None
    there = {metric.name: metric for metric in payload.metrics}
    version = there.get(VERSION)
    if version is None or version.value is None:
        return None
    told: dict[str, Any] = {}
    for attribute, (name, datatype) in _NAMES.items():
        metric = there.get(name)
        if metric is not None and metric.value is not None:
            if metric.datatype is not datatype:
                raise DecodeError(Reason.TYPE, f"{name} must be {datatype.name}, got {metric.datatype.name}")
            told[attribute] = _read(attribute, name, metric.value)
    return GatewayStatus(**told)


def _read(attribute: str, name: str, value: Value) -> object:
    if isinstance(value, str):
        return _text(name, value, _LONGEST.get(attribute, MAX_TEXT))
    if isinstance(value, tuple):
        if len(value) > MAX_SENTENCES:
            raise DecodeError(Reason.SIZE, f"{name} must hold at most {MAX_SENTENCES}, got {len(value)}")
        return tuple(_text(name, one, _LONGEST.get(attribute, MAX_TEXT)) for one in value)
    highest = _HIGHEST.get(attribute, _BIG)
    if isinstance(value, int) and not 0 <= value <= highest:
        raise DecodeError(Reason.RANGE, f"{name} must be from 0 to {highest}, got {value}")
    if isinstance(value, float) and not -100.0 < value < 1000.0:
        raise DecodeError(Reason.RANGE, f"{name} must be a temperature in °C, got {value}")
    return value


def _text(name: str, value: str, longest: int) -> str:
    """What may be printed of it: devices' own words come through a gateway, escapes for terminals too."""
    if len(value) > longest:
        raise DecodeError(Reason.LENGTH, f"{name} must have at most {longest} letters, got {len(value)}")
    return shown(value, lines=longest > MAX_TEXT, tabs=longest == MAX_TEXT_BYTES)
