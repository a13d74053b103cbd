"""The report of training for people: tables for the terminal, and Markdown for a page in docs/."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from .tables import circumstances, figure, new_table, number, print_parts, reached, title

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from .report import Goal
    from .training_faults import Named
    from .training_report import Report

BEGIN: Final = "<!-- measured: palier bench training --write FILE replaces what follows -->"
END: Final = "<!-- end of what was measured of training -->"
MET: Final = {True: "met", False: "**not met**", None: "not measured"}


def show(report: Report, console: Console) -> None:
    """Prints all of it."""
    print_parts(_parts(report), console)


def replaced(page: str, measured: str) -> str:
    """A page with what was measured in place of what stood there. Raises ValueError where it has no marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page must have the lines {BEGIN!r} and {END!r} to write between")
    return before + measured + after


def markdown(report: Report) -> str:
    """What stands between the marks."""
    lines = [BEGIN, "", f"{report.machine.line()}.", ""]
    lines += ["| what | measured | beside it | goal | |", "|---|---|---|---|---|"]
    lines += [_goal(goal) for goal in report.goals]
    garden = report.faults.garden
    lines += [
        "",
        f"Pumps by fault, {garden.of_each} of each, in {garden.folds} folds by machine; then with the fault "
        "left out of training. A pump's answer is that of most of its faulty blocks.",
        "",
        "| fault | named on pumps held out | blocks | never seen: unidentified | blocks | answers then |",
        "|---|---|---|---|---|---|",
    ]
    asked = zip(report.faults.held_out, report.faults.unseen, strict=True)
    lines += [_fault(held, unseen) for held, unseen in asked]
    calm = report.faults.calm
    lines += ["", f"Of {calm.blocks:,} blocks in good order {_percent(calm)} are called so.", "", END]
    return "\n".join(lines)


def _goal(goal: Goal) -> str:
    aim = goal.aim
    beside = "" if goal.reference is None else f"{figure(goal.reference, aim.unit)} {aim.beside}"
    note = f" ({goal.note})" if goal.note else ""
    reach = f"{aim.sense} {aim.goal:g}"
    return f"| {aim.what}{note} | {figure(goal.figure, aim.unit)} | {beside} | {reach} | {MET[goal.met]} |"


def _fault(held: Named, unseen: Named) -> str:
    answers = ", ".join(f"{name} {count}" for name, count in unseen.answers)
    return (
        f"| {held.fault} | {held.pumps_right} of {held.pumps} | {_percent(held)} | "
        f"{unseen.pumps_right} of {unseen.pumps} | {_percent(unseen)} | {answers} |"
    )


def _percent(one: Named) -> str:
    return f"{100 * one.blocks_right / max(1, one.blocks):.1f} %"


def _parts(report: Report) -> Iterable[RenderableType]:
    yield from circumstances(report.machine)
    if report.quick:
        yield "--quick: a small plant; it shows that it works, not how fast it is."
    yield from reached(report.goals)
    if report.fits.cluster_s is not None:
        yield f"On the Dask cluster the fits take {number(report.fits.cluster_s)} s, to the same bytes."
    yield title("Faults of simulated pumps, by machines held out whole")
    yield _faults(report.faults.held_out)
    yield title("The same, each fault left out of training")
    yield _faults(report.faults.unseen)


def _faults(some: Sequence[Named]) -> Table:
    table = new_table("pumps", "right", "blocks", "right", "answers")
    for one in some:
        answers = ", ".join(f"{name} {count}" for name, count in one.answers)
        blocks = number(100 * one.blocks_right / max(1, one.blocks))
        table.add_row(
            one.fault, str(one.pumps), str(one.pumps_right), str(one.blocks), f"{blocks} %", answers
        )
    return table
