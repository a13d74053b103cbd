"""Sparkplug's data types, and how each value is written into and read from a protobuf field.

Numbers and encodings are those of the Sparkplug 3.0 specification, chapter 6 ("Data Types"): signed
integers are two's complement in an unsigned field, arrays are packed little-endian bytes, booleans are
bits (first one highest) behind a 4-byte count, strings each end in NUL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
Value = bool | int | float | str | bytes | Array | tuple[str, ...] | None
"""A metric's value. None is Sparkplug's null: not known, never zero."""


class Reason(StrEnum):
    """Why a message was refused: the key under which it is counted, quarantined and explained."""

    DECODE = "decode"  # no payload at all: empty, cut short, not protobuf
    SIZE = "size"
    VERSION = "version"
    SCHEMA = "schema"  # something required is missing or there twice
    LENGTH = "length"  # bytes or values that do not add up
    TYPE = "type"
    RANGE = "range"
    NAME = "name"
    UNIT = "unit"
    CLOCK = "clock"


class DecodeError(ValueError):
    """A message that can't be read: quarantine it. `reason` is the key, `str()` the sentence."""

    def __init__(self, reason: Reason | str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason: Final = Reason(reason)


class DataType(IntEnum):
    """Sparkplug's numbers. UNKNOWN is a metric without a datatype: its birth tells (`retype`)."""

    UNKNOWN = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    DATASET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19
    PROPERTY_SET = 20
    PROPERTY_SET_LIST = 21
    INT8_ARRAY = 22
    INT16_ARRAY = 23
    INT32_ARRAY = 24
    INT64_ARRAY = 25
    UINT8_ARRAY = 26
    UINT16_ARRAY = 27
    UINT32_ARRAY = 28
    UINT64_ARRAY = 29
    FLOAT_ARRAY = 30
    DOUBLE_ARRAY = 31
    BOOLEAN_ARRAY = 32
    STRING_ARRAY = 33
    DATETIME_ARRAY = 34


ARRAY_DTYPES: Final[Mapping[DataType, np.dtype[np.generic]]] = {
    DataType.INT8_ARRAY: np.dtype("<i1"),
    DataType.INT16_ARRAY: np.dtype("<i2"),
    DataType.INT32_ARRAY: np.dtype("<i4"),
    DataType.INT64_ARRAY: np.dtype("<i8"),
    DataType.UINT8_ARRAY: np.dtype("<u1"),
    DataType.UINT16_ARRAY: np.dtype("<u2"),
    DataType.UINT32_ARRAY: np.dtype("<u4"),
    DataType.UINT64_ARRAY: np.dtype("<u8"),
    DataType.FLOAT_ARRAY: np.dtype("<f4"),
    DataType.DOUBLE_ARRAY: np.dtype("<f8"),
    DataType.DATETIME_ARRAY: np.dtype("<u8"),
}
"""The numeric arrays: what is in their bytes."""

_INTEGERS: Final = {  # bits, signed
    DataType.INT8: (8, True),
    DataType.INT16: (16, True),
    DataType.INT32: (32, True),
    DataType.INT64: (64, True),
    DataType.UINT8: (8, False),
    DataType.UINT16: (16, False),
    DataType.UINT32: (32, False),
    DataType.UINT64: (64, False),
    DataType.DATETIME: (64, False),
}

_FIELDS: Final = {
    DataType.FLOAT: "float_value",
    DataType.DOUBLE: "double_value",
    DataType.BOOLEAN: "boolean_value",
    DataType.STRING: "string_value",
    DataType.TEXT: "string_value",
    DataType.UUID: "string_value",
    DataType.DATASET: "dataset_value",
    DataType.TEMPLATE: "template_value",
    DataType.BYTES: "bytes_value",
    DataType.FILE: "bytes_value",
    **{kind: "int_value" if bits <= 32 else "long_value" for kind, (bits, _) in _INTEGERS.items()},
    **dict.fromkeys((*ARRAY_DTYPES, DataType.BOOLEAN_ARRAY, DataType.STRING_ARRAY), "bytes_value"),
}
"""The protobuf field that holds a value of each type; property sets can't be the value of a metric."""

_INTEGER_FIELDS: Final = ("int_value", "long_value")


# Indexed by number: hashing a member of an Enum costs more than reading a value.
_EXPECTED: Final = [_FIELDS.get(kind) for kind in DataType]
_ALL: Final = list(DataType)
_DTYPES: Final = [ARRAY_DTYPES.get(kind) for kind in DataType]
_BITS: Final = [_INTEGERS.get(kind, (64, False)) for kind in DataType]


def datatype_of(number: int) -> DataType:
    """The type of that number. DecodeError where Sparkplug knows none."""
    if number >= len(_ALL):
        raise DecodeError(Reason.TYPE, f"a datatype must be 0 to {len(_ALL) - 1}, got {number}")
    return _ALL[number]


def read_value(datatype: DataType, field: str, raw: Any) -> Value:
    """The value of protobuf field `field` as `datatype`. DecodeError where the two do not fit.

    Without a datatype the raw value is returned. Integers are read from either integer field.
    """
    if datatype is DataType.UNKNOWN:
        return cast(Value, raw)
    expected = _EXPECTED[datatype]
    if field != expected and not (field in _INTEGER_FIELDS and expected in _INTEGER_FIELDS):
        raise DecodeError(
            Reason.TYPE, f"a value of type {datatype.name} must stand in {expected}, got {field}"
        )
    if field == "bytes_value":
        return _read_bytes(datatype, raw)
    if field in _INTEGER_FIELDS:
        return _read_integer(datatype, raw)
    return cast(Value, raw)


def _read_bytes(datatype: DataType, raw: bytes) -> Value:
    dtype = _DTYPES[datatype]
    if dtype is not None:
        if len(raw) % dtype.itemsize:
            raise DecodeError(
                Reason.LENGTH, f"{datatype.name} must be a multiple of {dtype.itemsize} bytes, got {len(raw)}"
            )
        return np.frombuffer(raw, dtype)
    if datatype is DataType.BOOLEAN_ARRAY:
        return _read_booleans(raw)
    if datatype is DataType.STRING_ARRAY:
        return _read_strings(raw)
    return raw


def _read_booleans(raw: bytes) -> Array:
    count = int.from_bytes(raw[:4], "little")
    if len(raw) < 4 or len(raw) - 4 != (count + 7) // 8:
        raise DecodeError(
            Reason.LENGTH,
            f"a boolean array of {count} must take 4 + {(count + 7) // 8} bytes, got {len(raw)}",
        )
    return np.unpackbits(np.frombuffer(raw, np.uint8, offset=4), count=count).astype(np.bool_)


def _read_strings(raw: bytes) -> tuple[str, ...]:
    if raw and not raw.endswith(b"\0"):
        raise DecodeError(
            Reason.LENGTH, "each string of a string array must end in NUL, the last one does not"
        )
    try:
        return tuple(raw.decode().split("\0")[:-1])
    except UnicodeDecodeError as error:
        raise DecodeError(Reason.DECODE, f"a string array must be UTF-8: {error.reason}") from error


def _read_integer(datatype: DataType, raw: int) -> int:
    bits, signed = _BITS[datatype]
    raw &= (1 << bits) - 1
    return raw - (1 << bits) if signed and raw >> (bits - 1) else raw


def write_value(datatype: DataType, value: Value) -> tuple[str, bool | int | float | str | bytes]:
    """(protobuf field, what to put there). ValueError where the value is not of that type."""
    field = _FIELDS.get(datatype)
    if field is None:
        raise ValueError(f"a metric must have a type that can be written, got {datatype.name}")
    if datatype in _INTEGERS:
        return field, _write_integer(datatype, value)
    if field == "bytes_value":
        return field, _write_bytes(datatype, value)
    if not isinstance(value, (bool, int, float, str, bytes)):
        raise ValueError(f"a value of type {datatype.name} must be a scalar, got {type(value).__name__}")
    return field, value


def _write_integer(datatype: DataType, value: Value) -> int:
    bits, signed = _INTEGERS[datatype]
    low, high = (-(1 << (bits - 1)), 1 << (bits - 1)) if signed else (0, 1 << bits)
    if not isinstance(value, int) or not low <= value < high:
        raise ValueError(
            f"a value of type {datatype.name} must be an integer from {low} to {high - 1}, got {value!r}"
        )
    return value & ((1 << bits) - 1)


def array_bytes(datatype: DataType, value: Array) -> memoryview:
    """What `write_value` puts there for a numeric array, without a copy where it lies in one piece."""
    if value.dtype != ARRAY_DTYPES.get(datatype):
        raise ValueError(f"a value of type {datatype.name} must be an array of that type, got {value.dtype}")
    return np.ascontiguousarray(value).data.cast("B")


def _write_bytes(datatype: DataType, value: Value) -> bytes:
    dtype = ARRAY_DTYPES.get(datatype)
    if dtype is not None and isinstance(value, np.ndarray) and value.dtype == dtype:
        return value.tobytes()
    if datatype is DataType.BOOLEAN_ARRAY and isinstance(value, np.ndarray) and value.dtype == np.bool_:
        return len(value).to_bytes(4, "little") + np.packbits(value.astype(np.bool_)).tobytes()
    if datatype is DataType.STRING_ARRAY and isinstance(value, tuple):
        return _write_strings(value)
    if datatype in (DataType.BYTES, DataType.FILE) and isinstance(value, bytes):
        return value
    raise ValueError(
        f"a value of type {datatype.name} must be an array of that type, got {type(value).__name__}"
    )


def _write_strings(texts: Sequence[str]) -> bytes:
    if any("\0" in text for text in texts):
        raise ValueError("a string of a string array must not hold NUL: it would become two")
    return b"".join(text.encode() + b"\0" for text in texts)
