"""Waveforms that an outbox keeps and does not send: rows without a number, until somebody wants them.

They stand in the same file, under the same cap. In the ledger they are nothing: no seq was given, so none can
be missing. `release` gives some of them numbers, as the newest frames of the outbox: from then on they are
acquired, wait, are sent and acknowledged as any other. A row is one or the other at any moment, for the move
is one transaction.

When room is needed the oldest of what nobody waits for goes first: these rows, and those that the host has.
So both reach back equally far. They take a part of the cap at most (`outbox_room`): the rest is for frames
that have a number. What was given up is counted, for people.

The tables came without a new version of the file: an agent of before opens it, and leaves them alone. The
body of a row stands in `body` under its negative id.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from palier.ranges import Ranges
from palier.wire.messages import Replay

from . import outbox_dropped as gone
from .outbox_rows import Packed, crc_of, write_body

PIECE_ROWS: Final = 64
PIECE_BYTES: Final = 2_000_000
"""Rows released in one commit, and their bytes, which pass through the WAL. One row at least."""

MAX_WISHES: Final = 512
"""Requests whose time is not over, or whose rows wait for the next day's budget: four alerts each of more
machines than a gateway has. An answered one that gave way would never be asked for again."""

WISH_AHEAD_NS: Final = 86_400 * 10**9
"""How far ahead of the moment it came a request may reach: one for ever would undo the mode. That moment is
no earlier than the time asked for begins: a gateway's clock may be days behind until a server sets it."""

PAGE: Final = 4096
PAGE_USED: Final = 4092  # by what a row is too large to have beside others: four bytes name the next page

GIVEN_UP: Final = "retained_given_up"
_WISHES: Final = "wishes"


@dataclass(frozen=True, slots=True)
class Wish:
    """A time, ends inside, whose waveforms the host wants; `machine` None: of all of them."""

    request: str
    start_ns: int
    end_ns: int
    machine: str | None = None

    def wants(self, machine: str, end_ns: int) -> bool:
        """Whether a waveform that ends then is of it."""
        return self.start_ns <= end_ns <= self.end_ns and self.machine in (None, machine)


@dataclass(frozen=True, slots=True)
class Released:
    """What one commit released: its seqs, rising and one after the other, and bytes; `left` match still."""

    epoch: str
    seqs: Ranges
    bytes: int
    left: bool


@dataclass(frozen=True, slots=True)
class RetainedTotals:
    """Rows that are retained, their bytes, and how many were given up for room since the file was made."""

    rows: int = 0
    bytes: int = 0
    given_up: int = 0


def insert(db: sqlite3.Connection, row: Packed, machine: str) -> None:
    """Keep a waveform without a number."""
    stamp = row.stamp
    done = db.execute(
        "INSERT INTO retained (machine, end_ns, bytes, crc, after_seq, boot, mono_ns, shift_ns, clock) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            machine,
            row.end_ns,
            row.size,
            crc_of(row.header, row.body),
            gone.last_seq(db),
            stamp.boot,
            stamp.mono_ns,
            stamp.shift_ns,
            stamp.clock,
        ),
    )
    assert done.lastrowid is not None  # noqa: S101 - an INSERT has a row id
    write_body(db, -done.lastrowid, row.header, row.body)


_MATCH: Final = "FROM retained WHERE end_ns BETWEEN ? AND ? AND (? IS NULL OR machine = ?)"


def matching(db: sqlite3.Connection, wish: Wish) -> int:
    """Rows that a wish wants."""
    sql = f"SELECT count(*) {_MATCH}"
    return int(db.execute(sql, (wish.start_ns, wish.end_ns, wish.machine, wish.machine)).fetchone()[0])


def release(db: sqlite3.Connection, wish: Wish, epoch: str, budget: int | None) -> Released:
    """Give the next rows that a wish wants their numbers, oldest first, as `budget` bytes hold them."""
    sql = f"SELECT id, bytes {_MATCH} ORDER BY end_ns, id LIMIT ?"
    asked = (wish.start_ns, wish.end_ns, wish.machine, wish.machine, PIECE_ROWS + 1)
    found: list[tuple[int, int]] = db.execute(sql, asked).fetchall()
    seqs: list[int] = []
    taken = 0
    for row, size in found[:PIECE_ROWS]:
        if (seqs and taken + size > PIECE_BYTES) or (budget is not None and taken + size > budget):
            break
        seqs.append(_number(db, row))
        taken += size
    numbered: Ranges = ((seqs[0], seqs[-1]),) if seqs else ()
    return Released(epoch, numbered, taken, left=len(found) > len(seqs))


