"""Fixtures that tests of several folders share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.influx_front import Front, running_front
from tests.support.influxd import Influxd, running_influxd
from tests.support.services import Mosquitto, running_mosquitto

settings.register_profile("default", deadline=None)  # two shared cores: a slow example is no failure
settings.register_profile("ci", parent=settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the person who runs the tests reaches them, and nothing is written to their home."""
    for name in [n for n in os.environ if n.startswith("PALIER_")]:
        if name not in {"PALIER_DATA", "PALIER_REQUIRE_SERVICES"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("PALIER_HOME", str(tmp_path / "home"))


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A real broker on `.port`, with nothing in it."""
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    with running_mosquitto(folder) as broker:
        yield broker


@pytest.fixture(scope="session")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    """A real InfluxDB with accounts, shared by the tests of one process: each makes databases of its own."""
    with running_influxd(tmp_path_factory.mktemp("influxd")) as server:
        yield server


@pytest.fixture(scope="session")
def influx_front(influxd: Influxd) -> Iterator[Front]:
    """The same server with the write path of 1.8 and 2.x before it."""
    with running_front(influxd.url) as front:
        yield front
