"""The report for people: what must be reached first, then times, stages, accuracy and the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from .goals import MEGABYTE
from .machine import BUSY
from .peers import HOW_TO_INSTALL

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from .machine import Machine
    from .report import Accuracy, Goal, Report, Row, Stages

WORST: Final = 8
"""Features whose error is shown: the rest are better, and all are in the JSON."""

_MET: Final = {True: "met", False: "NOT MET", None: "-"}


def print_parts(parts: Iterable[RenderableType], console: Console) -> None:
    """Prints the parts of a report, tables in columns and sentences as they are."""
    for part in parts:
        console.print(part, soft_wrap=not isinstance(part, Table), markup=False, highlight=False)


def circumstances(machine: Machine) -> Iterable[str]:
    """On what was measured, and whether others used it."""
    yield machine.line()
    if machine.busy:
        yield f"The machine was busy (load above {BUSY:g}): read the ratios, not the times, and run it again."


def reached(goals: Sequence[Goal]) -> Iterable[RenderableType]:
    """The goals with what was found, and under them why one was not measured."""
    yield title("What must be reached")
    yield goals_table(goals)
    yield from (f"  {goal.aim.what}: {goal.note}" for goal in goals if goal.note)


def show(report: Report, console: Console) -> None:
    """Prints all of it."""
    print_parts(_parts(report), console)


def _parts(report: Report) -> Iterable[RenderableType]:
    yield from circumstances(report.machine)
    if report.quick:
        yield "--quick: few windows and few rounds; its ratios show that it works, not how fast it is."
    yield from reached(report.goals)
    yield title("Time of a window: µs, and how many times that of B, the bare FFT of the same windows")
    yield _times(report)
    yield from _not_given(report.timings)
    yield title("The whole catalogue by stage, x B")
    yield _stages(report.stages)
    yield title("Threads, memory, sizes")
    yield from _batches(report)
    yield title(f"Accuracy: the {WORST} features farthest from the float64 oracle")
    yield from _accuracy(report.accuracy)
    if report.missing:
        yield f"\nNot compared with {' and '.join(report.missing)}: {HOW_TO_INSTALL}"


def title(text: str) -> Text:
    """What stands over a part."""
    return Text(f"\n{text}", style="bold")


def new_table(*others: str) -> Table:
    """A table whose first column says what, beside `others`, which are numbers."""
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for other in others:
        table.add_column(other, justify="right")
    return table


def goals_table(goals: Iterable[Goal]) -> Table:
    """What must be reached, each with its figure, its reference and whether it was."""
    table = new_table("measured", "beside", "", "ratio", "goal", "")
    for goal in goals:
        aim = goal.aim
        table.add_row(
            aim.what,
            figure(goal.figure, aim.unit),
            figure(goal.reference, aim.unit),
            aim.beside,
            number(goal.ratio),
            f"{aim.sense} {aim.goal:g}",
            _MET[goal.met],
            style="bold" if goal.met is False else None,
        )
    return table


def _times(report: Report) -> Table:
    table = new_table("samples", "shaft", "input", "µs", "x B", "quartiles")
    for n_samples, us in report.bare_fft.items():
        table.add_row("B", f"{n_samples:,}", "", "float32", number(us), "1", "")
    for row in report.timings:
        passes = {True: ", compiled", False: ", numpy", None: ""}[row.compiled]
        table.add_row(
            row.what + passes,
            f"{row.n_samples:,}",
            "" if row.speed_hz is None else f"{row.speed_hz:g} Hz",
            row.input,
            number(row.us_per_window),
            number(row.times_b),
            f"{number(row.low)} - {number(row.high)}",
        )
    return table


def _not_given(rows: Iterable[Row]) -> Iterable[str]:
    """Once for each set and length: the type of the samples and the passes change nothing in it."""
    ours = (row for row in rows if row.speed_hz is not None and row.compiled is not None)
    told = {(row.what, row.n_samples, row.speed_hz): row.not_given for row in ours}
    for (what, n_samples, speed_hz), names in told.items():
        if names:
            at = f"{n_samples:,} samples and {speed_hz:g} Hz"
            yield f"  NaN in {what} at {at}, {len(names)}: {', '.join(names)}"


def _stages(all_stages: Sequence[Stages]) -> Table:
    """One row a stage, in the order of the first column."""
    heads = [
        f"{s.n_samples:,}\n{s.speed_hz:g} Hz\n{'compiled' if s.compiled else 'numpy'}" for s in all_stages
    ]
    table = new_table("features", *heads)
    by_name = [{cost.stage: cost for cost in stages.costs} for stages in all_stages]
    names = dict.fromkeys(name for costs in by_name for name in costs)
    for name in names:
        given = next(costs[name].features for costs in by_name if name in costs)
        shown = [number(costs[name].times) if name in costs else "" for costs in by_name]
        table.add_row(name, str(given) if given else "", *shown)
    sums = [number(sum(cost.times for cost in stages.costs)) for stages in all_stages]
    table.add_row("together", "", *sums, style="bold")
    return table


def _batches(report: Report) -> Iterable[str]:
    for key, speed_up in report.speed_up.items():
        yield f"Two threads, {key}: {speed_up:.2f} times one."
    for used in report.memory:
        resident = "unknown" if used.resident is None else f"{used.resident / MEGABYTE:.0f} MB"
        yield (
            f"Memory that {used.windows:,} windows of 4,096 samples add, whole catalogue, "
            f"{'compiled' if used.compiled else 'numpy'}: "
            f"{used.allocated / MEGABYTE:.0f} MB allocated, {resident} resident."
        )
    for features in dict.fromkeys(size.features for size in report.sizes):
        each = (
            f"{size.windows:,}: {number(size.us_per_window)} µs, {number(size.times_b)} x B"
            for size in report.sizes
            if size.features == features
        )
        yield f"Window of 4,096 int16 in batches, {features}, numpy: {'; '.join(each)}."


def _accuracy(accuracy: Accuracy) -> Iterable[RenderableType]:
    if not accuracy.deviations:
        yield accuracy.why
        return
    table = new_table("error", "", "in", "samples")
    for found in accuracy.deviations[:WORST]:
        error = "NaN" if found.error is None else f"{found.error:.1e}"
        passes = "compiled" if found.compiled else "numpy"
        table.add_row(found.feature, error, passes, found.kind, f"{found.n_samples:,}")
    yield table
    if accuracy.not_compared:
        yield f"  Not in the oracle: {', '.join(accuracy.not_compared)}"


def figure(value: float | None, unit: str) -> str:
    """A number with its unit, nothing for None."""
    return "" if value is None else f"{number(value)} {unit}".strip()


def number(value: float | None) -> str:
    """Three digits, without an exponent where people would not write one."""
    if value is None:
        return ""
    if 0 < abs(value) < 1e-2:
        return f"{value:.1e}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
