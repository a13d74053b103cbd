"""`palier intervention`: what was done to machines."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from palier.options import JsonOption, LangOption, QuietOption, catalogue
from palier.plant_times import times_of

from .asking_text import DataOption, moment_ns, one_of, read_records, tells

if TYPE_CHECKING:
    from palier.historian.rows import InterventionRow
    from palier.locale import Catalogue
    from palier.operations import Ask
    from palier.plant_times import Times

intervention = typer.Typer(
    help="Record what was done to a machine, and list it.",
    short_help="Record what was done to a machine, and list it.",
    epilog="\b\nExample:\n  palier intervention add P-101 bearing_changed --point 2 --text '22220 E'",
    no_args_is_help=True,
)


@intervention.command()
@tells
def add(
    machine: Annotated[str, typer.Argument(metavar="MACHINE")],
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="greasing, tightening, bearing_changed, balancing, alignment, tool_change or other.",
        ),
    ],
    *,
    point: Annotated[
        str, typer.Option("--point", metavar="POINT", help="Where; left out: the machine.")
    ] = "",
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="When, like 2026-07-14T08:30, on the plant's clocks (of --data, else this computer's); "
            "left out: now.",
        ),
    ] = None,
    data: DataOption = None,
    text: Annotated[str, typer.Option("--text", metavar="TEXT", help="What exactly; it is recorded.")] = "",
    cause: Annotated[
        str | None, typer.Option("--cause", metavar="CODE", help="Clause of ISO 15243, e.g. 5.2.2.")
    ] = None,
) -> Ask:
    """Record what was done to a machine.

    Health and remaining life begin anew; a baseline may be learned anew.
    """
    from palier.operations import CauseCode, Intervene, InterventionKind

    return Intervene(
        machine,
        one_of("KIND", InterventionKind, kind),
        moment_ns(at, times_of(data)),
        point,
        text,
        None if cause is None else one_of("--cause", CauseCode, cause),
    )


@intervention.command("list")
def list_done(
    *,
    data: DataOption = None,
    machine: Annotated[
        str | None, typer.Option("--machine", metavar="MACHINE", help="Of this one only.")
    ] = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """List what was done, oldest first, from the ingest's records."""
    words, times = catalogue(lang), times_of(data)
    rows = read_records(data, lambda reader: reader.interventions(machine))
    for row in rows:
        typer.echo(json.dumps(asdict(row), ensure_ascii=False) if json_output else _line(row, words, times))
    if not quiet and not json_output:
        typer.echo(times.note(words) if rows else words.text("intervention.none"))


def _line(row: InterventionRow, words: Catalogue, times: Times) -> str:
    place = f"{row.machine}/{row.point}" if row.point else row.machine
    kind = words.text(f"intervention.{row.kind}")
    lines = [
        words.text("intervention.line", time=times.text(row.at_ns), machine=place, kind=kind, who=row.user)
    ]
    lines += [row.text] if row.text else []
    lines += [words.text("intervention.cause", cause=row.cause)] if row.cause else []
    return "\n    ".join(lines)
