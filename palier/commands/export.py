"""`palier export`: what the historian holds, as a file for other programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from palier.options import FAILED, USAGE, CommandError, JsonOption, QuietOption

from .asking_text import demo_hint

if TYPE_CHECKING:
    from palier.historian.history import History, Tidy, Which

    from .export_files import Heading, TableFile

PEOPLE: Final = ("alarms", "labels", "interventions", "baselines")
"""What is put together from the events, and exported like a measurement."""

Told = Callable[[float], None]
"""Told how much is done, 0 to 1."""


def export(
    out: Annotated[
        Path, typer.Argument(metavar="FILE", help="FILE.csv, FILE.csv.gz or FILE.parquet; it is replaced.")
    ],
    *,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="ingest.toml or console.toml: where the data are."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FOLDER", help="The ingest's data folder, in place of --config."),
    ] = None,
    measurement: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="feature, feature_hourly, reading, state, score, ...; or alarms, labels, interventions, "
            "baselines.",
        ),
    ] = "feature",
    machine: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="This machine only; give it again for more.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="From 2026-11-01T06:00 on; UTC unless it names a zone."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Up to this time, excluded.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="NAME,NAME", help="These columns beside time and place; else all.")
    ] = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Export what the historian holds to CSV or Parquet, while the ingest goes on.

    Times are ISO 8601 in UTC, decimals have a dot, what is not known is empty (null in Parquet): the file is
    for programs. Units stand beside a CSV in FILE.csv.units.json, and in the fields of a Parquet. The file
    appears when it is whole; an export that is broken off leaves none.

    Example:
      palier export pumps.parquet --data /var/lib/palier/ingest --machine P-101 --from 2026-11-01
      palier export alarms.csv --config ingest.toml --measurement alarms
    """
    from palier.historian.base import HistorianError
    from palier.historian.history_table import HistoryError

    from .export_files import check_name

    check_name(out)
    try:
        with _opened(config, data) as history:
            which: Which = {"start": start, "end": end}
            if columns is not None:
                which["columns"] = [name.strip() for name in columns.split(",") if name.strip()]
            with _bar(quiet) as told:
                rows, names = _export(history, measurement, machine or None, which, out=out, told=told)
    except HistoryError as error:
        raise CommandError(str(error), USAGE) from error
    except HistorianError as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(
            f"{out} can't be written: {error.strerror or error}; nothing is left of it"
        ) from error
    if json_output:
        told_of = {"file": str(out), "measurement": measurement, "rows": rows, "columns": names}
        typer.echo(json.dumps(told_of, ensure_ascii=False))
    elif not quiet:
        typer.echo(f"{out}: {rows:,} rows of {measurement}, {len(names)} columns")


@contextmanager
def _opened(config: Path | None, data: Path | None) -> Iterator[History]:
    from palier.historian.history_opening import open_by
    from palier.historian.opening import HistorianSettings
    from palier.settings import load_settings

    from .export_settings import ExportSettings

    if config is not None and data is not None:
        raise CommandError("--config and --data must not both be given", USAGE)
    if data is not None:
        settings = ExportSettings(data=data, historian=HistorianSettings())
    elif config is None and "PALIER_EXPORT_DATA" not in os.environ:
        raise CommandError(
            "where the data are is missing: give --data FOLDER, or --config FILE, that of the ingest or of "
            f"the page{demo_hint()}",
            USAGE,
        )
    else:
        settings = load_settings(ExportSettings, config)
    with open_by(settings.historian, settings.data, plant=settings.plant) as history:
        yield history


def _export(
    history: History, measurement: str, machine: list[str] | None, which: Which, *, out: Path, told: Told
) -> tuple[int, tuple[str, ...]]:
    """Write it; (rows, names of the columns). Raises HistorianError, OSError, CommandError."""
    from .export_files import writing

    found = (
        _of_people(history, measurement, machine, which)
        if measurement in PEOPLE
        else _of_measurement(history, measurement, machine, which, told=told)
    )
    first = next(found, None)
    if first is None:
        raise CommandError(
            f"there are no rows of {measurement!r} in that time for these machines: nothing was written",
            FAILED,
        )
    heading = _heading(history, measurement, first)
    with writing(out, heading) as file:
        return _write(file, first, found), first.names


def _write(file: TableFile, first: Tidy, rest: Iterator[Tidy]) -> int:
    file.write(first)
    rows = len(first)
    for piece in rest:
        file.write(piece)
        rows += len(piece)
    return rows


def _of_measurement(
    history: History, measurement: str, machine: list[str] | None, which: Which, *, told: Told
) -> Iterator[Tidy]:
    """Its pieces, machine by machine."""
    from palier.historian.history_asking import fields_of, of_measurement
    from palier.historian.history_table import tidy_of

    table = of_measurement(measurement)
    fields = fields_of(table, which.get("columns"))
    machines = history.machines_of(measurement, machine)
    for i, name in enumerate(machines):
        span = history.span_ns(measurement, name, **which)
        if span is None:
            continue
        bounded: Which = {**which, "start": span[0], "end": span[1]}
        for _, end_ns, rows in history.stretches(measurement, name, **bounded):
            yield tidy_of(rows, table, fields)
            told((i + (end_ns - span[0]) / (span[1] - span[0])) / len(machines))
    told(1.0)


def _of_people(history: History, measurement: str, machine: list[str] | None, which: Which) -> Iterator[Tidy]:
    """One table."""
    table: Tidy = getattr(history, measurement)(machine, start=which["start"], end=which["end"])
    wanted = which.get("columns")
    if len(table):
        yield table if wanted is None else table.only(wanted)


def _heading(history: History, measurement: str, first: Tidy) -> Heading:
    from palier.historian.schema import KEY, MEASUREMENTS

    from .export_files import Heading

    known = MEASUREMENTS.get(measurement)
    fields = {} if known is None else {field.name: field for field in known.fields}
    docs = dict.fromkeys(first.names, "")
    docs |= {name: field.doc for name, field in fields.items() if name in docs}
    docs |= {name: _KEY_DOCS.get(name, name) for name in docs if name in (*KEY, "time")}
    whole = frozenset(name for name, field in fields.items() if field.type == "int")
    return Heading(measurement, history.site, docs, first.units, whole)


_KEY_DOCS: Final = {
    "time": "time of the row (of a block: its first sample)",
    "point": "point of measurement, empty for the machine as a whole",
    "channel": "channel, empty for the point as a whole",
}


@contextmanager
def _bar(quiet: bool) -> Iterator[Told]:
    """A bar on the terminal; what it yields is told how much is done."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, redirect_stdout=False) as progress:
        task = progress.add_task("palier export", total=1.0)
        yield lambda done: progress.update(task, completed=done)