def _number(db: sqlite3.Connection, row: int) -> int:
    seq = db.execute(
        "INSERT INTO frame (end_ns, bytes, raw, crc, boot, mono_ns, shift_ns, clock) "
        "SELECT end_ns, bytes, 1, crc, boot, mono_ns, shift_ns, clock FROM retained WHERE id = ?",
        (row,),
    ).lastrowid
    assert seq is not None  # noqa: S101 - an INSERT has a row id
    db.execute("UPDATE body SET seq = ? WHERE seq = ?", (seq, -row))
    db.execute("DELETE FROM retained WHERE id = ?", (row,))
    return seq


def in_file(size: int) -> int:
    """What a row of so many bytes takes of the file, whose pages are whole."""
    return (size // PAGE_USED + 1) * PAGE


def taken(db: sqlite3.Connection) -> int:
    """What all rows take of the file."""
    sql = f"SELECT coalesce(sum(bytes / {PAGE_USED} + 1), 0) * {PAGE} FROM retained"  # noqa: S608 - ours
    return int(db.execute(sql).fetchone()[0])


def oldest(db: sqlite3.Connection) -> tuple[int, int, int] | None:
    """(id, bytes, end_ns) of the row that is given up first."""
    row: tuple[int, int, int] | None = db.execute(
        "SELECT id, bytes, end_ns FROM retained ORDER BY end_ns LIMIT 1"
    ).fetchone()
    return row


def give_up(db: sqlite3.Connection, row: int) -> None:
    """Delete one for good, and count it."""
    db.execute("DELETE FROM retained WHERE id = ?", (row,))
    db.execute("DELETE FROM body WHERE seq = ?", (-row,))
    count_given_up(db)


def count_given_up(db: sqlite3.Connection) -> None:
    """One more for which there was no room."""
    db.execute(
        "INSERT INTO meta VALUES (?, '1') ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1",
        (GIVEN_UP,),
    )


def totals(db: sqlite3.Connection) -> RetainedTotals:
    """For people."""
    rows, size = db.execute("SELECT count(*), coalesce(sum(bytes), 0) FROM retained").fetchone()
    found = db.execute("SELECT value FROM meta WHERE key = ?", (GIVEN_UP,)).fetchone()
    return RetainedTotals(rows, size, 0 if found is None else int(found[0]))


def wishes(db: sqlite3.Connection) -> tuple[Wish, ...]:
    """Those that are open, the oldest first."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (_WISHES,)).fetchone()
    try:
        return () if row is None else tuple(_read_wish(told) for told in json.loads(row[0]))
    except (KeyError, TypeError, ValueError):  # the disk changed it: a host asks again, no agent must fall
        return ()


def open_wish(db: sqlite3.Connection, asked: Replay, now_ns: int) -> int:
    """Note what a host wants; how many rows of it are here. The same request again changes nothing."""
    latest_ns = max(now_ns, asked.start_ns) + WISH_AHEAD_NS
    wish = Wish(asked.request, asked.start_ns, min(asked.end_ns, latest_ns), asked.machine)
    known = wishes(db)
    if all(one.request != wish.request for one in known):
        _note(db, (*known, wish)[-MAX_WISHES:])
    return matching(db, wish)


def close_wish(db: sqlite3.Connection, request: str) -> None:
    """It is fulfilled."""
    _note(db, tuple(one for one in wishes(db) if one.request != request))


def _note(db: sqlite3.Connection, kept: tuple[Wish, ...]) -> None:
    told = [{name: getattr(one, name) for name in Wish.__slots__} for one in kept]
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_WISHES, json.dumps(told)))


def _read_wish(told: Mapping[str, Any]) -> Wish:
    return Wish(told["request"], told["start_ns"], told["end_ns"], told["machine"])
