"""The outbox: frames on disk until the host says that it has them.

One SQLite file (WAL, synchronous=FULL: a commit survives a power cut). A frame's identity is (edge, epoch,
seq): the epoch is drawn once with the file, seq comes from AUTOINCREMENT, so that an emptied outbox never
starts again at 1. It keeps a frame's fields and raw samples, not the message: what depends on the moment of
sending is written at the moment of sending.

Acknowledged rows stay until their bytes are needed, so that a host that lost its store can ask again. When
the cap is reached the oldest acknowledged rows go first, then the oldest others: those count as dropped.

Errors: OutboxError (a human must act: another edge's file, a newer version, another agent running on it) and
OutboxFullError (the disk refuses: try again later).
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from palier import ranges
from palier.frames import MAX_FRAME_BYTES, Frame, pack, unpack
from palier.ranges import Ranges
from palier.wire.messages import MAX_DROPPED, LedgerReport, wire_bytes

FILE_NAME: Final = "outbox.sqlite"
VERSION: Final = 1
EPOCH_DIGITS: Final = 16

_SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE frame (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  end_ns INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  acked INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX frame_room ON frame (acked DESC, seq);
CREATE TABLE body (seq INTEGER PRIMARY KEY, header BLOB NOT NULL, body BLOB NOT NULL);
CREATE TABLE dropped (lo INTEGER PRIMARY KEY, hi INTEGER NOT NULL, reason TEXT NOT NULL);
"""
# `body` stands apart so that counting, acknowledging and choosing never touch a page of samples.

log = logging.getLogger(__name__)


class OutboxError(Exception):
    """The outbox can't be used as configured; the sentence says what to do."""


class OutboxFullError(OutboxError):
    """The disk did not take the commit. Nothing of it was kept; the same call may succeed later."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a `put`: the seqs given (None when all was refused), and what had to go for them."""

    seqs: tuple[int, int] | None
    refused: int = 0
    dropped: Ranges = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A frame that waits, as the choice of what to send needs it."""

    seq: int
    size: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts for people: rows that wait, bytes on disk, frames acquired and dropped in this epoch."""

    acquired: int
    pending: int
    dropped: int
    bytes: int


