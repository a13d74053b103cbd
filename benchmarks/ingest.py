"""`palier bench ingest`, measured: a real ingest, broker and store under frames of many gateways."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from . import ingest_naive, machine
from .ingest_fleet import Fleet
from .ingest_report import CORE, SHIPPED, Apart, Part, Report, Run, goals
from .ingest_services import STORES, House, missing, running

Tell = Callable[[str], None]

PUBLISHER_S: Final = (
    120.0  # how much longer than its plan the publisher may take, births and waiting included
)


class Plan(NamedTuple):
    """How much is measured: seconds before measuring, of full load, of a third of it; the store's rest after
    the first blocks. `core` and `apart`: whether these are run too."""

    fleet: Fleet
    warm_s: float
    full_s: float
    third_s: float
    rest_s: float
    naive: int
    core: bool
    apart: bool


FULL: Final = Plan(Fleet(20, 5), 3.0, 10.0, 10.0, 5.0, 5, core=True, apart=True)
QUICK: Final = Plan(Fleet(4, 1), 0.5, 2.0, 2.0, 0.5, 1, core=False, apart=False)


def bench_ingest(plan: Plan, *, quick: bool, tell: Tell) -> Report:
    """Measures all of it; `tell` is called with what is being measured.

    Raises ChildError where a program does not start, RuntimeError where the publisher fails.
    """
    here = machine.look()
    absent = {store: why for store in STORES if (why := missing(store))}
    tell("the naive path")
    naive = [ingest_naive.us_per_message(plan.naive)]
    runs: list[Run] = []
    apart: list[Apart] = []
    for store in (store for store in STORES if store not in absent):
        for features in (SHIPPED, CORE) if plan.core else (SHIPPED,):
            tell(f"{store}, {features}")
            runs.append(_run(plan, store, features))
            if plan.apart:
                tell(f"{store}, {features}, taken apart")
                apart.append(_apart(plan, store, features))
    tell("the naive path once more")
    naive.append(ingest_naive.us_per_message(plan.naive))
    known = [us for us in naive if us is not None]
    report = Report(
        machine=here,
        quick=quick,
        gateways=plan.fleet.gateways,
        points=plan.fleet.points,
        naive_us=sum(known) / len(known) if known else None,
        runs=tuple(runs),
        apart=tuple(apart),
        missing=absent,
    )
    return replace(report, goals=goals(report))


def _run(plan: Plan, store: str, features: str) -> Run:
    more = ["--core"] if features == CORE else []
    with tempfile.TemporaryDirectory(prefix="palier-bench-") as name:
        folder = Path(name)
        with running(folder, store, plan.fleet, more) as house:
            told = _publish(plan, folder, house, third_s=plan.third_s)
    full, third = told["full"], told["third"]
    p50, p99 = np.percentile(third["latency_ms"], (50, 99))
    return Run(
        store=store,
        features=features,
        frames_per_s=full["stored"] / full["seconds"],
        cpu_us={process: 1e6 * s / full["stored"] for process, s in full["cpu_s"].items()},
        full_p50_ms=float(np.median(full["latency_ms"])),
        rate=third["rate"],
        third_per_s=third["stored"] / third["seconds"],
        p50_ms=float(p50),
        p99_ms=float(p99),
        frames=told["acknowledged"],
        frame_bytes=told["bytes_per_frame"],
        rebirths=told["rebirths"],
    )


def _apart(plan: Plan, store: str, features: str) -> Apart:
    with tempfile.TemporaryDirectory(prefix="palier-bench-") as name:
        folder = Path(name)
        found = folder / "parts.json"
        more = ["--parts", str(found), *(["--core"] if features == CORE else [])]
        with running(folder, store, plan.fleet, more) as house:
            _publish(plan, folder, house, third_s=0.0, mark=True)
        return Apart(store, features, _parts(json.loads(found.read_text())))


def _parts(told: dict[str, dict[str, int]]) -> tuple[Part, ...]:
    """In the order of their time; nanoseconds of all frames become µs of one."""
    frames = told["calls"]["door"]
    parts = (
        Part(name, told["cpu"][name] / frames / 1e3, wall / frames / 1e3)
        for name, wall in told["wall"].items()
    )
    return tuple(sorted(parts, key=lambda part: part.cpu_us, reverse=True))


def _publish(plan: Plan, folder: Path, house: House, *, third_s: float, mark: bool = False) -> dict[str, Any]:
    told = folder / "publisher.json"
    told.write_text(
        json.dumps(
            {
                "port": house.port,
                "fleet": list(plan.fleet),
                "rest_s": plan.rest_s,
                "warm_s": plan.warm_s,
                "full_s": plan.full_s,
                "third_s": third_s,
                "pids": house.pids,
                "mark": mark,
            }
        )
    )
    command: Sequence[str] = (sys.executable, "-P", "-m", "benchmarks.ingest_publisher", str(told))
    limit_s = PUBLISHER_S + plan.rest_s + plan.warm_s + plan.full_s + third_s
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    if done.returncode:
        house.check()
        raise RuntimeError(f"the publisher failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
