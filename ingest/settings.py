"""Settings of the ingest: a TOML file, over which the environment (PALIER_INGEST_...) wins.

host_id = "palier"          # what gateways wait for before they send
plant = "plant.toml"
data = "data"
groups = ["khouribga"]      # Sparkplug groups; the plant's site when left out

[broker]
host = "127.0.0.1"

[historian]                 # left out: the SQLite file in `data`
url = "http://127.0.0.1:8086"
username = "palier_writer"
password_file = "influx_writer_password"

[notify.email]              # left out: nobody is told outside of the page; see `notify_settings.py`
host = "mail.example.org"
sender = "palier@example.org"
to = ["atelier@example.org"]
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field
from pydantic_settings import SettingsConfigDict

from palier.frames import check_name
from palier.historian.opening import HistorianSettings
from palier.historian.waveforms import DEFAULT_BUDGET_BYTES
from palier.settings import BrokerSettings, Port, ServiceSettings

from .notify_settings import NotifySettings


def _name(text: str) -> str:
    check_name(text)
    return text


Name = Annotated[str, AfterValidator(_name)]

LEAST_BUDGET_BYTES: Final = 64 * 1024 * 1024
"""Below this a few minutes of one machine would fill the waveforms."""


class IngestSettings(ServiceSettings):
    """What an ingest needs to know; the plant says the rest."""

    model_config = SettingsConfigDict(env_prefix="PALIER_INGEST_")

    plant: Path
    data: Path
    host_id: Name = "palier"
    groups: tuple[Name, ...] = Field(default=(), description="Sparkplug groups; the plant's site when empty")
    broker: BrokerSettings = BrokerSettings()
    historian: HistorianSettings = HistorianSettings()
    notify: NotifySettings = NotifySettings()
    health_port: Port = 0
    spectrum_interval_s: float = Field(
        default=86_400.0,
        gt=0,
        allow_inf_nan=False,
        description="plant seconds between kept spectra of a point",
    )
    waveform_budget_bytes: int = Field(default=DEFAULT_BUDGET_BYTES, ge=LEAST_BUDGET_BYTES)
