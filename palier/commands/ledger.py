"""`palier ledger`: is every frame that a gateway acquired in exactly one place?"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palier.options import (
    FAILED,
    USAGE,
    CommandError,
    JsonOption,
    LangOption,
    QuietOption,
    catalogue,
)

if TYPE_CHECKING:
    from palier.ledger import LedgerLine
    from palier.locale import Catalogue


def ledger(
    *,
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            metavar="FOLDER",
            envvar="PALIER_INGEST_DATA",
            help="The ingest's data folder, as in ingest.toml.",
        ),
    ],
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """Account for every frame: acquired = stored + quarantined + dropped + pending, a line a gateway.

    Reads the ingest's records and the last report of each gateway, while both go on working. A gateway that
    no longer reports is unknown since then. Exits with 1 when a line does not add up.

    Example:
      palier ledger --data /var/lib/palier/ingest
    """
    words = catalogue(lang)
    lines, never = _read(data)
    if json_output:
        rows = [asdict(line) for line in lines]
        rows += [{"edge": edge, "epoch": epoch, "adds_up": None} for edge, epoch in never]
        sentences = [json.dumps(row, ensure_ascii=False) for row in rows]
    else:
        sentences = [_sentence(line, words) for line in lines]
        sentences += [words.text("cli.ledger_never", edge=edge, epoch=epoch) for edge, epoch in never]
        if not sentences and not quiet:
            sentences = [words.text("cli.ledger_empty")]
    for sentence in sentences:
        typer.echo(sentence)
    if any(line.adds_up is False for line in lines):
        raise typer.Exit(FAILED)


def _read(data: Path) -> tuple[Sequence[LedgerLine], list[tuple[str, str]]]:
    """The line of each gateway and epoch that reported, and those that were seen and never reported."""
    from palier.historian.base import HistorianError
    from palier.historian.folder import DataFolder
    from palier.historian.records import RecordsReader

    path = DataFolder(data).records
    if not path.exists():
        near = next((found.parent for found in sorted(data.glob("*/**/records.sqlite"))), None)
        hint = f" (did you mean {near}?)" if near else ""
        raise CommandError(f"{path} does not exist: --data must be the data folder of an ingest{hint}", USAGE)
    try:
        with closing(RecordsReader(path)) as reader:
            # The host notes when it got a report by the wall clock, whatever time the plant has.
            lines = reader.ledger_lines(time.time_ns())
            reported = {(line.edge, line.epoch) for line in lines}
            return lines, [edge for edge in reader.edges() if edge not in reported]
    except HistorianError as error:
        raise CommandError(str(error)) from error


def _sentence(line: LedgerLine, words: Catalogue) -> str:
    if line.unknown_since_ns is not None:
        since = datetime.fromtimestamp(line.unknown_since_ns / 1e9, UTC).astimezone()
        verdict = words.text("cli.ledger_unknown", time=f"{since:%Y-%m-%d %H:%M:%S %Z}")
    elif line.adds_up:
        verdict = words.text("cli.ledger_adds_up")
    else:
        verdict = words.text("cli.ledger_wrong", missing=line.missing, twice=line.twice)
    return f"{words.text('cli.ledger_line', **asdict(line))} · {verdict}"
