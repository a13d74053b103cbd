"""Acknowledged rows of an outbox that wait again, because the host lost them."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Final

from palier import ranges
from palier.ranges import Ranges
from palier.wire.messages import Replay

from . import outbox_retained as retained

PIECE_ROWS: Final = 2000
"""Rows recalled in one commit: some milliseconds, in which no frame can be committed."""

REMEMBERED: Final = 16
_KEY: Final = "replays"


@dataclass(frozen=True, slots=True)
class Piece:
    """What one commit of a replay did: `again` wait now, `frames` in all, with those retained and now wished
    for; rows up to `upto` are done."""

    epoch: str
    again: Ranges
    frames: int
    upto: int
    done: bool


def since(db: sqlite3.Connection, since_ns: int) -> Ranges:
    """All that end at or after `since_ns`."""
    found = db.execute("SELECT seq FROM frame WHERE acked = 1 AND end_ns >= ?", (since_ns,)).fetchall()
    db.execute("UPDATE frame SET acked = 0 WHERE acked = 1 AND end_ns >= ?", (since_ns,))
    return ranges.of(seq for (seq,) in found)


def replay(
    db: sqlite3.Connection, asked: Replay, epoch: str, *, above: int, before: int, now_ns: int
) -> Piece:
    """The next piece: rows above `above`; `before` wait again already. With the first, above 0, the wish for
    what is retained is noted."""
    done = _done(db)
    if asked.request in done:
        return Piece(epoch, (), done[asked.request], above, done=True)
    seqs: list[int] = []
    if asked.epoch in (None, epoch):
        before += retained.open_wish(db, asked, now_ns) if above == 0 else 0
        seqs = [] if asked.retained else _acknowledged(db, asked, above)
    db.executemany("UPDATE frame SET acked = 0 WHERE seq = ?", ((seq,) for seq in seqs))
    frames, last = before + len(seqs), len(seqs) < PIECE_ROWS
    if last:
        _note(db, {**done, asked.request: frames})
    return Piece(epoch, ranges.of(seqs), frames, seqs[-1] if seqs else above, done=last)


_ACKNOWLEDGED: Final = """
SELECT seq FROM frame WHERE +acked = 1 AND seq > ?1 AND end_ns BETWEEN ?2 AND ?3 AND (?4 IS NULL OR ?4 =
  (SELECT json_extract(CAST(header AS TEXT), '$.machine') FROM body WHERE body.seq = frame.seq))
ORDER BY seq LIMIT ?5
"""


def _acknowledged(db: sqlite3.Connection, asked: Replay, above: int) -> list[int]:
    told = (above, asked.start_ns, asked.end_ns, asked.machine, PIECE_ROWS)
    return [seq for (seq,) in db.execute(_ACKNOWLEDGED, told)]


def _done(db: sqlite3.Connection) -> dict[str, int]:
    row = db.execute("SELECT value FROM meta WHERE key = ?", (_KEY,)).fetchone()
    return {} if row is None else dict(json.loads(row[0]))


def _note(db: sqlite3.Connection, done: dict[str, int]) -> None:
    kept = dict(list(done.items())[-REMEMBERED:])
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_KEY, json.dumps(kept)))
