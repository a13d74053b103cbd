"""`palier bench historian`, measured: lines, writes and queries, each beside a reference of the same run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from palier.historian.sqlite import SqliteHistorian

from . import machine
from .historian_report import NO_CLIENT, NO_SERVER, Load, Query, Rate, Report, Step, goals
from .historian_rows import MACHINES

Tell = Callable[[str], None]


class Plan(NamedTuple):
    """How much is measured: `rows` are those that are asked of, `asked` how often each question is."""

    rounds: int
    rows: int
    asked: int


FULL: Final = Plan(15, 10_000_000, 200)
QUICK: Final = Plan(2, 200_000, 20)


class _Found(NamedTuple):
    rates: list[Rate]
    steps: list[Step]
    loads: list[Load]
    queries: list[Query]


def bench_historian(plan: Plan, *, quick: bool, tell: Tell) -> Report:
    """Measures all of it; `tell` is called with what is being measured."""
    here = machine.look()
    found = _Found([], [], [], [])
    missing = tuple(_missing())
    if NO_CLIENT not in missing:
        from . import historian_lines

        tell("the encoder of line protocol")
        found.rates.extend(historian_lines.rates(plan.rounds))
        found.steps.extend(historian_lines.steps(plan.rounds))
    with tempfile.TemporaryDirectory(prefix="palier-bench-") as folder:
        _sqlite(plan, Path(folder), found, tell)
        if not missing:
            _influx(plan, Path(folder), found, tell)
    report = Report(
        machine=here,
        quick=quick,
        rounds=plan.rounds,
        rates=tuple(found.rates),
        steps=tuple(found.steps),
        loads=tuple(found.loads),
        queries=tuple(found.queries),
        missing=missing,
    )
    return replace(report, goals=goals(report))


def _missing() -> Iterator[str]:
    if any(find_spec(package) is None for package in ("influxdb_client", "orjson", "urllib3")):
        yield NO_CLIENT
        return  # what starts the server needs them too
    from . import influxd

    if influxd.found() is None:
        yield NO_SERVER


def _sqlite(plan: Plan, folder: Path, found: _Found, tell: Tell) -> None:
    from . import historian_queries, historian_writes

    tell("writes into SQLite")
    found.rates.extend(historian_writes.sqlite_rates(folder, plan.rounds))
    tell(f"queries of {plan.rows:,} rows in SQLite")
    file, seconds = folder / "many.sqlite", plan.rows // MACHINES
    found.loads.append(historian_queries.load_sqlite(file, seconds))
    with closing(SqliteHistorian(file, read_only=True)) as historian:
        found.queries.extend(historian_queries.queries(historian, "SQLite", seconds, plan.asked))
    file.unlink()


def _influx(plan: Plan, folder: Path, found: _Found, tell: Tell) -> None:
    from . import historian_queries, historian_writes, influxd

    with influxd.running(folder / "influxd-writes") as server:
        tell("writes into InfluxDB")
        found.rates.extend(historian_writes.influx_rates(server, plan.rounds))
    seconds = plan.rows // MACHINES
    # A server of its own: the one before has put more in its memory than the questions are about.
    with influxd.running(folder / "influxd-queries") as server:
        tell(f"queries of {plan.rows:,} rows in InfluxDB")
        found.loads.append(historian_queries.load_influx(server, seconds))
        with closing(server.historian(historian_queries.DATABASE)) as historian:
            found.queries.extend(historian_queries.queries(historian, "InfluxDB", seconds, plan.asked))
