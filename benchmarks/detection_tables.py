"""What `palier bench detection` found, for people: a table on the terminal, a score card in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from .detection_protocol import Figure
from .tables import new_table, print_parts, title

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from .detection import Outcome, Report

_MET: Final = {True: "met", False: "NOT MET", None: "-"}
_NONE: Final = "–"

_INTRODUCTION: Final = """# Score card of detection and diagnosis

Written by `palier bench detection --data DIR --write docs/scorecard.md`; nothing here is typed by hand. Every
threshold is fixed in the code or comes from the training prefix of the record, one configuration for all
records; none is chosen for a set or a file. The recordings are public sets that are not part of the project.

*Always* is the same figure of a detector that always alarms (of a diagnosis that always names the same
fault), *random* that of one that alarms by chance as often as ours. A figure that those reach too says
nothing.
"""


def show(report: Report, console: Console) -> None:
    """Prints all of it."""
    print_parts(_parts(report), console)


def _parts(report: Report) -> Iterator[RenderableType]:
    for outcome in report.outcomes:
        yield title(f"{outcome.protocol.title} ({outcome.protocol.name})")
        if outcome.figures:
            yield _table(outcome)
            yield from (f"  {figure.name}: {figure.note}" for figure in outcome.figures if figure.note)
        if outcome.why:
            yield f"  {outcome.why}"
    yield f"\n{_summary(report)}"


def _summary(report: Report) -> str:
    figures = [figure for outcome in report.outcomes for figure in outcome.figures]
    met = sum(figure.met is True for figure in figures)
    judged = sum(figure.met is not None for figure in figures)
    return f"{met} of {judged} goals met."


def _table(outcome: Outcome) -> Table:
    table = new_table("ours", "goal", "", "always", "random")
    table.add_column("reference", overflow="fold")
    for figure in outcome.figures:
        style = "bold red" if figure.met is False else ""
        table.add_row(*_cells(figure), style=style)
    return table


def _cells(figure: Figure) -> tuple[str, ...]:
    ours = " ".join(filter(None, (number(figure.value), figure.unit)))
    return (
        figure.name,
        ours,
        figure.goal or _NONE,
        _MET[figure.met],
        number(figure.always_alarm),
        number(figure.random),
        figure.reference or _NONE,
    )


def number(value: float | None) -> str:
    """Four digits at most, a dash for None."""
    if value is None:
        return _NONE
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"


def markdown(report: Report) -> str:
    """The score card: a section a protocol, goals first and what they rest on under them."""
    return "\n".join([_INTRODUCTION, f"{_summary(report)}\n", *_sections(report.outcomes)])


def _sections(outcomes: Iterable[Outcome]) -> Iterator[str]:
    for outcome in outcomes:
        yield f"## {outcome.protocol.title}\n"
        if outcome.protocol.about:
            yield f"{outcome.protocol.about}\n"
        if outcome.figures:
            yield "| figure | ours | goal | met | always | random | reference |"
            yield "|---|---:|---:|---|---:|---:|---|"
            yield from (f"| {' | '.join(map(_cell, _cells(figure)))} |" for figure in outcome.figures)
            yield ""
        yield from (f"- {figure.name}: {figure.note}" for figure in outcome.figures if figure.note)
        if any(figure.note for figure in outcome.figures):
            yield ""
        if outcome.why:
            yield f"{outcome.why[0].upper()}{outcome.why[1:]}.\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
