"""`palier analyze`: recordings looked at offline, without broker or history."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
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
    from models.detection.zones import LimitSet
    from palier.analysis import Analyzer, RecordAnalysis
    from palier.recordings import Recordings, Skipped

FEW = 3
"""Up to this many records are told in full, more of them as a table."""


MOST_TOLERANCE = 10.0
"""Small motors slip by so many percent; within more than that half or twice another line is soon met."""


class FailOn(StrEnum):
    """From which state on a script wants exit code 1."""

    ALERT = "alert"
    DANGER = "danger"


def analyze(
    recordings: Annotated[
        list[Path], typer.Argument(metavar="RECORDING...", help="npz, npy, csv, wav, mat or parquet files.")
    ],
    *,
    fs: FsOption = None,
    rpm: RpmOption = None,
    rpm_range: Annotated[
        str | None,
        typer.Option(
            "--rpm-range",
            metavar="LOW-HIGH",
            help="Where no speed is given, estimate it from the spectrum within this range, e.g. 1455-1500.",
        ),
    ] = None,
    rpm_tolerance: Annotated[
        float | None,
        typer.Option(
            "--rpm-tolerance",
            metavar="PERCENT",
            help="The speed is that of a nameplate: look for the real one so near to it, e.g. 2.",
        ),
    ] = None,
    unit: UnitOption = None,
    bearing: BearingOption = None,
    bearing_orders: BearingOrdersOption = None,
    channel: ChannelOption = None,
    index: IndexOption = None,
    limits: Annotated[
        str | None,
        typer.Option("--limits", metavar="ID", help="Limits to judge by, e.g. iso20816-3:g2:rigid."),
    ] = None,
    fail_on: Annotated[
        FailOn | None, typer.Option("--fail-on", help="Exit with 1 if a record is in this state or worse.")
    ] = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """Look into recordings: zone, what is wrong and what to do about it, or why nothing can be said.

    Needs no broker and no history. Each record is judged by itself, from the sample rate, the speed of
    rotation, the unit, the bearing and the limits that you give, or that an index gives for many records.
    What is not given is not guessed: without a unit and limits there is no zone and no fault of the shaft,
    without a speed no diagnosis of the bearing, and a zone holds only if the machine was running; the answer
    says so. Channels of one record are those of one point; names like H, V, A tell their directions.
    A speed that nobody measured can be estimated with --rpm-range: from the nameplate to the synchronous
    speed of a motor, or the range of its drive. The narrower, the surer. --rpm is taken as measured: of a
    nameplate's, say with --rpm-tolerance how far off it may be.

    Example:
      palier analyze pump.csv --fs 25600 --unit g --rpm 1485 --bearing 6309 --limits iso20816-3:g2:rigid
      palier analyze rig.npz --index rig.csv --bearing 6205
      palier analyze rig.npz --index rig.csv --bearing 6205 --json | jq .diagnosis
    """
    from palier.analysis import Analyzer

    from .analysis_json import as_json
    from .analysis_text import Writer

    words = catalogue(lang)
    if rpm is not None and rpm_range is not None:
        raise CommandError(
            "--rpm and --rpm-range must not both be given: a known speed is not estimated", USAGE
        )
    analyzer = Analyzer(
        bearing_of(bearing, bearing_orders), _limits(limits), _range_hz(rpm_range), _tolerance(rpm_tolerance)
    )
    files = _open(recordings, index, fs_hz=fs, rpm=rpm, unit=unit, channel=channel)
    skipped = _skipped_everywhere(files)
    count = sum(map(len, files))
    writer = Writer(words, analyzer.bearing, in_full=count <= FEW)
    worst, leading, named = 0, Counter[tuple[str, str | None]](), Counter[tuple[str, str]]()
    for record in _watched(_analyses(files, analyzer), count, quiet):
        worst = max(worst, *(c.judgement.severity for c in record.channels))
        if "fault" in record.labels:
            leading[record.labels["fault"], record.leading.defect if record.leading else None] += 1
            named[record.labels["fault"], writer.said(record)] += 1
        typer.echo(json.dumps(as_json(record), ensure_ascii=False) if json_output else writer.record(record))
    if not quiet:
        for item in skipped:
            typer.echo(writer.skipped(item), err=True)
    if not json_output:
        typer.echo(writer.end(count, len(skipped), leading, named), nl=False)
    if fail_on is not None and worst >= _SEVERITY[fail_on]:
        raise typer.Exit(FAILED)


_SEVERITY = {FailOn.ALERT: 3, FailOn.DANGER: 5}


def _range_hz(text: str | None) -> tuple[float, float] | None:
    """Lowest and highest speed in Hz of `--rpm-range`."""
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split("-"))
    except ValueError:
        low = high = 0.0
    if not 0 < low < high < 1e7:
        raise CommandError(
            f"--rpm-range must be the lowest and the highest speed in r/min like 1455-1500, got {text!r}",
            USAGE,
        )
    return low / 60, high / 60


def _tolerance(percent: float | None) -> float | None:
    """The share that `--rpm-tolerance` is."""
    if percent is not None and not 0 < percent <= MOST_TOLERANCE:
        raise CommandError(
            f"--rpm-tolerance must be above 0 and at most {MOST_TOLERANCE:g} percent of the speed, got "
            f"{percent:g}: give the range as --rpm-range instead",
            USAGE,
        )
    return None if percent is None else percent / 100


def _limits(name: str | None) -> LimitSet | None:
    if name is None:
        return None
    from models.features.catalogue import NAMES
    from palier.limits import load_limits
    from palier.strict_toml import did_you_mean

    known = load_limits()
    if name not in known:
        near = did_you_mean(name, known) or f" (known: {', '.join(sorted(known))})"
        raise CommandError(f"--limits: unknown limits {name!r}{near}", USAGE)
    if known[name].quantity not in NAMES:
        raise CommandError(
            f"--limits: {name} judges {known[name].quantity}, and a recording is vibration", USAGE
        )
    return known[name]


def _open(
    paths: Sequence[Path],
    index: Path | None,
    *,
    fs_hz: float | None,
    rpm: float | None,
    unit: str | None,
    channel: str | None,
) -> list[Recordings]:
    from palier.recordings import open_recordings

    return [open_recordings(p, index, fs_hz=fs_hz, rpm=rpm, unit=unit, channel=channel) for p in paths]


def _skipped_everywhere(files: Sequence[Recordings]) -> list[Skipped]:
    """A row of the index is skipped only when none of the files has its array; any other reason says more."""
    found = {name for file in files for name in file.names}
    items = [item for file in files for item in file.skipped if item.name not in found]
    return list({item.name: item for item in sorted(items, key=lambda item: item.key != "no_array")}.values())


def _analyses(files: Sequence[Recordings], analyzer: Analyzer) -> Iterator[RecordAnalysis]:
    for file in files:
        for recording in file:
            try:
                yield analyzer.analyze(recording)
            except ValueError as error:
                raise CommandError(
                    f"{file.path}: {recording.name} can't be analysed: {error}", USAGE
                ) from error


def _watched(records: Iterator[RecordAnalysis], count: int, quiet: bool) -> Iterator[RecordAnalysis]:
    """The same records, with a bar on the terminal where the results themselves go elsewhere."""
    if quiet or count <= FEW or sys.stdout.isatty() or not sys.stderr.isatty():
        yield from records
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, redirect_stdout=False) as progress:
        yield from progress.track(records, total=count, description="palier analyze")
