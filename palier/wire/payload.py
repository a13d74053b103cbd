"""The Sparkplug B payload: bytes to frozen values and back.

`decode` takes what any stranger may send and either returns a `Payload` or raises `DecodeError`; nothing
else ever leaves it. Arrays are read-only views of the received bytes, nothing is copied twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import numpy as np
from google.protobuf.message import DecodeError as ProtobufError

from palier.frames import MAX_FRAME_BYTES

from .datatypes import (
    Array,
    DataType,
    DecodeError,
    Reason,
    Value,
    array_bytes,
    datatype_of,
    read_value,
    write_value,
)
from .sparkplug_pb2 import Metric as WireMetric
from .sparkplug_pb2 import Payload as WirePayload
from .sparkplug_pb2 import PropertySet

__all__ = [
    "MAX_METRICS",
    "WIRE_VERSION",
    "Array",
    "DataType",
    "DecodeError",
    "Metric",
    "Payload",
    "Reason",
    "Scalar",
    "Value",
    "decode",
    "encode",
    "encode_pieces",
    "peek",
    "peek_seq",
    "peek_version",
    "retype",
]

WIRE_VERSION: Final = "palier/1"
"""What the `uuid` of every payload of Palier's own holds. A host refuses any other `palier/…`."""

MAX_METRICS: Final = 10_000
"""Metrics in one payload: births of large nodes hold a few thousand; 4 MiB could hold two million."""

MAX_PROPERTIES_BYTES: Final = 64 * 1024
"""Largest property set of one metric. Palier's take some 60 bytes, a third-party tag's texts a few KiB."""

LARGE_BYTES: Final = 64 * 1024
"""An array from here on is not copied into a message: protobuf makes four copies of it, and a gateway with
blocks of 4 MB has 60 MB of memory."""

_TAG_METRICS: Final = WirePayload.METRICS_FIELD_NUMBER << 3 | 2
_TAG_BYTES_VALUE: Final = WireMetric.BYTES_VALUE_FIELD_NUMBER << 3 | 2

Scalar = bool | int | float | str | None
"""A property's value."""

