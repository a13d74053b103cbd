"""A trained detector as a bundle keeps it: the baselines that its residuals are of, the detectors,
thresholds.

A detector is of one point, or of all points of a kind of machine. In the second case its columns are features
without a channel: of several channels the residual that is furthest off, so that machines whose channels have
other names or numbers fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from models.detection.context import Context
from models.detection.measured import feature_of
from models.features.gate import DoubleArray
from models.training.dataset import PointHistory
from models.training.detectors import Detector, Factory, Memory, Stored
from models.training.threshold import Threshold

from .bundle_points import Arrays, Place, PointBaseline, under

Per = Literal["point", "kind"]

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What a model says of blocks (m,): `score` in σ of healthy scores, NaN where it can't tell (at rest
    too); what `exceeds` the `threshold`; `calm` the level below which a block counts as calm; `leading` the
    column that is furthest off, "" where there is none.
    """

    score: DoubleArray
    threshold: float
    calm: float
    exceeds: Flags
    leading: npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """One fitted detector with its columns and threshold."""

    key: str
    columns: tuple[str, ...]
    detector: Detector
    threshold: Threshold

    def rows_of(self, z: DoubleArray, names: Sequence[str], per: Per) -> DoubleArray:
        """Its columns (m, k) of residuals `z` (m, c) of the columns `names`."""
        return z if per == "point" else furthest(z, names, self.columns)


@dataclass(frozen=True, slots=True, eq=False)
class DetectorModel:
    """Detectors by group, and the points (with the number of their group) that they judge."""

    name: str
    per: Per
    groups: tuple[Group, ...]
    points: Mapping[Place, tuple[PointBaseline, int]]

    @property
    def places(self) -> tuple[Place, ...]:
        """The points that it can judge."""
        return tuple(self.points)

    def score(self, history: PointHistory) -> Scored:
        """What it says of a history's blocks. Raises KeyError for a point that it does not know."""
        return self.step(self.start(history.place), history)[1]

    def start(self, place: Place) -> Memory:
        """What it remembers of a point before any block. Raises KeyError."""
        return self._group(place).detector.start()

    def step(self, memory: Memory, history: PointHistory) -> tuple[Memory, Scored]:
        """What it remembers after some blocks more of a point, and what it says of them."""
        return self.step_all([(memory, history)])[0]

    def step_all(self, items: Sequence[tuple[Memory, PointHistory]]) -> list[tuple[Memory, Scored]]:
        """The same for several points: one call of each detector that remembers nothing."""
        found: list[tuple[Memory, Scored]] = [(memory, _SAYS_NOTHING) for memory, _ in items]
        by_group: dict[int, list[int]] = {}
        for i, (_, history) in enumerate(items):
            by_group.setdefault(self.points[history.place][1], []).append(i)
        for g, members in by_group.items():
            together = not self.groups[g].detector.start()
            for some in [members] if together else [[i] for i in members]:
                said = self._say(self.groups[g], [items[i] for i in some])
                for i, one in zip(some, said, strict=True):
                    found[i] = one
        return found

    def _group(self, place: Place) -> Group:
        return self.groups[self.points[place][1]]

    def _say(self, group: Group, items: Sequence[tuple[Memory, PointHistory]]) -> list[tuple[Memory, Scored]]:
        """Blocks of points of one group in one call; with a memory, of one point."""
        z = [self.points[history.place][0].residuals(history) for _, history in items]
        names = [self.points[history.place][0].names for _, history in items]
        rows = [group.rows_of(a, b, self.per) for a, b in zip(z, names, strict=True)]
        context = joined([history.context for _, history in items])
        x = np.where(context.running[:, None], np.concatenate(rows), np.nan)
        memory, raw = group.detector.step(items[0][0], x, context)
        ends = np.cumsum([len(part) for part in rows])[:-1]
        limit = group.threshold
        return [
            (memory, Scored(s, limit.value, limit.calm, s > limit.value, furthest_column(a, b)))
            for s, a, b in zip(np.split(limit.of(raw), ends), z, names, strict=True)
        ]

    def told(self) -> dict[str, Any]:
        """As the manifest tells it."""
        return {
            "detector": self.name,
            "per": self.per,
            "groups": [
                {
                    "key": group.key,
                    "features": list(group.columns),
                    "threshold": {
                        name: getattr(group.threshold, name)
                        for name in ("value", "centre", "spread", "alerts", "months", "rate")
                    },
                    "strangest_s": list(group.threshold.strangest_s),
                }
                for group in self.groups
            ],
            "points": [{**one.told(), "group": g} for one, g in self.points.values()],
        }

    def stored(self) -> tuple[Arrays, dict[str, Any]]:
        """Its arrays and its estimators by name."""
        arrays: Arrays = {}
        estimators: dict[str, Any] = {}
        for g, group in enumerate(self.groups):
            parts = group.detector.to_parts()
            arrays |= {f"group.{g}.{name}": np.asarray(array) for name, array in parts.arrays.items()}
            estimators |= {f"group.{g}.{name}": one for name, one in parts.estimators.items()}
        for i, (one, _) in enumerate(self.points.values()):
            arrays |= one.to_arrays(f"point.{i}")
        return arrays, estimators

    @classmethod
    def of(
        cls,
        told: Mapping[str, Any],
        arrays: Mapping[str, npt.NDArray[Any]],
        estimators: Mapping[str, Any],
        factories: Mapping[str, Factory],
    ) -> DetectorModel:
        """What `told` and `stored` took apart; the detector must be one of `factories`. Raises ValueError."""
        make = type(factories[told["detector"]](0))
        groups = []
        for g, group in enumerate(told["groups"]):
            some = {
                n.removeprefix(f"group.{g}."): e for n, e in estimators.items() if n.startswith(f"group.{g}.")
            }
            detector = make.from_parts(Stored(under(arrays, f"group.{g}."), some))
            limit = Threshold(**group["threshold"], strangest_s=tuple(group["strangest_s"]))
            if not np.isfinite([limit.value, limit.centre, limit.spread]).all() or limit.spread <= 0:
                raise ValueError(f"the threshold of {group['key']} must be numbers, got {group['threshold']}")
            groups.append(Group(group["key"], tuple(group["features"]), detector, limit))
        points = {}
        for i, point in enumerate(told["points"]):
            one = PointBaseline.of(point, arrays, f"point.{i}")
            if not 0 <= point["group"] < len(groups):
                raise ValueError(f"the point {one.place} is of a group that is not there")
            points[one.place] = (one, int(point["group"]))
        return cls(told["detector"], told["per"], tuple(groups), points)

    def golden_answer(self, one: PointBaseline) -> DoubleArray:
        """What it says of the golden rows of a point."""
        return self.score(one.golden_history()).score


