"""NCMD: what a host asks of a gateway. No Sparkplug seq in any of them (tck-id-payloads-ncmd-seq)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from palier.frames import FrameError, check_name, split_channel
from palier.ranges import Ranges

from . import fields
from .payload import WIRE_VERSION, DataType, DecodeError, Metric, Payload, Reason, Scalar, encode

REBIRTH: Final = "Node Control/Rebirth"
STORED: Final = "Palier/Stored"
LIMITS: Final = "Palier/Limits"
LIMIT_VALUES: Final = "Palier/Limits/Values"
REPLAY: Final = "Palier/Replay"

COMMAND_METRICS: Final = (
    (STORED, DataType.UINT64_ARRAY),
    (LIMITS, DataType.STRING_ARRAY),
    (LIMIT_VALUES, DataType.DOUBLE_ARRAY),
    (REPLAY, DataType.STRING),
)
"""What a gateway's birth announces that it listens to, beside the rebirth."""

MAX_RANGE_LENGTH: Final = 4096
"""Frames that one acknowledged range may span. At most 100 of a gateway are in flight and a host holds some
1,000: a range that would release many times that from the outbox at once is a defect or an attack."""

MAX_LIMITS: Final = 4096
"""Channels of one gateway that may have a danger limit; more machines than channels it can't have."""

_COMMA: Final = ","  # no name may hold one

REQUEST_PATTERN: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
"""What tells one replay from another: drawn at random by who asks, or the id of the command behind it."""

_MAX_CREDIT_FRAMES: Final = 1_000_000
_MAX_CREDIT_BYTES: Final = 1 << 40


@dataclass(frozen=True, slots=True)
class Stored:
    """The acknowledgement: these frames of `epoch` are stored or in quarantine, never send them again.

    `credit_*` is how much may be in flight from now on; 0 frames while the store is down. `sync` marks the
    answer to a birth: which of the frames it said to be in flight have arrived. With it comes `highest`, the
    highest seq of that epoch that ever reached the host, 0 where none did: stored, quarantined, or in its
    queue. Each seq up to it is taken. None: the host does not tell (hosts from before the property was).
    """

    epoch: str
    ranges: Ranges
    credit_frames: int
    credit_bytes: int
    sync: bool = False
    highest: int | None = None


def stored_payload(stored: Stored, timestamp_ms: int) -> bytes:
    """NCMD of an acknowledgement. ValueError where its ranges are none, too many or too long to believe."""
    if len(stored.ranges) > fields.MAX_RANGES or any(hi - lo >= MAX_RANGE_LENGTH for lo, hi in stored.ranges):
        raise ValueError(
            f"an acknowledgement holds at most {fields.MAX_RANGES} ranges of {MAX_RANGE_LENGTH}: send several"
        )
    told: dict[str, Scalar] = {
        "epoch": stored.epoch,
        "credit_frames": stored.credit_frames,
        "credit_bytes": stored.credit_bytes,
        "sync": stored.sync,
    }
    if stored.highest is not None:
        told["highest"] = stored.highest
    ranges = fields.pack_ranges(stored.ranges)
    return _command(
        timestamp_ms,
        Metric(STORED, DataType.UINT64_ARRAY, ranges, timestamp_ms=timestamp_ms, properties=told),
    )


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
        highest=fields.property_integer(metric, "highest") if "highest" in metric.properties else None,
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
    """Above `value`, a velocity RMS in mm/s, the acceleration channel "POINT/CHANNEL" is in danger: a gateway
    keeps the waveform of a danger block that exceeds it.
    """

    machine: str
    channel: str
    value: float


