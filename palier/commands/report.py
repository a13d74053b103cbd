"""`palier report`: the vibration analysis report of a machine, as PDF or HTML."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from palier.options import USAGE, CommandError, JsonOption, LangOption, QuietOption, catalogue

from .asking_text import demo_hint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.detection.zones import LimitSet
    from palier.plant import Plant
    from palier.report.settings import ReportSettings
    from palier.report.values import Report

FORMATS: Final = (".pdf", ".html")


def report(
    machine: Annotated[str, typer.Argument(metavar="MACHINE", help="The machine's id in plant.toml.")],
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", help="ingest.toml or console.toml: where plant and data are."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FOLDER", help="The ingest's data folder, in place of --config."),
    ] = None,
    plant: Annotated[
        Path | None,
        typer.Option("--plant", metavar="FILE", help="plant.toml; by default beside the data folder."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="The situation at 2026-07-14T08:30, time of the plant; else the last data.",
        ),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="How far back trends and events go.")] = 30,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="FILE.pdf or FILE.html; by default MACHINE-DATE-TIME.pdf, here.",
        ),
    ] = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """Write the vibration analysis report of a machine: PDF, or HTML that every browser prints.

    It holds the points with their sensors and bearings, standard and limits, levels, diagnosis with its
    evidence, remaining life, what to do and what must hold afterwards, trends, spectra with markers, and what
    could not be assessed. Lines for analyst and approval are left to be signed. It only reads, and the ingest
    may go on meanwhile. --json prints the same content for programs, and writes a file with --out only.

    Example:
      palier report P-101 --config ingest.toml
      palier report P-101 --data /var/lib/palier/ingest --plant plant.toml --days 90 --out P-101.html
    """
    from palier.limits import load_limits
    from palier.plant import load_plant

    catalogue(lang)  # refuses a language we do not speak before anything is read
    if out is not None and out.suffix not in FORMATS:
        raise CommandError(f"--out must be FILE.pdf or FILE.html, got {str(out)!r}", USAGE)
    if out.suffix == ".pdf" if out is not None else not json_output:
        _check_printer()
    settings = _settings(config, data, plant)
    site = load_plant(settings.plant)
    limits = load_limits(site.limits_file)
    found = _report(settings, site, limits, machine, at=at, days=days)
    if json_output:
        from palier.report.content import plain

        typer.echo(json.dumps(plain(found), ensure_ascii=False))
        if out is None:
            return
    path = out or Path(f"{found.head.number}.pdf")
    _write(path, found, limits, lang)
    if not quiet and not json_output:
        typer.echo(str(path))


def _settings(config: Path | None, data: Path | None, plant: Path | None) -> ReportSettings:
    from palier.report.settings import ReportSettings
    from palier.settings import load_settings

    if data is None:
        if plant is not None:
            raise CommandError("--plant goes with --data; --config says both", USAGE)
        if config is None and "PALIER_REPORT_DATA" not in os.environ:
            raise CommandError(
                "where the data are is missing: give --data FOLDER (and --plant FILE), or --config FILE, "
                f"that of the ingest or of the page{demo_hint()}",
                USAGE,
            )
        return load_settings(ReportSettings, config)
    if config is not None:
        raise CommandError("--config and --data must not both be given", USAGE)
    near = data.resolve().parent / "plant.toml"
    if plant is None and not near.is_file():
        raise CommandError(
            f"--plant is missing: there is no {near}; name the plant.toml of the ingest", USAGE
        )
    return ReportSettings(plant=plant or near, data=data)


def _report(
    settings: ReportSettings,
    plant: Plant,
    limits: Mapping[str, LimitSet],
    machine: str,
    *,
    at: str | None,
    days: int,
) -> Report:
    from importlib.metadata import version

    from palier.historian.base import HistorianError
    from palier.historian.folder import DataFolder
    from palier.historian.opening import open_historian
    from palier.historian.records import RecordsReader
    from palier.historian.waveforms import WaveformReader
    from palier.limits import verified_bearings
    from palier.report.content import report_of
    from palier.report.gather import Asked, Stores, gather
    from palier.strict_toml import did_you_mean

    spec = plant.machine(machine)
    if spec is None:
        names = [one.id for one in plant.machines]
        near = did_you_mean(machine, names) or f" (it has {', '.join(names)})"
        raise CommandError(f"{settings.plant} has no machine {machine!r}{near}", USAGE)
    asked = Asked(
        plant=plant,
        machine=spec,
        limits=limits,
        verified=verified_bearings(plant.limits_file),
        made_ns=settings.clock.plant_clock().now_ns(),
        days=days,
        at_ns=_moment_ns(at, plant.timezone),
    )
    folder = DataFolder(settings.data)
    if settings.historian.url is None and not folder.historian.exists():
        raise CommandError(f"{folder.historian} does not exist: data must be the folder of an ingest", USAGE)
    try:
        with ExitStack() as open_stores:
            series = open_historian(settings.historian, folder.historian, read_only=True)
            open_stores.callback(series.close)
            there = folder.records.exists()
            records = open_stores.enter_context(closing(RecordsReader(folder.records))) if there else None
            found = gather(asked, Stores(series, records, WaveformReader(folder.waveforms)))
    except HistorianError as error:
        raise CommandError(str(error)) from error
    return report_of(found, version=version("palier"))


def _moment_ns(text: str | None, timezone: str) -> int | None:
    """The time of `--at`, of the plant's time zone where it names none."""
    from palier.local_time import zone_of

    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        at = moment if moment.tzinfo else moment.replace(tzinfo=zone_of(timezone))
        seconds = int(at.timestamp())
        if seconds < 0:
            raise ValueError("before 1970")
    except (ValueError, OverflowError) as error:
        raise CommandError(f"--at must be a time like 2026-07-14T08:30, got {text!r}", USAGE) from error
    return seconds * 10**9


def _check_printer() -> None:
    from palier.report.render import CannotPrintError, can_print

    try:
        can_print()
    except CannotPrintError as error:
        raise CommandError(str(error)) from error


def _write(path: Path, found: Report, limits: Mapping[str, LimitSet], lang: str) -> None:
    from palier.report.render import html, pdf

    page = html(found, limits, lang)
    body = page.encode() if path.suffix == ".html" else pdf(page)
    try:
        path.write_bytes(body)
    except OSError as error:
        raise CommandError(f"{path} can't be written: {error.strerror}") from error
