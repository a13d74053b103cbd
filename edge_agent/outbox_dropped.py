"""The seqs of an outbox that are not in it any more: given, and dropped with a reason."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left

from palier import ranges
from palier.wire.messages import MAX_DROPPED


def last_seq(db: sqlite3.Connection) -> int:
    """The highest seq ever given, 0 where none was."""
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'frame'").fetchone()
    return 0 if row is None else int(row[0])


def count(db: sqlite3.Connection) -> int:
    """How many frames were dropped."""
    return int(db.execute("SELECT coalesce(sum(hi - lo + 1), 0) FROM dropped").fetchone()[0])


def scattered(db: sqlite3.Connection) -> bool:
    """Whether so many readings stand between dropped waveforms that a report could soon not name all."""
    return int(db.execute("SELECT count(*) FROM dropped").fetchone()[0]) >= MAX_DROPPED // 2


def note(db: sqlite3.Connection, lo: int, hi: int, reason: str) -> None:
    """Join the range to its neighbours, so that an outage is one row."""
    after = db.execute("SELECT hi FROM dropped WHERE lo = ? AND reason = ?", (hi + 1, reason)).fetchone()
    if after is not None:
        db.execute("DELETE FROM dropped WHERE lo = ?", (hi + 1,))
        hi = after[0]
    joined = db.execute(
        "UPDATE dropped SET hi = ? WHERE hi = ? AND reason = ?", (hi, lo - 1, reason)
    ).rowcount
    if not joined:
        db.execute("INSERT INTO dropped VALUES (?, ?, ?)", (lo, hi, reason))


def raise_to(db: sqlite3.Connection, seq: int) -> None:
    """The next seq given is above this one."""
    last = last_seq(db)
    if not last:
        db.execute("DELETE FROM sqlite_sequence WHERE name = 'frame'")
        db.execute("INSERT INTO sqlite_sequence VALUES ('frame', ?)", (seq,))
    elif seq > last:
        db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'frame'", (seq,))


def skip(db: sqlite3.Connection, frames: int, reason: str) -> None:
    """Give seqs to frames that never came to the disk, as dropped."""
    last = last_seq(db)
    raise_to(db, last + frames)
    note(db, last + 1, last + frames, reason)


def not_dropped(db: sqlite3.Connection, lo: int, hi: int) -> None:
    """These are at the host."""
    rows = db.execute("SELECT lo, hi, reason FROM dropped WHERE hi >= ? AND lo <= ?", (lo, hi)).fetchall()
    for a, b, reason in rows:
        db.execute("DELETE FROM dropped WHERE lo = ?", (a,))
        left = ranges.subtract(((a, b),), ((lo, hi),))
        db.executemany("INSERT INTO dropped VALUES (?, ?, ?)", ((x, y, reason) for x, y in left))


def reported(db: sqlite3.Connection) -> tuple[tuple[int, int, str], ...]:
    """As many ranges as a report holds: where there are more, the oldest that nothing pending keeps apart are
    joined. What lies between them was acknowledged, and of a frame it has the host takes no drop."""
    dropped = db.execute("SELECT lo, hi, reason FROM dropped ORDER BY lo").fetchall()
    spare = len(dropped) - MAX_DROPPED
    if spare <= 0:
        return tuple(dropped)
    waiting = [seq for (seq,) in db.execute("SELECT seq FROM frame WHERE acked = 0 ORDER BY seq")]
    joined: list[tuple[int, int, str]] = []
    for lo, hi, reason in dropped:
        if joined and spare and bisect_left(waiting, joined[-1][1]) == bisect_left(waiting, lo):
            joined[-1] = (joined[-1][0], hi, reason)
            spare -= 1
        else:
            joined.append((lo, hi, reason))
    return tuple(joined[-MAX_DROPPED:])
