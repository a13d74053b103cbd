"""The outbox: every frame from its acquisition until the host has it, in one SQLite file.

A commit is durable when it returns (WAL, synchronous=FULL). The file keeps a frame's fields and raw samples,
not the message: what depends on the moment of sending is written at the moment of sending.

Acknowledged rows stay until their bytes are needed, so that a host that lost its store can ask again; beside
them stand waveforms that nobody asked for yet (`outbox_retained`), in three quarters of the cap at most. At
the cap the oldest of these two go first, then the oldest waveforms, then the oldest readings, which are
small; what was not acknowledged counts as dropped, with its reason: "cap", or "disk" where another program
left no room. A damaged file is set aside, at the start or while running, and one of a new epoch begins.

Errors: OutboxError (a human must act: another edge's file, a newer version, another agent running on it) and
OutboxFullError (the disk refuses: try again later).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from palier import ranges
from palier.frames import Clock, Frame, FrameId
from palier.ranges import Ranges
from palier.wire.messages import LedgerReport, Replay

from . import outbox_dropped as gone
from . import outbox_forked as forked
from . import outbox_recalled as recalled
from . import outbox_retained as retained
from . import outbox_room as room
from . import outbox_rows as rows
from .outbox_file import EPOCH_DIGITS, FILE_NAME, VERSION, Guard, OutboxError
from .outbox_forked import Settled
from .outbox_retained import Released, RetainedTotals, Wish
from .outbox_rows import Kept, Packed, Row, Stored, Totals
from .outbox_store import OutboxFullError, OutboxStore
from .timekeeping import BootRows, Stamp

__all__ = ["EPOCH_DIGITS", "FILE_NAME", "VERSION", "Kept", "Outbox", "OutboxError", "OutboxFullError", "Row"]


NO_NOTES: Final[Mapping[str, str]] = MappingProxyType({})


class Outbox(OutboxStore):
    """Open with `open_outbox`. Every method may be called from any thread; one lock guards the connection."""

    def put(
        self,
        frames: Sequence[Frame],
        stamps: Sequence[Stamp] = (),
        lost: int = 0,
        *,
        retain: Collection[int] = (),
        notes: Mapping[str, str] = NO_NOTES,
    ) -> Kept:
        """Keep frames in one commit; when this returns they are on disk. OutboxFullError: none is kept.

        A frame whose message would exceed MAX_FRAME_BYTES is refused: it never gets a seq. `stamps` say how
        each is dated, by default rightly. `lost` frames before these never came to the disk: they get seqs
        and count as dropped, so that the ledger knows of them. Frames at the places `retain` get no seq (see
        `outbox_retained`), unless they are held. `notes` are kept as by `note`, in the same commit.
        """
        packed = rows.pack_all(frames, stamps, retain)
        refused = len(frames) - len(packed)
        if not packed and not lost:
            return Kept(self.epoch, None, refused)
        try:
            return self._commit(lambda db: self._put(db, packed, lost, refused, notes, grow=True))
        except OutboxFullError as error:
            self._ease(error.__cause__)
            return self._commit(lambda db: self._put(db, packed, lost, refused, notes, grow=False))

    def acknowledge(self, stored: Iterable[tuple[int, int]], epoch: str | None = None) -> int:
        """Mark ranges as stored at the host, in one commit; how many rows that were waiting it frees.

        A frame that was dropped and turns out to be at the host is no longer counted as dropped. With
        `epoch`, nothing happens where the file has been replaced since by another of a new epoch.
        """

        def work(db: sqlite3.Connection) -> int:
            if epoch not in (None, self.epoch):
                return 0
            freed = 0
            for lo, hi in stored:
                # The plus keeps SQLite from walking all waiting rows by the index of `acked`.
                freed += db.execute(
                    "UPDATE frame SET acked = 1 WHERE +acked = 0 AND seq BETWEEN ? AND ?", (lo, hi)
                ).rowcount
                gone.not_dropped(db, lo, hi)
            return freed

        return self._commit(work)

    def give_up(self, frame_id: FrameId, reason: str) -> None:
        """Drop a row that can't be sent, with its reason."""

        def work(db: sqlite3.Connection) -> None:
            seq = frame_id.seq
            row = db.execute("SELECT bytes FROM frame WHERE seq = ? AND acked = 0", (seq,)).fetchone()
            if row is not None and frame_id.epoch == self.epoch:
                self._delete(db, seq, row[0])
                gone.note(db, seq, seq, reason)

        self._commit(work)

    def recall(self, since_ns: int) -> Ranges:
        """Acknowledged frames that end at or after `since_ns` wait again: the host lost its store."""
        return self._commit(lambda db: recalled.since(db, since_ns))

    def replay(self, asked: Replay, *, above: int, before: int, now_ns: int) -> recalled.Piece:
        """The next piece of a replay: acknowledged frames wait again, and the first one notes what is wished
        for of what is retained. The last one notes the request."""
        return self._commit(
            lambda db: recalled.replay(db, asked, self.epoch, above=above, before=before, now_ns=now_ns)
        )

    def release(
        self, wish: Wish, budget: int | None = None, notes: Callable[[int], Mapping[str, str]] | None = None
    ) -> Released:
        """Give the next retained waveforms that a wish wants their seqs, in one commit: as many as `budget`
        bytes and one commit hold. `notes`, of the bytes released, are kept in it. OutboxFullError: none.

        Where there is nothing to release it commits nothing.
        """
        found = self._do(lambda db: retained.matching(db, wish))
        if not found or budget == 0:
            return Released(self.epoch, (), 0, left=found > 0)

        def work(db: sqlite3.Connection) -> Released:
            if self.sure is not None:
                forked.note(db, self.sure)
            done = retained.release(db, wish, self.epoch, budget)
            self._retained_bytes = retained.taken(db)
            kept = NO_NOTES if notes is None or not done.seqs else notes(done.bytes)
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", kept.items())
            return done

        return self._commit(work)

    def wishes(self) -> tuple[Wish, ...]:
        """The times whose waveforms the host wants, as far as it has not got them all."""
        return self._do(retained.wishes)

    def close_wish(self, request: str) -> None:
        """It is fulfilled."""
        self._commit(lambda db: retained.close_wish(db, request))

    def retained(self) -> RetainedTotals:
        """How much is retained, and what was given up of it."""
        return self._do(retained.totals)

    def settle(self, highest: int | None, known: int, epoch: str) -> Settled:
        """The host tells the highest seq of `epoch` that it ever had, None where it does not tell.

        Rows numbered above `known`, the highest that we may have sent, up to `highest` get numbers above it,
        durably before any other frame gets one: `outbox_forked` says why.
        """
        above = known if self.sure is None else min(known, self.sure)
        reached = max(above, highest or 0)
        left: int | None = above
        while left is not None:
            work = partial(self._settle, above=left, reached=reached, epoch=epoch)
            left = self._commit(work, self._now_sure)
        forgot = reached > above and epoch == self.epoch
        return Settled(((above + 1, reached),) if forgot else (), self.last_seq, self.pending())

    def _settle(self, db: sqlite3.Connection, *, above: int, reached: int, epoch: str) -> int | None:
        return forked.step(db, above, reached) if epoch == self.epoch else None

    def _now_sure(self, upto: int | None) -> None:
        self.sure = upto

    def boots(self) -> tuple[BootRows, ...]:
        """Waiting frames whose clock was not right, by the boot they are of, the newest boot first."""
        return self._do(rows.boots)

    def redate(self, boot: str, offset_ns: int | None, clock: Clock, *, final: bool) -> Ranges:
        """Date the waiting frames of a boot: monotonic time + `offset_ns`, None to leave their dates as they
        are; mark how their clock can be trusted, and hold them no longer. Those that were held.

        Unless `final` they may be dated once more.
        """
        return self._commit(lambda db: rows.redate(db, boot, offset_ns, clock, final=final))

    def newest_ns(self) -> int | None:
        """The end of the newest frame that may be sent or was: a clock that shows less is behind."""
        sql = "SELECT max(end_ns) FROM frame WHERE held = 0"
        found: int | None = self._do(lambda db: db.execute(sql).fetchone())[0]
        return found

    def pending(self) -> Ranges:
        """The seqs that wait for their acknowledgement and may be sent."""
        sql = "SELECT seq FROM frame WHERE acked = 0 AND held = 0 ORDER BY seq"
        return self._do(lambda db: ranges.of(seq for (seq,) in db.execute(sql)))

    def rows(self, seqs: Iterable[int]) -> tuple[Row, ...]:
        """Those of `seqs` that still wait, in the order asked."""
        sql = "SELECT seq, bytes, end_ns FROM frame WHERE seq = ? AND acked = 0 AND held = 0"

        def work(db: sqlite3.Connection) -> tuple[Row, ...]:
            found = (db.execute(sql, (seq,)).fetchone() for seq in seqs)
            return tuple(Row(*row) for row in found if row is not None)

        return self._do(work)

    def load(self, seq: int) -> tuple[FrameId, Frame] | None:
        """The frame itself, dated by what is known now; None when it is no longer here.

        FrameError when it can't be read back, or is not what was written.
        """

        def work(db: sqlite3.Connection) -> tuple[FrameId, Stored] | None:
            stored = rows.fetch(db, seq)
            return None if stored is None else (FrameId(self.edge, self.epoch, seq), stored)

        found = self._do(work)
        return None if found is None else (found[0], rows.frame_of(found[1]))

    def report(self) -> LedgerReport:
        """What became of every seq given so far, all read at one moment."""

        def work(db: sqlite3.Connection) -> LedgerReport:
            last = gone.last_seq(db)
            pending, oldest = db.execute("SELECT count(*), min(seq) FROM frame WHERE acked = 0").fetchone()
            kept = retained.totals(db)
            return LedgerReport(
                self.epoch,
                last,
                last,
                gone.reported(db),
                oldest,
                pending,
                retained=kept.rows,
                given_up=kept.given_up,
            )

        return self._do(work)

    def totals(self) -> Totals:
        """Counts for metrics."""

        def work(db: sqlite3.Connection) -> Totals:
            pending = db.execute("SELECT count(*) FROM frame WHERE acked = 0").fetchone()[0]
            held = db.execute("SELECT count(*) FROM frame WHERE held = 1 AND acked = 0").fetchone()[0]
            return Totals(gone.last_seq(db), pending, gone.count(db), self._bytes, held)

        return self._do(work)

    @property
    def last_seq(self) -> int:
        """The highest seq ever given, 0 in a new outbox."""
        return self._do(gone.last_seq)

    def note(self, key: str, value: str) -> None:
        """Keep a value across restarts."""
        self._commit(lambda db: db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value)))

    def noted(self, key: str) -> str | None:
        """What `note` kept."""
        sql = "SELECT value FROM meta WHERE key = ?"
        row = self._do(lambda db: db.execute(sql, (key,)).fetchone())
        return None if row is None else str(row[0])

    def next_bd_seq(self) -> int:
        """The birth/death number of the next MQTT connection, 0 to 255 and round; kept across restarts.

        So the death of an earlier process can never be taken for that of this one
        (tck-id-payloads-nbirth-bdseq: it must rise with each connect).
        """

        def work(db: sqlite3.Connection) -> int:
            row = db.execute("SELECT value FROM meta WHERE key = 'bd_seq'").fetchone()
            bd_seq = 0 if row is None else (int(row[0]) + 1) % 256
            db.execute("INSERT OR REPLACE INTO meta VALUES ('bd_seq', ?)", (str(bd_seq),))
            return bd_seq

        return self._commit(work)

    def _put(
        self,
        db: sqlite3.Connection,
        packed: Sequence[Packed],
        lost: int,
        refused: int,
        notes: Mapping[str, str],
        *,
        grow: bool,
    ) -> Kept:
        fitting, dropped = self._make_room(db, packed, grow=grow)
        if self.sure is not None:
            forked.note(db, self.sure)
        if lost:
            gone.skip(db, lost, "disk")
        seqs: list[int] = []
        held: list[int] = []
        for row in fitting:
            if row.retained_of is not None:
                retained.insert(db, row, row.retained_of)
                self._retained_bytes += retained.in_file(row.size)
                continue
            seqs.append(rows.insert(db, row))
            held += seqs[-1:] if row.stamp.held else []
        db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", notes.items())
        self._bytes += sum(row.size for row in fitting)
        if grow:
            self._reserve.hold()
        given = (seqs[0], seqs[-1]) if seqs else None
        return Kept(self.epoch, given, refused, dropped, ranges.of(held), len(packed) - len(seqs))

    def _make_room(
        self, db: sqlite3.Connection, packed: Sequence[Packed], *, grow: bool
    ) -> tuple[list[Packed], Ranges]:
        """Delete what is needed least until the rows fit under the cap and in the pages of the file. The rows
        that fit, and the seqs that went for them: none goes for a row that is to be retained.
        """
        tight = self._pages.limit(self._folder, grow=grow)
        fitting, dropped = self._bound_retained(db, packed), list[int]()
        while self._bytes + sum(row.size for row in fitting) > self._cap or not self._pages.fit(
            room.pages_for(fitting)
        ):
            found = room.next_to_go(db)
            if (found is None or not found[2]) and _leave_out(db, fitting):
                continue
            if found is None:
                break
            seq, size, acked = found
            self._delete(db, seq, size)
            if not acked:
                dropped.append(seq)
        for lo, hi in ranges.of(dropped):
            gone.note(db, lo, hi, "disk" if tight else "cap")
        return fitting, ranges.of(dropped)

    def _bound_retained(self, db: sqlite3.Connection, packed: Sequence[Packed]) -> list[Packed]:
        """Give up the oldest of what is retained until it keeps within its part; the rows that come then."""
        fitting = list(packed)
        most = room.retained_most(self._cap, self._retained_bytes)
        while (
            self._retained_bytes
            + sum(retained.in_file(row.size) for row in fitting if row.retained_of is not None)
            > most
        ):
            found = retained.oldest(db)
            if found is not None:
                self._delete(db, -found[0], found[1])
            elif not _leave_out(db, fitting):
                break
        return fitting

    def _delete(self, db: sqlite3.Connection, seq: int, size: int) -> None:
        self._bytes -= size
        if seq < 0:
            self._retained_bytes -= retained.in_file(size)
            retained.give_up(db, -seq)
            return
        db.execute("DELETE FROM frame WHERE seq = ?", (seq,))
        db.execute("DELETE FROM body WHERE seq = ?", (seq,))


def _leave_out(db: sqlite3.Connection, fitting: list[Packed]) -> bool:
    """Give up the oldest of those that come to be retained, before it is written; False where none does."""
    coming = [row for row in fitting if row.retained_of is not None]
    if not coming:
        return False
    fitting.remove(min(coming, key=lambda row: row.end_ns))
    retained.count_given_up(db)
    return True


def open_outbox(folder: Path, edge: str, *, draw_epoch: Callable[[], str], cap_bytes: int) -> Outbox:
    """Open the outbox in `folder`, or make a new one with the epoch that `draw_epoch` gives (16 hex digits).

    A file that SQLite can't read is moved aside, and sampling goes on in a new one with a new epoch.
    Raises OutboxError when the folder can't be used, is another edge's, or is in use.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        guard = Guard(folder)
    except OSError as error:
        raise OutboxError(f"the outbox folder {folder} can't be used: {error.strerror or error}") from error
    try:
        return Outbox(folder, guard, edge, draw_epoch, cap_bytes)
    except BaseException:
        guard.release()
        raise
