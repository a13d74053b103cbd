"""The records: what was seen, what is in force, where waveforms lie, what was put aside.

SQLite, with the ingest as its only writer. The ranges of seqs in `seen` are the authority on what the host
has: contiguous seqs of one verdict are one row, ranges never overlap, and the first verdict on a seq stays.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from palier import ledger, ranges
from palier.frames import FrameId
from palier.ranges import Ranges
from palier.wire.messages import LedgerReport

from . import ledger_tables, quarantine_tables, record_budget, record_tables
from .database import Database, clamp, used_bytes
from .people_records import PeopleReader
from .quarantine_tables import MAX_QUARANTINE_BYTES, MAX_QUARANTINE_ROWS, QuarantineKind
from .record_tables import RECORDS
from .rows import (
    HOUR_NS,
    DirtyHour,
    LedgerReceipt,
    QuarantineRow,
    RecordsBatch,
    StateRow,
    Transition,
    Verdict,
    WaveformRow,
)
from .waveforms import WaveformRef

__all__ = [
    "MAX_QUARANTINE_BYTES",
    "MAX_QUARANTINE_ROWS",
    "DirtyHour",
    "LedgerReceipt",
    "QuarantineKind",
    "QuarantineRow",
    "Records",
    "RecordsBatch",
    "RecordsReader",
    "StateRow",
    "Transition",
    "Verdict",
    "WaveformRow",
]


LET_GO_AT_ONCE: Final = 500
"""Rows deleted in one transaction: some milliseconds, which a commit that comes meanwhile may wait."""


class RecordsReader(PeopleReader):
    """Reads the records while the ingest writes them.

    An instance may be used from any thread. Raises Unavailable (no file yet) or SchemaError.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path, RECORDS, read_only=True)

    def edges(self) -> tuple[tuple[str, str], ...]:
        """(edge, epoch) of all that was seen or reported."""
        rows = self._database.query(
            "SELECT edge, epoch FROM seen UNION SELECT edge, epoch FROM ledger_report"
        )
        return tuple((edge, epoch) for edge, epoch in rows)

    def ranges(self, edge: str, epoch: str, verdict: Verdict) -> Ranges:
        """The seqs with that verdict, canonical."""
        rows = self._database.query(
            "SELECT lo, hi FROM seen WHERE edge=? AND epoch=? AND verdict=? ORDER BY lo",
            (edge, epoch, verdict.value),
        )
        return ranges.merge((lo, hi) for lo, hi in rows)

    def seen(self, edge: str, epoch: str, seqs: Iterable[int]) -> dict[int, Verdict]:
        """Which of these seqs have a verdict, and which."""
        sql = "SELECT hi, verdict FROM seen WHERE edge=? AND epoch=? AND lo<=? ORDER BY lo DESC LIMIT 1"
        found: dict[int, Verdict] = {}
        with self._database.snapshot() as connection:
            for seq in seqs:
                row = connection.execute(sql, (edge, epoch, seq)).fetchone()
                if row is not None and seq <= row[0]:
                    found[seq] = Verdict(row[1])
        return found

    def states(self, site: str | None = None, prefix: str = "") -> dict[tuple[str, str], str]:
        """States in force: JSON text by (site, key), of keys that begin with `prefix`."""
        rows = self._database.query(
            "SELECT site, key, value FROM state WHERE site=coalesce(?, site) AND key>=? AND key<?",
            (site, prefix, prefix + chr(0x10FFFF)),
        )
        return {(row[0], row[1]): row[2] for row in rows}

    def transitions(self, since_ns: int = 0, kind: str | None = None) -> tuple[Transition, ...]:
        """Transitions at or after a time, of one kind or of all, oldest first."""
        rows = self._database.query(
            "SELECT event_id, site, machine, point, channel, ts, kind, state, previous, detail "
            "FROM transition WHERE ts>=? AND kind=coalesce(?, kind) ORDER BY ts, event_id",
            (clamp(since_ns), kind),
        )
        return tuple(Transition(*row) for row in rows)

    def waveforms(
        self,
        site: str,
        machine: str,
        point: str,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        newest: int | None = None,
    ) -> tuple[WaveformRow, ...]:
        """Kept waveforms of a point with start <= start_ns < end, oldest first.

        `newest` keeps only the last so many.
        """
        first = clamp(start_ns if start_ns is not None else -(2**63))
        last = clamp(end_ns - 1 if end_ns is not None else 2**63)
        rows = self._database.query(
            f"{_WAVEFORM} WHERE site=? AND machine=? AND point=? AND start_ns BETWEEN ? AND ? "
            "ORDER BY start_ns DESC LIMIT ?",
            (site, machine, point, first, last, -1 if newest is None else newest),
        )
        return tuple(_waveform(row) for row in reversed(rows))

    def waveforms_in(self, segments: Sequence[int]) -> tuple[WaveformRow, ...]:
        """The index of all waveforms in these segments."""
        with self._database.snapshot() as connection:
            found = [connection.execute(f"{_WAVEFORM} WHERE segment=?", (segment,)) for segment in segments]
            return tuple(_waveform(row) for rows in found for row in rows)

    def waveform(self, frame: FrameId) -> WaveformRow | None:
        """Where a frame's waveform is kept; None if it was thinned away or never kept."""
        rows = self._database.query(
            f"{_WAVEFORM} WHERE edge=? AND epoch=? AND seq=?", (frame.edge, frame.epoch, frame.seq)
        )
        return _waveform(rows[0]) if rows else None

    def segment_ends(self) -> dict[int, int]:
        """For each waveform segment, the end of the last waveform the records know."""
        rows = self._database.query("SELECT segment, max(offset + length) FROM waveform GROUP BY segment")
        return dict(rows)

    def quarantine(self, limit: int = 100) -> tuple[QuarantineRow, ...]:
        """The newest messages put aside, newest first."""
        rows = self._database.query(
            "SELECT received_ns, edge, topic, reason, sentence, payload, epoch, seq FROM quarantine "
            "ORDER BY id DESC LIMIT ?",
            (limit,),
        )
        return tuple(_quarantined(row) for row in rows)

    def quarantine_kinds(self) -> tuple[QuarantineKind, ...]:
        """How many were put aside of each gateway for each reason, the latest first."""
        return quarantine_tables.kinds(self._database.query(quarantine_tables.KINDS))

    def put_aside_lately(self, now_ns: int) -> dict[str, int]:
        """Messages put aside of each gateway in the hour of a time (of the clock of `received_ns`) and the
        hour before; "" are those that name no gateway.
        """
        return dict(self._database.query(quarantine_tables.LATELY, {"hour": now_ns // HOUR_NS}))

    def dropped_lately(self, since_ns: int) -> dict[str, dict[str, int]]:
        """What gateways gave up in all, by reason, where they reported more of it at or after a time."""
        found: dict[str, dict[str, int]] = {}
        for edge, reason, n in self._database.query(ledger_tables.LATELY, (clamp(since_ns),)):
            found.setdefault(edge, {})[reason] = n
        return found

    def quarantine_thinned(self) -> int:
        """How many quarantined messages are counted only: of a flood, or thinned away by the bound."""
        rows = self._database.query("SELECT n FROM counter WHERE name='quarantine_thinned'")
        return rows[0][0] if rows else 0

    def ledger_reports(self) -> tuple[LedgerReceipt, ...]:
        """The last report of each edge and epoch."""
        rows = self._database.query(
            "SELECT edge, received_ns, report FROM ledger_report ORDER BY edge, epoch"
        )
        return tuple(LedgerReceipt(edge, ns, _report(text)) for edge, ns, text in rows)

    def ledger_lines(self, now_ns: int) -> tuple[ledger.LedgerLine, ...]:
        """The balance of each edge and epoch that has reported; `now_ns` is of the clock of `received_ns`."""
        receipts = self.ledger_reports()
        last: dict[str, int] = {}
        for receipt in receipts:
            last[receipt.edge] = max(last.get(receipt.edge, receipt.received_ns), receipt.received_ns)
        return tuple(
            ledger.balance(
                receipt.edge,
                receipt.report,
                self.ranges(receipt.edge, receipt.report.epoch, Verdict.STORED),
                self.ranges(receipt.edge, receipt.report.epoch, Verdict.QUARANTINED),
                unknown_since_ns=ledger.unknown_since(receipt.received_ns, now_ns),
                reported_ns=receipt.received_ns,
                replaced=receipt.received_ns < last[receipt.edge],
            )
            for receipt in receipts
        )

    def used_bytes(self) -> int:
        """Bytes of the file that hold something; the file itself never becomes smaller."""
        with self._database.snapshot() as connection:
            return used_bytes(connection)

    def quarantine_bytes(self) -> int:
        """Bytes of the messages that are kept in quarantine."""
        return sum(kind.bytes for kind in self.quarantine_kinds())

    def pending_attempts(self) -> dict[FrameId, int]:
        """Frames that were begun and have no verdict yet, with how often they were begun."""
        rows = self._database.query("SELECT edge, epoch, seq, n FROM attempt")
        return {FrameId(edge, epoch, seq): n for edge, epoch, seq, n in rows}

    def dirty_hours(self, before_ns: int, limit: int) -> tuple[DirtyHour, ...]:
        """The newest hours that wait for their hourly rows and start before a time.

        A trend of today must not wait for a backlog's month, nor an hour be computed while it still fills.
        """
        rows = self._database.query(
            "SELECT site, machine, start_ns FROM dirty_hour WHERE start_ns<? "
            "ORDER BY start_ns DESC, site, machine LIMIT ?",
            (clamp(before_ns), limit),
        )
        return tuple(DirtyHour(*row) for row in rows)

    def changes(self) -> int:
        """Another number after each commit of the ingest: the last of a commit's three stores."""
        return self._database.changes()

    def close(self) -> None:
        """Let go of the file. Closing twice is allowed."""
        self._database.close()


class Records(RecordsReader):
    """The ingest's own: the only writer. Makes the file, or brings an older one forward."""

    def __init__(self, path: Path, *, quarantine_bytes: int = MAX_QUARANTINE_BYTES) -> None:
        """The quarantine keeps at most so many bytes of payload."""
        self._database = Database(path, RECORDS, read_only=False)
        self._quarantine_bytes = quarantine_bytes

    def commit(self, batch: RecordsBatch) -> None:
        """Write all of it in one durable transaction. Raises Unavailable: nothing was written.

        Again with the same batch changes nothing but the quarantine, where its messages stand twice.
        """
        with self._database.transaction() as connection:
            record_tables.write(connection, batch, self._quarantine_bytes)

    def attempt(self, frames: Iterable[FrameId]) -> dict[FrameId, int]:
        """Note durably, before they are worked on, that these frames are begun once more; their counts.

        A frame that ends the process each time is known by its count at the next start. A verdict ends it.
        """
        with self._database.transaction() as connection:
            return record_tables.count_attempts(connection, tuple(frames))

    def forget_attempts(self, frames: Iterable[FrameId]) -> None:
        """Take back attempts that failed through no fault of the frames: the store was down."""
        with self._database.transaction() as connection:
            record_tables.forget_attempts(connection, frames)

    def forget_hours(self, hours: Iterable[DirtyHour]) -> None:
        """The hourly rows of these hours are durable, of all raw rows that were committed until now."""
        with self._database.transaction() as connection:
            record_tables.forget_hours(connection, hours)

    def make_room(self, budget_bytes: int, before_ns: int, keep: Collection[str] = ()) -> int:
        """Where the file holds more than so many bytes, let go of some of what may go (`record_budget.py`),
        of transitions those older than a time but these ids; how many went. Raises Unavailable.
        """
        with self._database.transaction() as connection:
            if used_bytes(connection) <= budget_bytes:
                return 0
            return record_budget.step(connection, clamp(before_ns), keep, LET_GO_AT_ONCE)

    def rethin(self, moved: Mapping[FrameId, WaveformRef], dropped: Iterable[int]) -> None:
        """Point the index at moved waveforms and forget all others of the dropped segments."""
        with self._database.transaction() as connection:
            record_tables.rethin(connection, moved, dropped)


_WAVEFORM: Final = (
    "SELECT edge, epoch, seq, site, machine, point, start_ns, segment, offset, length, alarm FROM waveform"
)


def _waveform(row: Sequence[Any]) -> WaveformRow:
    edge, epoch, seq, site, machine, point, start_ns, segment, offset, length, alarm = row
    ref = WaveformRef(segment, offset, length)
    return WaveformRow(FrameId(edge, epoch, seq), site, machine, point, start_ns, ref, alarm=bool(alarm))


def _quarantined(row: Sequence[Any]) -> QuarantineRow:
    received_ns, edge, topic, reason, sentence, payload, epoch, seq = row
    frame = None if seq is None else FrameId(edge, epoch, seq)
    return QuarantineRow(received_ns, edge, topic, reason, sentence, payload, frame)


def _report(text: str) -> LedgerReport:
    fields = json.loads(text)
    fields["dropped"] = tuple((lo, hi, reason) for lo, hi, reason in fields["dropped"])
    return LedgerReport(**fields)
