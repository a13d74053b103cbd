"""The command `palier`: finds its sub-commands, calls one, and turns what goes wrong into a sentence.

A sub-command is an entry point of the group `palier.commands`: `name = "module:value"`. The value is either

- a function with annotated parameters, as typer takes it: it becomes the command `name`; or
- a `typer.Typer`: it becomes the group `name` with sub-commands of its own.

A function's docstring is its help. A last paragraph that begins with "Example:" is shown at the end. The
module of an entry point imports at top level only what its signature needs, heavy things inside the
functions: `palier --help` imports them all. One that fails to import is listed with its reason.

Exit codes: 0 done, 1 a check or run failed (`CommandError`, or a defect), 2 wrong usage or configuration
(`ConfigError`, `RecordingError`, `CommandError` with USAGE).
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points, version
from typing import Annotated, Final

import typer
from typer.main import get_command

from palier.extras import extra_of, how_to_install
from palier.options import FAILED, USAGE, CommandError

GROUP: Final = "palier.commands"

ABOUT: Final = """From the bearing housing to the work order: vibration and temperature of machines, from
recordings or from gateways over MQTT, with features, standards' zones and bearing lines.

Start with `palier demo`, or look into a recording with `palier analyze`."""

EXAMPLE: Final = """Example:
  palier plant new plant.toml
  palier analyze pump.csv --fs 25600 --unit g --rpm 1485 --limits iso20816-3:g2:rigid"""

_AS_WRITTEN: Final = "\b\n"
"""Tells typer not to refill the lines that follow."""

_ORDER: Final = (
    "demo",
    "analyze",
    "score",
    "replay",
    "simulate",
    "agent",
    "ingest",
    "console",
    "user",
    "alarms",
    "intervention",
    "baseline",
    "gateway",
    "ledger",
    "export",
    "train",
    "model",
    "report",
    "plant",
    "provision",
    "historian",
    "grafana",
    "doctor",
)
"""How the map is read: try it, look into recordings, run services, see what is kept, set up and check."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command line (default: this process's own) and exit with its code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        get_command(build_app(_wanted(arguments)))(args=arguments, prog_name="palier")
    except BrokenPipeError:
        # Whoever read our output has seen enough: Python must not complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except Exception as error:
        if os.environ.get("PALIER_DEBUG"):
            raise
        sentence, code = _explain(error)
        typer.echo(sentence, err=True)
        sys.exit(code)


def build_app(entries: Iterable[EntryPoint]) -> typer.Typer:
    """The app with these sub-commands, in the order of the map and then of the alphabet."""
    app = typer.Typer(
        name="palier",
        help=ABOUT,
        epilog=_AS_WRITTEN + EXAMPLE,
        no_args_is_help=True,
        rich_markup_mode=None,  # rich doubles the time to help and to every completion
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for entry in sorted(entries, key=_place):
        _add(app, entry)
    return app


def _wanted(arguments: Sequence[str]) -> tuple[EntryPoint, ...]:
    """Only the command that is called need be imported; help and completion need all."""
    every = tuple(entry_points(group=GROUP))
    named = tuple(entry for entry in every if arguments[:1] == [entry.name])
    return named or every


def _place(entry: EntryPoint) -> tuple[int, str]:
    return (_ORDER.index(entry.name) if entry.name in _ORDER else len(_ORDER), entry.name)


def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_print_version, help="Print it and exit."),
    ] = False,
) -> None:
    """Holds what stands before a sub-command."""


def _print_version(on: bool) -> None:
    if on:
        typer.echo(f"palier {version('palier')}")
        raise typer.Exit


def _add(app: typer.Typer, entry: EntryPoint) -> None:
    try:
        value = entry.load()
    except Exception as error:  # noqa: BLE001 - somebody else's package must not break our help
        _add_broken(app, entry, _lacking(error) or f"{type(error).__name__}: {error}")
        return
    if isinstance(value, typer.Typer):
        app.add_typer(value, name=entry.name)
    elif callable(value):
        text, example = split_example(inspect.getdoc(value) or "")
        brief = text.partition("\n\n")[0].replace("\n", " ")
        app.command(entry.name, help=text, short_help=brief, epilog=example)(value)
    else:
        _add_broken(app, entry, f"{entry.value} is neither a function nor a typer.Typer")


def split_example(doc: str) -> tuple[str, str | None]:
    """A docstring without its last paragraph where that begins with "Example:", and that paragraph."""
    text, separator, last = doc.rpartition("\n\n")
    if separator and last.startswith("Example:"):
        return text, _AS_WRITTEN + last
    return doc, None


def _add_broken(app: typer.Typer, entry: EntryPoint, reason: str) -> None:
    def broken() -> None:
        raise CommandError(
            f"palier {entry.name} is not available: {reason}. Its entry point is {entry.value}; "
            "`palier doctor` looks into the installation"
        )

    text = f"Not available: {reason}"
    app.command(entry.name, help=text, short_help=text)(broken)


def _explain(error: Exception) -> tuple[str, int]:
    from palier.recording_formats import RecordingError
    from palier.strict_toml import ConfigError

    if isinstance(error, CommandError):
        return str(error), error.exit_code
    if isinstance(error, ConfigError | RecordingError):
        return str(error), USAGE
    if lacking := _lacking(error):
        return lacking, FAILED
    return (
        f"palier failed unexpectedly: {type(error).__name__}: {error}. "
        "Run it again with PALIER_DEBUG=1 to see where, and report that",
        FAILED,
    )


def _lacking(error: Exception) -> str | None:
    """What to install where a module of an extra is missing, None for any other error."""
    if not isinstance(error, ModuleNotFoundError) or (extra := extra_of(error.name)) is None:
        return None
    return f"this needs {error.name}, which is not installed: {how_to_install(extra)}"
