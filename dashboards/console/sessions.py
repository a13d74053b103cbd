"""Sessions: who is logged in, for how long. They stand in the file of the accounts and so outlive a restart.

A browser holds a token of 32 random bytes, the file its SHA-256: who reads the file can't log in with it.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from .account_book import Entry, key_of, write_note
from .account_file import AccountError, AccountFile
from .roles import Person, Role

IDLE_S: Final = 12 * 3600
"""Without a page being opened: a shift and the way home, so that nobody logs in twice a shift."""

LONGEST_S: Final = 7 * 86_400
"""However busy, a password once a week."""

VIEWERS_LONGEST_S: Final = 90 * 86_400
"""A wall screen, which nobody types at; it can change nothing."""

NOTED_EACH_S: Final = 300
"""How exactly the last use is kept: a write for each request would wear out a memory card."""

MOST_SESSIONS: Final = 20
"""Of one account; then the oldest ends."""


class Sessions:
    """The sessions in a file of accounts, read by one connection and written by another. `later` does on the
    writer's thread what nobody waits for. All methods raise AccountError.
    """

    def __init__(
        self, file: AccountFile, writer: AccountFile, later: Callable[[Callable[[], None]], object]
    ) -> None:
        self._file = file
        self._writer = writer
        self._later = later
        self._used: dict[str, int] = {}  # last uses that the file may not hold yet

    def begin(self, name: str, kept: str, *, now_s: int, address: str) -> str | None:
        """The token of a new session; None where the account is not any more what it was when its password
        was looked at (`kept` is what was kept of that)."""
        token, key = secrets.token_urlsafe(32), key_of(name)
        with self._writer.writing() as connection:
            changed = connection.execute(
                "UPDATE account SET seen_s = ? WHERE key = ? AND password = ?", (now_s, key, kept)
            ).rowcount
            if not changed:
                return None
            _clear(connection, key, now_s)
            connection.execute("INSERT INTO session VALUES (?, ?, ?, ?)", (_digest(token), key, now_s, now_s))
            write_note(connection, Entry(now_s, "login", name, address))
        return token

    def person(self, token: str, now_s: int, *, active: bool = True) -> Person | None:
        """Who a token belongs to, None where the session is over. `active`: somebody is there, and not only a
        page that is left open; a viewer's counts as somebody."""
        with self._file.reading() as connection:
            row = connection.execute(
                "SELECT name, role, began_s, session.seen_s FROM session JOIN account ON account = key "
                "WHERE token = ?",
                (_digest(token),),
            ).fetchone()
        if row is None:
            return None
        name, role, began_s = row[0], Role(row[1]), row[2]
        seen_s = max(row[3], self._used.get(token, 0))
        if now_s - seen_s > IDLE_S or now_s - began_s > _longest_s(role):
            return None
        if (active or role is Role.VIEWER) and now_s - seen_s >= NOTED_EACH_S:
            self._note_use(token, now_s)
        return Person(name, role, token)

    def _note_use(self, token: str, now_s: int) -> None:
        """That it is used. Somebody else's long write, or a disk that takes nothing, keeps nobody waiting."""
        self._used = {one: at_s for one, at_s in self._used.items() if now_s - at_s <= IDLE_S} | {
            token: now_s
        }

        def note() -> None:
            with suppress(AccountError), self._writer.writing() as connection:
                connection.execute("UPDATE session SET seen_s = ? WHERE token = ?", (now_s, _digest(token)))

        self._later(note)

    def end(self, person: Person, *, now_s: int, address: str) -> None:
        """Log out."""
        with self._writer.writing() as connection:
            connection.execute("DELETE FROM session WHERE token = ?", (_digest(person.session),))
            write_note(connection, Entry(now_s, "logout", person.name, address))


def _longest_s(role: Role) -> int:
    return VIEWERS_LONGEST_S if role is Role.VIEWER else LONGEST_S


def _clear(connection: sqlite3.Connection, key: str, now_s: int) -> None:
    """Forget what is over, and the oldest of an account that has too many for one more."""
    connection.execute(
        "DELETE FROM session WHERE seen_s < ? OR began_s < ?", (now_s - IDLE_S, now_s - VIEWERS_LONGEST_S)
    )
    connection.execute(
        "DELETE FROM session WHERE account = ? AND token NOT IN "
        "(SELECT token FROM session WHERE account = ? ORDER BY began_s DESC, seen_s DESC LIMIT ?)",
        (key, key, MOST_SESSIONS - 1),
    )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
