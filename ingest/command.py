"""`palier ingest`: runs the host in this process until it is told to stop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palier.options import CheckOption, CommandError, PrintConfigOption

if TYPE_CHECKING:
    from .settings import IngestSettings


def ingest(
    config: Annotated[Path, typer.Option("--config", metavar="FILE", help="The ingest's TOML file.")],
    check: CheckOption = False,
    print_config: PrintConfigOption = False,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure", help="Take a broker on another machine without TLS or account, as in [broker]."
        ),
    ] = False,
) -> None:
    """Read what gateways send, score it, store it, acknowledge it.

    Example: palier ingest --config ingest.toml
    """
    _hold_blas_to_one_thread()  # before anything imports numpy
    from palier.settings import load_settings, settings_text

    from .settings import IngestSettings

    settings = load_settings(IngestSettings, config, insecure=insecure)
    if print_config:
        typer.echo(settings_text(settings), nl=False)
        return
    if check:
        _check(settings)
        return
    _run(settings)


def _hold_blas_to_one_thread() -> None:
    """Matrices are small here, and the other cores the broker's and the store's: threads that wait for work
    would take them. Who sets the variables decides otherwise.
    """
    import os

    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ.setdefault(name, "1")


def _run(settings: IngestSettings) -> None:
    import os
    import signal
    import threading

    from palier.historian.base import HistorianError
    from palier.settings import configure_logging

    from .failpoints import Failpoints
    from .service import IngestError, run

    configure_logging("ingest")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        run(settings, stop, Failpoints.from_environment(os.environ))
    except (HistorianError, IngestError, OSError) as error:
        raise CommandError(str(error)) from error


def _check(settings: IngestSettings) -> None:
    """Read the plant, look at the data folder, say hello to the broker."""
    from palier.limits import load_limits
    from palier.plant import load_plant

    from .check import broker_answers, data_folder_works, historian_answers, models_are_there
    from .notify_delivery import channels

    plant = load_plant(settings.plant)
    load_limits(plant.limits_file)
    typer.echo(f"plant: {plant.site_id}, {len(plant.machines)} machines")
    typer.echo(f"messages: {', '.join(channels(settings.notify, plant.timezone)) or 'none'}")
    problems = []
    for what, problem in (
        (f"data {settings.data}", data_folder_works(settings.data)),
        (f"historian {settings.historian.url or 'in data'}", historian_answers(settings.historian)),
        (f"broker {settings.broker.host}:{settings.broker.port}", broker_answers(settings.broker)),
        (f"models {settings.models.folder or 'none'}", models_are_there(settings.models)),
    ):
        typer.echo(f"{what}: {problem or 'ok'}")
        problems += [problem] if problem else []
    if problems:
        raise CommandError("; ".join(problems))
