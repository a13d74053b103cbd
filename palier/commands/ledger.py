"""`palier ledger`: is every frame that a gateway acquired in exactly one place?"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

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
from palier.plant_times import times_of

if TYPE_CHECKING:
    from palier.ledger import LedgerLine
    from palier.locale import Catalogue
    from palier.plant_times import Times

_COUNTS: Final = frozenset({"acquired", "stored", "quarantined", "dropped", "pending"})


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
    """Account for every frame: acquired = stored + quarantined + dropped + pending, a line an outbox.

    Reads the ingest's records and the last report of each gateway, while both go on working. A gateway that
    no longer reports is unknown since then. An outbox that the gateway made anew has a line of its own, which
    is final: what waited in the old one is lost. Exits with 1 when a line does not add up.

    Example:
      palier ledger --data /var/lib/palier/ingest
    """
    words, times = catalogue(lang), times_of(data)
    lines, never = _read(data)
    if json_output:
        rows = [line.told() for line in lines]
        rows += [{"edge": edge, "epoch": epoch, "adds_up": None} for edge, epoch in never]
        sentences = [json.dumps(row, ensure_ascii=False) for row in rows]
    else:
        sentences = [text for line in lines for text in _sentences(line, words, times)]
        sentences += [words.text("cli.ledger_never", edge=edge, epoch=epoch) for edge, epoch in never]
        if any(line.unknown_since_ns is not None for line in lines) and not quiet:
            sentences.append(times.note(words))
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


def _sentences(line: LedgerLine, words: Catalogue, times: Times) -> Iterator[str]:
    """The line with its verdict, and below it what asks for an explanation."""
    told = {name: words.number(count, 0) for name, count in asdict(line).items() if name in _COUNTS}
    counts = words.text("cli.ledger_line", edge=line.edge, epoch=line.epoch, **told)
    yield f"{counts} · {_verdict(line, words, times)}"
    if line.dropped_for:
        reasons = [
            f"{words.text(f'cli.ledger_dropped_{reason}')} {words.number(count, 0)}"
            for reason, count in line.dropped_for.items()
        ]
        yield "  " + words.text("cli.ledger_reasons", reasons=", ".join(reasons))
    if line.gaps and line.adds_up is not None:
        gaps = ", ".join(f"{lo}" if lo == hi else f"{lo}-{hi}" for lo, hi in line.gaps)
        yield "  " + words.text("cli.ledger_gaps", gaps=gaps)


def _verdict(line: LedgerLine, words: Catalogue, times: Times) -> str:
    if line.replaced and not line.lost and line.adds_up:
        return words.text("cli.ledger_replaced")
    if line.replaced:
        lost = words.text("cli.ledger_replaced_lost", lost=words.number(line.lost, 0))
        return lost if not line.missing else f"{lost} ({_wrong(line, words)})"
    if line.unknown_since_ns is not None:
        return words.text("cli.ledger_unknown", time=times.to_the_second(line.unknown_since_ns))
    if line.adds_up:
        return words.text("cli.ledger_adds_up")
    return _wrong(line, words)


def _wrong(line: LedgerLine, words: Catalogue) -> str:
    return words.text("cli.ledger_wrong", missing=line.missing, twice=line.twice)
