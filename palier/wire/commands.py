"""NCMD: what a host asks of a gateway. No Sparkplug seq in any of them (tck-id-payloads-ncmd-seq)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from palier.frames import FrameError, check_name, split_channel
from palier.ranges import Ranges

from . import fields
from .payload import WIRE_VERSION, DataType, DecodeError, Metric, Payload, Reason, encode

REBIRTH: Final = "Node Control/Rebirth"
STORED: Final = "Palier/Stored"
LIMITS: Final = "Palier/Limits"
LIMIT_VALUES: Final = "Palier/Limits/Values"

COMMAND_METRICS: Final = (
    (STORED, DataType.UINT64_ARRAY),
    (LIMITS, DataType.STRING_ARRAY),
    (LIMIT_VALUES, DataType.DOUBLE_ARRAY),
)
"""What a gateway's birth announces that it listens to, beside the rebirth."""

MAX_RANGE_LENGTH: Final = 4096
"""Frames that one acknowledged range may span. At most 100 of a gateway are in flight and a host holds some
1,000: a range that would release many times that from the outbox at once is a defect or an attack."""

MAX_LIMITS: Final = 4096
"""Channels of one gateway that may have a danger limit."""

_MAX_CREDIT_FRAMES: Final = 1_000_000
_MAX_CREDIT_BYTES: Final = 1 << 40


@dataclass(frozen=True, slots=True)
class Stored:
    """The acknowledgement: these frames of `epoch` are stored or in quarantine, never send them again.

    `credit_*` is how much may be in flight from now on; 0 frames while the store is down. `sync` marks the
    answer to a birth: which of the frames it said to be in flight have arrived.
    """

    epoch: str
    ranges: Ranges
    credit_frames: int
    credit_bytes: int
    sync: bool = False


def stored_payload(stored: Stored, timestamp_ms: int) -> bytes:
    """NCMD of an acknowledgement. ValueError where its ranges are none, too many or too long to believe."""
    if len(stored.ranges) > fields.MAX_RANGES or any(hi - lo >= MAX_RANGE_LENGTH for lo, hi in stored.ranges):
        raise ValueError(
            f"an acknowledgement holds at most {fields.MAX_RANGES} ranges of {MAX_RANGE_LENGTH}: send several"
        )
    metric = Metric(
        STORED,
        DataType.UINT64_ARRAY,
        fields.pack_ranges(stored.ranges),
        timestamp_ms=timestamp_ms,
        properties={
            "epoch": stored.epoch,
            "credit_frames": stored.credit_frames,
            "credit_bytes": stored.credit_bytes,
            "sync": stored.sync,
        },
    )
    return _command(timestamp_ms, metric)


def read_stored(payload: Payload) -> Stored | None:
    """The acknowledgement in an NCMD, None where there is none. DecodeError where it must not be believed."""
    metric = _find(payload, STORED)
    if metric is None:
        return None
    epoch = fields.property_text(metric, "epoch")
    if not fields.is_epoch(epoch):
        raise DecodeError(Reason.SCHEMA, f"{STORED}'s epoch must be 16 hex digits, got {epoch[:40]!r}")
    return Stored(
        epoch=epoch,
        ranges=fields.read_ranges({STORED: metric}, STORED, max_length=MAX_RANGE_LENGTH),
        credit_frames=fields.property_integer(metric, "credit_frames", _MAX_CREDIT_FRAMES),
        credit_bytes=fields.property_integer(metric, "credit_bytes", _MAX_CREDIT_BYTES),
        sync=metric.properties.get("sync") is True,
    )


def rebirth_payload(timestamp_ms: int) -> bytes:
    """NCMD that asks a node, Palier's or a third party's, for all its births again."""
    return _command(timestamp_ms, Metric(REBIRTH, DataType.BOOLEAN, True, timestamp_ms=timestamp_ms))


def is_rebirth(payload: Payload) -> bool:
    """Whether an NCMD asks for the births (tck-id-operational-behavior-data-commands-rebirth-action-1)."""
    metric = _find(payload, REBIRTH)
    return metric is not None and metric.value is True


@dataclass(frozen=True, slots=True)
class DangerLimit:
    """Above `value`, in the unit of `channel` ("POINT/CHANNEL"), a gateway sends a reading at once."""

    machine: str
    channel: str
    value: float


def limits_payload(limits: tuple[DangerLimit, ...], timestamp_ms: int) -> bytes:
    """NCMD with all danger limits of a gateway; they replace those it had."""
    names = tuple(f"{limit.machine}/{limit.channel}" for limit in limits)
    values = np.array([limit.value for limit in limits], dtype="<f8")
    return _command(
        timestamp_ms,
        Metric(LIMITS, DataType.STRING_ARRAY, names, timestamp_ms=timestamp_ms),
        Metric(LIMIT_VALUES, DataType.DOUBLE_ARRAY, values, timestamp_ms=timestamp_ms),
    )


def read_limits(payload: Payload) -> tuple[DangerLimit, ...] | None:
    """The danger limits in an NCMD, None where there are none. DecodeError where they do not fit together."""
    if _find(payload, LIMITS) is None:
        return None
    metrics = fields.by_name(payload)
    names, values = fields.texts(metrics, LIMITS), fields.array(metrics, LIMIT_VALUES, DataType.DOUBLE_ARRAY)
    if len(names) != len(values) or len(names) > MAX_LIMITS:
        raise DecodeError(
            Reason.LENGTH,
            f"limits must be a value for each of at most {MAX_LIMITS} names, got {len(names)}, {len(values)}",
        )
    return tuple(_read_limit(name, value) for name, value in zip(names, values.tolist(), strict=True))


def _read_limit(name: str, value: float) -> DangerLimit:
    machine, _, channel = name.partition("/")
    try:
        check_name(machine)
        split_channel(channel)
    except FrameError as error:
        raise fields.refused(error) from error
    if not math.isfinite(value):
        raise DecodeError(Reason.RANGE, f"the danger limit of {name} must be finite, got {value}")
    return DangerLimit(machine, channel, value)


def _find(payload: Payload, name: str) -> Metric | None:
    return next((metric for metric in payload.metrics if metric.name == name), None)


def _command(timestamp_ms: int, *metrics: Metric) -> bytes:
    return encode(Payload(timestamp_ms, metrics, None, WIRE_VERSION))
