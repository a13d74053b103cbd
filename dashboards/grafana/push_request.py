"""What the user of a push has given: addresses and secrets, checked before anything is sent."""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from palier.options import USAGE, CommandError
from palier.settings import is_loopback

from .push_plan import HOURLY, RAW, DataSource


@dataclass(frozen=True)
class GrafanaAccess:
    """Where the Grafana is and who we are there. Raises CommandError for what can't be used."""

    url: str
    token: SecretStr
    ca: Path | None = None
    insecure: bool = False

    def __post_init__(self) -> None:
        parts = checked_url(self.url, "--url")
        if parts.scheme == "http" and not self.insecure and not is_loopback(parts.hostname or ""):
            raise CommandError(
                f"--url {self.url} is another machine over plain http, and anybody between can read the "
                "token: use https, or --insecure to accept that",
                USAGE,
            )
        if self.ca is not None:
            _authority(self.ca, "--ca")


@dataclass(frozen=True)
class InfluxAccess:
    """How Grafana reaches InfluxDB: with an account of 1.x (`user`) or a token of 2.x."""

    url: str
    database: str
    user: str | None
    secret: SecretStr
    authority: str | None = None

    @classmethod
    def of(
        cls,
        url: str | None,
        *,
        database: str,
        user: str | None,
        password_file: Path | None,
        token_file: Path | None,
        ca: Path | None,
    ) -> InfluxAccess | None:
        """What the options say, None without an address. Raises CommandError."""
        if url is None:
            if any((user, password_file, token_file, ca)):
                raise CommandError("the options of the data sources need --influx-url", USAGE)
            return None
        checked_url(url, "--influx-url")
        # The rule of InfluxDB's bucket names that are databases too, and of what InfluxQL need not quote.
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", database):
            raise CommandError(f"--database must be letters, digits, _ and -, got {database!r}", USAGE)
        if (token_file is None) == (user is None) or (user is None) != (password_file is None):
            raise CommandError(
                "the data sources need either --reader-user and --reader-password-file (InfluxDB 1.x) or "
                "--reader-token-file (2.x), and not both",
                USAGE,
            )
        if token_file is not None:
            secret = read_secret(token_file, "--reader-token-file")
        else:
            secret = read_secret(password_file, "--reader-password-file")
        authority = None if ca is None else _authority(ca, "--influx-ca")
        return cls(url.rstrip("/"), database, user, secret, authority)

    def data_sources(self) -> tuple[DataSource, DataSource]:
        """The one of the raw series and the one of the hourly series."""
        own_ca = self.authority is not None
        return (
            DataSource(RAW, self.url, self.database, self.user, own_ca),
            DataSource(HOURLY, self.url, f"{self.database}_hourly", self.user, own_ca),
        )

    def secrets(self) -> dict[str, SecretStr]:
        """What Grafana must keep encrypted, by its name for it."""
        text = self.secret.get_secret_value()
        secrets = {"password": self.secret} if self.user else {"httpHeaderValue1": SecretStr(f"Token {text}")}
        if self.authority is not None:
            secrets["tlsCACert"] = SecretStr(self.authority)
        return secrets


def checked_url(url: str, option: str) -> SplitResult:
    """An address in its parts. Raises CommandError for one that can't be used or that holds a secret."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or re.search(r"\s", url):
        raise CommandError(f"{option} must be like https://host:3000 or https://host/path", USAGE)
    if parts.username is not None or parts.password is not None:
        raise CommandError(
            f"{option} must not hold an account: what is on a command line everybody on the machine can read",
            USAGE,
        )
    if parts.query or parts.fragment:
        raise CommandError(f"{option} must end before ? and #", USAGE)
    return parts


def read_secret(file: Path | None, option: str, variable: str | None = None) -> SecretStr:
    """The one line of a file, or without a file the variable. Raises CommandError, which never shows it."""
    if file is not None:
        try:
            text, where = file.read_text("utf-8"), f"{option} {file}"
        except (OSError, UnicodeDecodeError) as error:
            told = error.strerror if isinstance(error, OSError) else "it is not text"
            raise CommandError(f"{option} {file} can't be read: {told}", USAGE) from None
    elif variable is not None and variable in os.environ:
        text, where = os.environ[variable], variable
    else:
        either = f", or the variable {variable}" if variable else ""
        raise CommandError(f"{option} FILE is missing{either}", USAGE)
    text = text.strip()
    # It goes into an HTTP header or a JSON string: one line of printable ASCII serves both.
    if not re.fullmatch(r"[\x20-\x7e]+", text):
        what = "is empty" if not text else "holds more than one line of plain characters"
        raise CommandError(f"{where} must hold one secret, and {what}", USAGE)
    return SecretStr(text)


def _authority(file: Path, option: str) -> str:
    try:
        text = file.read_text("ascii")
        ssl.create_default_context(cadata=text)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        told = getattr(error, "strerror", None) or "it holds no certificate"
        if isinstance(error, ssl.SSLError):
            told = "it holds no certificate in PEM"
        raise CommandError(f"{option} {file} can't be used: {told}", USAGE) from error
    return text