NO_PROPERTIES: Final[Mapping[str, Scalar]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One named value.

    `name` is "" where only the alias was sent. `value` is None where `is_null`. `timestamp_ms` is when it was
    acquired, ms since 1970 UTC. Properties are plain scalars: str, float (Double), int (Int32, Int64), bool.
    """

    name: str
    datatype: DataType
    value: Value
    alias: int | None = field(default=None, kw_only=True)
    timestamp_ms: int | None = field(default=None, kw_only=True)
    is_historical: bool = field(default=False, kw_only=True)
    is_null: bool = field(default=False, kw_only=True)
    properties: Mapping[str, Scalar] = field(default_factory=lambda: NO_PROPERTIES, kw_only=True)


@dataclass(frozen=True, slots=True, eq=False)
class Payload:
    """`timestamp_ms` is when it was sent, None only in an NDEATH; `seq` is Sparkplug's, not a frame's."""

    timestamp_ms: int | None
    metrics: tuple[Metric, ...]
    seq: int | None = None
    uuid: str = ""


def decode(data: bytes) -> Payload:
    """The payload in `data`. DecodeError, and nothing else, whatever the bytes."""
    wire = _parse(data)
    uuid = wire.uuid
    if uuid.startswith("palier/") and uuid != WIRE_VERSION:
        raise DecodeError(
            Reason.VERSION,
            f"this host reads {WIRE_VERSION}, the payload says {uuid[:40]!r}: upgrade the host",
        )
    if not wire.metrics and not wire.HasField("timestamp"):
        raise DecodeError(Reason.SCHEMA, "a payload must hold a timestamp or metrics, got neither")
    if len(wire.metrics) > MAX_METRICS:
        raise DecodeError(
            Reason.SIZE, f"a payload must hold at most {MAX_METRICS} metrics, got {len(wire.metrics)}"
        )
    return Payload(
        timestamp_ms=wire.timestamp if wire.HasField("timestamp") else None,
        metrics=tuple(map(_read_metric, wire.metrics)),
        seq=wire.seq if wire.HasField("seq") else None,
        uuid=uuid,
    )


def _parse(data: bytes) -> WirePayload:
    if not data:
        raise DecodeError(Reason.DECODE, "a payload must not be empty")
    if len(data) > MAX_FRAME_BYTES:
        raise DecodeError(Reason.SIZE, f"a payload must be at most {MAX_FRAME_BYTES} bytes, got {len(data)}")
    try:
        return WirePayload.FromString(data)
    except ProtobufError as error:
        raise DecodeError(Reason.DECODE, f"these {len(data)} bytes are no Sparkplug B payload") from error


def peek_seq(data: bytes) -> int | None:
    """Sparkplug's seq of a payload that is not decoded, or was refused; None where none can be read."""
    try:
        wire = _parse(data)
    except DecodeError:
        return None
    return wire.seq if wire.HasField("seq") else None


def peek_version(data: bytes) -> str:
    """The wire version that a payload claims where `decode` refuses it for that; "" where none can be read.

    At most 40 characters of what is a name: it labels a count.
    """
    try:
        uuid = _parse(data).uuid
    except DecodeError:
        return ""
    return uuid if re.fullmatch(r"palier/[A-Za-z0-9.]{1,33}", uuid) else "other"


def peek(data: bytes, *names: str) -> dict[str, Value]:
    """The values of a few metrics, by name, of a payload that `decode` may refuse; only those readable."""
    try:
        wire = _parse(data)
    except DecodeError:
        return {}
    if wire.uuid != WIRE_VERSION:
        return {}
    found: dict[str, Value] = {}
    for metric in wire.metrics[:MAX_METRICS]:
        if metric.name in names:
            try:
                found[metric.name] = _read_metric(metric).value
            except DecodeError:
                continue
    return found


def _read_metric(wire: WireMetric) -> Metric:
    datatype = datatype_of(wire.datatype)
    field_name = wire.WhichOneof("value")
    value: Value = None
    if field_name is not None and not wire.is_null:
        value = read_value(datatype, field_name, getattr(wire, field_name))
    has, properties = wire.HasField, wire.properties
    return Metric(
        wire.name,
        datatype,
        value,
        alias=wire.alias if has("alias") else None,
        timestamp_ms=wire.timestamp if has("timestamp") else None,
        is_historical=wire.is_historical,
        is_null=value is None,
        properties=_read_properties(properties) if properties else NO_PROPERTIES,
    )


def _read_properties(data: bytes) -> Mapping[str, Scalar]:
    if len(data) > MAX_PROPERTIES_BYTES:
        raise DecodeError(
            Reason.SIZE, f"properties must be at most {MAX_PROPERTIES_BYTES} bytes, got {len(data)}"
        )
    # Those of a channel are the same in every frame; long ones are no channel's and would fill the cache.
    return _read_short_properties(data) if len(data) <= 512 else _parse_properties(data)


def _parse_properties(data: bytes) -> Mapping[str, Scalar]:
    try:
        wire = PropertySet.FromString(data)
    except ProtobufError as error:
        raise DecodeError(
            Reason.DECODE, f"these {len(data)} bytes are no Sparkplug B property set"
        ) from error
    if len(wire.keys) != len(wire.values):
        raise DecodeError(
            Reason.LENGTH,
            f"properties must have one value for each key, got {len(wire.keys)} and {len(wire.values)}",
        )
    read: dict[str, Scalar] = {}
    for key, value in zip(wire.keys, wire.values, strict=True):
        name = value.WhichOneof("value")
        scalar = (
            None
            if name is None or value.is_null
            else read_value(datatype_of(value.type), name, getattr(value, name))
        )
        if scalar is None or isinstance(scalar, (bool, int, float, str)):  # nested sets are not read
            read[key] = scalar
    return MappingProxyType(read)


_read_short_properties = lru_cache(maxsize=4096)(_parse_properties)


def retype(metric: Metric, datatype: DataType) -> Metric:
    """A metric sent without a datatype, read as the one its birth gave. DecodeError where it can't be."""
    if metric.datatype is not DataType.UNKNOWN or metric.value is None:
        return replace(metric, datatype=datatype) if metric.value is None else metric
    return replace(
        metric, datatype=datatype, value=read_value(datatype, _field_of(metric.value, datatype), metric.value)
    )


def _field_of(raw: Value, datatype: DataType) -> str:
    """The protobuf field that a raw value came from, as far as its type tells."""
    if isinstance(raw, bool):
        return "boolean_value"
    if isinstance(raw, int):
        return "long_value"
    if isinstance(raw, float):
        return "float_value" if datatype is DataType.FLOAT else "double_value"
    if isinstance(raw, str):
        return "string_value"
    return {DataType.DATASET: "dataset_value", DataType.TEMPLATE: "template_value"}.get(
        datatype, "bytes_value"
    )


def encode(payload: Payload, *, with_datatypes: bool = True) -> bytes:
    """The bytes of a payload. ValueError where a value is not of its metric's type.

    Sparkplug wants datatypes in births (tck-id-payloads-metric-datatype-req) and would rather not have them
    elsewhere (tck-id-payloads-metric-datatype-not-req).
    """
    return b"".join(encode_pieces(payload, with_datatypes=with_datatypes))


def encode_pieces(payload: Payload, *, with_datatypes: bool = True) -> tuple[bytes | memoryview, ...]:
    """The same bytes, one after the other; large arrays are views of what the metrics hold, not copies."""
    pieces: list[bytes | memoryview] = []
    wire = WirePayload(timestamp=payload.timestamp_ms)
    for metric in payload.metrics:
        large = _large(metric)
        if large is None:
            _write_metric(wire.metrics.add(), metric, with_datatypes)
        else:
            pieces += [wire.SerializeToString(), *_large_metric(metric, large, with_datatypes)]
            wire = WirePayload()
    wire.MergeFrom(WirePayload(seq=payload.seq, uuid=payload.uuid or None))
    return *pieces, wire.SerializeToString()


def _large(metric: Metric) -> memoryview | None:
    """The bytes of an array that is too large to be copied once more than needed; None for all else."""
    value = metric.value
    if not isinstance(value, np.ndarray) or value.nbytes < LARGE_BYTES:
        return None
    if metric.datatype is DataType.BOOLEAN_ARRAY:  # bits: not the bytes of the array
        return None
    return array_bytes(metric.datatype, value)


def _large_metric(metric: Metric, large: memoryview, with_datatype: bool) -> tuple[bytes | memoryview, ...]:
    """The metric as protobuf writes it: a message is its fields one after the other, the value comes last."""
    wire = WireMetric()
    _write_about(wire, metric, with_datatype)
    head = wire.SerializeToString() + _varint(_TAG_BYTES_VALUE) + _varint(len(large))
    return _varint(_TAG_METRICS) + _varint(len(head) + len(large)) + head, large


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _write_metric(wire: WireMetric, metric: Metric, with_datatype: bool) -> None:
    _write_about(wire, metric, with_datatype)
    if metric.value is None:
        wire.is_null = True
    else:
        name, value = write_value(metric.datatype, metric.value)
        setattr(wire, name, value)


def _write_about(wire: WireMetric, metric: Metric, with_datatype: bool) -> None:
    """All but the value."""
    if metric.name:
        wire.name = metric.name
    if metric.alias is not None:
        wire.alias = metric.alias
    if metric.timestamp_ms is not None:
        wire.timestamp = metric.timestamp_ms
    if with_datatype:
        wire.datatype = metric.datatype
    if metric.is_historical:
        wire.is_historical = True
    if metric.properties:
        wire.properties = _write_properties(tuple((key, type(v), v) for key, v in metric.properties.items()))


@lru_cache(maxsize=1024)
def _write_properties(items: tuple[tuple[str, type, Scalar], ...]) -> bytes:
    wire = PropertySet()
    for key, _, scalar in items:  # the type keeps 1, 1.0 and True apart in the cache
        wire.keys.append(key)
        value = wire.values.add()
        value.type = datatype = _datatype_of(scalar)
        if scalar is None:
            value.is_null = True
        else:
            name, raw = write_value(datatype, scalar)
            setattr(value, name, raw)
    return wire.SerializeToString()


def _datatype_of(scalar: Scalar) -> DataType:
    if isinstance(scalar, bool):
        return DataType.BOOLEAN
    if isinstance(scalar, int):
        return DataType.INT32 if -(2**31) <= scalar < 2**31 else DataType.INT64
    return DataType.DOUBLE if isinstance(scalar, float) else DataType.STRING
