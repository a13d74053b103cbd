"""Fixtures that tests of several folders share."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.influx_front import Front, running_front
from tests.support.influxd import Influxd, running_influxd
from tests.support.services import Mosquitto, running_mosquitto

_HOMES = count()

LAST_LINES = 30

# Two shared cores: neither an example that is slow is a failure, nor a second in which few were drawn.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("default"), derandomize=True)
# Where nobody looks for what new draws find they are the same each time: there a failure is of a change.
unattended = bool(os.environ.get("CI")) or os.environ.get("PALIER_REQUIRE_SERVICES") == "1"
settings.load_profile("ci" if unattended else "default")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the last lines of the logs in a failed test's folder beside its failure: they mostly say why."""
    report = yield
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if report.failed and folder is not None:
        report.sections += _ends_of_logs(folder)
    return report


def _ends_of_logs(folder: Path) -> list[tuple[str, str]]:
    """(title, last lines) of each log; what a process that still runs takes away meanwhile is left out."""
    found: list[tuple[str, str]] = []
    with suppress(OSError):
        for log in sorted(folder.rglob("*.log")):
            with suppress(OSError):
                lines = log.read_text(errors="replace").splitlines()[-LAST_LINES:]
                found.append((f"end of {log.relative_to(folder)}", "\n".join(lines)))
    return found


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No setting of the person who runs the tests reaches them, and nothing is written to their home.

    A test's own home has a name, and is there once something is put into it: a folder made and removed for
    each of some thousands of tests takes longer than most of them.
    """
    for name in [n for n in os.environ if n.startswith("PALIER_")]:
        if name not in {"PALIER_DATA", "PALIER_REQUIRE_SERVICES"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("PALIER_HOME", str(tmp_path_factory.getbasetemp() / f"home-{next(_HOMES)}"))


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
