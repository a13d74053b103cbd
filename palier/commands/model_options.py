"""What `palier train` and `palier model` share: options declared once, and how they fail."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from palier.options import FAILED, USAGE, CommandError, catalogue

from .asking_text import demo_hint

if TYPE_CHECKING:
    from models.bundle import Bundle
    from palier.historian.history import History
    from palier.registry import Note, Registry, Version

RegistryOption = Annotated[
    Path,
    typer.Option("--registry", metavar="FOLDER", envvar="PALIER_REGISTRY", help="The registry of models."),
]
SpecArgument = Annotated[
    str, typer.Argument(metavar="NAME[:VERSION]", help="Without a version that in force, else the newest.")
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="FOLDER", envvar="PALIER_INGEST_DATA", help="The ingest's data folder."),
]
HistoryConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="ingest.toml or console.toml, in place of --data: where the data are.",
    ),
]
MachinesOption = Annotated[
    list[str] | None,
    typer.Option("--machine", metavar="ID", help="This machine only; give it again for more."),
]
FromOption = Annotated[
    str | None,
    typer.Option("--from", metavar="TIME", help="From 2026-11-01T06:00 on; UTC unless it names a zone."),
]
ToOption = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Up to this time, excluded.")]
WorkersOption = Annotated[
    str | None,
    typer.Option(
        "--workers", metavar="tcp://HOST:PORT", help="A Dask scheduler; without it this computer's cores."
    ),
]
UserOption = Annotated[
    str | None, typer.Option("--user", metavar="NAME", help="Who does it; by default who is logged in.")
]
WhyOption = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason; it is recorded.")]
PublicKeyOption = Annotated[
    Path | None,
    typer.Option("--public-key", metavar="FILE", help="Believe only what this key has signed."),
]

DEFAULT_REGISTRY: Final = Path("models")

_USAGE: Final = frozenset(
    {"bad_name", "no_such_name", "no_such_version", "no_registry", "no_reason", "no_key"}
)
"""Errors of who asks; all others are of what was found."""


def noted(user: str | None, why: str) -> Note:
    """Who does it and why, now."""
    from palier.registry import Note

    return Note(user or getpass.getuser(), why, time.time_ns())


@contextmanager
def asking(lang: str) -> Iterator[None]:
    """What the registry, a bundle or the historian raises, as a sentence; of models in that language."""
    from models.bundle_checks import BundleError
    from palier.fleet import FleetError
    from palier.historian.base import HistorianError
    from palier.historian.history_table import HistoryError
    from palier.registry import RegistryError

    from .registry_text import refusal_text

    try:
        yield
    except RegistryError as error:
        code = USAGE if error.key in _USAGE else FAILED
        raise CommandError(refusal_text(error, catalogue(lang)), code) from error
    except HistoryError as error:
        raise CommandError(str(error), USAGE) from error
    except BundleError as error:
        raise CommandError(refusal_text(error, catalogue(lang))) from error
    except (FleetError, HistorianError) as error:
        raise CommandError(str(error)) from error


def loaded(registry: Registry, one: Version, public_key: Path | None = None) -> Bundle:
    """A version after every check. Raises RegistryError, BundleError."""
    from models.bundle import load
    from palier.detectors import installed
    from palier.registry_keys import public_key as read_key

    key = None if public_key is None else read_key(public_key)
    return load(registry.read(one), spec=one.spec, public_key=key, detectors=installed().factories)


@contextmanager
def history_of(config: Path | None, data: Path | None) -> Iterator[History]:
    """The history that --data or --config names. Raises CommandError, ConfigError, HistorianError."""
    from palier.historian.history_opening import open_by
    from palier.historian.opening import HistorianSettings
    from palier.settings import load_settings

    from .export_settings import ExportSettings

    if config is not None:
        settings = load_settings(ExportSettings, config)
    elif data is not None:
        settings = ExportSettings(data=data, historian=HistorianSettings())
    else:
        raise CommandError(
            "where the data are is missing: give --data FOLDER, or --config FILE, that of the ingest"
            + demo_hint(),
            USAGE,
        )
    with open_by(settings.historian, settings.data, plant=settings.plant) as history:
        yield history


@contextmanager
def progress(label: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal's error output, told (done, of how many); nothing elsewhere."""
    if quiet or not os.isatty(2):
        yield lambda _done, _of: None
        return
    import sys

    with typer.progressbar(length=1000, label=label, file=sys.stderr) as bar:
        shown = 0

        def told(done: int, of: int) -> None:
            nonlocal shown
            now = 1000 * done // max(of, 1)
            bar.update(now - shown)
            shown = now

        yield told
