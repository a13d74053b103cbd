"""All historians, for what they must have in common."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from palier.historian.base import Historian
from palier.historian.sqlite import SqliteHistorian
from tests.support.influxd import influx_historian

HISTORIANS = ("sqlite", "influx-1.6", "influx-1.8")
"""The last writes through influxdb-client, to the path that 1.8 and 2.x have."""


@pytest.fixture(params=HISTORIANS)
def historian(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Historian]:
    if request.param == "sqlite":
        store: Historian = SqliteHistorian(tmp_path / "historian.sqlite")
        yield store
        store.close()
        return
    front = request.param == "influx-1.8"
    server = request.getfixturevalue("influx_front" if front else "influxd")
    with influx_historian(request.getfixturevalue("influxd"), server.url) as store:
        yield store
