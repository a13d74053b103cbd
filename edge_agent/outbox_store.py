"""The file under an outbox, open: its transactions, and what becomes of a damaged file or a full disk."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from . import outbox_forked as forked
from . import outbox_retained as retained
from . import outbox_room as room
from .disk import Reserve, damaged, wants_room
from .outbox_file import FILE_NAME, Guard, OutboxError, delete_aside, meta, move_aside, open_file

T = TypeVar("T")

_BYTES_OF = "SELECT coalesce(sum(bytes), 0) FROM {}"

log = logging.getLogger(__name__)


class OutboxFullError(OutboxError):
    """The disk did not take the commit. Nothing of it was kept; the same call may succeed later."""


class OutboxStore:
    """One lock guards the connection. `epoch`, `sure`, `commits` and `set_aside` are for reading."""

    def __init__(
        self, folder: Path, guard: Guard, edge: str, draw_epoch: Callable[[], str], cap_bytes: int
    ) -> None:
        self.edge = edge
        self.epoch = ""
        self.sure: int | None = None  # see `outbox_forked`; None where each seq is known to be our own
        self.commits = 0  # made durable since this outbox was opened: one fsync each
        self.set_aside = 0  # damaged files since this outbox was opened
        self.replaced: Callable[[str], None] = lambda _epoch: None  # told the new epoch, inside the lock
        self._folder, self._path = folder, folder / FILE_NAME
        self._guard = guard
        self._draw_epoch = draw_epoch
        self._cap = cap_bytes
        self._reserve = Reserve(folder)
        self._lock = threading.Lock()
        self._bytes = 0
        self._retained_bytes = 0  # of the file: whole pages
        self._db: sqlite3.Connection | None = None
        self._closed = False
        try:
            self._open()
        except sqlite3.Error as error:
            self._open_again(error)
        self._reserve.hold()

    def close(self) -> None:
        """Close the file. Nothing has to be flushed: every commit was."""
        with self._lock:
            self._closed = True
            if self._db is not None:
                self._db.close()
                self._db = None
            self._reserve.release()  # the next start takes it again
            self._guard.release()

    def _open(self) -> None:
        db, fresh = open_file(self._path, self.edge, self._draw_epoch)
        try:
            before, self.epoch = self.epoch, meta(db, "epoch")
            if before != self.epoch:  # else this process gave its numbers, and the link knows which were sent
                self.sure = None if fresh else forked.sure(db)
            self._bytes = sum(
                db.execute(_BYTES_OF.format(table)).fetchone()[0] for table in ("frame", "retained")
            )
            self._retained_bytes = retained.taken(db)
            self._pages = room.Pages(db, self._cap)
        except BaseException:
            db.close()
            raise
        self._db = db
        if self._retained_bytes > (most := room.retained_most(self._cap, 0)):
            log.warning(
                "waveforms that are kept and not sent take %.0f MB of the outbox, and may take %.0f MB: the "
                "oldest of them go, some with each commit",
                self._retained_bytes / 1e6,
                most / 1e6,
            )
        if before not in ("", self.epoch):
            self.replaced(self.epoch)

    def _open_again(self, error: sqlite3.Error) -> None:
        """After a first attempt failed: a new one for a damaged file, else once more with more room."""
        try:
            if damaged(error):
                self._set_aside(error)
            else:
                self._ease(error)
                self._open()
        except (sqlite3.Error, OSError) as again:
            raise OutboxError(
                f"{self._path} can't be opened: {again}; check the folder's rights and space"
            ) from again

    def _set_aside(self, error: sqlite3.Error) -> None:
        """The damaged file goes, a new one with a new epoch comes. Called inside the lock."""
        if self._db is not None:
            self._db.close()
            self._db = None
        aside = move_aside(self._path)
        self.set_aside += 1
        log.error(
            "the outbox is damaged (%s); set aside as %s: what the host did not have yet is in there. "
            "A new one begins",
            error,
            aside,
        )
        self._open()

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` with the file; where it finds it damaged, with the new one. Raises OutboxFullError."""
        with self._lock:
            try:
                return work(self._opened())
            except sqlite3.Error as error:
                try:
                    if damaged(error):
                        self._set_aside(error)
                        return work(self._opened())
                except (sqlite3.Error, OSError) as again:
                    raise _full(again) from again
                raise _full(error) from error

    def _opened(self) -> sqlite3.Connection:
        if self._closed:
            raise OutboxError("the outbox is closed")
        if self._db is None:  # a new file could not be made where the damaged one was: now perhaps
            self._open()
        assert self._db is not None  # noqa: S101 - `_open` sets it or raises
        return self._db

    def _commit(
        self, work: Callable[[sqlite3.Connection], T], then: Callable[[T], None] = lambda _result: None
    ) -> T:
        """`work` in a transaction, all of it or nothing; `then`, inside the lock, once it is on the disk."""

        def committed(db: sqlite3.Connection) -> T:
            before = self._bytes, self._retained_bytes
            try:
                db.execute("BEGIN IMMEDIATE")
                result = work(db)
                db.execute("COMMIT")
            except BaseException:
                self._bytes, self._retained_bytes = before
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            self.commits += 1
            then(result)
            return result

        return self._do(committed)

    def _ease(self, error: BaseException | None) -> None:
        """The disk is full: give up what is needed least."""
        if not wants_room(error):
            return
        if delete_aside(self._folder):
            log.error("the disk is full: the damaged outbox that stood aside is deleted")
        self._reserve.release()


def _full(error: Exception) -> OutboxFullError:
    return OutboxFullError(f"the outbox could not be written: {error}; check the disk's space")
