"""The settings of the page: TOML file and environment (PALIER_CONSOLE_...), the environment wins."""

from __future__ import annotations

import ipaddress
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

    With `accounts`, the file that `palier user` makes, people log in. An address that others reach needs
    that, and TLS (`tls_cert`, `tls_key`, or a proxy before the page on this machine, `behind_proxy`), or
    `insecure = true` as somebody's decision to have passwords travel in clear.
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
    accounts: Path | None = Field(default=None, description="who may log in; made by `palier user add`")
    tls_cert: Path | None = Field(default=None, description="certificate in PEM, with those that signed it")
    tls_key: Path | None = Field(default=None, description="its private key in PEM, without a pass phrase")
    behind_proxy: bool = Field(
        default=False, description="a proxy tells who asks and how (X-Forwarded-For, X-Forwarded-Proto)"
    )
    proxy: str | None = Field(
        default=None,
        description="an address or network that this proxy comes from, where it is not 127.0.0.1",
    )
    insecure: bool = Field(default=False, description="allow passwords in clear over the network")
    training: Path | None = Field(default=None, description="a training folder: its exercises, and no plant")

    @model_validator(mode="after")
    def _no_open_page_by_accident(self) -> ConsoleSettings:
        if is_loopback(self.host):
            return self
        opens = f"host {self.host!r} opens the page to the network"
        if self.accounts is None and self.training is None:
            raise ValueError(
                f'{opens}, and it has no accounts: give accounts = "accounts.sqlite", made by `palier user '
                'add NAME --role engineer --accounts accounts.sqlite`, or keep host = "127.0.0.1"'
            )
        if self.tls_cert is None and not self.insecure:
            raise ValueError(
                f"{opens} unencrypted, and passwords would travel in clear: give tls_cert and tls_key, or "
                "keep 127.0.0.1 behind a proxy with behind_proxy = true; insecure = true accepts that"
            )
        return self

    @model_validator(mode="after")
    def _what_goes_together(self) -> ConsoleSettings:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key must both be given, or neither")
        if self.behind_proxy and self.proxy is None and not is_loopback(self.host):
            raise ValueError(
                f"behind_proxy believes what this machine's own proxy says, so host must be 127.0.0.1, got "
                f"{self.host!r}: others could write the same headers. Or say where it comes from: proxy"
            )
        if self.proxy is not None and not (self.behind_proxy and _is_somewhere(self.proxy)):
            raise ValueError(
                f"proxy must be the address or network that a proxy comes from, got {self.proxy!r}; and it "
                "needs behind_proxy = true"
            )
        if self.training is not None and self.accounts is not None:
            raise ValueError("a training has no accounts, pupils give their names: leave accounts out")
        return self

    @property
    def read_only(self) -> str | None:
        """Why nobody can act from this page: "no_broker", "network", or None where they can."""
        if self.broker is None:
            return "no_broker"
        return None if self.accounts is not None or is_loopback(self.host) else "network"


def _is_somewhere(network: str) -> bool:
    """Whether this is an address or a network, and not all of them."""
    try:
        return ipaddress.ip_network(network).prefixlen > 0
    except ValueError:
        return False
