"""Fixtures of the fault tests: the ingest as a process at a real broker, and scenarios on a plant of
processes, whose rows are printed as a table at the end."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.conftest import ingest, plant_file
from tests.support import fault_table
from tests.support.counted import REDATED_NS, Counted
from tests.support.plant_of_processes import SHARE, ProcessPlant

__all__ = ["ingest", "plant_file"]

ROW = "fault row"
FRAMES_A_SECOND = 150.0
GO_ON_S = 1.5
"""After the recovery: what comes then is no less to be counted."""


class Scenario:
    """One fault on a plant of its own. `judge` counts, keeps the row, and asserts."""

    def __init__(self, name: str, folder: Path, keep_row: Callable[[str], None]) -> None:
        self.name = name
        self.folder = folder
        self._keep_row = keep_row

    def plant(self, *, rate: float = FRAMES_A_SECOND, **settings: Any) -> ProcessPlant:
        """A plant in this scenario's folder; settings as `ProcessPlant`."""
        return ProcessPlant(self.folder / "plant", rate=rate * SHARE, **settings)

    def judge(
        self,
        plant: ProcessPlant,
        *,
        unkept: int = 0,
        dropped: bool = False,
        replaced: bool = False,
        redated_ns: int = REDATED_NS,
    ) -> Counted:
        """Count what became of every frame. So many `unkept` ones may have been in the memory of a killed
        gateway; `dropped` where the gateway had to give some up, which it must have counted; `replaced` where
        its outbox was, so that the new one does not know what the old one had; `redated_ns` where its clock
        was wrong.
        """
        time.sleep(GO_ON_S)
        counted = plant.count(self.name, redated_ns=redated_ns)
        self._keep_row(fault_table.row_text(counted))
        assert (counted.lost, counted.duplicated, counted.forged) == (0, 0, 0), "\n".join(counted.amiss)
        assert counted.quarantined == 0
        assert counted.unkept <= unkept, "sampled, and neither on a disk nor counted as dropped"
        assert dropped or counted.dropped == 0
        assert replaced or counted.stored == counted.produced - counted.dropped
        return counted


@pytest.fixture
def scenario(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Iterator[Scenario]:
    """Its name is the test's; its folder is kept where it fails."""
    until_s: float | None = request.config.getoption("--until", None)
    if until_s is not None and time.time() > until_s:
        pytest.skip("the time for this soak is over")
    name = request.node.name.removeprefix("test_").replace("_", " ")
    folder = Path(tempfile.mkdtemp(prefix="palier-fault-"))
    yield Scenario(name, folder, lambda row: record_property(ROW, row))
    if not request.node.stash.get(_FAILED, False):
        shutil.rmtree(folder, ignore_errors=True)


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the fixture know, whose end comes after this."""
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


class Table:
    """The rows of a session, where its reports come together; also of what ran in other processes."""

    def __init__(self, file: Path | None) -> None:
        self.rows: list[Counted] = []
        self._file = file

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the row of a run."""
        if report.when != "call":
            return
        for text in (str(text) for name, text in report.user_properties if name == ROW):
            self.rows.append(fault_table.read_row(text))
            if self._file is not None:
                with self._file.open("a", encoding="utf-8") as file:
                    file.write(text + "\n")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """The table, and what must hold over all runs."""
        if not self.rows:
            return
        terminalreporter.section(f"faults, at load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        rows = sorted(self.rows, key=lambda row: row.scenario)
        for line in (*fault_table.lines(rows), *fault_table.verdict(rows)[1]):
            terminalreporter.write_line(line)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """What does not hold over all runs fails the session, though each run passed."""
        if not session.exitstatus and not fault_table.verdict(self.rows)[0]:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A soak runs scenarios alone: what else is in this folder has no row."""
    if config.getoption("--rows", None) is not None:
        others = [item for item in items if "scenario" not in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Those of `make soak`."""
    parser.addoption("--rows", type=Path, help="append a line of JSON for each scenario to this file")
    parser.addoption("--until", type=float, help="begin no scenario after this time (seconds since 1970)")


def pytest_configure(config: pytest.Config) -> None:
    """With xdist, only where the reports come together."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Table(config.getoption("--rows", None)), "fault table")
