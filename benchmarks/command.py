"""`palier bench`: what Palier costs, part by part, each figure beside a reference of the same run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from palier.options import FAILED, USAGE, CommandError, JsonOption, QuietOption

from .gateway_commands import add_gateway_commands, tell

bench = typer.Typer(
    help="Measure what Palier costs on this machine, each figure beside a reference of the same run.",
    short_help="Measure what Palier costs on this machine.",
    epilog="\b\nExample:\n  palier bench core --quick",
    no_args_is_help=True,
)

WIDTH: Final = 120
"""Columns of the tables where no terminal says how many it has."""


@bench.command(
    short_help="The features: speed beside a bare FFT, accuracy, memory.",
    epilog="\b\nExample:\n  palier bench core\n  palier bench core --quick --json",
)
def core(
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few windows and rounds: some seconds instead of some minutes.")
    ] = False,
    rounds: Annotated[
        int | None, typer.Option("--rounds", min=1, metavar="N", help="Rounds that medians are taken over.")
    ] = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure the features: speed beside a bare FFT, by stage, accuracy, threads, memory.

    The reference B is scipy's real FFT of the same float32 windows in chunks that stay in the cache. Every
    case is timed between two runs of it, and the median of those ratios is given: it holds on a machine that
    others use, where a time does not. numpy's linear algebra is held to one thread.

    Where they are installed it also measures TSFEL and tsfresh (extra `bench`) and the compiled passes
    (extra `fast`). Accuracy is judged by the tests' oracle, so it needs a checkout.
    """
    from .machine import hold_blas_to_one_thread

    hold_blas_to_one_thread()  # before anything imports numpy
    from .core import FULL, QUICK, bench_core

    plan = QUICK if quick else FULL
    if rounds is not None:
        plan = plan._replace(rounds=rounds)
    report = bench_core(plan, quick=quick, tell=lambda what: tell(what, quiet=quiet or json_output))
    if json_output:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False, allow_nan=False))
        return
    from rich.console import Console

    from .tables import show

    console = Console()
    show(report, console if console.is_terminal else Console(width=WIDTH))


@bench.command(
    short_help="The historian: line protocol, writes, queries over ten million rows.",
    epilog="\b\nExample:\n  palier bench historian\n  palier bench historian --quick --json",
)
def historian(
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few rows and rounds: some seconds instead of some minutes.")
    ] = False,
    rounds: Annotated[
        int | None, typer.Option("--rounds", min=1, metavar="N", help="Rounds that medians are taken over.")
    ] = None,
    year: Annotated[
        bool,
        typer.Option("--year", help="Also the machine dashboard over a year of 50 machines: minutes more."),
    ] = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure the historian: lines beside influxdb-client's, writes beside bare ones, queries over many rows.

    With --year it also fills an InfluxDB with what it holds of 50 machines after a year (22 million rows,
    2 GB on the disk, three to five minutes) and asks every query of the machine dashboard over 6 h, 7 d, 90 d
    and the year.

    Writes go to SQLite files and to an InfluxDB that it starts, both in a temporary folder (up to 4 GB), and
    stand between two runs of the same rows written barely: by one executemany, by one POST of lines made
    before. A month of 50 machines (2 GB) is read as tables, beside bare fetches. Where influxd is not on
    PATH, or influxdb-client not installed (extra `influx`), the rest is measured.
    """
    from .machine import hold_blas_to_one_thread

    hold_blas_to_one_thread()  # before anything imports numpy
    from .historian import FULL, QUICK, bench_historian

    plan = QUICK if quick else FULL
    if rounds is not None:
        plan = plan._replace(rounds=rounds)
    report = bench_historian(
        plan, quick=quick, year=year, tell=lambda what: tell(what, quiet=quiet or json_output)
    )
    if json_output:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False, allow_nan=False))
        return
    from rich.console import Console

    from .historian_tables import show

    console = Console()
    show(report, console if console.is_terminal else Console(width=WIDTH))


@bench.command(
    short_help="The ingest: windows a second from broker to store, latency, where the time goes.",
    epilog="\b\nExample:\n  palier bench ingest\n  palier bench ingest --quick --json",
)
def ingest(
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="A small fleet: some seconds instead of some minutes.")
    ] = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure the ingest from end to end: windows stored a second, published to stored, time by part.

    It starts mosquitto, an InfluxDB (or none: SQLite) and `palier ingest` in a temporary folder, and plays
    gateways that send frames of 3 x 4,096 int16 and obey the host's credit, all on this machine. Beside it
    stands the naive path: a JSON list, a scipy loop and influxdb-client's Point, in process.

    The ingest as shipped computes the whole catalogue. It is run once more with the core set alone, which is
    what the naive path computes, and once more of each with a meter around its parts.
    """
    from .ingest import FULL, QUICK, bench_ingest

    plan = QUICK if quick else FULL
    report = bench_ingest(plan, quick=quick, tell=lambda what: tell(what, quiet=quiet or json_output))
    if json_output:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False, allow_nan=False))
        return
    from rich.console import Console

    from .ingest_tables import show

    console = Console()
    show(report, console if console.is_terminal else Console(width=WIDTH))


