"""How the records are written: the tables, and the statements of one commit.

Each function works inside a transaction that `records.py` began.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Final

from palier import ranges
from palier.frames import FrameId
from palier.ranges import Range, Ranges

from . import ledger_tables, people_tables, quarantine_tables
from .database import FileKind
from .quarantine_tables import MAX_QUARANTINE_BYTES
from .rows import (
    HOUR_NS,
    DirtyHour,
    RecordsBatch,
    StateRow,
    Transition,
    Verdict,
    WaveformRow,
)
from .waveforms import WaveformRef

_TABLES: Final = (
    """CREATE TABLE seen (
        edge TEXT NOT NULL, epoch TEXT NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL,
        verdict TEXT NOT NULL, PRIMARY KEY (edge, epoch, lo)) WITHOUT ROWID""",
    """CREATE TABLE state (
        site TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (site, key)) WITHOUT ROWID""",
    """CREATE TABLE transition (
        event_id TEXT NOT NULL PRIMARY KEY, site TEXT NOT NULL, machine TEXT NOT NULL, point TEXT NOT NULL,
        channel TEXT NOT NULL, ts INTEGER NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL,
        previous TEXT NOT NULL, detail TEXT NOT NULL) WITHOUT ROWID""",
    "CREATE INDEX transition_by_time ON transition (ts)",
    """CREATE TABLE waveform (
        edge TEXT NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL, site TEXT NOT NULL,
        machine TEXT NOT NULL, point TEXT NOT NULL, start_ns INTEGER NOT NULL, alarm INTEGER NOT NULL,
        segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,
        PRIMARY KEY (edge, epoch, seq)) WITHOUT ROWID""",
    "CREATE INDEX waveform_by_point ON waveform (site, machine, point, start_ns)",
    "CREATE INDEX waveform_by_segment ON waveform (segment, offset, length)",
    """CREATE TABLE quarantine (
        id INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, received_ns INTEGER NOT NULL, edge TEXT NOT NULL,
        topic TEXT NOT NULL, reason TEXT NOT NULL, sentence TEXT NOT NULL, epoch TEXT, seq INTEGER,
        payload BLOB NOT NULL)""",
    "CREATE INDEX quarantine_by_bytes ON quarantine (bytes)",  # their sum, without reading payloads
    """CREATE TABLE ledger_report (
        edge TEXT NOT NULL, epoch TEXT NOT NULL, received_ns INTEGER NOT NULL, report TEXT NOT NULL,
        PRIMARY KEY (edge, epoch)) WITHOUT ROWID""",
    """CREATE TABLE attempt (
        edge TEXT NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL, n INTEGER NOT NULL,
        PRIMARY KEY (edge, epoch, seq)) WITHOUT ROWID""",
    "CREATE TABLE counter (name TEXT NOT NULL PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID",
)

_HOURS: Final = (
    """CREATE TABLE dirty_hour (
        start_ns INTEGER NOT NULL, site TEXT NOT NULL, machine TEXT NOT NULL,
        PRIMARY KEY (start_ns, site, machine)) WITHOUT ROWID""",  # the oldest are taken first
    # What an older version stored has no hourly rows. Of each day that a machine measured a waveform is kept:
    # all hours of these days are looked at; an hour without rows leaves none.
    f"""INSERT INTO dirty_hour
        WITH RECURSIVE hour (k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM hour WHERE k < 23)
        SELECT (day * 24 + k) * {HOUR_NS}, site, machine
        FROM (SELECT DISTINCT start_ns / {24 * HOUR_NS} AS day, site, machine FROM waveform), hour""",  # noqa: S608
)

_ALARMS_BY_MODE: Final = (
    # The last event of a key tells the state of an alarm: a sensor's is not that of its machine.
    """UPDATE transition SET channel=coalesce(json_extract(detail, '$.mode'), '')
        WHERE kind IN ('alarm', 'observation') AND channel='' AND json_valid(detail)""",
)

_ACCOUNTS: Final = (*ledger_tables.TABLES, *quarantine_tables.TABLES)

_MIGRATIONS: Final = (_TABLES, _HOURS, people_tables.TABLES, _ALARMS_BY_MODE, _ACCOUNTS)
"""What brings version k to k + 1 stands at place k. Never change an entry that was released: add one."""


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    for statements in _MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)


RECORDS: Final = FileKind("records file", 0x50414C52, len(_MIGRATIONS), _migrate)
"""Marked "PALR"."""


def write(
    connection: sqlite3.Connection, batch: RecordsBatch, quarantine_bytes: int = MAX_QUARANTINE_BYTES
) -> None:
    """All of a batch; the quarantine is held to so many bytes."""
    quarantined = [row.frame for row in batch.quarantine if row.frame is not None]
    mark_seen(connection, batch.stored, Verdict.STORED)
    mark_seen(connection, quarantined, Verdict.QUARANTINED)
    forget_attempts(connection, (*batch.stored, *quarantined))
    _write_states(connection, batch.states)
    _write_transitions(connection, batch.transitions)
    _write_waveforms(connection, batch.waveforms)
    quarantine_tables.write(connection, batch.quarantine, quarantine_bytes)
    ledger_tables.write(connection, batch.ledgers)
    _mark_hours(connection, batch.dirty_hours)
    people_tables.write(connection, batch)


def mark_seen(connection: sqlite3.Connection, frames: Iterable[FrameId], verdict: Verdict) -> None:
    """Add the frames to the ranges of their edge and epoch."""
    seqs: dict[tuple[str, str], list[int]] = {}
    for frame in frames:
        seqs.setdefault((frame.edge, frame.epoch), []).append(frame.seq)
    for outbox, numbers in seqs.items():
        for added in ranges.of(numbers):
            _mark_range(connection, outbox, added, verdict)


def _mark_range(
    connection: sqlite3.Connection, outbox: tuple[str, str], added: Range, verdict: Verdict
) -> None:
    """Melt one range into its neighbours of the same verdict. What has a verdict keeps it."""
    around = connection.execute(
        "SELECT lo, hi, verdict FROM seen WHERE edge=? AND epoch=? AND lo<=? AND lo>=coalesce("
        "(SELECT max(lo) FROM seen WHERE edge=? AND epoch=? AND lo<=?), ?)",
        (*outbox, added[1] + 1, *outbox, added[0] - 1, added[0] - 1),
    ).fetchall()
    new: Ranges = ranges.subtract((added,), ((lo, hi) for lo, hi, _ in around))
    if not new:
        return
    before = {(lo, hi) for lo, hi, kind in around if kind == verdict}
    after = set(ranges.merge((*before, *new)))
    connection.executemany(
        "DELETE FROM seen WHERE edge=? AND epoch=? AND lo=?", [(*outbox, lo) for lo, _ in before - after]
    )
    connection.executemany(
        "INSERT INTO seen VALUES (?, ?, ?, ?, ?)",
        [(*outbox, lo, hi, verdict.value) for lo, hi in after - before],
    )


def count_attempts(connection: sqlite3.Connection, frames: Sequence[FrameId]) -> dict[FrameId, int]:
    """One attempt more for each frame; how many it has now."""
    keys = [(frame.edge, frame.epoch, frame.seq) for frame in frames]
    connection.executemany(
        "INSERT INTO attempt VALUES (?, ?, ?, 1) ON CONFLICT (edge, epoch, seq) DO UPDATE SET n = n + 1", keys
    )
    sql = "SELECT n FROM attempt WHERE edge=? AND epoch=? AND seq=?"
    return {FrameId(*key): connection.execute(sql, key).fetchone()[0] for key in keys}


def forget_attempts(connection: sqlite3.Connection, frames: Iterable[FrameId]) -> None:
    """Take the frames out of the attempts."""
    connection.executemany(
        "DELETE FROM attempt WHERE edge=? AND epoch=? AND seq=?",
        [(frame.edge, frame.epoch, frame.seq) for frame in frames],
    )


def rethin(
    connection: sqlite3.Connection, moved: Mapping[FrameId, WaveformRef], dropped: Iterable[int]
) -> None:
    """Point the index at moved waveforms, then forget what is still in the dropped segments."""
    connection.executemany(
        "UPDATE waveform SET segment=?, offset=?, length=? WHERE edge=? AND epoch=? AND seq=?",
        [
            (ref.segment, ref.offset, ref.length, frame.edge, frame.epoch, frame.seq)
            for frame, ref in moved.items()
        ],
    )
    connection.executemany("DELETE FROM waveform WHERE segment=?", [(segment,) for segment in dropped])


def forget_hours(connection: sqlite3.Connection, hours: Iterable[DirtyHour]) -> None:
    """These hours are dirty no more."""
    connection.executemany(
        "DELETE FROM dirty_hour WHERE start_ns=? AND site=? AND machine=?",
        [(hour.start_ns, hour.site, hour.machine) for hour in hours],
    )


def _mark_hours(connection: sqlite3.Connection, hours: Iterable[DirtyHour]) -> None:
    connection.executemany(
        "INSERT INTO dirty_hour VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(hour.start_ns, hour.site, hour.machine) for hour in hours],
    )


def _write_states(connection: sqlite3.Connection, rows: Iterable[StateRow]) -> None:
    newest = {(row.site, row.key): row.value for row in rows}
    connection.executemany(
        "DELETE FROM state WHERE site=? AND key=?", [key for key, value in newest.items() if value is None]
    )
    connection.executemany(
        "INSERT INTO state VALUES (?, ?, ?) ON CONFLICT (site, key) DO UPDATE SET value=excluded.value",
        [(*key, value) for key, value in newest.items() if value is not None],
    )


def _write_transitions(connection: sqlite3.Connection, rows: Iterable[Transition]) -> None:
    connection.executemany(
        "INSERT INTO transition (event_id, site, machine, point, channel, ts, kind, state, previous, detail) "
        "VALUES (:event_id, :site, :machine, :point, :channel, :ts_ns, :kind, :state, :previous, :detail) "
        "ON CONFLICT (event_id) DO NOTHING",
        [asdict(row) for row in rows],
    )


def _write_waveforms(connection: sqlite3.Connection, rows: Iterable[WaveformRow]) -> None:
    connection.executemany(
        "INSERT INTO waveform VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (edge, epoch, seq) DO NOTHING",
        [
            (
                *(row.frame.edge, row.frame.epoch, row.frame.seq),
                *(row.site, row.machine, row.point, row.start_ns, int(row.alarm)),
                *(row.ref.segment, row.ref.offset, row.ref.length),
            )
            for row in rows
        ],
    )
