"""The conservation law: every frame a gateway acquired is in exactly one place.

At a seq S of one epoch, each of 1..S is stored at the host, quarantined at the host, dropped by the gateway
with a reason, or pending in the gateway's outbox. The host has the last word: a frame that the gateway gave
up after the host had it (its acknowledgement was lost) is stored, not dropped.

A report can't come too early: what travels beside it is pending, for the gateway drops nothing from that
count before the host said that it has the frame, and the host says so only of what its records hold. But as
long as an acknowledgement travels, a lost frame may pass for the one that it is of: the next report tells.

An outbox that another one of the same gateway took the place of has ended: what was pending in it is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from palier import ranges
from palier.ranges import Range, Ranges
from palier.wire.messages import LedgerReport

SILENT_AFTER_S: Final = 180.0
"""A gateway reports each minute; after three missing reports nothing is known of it any more."""

REASONS: Final = ("cap", "disk", "unreadable", "lost_by_card")
"""Why a gateway gives a frame up: its outbox is full, its disk is full, its disk changed the frame, or its
card lost it after it had said that it was written."""

OTHER: Final = "other"
"""What a reason that this version does not know is counted under."""

GAPS_TOLD: Final = 20
"""Ranges of missing frames that a line names: enough to see where they lie."""


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """Counts of frames of one epoch at `seq`.

    A line that adds up has acquired = stored + quarantined + dropped + pending, and nothing missing, twice or
    lost. `adds_up` is None, and `unknown_since_ns` the time of the last report, while the gateway is silent.
    `dropped_for` says of each reason how many were dropped for it. `gaps` are the first ranges of seqs that
    the gateway believes at the host, and that are not there. `reported_ns` is when the host got the report.

    A line is `replaced` when a younger outbox of the gateway has reported: it is final, and what was pending
    is `lost`, with what the host knows to have been numbered after the last report and never got.
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
    dropped_for: Mapping[str, int] = field(default_factory=dict)
    lost: int = 0
    gaps: Ranges = ()
    reported_ns: int | None = None
    replaced: bool = False

    def told(self) -> dict[str, Any]:
        """All of it as JSON tells it: the names of the fields are public."""
        return asdict(self)


def balance(
    edge: str,
    report: LedgerReport,
    stored: Iterable[Range],
    quarantined: Iterable[Range],
    *,
    unknown_since_ns: int | None = None,
    reported_ns: int | None = None,
    replaced: bool = False,
) -> LedgerLine:
    """The line of one gateway and epoch, from its last report and what the host has of that epoch.

    `unknown_since_ns` is what `unknown_since` says of the report's age.
    """
    window: Ranges = ((1, report.seq),) if report.seq > 0 else ()
    stored, quarantined = ranges.merge(stored), ranges.merge(quarantined)
    behind = _behind(report, (*stored, *quarantined)) if replaced else ()
    told = ranges.merge((*window, *behind))
    at_host = ranges.intersect(stored, told)
    put_aside = ranges.intersect(quarantined, told)
    seen = ranges.merge((*at_host, *put_aside))
    given_up = ranges.intersect(((lo, hi) for lo, hi, _ in report.dropped), window)
    unseen = ranges.subtract(ranges.subtract(window, seen), given_up)
    waiting = _pending(report, ranges.merge((*seen, *given_up)))
    lost = waiting + ranges.count(ranges.subtract(behind, seen)) if replaced else 0
    missing = ranges.count(unseen) - waiting + max(0, report.acquired - report.seq)
    twice = ranges.count(ranges.intersect(at_host, put_aside)) + _given_up_twice(report, window)
    twice += max(0, report.seq - report.acquired)  # more numbered than acquired
    silent = unknown_since_ns is not None and not replaced
    return LedgerLine(
        edge=edge,
        epoch=report.epoch,
        seq=report.seq,
        acquired=report.acquired + ranges.count(behind),
        stored=ranges.count(at_host),
        quarantined=ranges.count(put_aside),
        dropped=ranges.count(ranges.subtract(given_up, seen)),
        pending=0 if replaced else waiting,
        adds_up=None if silent else not (missing or twice or lost),
        missing=missing,
        twice=twice,
        unknown_since_ns=unknown_since_ns if silent else None,
        dropped_for=_dropped_for(report, window, seen),
        lost=lost,
        gaps=_gaps(report, unseen) if missing else (),
        reported_ns=reported_ns,
        replaced=replaced,
    )


def _behind(report: LedgerReport, seen: Iterable[Range]) -> Ranges:
    """The seqs after the last report that the host knows to have been given: up to the highest it has."""
    last = max((hi for _, hi in seen), default=0)
    return ((report.seq + 1, last),) if last > report.seq else ()


def _dropped_for(report: LedgerReport, window: Ranges, seen: Ranges) -> dict[str, int]:
    """How many were dropped for each reason; one that stands twice is counted for the first."""
    counts: dict[str, int] = {}
    counted = seen
    for reason in (*REASONS, OTHER):
        of_it = [(lo, hi) for lo, hi, why in report.dropped if known_reason(why) == reason]
        new = ranges.subtract(ranges.intersect(of_it, window), counted)
        if new:
            counts[reason] = ranges.count(new)
            counted = ranges.merge((*counted, *new))
    return counts


def known_reason(reason: str) -> str:
    """One of REASONS, or OTHER."""
    return reason if reason in REASONS else OTHER


def _gaps(report: LedgerReport, unseen: Ranges) -> Ranges:
    """What of the unseen can't be pending: it lies before the oldest row of the outbox."""
    oldest = report.seq + 1 if report.oldest_unacknowledged is None else report.oldest_unacknowledged
    before: Ranges = ((1, min(oldest - 1, report.seq)),) if min(oldest - 1, report.seq) > 0 else ()
    return ranges.intersect(unseen, before)[:GAPS_TOLD]


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