class Outbox:
    """Open with `open_outbox`. Every method may be called from any thread; one lock guards the connection."""

    def __init__(self, db: sqlite3.Connection, guard: _Guard, edge: str, cap_bytes: int) -> None:
        self._db = db
        self._guard = guard
        self._cap = cap_bytes
        self._lock = threading.Lock()
        self.edge = edge
        self.epoch = _meta(db, "epoch")
        self._bytes: int = db.execute("SELECT coalesce(sum(bytes), 0) FROM frame").fetchone()[0]

    def put(self, frames: Sequence[Frame]) -> Kept:
        """Keep frames in one commit; when this returns they are on disk. OutboxFullError: none is kept.

        A frame whose message would exceed MAX_FRAME_BYTES is refused: it never gets a seq.
        """
        fitting = [frame for frame in frames if wire_bytes(frame) <= MAX_FRAME_BYTES]
        refused = len(frames) - len(fitting)
        if not fitting:
            return Kept(None, refused)
        packed = [(frame.end_ns, *pack(frame)) for frame in fitting]
        with self._lock, self._commit() as db:
            room = sum(len(header) + len(body) for _, header, body in packed)
            dropped = self._make_room(db, room)
            seqs = [_insert(db, *row) for row in packed]
            self._bytes += room
        return Kept((seqs[0], seqs[-1]), refused, dropped)

    def acknowledge(self, stored: Iterable[tuple[int, int]]) -> int:
        """Mark ranges as stored at the host, in one commit; how many rows that were waiting it frees.

        A frame that was dropped and turns out to be at the host is no longer counted as dropped.
        """
        with self._lock, self._commit() as db:
            freed = 0
            for lo, hi in stored:
                freed += db.execute(
                    "UPDATE frame SET acked = 1 WHERE acked = 0 AND seq BETWEEN ? AND ?", (lo, hi)
                ).rowcount
                _not_dropped(db, lo, hi)
        return freed

    def give_up(self, seq: int, reason: str) -> None:
        """Drop a row that can't be sent, with its reason."""
        with self._lock, self._commit() as db:
            row = db.execute("SELECT bytes FROM frame WHERE seq = ? AND acked = 0", (seq,)).fetchone()
            if row is not None:
                self._delete(db, seq, row[0])
                _note_dropped(db, seq, seq, reason)

    def pending(self) -> Ranges:
        """The seqs that wait for their acknowledgement."""
        with self._lock:
            return ranges.of(
                seq for (seq,) in self._db.execute("SELECT seq FROM frame WHERE acked = 0 ORDER BY seq")
            )

    def rows(self, seqs: Iterable[int]) -> tuple[Row, ...]:
        """Those of `seqs` that still wait, in the order asked."""
        sql = "SELECT seq, bytes, end_ns FROM frame WHERE seq = ? AND acked = 0"
        with self._lock:
            found = (self._db.execute(sql, (seq,)).fetchone() for seq in seqs)
            return tuple(Row(*row) for row in found if row is not None)

    def load(self, seq: int) -> Frame | None:
        """The frame itself; None when it is no longer here. FrameError when it can't be read back."""
        with self._lock:
            row = self._db.execute("SELECT header, body FROM body WHERE seq = ?", (seq,)).fetchone()
        return None if row is None else unpack(*row)

    def report(self) -> LedgerReport:
        """What became of every seq given so far, all read at one moment."""
        with self._lock:
            last = self._last_seq()
            pending, oldest = self._db.execute(
                "SELECT count(*), min(seq) FROM frame WHERE acked = 0"
            ).fetchone()
            dropped = self._db.execute("SELECT lo, hi, reason FROM dropped ORDER BY lo").fetchall()
        return LedgerReport(self.epoch, last, last, _few_enough(dropped), oldest, pending)

    def totals(self) -> Totals:
        """Counts for metrics."""
        with self._lock:
            pending = self._db.execute("SELECT count(*) FROM frame WHERE acked = 0").fetchone()[0]
            dropped = self._db.execute("SELECT coalesce(sum(hi - lo + 1), 0) FROM dropped").fetchone()[0]
            return Totals(self._last_seq(), pending, dropped, self._bytes)

    @property
    def last_seq(self) -> int:
        """The highest seq ever given, 0 in a new outbox."""
        with self._lock:
            return self._last_seq()

    def next_bd_seq(self) -> int:
        """The birth/death number of the next MQTT connection, 0 to 255 and round; kept across restarts.

        So the death of an earlier process can never be taken for that of this one
        (tck-id-payloads-nbirth-bdseq: it must rise with each connect).
        """
        with self._lock, self._commit() as db:
            row = db.execute("SELECT value FROM meta WHERE key = 'bd_seq'").fetchone()
            bd_seq = 0 if row is None else (int(row[0]) + 1) % 256
            db.execute("INSERT OR REPLACE INTO meta VALUES ('bd_seq', ?)", (str(bd_seq),))
        return bd_seq

    def close(self) -> None:
        """Close the file. Nothing has to be flushed: every commit was."""
        with self._lock:
            self._db.close()
            self._guard.release()

    def _last_seq(self) -> int:
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'frame'").fetchone()
        return 0 if row is None else int(row[0])

    @contextlib.contextmanager
    def _commit(self) -> Iterator[sqlite3.Connection]:
        before = self._bytes
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db
            self._db.execute("COMMIT")
        except BaseException as error:
            self._bytes = before
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError):
                raise OutboxFullError(
                    f"the outbox could not be written: {error}; check the disk's space"
                ) from error
            raise

    def _make_room(self, db: sqlite3.Connection, need: int) -> Ranges:
        """Delete the oldest acknowledged rows, then the oldest others, until `need` bytes fit."""
        dropped: list[int] = []
        while self._bytes + need > self._cap:
            row = db.execute(
                "SELECT seq, bytes, acked FROM frame ORDER BY acked DESC, seq LIMIT 1"
            ).fetchone()
            if row is None:
                break
            seq, size, acked = row
            self._delete(db, seq, size)
            if not acked:
                dropped.append(seq)
        gone = ranges.of(dropped)
        for lo, hi in gone:
            _note_dropped(db, lo, hi, "cap")
        return gone

    def _delete(self, db: sqlite3.Connection, seq: int, size: int) -> None:
        db.execute("DELETE FROM frame WHERE seq = ?", (seq,))
        db.execute("DELETE FROM body WHERE seq = ?", (seq,))
        self._bytes -= size


