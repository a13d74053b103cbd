"""Room in an outbox: how large its file may get, and which rows go first when it may get no larger."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from . import outbox_dropped as dropped
from . import outbox_retained as retained
from .disk import RESERVE_BYTES, free_bytes
from .outbox_rows import Packed

SMALLEST_PAGES: Final = 512  # 2 MB: the empty tables, and room to move
PAGES_APART: Final = 8  # what the trees may need beside the rows themselves

RETAINED_SHARE: Final = 0.75
"""The part of the cap that retained waveforms may take. An agent of before can't give them up, for it does
not know them: after a return to it the rest is all the room that new frames have while the link is down. The
rest of the default of 4 GB is half a day of one 25 kB frame a second; and of the time that what is retained
could reach back it still reaches back three quarters."""

DOWN_BYTES: Final = 16_000_000
"""What is retained above its part, by an agent of before this bound or a cap that was larger, goes by so much
with each commit: all at once would hold up sampling for as long as a card takes to read a gigabyte."""

_OLDEST_RAW: Final = "SELECT seq, bytes, acked FROM frame ORDER BY acked DESC, raw DESC, seq LIMIT 1"
_OLDEST_ACKED: Final = """
SELECT seq, bytes, acked, end_ns FROM (
  SELECT * FROM (SELECT * FROM frame WHERE acked = 1 AND raw = 1 ORDER BY seq LIMIT 1)
  UNION ALL SELECT * FROM (SELECT * FROM frame WHERE acked = 1 AND raw = 0 ORDER BY seq LIMIT 1)
) ORDER BY end_ns LIMIT 1
"""
_OLDEST: Final = "SELECT seq, bytes, acked FROM frame ORDER BY seq LIMIT 1"


class Pages:
    """The pages of one open file. The cap bounds the file itself, not only its rows."""

    def __init__(self, db: sqlite3.Connection, cap_bytes: int) -> None:
        self._db = db
        self._page = self._pragma("page_size")
        self._cap = max(SMALLEST_PAGES, cap_bytes // self._page)
        self._limit = 0  # as SQLite was told
        self._used = 0

    def limit(self, folder: Path, *, grow: bool) -> bool:
        """Let the file get as large as its cap while the disk has room to spare, else no larger than it is.

        Half of the reserve, which was given back for that, is there even for a file with nothing in it. True
        where it is the disk that keeps the file small.
        """
        self._used = used = self._pragma("page_count")
        spare = (free_bytes(folder) - RESERVE_BYTES) // self._page if grow else 0
        limit = min(self._cap, max(used + max(0, spare), RESERVE_BYTES // 2 // self._page))
        limit = max(limit, used)  # a file from before that is larger: with fewer rows it is no smaller
        if limit != self._limit:
            self._db.execute(f"PRAGMA max_page_count = {limit}")
            self._limit = limit
        return limit < self._cap

    def fit(self, pages: int) -> bool:
        """Whether so many may still be taken: those the file may grow by, and those that deleted rows left.

        Of the file as it was at `limit`: deleting rows changes only how many are left.
        """
        growth = self._limit - self._used
        return pages <= growth or pages <= growth + self._pragma("freelist_count")

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])


def retained_most(cap_bytes: int, taken: int) -> int:
    """How much of the file retained rows may take after the next commit, of which they take `taken` now."""
    return max(int(cap_bytes * RETAINED_SHARE), taken - DOWN_BYTES)


def pages_for(packed: Sequence[Packed]) -> int:
    """Pages that these rows take at most."""
    return PAGES_APART + sum(2 + row.size // 4000 for row in packed)


def next_to_go(db: sqlite3.Connection) -> tuple[int, int, int] | None:
    """The row that is needed least: (seq, bytes, acked); one that is retained has the seq -id.

    First what nobody waits for, the oldest of it: what the host has, and what is retained. Then waveforms go
    before readings, which take little room and keep the trend, unless so many readings stand between dropped
    waveforms already that a report could not name all the pieces.
    """
    kept = retained.oldest(db)
    if kept is not None:
        number, size, end_ns = kept
        acked = db.execute(_OLDEST_ACKED).fetchone()
        return (-number, size, 1) if acked is None or end_ns <= acked[3] else acked[:3]
    row: tuple[int, int, int] | None = db.execute(_OLDEST_RAW).fetchone()
    if row is not None and not row[2] and dropped.scattered(db):
        row = db.execute(_OLDEST).fetchone()
    return row
