"""Passwords, and mosquitto's password file: `name:$7$iterations$salt$hash`, PBKDF2 with SHA-512."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import Final

SECRET_BYTES: Final = 32
"""256 bits: beyond any guessing, so nothing has to slow a guesser down."""

ITERATIONS: Final = 101
"""mosquitto's own. More protects passwords that can be guessed; these can't, and the broker pays for each
iteration at each connection, of all gateways at once after an outage."""

MOST_ITERATIONS: Final = 10_000_000
"""Some seconds: a line with more was not written by any mosquitto_passwd, and is made anew."""

SALT_BYTES: Final = 12  # mosquitto 2.0 reads no other length
HASH_BYTES: Final = 64  # of SHA-512


class SecretError(ValueError):
    """A secret's file that can't be one. The sentence never holds what is in it."""


def new_secret() -> str:
    """A random secret as hex digits: none of them needs quoting anywhere."""
    return secrets.token_hex(SECRET_BYTES)


def read_secret(content: bytes) -> str:
    """The secret in a file, its newline aside. SecretError where programs would read it differently."""
    try:
        text = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise SecretError("must be UTF-8 text") from None  # the cause holds the bytes
    if not text:
        raise SecretError("is empty")
    if text != text.strip() or len(text.splitlines()) > 1 or not text.isprintable():
        raise SecretError("must be one line of printable text without blanks at its ends")
    return text


def password_line(account: str, password: str, salt: bytes | None = None) -> str:
    """A line of the password file. `salt`: SALT_BYTES, random by default."""
    salt = secrets.token_bytes(SALT_BYTES) if salt is None else salt
    digest = _digest(password, salt, ITERATIONS)
    return f"{account}:$7${ITERATIONS}${_base64(salt)}${_base64(digest)}"


def opens(line: str, password: str) -> bool:
    """Whether mosquitto takes that password with that line. False for a line that is none."""
    match line.partition(":")[2].split("$"):
        case ["", "7", iterations, salt, digest] if iterations.isascii() and iterations.isdigit():
            pass
        case _:
            return False
    try:
        expected = base64.b64decode(digest, validate=True)
        salted = base64.b64decode(salt, validate=True)
    except ValueError:
        return False
    if not 1 <= int(iterations[:9]) <= MOST_ITERATIONS:
        return False
    made = _digest(password, salted, int(iterations))
    return hmac.compare_digest(made, expected)


def accounts_of(text: str) -> dict[str, str]:
    """The lines of a password file by account."""
    return {line.partition(":")[0]: line for line in text.splitlines() if ":" in line}


def password_file(
    passwords: Mapping[str, str], before: str, line: Callable[[str, str], str] = password_line
) -> str:
    """The password file of these accounts. A line of `before` that still opens stays as it is."""
    known = accounts_of(before)
    return "".join(
        (known[name] if name in known and opens(known[name], password) else line(name, password)) + "\n"
        for name, password in passwords.items()
    )


def _digest(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations, HASH_BYTES)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
