"""Numbers that may have been given before: when a disk forgot what it had confirmed.

A card that answers an fsync before the data is safe loses the newest commits when the power goes; so does an
image of a disk that was put back. SQLite then opens the file as it was some commits before, whole. The next
numbers it gives were given already, to frames that the host may have: it would take the new frames for
copies of those and acknowledge them, and they would be gone.

So an outbox that was opened again is *unsure*. `sure` is the highest number in it at that moment; what stands
above was numbered since, and is not sent before the host has told the highest number it ever had. Where that
is above `sure`, the file did forget: rows from there to the host's highest get numbers above it. The numbers
between count as dropped, `lost_by_card`; of those that the host has it knows better than we do.

`sure` is written in the commit that gives the first number above it, so it outlives any further restart. It
goes with the answer, before anything above it is sent. Where that commit, too, is forgotten, rows that were
sent meanwhile may get a second number: they are then stored twice, never lost.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

from palier import ranges
from palier.ranges import Ranges

from . import outbox_dropped as gone

REASON: Final = "lost_by_card"
PIECE_ROWS: Final = 64
PIECE_BYTES: Final = 2_000_000
"""Rows renumbered in one commit, and their bytes, which pass through the WAL: a disk that is nearly full must
take them. One row at least, which may be of 4 MB."""

_KEY: Final = "unsure_above"


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of the host's answer: the numbers that the disk forgot, and what waits under which now."""

    lost: Ranges
    last_seq: int
    pending: Ranges


def sure(db: sqlite3.Connection) -> int:
    """The highest number that was surely given once, of a file that was opened again."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (_KEY,)).fetchone()
    last = gone.last_seq(db)
    return last if row is None else min(last, int(row[0]))


def note(db: sqlite3.Connection, above: int | None) -> None:
    """Keep it across restarts; None: every number is sure."""
    if above is None:
        db.execute("DELETE FROM meta WHERE key = ?", (_KEY,))
    else:
        db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_KEY, str(above)))


def step(db: sqlite3.Connection, above: int, highest: int) -> int | None:
    """Renumber some of the rows from `above` (without it) to `highest`: up to which it is done, None for all.

    Whole in itself: after each step the numbers up to the returned one are sure.
    """
    if highest <= above:
        note(db, None)
        return None
    gone.raise_to(db, highest)
    sql = "SELECT seq, bytes FROM frame WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
    upto, left = highest, PIECE_BYTES
    for number, (seq, size) in enumerate(db.execute(sql, (above, highest, PIECE_ROWS + 1)).fetchall()):
        left -= size
        if number and (number == PIECE_ROWS or left < 0):
            upto = seq - 1
            break
        _renumber(db, seq)
    _renumber_dropped(db, above + 1, upto)
    gone.note(db, above + 1, upto, REASON)
    note(db, None if upto == highest else upto)
    return None if upto == highest else upto


def _renumber(db: sqlite3.Connection, seq: int) -> None:
    new = gone.last_seq(db) + 1
    gone.raise_to(db, new)
    db.execute("UPDATE frame SET seq = ? WHERE seq = ?", (new, seq))
    db.execute("UPDATE body SET seq = ? WHERE seq = ?", (new, seq))


def _renumber_dropped(db: sqlite3.Connection, lo: int, hi: int) -> None:
    """Those of `lo` to `hi` that were dropped since were frames of their own, too.

    Not what a step of before, whose answer the link never had, found forgotten: nobody took those frames.
    """
    sql = "SELECT lo, hi, reason FROM dropped WHERE hi >= ? AND lo <= ? AND reason <> ?"
    found = db.execute(sql, (lo, hi, REASON)).fetchall()
    gone.not_dropped(db, lo, hi)
    for first, last, reason in found:
        gone.skip(db, ranges.count(ranges.intersect(((first, last),), ((lo, hi),))), reason)
