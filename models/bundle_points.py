"""Baselines as a bundle keeps them: of points of a site, each with what it was learned from. Pure values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.detection.baseline import Baseline
from models.detection.context import Context
from models.detection.plain import baseline_from_arrays, baseline_to_arrays
from models.features.catalogue import NAMES
from models.features.gate import DoubleArray
from models.training.dataset import PointHistory
from models.training.drift_trained import TrainedOn

Arrays = dict[str, npt.NDArray[Any]]
Place = tuple[str, str, str]
"""(site, machine, point)."""

GOLDEN_ROWS: Final = 8
"""Rows of each point whose answers a bundle carries: enough that no two models give the same."""

NEARLY_ALL: Final = 0.9
"""Of what is known in the rows in which most is: such rows any model can judge that judges one."""

OF_CONTEXT: Final = ("time_s", "speed_hz", "load", "others")


@dataclass(frozen=True, slots=True, eq=False)
class Golden:
    """Rows `x` (k, c) of a point with their context, and the answer (k, ...) that a model must give."""

    x: DoubleArray
    time_s: DoubleArray
    speed_hz: DoubleArray
    load: DoubleArray
    others: DoubleArray
    answer: DoubleArray

    @classmethod
    def of(cls, history: PointHistory) -> Golden:
        """Rows spread over those of a history in which nearly as much is known as in any.

        Of others a model may say nothing. The answer is still to be put.
        """
        known = np.isfinite(history.x).sum(axis=1)
        told = np.flatnonzero(known >= NEARLY_ALL * known.max(initial=0))
        some = np.unique(np.linspace(0, max(len(told) - 1, 0), GOLDEN_ROWS).astype(np.intp))
        rows = history.rows(told[some[: len(told)]])
        context = {name: np.array(getattr(rows.context, name)) for name in OF_CONTEXT}
        return cls(np.array(rows.x), **context, answer=np.empty(0))

    @property
    def context(self) -> Context:
        """What is known of the rows."""
        return Context(self.time_s, self.speed_hz, self.load, self.others)

    def answered(self, answer: DoubleArray) -> Golden:
        """With the answer that a model gives."""
        return replace(self, answer=answer)

    def to_arrays(self, prefix: str) -> Arrays:
        """By name."""
        return {f"{prefix}.{name}": getattr(self, name) for name in Golden.__slots__}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> Golden:
        """What `to_arrays` took apart. Raises ValueError where one is missing."""
        return cls(**{name: needed(arrays, f"{prefix}.{name}") for name in Golden.__slots__})


@dataclass(frozen=True, slots=True, eq=False)
class PointBaseline:
    """The baseline of a point: `channels`, `baseline` of what is watched, and `levels` (n_channels,
    n_features of the catalogue), medians of everything in good health, as the ingest keeps what it learns.

    `units` of the columns, `fs_hz` and `n_samples` of the blocks; `start_s`, `end_s` of what it was learned
    from, `digest` of that data; `trained` how those data were spread, None where nobody took it; `golden`.
    """

    place: Place
    kind: str
    channels: tuple[str, ...]
    units: tuple[str, ...]
    baseline: Baseline
    levels: DoubleArray
    fs_hz: float
    n_samples: int
    start_s: float
    end_s: float
    digest: str
    golden: Golden
    trained: TrainedOn | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns, "channel/feature"."""
        return self.baseline.names

    def residuals(self, history: PointHistory) -> DoubleArray:
        """Residuals (m, c) in σ of a history's blocks; a column that it does not have is unknown."""
        return self.baseline.expect(aligned(history, self.names), history.context).z

    def golden_history(self) -> PointHistory:
        """Its golden rows, as blocks."""
        golden = self.golden
        return PointHistory(*self.place, self.kind, self.names, self.units, golden.x, golden.context)

    def answer(self) -> DoubleArray:
        """Its residuals (k, c) of its golden rows."""
        return self.baseline.expect(self.golden.x, self.golden.context).z

    def told(self) -> dict[str, Any]:
        """As the manifest tells it, for people and programs."""
        line = self.baseline.line
        speed = known_range(np.exp([line.low[0], line.high[0]]))
        load = known_range([line.low[1], line.high[1]])
        return {
            "place": list(self.place),
            "machine_kind": self.kind,
            "channels": list(self.channels),
            "features": [{"name": n, "unit": u} for n, u in zip(self.names, self.units, strict=True)],
            "not_learned": [
                n for n, known in zip(self.names, self.baseline.learned, strict=True) if not known
            ],
            "fs_hz": self.fs_hz,
            "window_samples": self.n_samples,
            "trained": {
                "start_s": self.start_s,
                "end_s": self.end_s,
                "blocks": self.baseline.blocks,
                "days": self.baseline.days,
                "speed_hz": speed,
                "load": load,
            },
            "data_sha256": self.digest,
        }

    def to_arrays(self, prefix: str) -> Arrays:
        """By name."""
        found = {f"{prefix}.baseline.{name}": a for name, a in baseline_to_arrays(self.baseline).items()}
        found[f"{prefix}.levels"] = self.levels
        if self.trained is not None:
            found |= {f"{prefix}.trained.{name}": a for name, a in self.trained.to_arrays().items()}
        return found | self.golden.to_arrays(f"{prefix}.golden")

    @classmethod
    def of(
        cls, told: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], prefix: str
    ) -> PointBaseline:
        """What `told` and `to_arrays` took apart. Raises ValueError, KeyError or TypeError for anything
        else."""
        site, machine, point = told["place"]
        if not all(isinstance(part, str) and part for part in (site, machine, point)):
            raise ValueError(f"a place must be a site, a machine and a point, got {told['place']!r}")
        of_baseline = under(arrays, f"{prefix}.baseline.")
        of_trained = under(arrays, f"{prefix}.trained.")
        span, levels = told["trained"], needed(arrays, f"{prefix}.levels")
        if levels.shape != (len(told["channels"]), len(NAMES)) or levels.dtype.kind != "f":
            raise ValueError(
                f"levels must be of {len(told['channels'])} channels and the {len(NAMES)} features that are "
                f"measured here, got {levels.shape} of {levels.dtype}"
            )
        return cls(
            (site, machine, point), told["machine_kind"], tuple(told["channels"]),
            tuple(one["unit"] for one in told["features"]),
            baseline_from_arrays(of_baseline), levels,
            float(told["fs_hz"]), int(told["window_samples"]), float(span["start_s"]), float(span["end_s"]),
            told["data_sha256"], Golden.from_arrays(arrays, f"{prefix}.golden"),
            TrainedOn.from_arrays(of_trained) if of_trained else None,
        )  # fmt: skip


def features_told(told: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns of a point, in the order that a manifest states."""
    return tuple(one["name"] for one in told["features"])


def aligned(history: PointHistory, names: Sequence[str]) -> DoubleArray:
    """The columns `names` (m, c) of a history, NaN where it has no such column."""
    if history.names == tuple(names):
        return history.x
    place = {name: j for j, name in enumerate(history.names)}
    x = np.full((len(history), len(names)), np.nan)
    for j, name in enumerate(names):
        if name in place:
            x[:, j] = history.x[:, place[name]]
    return x


def under(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> Arrays:
    """The arrays whose names begin so, by the rest of their names."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def needed(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> npt.NDArray[Any]:
    """An array that must be there. Raises ValueError."""
    if name not in arrays:
        raise ValueError(f"the array {name} is missing")
    return arrays[name]


def known_range(ends: npt.ArrayLike) -> list[float] | None:
    """[low, high] in numbers that JSON has, None where it is not known."""
    low, high = (float(end) for end in np.asarray(ends, dtype=np.float64))
    return [low, high] if np.isfinite([low, high]).all() else None
