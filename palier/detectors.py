"""Detectors that are installed: the built-in ones, and those that other packages bring.

An entry point of the group `palier.detectors` names a callable that takes a seed and gives a detector that is
not fitted (`models.training.detectors`). One that can't be loaded is told with its reason, and breaks
nothing. Whether one keeps the rules, `models.training.conformance.check` says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from models.training.detectors import BUILT_IN, Factory

from .extras import extra_of, how_to_install

GROUP: Final = "palier.detectors"


@dataclass(frozen=True, slots=True)
class Installed:
    """`factories` by name, and why others are `broken`: a sentence each."""

    factories: Mapping[str, Factory]
    broken: Mapping[str, str]


def installed(entries: Iterable[EntryPoint] | None = None) -> Installed:
    """What is installed here. A built-in name stays what it is, whoever claims it."""
    factories: dict[str, Factory] = dict(BUILT_IN)
    broken: dict[str, str] = {}
    for entry in entry_points(group=GROUP) if entries is None else entries:
        if entry.name in BUILT_IN:
            if not entry.value.startswith("models.training."):
                broken[entry.name] = f"{entry.value}: {entry.name} is built in, it needs another name"
            continue
        try:
            factory = entry.load()
        except Exception as error:  # noqa: BLE001 - somebody else's package must not break ours
            broken[entry.name] = _reason(entry, error)
            continue
        if callable(factory):
            factories[entry.name] = factory
        else:
            broken[entry.name] = (
                f"{entry.value} must be a callable that takes a seed, got {type(factory).__name__}"
            )
    return Installed(factories, broken)


def _reason(entry: EntryPoint, error: Exception) -> str:
    extra = extra_of(error.name) if isinstance(error, ModuleNotFoundError) else None
    more = "" if extra is None else f" ({how_to_install(extra)})"
    return f"{entry.value} can't be loaded: {type(error).__name__}: {error}{more}"
