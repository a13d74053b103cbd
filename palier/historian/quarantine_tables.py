"""The quarantine in the records: every message put aside is counted, of a flood only samples are kept.

Of each kind (gateway and reason) the first messages are kept, and then one every few seconds, so that a flood
costs a commit little more than a counter. What is kept is bounded in rows and bytes: the kind that takes most
gives way, its oldest first, its very first ones last."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .rows import HOUR_NS, QuarantineRow

MAX_QUARANTINE_ROWS: Final = 10_000
"""Far more than a person reads; a flood of bad messages must not fill the disk."""

MAX_QUARANTINE_BYTES: Final = 64 * 1024 * 1024
"""The same, in bytes of payload: sixteen frames of the largest size, or thousands of the usual."""

KEPT_WHOLE: Final = 50
"""Messages of a kind that are all kept: enough to tell a pattern from a stray."""

SAMPLE_NS: Final = 10 * 10**9
"""Beyond them one is kept each ten seconds: a flood of an hour leaves 360, and its last ones."""

FIRST_KEPT: Final = 3
"""The very first of a kind, which show what began it, go last."""

TABLES: Final = (
    "ALTER TABLE quarantine ADD COLUMN first INTEGER NOT NULL DEFAULT 0",
    "UPDATE quarantine SET first=1 WHERE id IN (SELECT min(id) FROM quarantine GROUP BY edge, reason)",
    "CREATE INDEX quarantine_by_kind ON quarantine (edge, reason, first, id)",
    "DROP INDEX quarantine_by_bytes",  # their sums stand in the kinds now
    """CREATE TABLE quarantine_kind (
        edge TEXT NOT NULL, reason TEXT NOT NULL, n INTEGER NOT NULL, kept INTEGER NOT NULL,
        bytes INTEGER NOT NULL, kept_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL, hour INTEGER NOT NULL,
        in_hour INTEGER NOT NULL, before INTEGER NOT NULL, PRIMARY KEY (edge, reason)) WITHOUT ROWID""",
    """INSERT INTO quarantine_kind
        SELECT edge, reason, count(*), count(*), sum(bytes), max(received_ns), max(received_ns), 0, 0, 0
        FROM quarantine GROUP BY edge, reason""",
)


@dataclass(frozen=True, slots=True)
class QuarantineKind:
    """What was put aside of one gateway for one reason: `n` in all, of which `kept` with their `bytes`; the
    last at `last_ns` (ns since 1970 UTC).
    """

    edge: str
    reason: str
    n: int
    kept: int
    bytes: int
    last_ns: int


@dataclass(slots=True)
class _Kind:
    """A row of `quarantine_kind` while it is counted on."""

    n: int = 0
    kept: int = 0
    bytes: int = 0
    kept_ns: int = 0
    last_ns: int = 0
    hour: int = 0
    in_hour: int = 0
    before: int = 0

    def takes(self, row: QuarantineRow) -> bool:
        """Count a message, and say whether its bytes are kept."""
        hour = row.received_ns // HOUR_NS
        if hour != self.hour:
            self.before = self.in_hour if hour == self.hour + 1 else 0
            self.hour, self.in_hour = hour, 0
        self.in_hour += 1
        self.n += 1
        self.last_ns = row.received_ns
        if self.n > KEPT_WHOLE and 0 <= row.received_ns - self.kept_ns < SAMPLE_NS:
            return False
        self.kept += 1
        self.bytes += len(row.payload)
        self.kept_ns = row.received_ns
        return True


def write(connection: sqlite3.Connection, rows: Sequence[QuarantineRow], max_bytes: int) -> None:
    """Count all of these messages, keep what is to be kept, and thin to the bounds."""
    if not rows:
        return
    kinds: dict[tuple[str, str], _Kind] = {}
    kept: list[tuple[Any, ...]] = []
    for row in rows:
        key = (row.edge, row.reason)
        kind = kinds.get(key) or _read(connection, key)
        kinds[key] = kind
        if kind.takes(row):
            kept.append(_values(row, first=kind.n <= FIRST_KEPT))
    connection.executemany(
        "INSERT INTO quarantine "
        "(bytes, received_ns, edge, topic, reason, sentence, epoch, seq, payload, first) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        kept,
    )
    _write_kinds(connection, kinds)
    _count_thinned(connection, len(rows) - len(kept) + thin(connection, max_bytes))


def thin(connection: sqlite3.Connection, max_bytes: int) -> int:
    """Delete until both bounds hold; how many went."""
    n, size = connection.execute("SELECT total(kept), total(bytes) FROM quarantine_kind").fetchone()
    gone = 0
    while n > MAX_QUARANTINE_ROWS or size > max_bytes:
        largest = "bytes" if size > max_bytes else "kept"
        edge, reason = connection.execute(
            f"SELECT edge, reason FROM quarantine_kind WHERE kept>0 ORDER BY {largest} DESC LIMIT 1"  # noqa: S608
        ).fetchone()
        (oldest,) = connection.execute(
            "SELECT id FROM quarantine WHERE edge=? AND reason=? ORDER BY first, id LIMIT 1", (edge, reason)
        ).fetchone()
        (length,) = connection.execute("SELECT bytes FROM quarantine WHERE id=?", (oldest,)).fetchone()
        connection.execute("DELETE FROM quarantine WHERE id=?", (oldest,))
        connection.execute(
            "UPDATE quarantine_kind SET kept=kept-1, bytes=bytes-? WHERE edge=? AND reason=?",
            (length, edge, reason),
        )
        n, size, gone = n - 1, size - length, gone + 1
    return gone


def kinds(rows: Sequence[tuple[Any, ...]]) -> tuple[QuarantineKind, ...]:
    """Rows of KINDS as values."""
    return tuple(QuarantineKind(*row) for row in rows)


KINDS: Final = (
    "SELECT edge, reason, n, kept, bytes, last_ns FROM quarantine_kind ORDER BY last_ns DESC, edge, reason"
)

LATELY: Final = (
    "SELECT edge, sum(CASE WHEN hour=:hour THEN in_hour + before WHEN hour=:hour-1 THEN in_hour ELSE 0 END) "
    "FROM quarantine_kind WHERE hour>=:hour-1 AND hour<=:hour GROUP BY edge"
)
"""How many messages of each gateway were put aside in this hour and the one before."""


def _read(connection: sqlite3.Connection, key: tuple[str, str]) -> _Kind:
    row = connection.execute(
        "SELECT n, kept, bytes, kept_ns, last_ns, hour, in_hour, before FROM quarantine_kind "
        "WHERE edge=? AND reason=?",
        key,
    ).fetchone()
    return _Kind(*row) if row else _Kind()


def _write_kinds(connection: sqlite3.Connection, found: Mapping[tuple[str, str], _Kind]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO quarantine_kind VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (*key, k.n, k.kept, k.bytes, k.kept_ns, k.last_ns, k.hour, k.in_hour, k.before)
            for key, k in found.items()
        ],
    )


def _values(row: QuarantineRow, *, first: bool) -> tuple[Any, ...]:
    identity = (row.frame.epoch, row.frame.seq) if row.frame else (None, None)
    told = (row.received_ns, row.edge, row.topic, row.reason, row.sentence)
    return (len(row.payload), *told, *identity, row.payload, int(first))


def _count_thinned(connection: sqlite3.Connection, n: int) -> None:
    connection.execute(
        "INSERT INTO counter VALUES ('quarantine_thinned', ?) "
        "ON CONFLICT (name) DO UPDATE SET n = n + excluded.n",
        (n,),
    )
