"""NDATA: a gateway's ledger, which shows the host that nothing is missing, and its answer to a replay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from palier.frames import FrameError, check_name

from . import fields
from .commands import check_request
from .data import EPOCH
from .payload import WIRE_VERSION, DataType, DecodeError, Metric, Payload, Reason, Value, encode

SEQ: Final = "Palier/Ledger/Seq"
ACQUIRED: Final = "Palier/Ledger/Acquired"
DROPPED: Final = "Palier/Ledger/Dropped"
REASONS: Final = "Palier/Ledger/Reasons"
OLDEST: Final = "Palier/Ledger/Oldest"
PENDING: Final = "Palier/Ledger/Pending"
RETAINED: Final = "Palier/Ledger/Retained"
GIVEN_UP: Final = "Palier/Ledger/GivenUp"
REPLAYED: Final = "Palier/Replayed"

LEDGER_METRICS: Final = (
    (SEQ, DataType.UINT64),
    (ACQUIRED, DataType.UINT64),
    (DROPPED, DataType.UINT64_ARRAY),
    (REASONS, DataType.STRING_ARRAY),
    (OLDEST, DataType.UINT64),
    (PENDING, DataType.UINT64),
)

RETAINED_METRICS: Final = ((RETAINED, DataType.UINT64), (GIVEN_UP, DataType.UINT64))
"""What a gateway that keeps waveforms back announces beside these."""

REPLAYED_METRICS: Final = ((REPLAYED, DataType.STRING),)

MAX_DROPPED: Final = 4096
"""Dropped ranges in one report, some 90 kB. An outbox drops its oldest rows, so they are few: one for each
time that a link which can't carry all was up in between."""


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """What became of the frames 1 to `seq` of an epoch, as far as the gateway knows.

    `dropped` are (lo, hi, reason), rising; `oldest_unacknowledged` is None when nothing is pending. Waveforms
    that are `retained`, or were and are `given_up` for room, have no seq and are in none of these numbers.
    """

    epoch: str
    seq: int
    acquired: int
    dropped: tuple[tuple[int, int, str], ...]
    oldest_unacknowledged: int | None
    pending: int
    retained: int = 0
    given_up: int = 0


def ledger_payload(report: LedgerReport, *, seq: int, timestamp_ms: int) -> bytes:
    """NDATA of a report; `seq` is Sparkplug's. ValueError where its ranges are none or too many."""
    if len(report.dropped) > MAX_DROPPED:
        raise ValueError(
            f"a report must hold at most {MAX_DROPPED} dropped ranges, got {len(report.dropped)}: merge"
        )
    ranges = fields.pack_ranges(tuple((lo, hi) for lo, hi, _ in report.dropped))
    values: tuple[tuple[str, DataType, Value], ...] = (
        (EPOCH, DataType.STRING, report.epoch),
        (SEQ, DataType.UINT64, report.seq),
        (ACQUIRED, DataType.UINT64, report.acquired),
        (DROPPED, DataType.UINT64_ARRAY, ranges),
        (REASONS, DataType.STRING_ARRAY, tuple(reason for _, _, reason in report.dropped)),
        (OLDEST, DataType.UINT64, report.oldest_unacknowledged),
        (PENDING, DataType.UINT64, report.pending),
        *(((RETAINED, DataType.UINT64, report.retained),) if report.retained else ()),
        *(((GIVEN_UP, DataType.UINT64, report.given_up),) if report.given_up else ()),
    )
    metrics = tuple(Metric(*entry, timestamp_ms=timestamp_ms) for entry in values)
    return encode(Payload(timestamp_ms, metrics, seq, WIRE_VERSION))


def read_ledger(payload: Payload) -> LedgerReport | None:
    """The report in an NDATA, None where there is none. DecodeError where it contradicts itself."""
    if all(metric.name != SEQ for metric in payload.metrics):
        return None
    metrics = fields.by_name(payload)
    seq = fields.integer(metrics, SEQ, DataType.UINT64)
    oldest = metrics.get(OLDEST)
    return LedgerReport(
        epoch=fields.epoch(metrics, EPOCH),
        seq=seq,
        acquired=fields.integer(metrics, ACQUIRED, DataType.UINT64, high=seq),
        dropped=_read_dropped(metrics, seq),
        oldest_unacknowledged=None
        if oldest is None or oldest.value is None
        else fields.integer(metrics, OLDEST, DataType.UINT64, 1, max(seq, 1)),
        pending=fields.integer(metrics, PENDING, DataType.UINT64, high=seq),
        retained=_optional(metrics, RETAINED),
        given_up=_optional(metrics, GIVEN_UP),
    )


def _optional(metrics: fields.Metrics, name: str) -> int:
    """What gateways that retain nothing do not tell."""
    return fields.integer(metrics, name, DataType.UINT64) if name in metrics else 0


def _read_dropped(metrics: fields.Metrics, seq: int) -> tuple[tuple[int, int, str], ...]:
    ranges = fields.read_ranges(metrics, DROPPED, max_ranges=MAX_DROPPED)
    reasons = fields.texts(metrics, REASONS)
    if len(reasons) != len(ranges):
        raise DecodeError(
            Reason.LENGTH, f"each dropped range must have a reason, got {len(ranges)} and {len(reasons)}"
        )
    if ranges and ranges[-1][1] > seq:
        raise DecodeError(Reason.RANGE, f"a report up to {seq} must not drop beyond it, got {ranges[-1]}")
    try:
        for reason in reasons:
            check_name(reason)
    except FrameError as error:
        raise fields.refused(error) from error
    return tuple((lo, hi, reason) for (lo, hi), reason in zip(ranges, reasons, strict=True))


@dataclass(frozen=True, slots=True)
class Replayed:
    """The answer to a `Replay`: so many acknowledged frames of `epoch` wait to be sent again."""

    request: str
    epoch: str
    frames: int


def replayed_payload(replayed: Replayed, *, seq: int, timestamp_ms: int) -> bytes:
    """NDATA of the answer; `seq` is Sparkplug's."""
    epoch = Metric(EPOCH, DataType.STRING, replayed.epoch, timestamp_ms=timestamp_ms)
    told = Metric(
        REPLAYED,
        DataType.STRING,
        replayed.request,
        timestamp_ms=timestamp_ms,
        properties={"frames": replayed.frames},
    )
    return encode(Payload(timestamp_ms, (epoch, told), seq, WIRE_VERSION))


def read_replayed(payload: Payload) -> Replayed | None:
    """The answer in an NDATA, None where there is none. DecodeError where it can't be one."""
    if all(metric.name != REPLAYED for metric in payload.metrics):
        return None
    metrics = fields.by_name(payload)
    return Replayed(
        check_request(fields.text(metrics, REPLAYED), REPLAYED),
        fields.epoch(metrics, EPOCH),
        fields.property_integer(metrics[REPLAYED], "frames"),
    )
