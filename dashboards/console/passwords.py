"""Passwords of the page's people: what is kept of them, and what they have to be like.

Kept is Argon2id (RFC 9106), by argon2-cffi, with a salt of its own for each and the parameters beside it:
when these are raised, a login brings its own up to date.
"""

from __future__ import annotations

import base64
import secrets
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST: Final = 12
LONGEST: Final = 256
"""Letters: room for a sentence. What is longer would only cost time."""

FEWEST_KINDS: Final = 5
"""Different letters: fewer are a key that was held down."""

HASH_BYTES: Final = 32
SALT_BYTES: Final = 16


@dataclass(frozen=True)
class Passwords:
    """Makes and compares hashes. From any thread; a comparison takes as long for a wrong password as for a
    right one.

    The memory (KiB) and passes are what OWASP's cheat sheet on password storage names first: 19 MiB, twice,
    one lane. A Raspberry Pi has that to spare beside the page, and takes about a fifth of a second.
    """

    memory_kib: int = 19_456
    passes: int = 2

    @cached_property
    def _hasher(self) -> PasswordHasher:
        from argon2 import PasswordHasher

        return PasswordHasher(self.passes, self.memory_kib, 1, HASH_BYTES, SALT_BYTES)

    @cached_property
    def decoy(self) -> str:
        """A hash that no password fits: compared where there is no account, so that it takes as long."""
        salt, digest = (
            base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=")
            for size in (SALT_BYTES, HASH_BYTES)
        )
        return f"$argon2id$v=19$m={self.memory_kib},t={self.passes},p=1${salt}${digest}"

    def hashed(self, password: str) -> str:
        """The hash of a password, with parameters and salt."""
        return self._hasher.hash(_plain(password))

    def fits(self, kept: str, password: str) -> bool:
        """Whether a password is the one of which this was kept."""
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            return self._hasher.verify(kept, _plain(password))
        except (VerificationError, InvalidHashError):
            return False

    def is_old(self, kept: str) -> bool:
        """Whether a hash was made with other parameters than these."""
        return self._hasher.check_needs_rehash(kept)


def flaw_of(name: str, password: str) -> str | None:
    """What is wrong with a password for an account, as a key of the table `login`; None for a good one.

    Length is what counts (NIST SP 800-63B): no rule asks for digits or signs, and a sentence is welcome.
    """
    text = _plain(password)
    if len(text) < SHORTEST:
        return "password_short"
    if len(text) > LONGEST:
        return "password_long"
    if text.casefold().replace(_plain(name).casefold(), "").strip() == "":
        return "password_is_name"
    return "password_monotonous" if len(set(text.casefold())) < FEWEST_KINDS else None


def _plain(text: str) -> str:
    """The same letters from every keyboard: some send é as e and an accent."""
    return unicodedata.normalize("NFKC", text)
