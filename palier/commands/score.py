"""`palier score`: a table of slow readings judged offline, row by row, without looking ahead."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from palier.options import FAILED, USAGE, CommandError, JsonOption, LangOption, QuietOption, catalogue

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from palier.table_scores import ScoredTable
    from palier.tables import Table

LARGE: Final = 50_000
"""Rows from which a bar is shown: below them a table takes less than a second."""


class FailOn(StrEnum):
    """What makes the exit code 1."""

    ALERT = "alert"


def score(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="CSV or Parquet, one column a channel.")],
    *,
    fit_rows: Annotated[
        int | None, typer.Option("--fit-rows", min=1, metavar="N", help="Learn from the first N rows.")
    ] = None,
    fit_until: Annotated[
        str | None,
        typer.Option(
            "--fit-until", metavar="TIME", help="Learn from the rows up to TIME, e.g. 2026-03-09T10:20."
        ),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option("--time", metavar="COLUMN", help="The time column, where it is not recognised."),
    ] = None,
    columns: Annotated[
        str | None, typer.Option("--columns", metavar="A,B,...", help="Judge these columns only.")
    ] = None,
    ignore: Annotated[
        str | None,
        typer.Option("--ignore", metavar="A,B,...", help="Leave these columns out: labels, set points."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write a row for each row, as .csv or .parquet."),
    ] = None,
    fail_on: Annotated[
        FailOn | None, typer.Option("--fail-on", help="Exit with 1 if a row is in alert.")
    ] = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """Judge a table of slow readings, row by row: score, threshold, alert, changes, share of each channel.

    The first rows are taken to be normal and are learnt from: those of --fit-rows or --fit-until, 15 % of the
    table (at least 100 rows) without either. Each other row is judged by what came before it, never by what
    follows. There is nothing to tune: one configuration serves every table. A channel that drifts while it is
    learnt, like a temperature that warms up, has no level to be judged by, and the answer says so.

    What separates the cells, decimal commas and the time column are recognised.

    Example:
      palier score pump.csv --fit-rows 400
      palier score pump.csv --fit-until 2026-03-09T10:20 --ignore setpoint,state --out pump-scores.parquet
      palier score pump.csv --fit-rows 400 --json | jq .alerts
    """
    from palier.tables import read_table

    words = catalogue(lang)
    if fit_rows is not None and fit_until is not None:
        raise CommandError("--fit-rows and --fit-until must not both be given", USAGE)
    if out is not None and out.suffix.lower() not in (".csv", ".parquet"):
        raise CommandError(f"--out: {out} must end in .csv or .parquet", USAGE)
    read = read_table(table, time=time, columns=_names(columns), ignore=_names(ignore))
    fit = _fit_rows(read, fit_rows, fit_until)

    from models.types import Refusal
    from palier.table_scores import score_table

    from .score_text import Summary, as_json, refused_as_json

    with _bar(len(read) - fit, quiet) as tell:
        scored = score_table(read, fit, tell)
    summary = Summary(words, read)
    if isinstance(scored, Refusal):
        if json_output:
            typer.echo(json.dumps(refused_as_json(read, scored), ensure_ascii=False))
            raise typer.Exit(FAILED)
        raise CommandError(summary.refused(scored))
    if out is not None:
        _write(out, scored)
    if json_output:
        typer.echo(json.dumps(as_json(scored), ensure_ascii=False, allow_nan=False))
    else:
        given = fit_rows is not None or fit_until is not None
        typer.echo("\n".join(summary.lines(scored, fit_was_given=given)))
    if out is not None and not (json_output or quiet):
        typer.echo(words.text("score.written", file=out), err=True)
    if fail_on is not None and scored.alerts:
        raise typer.Exit(FAILED)


def _names(text: str | None) -> tuple[str, ...]:
    return () if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def _fit_rows(table: Table, rows: int | None, until: str | None) -> int:
    """How many rows to learn from. At least one must be left to judge."""
    from palier.table_scores import default_fit_rows

    n_rows = len(table)
    if until is not None:
        fit, option = table.rows_until(_moment(until)), f"--fit-until {until}"
    elif rows is not None:
        fit, option = rows, f"--fit-rows {rows}"
    else:
        return min(default_fit_rows(n_rows), n_rows - 1)
    if fit >= n_rows:
        raise CommandError(
            f"{option} must leave rows to judge, and {table.path} has {n_rows} rows: learn from fewer", USAGE
        )
    return fit


def _moment(text: str) -> np.datetime64:
    import numpy as np

    from palier.table_cells import parsed_times

    times = parsed_times(np.array([text]), written=True)
    if times is None:
        raise CommandError(f"--fit-until must be a time like 2026-03-09T10:20, got {text!r}", USAGE)
    moment: np.datetime64 = times[0]
    return moment


@contextmanager
def _bar(rows: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A bar on the terminal for a large table; what it yields is told the rows that are done."""
    if quiet or rows < LARGE or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, redirect_stdout=False) as progress:
        task = progress.add_task("palier score", total=rows)
        yield lambda done: progress.advance(task, done)


def _write(path: Path, scored: ScoredTable) -> None:
    from .score_text import columns_of

    columns = columns_of(scored)
    try:
        if path.suffix.lower() == ".parquet":
            from palier.table_parquet import write_columns

            write_columns(path, columns)
            return
        plain = [_cells(column) for column in columns.values()]
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*plain, strict=True))
    except OSError as error:
        raise CommandError(f"--out: {path} can't be written: {error.strerror or error}", USAGE) from error


def _cells(column: npt.NDArray[Any]) -> list[str]:
    """Text of a column: a flag is 0 or 1, what is not known is empty."""
    if column.dtype.kind == "M":
        return [str(moment).replace("T", " ") for moment in column]
    if column.dtype.kind == "f":
        return ["" if math.isnan(value) else f"{value:.6g}" for value in column.tolist()]
    return [str(int(value)) for value in column.tolist()]