def limits_payload(
    limits: tuple[DangerLimit, ...], timestamp_ms: int, attention: tuple[str, ...] = ()
) -> bytes:
    """NCMD with all danger limits of a gateway, and the machines that are in alarm (`attention`), which it is
    to sample more often; both replace what it had.
    """
    names = tuple(f"{limit.machine}/{limit.channel}" for limit in limits)
    values = np.array([limit.value for limit in limits], dtype="<f8")
    return _command(
        timestamp_ms,
        Metric(
            LIMITS,
            DataType.STRING_ARRAY,
            names,
            timestamp_ms=timestamp_ms,
            properties={"attention": _COMMA.join(attention)} if attention else {},
        ),
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


def read_attention(payload: Payload) -> tuple[str, ...]:
    """The machines in alarm, of an NCMD that holds limits: those that it does not name are not.

    DecodeError where they can't be machines.
    """
    metric = _find(payload, LIMITS)
    if metric is None or "attention" not in metric.properties:
        return ()
    machines = tuple(filter(None, fields.property_text(metric, "attention").split(_COMMA)))
    if len(machines) > MAX_LIMITS:
        raise DecodeError(
            Reason.LENGTH, f"at most {MAX_LIMITS} machines can be in alarm, got {len(machines)}"
        )
    try:
        for machine in machines:
            check_name(machine)
    except FrameError as error:
        raise fields.refused(error) from error
    return machines


@dataclass(frozen=True, slots=True)
class Replay:
    """Frames that end from `start_ns` to `end_ns`, ns since 1970 UTC, are to be sent again.

    Acknowledged or not: the host lost it. `epoch` None means whichever the gateway's outbox has. A `request`
    that comes twice is done once and answered twice (`Replayed`). Waveforms of that time that a gateway kept
    to itself are sent too, and those still to come: a time that is not over is a wish that stays open.

    `machine`: of this one alone. `retained`: only what was kept back, nothing that was acknowledged. Gateways
    from before these were send all of that time.
    """

    request: str
    start_ns: int
    end_ns: int
    epoch: str | None = None
    machine: str | None = None
    retained: bool = False


def replay_payload(replay: Replay, timestamp_ms: int) -> bytes:
    """NCMD of a replay. DecodeError where no gateway would take it."""
    told: dict[str, Scalar] = {"start_ns": replay.start_ns, "end_ns": replay.end_ns}
    if replay.epoch is not None:
        told["epoch"] = replay.epoch
    if replay.machine is not None:
        told["machine"] = replay.machine
    if replay.retained:
        told["retained"] = True
    metric = Metric(REPLAY, DataType.STRING, replay.request, timestamp_ms=timestamp_ms, properties=told)
    _read_replay(metric)
    return _command(timestamp_ms, metric)


def read_replay(payload: Payload) -> Replay | None:
    """The replay in an NCMD, None where there is none. DecodeError where it can't be one."""
    metric = _find(payload, REPLAY)
    return None if metric is None else _read_replay(metric)


def _read_replay(metric: Metric) -> Replay:
    request = check_request(metric.value, REPLAY)
    epoch = fields.property_text(metric, "epoch") if "epoch" in metric.properties else None
    if epoch is not None and not fields.is_epoch(epoch):
        raise DecodeError(Reason.SCHEMA, f"{REPLAY}'s epoch must be 16 hex digits, got {epoch[:40]!r}")
    start_ns = fields.property_integer(metric, "start_ns")
    end_ns = fields.property_integer(metric, "end_ns")
    if start_ns > end_ns:
        raise DecodeError(Reason.RANGE, f"{REPLAY} must not end ({end_ns}) before it begins ({start_ns})")
    machine = fields.property_text(metric, "machine") if "machine" in metric.properties else None
    try:
        if machine is not None:
            check_name(machine)
    except FrameError as error:
        raise fields.refused(error) from error
    return Replay(request, start_ns, end_ns, epoch, machine, metric.properties.get("retained") is True)


def check_request(value: object, metric: str) -> str:
    """A request's id. DecodeError where it is none."""
    if not isinstance(value, str) or not REQUEST_PATTERN.fullmatch(value):
        raise DecodeError(
            Reason.NAME, f"{metric} must match {REQUEST_PATTERN.pattern}, got {str(value)[:80]!r}"
        )
    return value


def _read_limit(name: str, value: float) -> DangerLimit:
    machine, _, channel = name.partition("/")
    try:
        check_name(machine)
        split_channel(channel)
    except FrameError as error:
        raise fields.refused(error) from error
    if not 0 < value < math.inf:
        raise DecodeError(Reason.RANGE, f"the danger limit of {name} must be a number above 0, got {value}")
    return DangerLimit(machine, channel, value)


def _find(payload: Payload, name: str) -> Metric | None:
    return next((metric for metric in payload.metrics if metric.name == name), None)


def _command(timestamp_ms: int, *metrics: Metric) -> bytes:
    return encode(Payload(timestamp_ms, metrics, None, WIRE_VERSION))
