"""What remembers: series, records, waveforms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from palier.plant import Plant

    from .history import History


def open(  # noqa: A001 - `historian.open(...)` is how it is meant to be written
    where: str | Path,
    *,
    waveforms: str | Path | None = None,
    plant: Plant | str | Path | None = None,
    site: str | None = None,
    database: str = "palier",
    username: str = "",
    password_file: str | Path | None = None,
    token_file: str | Path | None = None,
    org: str = "",
    ca_file: str | Path | None = None,
) -> History:
    """The history that a historian holds of a site, to be read by programs and notebooks.

    `where` is a historian.sqlite, the data folder of an ingest, or the URL of an InfluxDB with its account:
    `username` and `password_file` on 1.x, `token_file` and `org` on 2.x. `waveforms` is the data folder of
    the ingest or the URL of its page; by default they are looked for beside the file. `plant` is the plant or
    its plant.toml, by default that in or beside the data folder; only blocks to learn from need one. `site`
    is needed where there are several and no plant. Raises HistorianError: a sentence that says what to do.
    """
    from .history_opening import open_history

    return open_history(
        where,
        waveforms=waveforms,
        plant=plant,
        site=site,
        database=database,
        username=username,
        password_file=password_file,
        token_file=token_file,
        org=org,
        ca_file=ca_file,
    )
