"""The disk under the outbox: what SQLite's errors mean, and bytes kept free for the day there are none.

| SQLite says | it means | the outbox |
|---|---|---|
| CORRUPT, NOTADB, FORMAT, a page that can't be read | the file is damaged | sets it aside, begins a new one |
| FULL, READONLY, CANTOPEN, BUSY, an error at a write | the disk does not take it now | may succeed later |
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Final

RESERVE_BYTES: Final = 16 * 1024 * 1024
"""What a commit writes to the WAL before the pages of dropped rows can be used again: a batch of the largest
frames, and the index of shared memory. 0.4 % of the default cap."""

_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
_UNREADABLE: Final = {
    sqlite3.SQLITE_IOERR_READ,
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_IOERR_CORRUPTFS,
    sqlite3.SQLITE_IOERR_DATA,
}

_NOT_FOR_ROOM: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY}


def damaged(error: sqlite3.Error) -> bool:
    """Whether the file itself is bad, so that trying again can't help. An error of our own is one, too."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
    return code in _UNREADABLE or (code & 0xFF) in _DAMAGED


def wants_room(error: BaseException | None) -> bool:
    """Whether bytes given back may help: not a file that is locked or read-only."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_FULL) & 0xFF not in _NOT_FOR_ROOM


class Reserve:
    """A file of nothing: another program can fill the disk, but not these bytes. Given back in need."""

    def __init__(self, folder: Path, size: int = RESERVE_BYTES) -> None:
        self._path = folder / "outbox.reserve"
        self._size = size
        self._held = False

    def _is_there(self) -> bool:
        with contextlib.suppress(OSError):
            return self._path.stat().st_size == self._size
        return False

    def hold(self) -> bool:
        """Take the bytes where the disk has twice as many; whether they are taken."""
        if self._held:
            return True
        self._held = self._is_there()
        if self._held or free_bytes(self._path.parent) < 2 * self._size:
            return self._held
        try:
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size)
        except OSError:
            self.release()
        else:
            self._held = True
        return self._held

    def release(self) -> bool:
        """Give the bytes back; whether there were any."""
        self._held = False
        try:
            self._path.unlink()
        except OSError:
            return False
        return True


def free_bytes(folder: Path) -> int:
    """Bytes of the disk that are free for us; 0 where it can't be said."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize
