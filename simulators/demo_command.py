"""`palier demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from palier.options import LangOption, QuietOption

DEFAULT_PORT = 8080  # that of `palier console`


Seed = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Seed of all that is drawn: same seed, same plant [default: 1]. "
        "With --training: three machines drawn by lot.",
    ),
]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port of the page on 127.0.0.1.")]
Seconds = Annotated[
    float | None,
    typer.Option("--for", min=1, metavar="SECONDS", help="Stop by itself after so many seconds."),
]
Scenario = Annotated[
    str, typer.Option(metavar="NAME|FILE", help="What goes wrong: a shipped scenario, or a TOML file of one.")
]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Do not open the page in a browser.")]
Data = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Where the run keeps its data [default: $PALIER_HOME/demo]."),
]
Training = Annotated[
    bool, typer.Option("--training", help="Exercises instead of the plant: find the fault, get a score.")
]
Exercise = Annotated[
    Path | None, typer.Option(metavar="FILE", help="With --training: the exercises of a TOML file.")
]
Results = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="With --training: write all results as CSV, and run nothing."),
]
Broker = Annotated[str, typer.Option(metavar="auto|mosquitto|iotcore", help="Which broker to start.")]


def demo(
    *,
    scenario: Scenario = "demo",
    seed: Seed = None,
    lang: LangOption = "fr",
    port: Port = DEFAULT_PORT,
    seconds: Seconds = None,
    no_browser: NoBrowser = False,
    data: Data = None,
    broker: Broker = "auto",
    training: Training = False,
    exercise: Exercise = None,
    results: Results = None,
    quiet: QuietOption = False,
) -> None:
    """Run a small plant on this machine: five simulated machines, broker, gateway, ingest and page.

    A plant day takes a minute; a month of history comes with it, the first time within minutes, then from a
    cache. Ctrl-C stops all and leaves nothing running. The data of a run are kept until the next one starts.

    With --training, machines with a fault that nobody tells: find it, then see truth, evidence, score. Its
    data are its own, under training.

    Example: palier demo --port 8500 --lang en
    """
    from rich.console import Console

    from palier.brokers import BROKER_KINDS
    from palier.embedded import EmbeddedError, state_folder
    from palier.locale import LANGUAGES

    from .demo import DemoError, DemoOptions, run_demo
    from .run_folder import RunFolderError
    from .screens import LiveScreen, PlainScreen
    from .training import TrainingOptions, run_training, write_results

    if lang not in LANGUAGES:
        raise typer.BadParameter(f"must be one of {LANGUAGES}, got {lang!r}", param_hint="--lang")
    kind = next((name for name in BROKER_KINDS if name == broker), None)
    if kind is None:
        raise typer.BadParameter(
            f"must be one of {', '.join(BROKER_KINDS)}, got {broker!r}", param_hint="--broker"
        )
    if not training and (exercise or results):
        raise typer.BadParameter("belongs to --training", param_hint="--exercise, --results")
    if training and scenario != "demo":
        raise typer.BadParameter("is of the plant: with --training give --exercise", param_hint="--scenario")
    folder = data or state_folder() / ("training" if training else "demo")
    options = DemoOptions(
        data=folder,
        scenario=scenario,
        seed=1 if seed is None else seed,
        lang=lang,
        port=port,
        seconds=seconds,
        browser=not no_browser,
        broker=kind,
    )
    course = TrainingOptions(
        data=folder,
        port=port,
        exercises=exercise,
        seed=seed,
        lang=lang,
        seconds=seconds,
        browser=not no_browser,
        broker=kind,
    )
    console = Console()
    try:
        if results is not None:
            typer.echo(write_results(folder, results))
            return
        with (
            LiveScreen(console)
            if console.is_terminal and not quiet
            else PlainScreen(console, quiet=quiet) as screen
        ):
            if training:
                run_training(course, screen)
            else:
                run_demo(options, screen)
    except (DemoError, RunFolderError, EmbeddedError) as error:
        typer.echo(f"palier demo: {error}", err=True)
        raise typer.Exit(1) from error
