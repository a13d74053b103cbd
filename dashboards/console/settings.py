"""The settings of the page: TOML file and environment (PALIER_CONSOLE_...), the environment wins."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from palier.historian.opening import HistorianSettings
from palier.settings import BrokerSettings, Port, ServiceSettings, is_loopback


class ConsoleSettings(ServiceSettings):
    """What the page shows, and where it is served.

    `plant` is plant.toml, `data` the data folder of the ingest, `historian` the same as the ingest's with an
    account that only reads. With `broker`, the same as the ingest's, people can acknowledge, shelve and
    record from the page; without it the page only reads.

    The page has no login: another address than loopback needs `insecure = true` as somebody's decision, and
    is for reading only.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="PALIER_CONSOLE_", env_nested_delimiter="__"
    )

    plant: Path
    data: Path
    historian: HistorianSettings = HistorianSettings()
    broker: BrokerSettings | None = None
    host: str = Field(default="127.0.0.1", min_length=1)
    port: Port = 8080
    lang: Literal["fr", "en", "ar"] = "fr"
    insecure: bool = Field(default=False, description="let every machine of the network read the page")
    training: Path | None = Field(default=None, description="a training folder: its exercises, and no plant")

    @model_validator(mode="after")
    def _no_open_page_by_accident(self) -> ConsoleSettings:
        if not self.insecure and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host!r} opens the page to the network, and the page has no login: keep "
                "127.0.0.1 behind a proxy that asks for one, or give insecure = true to let all read it"
            )
        return self

    @property
    def read_only(self) -> str | None:
        """Why nobody can act from this page: "no_broker", "network", or None where they can."""
        if self.broker is None:
            return "no_broker"
        return None if is_loopback(self.host) else "network"
