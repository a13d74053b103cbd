"""`palier baseline`: what machines are compared with, and who stands for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from palier.options import CommandError, JsonOption, LangOption, QuietOption, catalogue
from palier.plant_times import times_of

from .asking_text import DataOption, asks, read_records

if TYPE_CHECKING:
    from palier.historian.records import RecordsReader
    from palier.operations import Ask, Baseline

baseline = typer.Typer(
    help="Show the machines' baselines; confirm one, or have it learned anew.",
    short_help="Show baselines; confirm one, or have it learned anew.",
    epilog="\b\nExample:\n  palier baseline show --data /var/lib/palier/ingest\n"
    "  palier baseline confirm P-101 --why 'checked with the collector'",
    no_args_is_help=True,
)

MachineArgument = Annotated[str, typer.Argument(metavar="MACHINE")]


@baseline.command()
def show(
    *,
    data: DataOption = None,
    every: Annotated[bool, typer.Option("--all", help="Older versions too.")] = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """Show each machine's baseline, from the ingest's records."""
    words, times = catalogue(lang), times_of(data)
    found = read_records(data, _read)
    if not every:
        found = list({one.machine: one for one in found}.values())
    for one in found:
        line = words.text(
            "baseline.line",
            machine=one.machine,
            version=one.version,
            status=words.text(f"baseline.{one.status}"),
            progress=words.number(100 * one.progress, 0),
            time=times.text(one.since_ns),
        )
        typer.echo(json.dumps(one.told(), ensure_ascii=False) if json_output else line)
    if not quiet and not json_output:
        typer.echo(times.note(words) if found else words.text("baseline.none"))


@baseline.command()
@asks
def confirm(
    machine: MachineArgument,
    *,
    why: Annotated[
        str, typer.Option("--why", metavar="TEXT", help="What you looked at; it is recorded.")
    ] = "",
) -> Ask:
    """Say that a baseline was learned from a machine in good health."""
    from palier.operations import ConfirmBaseline

    return ConfirmBaseline(machine, why)


@baseline.command()
@asks
def relearn(
    machine: MachineArgument,
    *,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason; it is recorded.")],
) -> Ask:
    """Have a baseline learned anew after a recorded intervention.

    The old one is kept.
    """
    from palier.operations import RelearnBaseline

    return RelearnBaseline(machine, why)


def _read(reader: RecordsReader) -> list[Baseline]:
    from palier.operations import Baseline

    try:
        return [Baseline.from_told(json.loads(row.value)) for row in reader.baselines()]
    except ValueError as error:
        raise CommandError(f"the records hold a baseline of another version of Palier: {error}") from error
