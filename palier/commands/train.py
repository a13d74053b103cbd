"""`palier train`: a candidate for the registry from the plant's own history."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from palier.options import CommandError, JsonOption, LangOption, QuietOption, catalogue

from .model_options import (
    DEFAULT_REGISTRY,
    DataOption,
    FromOption,
    HistoryConfigOption,
    MachinesOption,
    RegistryOption,
    ToOption,
    UserOption,
    WhyOption,
    WorkersOption,
    asking,
    history_of,
    noted,
    progress,
)

if TYPE_CHECKING:
    from models.training.dataset import PointHistory
    from models.training.fit import Trained
    from palier.registry import Version

train = typer.Typer(
    help="Train baselines, a detector or a fault classifier from the plant's history, as a candidate.",
    short_help="Train models from the plant's history.",
    epilog="\b\nExample:\n  palier train baselines --data /var/lib/palier/ingest --why 'after the overhaul'\n"
    "  palier train detector --data /var/lib/palier/ingest --detector one-class-svm --why 'first try'\n"
    "  palier train baselines --config ingest.toml --workers tcp://scheduler:8786 --why 'all of them'",
    no_args_is_help=True,
)

NameOption = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="Of the model; by default that of its kind.")
]
SeedOption = Annotated[int, typer.Option("--seed", help="The same data and seed give the same model.")]
SignKeyOption = Annotated[
    Path | None,
    typer.Option("--sign-key", metavar="FILE", help="Private key of palier model keygen, to sign with."),
]


@dataclass(frozen=True, slots=True)
class Source:
    """Which history: whose, from when to when."""

    config: Path | None
    data: Path | None
    machines: tuple[str, ...]
    start: str | None
    end: str | None


@dataclass(frozen=True, slots=True)
class Target:
    """Where the model goes, under which name, made by whom and why, signed with which key."""

    registry: Path
    name: str
    user: str | None
    why: str
    sign_key: Path | None


@dataclass(frozen=True, slots=True)
class Shown:
    """How it is told."""

    json_output: bool
    quiet: bool
    lang: str


@train.command()
def baselines(
    *,
    data: DataOption = None,
    config: HistoryConfigOption = None,
    registry: RegistryOption = DEFAULT_REGISTRY,
    machine: MachinesOption = None,
    start: FromOption = None,
    end: ToOption = None,
    name: NameOption = None,
    why: WhyOption = "",
    workers: WorkersOption = None,
    sign_key: SignKeyOption = None,
    user: UserOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """Learn what machines are like in good health.

    Each point is learned for itself, by speed and load. Blocks at rest, in alarm, and of the day after an
    intervention are not learned from.
    """
    from .train_jobs import fit_all

    source = Source(config, data, tuple(machine or ()), start, end)
    target = Target(registry, name or "baselines", user, why, sign_key)
    with asking(lang), progress("train", quiet=quiet) as told:
        trained = fit_all(source, workers, told)
    _keep(trained, target, Shown(json_output, quiet, lang))


@train.command()
def detector(
    *,
    detector: Annotated[
        str, typer.Option("--detector", metavar="NAME", help="Built in, or of a package: see below.")
    ] = "one-class-svm",
    per: Annotated[
        str, typer.Option("--per", metavar="point|kind", help="One for each point, or for each kind.")
    ] = "point",
    seed: SeedOption = 0,
    data: DataOption = None,
    config: HistoryConfigOption = None,
    registry: RegistryOption = DEFAULT_REGISTRY,
    machine: MachinesOption = None,
    start: FromOption = None,
    end: ToOption = None,
    name: NameOption = None,
    why: WhyOption = "",
    workers: WorkersOption = None,
    sign_key: SignKeyOption = None,
    user: UserOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """Train a detector of what is strange.

    Its threshold is calibrated to the budget of false alarms. Built in are one-class-svm, pca, baseline and
    isolation-forest; a package adds its own by an entry point of the group palier.detectors.
    """
    from .train_jobs import detect_all, wanted_of

    source = Source(config, data, tuple(machine or ()), start, end)
    target = Target(registry, name or detector, user, why, sign_key)
    wanted = wanted_of(detector, per, seed)
    with asking(lang), progress("train", quiet=quiet) as told:
        trained = detect_all(source, wanted, workers, told)
    _keep(trained, target, Shown(json_output, quiet, lang))


@train.command()
def classifier(
    *,
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help="Of machines: pump, fan, ...; else all.")
    ] = None,
    seed: SeedOption = 0,
    data: DataOption = None,
    config: HistoryConfigOption = None,
    registry: RegistryOption = DEFAULT_REGISTRY,
    machine: MachinesOption = None,
    start: FromOption = None,
    end: ToOption = None,
    name: NameOption = None,
    why: WhyOption = "",
    sign_key: SignKeyOption = None,
    user: UserOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """Train a classifier that names faults.

    It learns from technicians' verdicts and from work orders. Machines are held out to judge it, never
    windows of one; what is like nothing it learned it calls unidentified.
    """
    from models.training.fit import train_classifier

    source = Source(config, data, tuple(machine or ()), start, end)
    target = Target(registry, name or f"faults-{kind}" if kind else name or "faults", user, why, sign_key)
    with asking(lang), progress("read", quiet=quiet) as told:
        histories = [one for one in _histories(source, told) if kind in (None, one.kind)]
        trained = train_classifier(histories, kind=kind, seed=seed)
    _keep(trained, target, Shown(json_output, quiet, lang))


def _histories(source: Source, told: Any) -> Iterable[PointHistory]:
    """The history of each point, machine by machine."""
    from .train_jobs import machines_of

    with history_of(source.config, source.data) as history:
        machines = machines_of(history, source)
        for k, machine in enumerate(machines):
            yield from history.points(machine, start=source.start, end=source.end)
            told(k + 1, len(machines))


def _keep(trained: Trained, target: Target, shown: Shown) -> None:
    """Put what was trained into the registry, and tell of it; Exit(1) where nothing could be."""
    from models.bundle import pack
    from palier.registry import Registry
    from palier.registry_keys import signer

    version: Version | None = None
    if trained.parts is not None:
        with asking(shown.lang):
            sign = None if target.sign_key is None else signer(target.sign_key)
            files = pack(trained.parts, name=target.name)
            note = noted(target.user, target.why)
            version = Registry(target.registry).add(
                target.name, files, note, kind=trained.parts.kind, sign=sign
            )
    _tell(trained, version, shown)
    if version is None:
        raise CommandError(catalogue(shown.lang).text("model.nothing_trained"))


def _tell(trained: Trained, version: Version | None, shown: Shown) -> None:
    from .train_text import left_out_lines, told_of
    from .trained_text import metrics_lines

    words = catalogue(shown.lang)
    if shown.json_output:
        typer.echo(json.dumps(told_of(trained, version), ensure_ascii=False))
        return
    for text in left_out_lines(trained.refused, words):
        typer.echo(text)
    if version is None or shown.quiet:
        return
    for text in metrics_lines(trained.report, words):
        typer.echo(f"  {text}")
    typer.echo(words.text("model.trained", model=version.spec))
