"""`palier simulate`, and `palier simulate history`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from palier.options import FAILED, USAGE, CommandError, QuietOption

PlantOption = Annotated[
    Path | None, typer.Option("--plant", metavar="FILE", help="The plant [default: the sample plant].")
]
Machines = Annotated[
    list[str] | None, typer.Option("--machine", metavar="ID", help="Only this machine; may be repeated.")
]
Seconds = Annotated[
    float | None,
    typer.Option(
        min=1,
        max=1e9,
        help="Seconds of the plant; must be given with --out, without it --broker goes on until Ctrl-C.",
    ),
]
Out = Annotated[
    Path | None, typer.Option(metavar="FILE.npz", help="Write a recording, and its index beside it as .csv.")
]
Broker = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Feed an agent that sends to this broker.")
]
ScenarioOption = Annotated[
    str,
    typer.Option(
        "--scenario",
        metavar="NAME|FILE",
        help="healthy, demo (a bearing dies within three days), training (a fault or bad sensor, drawn), "
        "degradation (all machines, again and again), or a TOML file of your own.",
    ),
]
TimeScale = Annotated[
    float,
    typer.Option(
        min=1e-6,
        max=1e6,
        help="How far what the scenario plans after its hour 0 is stretched: 0.5 is twice as fast.",
    ),
]
FromHour = Annotated[
    float,
    typer.Option(
        "--from",
        metavar="HOUR",
        min=-1e5,
        max=1e5,
        help="Hour of the scenario to start at; below 0, its history.",
    ),
]
TruthOption = Annotated[
    bool,
    typer.Option(
        "--truth",
        help="Write what is wrong in truth, JSON lines: beside the recording, or NODE.truth.jsonl here.",
    ),
]
Seed = Annotated[
    int, typer.Option(min=0, help="Seed of all that is drawn: the same one records the same bytes.")
]
Interval = Annotated[float, typer.Option("--interval", min=0.1, help="Seconds between blocks of a point.")]
BlockLength = Annotated[
    float | None, typer.Option("--block", min=0.01, help="Seconds of a block [default: as the plant says].")
]
Node = Annotated[str, typer.Option(metavar="NAME", help="Name of the gateway, with --broker.")]


simulation = typer.Typer(
    help="Simulated machines, written to a recording (--out) or sent through an agent (--broker); "
    "`history` makes months of a fleet's past.",
    short_help="Simulated machines, as a recording, through an agent, or months of their past.",
    epilog="\b\nExample:\n  palier simulate --machine P-101 --scenario demo --seconds 60 --out pump.npz\n"
    "  palier simulate --scenario degradation --interval 3600 --seconds 86400 --out day.npz --truth\n"
    "  palier simulate --broker 127.0.0.1:1883 --scenario demo\n"
    "  palier simulate history past --seed 7",
    invoke_without_command=True,
)


@simulation.callback()
def simulate(
    context: typer.Context,
    *,
    plant: PlantOption = None,
    machine: Machines = None,
    seconds: Seconds = None,
    out: Out = None,
    broker: Broker = None,
    scenario: ScenarioOption = "healthy",
    seed: Seed = 0,
    interval: Interval = 5.0,
    block: BlockLength = None,
    node: Node = "simulated",
    time_scale: TimeScale = 1.0,
    from_hour: FromHour = 0.0,
    truth: TruthOption = False,
    quiet: QuietOption = False,
) -> None:
    """Simulated machines, written to a recording (--out) or sent through an agent (--broker)."""
    if context.invoked_subcommand:
        return
    if (out is None) == (broker is None):
        raise CommandError("give either --out FILE.npz or --broker HOST:PORT", USAGE)
    table: dict[str, object] = {
        "seed": seed,
        "interval_s": interval,
        "machines": list(machine or ()),
        "time_scale": time_scale,
    }
    if plant is not None:
        table["plant_file"] = str(plant.resolve())
    if block is not None:
        table["block_s"] = block
    table |= _scenario(scenario)
    if out is not None:
        _write(table, out, seconds, from_hour, truth=truth, quiet=quiet)
    elif broker is not None:
        from .plans import Timing

        table["origin_s"] = time.time() - Timing(0.0, time_scale).at(from_hour)
        if truth:
            table["truth_file"] = str(Path(f"{node}.truth.jsonl").resolve())
        _feed(table, broker, node, seconds, quiet=quiet)


@simulation.command(
    "history",
    short_help="Months of a fleet's past, in seconds: a data folder to train on.",
    epilog="\b\nExample:\n  palier simulate history past --seed 7\n"
    "  palier simulate history past --machines 4 --days 90 --seed 7",
)
def history(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder to make; must not be there yet.")
    ],
    *,
    machines: Annotated[int, typer.Option(min=1, max=200, help="How many machines.")] = 21,
    days: Annotated[float, typer.Option(min=0.5, max=400, help="How long their past is.")] = 40.0,
    every: Annotated[
        float, typer.Option("--interval", min=60, max=86_400, help="Seconds between blocks of a machine.")
    ] = 2400.0,
    seed: Seed = 0,
    quiet: QuietOption = False,
) -> None:
    """Make the past of a fleet of pumps and fans: faults that grow, alarms, verdicts, repairs.

    The folder is one as an ingest leaves it, with plant.toml and with truth.json, which says what was wrong.
    Samples go from the simulated sensors straight into the features; agent and broker have no part in it. The
    same seed makes the same rows.
    """
    from palier.historian.base import HistorianError

    from .fleet_history import make_history

    try:
        with _progress(quiet=quiet) as tell:
            made = make_history(folder, machines=machines, days=days, seed=seed, every_s=every, tell=tell)
    except ValueError as error:
        raise CommandError(str(error), USAGE) from error
    except (HistorianError, OSError) as error:
        raise CommandError(f"{folder} can't be made: {error}") from error
    if not quiet:
        typer.echo(
            f"{folder}: {made.machines} machines, {made.blocks} blocks, {made.alarms} alarms, "
            f"{made.verdicts} verdicts"
        )


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, of machines that are done."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, of: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, redirect_stdout=False) as progress:
        task = progress.add_task("palier simulate history", total=None)
        yield lambda done, of: progress.update(task, completed=done, total=of)


def _scenario(name: str) -> dict[str, object]:
    from palier.strict_toml import did_you_mean

    from .scenario import SHIPPED

    if name in SHIPPED:
        return {"scenario": name}
    if not Path(name).is_file():
        near = did_you_mean(name, SHIPPED)
        raise CommandError(
            f"--scenario must be {', '.join(SHIPPED)}, or a TOML file that is there, got {name!r}{near}",
            USAGE,
        )
    return {"scenario_file": str(Path(name).resolve())}


def _write(
    table: dict[str, object], out: Path, seconds: float | None, from_hour: float, *, truth: bool, quiet: bool
) -> None:
    from palier.clock import PlantClock

    from .plans import Timing
    from .recorder import ORIGIN_S, record, write_recording
    from .source import open_source

    if out.suffix.lower() != ".npz":
        raise CommandError(f"--out must end in .npz, the format that is written, got {str(out)!r}", USAGE)
    if seconds is None:
        raise CommandError("--out needs --seconds", USAGE)
    try:
        source = open_source(table, PlantClock())
        if seconds < source.options.interval_s:
            raise ValueError(
                f"--seconds must be at least --interval, after which the first block ends: "
                f"{source.options.interval_s:g}, got {seconds:g}"
            )
        start_s = Timing(ORIGIN_S, source.options.time_scale).at(from_hour)
        records = record(source.plant(ORIGIN_S), source.options, start_s=start_s, seconds=seconds)
        count = write_recording(records, out, truth=truth)
    except ValueError as error:
        raise CommandError(str(error), USAGE) from error
    except OSError as error:
        raise CommandError(f"{out} can't be written: {error.strerror}", FAILED) from error
    if not quiet:
        typer.echo(f"{count} records in {out}, their index in {out.with_suffix('.csv')}")


def _feed(table: dict[str, object], broker: str, node: str, seconds: float | None, *, quiet: bool) -> None:
    from .feeder import Feed, FeedError, feed

    host, _, port = broker.rpartition(":")
    if not host or not port.isdigit():
        raise CommandError(f"--broker must be HOST:PORT, got {broker!r}", USAGE)
    try:
        feed(Feed(table, host, int(port), node, seconds), say=(lambda text: None) if quiet else typer.echo)
    except ValueError as error:
        raise CommandError(str(error), USAGE) from error
    except FeedError as error:
        raise CommandError(str(error)) from error
