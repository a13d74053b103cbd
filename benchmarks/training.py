"""`palier bench training`, measured: a plant's months fitted, read, replayed; reloads; and what is named."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from models import bundle
from models.bundle_points import PointBaseline
from models.detection.measured import Part
from models.training.fit import Unfit, baselines_of, fit_machine
from models.training.replay import Judge, replay
from models.training.replay_truth import Stretch
from models.types import MachineSpec
from palier import fleet as processes
from palier import historian
from palier.plant import parse_plant

from . import machine, training_faults, training_reload
from .ingest_fleet import Fleet
from .ingest_services import missing
from .training_data import DAY_S, END_S, POINTS, Months, history_of, plant_text, write_months
from .training_report import Fits, Reads, Replays, Report, goals

Tell = Callable[[str], None]

READ: Final = ("velocity_rms_mm_s", "acceleration_rms_m_s2", "kurtosis", "envelope_rms_m_s2")
MONTH_DAYS: Final = 30
REPLAYED_FROM_DAYS: Final = 30
"""A baseline is learned of the first month; all ninety days are gone through, and the later sixty counted."""


Fitted = tuple[PointBaseline | Unfit, ...]


class Plan(NamedTuple):
    """How much is measured. `reload` None: not at all."""

    months: Months
    replayed_days: int
    garden: training_faults.Garden
    reload: Fleet | None


FULL: Final = Plan(Months(50, 90), 90, training_faults.FULL, Fleet(10, 2))
QUICK: Final = Plan(Months(2, 14), 21, training_faults.QUICK, None)


class Job(NamedTuple):
    """A machine whose months are drawn and fitted in another process."""

    machine: MachineSpec
    months: Months


def bench_training(plan: Plan, *, quick: bool, tell: Tell, workers: str | None = None) -> Report:
    """Measures all of it; `tell` is called with what is being measured, `workers` is a Dask scheduler's
    address.
    """
    here = machine.look()
    tell(f"baselines of {plan.months.machines} machines, {plan.months.days} days")
    fits = _fits(plan.months, workers)
    with tempfile.TemporaryDirectory(prefix="palier-bench-") as name:
        folder = Path(name) / "data"
        tell("a historian is written")
        write_months(folder, plan.months)
        tell("a month of all machines is read")
        reads = _reads(folder, plan.months)
        tell("palier train baselines")
        command_s = _command(folder, Path(name) / "registry")
        tell(f"replay of {plan.replayed_days} days")
        replays = _replays(folder, plan.months)
    tell("faults of simulated pumps")
    faults = training_faults.measure(plan.garden)
    reload, absent = None, "" if plan.reload is None else missing("sqlite")
    if plan.reload is not None and not absent:
        tell("a model is put in force under load")
        reload = training_reload.measure(plan.reload)
    report = Report(here, quick, plan.months, fits, command_s, reads, replays, faults, reload, absent)
    return replace(report, goals=goals(report))


def fit_drawn(job: Job) -> Fitted:
    """The baselines of a machine whose months are drawn here: a function of its argument, for any process."""
    return fit_machine([history_of(job.machine, k, job.months) for k in range(len(POINTS))])


def _fits(months: Months, workers: str | None) -> Fits:
    plant = parse_plant(plant_text(months), file=Path("plant.toml"))
    jobs = [Job(one, months) for one in plant.machines]
    names = [one.id for one in plant.machines]
    ways: list[Callable[[], list[Fitted]]] = [
        lambda: [fit_drawn(job) for job in jobs],
        lambda: processes.run(fit_drawn, jobs, names=names),
    ]
    if workers is not None:
        ways.append(lambda: processes.run(fit_drawn, jobs, names=names, workers=workers))
    wall_s, packed = [], []
    for way in ways:
        began_s = time.perf_counter()
        fitted = way()
        wall_s.append(time.perf_counter() - began_s)
        packed.append(_packed(fitted))
    different = sum(one[file] != packed[0][file] for one in packed[1:] for file in packed[0])
    return Fits(
        months.points,
        wall_s[1],
        wall_s[0],
        _loop_s(jobs[0]) * len(jobs),
        different,
        len(packed[0]) * (len(packed) - 1),
        wall_s[2] if workers is not None else None,
    )


def _packed(fitted: Sequence[Fitted]) -> dict[str, bytes]:
    trained = baselines_of([one for some in fitted for one in some])
    if trained.parts is None:
        raise RuntimeError(f"no baselines were trained: {trained.refused}")
    return bundle.pack(trained.parts, name="baselines")


def _loop_s(job: Job) -> float:
    """Seconds of the same as one would write it: scikit-learn's Huber regression, column by column, of one
    machine; no multivariate part, no chart limits.
    """
    from sklearn.linear_model import HuberRegressor

    histories = [history_of(job.machine, k, job.months) for k in range(len(POINTS))]
    began_s = time.perf_counter()
    for history in histories:
        rows = history.context.running
        causes = np.column_stack([np.log(history.context.speed_hz[rows]), history.context.load[rows]])
        causes = (causes - causes.mean(axis=0)) / causes.std(axis=0)
        for column in np.log(history.x[rows]).T:
            HuberRegressor().fit(causes, column)
    return time.perf_counter() - began_s


def _command(folder: Path, registry: Path) -> float:
    """Seconds of the command as people give it: read, fit, pack, keep."""
    command = [sys.executable, "-P", "-m", "palier", "train", "baselines"]
    command += ["--data", str(folder), "--registry", str(registry), "--quiet"]
    began_s = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"palier train failed: {done.stderr}")
    return time.perf_counter() - began_s


def _reads(folder: Path, months: Months) -> Reads:
    import sqlite3

    start_ns = round((END_S - min(MONTH_DAYS, months.days) * DAY_S) * 1e9)
    began_s = time.perf_counter()
    with historian.open(folder) as history:
        rows = len(history.features(columns=list(READ), start=start_ns))
    took_s = time.perf_counter() - began_s
    began_s = time.perf_counter()
    connection = sqlite3.connect(folder / "historian.sqlite")
    sql = f"SELECT machine, point, channel, ts, {', '.join(READ)} FROM feature WHERE ts>=?"  # noqa: S608
    bare = len(connection.execute(sql, (start_ns,)).fetchall())
    connection.close()
    if bare != rows:
        raise RuntimeError(f"{rows} rows were read of {bare}")
    return Reads(rows, took_s, time.perf_counter() - began_s)


def _replays(folder: Path, months: Months) -> Replays:
    """A machine's whole past: read, and gone through by what was learned of its first month."""
    began_s = time.perf_counter()
    with historian.open(folder) as history:
        histories = list(history.points("M-001"))
    read_s = time.perf_counter() - began_s
    start_s = END_S - months.days * DAY_S
    learned_s = start_s + min(REPLAYED_FROM_DAYS, months.days - 4) * DAY_S
    trained = baselines_of(fit_machine([one.between(start_s, learned_s) for one in histories]))
    if trained.parts is None:
        raise RuntimeError(f"no baselines were trained: {trained.refused}")
    loaded = bundle.load(bundle.pack(trained.parts, name="baselines"))
    judge = Judge(
        "baselines:1",
        parts={place: Part(one.baseline) for place, one in loaded.baselines.items()},
        trained={place: Stretch(start_s, learned_s) for place in loaded.baselines},
    )
    began_s = time.perf_counter()
    report = replay(histories, judge, None, start_s=start_s, end_s=END_S)
    blocks = sum(len(one) for one in histories)
    return Replays(months.days, blocks, time.perf_counter() - began_s, read_s, len(report.told()["machines"]))
