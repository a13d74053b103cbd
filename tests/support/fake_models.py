"""Models that say what a test wants, and how they get into a registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from ingest.watch_parts import Place, PointModel
from models.training.dataset import PointHistory
from palier.registry import Note, Registry, Version

Score = Callable[[PointHistory], Sequence[float]]


def quiet(history: PointHistory) -> list[float]:
    """Nothing is strange."""
    return [0.0] * len(history)


@dataclass(eq=False)
class FakeBundle:
    """Looks like `models.bundle.Bundle`: strange above 1, calm below 0.5. `asked` are the histories of each
    call."""

    kind: str = "detector"
    places: tuple[Place, ...] = ()
    score_of: Score = quiet
    label: str = "outer_ring"
    machine_kinds: tuple[str, ...] = ()
    baselines: Mapping[Place, Any] = field(default_factory=dict)
    asked: list[list[PointHistory]] = field(default_factory=list)

    @property
    def manifest(self) -> Any:
        return SimpleNamespace(told={"scope": {"machine_kinds": self.machine_kinds}})

    def start(self, place: Place) -> dict[str, Any]:
        return {"n": np.zeros(1)}

    def step_all(self, items: Sequence[tuple[Mapping[str, Any], PointHistory]]) -> list[tuple[Any, Any]]:
        self.asked.append([history for _, history in items])
        return [({"n": memory["n"] + len(history)}, self._scored(history)) for memory, history in items]

    def _scored(self, history: PointHistory) -> Any:
        score = np.array(self.score_of(history), dtype=np.float64)
        leading = np.array([history.names[0]] * len(score))
        return SimpleNamespace(score=score, threshold=1.0, calm=0.5, exceeds=score > 1.0, leading=leading)

    def classify(self, history: PointHistory, levels: Any = None) -> Any:
        self.asked.append([history])
        n = len(history)
        names = SimpleNamespace(label=np.array([self.label] * n), confidence=np.full(n, 0.8))
        names.leading = np.array([history.names[0]] * n)
        return names


def of_point(model: PointModel) -> Any:
    """A model of a point as a bundle of baselines has it."""
    return SimpleNamespace(
        channels=model.channels, baseline=model.baseline, levels=model.levels, trained=None
    )


def put(registry: Registry, name: str, tag: bytes, kind: str = "detector") -> Version:
    """A version whose files hold a tag, by which `loading` knows it."""
    files = {"manifest.json": b'{"tag": "%s"}' % tag, "arrays.npz": tag}
    return registry.add(name, files, Note("s.idrissi", "a try", 1), kind=kind)


def loading(bundles: Mapping[bytes, Any]) -> Callable[[str, Mapping[str, bytes]], Any]:
    """A `load` that gives these by their tag, or raises what is an exception."""

    def load(_spec: str, files: Mapping[str, bytes]) -> Any:
        found = bundles[files["arrays.npz"]]
        if isinstance(found, Exception):
            raise found
        return found

    return load
