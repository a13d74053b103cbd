"""Opens the models for a start: those that the records have in force, from the ingest's own copies.

Without `[models]` nothing of it is imported or looked at. What a copy no longer gives (the disk, another
version of a library) is trouble to be told, and is then looked for in the registry."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from palier.historian.folder import DataFolder
from palier.registry import Registry, RegistryError, digest, fingerprint_of
from palier.registry_keys import public_key
from palier.strict_toml import ConfigError, Mistake

from .model_keeping import ModelKeeper
from .model_loading import Load, ModelLoader, Seen, read_own
from .model_scoring import BASELINES, IN_FORCE, SHADOW, Installed, Models
from .model_standing import Standing, Taken, Trouble, standings_of
from .model_timed import ModelError, Pace, timed
from .settings import IngestSettings, ModelsSettings
from .watch_batch import Watching
from .watch_keeping import WatchKeeper

if TYPE_CHECKING:
    from models.bundle import Bundle
    from palier.historian.records import Records

log = structlog.get_logger(__name__)

COPIES: Final = "models"
"""Folder of the ingest's own copies, in its data folder."""


def open_models(settings: IngestSettings, records: Records, watch: WatchKeeper) -> ModelKeeper | None:
    """The models of the registry, those in force at work in the watch; None without `[models]`.

    Raises ConfigError for a public key that can't be used.
    """
    if settings.models.folder is None:
        return None
    load, copies = loader_of(settings.models), settings.data / COPIES
    found = opened(load, copies, watch.watching, records.states())
    watch.watching, standings, troubles = found
    seen = Seen(watch.watching, standings)
    loader = ModelLoader(
        Registry(settings.models.folder), copies, DataFolder(settings.data).records, seen, load
    )
    for one in watch.watching.models.installed:
        taken = getattr(standings[one.name], "in_force" if one.stage == IN_FORCE else "shadow")
        loader.remember(one.spec, taken.fingerprint, one.bundle)
    return ModelKeeper(loader, watch, records, troubles=troubles)


def with_models(
    settings: IngestSettings, watching: Watching, told: Mapping[tuple[str, str], str]
) -> Watching:
    """The watching with the models that the records (`told`) have at work, for a period that is judged again.

    Raises ConfigError; what can't be opened is left out, and logged.
    """
    if settings.models.folder is None:
        return watching
    found, _, troubles = opened(loader_of(settings.models), settings.data / COPIES, watching, told)
    for one in troubles:
        log.warning("model_left_out", model=one.name, version=one.version, why=one.sentence)
    return found


def loader_of(settings: ModelsSettings) -> Load:
    """What makes a bundle of files, with the detectors that are installed. Raises ConfigError for the key."""
    key: bytes | None = None
    if settings.public_key_file is not None:
        try:
            key = public_key(settings.public_key_file)
        except RegistryError as error:
            raise ConfigError(settings.public_key_file, (Mistake(None, str(error)),)) from error

    def load(spec: str, files: Mapping[str, bytes]) -> Bundle:
        from models.bundle import load as load_bundle
        from palier.detectors import installed

        factories = installed().factories
        return load_bundle(files, spec=spec, public_key=key, detectors=factories, seconds=time.perf_counter)

    return load


def opened(
    load: Load, folder: Path, watching: Watching, told: Mapping[tuple[str, str], str]
) -> tuple[Watching, dict[str, Standing], tuple[Trouble, ...]]:
    """The watching with the models that the records (`told` by site and key) have at work, what they have,
    and what of it could not be opened.
    """
    standings = standings_of(told, watching.knowledge.plant.site_id)
    found: list[Installed] = []
    troubles: list[Trouble] = []
    for name, standing in list(standings.items()):
        for stage, taken in ((IN_FORCE, standing.in_force), (SHADOW, standing.shadow)):
            if taken is None or (standing.kind == BASELINES and stage == IN_FORCE):
                continue  # baselines in force are in the records
            copy = folder / name / str(taken.version)
            try:
                spec = f"{name}:{taken.version}"
                bundle = timed(partial(_load_own, load, spec, copy, taken), spec)
                found.append(Installed.of(name, taken.version, stage, bundle, Pace()))
            except Exception as error:  # noqa: BLE001 - whatever a file provokes must not keep us from starting
                key = str(getattr(error, "key", "unreadable"))
                troubles.append(Trouble(name, taken.version, key, str(error)))
                standings[name] = _without(standings[name], stage)
    models = Models().having(found, told)
    return (replace(watching, models=models) if found else watching), standings, tuple(troubles)


def _load_own(load: Load, spec: str, copy: Path, taken: Taken) -> Bundle:
    files = read_own(copy)
    if fingerprint_of({name: digest(content) for name, content in files.items()}) != taken.fingerprint:
        raise ModelError(
            "damaged",
            f"{copy} is not what was taken: it was changed, or is of another registry; it is fetched anew",
        )
    return load(spec, files)


def _without(standing: Standing, stage: str) -> Standing:
    """So that the registry is asked for it again."""
    return replace(standing, in_force=None) if stage == IN_FORCE else replace(standing, shadow=None)
