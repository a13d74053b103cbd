"""`palier replay`: recordings through a gateway of their own, over a broker, into the historian."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palier.options import (
    FAILED,
    USAGE,
    BearingOption,
    BearingOrdersOption,
    ChannelOption,
    CommandError,
    FsOption,
    IndexOption,
    JsonOption,
    LangOption,
    QuietOption,
    RpmOption,
    UnitOption,
    bearing_of,
    catalogue,
)

if TYPE_CHECKING:
    from .replay_job import Job
    from .replay_run import Progress


def replay(
    recordings: Annotated[
        list[Path], typer.Argument(metavar="RECORDING...", help="npz, npy, csv, wav, mat or parquet.")
    ],
    *,
    index: IndexOption = None,
    fs: FsOption = None,
    rpm: RpmOption = None,
    unit: UnitOption = None,
    bearing: BearingOption = None,
    bearing_orders: BearingOrdersOption = None,
    channel: ChannelOption = None,
    plant: Annotated[
        Path | None,
        typer.Option("--plant", metavar="FILE", help="plant.toml; without it one machine for each record."),
    ] = None,
    machine: Annotated[
        str | None,
        typer.Option("--machine", metavar="ID", help="All records are of this machine of --plant."),
    ] = None,
    plant_out: Annotated[
        Path | None,
        typer.Option("--plant-out", metavar="FILE", help="Write the plant made from the records, and end."),
    ] = None,
    broker: Annotated[
        str, typer.Option("--broker", metavar="HOST:PORT", help="A running broker on this machine.")
    ] = "127.0.0.1:1883",
    embedded: Annotated[
        bool, typer.Option("--embedded", help="Start a broker and an ingest for it, and end them after.")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="FOLDER", help="Where it keeps its data [default: $PALIER_HOME/replay]."
        ),
    ] = None,
    rate: Annotated[
        str, typer.Option("--rate", metavar="N|max", help="Times real time, or as fast as the host stores.")
    ] = "max",
    site: Annotated[
        str | None,
        typer.Option("--site", metavar="NAME", help='Site [default: that of --plant, or "replay"].'),
    ] = None,
    patience: Annotated[
        float,
        typer.Option(
            "--patience", metavar="S", min=1, help="Give up when nothing was acknowledged for so long."
        ),
    ] = 60.0,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """Send recordings through a gateway of their own, over a broker, until the host has every frame.

    With --embedded the broker and the host are started too, and what the historian then says of the records'
    defect lines is printed. Exits with 1 unless every frame is acknowledged and accounted for.

    Example:
      palier replay --embedded rig.npz --index rig.csv --bearing 6205
    """
    from . import replay_job
    from .replay_text import as_json, as_text

    words = catalogue(lang)
    found = bearing_of(bearing, bearing_orders)
    job = replay_job.prepare(
        recordings,
        index=index,
        fs_hz=fs,
        rpm=rpm,
        unit=unit,
        channel=channel,
        bearing=found,
        designation=bearing,
        plant_file=plant,
        machine=machine,
        broker=broker,
        embedded=embedded,
        folder=data,
        rate=rate,
        site=site,
        patience_s=patience,
    )
    if plant_out is not None:
        _write_plant(job, plant_out)
        return
    if not quiet and not json_output:
        for line in job.notes(words):
            typer.echo(line, err=True)
    with _progress(quiet or json_output) as show:
        result = replay_job.run(job, show)
    typer.echo(as_json(result) if json_output else as_text(result, words))
    if not result.good:
        raise typer.Exit(FAILED)


def _write_plant(job: Job, file: Path) -> None:
    if job.made_plant is None:
        raise CommandError("--plant-out writes the plant made from the records: leave out --plant", USAGE)
    try:
        file.write_text(job.made_plant, "utf-8")
    except OSError as error:
        raise CommandError(f"{file} can't be written: {error.strerror}", USAGE) from error
    typer.echo(str(file))


@contextlib.contextmanager
def _progress(silent: bool) -> Iterator[Callable[[Progress], None]]:
    """A bar on a terminal's error output: frames that the host has, of those expected."""
    if silent:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    console = Console(stderr=True)
    with Bar(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(now: Progress) -> None:
            stored = max(0, now.acquired - now.waiting)
            bar.update(task, completed=stored, total=now.expected, description=now.detail)

        yield show
