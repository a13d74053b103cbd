"""Which historian a service uses, by its settings: SQLite in the data folder, or an InfluxDB."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from palier.settings import secret_text

from .base import Historian, SchemaError
from .influx_server import Account
from .sqlite import SqliteHistorian


class HistorianSettings(BaseModel):
    """Where the series are kept. Without `url` they are in the SQLite file of the data folder.

    [historian]
    url = "http://127.0.0.1:8086"
    database = "palier"                   # the bucket's name on 2.x
    username = "palier_writer"            # 1.x: a name and a password
    password_file = "influx_writer_password"
    token_file = "influx_writer_token"    # 2.x: a token, and the organisation
    org = "palier"
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str | None = Field(default=None, pattern=r"^https?://[^/\s]+/?$")
    database: str = Field(default="palier", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    org: str = ""
    username: str = ""
    password: SecretStr | None = Field(default=None, description="for the environment")
    password_file: Path | None = None
    token: SecretStr | None = Field(default=None, description="for the environment")
    token_file: Path | None = None
    ca_file: Path | None = Field(default=None, description="authority of the server's certificate, in PEM")

    @model_validator(mode="after")
    def _one_account(self) -> HistorianSettings:
        for name in ("password", "token"):
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                raise ValueError(f"{name} and {name}_file must not both be given")
        given = [name for name in ("username", "password_file", "token_file", "org") if getattr(self, name)]
        if self.url is None and given:
            raise ValueError(f"{', '.join(given)} are for an InfluxDB: give its url too, or leave them out")
        if self.username and not (self.password or self.password_file):
            raise ValueError(f"username {self.username!r} must come with password_file")
        return self

    def account(self) -> Account:
        """The account. Raises ConfigError when a file of it can't be read or is empty."""
        return Account(
            self.username,
            secret_text(self.password, self.password_file, "password") or "",
            secret_text(self.token, self.token_file, "token") or "",
        )


def open_historian(settings: HistorianSettings, file: Path, *, read_only: bool = False) -> Historian:
    """The historian of these settings; `file` is the SQLite file where they name no server.

    Raises ConfigError, HistorianError.
    """
    if settings.url is None:
        return SqliteHistorian(file, read_only=read_only)
    if missing := [name for name in ("influxdb_client", "orjson", "urllib3") if find_spec(name) is None]:
        raise SchemaError(
            f"an InfluxDB needs {', '.join(missing)}, which is not installed: pip install 'palier[influx]'"
        )
    from .influx import InfluxHistorian
    from .influx_server import Server

    server = Server(settings.url, settings.account(), org=settings.org, ca_file=settings.ca_file)
    return InfluxHistorian(server, settings.database)
