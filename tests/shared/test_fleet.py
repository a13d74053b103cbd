"""The same work for many machines, here and on a cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from palier import fleet
from tests.support import fleet_jobs
from tests.support.services import free_port
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other processes find the tests' modules, as they find Palier's."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def test_one_job_is_done_here_and_none_is_nothing() -> None:
    heard: list[tuple[int, int]] = []
    assert fleet.run(str.upper, ["b"], progress=lambda *at: heard.append(at)) == ["B"]
    assert heard == [(1, 1)]
    assert fleet.run(str.upper, []) == []


def test_a_job_that_raises_is_named() -> None:
    with pytest.raises(fleet.FleetError, match=r"^C-201: ValueError: too few healthy days$"):
        fleet.run(fleet_jobs.refused, ["C-201"], names=["C-201"])


@pytest.mark.parametrize(
    ("workers", "told"),
    [
        (
            "scheduler:8786",
            "workers must be the address of a Dask scheduler, tcp://HOST:8786, got 'scheduler",
        ),
        ("http://x:1", "tcp://HOST:8786"),
    ],
)
def test_an_address_that_is_none_is_refused(workers: str, told: str) -> None:
    with pytest.raises(fleet.FleetError, match=told):
        fleet.run(fleet_jobs.spectrum, [1], workers=workers)


def test_without_the_extra_a_cluster_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "missing", lambda extra: ("distributed",))
    with pytest.raises(fleet.FleetError, match=r"pip install '\.\[scale\]'"):
        fleet.run(fleet_jobs.spectrum, [1], workers="tcp://127.0.0.1:1")


def test_what_stands_in_a_notebook_can_t_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_jobs.spectrum, "__module__", "__main__")
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    with pytest.raises(fleet.FleetError, match="spectrum stands in a notebook"):
        fleet.run(fleet_jobs.spectrum, [1, 2])


@pytest.mark.long
def test_processes_give_the_results_in_order_whoever_dies(importable: None, tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    found = fleet.run(fleet_jobs.spectrum, range(6), progress=lambda *at: heard.append(at))
    assert all(np.array_equal(found[k], fleet_jobs.spectrum(k)) for k in range(6))
    assert heard == [(k, 6) for k in range(1, 7)]
    jobs = [tmp_path / name for name in ("a", "victim", "b", "c")]
    assert fleet.run(fleet_jobs.dies_once, jobs) == [0, 1, 0, 0]
    assert "OMP_NUM_THREADS" not in os.environ or os.environ["OMP_NUM_THREADS"] != "1"


@pytest.mark.long
def test_what_ends_every_process_is_given_up_with_a_sentence(importable: None) -> None:
    with pytest.raises(
        fleet.FleetError, match=r"ended from outside 4 times, with 2 jobs left, the first .* P-101"
    ):
        fleet.run(fleet_jobs.dies, [1, 2], names=["P-101", "C-201"])


@pytest.mark.long
def test_a_failed_job_among_others_is_named(importable: None) -> None:
    machines = ["P-101", "C-201", "V-301"]
    with pytest.raises(fleet.FleetError, match=r"^C-201: ValueError: too few healthy days$"):
        fleet.run(fleet_jobs.refused, machines, names=machines)


@contextmanager
def scheduler(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    address = f"tcp://127.0.0.1:{free_port()}"
    with _dask(folder, "scheduler", "--host", address, "--no-dashboard", "--no-jupyter") as process:
        log = folder / f"{process.pid}.log"
        eventually(lambda: "Scheduler at" in _text(log), 60, "the scheduler")
        yield address, process


@contextmanager
def worker(folder: Path, address: str) -> Iterator[subprocess.Popen[bytes]]:
    options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
    with _dask(folder, "worker", address, *options) as process:
        log = folder / f"{process.pid}.log"
        eventually(lambda: "Registered to" in _text(log), 60, "a worker")
        yield process


@contextmanager
def _dask(folder: Path, what: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    }
    module = f"distributed.cli.dask_{what}"
    log = (folder / "starting").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", module, *options],
        env=environment, cwd=folder, stdout=log, stderr=log,
    )  # fmt: skip
    (folder / "starting").rename(folder / f"{process.pid}.log")
    try:
        yield process
    finally:
        log.close()
        process.kill()
        process.wait()


def _text(log: Path) -> str:
    return log.read_text("utf-8", "replace")


@pytest.mark.long
def test_a_cluster_gives_what_this_computer_gives_though_a_worker_is_killed(tmp_path: Path) -> None:
    with scheduler(tmp_path) as (address, _):
        with pytest.raises(fleet.FleetError, match=r"has no workers: start some, `dask worker tcp://"):
            fleet.run(fleet_jobs.spectrum, [1], workers=address)
        with worker(tmp_path, address) as first, worker(tmp_path, address):
            there = fleet.run(fleet_jobs.spectrum, range(20), workers=address)
            assert all(np.array_equal(there[k], fleet_jobs.spectrum(k)) for k in range(20))
            with pytest.raises(fleet.FleetError, match=r"^C-201: ValueError: too few healthy days$"):
                fleet.run(fleet_jobs.refused, ["P-101", "C-201"], workers=address, names=["P-101", "C-201"])
            _survives_a_kill(tmp_path, address, first)


def _survives_a_kill(folder: Path, address: str, victim: subprocess.Popen[bytes]) -> None:
    """kill -9 of a worker in the middle of a job: its jobs are done by the other."""

    def at_work() -> set[str]:
        begun = {path.name for path in folder.glob(f"*.{victim.pid}")}
        return begun - {path.stem for path in folder.glob(f"*.{victim.pid}.done")}

    with ThreadPoolExecutor(1) as aside:
        killed = aside.submit(lambda: (eventually(at_work, 60, "a job of the victim's"), victim.kill()))
        found = fleet.run(fleet_jobs.begun, [(folder, k) for k in range(16)], workers=address)
        killed.result(60)
    assert [number for number, _ in found] == list(range(16))
    done_by_it = {f"{number}.{process}" for number, process in found if process == victim.pid}
    assert at_work(), "it was killed in the middle of one"
    assert not at_work() & done_by_it


@pytest.mark.long
def test_a_cluster_that_goes_away_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "ALONE_S", 0.5)
    monkeypatch.setattr(fleet, "LOOK_S", 0.3)
    jobs = [(tmp_path, k) for k in range(40)]
    with scheduler(tmp_path) as (address, host):
        with (
            worker(tmp_path, address) as only,
            pytest.raises(fleet.FleetError, match=r"has had no workers for 0.5 s: start some again"),
        ):
            fleet.run(fleet_jobs.begun, jobs, workers=address, progress=lambda *_: only.kill())
        with (
            worker(tmp_path, address),
            pytest.raises(fleet.FleetError, match=r"went away: start it again with its workers"),
        ):
            fleet.run(fleet_jobs.begun, jobs, workers=address, progress=lambda *_: host.kill())


@pytest.mark.long
def test_no_scheduler_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "CONNECT_S", 1)
    with pytest.raises(fleet.FleetError, match=r"no Dask scheduler answers at tcp://127.0.0.1:9"):
        fleet.run(fleet_jobs.spectrum, [1], workers="tcp://127.0.0.1:9")
