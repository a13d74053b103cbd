"""`palier bench historian`, measured: lines, writes and queries, each beside a reference of the same run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from palier.historian.sqlite import SqliteHistorian

from . import machine
from .historian_month import MONTH, SOME, Stretch
from .historian_report import (
    NO_CLIENT,
    NO_DASHBOARDS,
    NO_SERVER,
    NO_YEAR,
    Load,
    Query,
    Rate,
    Report,
    Step,
    Year,
    goals,
)
from .historian_rows import MACHINES

Tell = Callable[[str], None]


class Plan(NamedTuple):
    """How much is measured: `rows` are those that are asked of, `asked` how often each question is, `months`
    how often the `month` is read.
    """

    rounds: int
    rows: int
    asked: int
    month: Stretch
    months: int


FULL: Final = Plan(15, 10_000_000, 200, MONTH, 3)
QUICK: Final = Plan(2, 200_000, 20, SOME, 1)

DASHBOARD_ASKED: Final = 5
"""How often each query of a dashboard is asked of each period; there are some four hundred."""


class _Found(NamedTuple):
    rates: list[Rate]
    steps: list[Step]
    loads: list[Load]
    queries: list[Query]


def bench_historian(plan: Plan, *, quick: bool, year: bool = False, tell: Tell) -> Report:
    """Measures all of it; `tell` is called with what is being measured.

    With `year` also the machine dashboard over a year; if `quick` over some days, asked once.
    """
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
        over_year = _year(Path(folder), missing, tell, quick=quick) if year else NO_YEAR
    report = Report(
        machine=here,
        quick=quick,
        rounds=plan.rounds,
        rates=tuple(found.rates),
        steps=tuple(found.steps),
        loads=tuple(found.loads),
        queries=tuple(found.queries),
        missing=missing,
        year=over_year if isinstance(over_year, Year) else None,
        no_year="" if isinstance(over_year, Year) else over_year,
    )
    return replace(report, goals=goals(report))


def _missing() -> Iterator[str]:
    if any(find_spec(package) is None for package in ("influxdb_client", "orjson", "urllib3")):
        yield NO_CLIENT
        return  # what starts the server needs them too
    from . import influxd

    if influxd.found() is None:
        yield NO_SERVER


def _year(folder: Path, missing: tuple[str, ...], tell: Tell, *, quick: bool) -> Year | str:
    """The dashboard over a year, or why not."""
    if missing:
        return missing[0]
    if find_spec("grafana_foundation_sdk") is None:
        return NO_DASHBOARDS
    from . import historian_year

    extent = historian_year.SOME if quick else historian_year.YEAR
    tell("the machine dashboard over a year of 50 machines" + (": some days of it" if quick else ""))
    return historian_year.year(folder / "influxd-year", extent, 1 if quick else DASHBOARD_ASKED)


def _sqlite(plan: Plan, folder: Path, found: _Found, tell: Tell) -> None:
    from . import historian_month, historian_queries, historian_writes

    tell("writes into SQLite")
    found.rates.extend(historian_writes.sqlite_rates(folder, plan.rounds))
    tell(f"queries of {plan.rows:,} rows in SQLite")
    file, seconds = folder / "many.sqlite", plan.rows // MACHINES
    found.loads.append(historian_queries.load_sqlite(file, seconds))
    with closing(SqliteHistorian(file, read_only=True)) as historian:
        found.queries.extend(historian_queries.queries(historian, "SQLite", seconds, plan.asked))
    file.unlink()
    tell(f"{plan.month.told} read out of SQLite")
    load, rates = historian_month.sqlite_rates(folder, plan.month, plan.months)
    found.loads.append(load)
    found.rates.extend(rates)


def _influx(plan: Plan, folder: Path, found: _Found, tell: Tell) -> None:
    from . import historian_month, historian_queries, historian_writes, influxd

    with influxd.running(folder / "influxd-writes") as server:
        tell("writes into InfluxDB")
        found.rates.extend(historian_writes.influx_rates(server, plan.rounds))
    seconds = plan.rows // MACHINES
    # A server of its own: the one before has put more in its memory than the questions are about.
    with influxd.running(folder / "influxd-queries") as server:
        tell(f"queries of {plan.rows:,} rows in InfluxDB")
        found.loads.append(historian_queries.load_influx(server, seconds))
        with closing(server.historian(historian_queries.DATABASE)) as historian:
            bare = partial(historian_queries.bare_trend, server)
            found.queries.extend(historian_queries.queries(historian, "InfluxDB", seconds, plan.asked, bare))
    with influxd.running(folder / "influxd-month") as server:
        tell(f"{plan.month.told} read out of InfluxDB")
        load, rates = historian_month.influx_rates(server, plan.month, plan.months)
        found.loads.append(load)
        found.rates.extend(rates)
