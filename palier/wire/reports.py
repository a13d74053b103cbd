"""NDATA: a gateway's ledger. With it the host can tell that nothing is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from palier.frames import FrameError, check_name

from . import fields
from .data import EPOCH
from .payload import WIRE_VERSION, DataType, DecodeError, Metric, Payload, Reason, Value, encode

SEQ: Final = "Palier/Ledger/Seq"
ACQUIRED: Final = "Palier/Ledger/Acquired"
DROPPED: Final = "Palier/Ledger/Dropped"
REASONS: Final = "Palier/Ledger/Reasons"
OLDEST: Final = "Palier/Ledger/Oldest"
PENDING: Final = "Palier/Ledger/Pending"

LEDGER_METRICS: Final = (
    (SEQ, DataType.UINT64),
    (ACQUIRED, DataType.UINT64),
    (DROPPED, DataType.UINT64_ARRAY),
    (REASONS, DataType.STRING_ARRAY),
    (OLDEST, DataType.UINT64),
    (PENDING, DataType.UINT64),
)

MAX_DROPPED: Final = 4096
"""Dropped ranges in one report, some 90 kB. An outbox drops its oldest rows, so they are few: one for each
time that a link which can't carry all was up in between."""


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """What became of the frames 1 to `seq` of an epoch, as far as the gateway knows.

    `dropped` are (lo, hi, reason), rising; `oldest_unacknowledged` is None when nothing is pending.
    """

    epoch: str
    seq: int
    acquired: int
    dropped: tuple[tuple[int, int, str], ...]
    oldest_unacknowledged: int | None
    pending: int


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
    )


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
