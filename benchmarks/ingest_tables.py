"""The report of the ingest for people: what must be reached, the runs, where the time goes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from .ingest_fleet import CHANNELS, N_SAMPLES
from .ingest_report import SHIPPED
from .tables import circumstances, new_table, number, print_parts, reached, title

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from .ingest_report import Apart, Report, Run


def show(report: Report, console: Console) -> None:
    """Prints all of it."""
    print_parts(_parts(report), console)


def _parts(report: Report) -> Iterable[RenderableType]:
    yield from circumstances(report.machine)
    if report.quick:
        yield "--quick: a small fleet for some seconds; it shows that it works, not how fast it is."
    yield (
        f"{report.gateways} gateways, {report.points} points, {len(CHANNELS)} x {N_SAMPLES:,} int16 a frame; "
        "all programs share the cores."
    )
    yield f"The ingest as shipped computes the {SHIPPED}; the core set is what the naive path computes."
    yield from reached(report.goals)
    if report.runs:
        yield title("Runs: at full credit, and at a third of that; processor time of a frame in µs")
        yield _runs(report.runs)
    if report.naive_us is not None:
        yield f"The naive path takes {number(report.naive_us)} µs a message, in process and without a store."
    for apart in report.apart:
        yield title(f"The ingest by part, {apart.store}, {apart.features}: µs of a frame")
        yield _apart(apart)
    yield from (f"\nNot measured with {store}: {why}" for store, why in report.missing.items())


def _runs(runs: Sequence[Run]) -> Table:
    names = list(dict.fromkeys(name for run in runs for name in run.cpu_us))
    table = new_table("windows/s", "frames/s", *names, "p50 ms", "at a third", "p50 ms", "p99 ms")
    for run in runs:
        table.add_row(
            f"{run.store}, {run.features}",
            f"{run.windows_per_s:,.0f}",
            f"{run.frames_per_s:,.0f}",
            *(number(run.cpu_us.get(name)) for name in names),
            number(run.full_p50_ms),
            f"{run.third_per_s:,.0f}",
            number(run.p50_ms),
            number(run.p99_ms),
        )
    return table


def _apart(apart: Apart) -> Table:
    table = new_table("processor", "wall")
    for part in apart.parts:
        table.add_row(part.part, number(part.cpu_us), number(part.wall_us))
    together = (sum(part.cpu_us for part in apart.parts), sum(part.wall_us for part in apart.parts))
    table.add_row("together", *map(number, together), style="bold")
    return table
