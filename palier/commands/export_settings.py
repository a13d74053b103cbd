"""Where an export reads: the keys that ingest.toml and console.toml share; others are not its own."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import SettingsConfigDict

from palier.historian.opening import HistorianSettings
from palier.settings import ServiceSettings


class ExportSettings(ServiceSettings):
    """`data` is the data folder of the ingest, `historian` the same as the ingest's with an account that may
    only read; `plant`, where it is given, says which site is meant.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_prefix="PALIER_EXPORT_", env_nested_delimiter="__"
    )

    data: Path
    historian: HistorianSettings = HistorianSettings()
    plant: Path | None = None
