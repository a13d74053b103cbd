"""The rows of an outbox: a frame as the file takes it and gives it back, and what is known of its time."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from palier import ranges
from palier.frames import (
    MAX_FRAME_BYTES,
    Clock,
    Frame,
    FrameError,
    Readings,
    Waveform,
    pack,
    unpack,
    waveform_header,
)
from palier.ranges import Ranges
from palier.wire.messages import wire_bytes

from .timekeeping import RIGHT, STEP_NS, BootRows, Stamp

Stored = tuple[bytes, bytes | memoryview, int | None, int, str | None]
"""header, body, crc, shift_ns, clock."""

PIECE_BYTES: Final = 128 * 1024
"""A larger body goes to the file and comes from it in such pieces: SQLite would hold it twice more in memory,
of which a gateway with blocks of 4 MB has 60 MB."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a `put`: the seqs given (None when none was), and what had to go for them.

    `held` says that none of them may be sent before the clock is right. `retained` got no seq; where
    there was no room to retain one, it is among them and counted as given up.
    """

    epoch: str
    seqs: tuple[int, int] | None
    refused: int = 0
    dropped: Ranges = ()
    held: Ranges = ()
    retained: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A frame that waits, as the choice of what to send needs it."""

    seq: int
    size: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts for people: frames acquired and dropped in this epoch, rows that wait or are held, bytes."""

    acquired: int
    pending: int
    dropped: int
    bytes: int
    held: int = 0


@dataclass(frozen=True, slots=True)
class Packed:
    """A frame as the file takes it; `retained_of` is the machine of one that gets no seq."""

    end_ns: int
    raw: bool
    header: bytes
    body: bytes | memoryview
    stamp: Stamp
    retained_of: str | None = None

    @property
    def size(self) -> int:
        """Bytes of header and body."""
        return len(self.header) + len(self.body)


def pack_all(frames: Sequence[Frame], stamps: Sequence[Stamp], retain: Collection[int] = ()) -> list[Packed]:
    """Those of the frames that fit a message; a frame without a stamp is dated rightly.

    Those whose places are in `retain` get no seq, unless they are held: a time is asked for when they are.
    """
    marks = [*stamps, *[RIGHT] * (len(frames) - len(stamps))]
    return [
        Packed(
            stamp.end_ns or frame.end_ns,
            isinstance(frame, Waveform),
            *_packed(frame),
            stamp,
            frame.machine if place in retain and not stamp.held else None,
        )
        for place, (frame, stamp) in enumerate(zip(frames, marks, strict=True))
        if wire_bytes(frame) <= MAX_FRAME_BYTES
    ]


def _packed(frame: Frame) -> tuple[bytes, bytes | memoryview]:
    """As `pack`, without a copy of the samples: 4 MB where a gateway has 60."""
    if isinstance(frame, Waveform):
        return waveform_header(frame), np.ascontiguousarray(frame.samples).data.cast("B")
    return pack(frame)


def insert(db: sqlite3.Connection, row: Packed) -> int:
    """The seq given to it."""
    stamp = row.stamp
    seq = db.execute(
        "INSERT INTO frame (end_ns, bytes, raw, crc, held, boot, mono_ns, shift_ns, clock) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row.end_ns,
            row.size,
            row.raw,
            crc_of(row.header, row.body),
            stamp.held,
            stamp.boot,
            stamp.mono_ns,
            stamp.shift_ns,
            stamp.clock,
        ),
    ).lastrowid
    assert seq is not None  # noqa: S101 - an INSERT has a row id
    write_body(db, seq, row.header, row.body)
    return seq


def write_body(db: sqlite3.Connection, seq: int, header: bytes, body: bytes | memoryview) -> None:
    """What a row is made of, under its seq."""
    if len(body) <= PIECE_BYTES:
        db.execute("INSERT INTO body VALUES (?, ?, ?)", (seq, header, body))
        return
    db.execute("INSERT INTO body VALUES (?, ?, zeroblob(?))", (seq, header, len(body)))
    whole = memoryview(body)
    with db.blobopen("body", "body", seq) as blob:
        for begin in range(0, len(whole), PIECE_BYTES):
            blob.write(whole[begin : begin + PIECE_BYTES])


def _read_body(db: sqlite3.Connection, seq: int, size: int) -> memoryview:
    body = memoryview(bytearray(size))
    with db.blobopen("body", "body", seq, readonly=True) as blob:
        for begin in range(0, size, PIECE_BYTES):
            body[begin : begin + PIECE_BYTES] = blob.read(PIECE_BYTES)
    return body.toreadonly()


_FETCH: Final = """
SELECT length(body), header, CASE WHEN typeof(body) = 'blob' AND length(body) > ? THEN NULL ELSE body END,
       crc, shift_ns, clock
