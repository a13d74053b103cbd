"""Where a report reads: the keys that ingest.toml and console.toml share; others are not its own."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import SettingsConfigDict

from palier.historian.opening import HistorianSettings
from palier.settings import ServiceSettings


class ReportSettings(ServiceSettings):
    """`plant` is plant.toml, `data` the data folder of the ingest, `historian` the same as the ingest's with
    an account that may only read.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_prefix="PALIER_REPORT_", env_nested_delimiter="__"
    )

    plant: Path
    data: Path
    historian: HistorianSettings = HistorianSettings()
