"""Accounts, and the journal of who came, who was refused and what was changed (IEC 62443-4-2, CR 2.8)."""

from __future__ import annotations

import sqlite3
import unicodedata
from dataclasses import dataclass
from typing import Final

from palier.wire.operations import MAX_USER

from .account_file import AccountError, AccountFile
from .roles import Role

SIGNS: Final = frozenset(" .'’_@-")
"""What a name may hold beside letters, marks and digits."""

UNSEEN: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""Letters and marks that draw nothing: with one of them a name would look like another one's."""

MOST_FAILURES: Final = 2000
MOST_NOTED: Final = 8000
"""Entries of the journal: failures have a bound of their own, so that they can't push out the rest."""

LOGIN_FAILED: Final = "login_failed"


@dataclass(frozen=True, slots=True)
class Account:
    """One account. `seen_s` is its last login, None before the first; times are seconds since 1970."""

    name: str
    role: Role
    since_s: int
    password_s: int
    seen_s: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the journal: when, what, about whom, from where, and what else (mostly: by whom)."""

    at_s: int
    what: str
    name: str
    address: str = ""
    detail: str = ""


def key_of(name: str) -> str:
    """What tells accounts apart: capitals and ways of writing an accent do not."""
    return unicodedata.normalize("NFKC", name).casefold()


def checked_name(name: str) -> str:
    """A name as it is kept. Raises AccountError for one that could be taken for something else."""
    text = " ".join(unicodedata.normalize("NFC", name).split())
    fits = all(letter in SIGNS or _is_seen(letter) for letter in text)
    named = any(letter.isalnum() for letter in text)
    if not (fits and named and text == name and len(text) <= MAX_USER):
        raise AccountError(
            f"a name must be 1 to {MAX_USER} letters, digits, single spaces or . ' _ @ -, got {name[:80]!r}"
        )
    return text


def _is_seen(letter: str) -> bool:
    named = "VARIATION SELECTOR" in unicodedata.name(letter, "")
    return unicodedata.category(letter)[0] in "LMN" and letter not in UNSEEN and not named


class AccountBook:
    """The accounts in a file. Every change writes the journal in the same transaction, and ends the sessions
    that it must. `by` is who does it, `now_s` when. All methods raise AccountError.
    """

    def __init__(self, file: AccountFile) -> None:
        self._file = file

    def all(self) -> tuple[Account, ...]:
        """All accounts, engineers first."""
        with self._file.reading() as connection:
            rows = connection.execute(
                "SELECT name, role, since_s, password_s, seen_s FROM account"
            ).fetchall()
        found = [Account(name, Role(role), *rest) for name, role, *rest in rows]
        order = tuple(reversed(Role))
        return tuple(sorted(found, key=lambda one: (order.index(one.role), key_of(one.name))))

    def password(self, name: str) -> tuple[Account, str] | None:
        """An account and what is kept of its password; None where there is none of that name."""
        with self._file.reading() as connection:
            row = connection.execute(
                "SELECT name, role, since_s, password_s, seen_s, password FROM account WHERE key = ?",
                (key_of(name),),
            ).fetchone()
        return None if row is None else (Account(row[0], Role(row[1]), *row[2:5]), row[5])

    def add(self, name: str, role: Role, password: str, *, by: str, now_s: int) -> None:
        """A new account; `password` is a hash."""
        name = checked_name(name)
        with self._file.writing() as connection:
            if _find(connection, name) is not None:
                raise AccountError(f"there is an account {name!r} already: change it, or take another name")
            connection.execute(
                "INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, NULL)",
                (key_of(name), name, role, password, now_s, now_s),
            )
            write_note(connection, Entry(now_s, "account_added", name, detail=f"{role}, {by}"))

    def remove(self, name: str, *, by: str, now_s: int) -> None:
        """End an account and its sessions. The last engineer's stays."""
        with self._file.writing() as connection:
            kept = _need(connection, name)
            _keep_an_engineer(connection, name)
            connection.execute("DELETE FROM account WHERE key = ?", (key_of(name),))  # its sessions with it
            write_note(connection, Entry(now_s, "account_removed", kept, detail=by))

    def set_role(self, name: str, role: Role, *, by: str, now_s: int) -> None:
        """Another role; who is logged in has to do it again. The last engineer stays one."""
        with self._file.writing() as connection:
            kept = _need(connection, name)
            if role is not Role.ENGINEER:
                _keep_an_engineer(connection, name)
            connection.execute("UPDATE account SET role = ? WHERE key = ?", (role, key_of(name)))
            _end_sessions(connection, name)
            write_note(connection, Entry(now_s, "role_changed", kept, detail=f"{role}, {by}"))

    def set_password(self, name: str, password: str, *, by: str, now_s: int) -> None:
        """Another password (its hash); who is logged in has to do it again."""
        with self._file.writing() as connection:
            kept = _need(connection, name)
            connection.execute(
                "UPDATE account SET password = ?, password_s = ? WHERE key = ?",
                (password, now_s, key_of(name)),
            )
            _end_sessions(connection, name)
            write_note(connection, Entry(now_s, "password_changed", kept, detail=by))

    def rehash(self, name: str, before: str, after: str) -> None:
        """The same password, kept by newer parameters; nothing where it is another by now."""
        with self._file.writing() as connection:
            connection.execute(
                "UPDATE account SET password = ? WHERE key = ? AND password = ?",
                (after, key_of(name), before),
            )

    def note(self, entry: Entry) -> None:
        """Write a line of the journal."""
        with self._file.writing() as connection:
            write_note(connection, entry)

    def journal(self, most: int) -> tuple[Entry, ...]:
        """The newest lines, the newest first."""
        with self._file.reading() as connection:
            rows = connection.execute(
                "SELECT at_s, what, name, address, detail FROM journal ORDER BY id DESC LIMIT ?", (most,)
            ).fetchall()
        return tuple(Entry(*row) for row in rows)


def _find(connection: sqlite3.Connection, name: str) -> str | None:
    row = connection.execute("SELECT name FROM account WHERE key = ?", (key_of(name),)).fetchone()
    return None if row is None else str(row[0])


def _need(connection: sqlite3.Connection, name: str) -> str:
    """The name as it is kept."""
    found = _find(connection, name)
    if found is None:
        raise AccountError(f"there is no account {name[:80]!r}: `palier user list` tells them")
    return found


def _keep_an_engineer(connection: sqlite3.Connection, name: str) -> None:
    """AccountError where nobody could give roles or confirm baselines without this account."""
    (others,) = connection.execute(
        "SELECT count(*) FROM account WHERE role = ? AND key <> ?", (Role.ENGINEER, key_of(name))
    ).fetchone()
    if not others:
        raise AccountError(f"{name!r} is the last engineer, and a page needs one: make another one first")


def _end_sessions(connection: sqlite3.Connection, name: str) -> None:
    connection.execute("DELETE FROM session WHERE account = ?", (key_of(name),))


def write_note(connection: sqlite3.Connection, entry: Entry) -> None:
    """Write a line of the journal within a transaction, and drop what is beyond its bound."""
    connection.execute(
        "INSERT INTO journal(at_s, what, name, address, detail) VALUES (?, ?, ?, ?, ?)",
        (entry.at_s, entry.what, entry.name, entry.address[:64], entry.detail[:200]),
    )
    failure = entry.what == LOGIN_FAILED
    connection.execute(
        "DELETE FROM journal WHERE (what = ?) = ? AND id <= "
        "(SELECT id FROM journal WHERE (what = ?) = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
        (LOGIN_FAILED, failure, LOGIN_FAILED, failure, MOST_FAILURES if failure else MOST_NOTED),
    )
