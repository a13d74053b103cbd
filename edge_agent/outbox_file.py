"""The file of an outbox: its tables and versions, who may open it, and where a damaged one goes."""

from __future__ import annotations

import contextlib
import fcntl
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

FILE_NAME: Final = "outbox.sqlite"
VERSION: Final = 2
EPOCH_DIGITS: Final = 16
CACHE_KIB: Final = (
    512  # the tables without the samples; what a commit does not fit into goes to the WAL early
)
ASIDE: Final = "outbox-*.sqlite.corrupt*"

_SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE frame (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  end_ns INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  acked INTEGER NOT NULL DEFAULT 0,
  raw INTEGER NOT NULL DEFAULT 1,
  crc INTEGER,
  held INTEGER NOT NULL DEFAULT 0,
  boot TEXT,
  mono_ns INTEGER,
  shift_ns INTEGER NOT NULL DEFAULT 0,
  clock TEXT
);
CREATE INDEX frame_room ON frame (acked DESC, raw DESC, seq);
CREATE INDEX frame_boot ON frame (boot) WHERE boot IS NOT NULL;
CREATE INDEX frame_held ON frame (acked) WHERE held = 1;
CREATE TABLE body (seq INTEGER PRIMARY KEY, header BLOB NOT NULL, body BLOB NOT NULL);
CREATE TABLE dropped (lo INTEGER PRIMARY KEY, hi INTEGER NOT NULL, reason TEXT NOT NULL);
"""
# `body` stands apart so that counting, acknowledging and choosing never touch a page of samples.
# raw: a waveform, the first to go. crc: of header and body; null in rows that version 1 wrote.
# boot, mono_ns: where the clock was not right, the boot and its monotonic time at the frame's end.
# held: not sent before the clock is right. shift_ns, clock: what correcting the clock changed in the frame.

RETAINED_TABLES: Final = """
CREATE TABLE IF NOT EXISTS retained (
  id INTEGER PRIMARY KEY,
  machine TEXT NOT NULL,
  end_ns INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  crc INTEGER,
  after_seq INTEGER NOT NULL,
  boot TEXT,
  mono_ns INTEGER,
  shift_ns INTEGER NOT NULL DEFAULT 0,
  clock TEXT
);
CREATE INDEX IF NOT EXISTS retained_time ON retained (end_ns);
"""
# Beside the version: an agent of before opens the file, too, and leaves these rows alone (`outbox_retained`).
# after_seq: the last seq that was given when the row came.

_TO_VERSION_2: Final = """
ALTER TABLE frame ADD COLUMN raw INTEGER NOT NULL DEFAULT 1;
ALTER TABLE frame ADD COLUMN crc INTEGER;
ALTER TABLE frame ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
ALTER TABLE frame ADD COLUMN boot TEXT;
ALTER TABLE frame ADD COLUMN mono_ns INTEGER;
ALTER TABLE frame ADD COLUMN shift_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE frame ADD COLUMN clock TEXT;
UPDATE frame SET raw = 0 WHERE seq IN
  (SELECT seq FROM body WHERE substr(CAST(header AS TEXT), 1, 18) = '{"kind":"readings"');
DROP INDEX frame_room;
CREATE INDEX frame_room ON frame (acked DESC, raw DESC, seq);
CREATE INDEX frame_boot ON frame (boot) WHERE boot IS NOT NULL;
CREATE INDEX frame_held ON frame (acked) WHERE held = 1;
"""


class OutboxError(Exception):
    """The outbox can't be used as configured; the sentence says what to do."""


class Guard:
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
        """Let another one in."""
        self._file.close()


def open_file(path: Path, edge: str, draw_epoch: Callable[[], str]) -> tuple[sqlite3.Connection, bool]:
    """The file, made or brought to this version if need be, and whether it was made. Raises OutboxError,
    sqlite3.Error."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            _create(db, edge, draw_epoch())
        elif version == 1 and _whole(db):
            _run(db, f"{_TO_VERSION_2} PRAGMA user_version = {VERSION};")
        elif version not in (1, VERSION):
            raise OutboxError(
                f"{path} has version {version}, this agent reads {VERSION}: install the newer one again"
            )
        if not _whole(db):
            raise sqlite3.DatabaseError("tables are missing")
        _run(db, RETAINED_TABLES)
        owner = meta(db, "edge")
        if owner != edge:
            raise OutboxError(
                f"{path} belongs to the edge {owner!r}, not {edge!r}: give each edge its own folder"
            )
    except BaseException:
        db.close()
        raise
    return db, version == 0


def _create(db: sqlite3.Connection, edge: str, epoch: str) -> None:
    if len(epoch) != EPOCH_DIGITS or not set(epoch) <= set("0123456789abcdef"):
        raise ValueError(f"an epoch must be {EPOCH_DIGITS} hex digits, got {epoch!r}")
    _run(db, f"{_SCHEMA} PRAGMA user_version = {VERSION};", (("edge", edge), ("epoch", epoch)))


def _run(db: sqlite3.Connection, script: str, noted: tuple[tuple[str, str], ...] = ()) -> None:
    """All of it in one transaction, or nothing."""
    try:
        db.executescript(f"BEGIN IMMEDIATE; {script}")
        db.executemany("INSERT INTO meta VALUES (?, ?)", noted)
        db.execute("COMMIT")
    except sqlite3.Error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _whole(db: sqlite3.Connection) -> bool:
    found = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {("meta",), ("frame",), ("body",), ("dropped",)} <= set(found)


def move_aside(path: Path) -> Path:
    """Rename a damaged file; its WAL goes with it, for it must not be applied to the new one.

    One that stands aside from before goes for good: two of them and a new one would fill the card.
    """
    number = 1 + max((_number(old) for old in path.parent.glob(ASIDE)), default=0)
    delete_aside(path.parent)
    aside = path.with_name(f"outbox-{number}.sqlite.corrupt")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def delete_aside(folder: Path) -> int:
    """Delete what stands aside; how many files went."""
    gone = 0
    for old in folder.glob(ASIDE):
        with contextlib.suppress(OSError):
            old.unlink()
            gone += 1
    return gone


def _number(aside: Path) -> int:
    digits = aside.name.removeprefix("outbox-").partition(".")[0]
    return int(digits) if digits.isdecimal() else 0


def meta(db: sqlite3.Connection, key: str) -> str:
    """What stands under `key`. Raises sqlite3.DatabaseError where the file holds nothing: it is damaged."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    if row is None:
        raise sqlite3.DatabaseError(f"no {key} in the outbox")
    return str(row[0])
