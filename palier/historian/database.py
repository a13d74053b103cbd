"""One SQLite file behind one lock: how it is opened, how its errors are told, how old files come forward.

WAL, so that readers in other processes never wait for the writer; synchronous=FULL, so that a commit
survives a power cut. The errors of sqlite3 end here, split by who acts.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from .base import HistorianError, SchemaError, Unavailable

Migrate = Callable[[sqlite3.Connection, int], None]
"""Brings an open file from the version given (0: empty) to the present one, inside a transaction."""

BUSY_TIMEOUT_S: Final = 5.0
"""How long a statement waits for a lock: a checkpoint takes milliseconds, a second writer is a mistake."""

MEBIBYTE: Final = 1024 * 1024

WAL_LIMIT_BYTES: Final = 64 * MEBIBYTE
"""What the WAL file is cut back to after a checkpoint; it grows beyond only while a reader holds it open."""

READER_CACHE_BYTES: Final = MEBIBYTE // 2
"""Pages that a reader keeps: the upper levels of its trees. A page has four readers, each of which would keep
2 MiB by SQLite's default; what they read is in the system's cache anyway."""

INT64_MAX: Final = 2**63 - 1

RETRY: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,  # another process holds the lock
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,  # disk full
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,  # a disk in trouble is remounted read-only
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_ABORT,
        sqlite3.SQLITE_PROTOCOL,  # lock race at opening
    }
)
"""Primary result codes after which the same call can succeed later. All others need a person."""


@dataclass(frozen=True, slots=True)
class FileKind:
    """What a file is: its name for people, its mark (`application_id`), its schema version, its migration.

    `page_bytes` is what a new file is made with; one that is there keeps its own. The writer keeps up to
    `cache_bytes` of pages, and moves them from the WAL into the file when it holds `checkpoint_bytes`.
    """

    title: str
    mark: int
    version: int
    migrate: Migrate
    page_bytes: int = 4096
    cache_bytes: int = 2 * MEBIBYTE
    checkpoint_bytes: int = 4 * MEBIBYTE


class Database:
    """One connection to one file. Any thread may call, calls wait for each other. Raises HistorianError."""

    def __init__(self, path: Path, kind: FileKind, *, read_only: bool) -> None:
        self.path = path
        self._kind = kind
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        if read_only and not path.exists():
            raise Unavailable(f"there is no {kind.title} at {path} yet; the ingest makes it when it starts")
        with self._dressed():
            self._connection = _connect(path, read_only)
            try:
                if read_only:
                    self._check()
                else:
                    self._bring_forward()
            except BaseException:
                self.close()
                raise

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, durable when the block ends without an error."""
        with self._lock, self._dressed(), self._begun("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Reads within the block see one state of the file, whatever a writer does meanwhile."""
        with self._lock, self._dressed(), self._begun("BEGIN") as connection:
            yield connection

    def query(
        self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()
    ) -> list[tuple[Any, ...]]:
        """All rows of one SELECT; their types are those of the columns."""
        with self._lock, self._dressed():
            return self._opened().execute(sql, parameters).fetchall()

    def changes(self) -> int:
        """A number that is another one after somebody else has written: cheap enough to ask all the time."""
        (version,) = self.query("PRAGMA data_version")[0]
        return int(version)

    def close(self) -> None:
        """Let go of the file. Closing twice is allowed."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise Unavailable(f"the {self._kind.title} at {self.path} was closed by this process")
        return self._connection

    @contextmanager
    def _begun(self, begin: str) -> Iterator[sqlite3.Connection]:
        connection = self._opened()
        connection.execute(begin)
        try:
            yield connection
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:  # the block or the commit failed
                connection.execute("ROLLBACK")

    @contextmanager
    def _dressed(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise dress(error, self._kind.title, self.path) from error

    def _check(self) -> None:
        connection = self._opened()
        connection.execute(f"PRAGMA cache_size={-READER_CACHE_BYTES // 1024}")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (mark,) = connection.execute("PRAGMA application_id").fetchone()
        if version == 0 and mark == 0:
            raise Unavailable(f"the {self._kind.title} at {self.path} is still empty; the ingest fills it")
        self._refuse_foreign(version, mark)
        if version < self._kind.version:
            raise SchemaError(
                f"the {self._kind.title} at {self.path} must be of schema {self._kind.version}, it is of "
                f"schema {version}; start the ingest of this version once, it brings the file forward"
            )

    def _refuse_foreign(self, version: int, mark: int) -> None:
        if mark != self._kind.mark:
            raise SchemaError(
                f"{self.path} must be a {self._kind.title} of Palier, it is another SQLite file"
            )
        if version > self._kind.version:
            raise SchemaError(
                f"the {self._kind.title} at {self.path} must be of schema {self._kind.version} or older, "
                f"it is of schema {version}; run the version of Palier that wrote it, or a newer one"
            )

    def _bring_forward(self) -> None:
        connection = self._opened()
        connection.execute(f"PRAGMA page_size={self._kind.page_bytes}")
        connection.execute("PRAGMA journal_mode=WAL")
        prepare_writer(connection, self._kind)
        with self._begun("BEGIN IMMEDIATE"):
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            (mark,) = connection.execute("PRAGMA application_id").fetchone()
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if tables or version or mark:
                self._refuse_foreign(version, mark)
            self._kind.migrate(connection, version)
            if (version, mark) == (self._kind.version, self._kind.mark):
                return  # without a write: a disk that is full keeps nobody from starting
            connection.execute(f"PRAGMA application_id={self._kind.mark}")
            connection.execute(f"PRAGMA user_version={self._kind.version}")


def prepare_writer(connection: sqlite3.Connection, kind: FileKind) -> None:
    """The settings of a connection that writes; they are not kept in the file."""
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA journal_size_limit={WAL_LIMIT_BYTES}")
    connection.execute(f"PRAGMA cache_size={-kind.cache_bytes // 1024}")  # less than 0: in KiB
    connection.execute(f"PRAGMA wal_autocheckpoint={kind.checkpoint_bytes // page_bytes}")


def dress(error: sqlite3.Error, title: str, path: Path) -> HistorianError:
    """The error of ours for one of sqlite3's, decided by its primary result code alone."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in RETRY:
        return Unavailable(
            f"the {title} at {path} can't be used now: {error}; nothing was written, try again"
        )
    return SchemaError(
        f"the {title} at {path} can't be used: {error}; run `palier doctor`, or restore the file"
    )


def used_bytes(connection: sqlite3.Connection) -> int:
    """Bytes of the pages that hold something."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def clamp(ts_ns: int) -> int:
    """A time that SQLite can compare with: beyond 64 bits it means before or after everything."""
    return max(-INT64_MAX, min(INT64_MAX, ts_ns))


def _connect(path: Path, read_only: bool) -> sqlite3.Connection:
    mode = "ro" if read_only else "rwc"
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,  # transactions are begun and ended above, in one place
        check_same_thread=False,  # the lock above stands for it
    )
