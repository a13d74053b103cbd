"""The report of the historian for people: what must be reached, then lines, writes, steps and queries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.table import Table

from .machine import BUSY
from .tables import goals_table, new_table, number, title

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from .historian_report import Query, Rate, Report, Step


def show(report: Report, console: Console) -> None:
    """Prints all of it."""
    for part in _parts(report):
        console.print(part, soft_wrap=not isinstance(part, Table), markup=False, highlight=False)


def _parts(report: Report) -> Iterable[RenderableType]:
    yield report.machine.line()
    if report.machine.busy:
        yield f"The machine was busy (load above {BUSY:g}): read the ratios, not the times, and run it again."
    if report.quick:
        yield "--quick: few rows and few rounds; it shows that it works, not how fast it is."
    yield title("What must be reached")
    yield goals_table(report.goals)
    yield from (f"  {goal.aim.what}: {goal.note}" for goal in report.goals if goal.note)
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
    table = new_table("store", "rows", "p50 ms", "p99 ms", "its rows read, ms")
    for query in queries:
        table.add_row(
            query.what,
            query.store,
            f"{query.rows:,}",
            number(query.p50_ms),
            number(query.p99_ms),
            number(query.raw_ms),
        )
    return table
