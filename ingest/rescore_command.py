"""`palier rescore`: a closed period of a machine judged again, in order of time."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palier.options import USAGE, CommandError, JsonOption, LangOption, QuietOption, catalogue

if TYPE_CHECKING:
    from palier.plant_times import Times

    from .settings import IngestSettings


def rescore(
    machine: Annotated[str, typer.Argument(metavar="MACHINE", help="As plant.toml names it: P-101.")],
    *,
    start: Annotated[
        str,
        typer.Option(
            "--from", metavar="TIME", help="Beginning: 2026-11-02, or 2026-11-02T06:30 (the plant's clocks)."
        ),
    ],
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="End; it is not part of the period.")],
    config: Annotated[
        Path, typer.Option("--config", metavar="FILE", help="The ingest's TOML file: plant, data, historian.")
    ],
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FOLDER", help="A copy of the data folder, in that file's stead."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what is found, and write nothing.")
    ] = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """Judge a past period of a machine again, with the baseline and the limits of today.

    What came late, after an outage, was stored and not judged; and a baseline that was learned since then
    knows more than the limits that judged alone. This takes the features of the period from the historian,
    in order of time, and tells when the first alert and the first danger would have come, which fault is
    named, and how many alerts were false: no work recorded within a month, none confirmed.

    It writes the series score, diagnosis, health and state of that period again. It raises no alarm, sends
    nobody a message and leaves the present state alone; the ingest may run meanwhile. The period must be
    over: at least ten minutes before the last live block. Done twice, it leaves the same rows.

    Example:
      palier rescore P-101 --from 2026-11-02 --to 2026-11-09 --config ingest.toml --dry-run
      palier rescore P-101 --from 2026-11-02 --to 2026-11-09 --config ingest.toml
      palier rescore P-101 --from 2026-11-02 --to 2026-11-09 --config ingest.toml --json | jq .first_alert
    """
    from palier.historian.base import HistorianError
    from palier.plant import load_plant
    from palier.plant_times import times_in

    from .rescore_running import Asked, RescoreError
    from .rescore_running import rescore as run
    from .rescore_text import outcome_lines

    words, settings = catalogue(lang), _settings(config, data)
    times = times_in(load_plant(settings.plant).timezone)
    first_ns, last_ns = _moment_ns("--from", start, times), _moment_ns("--to", end, times)
    asked = Asked(machine, first_ns, last_ns, write=not dry_run)
    try:
        with _bar(quiet) as progress:
            found = run(settings, asked, progress)
    except RescoreError as error:
        raise CommandError(str(error), USAGE) from error
    except HistorianError as error:
        raise CommandError(str(error)) from error
    if json_output:
        typer.echo(json.dumps(found.told(), ensure_ascii=False))
        return
    for line in outcome_lines(found, words, times):
        typer.echo(line)


def _settings(config: Path, data: Path | None) -> IngestSettings:
    from palier.settings import load_settings

    from .settings import IngestSettings

    settings = load_settings(IngestSettings, config)
    return settings if data is None else settings.model_copy(update={"data": data})


def _moment_ns(option: str, text: str, times: Times) -> int:
    """A time, on the plant's clocks where it names no zone. Raises CommandError."""
    try:
        return times.ns(text)
    except (ValueError, OverflowError, OSError) as error:
        raise CommandError(
            f"{option} must be a day or a time like 2026-11-02 or 2026-11-02T06:30, got {text!r}", USAGE
        ) from error


@contextmanager
def _bar(quiet: bool) -> Iterator[Callable[[float], None]]:
    """A bar on the terminal; what it yields is told the share that is done."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, redirect_stdout=False) as progress:
        task = progress.add_task("palier rescore", total=1.0)
        yield lambda share: progress.update(task, completed=share)
