"""The report of the historian for people: what must be reached, then lines, writes, steps and queries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from rich.table import Table

from .tables import circumstances, new_table, number, print_parts, reached, title

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from .historian_report import Query, Rate, Report, Step, Year

SLOWEST: Final = 3
"""Queries of a period that are shown; all are in the JSON."""


def show(report: Report, console: Console) -> None:
    """Prints all of it."""
    print_parts(_parts(report), console)


def _parts(report: Report) -> Iterable[RenderableType]:
    yield from circumstances(report.machine)
    if report.quick:
        yield "--quick: few rows and few rounds; it shows that it works, not how fast it is."
    yield from reached(report.goals)
    yield title("Rows a second, and how many times as fast as the reference of the same run")
    yield _rates(report.rates)
    if report.steps:
        yield title("From rows to lines, 1,000 at once: µs a line by step (indented: part of the one above)")
        yield _steps(report.steps)
    yield title("Queries")
    yield _queries(report.queries)
    for load in report.loads:
        took = f"made in {load.seconds:.0f} s, {load.bytes / 1e6:,.0f} MB on the disk"
        yield f"{load.store}: {load.rows:,} rows {took}."
    if report.year is not None:
        yield from _year(report.year)
    yield from (f"\nNot measured: {what}" for what in report.missing)


def _rates(rates: Iterable[Rate]) -> Table:
    table = new_table("at once", "rows/s", "µs a row", "beside", "µs a row", "times as fast", "quartiles")
    for rate in rates:
        table.add_row(
            rate.what,
            f"{rate.rows:,}",
            number(1e6 / rate.us_per_row),
            number(rate.us_per_row),
            rate.beside,
            number(rate.us_beside),
            number(rate.times),
            f"{number(rate.low)} - {number(rate.high)}",
        )
    return table


def _steps(steps: Iterable[Step]) -> Table:
    """One row a step, one column for each kind of row."""
    costs: dict[str, dict[str, float]] = {}
    for step in steps:
        costs.setdefault(step.step, {})[step.of] = step.us_per_line
    kinds = list(dict.fromkeys(step.of for step in steps))
    table = new_table(*kinds)
    for name, by_kind in costs.items():
        table.add_row(name, *(f"{by_kind[kind]:.2f}" for kind in kinds))
    return table


def _queries(queries: Iterable[Query]) -> Table:
    table = new_table("store", "rows", "p50 ms", "p99 ms", "its rows, ms", "bare statement, ms", "times")
    for query in queries:
        table.add_row(
            query.what,
            query.store,
            f"{query.rows:,}",
            number(query.p50_ms),
            number(query.p99_ms),
            number(query.raw_ms),
            number(query.bare_ms),
            number(query.times),
        )
    return table


def _year(year: Year) -> Iterable[RenderableType]:
    """The slowest queries of each period, and what all of them take together."""
    yield title(f"The machine dashboard: the {SLOWEST} slowest queries of each period, medians")
    table = new_table("period", "ms", "rows")
    for period in dict.fromkeys(query.period for query in year.queries):
        of_period = [query for query in year.queries if query.period == period]
        for query in sorted(of_period, key=lambda query: -query.ms)[:SLOWEST]:
            table.add_row(query.panel, query.period, number(query.ms), f"{query.rows:,}")
        total = sum(query.ms for query in of_period)
        table.add_row(f"all {len(of_period)} queries", period, number(total), "")
    yield table
    yield f"{year.told}."
    took = f"{year.load.seconds:.0f} s, {year.load.bytes / 1e6:,.0f} MB on the disk"
    yield f"{year.load.rows:,} rows written and put in order in {took}."
