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

[models]                    # left out: the ingest's own baselines alone judge
folder = "models"           # the registry that `palier train` and `palier model` work on
public_key_file = "site.pub"    # left out: models need not be signed

[notify.email]              # left out: nobody is told outside of the page; see `notify_settings.py`
host = "mail.example.org"
sender = "palier@example.org"
to = ["atelier@example.org"]
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_settings import SettingsConfigDict

from palier.frames import MAX_FRAME_BYTES, check_name
from palier.historian.budgets import HISTORIAN_BYTES, RECORDS_BYTES, Budgets
from palier.historian.opening import HistorianSettings
from palier.historian.quarantine_tables import MAX_QUARANTINE_BYTES
from palier.historian.space import RESERVE_BYTES
from palier.historian.waveforms import DEFAULT_BUDGET_BYTES
from palier.settings import BrokerSettings, Port, ServiceSettings

from .notify_settings import NotifySettings


def _name(text: str) -> str:
    check_name(text)
    return text


Name = Annotated[str, AfterValidator(_name)]

LEAST_BUDGET_BYTES: Final = 64 * 1024 * 1024
"""Below this a few minutes of one machine would fill the waveforms."""


class ModelsSettings(BaseModel):
    """Where the registry of models is, and whose signature a model must have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path | None = Field(default=None, description="the registry of models; none when left out")
    public_key_file: Path | None = Field(
        default=None, description="ed25519 public key in PEM; models it did not sign are refused"
    )


class IngestSettings(ServiceSettings):
    """What an ingest needs to know; the plant says the rest."""

    model_config = SettingsConfigDict(env_prefix="PALIER_INGEST_")

    plant: Path
    data: Path
    host_id: Name = "palier"
    groups: tuple[Name, ...] = Field(default=(), description="Sparkplug groups; the plant's site when empty")
    broker: BrokerSettings = BrokerSettings()
    historian: HistorianSettings = HistorianSettings()
    models: ModelsSettings = ModelsSettings()
    notify: NotifySettings = NotifySettings()
    health_port: Port = 0
    spectrum_interval_s: float = Field(
        default=86_400.0,
        gt=0,
        allow_inf_nan=False,
        description="plant seconds between kept spectra of a point",
    )
    waveform_budget_bytes: int = Field(default=DEFAULT_BUDGET_BYTES, ge=LEAST_BUDGET_BYTES)
    historian_budget_bytes: int = Field(default=HISTORIAN_BYTES, ge=LEAST_BUDGET_BYTES)
    records_budget_bytes: int = Field(default=RECORDS_BYTES, ge=LEAST_BUDGET_BYTES)
    quarantine_budget_bytes: int = Field(default=MAX_QUARANTINE_BYTES, ge=MAX_FRAME_BYTES)
    free_space_bytes: int = Field(
        default=RESERVE_BYTES, ge=0, description="left free on the disk of `data`, for others"
    )

    @property
    def budgets(self) -> Budgets:
        """The bytes that each store may take, but for the waveforms."""
        return Budgets(
            self.historian_budget_bytes,
            self.records_budget_bytes,
            self.quarantine_budget_bytes,
            self.free_space_bytes,
        )
