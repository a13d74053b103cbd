"""`palier grafana build` and `palier grafana push`: the dashboards as files, or into somebody's Grafana."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from palier.extras import how_to_install
from palier.options import FAILED, USAGE, CommandError, JsonOption, QuietOption

if TYPE_CHECKING:
    from .push import Grafana
    from .push_plan import Dashboard, Wanted
    from .push_report import Report
    from .push_request import GrafanaAccess, InfluxAccess

GENERATED: Final = Path(__file__).parent / "generated"
LANGUAGES: Final = ("fr", "en")
TOKEN_VARIABLE: Final = "PALIER_GRAFANA_TOKEN"  # noqa: S105 - the variable's name

ConsoleUrlOption = Annotated[
    str | None,
    typer.Option("--console-url", metavar="URL", help="Palier's page, where the panels' links lead."),
]

grafana = typer.Typer(
    help="Make the Grafana dashboards as files, or put them into a Grafana that is there.",
    short_help="Dashboards as files, or into somebody's Grafana.",
    epilog="\b\nExample:\n  palier grafana push --url https://grafana.plant --token-file token --dry-run",
    no_args_is_help=True,
)


@grafana.command(epilog="\b\nExample:\n  palier grafana build --check")
def build(
    *,
    lang: Annotated[
        str | None, typer.Option("--lang", metavar="fr|en", help="Only this language; both without it.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="A folder for each language is made in it.")
    ] = GENERATED,
    plant: Annotated[
        Path | None,
        typer.Option("--plant", metavar="FILE", help="A plant.toml with limits of its own, for the bands."),
    ] = None,
    console_url: ConsoleUrlOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 when a file differs.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Write the dashboards as classic JSON.

    They are for file provisioning, import by hand, or `push --dashboards`.
    """
    _known_language(lang)
    make = _builder(plant, _console(console_url))
    wrong = 0
    for language in LANGUAGES if lang is None else (lang,):
        folder, files = out / language, make(language)
        differing = _differing(folder, files)
        wrong += len(differing)
        if not check:
            _write(folder, {name: files[name] for name in differing if name in files})
        for name, how in differing.items():
            if check or name not in files:
                typer.echo(f"{folder / name} {how}")
        if not quiet and not check:
            written = sum(name in files for name in differing)
            typer.echo(f"{folder}: {len(files)} dashboards, {written} written")
    if check and wrong:
        raise CommandError("write them anew with `palier grafana build`", FAILED)


