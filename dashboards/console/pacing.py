"""How fast the page may be asked: growing pauses after wrong passwords, and budgets that fill again. Pure.

Nobody can be locked out by somebody else's attempts. An address without a recent failure is heard at once; so
is a browser that the account was used from before, which has a count of its own (the scheme of OWASP's
"device cookies"). Who fails waits longer and longer, a minute at most.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

FREE_FAILURES: Final = 5
"""Slips of the finger that cost no pause."""

LONGEST_PAUSE_S: Final = 60.0
LONGEST_USERS_PAUSE_S: Final = 10.0
"""Of an account that is guessed at from many addresses: 360 guesses an hour against twelve letters."""

FORGOTTEN_S: Final = 900.0
"""A failure counts for a quarter of an hour after the last one."""

MOST_KEPT: Final = 4096
"""Names and addresses that are remembered at once, each some 200 bytes; then the oldest is forgotten."""


@dataclass(slots=True)
class _Count:
    failures: int = 0
    last_s: float = 0.0


class Pauses:
    """Failures by key, and the pause that they cost. Times are seconds of one monotonic clock."""

    def __init__(self, longest_s: float, most: int = MOST_KEPT) -> None:
        self._longest_s = longest_s
        self._most = most
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    def failures(self, key: str, now_s: float) -> int:
        """Failures that still count."""
        count = self._counts.get(key)
        return 0 if count is None or now_s - count.last_s > FORGOTTEN_S else count.failures

    def wait_s(self, key: str, now_s: float) -> float:
        """How long to wait before the next attempt, 0 for not at all."""
        beyond = self.failures(key, now_s) - FREE_FAILURES
        if beyond < 0:
            return 0.0
        pause_s = min(self._longest_s, 2.0 ** min(beyond, 16))
        return max(0.0, self._counts[key].last_s + pause_s - now_s)

    def failed(self, key: str, now_s: float) -> None:
        """Note a failure."""
        self._counts[key] = _Count(self.failures(key, now_s) + 1, now_s)
        self._counts.move_to_end(key)
        while len(self._counts) > self._most:
            self._counts.popitem(last=False)

    def forgive(self, key: str) -> None:
        """Take one failure back: it was none."""
        count = self._counts.get(key)
        if count is not None:
            count.failures -= 1
            if count.failures <= 0:
                del self._counts[key]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A login that is tried: for which account, from where, and (where the browser is known to the account)
    by which browser, "" otherwise."""

    account: str
    address: str
    browser: str = ""


class LoginPace:
    """Who has to wait before a further password is looked at.

    An attempt counts as a failure from its beginning until `succeeded`: a hundred at once gain nothing.
    """

    def __init__(self) -> None:
        self._browsers = Pauses(LONGEST_PAUSE_S)
        self._addresses = Pauses(LONGEST_PAUSE_S)
        self._accounts = Pauses(LONGEST_USERS_PAUSE_S)

    def begin(self, attempt: Attempt, now_s: float) -> float:
        """0 where the attempt may go on, and is then counted; otherwise how long to wait (s)."""
        wait_s = self._wait_s(attempt, now_s)
        if wait_s == 0.0:
            for pauses, key in self._counted(attempt):
                pauses.failed(key, now_s)
        return wait_s

    def succeeded(self, attempt: Attempt) -> None:
        """Take the count of this attempt back; what failed before goes on to count."""
        for pauses, key in self._counted(attempt):
            pauses.forgive(key)

    def _wait_s(self, attempt: Attempt, now_s: float) -> float:
        if attempt.browser:
            return self._browsers.wait_s(attempt.browser, now_s)
        if self._addresses.failures(attempt.address, now_s) == 0:
            return 0.0
        return max(
            self._addresses.wait_s(attempt.address, now_s), self._accounts.wait_s(attempt.account, now_s)
        )

    def _counted(self, attempt: Attempt) -> tuple[tuple[Pauses, str], ...]:
        if attempt.browser:
            return ((self._browsers, attempt.browser),)
        return (self._addresses, attempt.address), (self._accounts, attempt.account)


class Budgets:
    """So many at once, and so many a second after that, by key."""

    def __init__(self, burst: int, per_s: float, most: int = MOST_KEPT) -> None:
        self._burst = burst
        self._per_s = per_s
        self._most = most
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._left)

    def take(self, key: str, now_s: float) -> float:
        """0 where one was left, and is then taken; otherwise how long until there is one (s)."""
        left, at_s = self._left.get(key, (float(self._burst), now_s))
        left = min(float(self._burst), left + max(0.0, now_s - at_s) * self._per_s)
        wait_s = 0.0 if left >= 1 else (1 - left) / self._per_s
        self._left[key] = (left - 1 if left >= 1 else left, now_s)
        self._left.move_to_end(key)
        while len(self._left) > self._most:
            self._left.popitem(last=False)
        return wait_s


def neighbourhood(address: str) -> str:
    """An address as it is counted: one of IPv6 by its network, of which one host has 2**64."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((int(ip), 64), strict=False))
    return str(ip)
