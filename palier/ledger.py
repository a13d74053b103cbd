"""The conservation law: every frame a gateway acquired is in exactly one place.

At a seq S of one epoch, each of 1..S is stored at the host, quarantined at the host, dropped by the gateway
with a reason, or pending in the gateway's outbox. The host has the last word: a frame that the gateway gave
up after the host had it (its acknowledgement was lost) is stored, not dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from palier import ranges
from palier.ranges import Range, Ranges
from palier.wire.messages import LedgerReport

SILENT_AFTER_S: Final = 180.0
"""A gateway reports each minute; after three missing reports nothing is known of it any more."""


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """Counts of frames of one epoch at `seq`.

    A line that adds up has acquired = stored + quarantined + dropped + pending, and nothing missing or twice.
    `adds_up` is None, and `unknown_since_ns` the time of the last report, while the gateway is silent.
    """

    edge: str
    epoch: str
    seq: int
    acquired: int
    stored: int
    quarantined: int
    dropped: int
    pending: int
    adds_up: bool | None
    missing: int
    twice: int
    unknown_since_ns: int | None = None


def balance(
    edge: str,
    report: LedgerReport,
    stored: Iterable[Range],
    quarantined: Iterable[Range],
    *,
    unknown_since_ns: int | None = None,
) -> LedgerLine:
    """The line of one gateway and epoch, from its last report and what the host has of that epoch.

    `unknown_since_ns` is what `unknown_since` says of the report's age.
    """
    window: Ranges = ((1, report.seq),) if report.seq > 0 else ()
    at_host = ranges.intersect(stored, window)
    put_aside = ranges.intersect(quarantined, window)
    seen = ranges.merge((*at_host, *put_aside))
    given_up = ranges.intersect(((lo, hi) for lo, hi, _ in report.dropped), window)
    unseen = ranges.count(ranges.subtract(ranges.subtract(window, seen), given_up))
    pending = _pending(report, ranges.merge((*seen, *given_up)))
    missing = unseen - pending + max(0, report.acquired - report.seq)
    twice = ranges.count(ranges.intersect(at_host, put_aside)) + _given_up_twice(report, window)
    twice += max(0, report.seq - report.acquired)  # more numbered than acquired
    return LedgerLine(
        edge=edge,
        epoch=report.epoch,
        seq=report.seq,
        acquired=report.acquired,
        stored=ranges.count(at_host),
        quarantined=ranges.count(put_aside),
        dropped=ranges.count(ranges.subtract(given_up, seen)),
        pending=pending,
        adds_up=None if unknown_since_ns is not None else not (missing or twice),
        missing=missing,
        twice=twice,
        unknown_since_ns=unknown_since_ns,
    )


def _pending(report: LedgerReport, settled: Ranges) -> int:
    """How many can still be in the outbox: not settled, not before its oldest row, no more than its rows.

    What the host sees after the report only takes away from those rows, so the bound holds at any later time.
    """
    if report.oldest_unacknowledged is None or report.oldest_unacknowledged > report.seq:
        return 0
    held = ranges.subtract(((report.oldest_unacknowledged, report.seq),), settled)
    return min(ranges.count(held), report.pending)


def _given_up_twice(report: LedgerReport, window: Ranges) -> int:
    """How many seqs the gateway reports as dropped more than once."""
    clipped = [ranges.intersect([(lo, hi)], window) for lo, hi, _ in report.dropped]
    return sum(map(ranges.count, clipped)) - ranges.count(piece for pieces in clipped for piece in pieces)


def unknown_since(received_ns: int, now_ns: int) -> int | None:
    """When the gateway fell silent: the time of its last report if that is too long ago, else None."""
    return received_ns if now_ns - received_ns > SILENT_AFTER_S * 1e9 else None
