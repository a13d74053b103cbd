"""Which historian a service uses, by its settings: SQLite in the data folder, or an InfluxDB."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from palier.extras import how_to_install, missing
from palier.settings import is_loopback, secret_text
from palier.strict_toml import ConfigError, Mistake

from .base import Historian, SchemaError
from .influx_server import READ_S, Account
from .sqlite import SqliteHistorian

if TYPE_CHECKING:
    from .influx import InfluxHistorian

_URL: Final = re.compile(r"https?://[^/\s?#@]+/?")


class HistorianSettings(BaseModel):
    """Where the series are kept. Without `url` they are in the SQLite file of the data folder.

    [historian]
    url = "http://127.0.0.1:8086"
    database = "palier"                   # the bucket's name on 2.x
    username = "palier_writer"            # 1.x: a name and a password
    password_file = "influx_writer_password"
    # or, for 2.x, a token and the organisation:
    # token_file = "influx_writer_token"
    # org = "palier"
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str | None = None
    database: str = Field(default="palier", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    org: str = ""
    username: str = ""
    password: SecretStr | None = Field(default=None, description="for the environment")
    password_file: Path | None = None
    token: SecretStr | None = Field(default=None, description="for the environment")
    token_file: Path | None = None
    ca_file: Path | None = Field(default=None, description="authority of the server's certificate, in PEM")
    insecure: bool = Field(default=False, description="allow plain text to a server on another machine")

    @field_validator("url")
    @classmethod
    def _a_server(cls, url: str | None) -> str | None:
        """The url; one that is none may hold a password, so it is not repeated."""
        if url is not None and not _URL.fullmatch(url):
            raise ValueError(
                "url in [historian] must be http(s)://HOST:PORT, without a path and without an account"
            )
        return url

    @model_validator(mode="after")
    def _no_plain_text_abroad(self) -> HistorianSettings:
        parts = urlsplit(self.url or "")
        if parts.scheme == "http" and parts.hostname and not (self.insecure or is_loopback(parts.hostname)):
            raise ValueError(
                f"url in [historian]: {parts.hostname} is another machine, and without TLS anybody between "
                "can read the account and forge the series: give https, or insecure = true to accept that"
            )
        return self

    @model_validator(mode="after")
    def _one_account(self) -> HistorianSettings:
        for name in ("password", "token"):
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                raise ValueError(f"{name} and {name}_file must not both be given")
        given = [name for name in ("username", "password_file", "token_file", "org") if getattr(self, name)]
        if self.url is None and given:
            raise ValueError(f"{', '.join(given)} are for an InfluxDB: give its url too, or leave them out")
        by_token = self.token is not None or self.token_file is not None
        by_name = [name for name in ("username", "password", "password_file") if getattr(self, name)]
        if by_token and by_name:
            raise ValueError(
                f"a token is for InfluxDB 2.x, {' and '.join(by_name)} for 1.x: give one or the other"
            )
        if self.username and not (self.password or self.password_file):
            raise ValueError(f"username {self.username!r} must come with password_file")
        return self

    def account(self) -> Account:
        """The account. Raises ConfigError when a file of it is not there or empty, or `ca_file` not there."""
        for key in ("password_file", "token_file", "ca_file"):
            if (file := getattr(self, key)) is not None and not _is_file(file):
                raise ConfigError(file, (Mistake(None, f"{key} in [historian] must be a file, and is none"),))
        return Account(
            self.username,
            secret_text(self.password, self.password_file, "password") or "",
            secret_text(self.token, self.token_file, "token") or "",
        )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # in a folder that is closed to us
        return False


def open_historian(
    settings: HistorianSettings, file: Path, *, read_only: bool = False, read_s: float = READ_S
) -> Historian:
    """The historian of these settings; `file` is the SQLite file where they name no server.

    `read_s` is how long one waits for a server that says nothing. Raises ConfigError, HistorianError.
    """
    if settings.url is None:
        return SqliteHistorian(file, read_only=read_only)
    return open_influx(settings, settings.url, read_s=read_s)


def open_influx(settings: HistorianSettings, url: str, *, read_s: float = READ_S) -> InfluxHistorian:
    """The InfluxDB at `url` with the account of these settings. Raises ConfigError, HistorianError."""
    need_client()
    from .influx import InfluxHistorian
    from .influx_server import Server

    server = Server(url, settings.account(), org=settings.org, ca_file=settings.ca_file, read_s=read_s)
    return InfluxHistorian(server, settings.database)


def need_client() -> None:
    """Raises SchemaError where the client of InfluxDB is not installed."""
    if lacking := missing("influx"):
        raise SchemaError(
            f"an InfluxDB needs {', '.join(lacking)}, which is not installed: {how_to_install('influx')}"
        )