FROM body JOIN frame USING (seq) WHERE seq = ?
"""


def fetch(db: sqlite3.Connection, seq: int) -> Stored | None:
    """A frame as it was stored; `frame_of` reads it."""
    found: tuple[Any, ...] | None = db.execute(_FETCH, (PIECE_BYTES, seq)).fetchone()
    if found is None:
        return None
    size, header, body, crc, shift_ns, clock = found
    return header, _read_body(db, seq, size) if body is None else body, crc, shift_ns, clock


def frame_of(stored: Stored) -> Frame:
    """The frame, dated by what is known now. FrameError where it is not what was written."""
    header, body, crc, shift_ns, clock = stored
    whole = isinstance(header, bytes) and isinstance(body, bytes | memoryview)
    if not whole or crc not in (None, crc_of(header, body)):
        raise FrameError("a stored frame is not what was written: the disk changed it")
    frame = unpack(header, body)
    try:
        mark = frame.clock if clock is None else Clock(clock)
        if not shift_ns and mark is frame.clock:
            return frame
        if isinstance(frame, Readings):
            return replace(frame, times_ns=frame.times_ns + shift_ns, clock=mark)
        return replace(frame, start_ns=frame.start_ns + shift_ns, clock=mark)
    except (TypeError, ValueError, OverflowError) as error:
        raise FrameError(f"the time of a stored frame can't be read back: {error}") from error


def crc_of(header: bytes, body: bytes | memoryview) -> int:
    """SQLite notices a broken tree, not a flipped bit in a blob; cards of gateways wear out."""
    return zlib.crc32(body, zlib.crc32(header))


def boots(db: sqlite3.Connection) -> tuple[BootRows, ...]:
    """Waiting and retained frames whose clock was not right, by the boot they are of, newest boot first."""
    sql = """SELECT boot, min(end_ns), min(mono_ns), max(mono_ns) FROM (
               SELECT boot, end_ns, mono_ns, seq FROM frame WHERE boot IS NOT NULL AND acked = 0
               UNION ALL SELECT boot, end_ns, mono_ns, after_seq FROM retained WHERE boot IS NOT NULL
             ) GROUP BY boot ORDER BY max(seq) DESC"""
    return tuple(BootRows(*row) for row in db.execute(sql))


def redate(db: sqlite3.Connection, boot: str, offset_ns: int | None, clock: Clock, *, final: bool) -> Ranges:
    """`Outbox.redate`."""
    held = db.execute("SELECT seq FROM frame WHERE boot = ? AND acked = 0 AND held = 1", (boot,)).fetchall()
    db.execute("UPDATE frame SET held = 0 WHERE boot = ? AND acked = 0", (boot,))
    for table, waiting in (("frame", "acked = 0"), ("retained", "1")):
        if offset_ns is not None:
            # A host may have written its rows and died before it said so: the same frame under a time some
            # nanoseconds off would be a second row. So only a clock that was set moves a date.
            db.execute(
                f"UPDATE {table} SET shift_ns = shift_ns + mono_ns + ?2 - end_ns, end_ns = mono_ns + ?2 "  # noqa: S608 - ours
                f"WHERE boot = ?1 AND {waiting} AND abs(mono_ns + ?2 - end_ns) > ?3",
                (boot, offset_ns, STEP_NS),
            )
        db.execute(
            f"UPDATE {table} SET clock = ?2, boot = ?3 WHERE boot = ?1 AND {waiting}",  # noqa: S608 - ours
            (boot, clock, None if final else boot),
        )
    return ranges.of(seq for (seq,) in held)
