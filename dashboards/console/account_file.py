"""The file of the page's accounts: one SQLite database, readable to its owner alone.

SQLite and not a text file, because three write to it: the command `palier user`, the page (sessions, journal)
and a second page. A change and what it ends, say a role and the sessions that had it, are one transaction.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

APPLICATION_ID: Final = 0x50414343
""""PACC": tells this file from any other of SQLite."""

VERSION: Final = 1
PRIVATE: Final = 0o600
BUSY_S: Final = 5.0
"""How long a write waits for another one; none takes longer than a flush of the disk."""

_SCHEMA: Final = """
CREATE TABLE account(
  key TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, password TEXT NOT NULL,
  since_s INTEGER NOT NULL, password_s INTEGER NOT NULL, seen_s INTEGER
) WITHOUT ROWID;
CREATE TABLE session(
  token BLOB PRIMARY KEY, account TEXT NOT NULL REFERENCES account(key) ON DELETE CASCADE,
  began_s INTEGER NOT NULL, seen_s INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX session_account ON session(account, began_s);
CREATE TABLE journal(
  id INTEGER PRIMARY KEY AUTOINCREMENT, at_s INTEGER NOT NULL, what TEXT NOT NULL, name TEXT NOT NULL,
  address TEXT NOT NULL, detail TEXT NOT NULL
);
CREATE TABLE secret(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""


class AccountError(Exception):
    """The accounts can't be used, or not in this way; `str` is a sentence."""


class NoAccounts(AccountError):
    """There is no file, or nobody in it who could let others in."""


class AccountFile:
    """A connection to the file, for any thread, one after the other. Times are whole seconds since 1970."""

    def __init__(self, path: Path) -> None:
        """Open a file that is there. Raises AccountError for one that is not, or that others can read."""
        self.path = path
        self._lock = threading.RLock()
        self._connection = _opened(path)
        try:
            self._look()
        except BaseException:
            self._connection.close()
            raise

    @classmethod
    def create(cls, path: Path) -> AccountFile:
        """The file, made where there is none yet. Raises AccountError."""
        if not path.exists():
            _make(path)
        return cls(path)

    def close(self) -> None:
        """Give it back."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, to read from. Raises AccountError where the disk does not answer."""
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise AccountError(f"{self.path}: the accounts can't be read or written: {error}") from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that holds or falls as a whole, alone with the file. Raises AccountError."""
        with self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def secret(self, name: str) -> bytes:
        """A key of this file, drawn when it was made."""
        with self.reading() as connection:
            (value,) = connection.execute("SELECT value FROM secret WHERE name = ?", (name,)).fetchone()
            return bytes(value)

    def _look(self) -> None:
        with self.reading() as connection:
            (found,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")  # a change that was told is on the disk
        if found != APPLICATION_ID:
            raise AccountError(f"{self.path} is not a file of accounts: give the one that `palier user` made")
        if version != VERSION:
            raise AccountError(
                f"{self.path} is of version {version}, this Palier knows {VERSION}: use the one it is of"
            )


def _opened(path: Path) -> sqlite3.Connection:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise NoAccounts(f"{path}: there are no accounts: {error.strerror}") from error
    except OSError as error:
        raise AccountError(f"{path}: can't be looked at: {error.strerror or error}") from error
    if not stat.S_ISREG(mode):
        raise AccountError(f"{path} must be a file of accounts, and is none")
    if mode & 0o077:
        raise AccountError(
            f"{path} holds password hashes and must be for its owner alone, but its mode is "
            f"{stat.S_IMODE(mode):04o}: chmod 600 {path}"
        )
    if not (os.access(path, os.R_OK | os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)):
        raise AccountError(
            f"{path} and its folder must be writable for who uses them, and are not for user {os.getuid()}: "
            "give both to the page's user (chown), and call `palier user` as that one"
        )
    try:
        return sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise AccountError(f"{path}: can't be opened: {error}") from error


def _make(path: Path) -> None:
    """A whole file or none: written aside, and named when it stands. One that somebody else makes at the same
    moment is left alone."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    _in_words(path, lambda: path.parent.mkdir(mode=0o700, parents=True, exist_ok=True))
    _in_words(path, lambda: os.close(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE)))
    try:
        _in_words(path, lambda: _fill(aside))
        _in_words(path, lambda: _name(aside, path))
    finally:
        aside.unlink(missing_ok=True)


def _fill(aside: Path) -> None:
    connection = sqlite3.connect(aside, isolation_level=None)
    try:
        connection.executescript(_SCHEMA)
        connection.execute("INSERT INTO secret VALUES ('browser', ?)", (secrets.token_bytes(32),))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("PRAGMA journal_mode = WAL")  # who reads never waits for who writes
    finally:
        connection.close()


def _name(aside: Path, path: Path) -> None:
    try:
        os.link(aside, path)  # unlike a rename it never takes the place of a file that is there
    except FileExistsError:
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _in_words(path: Path, step: Callable[[], None]) -> None:
    try:
        step()
    except (OSError, sqlite3.Error) as error:
        raise AccountError(f"{path}: the accounts can't be made: {error}") from error
