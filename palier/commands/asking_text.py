"""What commands that ask the ingest share: their settings, the sending, and the reply in words."""

from __future__ import annotations

import inspect
import json
import re
import secrets
import shlex
from collections.abc import Callable, Mapping
from contextlib import closing
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from palier.options import FAILED, USAGE, CommandError, JsonOption, LangOption, QuietOption, catalogue

if TYPE_CHECKING:
    from palier.historian.records import RecordsReader
    from palier.locale import Catalogue
    from palier.operations import Ask
    from palier.plant_times import Times

OperatorOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="operator.toml: site, user, [broker]. The environment (PALIER_OPERATOR_SITE, …) wins over it.",
    ),
]
UserOption = Annotated[
    str | None, typer.Option("--user", metavar="NAME", help="Who asks; by default who is logged in.")
]
ExpectOption = Annotated[
    int | None,
    typer.Option("--expect", metavar="VERSION", help="Refuse if it is not that version any more."),
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FOLDER",
        envvar="PALIER_INGEST_DATA",
        help="The ingest's data folder, as in ingest.toml. It is only read.",
    ),
]

Build = Callable[..., "Ask"]
"""Makes what is asked of the arguments of a command."""

_DURATION: Final = re.compile(r"(\d{1,5})(s|m|min|h)")
_SECONDS: Final = {"s": 1, "m": 60, "min": 60, "h": 3600}

R = TypeVar("R")


def asks(build: Build) -> Callable[..., None]:
    """A command that asks the ingest for what `build` makes of its own parameters.

    The options that all of these commands have stand in `send` alone, behind those of `build`.
    """
    return _command(build, _shared())


def tells(build: Build) -> Callable[..., None]:
    """The same for what has no version that could be another by now."""
    return _command(build, {name: one for name, one in _shared().items() if name != "expect"})


def _command(build: Build, shared: Mapping[str, inspect.Parameter]) -> Callable[..., None]:
    def run(*arguments: Any, **given: Any) -> None:
        told = {name: given.pop(name) for name in shared}
        send(build(*arguments, **given), **told)

    told = {name: hint for name, hint in build.__annotations__.items() if name != "return"}
    run.__doc__, run.__name__, run.__annotations__ = build.__doc__, build.__name__, told
    hints = inspect.get_annotations(run, globals=build.__globals__, eval_str=True)
    own = [p.replace(annotation=hints[p.name]) for p in inspect.signature(build).parameters.values()]
    run.__annotations__ = hints | {name: one.annotation for name, one in shared.items()}
    run.__signature__ = inspect.Signature([*own, *shared.values()])  # type: ignore[attr-defined]
    return run


@cache
def _shared() -> Mapping[str, inspect.Parameter]:
    """The parameters of `send` behind what is asked, as typer reads them."""
    found = inspect.signature(send, globals=globals() | {"Ask": object}, eval_str=True)
    _, *shared = found.parameters.values()
    return {one.name: one for one in shared}


def send(
    ask: Ask,
    *,
    expect: ExpectOption = None,
    config: OperatorOption = None,
    user: UserOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """Ask, and tell the reply. Raises CommandError where none came, Exit(1) where it was not done."""
    from palier.asking import AskError, OperatorSettings
    from palier.asking import ask as ask_ingest
    from palier.operations import Command, Outcome
    from palier.settings import load_settings
    from palier.wire.payload import DecodeError

    words = catalogue(lang)
    settings = load_settings(OperatorSettings, config)
    command = Command(secrets.token_hex(12), user or settings.user, ask, expect)
    try:
        reply = ask_ingest(settings, command)
    except DecodeError as error:
        raise CommandError(str(error), USAGE) from error
    except AskError as error:
        raise CommandError(str(error)) from error
    if json_output:
        told = {name: getattr(reply, name) for name in reply.__slots__} | {"params": dict(reply.params)}
        typer.echo(json.dumps(told, ensure_ascii=False))
    elif reply.outcome is not Outcome.DONE or not quiet:
        typer.echo(
            sentence(words, f"reply.{reply.reason}", reply.params), err=reply.outcome is not Outcome.DONE
        )
    if reply.outcome is not Outcome.DONE:
        raise typer.Exit(FAILED)


def sentence(words: Catalogue, key: str, params: Mapping[str, Any]) -> str:
    """A sentence of the host; a key with other parameters, of another version, is shown as it is."""
    try:
        return words.text(key, **params)
    except (KeyError, IndexError):
        return f"{key} {dict(params)}"


def seconds(text: str) -> int | None:
    """The length of `--for`: "4h", "90m", or None for "shift". Raises CommandError."""
    from palier.operations import LONGEST_SHELF_S, SHORTEST_SHELF_S

    if text == "shift":
        return None
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise CommandError(
            f"--for must be like 4h, 90m or shift (to the end of the shift), got {text!r}", USAGE
        )
    length_s = int(match[1]) * _SECONDS[match[2]]
    if not SHORTEST_SHELF_S <= length_s <= LONGEST_SHELF_S:
        raise CommandError(
            f"--for must be at least 1m and at most {LONGEST_SHELF_S // 3600}h, got {text!r}; "
            "longer is `palier alarms take-out`, until it is put back",
            USAGE,
        )
    return length_s


def moment_ns(text: str | None, times: Times) -> int | None:
    """The time of `--at`, on the clocks of `times` where it names no time zone. Raises CommandError."""
    if text is None:
        return None
    try:
        return times.ns(text)
    except (ValueError, OverflowError, OSError) as error:
        raise CommandError(f"--at must be a time like 2026-07-14T08:30, got {text!r}", USAGE) from error


def read_records(data: Path | None, look: Callable[[RecordsReader], R]) -> R:
    """What `look` finds in the records of an ingest. Raises CommandError."""
    from palier.historian.base import HistorianError
    from palier.historian.folder import DataFolder
    from palier.historian.records import RecordsReader

    if data is None:
        raise CommandError(f"--data is missing: name the data folder of the ingest{demo_hint()}", USAGE)
    path = DataFolder(data).records
    if not path.exists():
        raise CommandError(f"{path} does not exist: --data must be the data folder of an ingest", USAGE)
    try:
        with closing(RecordsReader(path)) as reader:
            return look(reader)
    except HistorianError as error:
        raise CommandError(str(error)) from error


def demo_hint() -> str:
    """Where the last demonstration keeps its data, as the end of a sentence; "" where there is none."""
    from palier.embedded import state_folder

    runs = sorted((state_folder() / "demo").glob("run-*/data"))
    return f"; that of the last demonstration is --data {shlex.quote(str(runs[-1]))}" if runs else ""


W = TypeVar("W", bound=StrEnum)


def one_of(what: str, words: type[W], text: str) -> W:
    """A word of a list. Raises CommandError."""
    found = next((word for word in words if word.value == text), None)
    if found is None:
        raise CommandError(f"{what} must be one of {', '.join(words)}, got {text!r}", USAGE)
    return found
