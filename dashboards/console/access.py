"""The door of a page with accounts: who a session belongs to, and what a login comes to.

Hashes and writes happen on one thread of their own, one after the other: a login takes the memory of one
hash, and nobody who looks at the page waits for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import structlog
from starlette.requests import Request

from palier.settings import is_loopback

from .account_book import LOGIN_FAILED, Account, AccountBook, Entry, key_of
from .account_file import AccountFile, NoAccounts
from .known_browsers import KnownBrowsers
from .pacing import Attempt, Budgets, LoginPace, neighbourhood
from .passwords import Passwords
from .roles import Person, Role
from .sessions import Sessions

T = TypeVar("T")

MOST_AT_ONCE: Final = 8
"""Passwords that wait to be compared: the last of them for some two seconds on a gateway."""

BUSY_S: Final = 2.0

REQUESTS: Final = (600, 60.0)
"""At once and a second, of one address: twenty people behind one address who all open a page."""

COMMANDS: Final = (60, 1.0)
"""At once and a second, of one session: a flood of alarms, acknowledged as fast as one can press."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Login:
    """What a login came to: a `token` and the account's name, or a pause (s), or neither: refused."""

    token: str = ""
    name: str = ""
    wait_s: float = 0.0


class Access:
    """One for the application. `plain`: a password may come unencrypted over the network, somebody decided.

    Raises AccountError where the file can't be used, or holds no engineer.
    """

    def __init__(
        self,
        path: Path,
        *,
        plain: bool = False,
        passwords: Passwords | None = None,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = AccountFile(path)  # who looks at a page reads by a connection of their own
        self._writing = AccountFile(path)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="accounts")
        self._book = AccountBook(self._file)
        self._sessions = Sessions(self._file, self._writing, self._thread.submit)
        self._passwords = passwords or Passwords()
        self._browsers = KnownBrowsers(self._file.secret("browser"))
        self._plain = plain
        self._wall, self._monotonic = wall, monotonic
        self._pace = LoginPace()
        self._requests, self._commands = Budgets(*REQUESTS), Budgets(*COMMANDS)
        self._waiting = 0
        if not any(account.role is Role.ENGINEER for account in self._book.all()):
            self.close()
            raise NoAccounts(f"{path} holds no engineer, and nobody could give roles or confirm a baseline")

    def person(self, token: str, *, active: bool) -> Person | None:
        """Who a session's token belongs to, None where it is over. Raises AccountError."""
        return self._sessions.person(token, self._now_s(), active=active) if token else None

    def takes_passwords(self, request: Request) -> bool:
        """Whether a password may be typed here: encrypted, on this machine, or where somebody decided so."""
        return self._plain or is_secure(request) or is_loopback(address_of(request))

    def pause_of_requests(self, request: Request) -> float:
        """0 where an address may ask, otherwise how long it has to wait (s)."""
        return self._requests.take(neighbourhood(address_of(request)), self._monotonic())

    def pause_of_commands(self, person: Person) -> float:
        """0 where a session may give a command, otherwise how long it has to wait (s)."""
        return self._commands.take(person.session, self._monotonic())

    async def login(self, name: str, password: str, *, address: str, browser: str) -> Login:
        """Try a name and a password; `browser` is the cookie of `known_browsers`. Raises AccountError."""
        account, now_s = key_of(name)[:64], self._monotonic()
        attempt = Attempt(account, neighbourhood(address), self._browsers.known(browser, account))
        if self._waiting >= MOST_AT_ONCE * (2 if attempt.browser else 1):  # strangers' can't fill it up
            return Login(wait_s=BUSY_S)
        if wait_s := self._pace.begin(attempt, now_s):
            return Login(wait_s=wait_s)
        found = await self._on_thread(lambda: self._compared(name, password, address))
        if found.token:
            self._pace.succeeded(attempt)
            log.info("login", user=found.name, address=address)
        else:
            log.warning("login_failed", user=found.name, address=address)
        return found

    def browser_after(self, browser: str, name: str) -> str:
        """The cookie of a browser after a login."""
        return self._browsers.with_account(browser, key_of(name)[:64])

    async def logout(self, person: Person, address: str) -> None:
        """End a session. Raises AccountError."""
        now_s = self._now_s()
        await self._on_thread(lambda: self._sessions.end(person, now_s=now_s, address=address))
        log.info("logout", user=person.name, address=address)

    async def change_password(self, person: Person, before: str, after: str, *, address: str) -> Login:
        """Give oneself another password; a new session, for all others of the account end. As `login`."""
        found = await self.login(person.name, before, address=address, browser="")
        if not found.token:
            return found

        def changed() -> str | None:
            kept, now_s = self._passwords.hashed(after), self._now_s()
            AccountBook(self._writing).set_password(person.name, kept, by=person.name, now_s=now_s)
            return self._sessions.begin(person.name, kept, now_s=now_s, address=address)

        token = await self._on_thread(changed)
        log.info("password_changed", user=person.name, address=address)
        return Login(token or "", person.name)

    def accounts(self) -> tuple[Account, ...]:
        """All accounts. Raises AccountError."""
        return self._book.all()

    def journal(self, most: int) -> tuple[Entry, ...]:
        """The newest lines of the journal, the newest first. Raises AccountError."""
        return self._book.journal(most)

    def close(self) -> None:
        """End the thread and give the file back."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._file.close()
        self._writing.close()

    def _compared(self, name: str, password: str, address: str) -> Login:
        """On the thread. As long and as much for a name that there is not as for a wrong password."""
        book, now_s = AccountBook(self._writing), self._now_s()
        found = book.password(name)
        kept = found[1] if found else self._passwords.decoy
        fits = self._passwords.fits(kept, password)
        known = found[0].name if found else ""  # what is typed there by mistake may be a password
        token = None
        if found and fits:
            token = self._sessions.begin(known, kept, now_s=now_s, address=address)
        if token is None:
            book.note(Entry(now_s, LOGIN_FAILED, known, address))
            return Login(name=known)
        if self._passwords.is_old(kept):
            book.rehash(known, kept, self._passwords.hashed(password))
        return Login(token, known)

    async def _on_thread(self, do: Callable[[], T]) -> T:
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, do)
        finally:
            self._waiting -= 1

    def _now_s(self) -> int:
        return int(self._wall())


def address_of(request: Request) -> str:
    """Where a request comes from; behind a proxy that is trusted, where it came from before."""
    return request.client.host if request.client else ""


def is_secure(request: Request) -> bool:
    """Whether the browser sees https."""
    return request.url.scheme == "https"
