"""From what stands in a JSON document to a number and a time. Pure."""

from __future__ import annotations

import datetime as dt
import math
import struct
from dataclasses import dataclass
from typing import Final, Literal

Type = Literal["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "bits"]
TYPES: Final[dict[str, int]] = {
    **{"int8": 8, "uint8": 8, "int16": 16, "uint16": 16, "int32": 32, "uint32": 32},
    "float32": 32,
}
"""Bits of each type; "bits" is an unsigned number of any width."""

TIME_UNITS: Final = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
ISO: Final = "iso"
LARGEST_EXPONENT: Final = 12  # beyond it the byte is no power of ten of a measured value

LARGEST_NS: Final = 2**63 - 1  # what a time in ns is kept in

MISSING: Final = ("nan", "unavailable", "unknown", "none", "")
"""What devices write instead of a number that they do not have (ESPHome: nan)."""

SWITCHES: Final = {"on": 1.0, "off": 0.0, "true": 1.0, "false": 0.0}


class GarbageError(ValueError):
    """What can't be the value that a row asks for; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Hex:
    """A number in bytes written as hexadecimal: `width` bits from `first` on, counted from the highest bit of
    the first byte (big-endian, as IO-Link counts the octets of process data). `signed`: two's complement.

    `exponent_byte` holds a power of ten that the device adds itself; `n_bytes` is how many bytes there must
    be; `reserved` are raw numbers that mean no value, by name.
    """

    first: int
    width: int
    signed: bool = False
    real: bool = False
    exponent_byte: int | None = None
    n_bytes: int | None = None
    reserved: tuple[tuple[int, str], ...] = ()


def number_of(value: object, decode: Hex | None) -> float | None:
    """A number, None where the device says that it has none. GarbageError for all else."""
    if decode is not None:
        return from_hex(value, decode)
    if value is None:
        return None
    if isinstance(value, bool | int | float):
        return _finite(value)
    if isinstance(value, str) and value.strip().lower() in MISSING:
        return None
    raise GarbageError(f"it must be a number, it is {type(value).__name__} {str(value)[:40]!r}")


def _finite(value: float) -> float | None:
    try:
        number = float(value)
    except OverflowError:
        raise GarbageError("it must be a number that 64 bits hold, it is larger") from None
    return number if math.isfinite(number) else None


def from_hex(value: object, decode: Hex) -> float | None:
    """The number in hexadecimal process data."""
    if not isinstance(value, str):
        raise GarbageError(f"it must be a text of hexadecimal digits, it is {value!r:.60}")
    try:
        data = bytes.fromhex(value)
    except ValueError:
        raise GarbageError(f"it must be hexadecimal digits, it is {value[:60]!r}") from None
    needed = max(decode.first + decode.width + 7, 8 * ((decode.exponent_byte or 0) + 1)) // 8
    if (decode.n_bytes is not None and len(data) != decode.n_bytes) or len(data) < needed:
        raise GarbageError(
            f"it must be {decode.n_bytes or f'at least {needed}'} bytes of process data, it is {len(data)} "
            f"({value[:60]!r}): is it another sensor, or another of its modes?"
        )
    shift = 8 * len(data) - decode.first - decode.width
    raw = int.from_bytes(data) >> shift & ((1 << decode.width) - 1)
    if decode.real:
        return _real(raw)
    raw -= (1 << decode.width) if decode.signed and raw >> (decode.width - 1) else 0
    for code, _name in decode.reserved:
        if raw == code:
            return None
    return raw * _power(data, decode.exponent_byte)


def _real(raw: int) -> float | None:
    (number,) = struct.unpack(">f", raw.to_bytes(4))
    return float(number) if math.isfinite(number) else None


def _power(data: bytes, exponent_byte: int | None) -> float:
    if exponent_byte is None:
        return 1.0
    exponent = int.from_bytes(data[exponent_byte : exponent_byte + 1], signed=True)
    if abs(exponent) > LARGEST_EXPONENT:
        raise GarbageError(f"byte {exponent_byte} must be a power of ten from -12 to 12, it is {exponent}")
    return float(10**exponent)


def time_of(value: object, unit: str) -> int:
    """ns since 1970 UTC of a time in a payload. GarbageError where it is none."""
    try:
        if unit == ISO:
            return _iso_ns(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise GarbageError(f"the time must be a number of {unit}, it is {value!r:.60}")
        at_ns = value * TIME_UNITS[unit] if isinstance(value, int) else round(value * TIME_UNITS[unit])
    except OverflowError:
        at_ns = LARGEST_NS + 1
    if abs(at_ns) > LARGEST_NS:
        raise GarbageError(f"the time must be one of this age, it is {value!r:.60}")
    return at_ns


def _iso_ns(value: object) -> int:
    if not isinstance(value, str):
        raise GarbageError(f"the time must be a text like 2026-11-22T06:00:00Z, it is {value!r:.60}")
    try:
        at = dt.datetime.fromisoformat(value)
    except ValueError:
        raise GarbageError(f"the time must be like 2026-11-22T06:00:00Z, it is {value[:60]!r}") from None
    if at.tzinfo is None:
        raise GarbageError(f"the time must say its zone as 2026-11-22T06:00:00Z, it is {value[:60]!r}")
    passed = at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return (passed.days * 86_400 + passed.seconds) * 10**9 + passed.microseconds * 1_000