@grafana.command(
    epilog="\b\nExample:\n  palier grafana push --url https://grafana.plant --token-file token \\\n"
    "    --influx-url http://influx.plant:8086 --reader-token-file reader-token --dry-run"
)
def push(
    *,
    url: Annotated[
        str, typer.Option("--url", metavar="URL", help="The Grafana, with its path where it has one.")
    ],
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="FILE",
            help=f"Holds a service account's token. Without it: the variable {TOKEN_VARIABLE}.",
        ),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option("--ca", metavar="FILE", help="The authority (PEM) that signed Grafana's certificate."),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow http:// to a Grafana on another machine.")
    ] = False,
    folder: Annotated[
        str, typer.Option("--folder", metavar="TITLE", help="Of the top level; made where it is not there.")
    ] = "Palier",
    influx_url: Annotated[
        str | None,
        typer.Option(
            "--influx-url",
            metavar="URL",
            help="InfluxDB as Grafana reaches it. Without it data sources are left as they are.",
        ),
    ] = None,
    database: Annotated[
        str, typer.Option("--database", metavar="NAME", help="Database or bucket; NAME_hourly is the other.")
    ] = "palier",
    reader_user: Annotated[
        str | None, typer.Option("--reader-user", metavar="NAME", help="InfluxDB 1.x: its read-only account.")
    ] = None,
    reader_password_file: Annotated[
        Path | None,
        typer.Option("--reader-password-file", metavar="FILE", help="InfluxDB 1.x: that account's password."),
    ] = None,
    reader_token_file: Annotated[
        Path | None,
        typer.Option("--reader-token-file", metavar="FILE", help="InfluxDB 2.x: a read-only token."),
    ] = None,
    influx_ca: Annotated[
        Path | None,
        typer.Option("--influx-ca", metavar="FILE", help="The authority that signed InfluxDB's certificate."),
    ] = None,
    dashboards: Annotated[
        Path,
        typer.Option("--dashboards", metavar="FOLDER", help="What `build --out FOLDER` wrote, for a plant."),
    ] = GENERATED,
    console_url: ConsoleUrlOption = None,
    lang: Annotated[str, typer.Option("--lang", metavar="fr|en", help="Language of the dashboards.")] = "fr",
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Also write over dashboards changed by hand, and send the secrets again."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")
    ] = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Put folder, data sources and dashboards into a Grafana.

    A second run changes nothing. A dashboard that somebody changed by hand, moved, or made under our uid is
    left alone, and said so. The annotations (alarms, interventions) come with the dashboards, which read them
    from InfluxDB: nothing is copied into Grafana. Alert rules come by file provisioning. Exits with 1 when
    something was refused.
    """
    from .push_errors import GrafanaError
    from .push_plan import Wanted
    from .push_report import Report
    from .push_request import GrafanaAccess, InfluxAccess, read_secret

    _known_language(lang)
    access = GrafanaAccess(url, read_secret(token_file, "--token-file", TOKEN_VARIABLE), ca, insecure)
    influx = InfluxAccess.of(
        influx_url,
        database=database,
        user=reader_user,
        password_file=reader_password_file,
        token_file=reader_token_file,
        ca=influx_ca,
    )
    console = _console(console_url)
    if not folder.strip():
        raise CommandError("--folder must have a title", USAGE)
    boards = _dashboards(dashboards / lang, console)
    wanted = Wanted(folder.strip(), influx.data_sources() if influx else (), boards)
    report = Report(url=access.url, dry_run=dry_run, json_output=json_output, quiet=quiet)
    with _grafana(access, influx) as server:
        try:
            report.version = server.version()
            _push(server, wanted, influx, report, force=force)
        except GrafanaError as error:
            report.failed(str(error))
    report.end()


def _push(
    server: Grafana, wanted: Wanted, influx: InfluxAccess | None, report: Report, *, force: bool
) -> None:
    from .push_plan import Action, Kind, plan

    steps = plan(wanted, server.look(wanted), force=force)
    report.changes = sum(step.action in {Action.CREATE, Action.UPDATE} for step in steps)
    for step in steps:
        if not report.dry_run:
            server.perform(step, steps[0].uid, influx.secrets() if influx else {})
        report.tell(step)
    if report.dry_run:
        return
    for step in steps:
        if step.kind is Kind.DATA_SOURCE and step.action is not Action.REFUSED:
            _try(server, step.name, report)


def _try(server: Grafana, source: str, report: Report) -> None:
    """Grafana itself tries a data source: only it knows whether it reaches InfluxDB, and as whom."""
    if trouble := server.trouble(source):
        report.warn(
            f"the data source {source!r} does not work yet, so its panels stay empty; Grafana says: "
            f"{trouble}. Look at --influx-url as seen from that Grafana, at the database, and at the "
            "reader's secret"
        )


def _dashboards(folder: Path, console: str | None) -> tuple[Dashboard, ...]:
    """The dashboards that come with Palier, linked to the page at `console`. Raises CommandError."""
    from .push_plan import Dashboard

    files = sorted(folder.glob("*.json"))
    if not files:
        raise CommandError(f"{folder} holds no dashboards: make them with `palier grafana build`")
    found = []
    for file in files:
        try:
            board = Dashboard.parse(file.read_bytes())
        except (OSError, ValueError) as error:
            raise CommandError(f"{file} can't be pushed: {error}") from error
        found.append(board if console is None else board.linked_to(console))
    return tuple(found)


def _grafana(access: GrafanaAccess, influx: InfluxAccess | None) -> Grafana:
    """A connection, not yet tried. Raises CommandError where grafana-client is not installed."""
    from .push import Grafana

    try:
        return Grafana(access.url, access.token, ca=access.ca, hidden=(influx.secret,) if influx else ())
    except ImportError as error:
        raise CommandError(
            f"the push needs the extra `grafana` ({error.name} is missing): {how_to_install('grafana')}",
            USAGE,
        ) from error


def _known_language(lang: str | None) -> None:
    if lang not in {None, *LANGUAGES}:
        raise CommandError(f"--lang must be one of {', '.join(LANGUAGES)}, got {lang!r}", USAGE)


def _console(url: str | None) -> str | None:
    """The address of the page without a slash at its end. Raises CommandError for one that can't be used."""
    from .push_request import checked_url

    if url is None:
        return None
    checked_url(url, "--console-url")
    return url.rstrip("/")


def _builder(plant: Path | None, console: str | None) -> Callable[[str], Mapping[str, bytes]]:
    """Makes the files of a language. Raises CommandError, and ConfigError for a wrong plant.toml."""
    from palier.limits import load_bearings, load_limits
    from palier.plant import load_plant

    try:
        from .build import build as make
    except ImportError as error:
        raise CommandError(
            f"this needs the extra `dashboards` ({error.name} is missing): {how_to_install('dashboards')}",
            USAGE,
        ) from error
    # What is not given is left to the builder: its own defaults are those of the committed files.
    given: dict[str, Any] = {} if console is None else {"console_url": console}
    if plant is not None:
        own = load_plant(plant).limits_file
        given |= {"limits": load_limits(own), "bearings": load_bearings(own)}
    return partial(make, **given)


def _differing(folder: Path, files: Mapping[str, bytes]) -> dict[str, str]:
    """The names of the files that are not as built, and how."""
    found = {}
    for name, data in files.items():
        file = folder / name
        if not file.exists():
            found[name] = "is missing"
        elif file.read_bytes() != data:
            found[name] = "differs from what is built"
    left = {file.name for file in folder.glob("*.json")} - set(files)
    return found | dict.fromkeys(sorted(left), "is no longer built: delete it")


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
    except OSError as error:
        raise CommandError(f"{folder} can't be written: {error.strerror}") from error