@bench.command(
    short_help="The page: fifty viewers, memory, latency, weight, first paint.",
    epilog="\b\nExample:\n  palier bench page\n  palier bench page --quick --json",
)
def page(
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="A small plant: some seconds instead of some minutes.")
    ] = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure the page: what fifty viewers cost, how soon a commit is before their eyes, how much it weighs.

    It runs `palier console` over a plant of 5 and of 500 machines in a temporary folder that is written as an
    ingest writes it. Beside the streams stand as many viewers that fetch the overview anew each second. The
    first paint is Chromium's, where it and playwright are installed.
    """
    from .page import FULL, QUICK, bench_page

    report = bench_page(QUICK if quick else FULL, tell=lambda what: tell(what, quiet=quiet or json_output))
    if json_output:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False, allow_nan=False))
        return
    from rich.console import Console

    from .page_tables import show

    console = Console()
    show(report, console if console.is_terminal else Console(width=WIDTH))


@bench.command(
    short_help="Detection and diagnosis on recorded data, against published figures.",
    epilog="\b\nExample:\n  palier bench detection --data recordings\n"
    "  palier bench detection --data recordings --only skab-outliers --json",
)
def detection(
    *,
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="Folder with a folder for each set of recordings.")
    ],
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="Run this protocol; may be given again."),
    ] = None,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FILE", help="Write the score card as Markdown too.")
    ] = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run every protocol on recorded data: our figure beside its goal, the best published one, and chance.

    Beside each figure stands what a detector would get that always alarms, and one that alarms by chance as
    often as ours. A protocol whose recordings are absent is not run, and the table says so. A goal that is
    not met leaves the exit code 0; a protocol that breaks off makes it 1.
    """
    from .machine import hold_blas_to_one_thread

    hold_blas_to_one_thread()  # before anything imports numpy
    from .detection import bench_detection, choose, find_protocols
    from .detection_tables import markdown, show

    protocols = choose(find_protocols(), only or ())
    report = bench_detection(
        data, protocols, tell=lambda protocol: tell(protocol.title, quiet=quiet or json_output)
    )
    if write is not None:
        _write(write, markdown(report))
    if json_output:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False, allow_nan=False))
    else:
        from rich.console import Console

        console = Console()
        show(report, console if console.is_terminal else Console(width=WIDTH))
    if report.failed:
        raise typer.Exit(FAILED)


@bench.command(
    short_help="The simulated plant: speed, levels, rise with the severity, diagnoses.",
    epilog="\b\nExample:\n  palier bench simulators --quick\n"
    "  palier bench simulators --write docs/simulators.md",
)
def simulators(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Only how much faster than time it runs.")] = False,
    write: Annotated[
        Path | None,
        typer.Option(
            "--write", metavar="FILE", help="Also write the tables into this page, between its marks."
        ),
    ] = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure the simulated machines: processor time of three channels, levels, indicators, diagnoses.

    Levels in good order and the rise of each indicator with the severity stand beside what is expected of
    such machines; every fault is put before the diagnosis at half severity.
    """
    from .machine import hold_blas_to_one_thread

    hold_blas_to_one_thread()  # before anything imports numpy
    from .simulators import bench_simulators
    from .simulators_tables import markdown, replaced

    if quick and write is not None:
        raise CommandError("--write needs all tables: leave out --quick", USAGE)
    page = None if write is None else _page(write, replaced)
    report = bench_simulators(quick=quick, tell=lambda what: tell(what, quiet=quiet or json_output))
    measured = markdown(report)
    if write is not None and page is not None:
        _write(write, replaced(page, measured))
    if json_output:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False))
    elif not quiet:
        typer.echo(measured)


@bench.command(
    short_help="Models: months fitted, read and replayed, reloads under load, faults named.",
    epilog="\b\nExample:\n  palier bench training --quick\n"
    "  palier bench training --write docs/benchmarks.md",
)
def training(
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="A small plant: some seconds instead of some minutes.")
    ] = False,
    write: Annotated[
        Path | None,
        typer.Option(
            "--write", metavar="FILE", help="Also write the tables into this page, between its marks."
        ),
    ] = None,
    workers: Annotated[
        str | None,
        typer.Option("--workers", metavar="ADDRESS", help="Fit on this Dask cluster too: tcp://HOST:8786."),
    ] = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure models: baselines of 50 machines over 90 days, a replay, a month read, a reload under load.

    Fits stand beside one core and beside a loop of scikit-learn, reading beside a bare SELECT, the pause of a
    reload beside that of seconds without one. Pumps with simulated faults, held out whole, ask whether a
    classifier names what they have, and says "unidentified" where a fault was left out of its training.
    Needs the extra `ml`; the reload also mosquitto.
    """
    from .machine import hold_blas_to_one_thread

    hold_blas_to_one_thread()  # before anything imports numpy
    from .training import FULL, QUICK, bench_training
    from .training_tables import markdown, replaced, show

    if quick and write is not None:
        raise CommandError("--write needs all figures: leave out --quick", USAGE)
    page = None if write is None else _page(write, replaced)
    plan = QUICK if quick else FULL
    report = bench_training(
        plan, quick=quick, workers=workers, tell=lambda what: tell(what, quiet=quiet or json_output)
    )
    if write is not None and page is not None:
        _write(write, replaced(page, markdown(report)))
    if json_output:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False))
        return
    from rich.console import Console

    console = Console()
    show(report, console if console.is_terminal else Console(width=WIDTH))


def _page(path: Path, replaced: Callable[[str, str], str]) -> str:
    """A page that can be written into: told before minutes of measuring, not after."""
    try:
        page = path.read_text("utf-8")
        replaced(page, "")
    except ValueError as error:
        raise CommandError(f"--write: {path}: {error}", USAGE) from error
    except OSError as error:
        raise CommandError(f"--write: {path} can't be read: {error.strerror}", USAGE) from error
    return page


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"--write: {path} can't be written: {error.strerror or error}", USAGE) from error


add_gateway_commands(bench)