class _Guard:
    """A lock on the folder: two agents never share an outbox. The kernel frees it with the process."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "outbox.lock").open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise OutboxError(
                f"another agent is running on the outbox in {folder}: stop it, or use another folder"
            ) from error

    def release(self) -> None:
        self._file.close()


def open_outbox(folder: Path, edge: str, *, draw_epoch: Callable[[], str], cap_bytes: int) -> Outbox:
    """Open the outbox in `folder`, or make a new one with the epoch that `draw_epoch` gives (16 hex digits).

    A file that SQLite can't read is moved aside, and sampling goes on in a new one with a new epoch.
    Raises OutboxError when the folder can't be used, is another edge's, or is in use.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        guard = _Guard(folder)
    except OSError as error:
        raise OutboxError(f"the outbox folder {folder} can't be used: {error.strerror or error}") from error
    path = folder / FILE_NAME
    try:
        try:
            db = _open_file(path, edge, draw_epoch)
        except sqlite3.OperationalError as error:
            raise OutboxError(
                f"{path} can't be opened: {error}; check the folder's rights and space"
            ) from error
        except sqlite3.DatabaseError as error:
            aside = _move_aside(path)
            log.error("the outbox can't be read (%s); moved to %s, a new one begins", error, aside)
            db = _open_file(path, edge, draw_epoch)
        return Outbox(db, guard, edge, cap_bytes)
    except BaseException:
        guard.release()
        raise


def _open_file(path: Path, edge: str, draw_epoch: Callable[[], str]) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            _create(db, edge, draw_epoch())
        elif version != VERSION:
            raise OutboxError(
                f"{path} has version {version}, this agent reads {VERSION}: install the newer one again"
            )
        owner = _meta(db, "edge")
        if owner != edge:
            raise OutboxError(
                f"{path} belongs to the edge {owner!r}, not {edge!r}: give each edge its own folder"
            )
    except BaseException:
        db.close()
        raise
    return db


def _create(db: sqlite3.Connection, edge: str, epoch: str) -> None:
    if len(epoch) != EPOCH_DIGITS or not set(epoch) <= set("0123456789abcdef"):
        raise ValueError(f"an epoch must be {EPOCH_DIGITS} hex digits, got {epoch!r}")
    db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {VERSION};")
    db.executemany("INSERT INTO meta VALUES (?, ?)", (("edge", edge), ("epoch", epoch)))
    db.execute("COMMIT")


def _move_aside(path: Path) -> Path:
    """Rename a damaged file; its WAL goes with it, for it must not be applied to the new one."""
    number = 1
    while (aside := path.with_name(f"{path.name}.corrupt-{number}")).exists():
        number += 1
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def _meta(db: sqlite3.Connection, key: str) -> str:
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    if row is None:
        raise sqlite3.DatabaseError(f"no {key} in the outbox")
    return str(row[0])


def _insert(db: sqlite3.Connection, end_ns: int, header: bytes, body: bytes) -> int:
    size = len(header) + len(body)
    seq = db.execute("INSERT INTO frame (end_ns, bytes) VALUES (?, ?)", (end_ns, size)).lastrowid
    assert seq is not None  # noqa: S101 - an INSERT has a row id
    db.execute("INSERT INTO body VALUES (?, ?, ?)", (seq, header, body))
    return seq


def _note_dropped(db: sqlite3.Connection, lo: int, hi: int, reason: str) -> None:
    """Join the range to the one before it, so that an outage is one row."""
    joined = db.execute(
        "UPDATE dropped SET hi = ? WHERE hi = ? AND reason = ?", (hi, lo - 1, reason)
    ).rowcount
    if not joined:
        db.execute("INSERT INTO dropped VALUES (?, ?, ?)", (lo, hi, reason))


def _few_enough(dropped: list[tuple[int, int, str]]) -> tuple[tuple[int, int, str], ...]:
    """As many as a report holds: the oldest as one range. What lies between them was acknowledged, and of
    a frame it has the host takes no drop."""
    oldest = dropped[: len(dropped) - MAX_DROPPED + 1]
    if len(oldest) < 2:
        return tuple(dropped)
    return ((oldest[0][0], oldest[-1][1], oldest[-1][2]), *dropped[len(oldest) :])


def _not_dropped(db: sqlite3.Connection, lo: int, hi: int) -> None:
    rows = db.execute("SELECT lo, hi, reason FROM dropped WHERE hi >= ? AND lo <= ?", (lo, hi)).fetchall()
    for a, b, reason in rows:
        db.execute("DELETE FROM dropped WHERE lo = ?", (a,))
        left = ranges.subtract(((a, b),), ((lo, hi),))
        db.executemany("INSERT INTO dropped VALUES (?, ?, ?)", ((x, y, reason) for x, y in left))
