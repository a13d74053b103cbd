"""`palier model`: the versions of models, which is in force, and who decided that."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palier.options import FAILED, CommandError, JsonOption, LangOption, QuietOption, catalogue

from .model_options import (
    DEFAULT_REGISTRY,
    DataOption,
    PublicKeyOption,
    RegistryOption,
    SpecArgument,
    UserOption,
    WhyOption,
    asking,
    loaded,
    noted,
)

if TYPE_CHECKING:
    from models.bundle_checks import BundleError
    from palier.historian.rows import Transition
    from palier.registry import Line, Registry, RegistryError, Version

model = typer.Typer(
    help="List models and their versions; compare, check, promote them, and roll back.",
    short_help="List models; compare, check, promote, roll back.",
    epilog="\b\nExample:\n  palier model list --registry models --data /var/lib/palier/ingest\n"
    "  palier model diff baselines:3 baselines:4\n"
    "  palier model replay baselines:4 --data /var/lib/palier/ingest --from 2026-08-01\n"
    "  palier model promote baselines:4 --why 'no false call in the replay of a quarter'\n"
    "  palier model rollback baselines --why 'two false calls since'",
    no_args_is_help=True,
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Of the model, as the list names it.")]


@model.command("list")
def list_all(
    *,
    registry: RegistryOption = DEFAULT_REGISTRY,
    data: DataOption = None,
    every: Annotated[bool, typer.Option("--all", help="Retired versions too, not the last alone.")] = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """List models and their versions.

    With --data also what the ingest has, and what it could not take.
    """
    from palier.registry import Registry, Stage

    from .model_text import held_lines, problem_lines, version_table

    words = catalogue(lang)
    with asking(lang):
        lines = [Registry(registry).line(name) for name in Registry(registry).names()]
    shown = [one for line in lines for one in line.versions if every or _is_of_interest(one, line)]
    older = sum(len(line.versions) for line in lines) - len(shown)
    events = _events(data)
    if json_output:
        for one in shown:
            typer.echo(json.dumps(one.told(), ensure_ascii=False))
        return
    retired = [False, *(one.stage is Stage.RETIRED for one in shown)]
    for text, grey in zip(version_table(shown, words), retired, strict=False):
        typer.secho(text, dim=grey)
    if older and not quiet:
        typer.echo(words.text("model.older", n=older))
    elif not shown and not quiet:
        typer.echo(words.text("model.none"))
    for text in (*held_lines(events, words), *problem_lines(lines, words)):
        typer.echo(text)


@model.command()
def show(
    spec: SpecArgument,
    *,
    registry: RegistryOption = DEFAULT_REGISTRY,
    data: DataOption = None,
    json_output: JsonOption = False,
    lang: LangOption = "fr",
) -> None:
    """Show a version: its origin, metrics, thresholds and replay.

    It also tells what was done to it.
    """
    from palier.registry import Registry

    from .model_text import manifest_of, show_lines

    words = catalogue(lang)
    found = Registry(registry)
    with asking(lang):
        one = found.resolve(spec)
        line, told = found.line(one.name), manifest_of(found.read(one))
        report = found.report(one.name, one.version)
    if json_output:
        whole = {**one.told(), "manifest": told, "replay": report}
        acts = [entry.told() for entry in line.entries if entry.version == one.version]
        typer.echo(json.dumps(whole | {"acts": acts}, ensure_ascii=False))
        return
    events = [event for event in _events(data) if event.machine == one.name]
    for text in show_lines(one, line, told, events, words):
        typer.echo(text)


@model.command()
def diff(
    first: SpecArgument,
    second: SpecArgument,
    *,
    registry: RegistryOption = DEFAULT_REGISTRY,
    json_output: JsonOption = False,
    lang: LangOption = "fr",
) -> None:
    """Tell what is different between two versions.

    It compares points, features, metrics, thresholds, data and libraries. What differs at many points is one
    line; with --json all are told.
    """
    from palier.registry import Registry

    from .model_text import brief, difference_text, differences, manifest_of

    words = catalogue(lang)
    found = Registry(registry)
    with asking(lang):
        before, after = (manifest_of(found.read(found.resolve(spec))) for spec in (first, second))
    rows = differences(before, after)
    if json_output:
        for path, was, now in rows:
            typer.echo(json.dumps({"what": path, "first": was, "second": now}, ensure_ascii=False))
        return
    lines = ((path, difference_text(row, (first, second), words)) for row in rows for path in row[:1])
    for text in brief(lines, words):
        typer.echo(text)
    if not rows:
        typer.echo(words.text("model.same"))


@model.command()
def verify(
    specs: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME[:VERSION]]...", help="Without any, all of them.")
    ] = None,
    *,
    registry: RegistryOption = DEFAULT_REGISTRY,
    public_key: PublicKeyOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """Check versions as the ingest does: hashes, signature, answers.

    The answers are those that they gave where they were trained. Exits with 1 where one does not pass.
    """
    from palier.registry import Registry

    from .registry_text import refusal_text

    words = catalogue(lang)
    found = Registry(registry)
    with asking(lang):
        chosen = [found.resolve(spec) for spec in specs or ()]
        if not specs:
            chosen = [one for name in found.names() for one in found.line(name).versions]
    wrong = 0
    for one in chosen:
        why = _wrong(found, one, public_key)
        wrong += why is not None
        if json_output:
            typer.echo(
                json.dumps(
                    {"model": one.spec, "ok": why is None, "why": why and str(why)}, ensure_ascii=False
                )
            )
        elif why is not None:
            typer.echo(words.text("model.wrong", model=one.spec, why=refusal_text(why, words)))
        elif not quiet:
            typer.echo(words.text("model.right", model=one.spec))
    if wrong:
        raise typer.Exit(FAILED)


@model.command()
def promote(
    spec: SpecArgument,
    *,
    registry: RegistryOption = DEFAULT_REGISTRY,
    why: WhyOption = "",
    force: Annotated[bool, typer.Option("--force", help="Without a replay; --why is needed then.")] = False,
    public_key: PublicKeyOption = None,
    user: UserOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """Put a version in force; the one before is kept.

    The ingest takes it within five seconds. It must have been replayed on the plant's past (palier model
    replay), and pass every check of the ingest.
    """
    from palier.registry import Registry

    found = Registry(registry)
    with asking(lang):
        one = _candidate(found, spec)
        loaded(found, one, public_key)
        now = found.promote(one.name, one.version, noted(user, why), forced=force)
    _done("promoted", now, json_output=json_output, quiet=quiet, lang=lang)


@model.command()
def shadow(
    spec: SpecArgument,
    *,
    registry: RegistryOption = DEFAULT_REGISTRY,
    why: WhyOption = "",
    public_key: PublicKeyOption = None,
    user: UserOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """Have a version score beside the one in force.

    Its scores are kept, and decide nothing.
    """
    from palier.registry import Registry

    found = Registry(registry)
    with asking(lang):
        one = _candidate(found, spec)
        loaded(found, one, public_key)
        now = found.shadow(one.name, one.version, noted(user, why))
    _done("shadowed", now, json_output=json_output, quiet=quiet, lang=lang)


@model.command()
def rollback(
    name: NameArgument,
    *,
    why: WhyOption,
    to: Annotated[
        int | None,
        typer.Option("--to", metavar="VERSION", help="This one, which was in force; else the one before."),
    ] = None,
    registry: RegistryOption = DEFAULT_REGISTRY,
    user: UserOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """Put back in force what was before.

    Where nothing was, it is what the plant learned by itself.
    """
    from palier.registry import Registry, RegistryError, parse_spec

    with asking(lang):
        name, version = parse_spec(name)
        if version is not None:  # to it, or from it? who asks must say
            raise RegistryError(
                "bad_name",
                f"give {name} alone, or --to {version}",
                text="name_alone",
                name=name,
                version=version,
            )
        now = Registry(registry).rollback(name, noted(user, why), to=to)
    if now is not None:
        _done("rolled_back", now, json_output=json_output, quiet=quiet, lang=lang)
    elif json_output:
        typer.echo(json.dumps({"name": name, "version": None}))
    elif not quiet:
        typer.echo(catalogue(lang).text("model.rolled_back_to_nothing", name=name))


@model.command()
def retire(
    spec: SpecArgument,
    *,
    why: WhyOption,
    registry: RegistryOption = DEFAULT_REGISTRY,
    user: UserOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """Take a version out of use; it is kept. Where it was in force, nothing of its name is any more."""
    from palier.registry import Registry

    found = Registry(registry)
    with asking(lang):
        one = found.resolve(spec)
        now = found.retire(one.name, one.version, noted(user, why))
    _done("retired", now, json_output=json_output, quiet=quiet, lang=lang)


@model.command()
def keygen(
    stem: Annotated[
        Path, typer.Argument(metavar="PATH", help="PATH.key and PATH.pub are made; nothing is overwritten.")
    ],
    *,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """Make a key pair to sign models with.

    The private key signs what is trained, the public one goes to the ingest.
    """
    from palier.registry_keys import make_keys

    words = catalogue(lang)
    with asking(lang):
        private, public = make_keys(stem)
    if not quiet:
        typer.echo(words.text("model.keys_made", private=private, public=public))


def _is_of_interest(one: Version, line: Line) -> bool:
    """All but what is retired; of those the one that was in use last, to which one may want to go back."""
    from palier.registry import Stage

    return one.stage is not Stage.RETIRED or one.version == line.last_retired


def _candidate(registry: Registry, spec: str) -> Version:
    """The version to put to work: of a name alone the newest. Raises RegistryError."""
    from palier.registry import parse_spec

    name, number = parse_spec(spec)
    newest = registry.line(name).newest if number is None else None
    return registry.resolve(spec) if newest is None else newest


def _wrong(registry: Registry, one: Version, public_key: Path | None) -> BundleError | RegistryError | None:
    """Why a version does not pass, None where it does."""
    from models.bundle_checks import BundleError
    from palier.registry import RegistryError

    try:
        loaded(registry, one, public_key)
    except (BundleError, RegistryError) as error:
        return error
    return None


def _done(what: str, now: Version, *, json_output: bool, quiet: bool, lang: str) -> None:
    words = catalogue(lang)
    if json_output:
        typer.echo(json.dumps(now.told(), ensure_ascii=False))
    elif not quiet:
        typer.echo(words.text(f"model.{what}", model=now.spec))


def _events(data: Path | None) -> list[Transition]:
    """What the ingest told of models, oldest first; nothing without its folder."""
    from palier.historian.base import HistorianError
    from palier.historian.folder import DataFolder
    from palier.historian.records import RecordsReader

    if data is None:
        return []
    try:
        reader = RecordsReader(DataFolder(data).records)
    except HistorianError as error:
        raise CommandError(str(error)) from error
    try:
        return list(reader.transitions(0, "model"))
    finally:
        reader.close()


def _add_replay() -> None:
    from . import model_replay

    model.command()(model_replay.replay)
    model.command()(model_replay.drift)


if find_spec("palier.commands.model_replay"):
    _add_replay()
