"""Which accounts a browser was used for before, in a cookie that only this page can write.

It opens nothing: its logins have a count of failures of their own, so that a stranger's guesses keep nobody
from the browser that they always use.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final

COOKIE: Final = "palier_browser"
MOST: Final = 8
"""Accounts that a browser is known to: a shift at a shared screen; then the first is forgotten."""

_WHOLE: Final = re.compile(r"[0-9a-f]{32}(\.[0-9a-f]{32}){1,8}")


@dataclass(frozen=True, slots=True)
class KnownBrowsers:
    """Reads and writes the cookie with the key of the file of accounts."""

    key: bytes

    def known(self, cookie: str, account: str) -> str:
        """What the browser is counted by, "" where it is not known to the account."""
        if not _WHOLE.fullmatch(cookie):
            return ""
        number, *marks = cookie.split(".")
        mine = self._mark(number, account)
        return f"{number} {account}" if any(hmac.compare_digest(mine, mark) for mark in marks) else ""

    def with_account(self, cookie: str, account: str) -> str:
        """The cookie after a login."""
        number, *marks = cookie.split(".") if _WHOLE.fullmatch(cookie) else [secrets.token_hex(16)]
        mine = self._mark(number, account)
        return ".".join([number, *[mark for mark in marks if mark != mine][1 - MOST :], mine])

    def _mark(self, number: str, account: str) -> str:
        told = f"{number} {account}".encode()
        return hmac.new(self.key, told, hashlib.sha256).hexdigest()[:32]