_SAYS_NOTHING: Final = Scored(np.empty(0), np.nan, np.nan, np.empty(0, np.bool_), np.empty(0, np.str_))


def furthest(z: DoubleArray, names: Sequence[str], columns: Sequence[str]) -> DoubleArray:
    """Of each feature (m, k) the residual of the channel in which it is furthest off, with its sign."""
    features = [feature_of(name) for name in names]
    found = np.full((len(z), len(columns)), np.nan)
    for j, column in enumerate(columns):
        places = [i for i, feature in enumerate(features) if feature == column]
        if places:
            some = z[:, places]
            far = np.argmax(np.where(np.isnan(some), -1.0, np.abs(some)), axis=1)
            found[:, j] = some[np.arange(len(some)), far]
    return found


def furthest_column(z: DoubleArray, names: Sequence[str]) -> npt.NDArray[np.str_]:
    """The column of each row (m,) that is furthest off, "" where none is known."""
    if not z.shape[1]:
        return np.full(len(z), "", dtype="<U1")
    far = np.argmax(np.where(np.isnan(z), -1.0, np.abs(z)), axis=1)
    return np.where(np.isnan(z).all(axis=1), "", np.asarray(names, dtype=np.str_)[far])


def joined(contexts: Sequence[Context]) -> Context:
    """Contexts one behind the other, without what was done to the machines."""
    if len(contexts) == 1:
        return contexts[0]
    widest = max(one.others.shape[1] for one in contexts)
    parts = {
        f.name: np.concatenate([getattr(one, f.name) for one in contexts])
        for f in fields(Context)
        if f.name not in ("others", "interventions_s", "cycles")
    }
    others = np.full((len(parts["time_s"]), widest), np.nan)
    at = 0
    for one in contexts:
        others[at : at + len(one.time_s), : one.others.shape[1]] = one.others
        at += len(one.time_s)
    return Context(others=others, **parts)  # type: ignore[arg-type]  # all of them are arrays
