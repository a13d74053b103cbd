"""Reading what a message of Palier's own must hold: each getter returns the value or says why not."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from palier.frames import FrameError
from palier.ranges import Ranges

from .payload import WIRE_VERSION, DataType, DecodeError, Metric, Payload, Reason, Value

Metrics = Mapping[str, Metric]

MAX_RANGES: Final = 512
"""Ranges in one message: 8 kB. At most 100 frames are in flight, and a host's queue holds 500."""

MAX_SEQ: Final = 2**63 - 2
"""What SQLite's integer key can hold, and one less: records look at a range's neighbours too."""

_EPOCH: Final = re.compile(r"[0-9a-f]{16}")


def by_name(payload: Payload) -> Metrics:
    """The metrics of one of Palier's own payloads. DecodeError where it is none or says something twice."""
    if payload.uuid != WIRE_VERSION:
        raise DecodeError(
            Reason.SCHEMA, f"the payload's uuid must be {WIRE_VERSION}, got {payload.uuid[:40]!r}"
        )
    metrics = {metric.name: metric for metric in payload.metrics}
    if len(metrics) != len(payload.metrics):
        raise DecodeError(Reason.SCHEMA, "each metric must be there once, one is there twice")
    return metrics


def _required(metrics: Metrics, name: str, datatype: DataType) -> Value:
    metric = metrics.get(name)
    if metric is None or metric.value is None:
        raise DecodeError(Reason.SCHEMA, f"{name} must be there, it is not")
    if metric.datatype is not datatype:
        raise DecodeError(Reason.TYPE, f"{name} must be {datatype.name}, got {metric.datatype.name}")
    return metric.value


def text(metrics: Metrics, name: str) -> str:
    """A String."""
    value = _required(metrics, name, DataType.STRING)
    return value if isinstance(value, str) else ""


def texts(metrics: Metrics, name: str) -> tuple[str, ...]:
    """A StringArray."""
    value = _required(metrics, name, DataType.STRING_ARRAY)
    return value if isinstance(value, tuple) else ()


def integer(metrics: Metrics, name: str, datatype: DataType, low: int = 0, high: int = MAX_SEQ) -> int:
    """An integer of that type from `low` to `high`."""
    value = _required(metrics, name, datatype)
    if not isinstance(value, int) or not low <= value <= high:
        raise DecodeError(Reason.RANGE, f"{name} must be {low} to {high}, got {value!r}")
    return value


def optional_real(metrics: Metrics, name: str) -> float | None:
    """A Float; None where it is absent or null."""
    metric = metrics.get(name)
    if metric is None or metric.value is None:
        return None
    value = _required(metrics, name, DataType.FLOAT)
    return value if isinstance(value, float) else None


def array(metrics: Metrics, name: str, datatype: DataType) -> npt.NDArray[np.generic]:
    """A numeric array of that type."""
    value = _required(metrics, name, datatype)
    if not isinstance(value, np.ndarray):
        raise DecodeError(Reason.TYPE, f"{name} must be an array")
    return value


def epoch(metrics: Metrics, name: str) -> str:
    """The 16 hex digits drawn with an outbox file."""
    value = text(metrics, name)
    if not is_epoch(value):
        raise DecodeError(Reason.SCHEMA, f"{name} must be 16 hex digits, got {value[:40]!r}")
    return value


def is_epoch(value: str) -> bool:
    """Whether it has the form of one."""
    return _EPOCH.fullmatch(value) is not None


def property_text(metric: Metric, key: str, reason: Reason = Reason.SCHEMA) -> str:
    """A property that must be a string; refused under `reason` where it is missing."""
    value = metric.properties.get(key)
    if value is None:
        raise DecodeError(reason, f"{metric.name} must have the property {key}, it has none")
    if not isinstance(value, str):
        raise DecodeError(Reason.TYPE, f"{metric.name}'s {key} must be a String, got {value!r}")
    return value


def property_real(metric: Metric, key: str) -> float:
    """A property that must be a finite Double above 0."""
    value = metric.properties.get(key)
    if value is None:
        raise DecodeError(Reason.SCHEMA, f"{metric.name} must have the property {key}, it has none")
    if not isinstance(value, float):
        raise DecodeError(Reason.TYPE, f"{metric.name}'s {key} must be a Double, got {value!r}")
    if not 0 < value < math.inf:
        raise DecodeError(Reason.RANGE, f"{metric.name}'s {key} must be above 0 and finite, got {value}")
    return value


def property_integer(metric: Metric, key: str, high: int = MAX_SEQ) -> int:
    """A property that must be an integer from 0 to `high`."""
    value = metric.properties.get(key)
    if value is None:
        raise DecodeError(Reason.SCHEMA, f"{metric.name} must have the property {key}, it has none")
    if not isinstance(value, int) or isinstance(value, bool):
        raise DecodeError(Reason.TYPE, f"{metric.name}'s {key} must be an integer, got {value!r}")
    if not 0 <= value <= high:
        raise DecodeError(Reason.RANGE, f"{metric.name}'s {key} must be 0 to {high}, got {value}")
    return value


def pack_ranges(ranges: Ranges) -> npt.NDArray[np.uint64]:
    """lo, hi, lo, hi … ValueError where the ranges do not rise, overlap, or go beyond what a seq can be."""
    check_ranges(ranges)
    return np.array(ranges, dtype="<u8").reshape(-1)


def read_ranges(
    metrics: Metrics, name: str, *, max_ranges: int = MAX_RANGES, max_length: int | None = None
) -> Ranges:
    """The ranges of a UInt64Array of lo, hi pairs. DecodeError where they are too many, too long or none."""
    flat = array(metrics, name, DataType.UINT64_ARRAY)
    if len(flat) % 2:
        raise DecodeError(Reason.LENGTH, f"{name} must hold pairs, got {len(flat)} numbers")
    if len(flat) > 2 * max_ranges:
        raise DecodeError(Reason.SIZE, f"{name} must hold at most {max_ranges} ranges, got {len(flat) // 2}")
    numbers: list[int] = flat.tolist()
    ranges = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    try:
        check_ranges(ranges)
    except ValueError as error:
        raise DecodeError(Reason.RANGE, f"{name}: {error}") from error
    if max_length is not None and any(hi - lo >= max_length for lo, hi in ranges):
        raise DecodeError(Reason.RANGE, f"{name}: a range must be at most {max_length} long")
    return ranges


def check_ranges(ranges: Ranges) -> None:
    """ValueError where ranges do not rise, overlap, or go beyond what a seq can be."""
    last = 0
    for lo, hi in ranges:
        if not last < lo <= hi <= MAX_SEQ:
            raise ValueError(
                f"ranges must rise from 1 to {MAX_SEQ} and not overlap, got {lo}-{hi} after {last}"
            )
        last = hi


def refused(error: FrameError) -> DecodeError:
    """The same refusal, of bytes that came from elsewhere."""
    return DecodeError(error.reason, str(error))
