"""`palier demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from palier.options import LangOption, QuietOption

DEFAULT_PORT = 8080  # that of `palier console`


Seed = Annotated[int, typer.Option(min=0, help="Seed of all that is drawn: same seed, same plant.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port of the page on 127.0.0.1.")]
Seconds = Annotated[
    float | None,
    typer.Option("--for", min=1, metavar="SECONDS", help="Stop by itself after so many seconds."),
]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Do not open the page in a browser.")]
Data = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Where the run keeps its data [default: $PALIER_HOME/demo]."),
]
Broker = Annotated[str, typer.Option(metavar="auto|mosquitto|iotcore", help="Which broker to start.")]


def demo(
    *,
    seed: Seed = 1,
    lang: LangOption = "fr",
    port: Port = DEFAULT_PORT,
    seconds: Seconds = None,
    no_browser: NoBrowser = False,
    data: Data = None,
    broker: Broker = "auto",
    quiet: QuietOption = False,
) -> None:
    """Run a small plant on this machine: five simulated machines, broker, gateway, ingest and page.

    Ctrl-C stops all and leaves nothing running. The data of a run are kept until the next one starts.

    Example: palier demo --port 8500 --lang en
    """
    from rich.console import Console

    from palier.brokers import BROKER_KINDS
    from palier.embedded import EmbeddedError, state_folder
    from palier.locale import LANGUAGES

    from .demo import DemoError, DemoOptions, run_demo
    from .run_folder import RunFolderError
    from .screens import LiveScreen, PlainScreen

    if lang not in LANGUAGES:
        raise typer.BadParameter(f"must be one of {LANGUAGES}, got {lang!r}", param_hint="--lang")
    kind = next((name for name in BROKER_KINDS if name == broker), None)
    if kind is None:
        raise typer.BadParameter(
            f"must be one of {', '.join(BROKER_KINDS)}, got {broker!r}", param_hint="--broker"
        )
    options = DemoOptions(
        data=data or state_folder() / "demo",
        seed=seed,
        lang=lang,
        port=port,
        seconds=seconds,
        browser=not no_browser,
        broker=kind,
    )
    console = Console()
    try:
        with (
            LiveScreen(console)
            if console.is_terminal and not quiet
            else PlainScreen(console, quiet=quiet) as screen
        ):
            run_demo(options, screen)
    except (DemoError, RunFolderError, EmbeddedError) as error:
        typer.echo(f"palier demo: {error}", err=True)
        raise typer.Exit(1) from error
