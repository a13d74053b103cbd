"""What is watched at each point of the plant, and what was learned of it.

A point is one part of the detector: the same features of each of its acceleration channels, chosen once by
what stands there (a bearing, gears, vanes). The more features a machine has, the higher their limits: all of
them together may alarm as often as twelve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt

from models.detection.bands import standard_limits
from models.detection.baseline import Baseline
from models.detection.housing import Housing
from models.detection.measured import Part
from models.detection.plain import decode, encode, from_arrays, to_arrays
from models.training.gathering import (
    FEATURE,
    NO_SHOCKS,
    OF_SHAFT,
    features_of,
    measured_hz,
    velocity_of,
)
from models.types import MachineSpec, PointSpec, Quantity

from .judging import AXIAL
from .knowledge import Knowledge
from .scoring import Scored

__all__ = [
    "FEATURE", "NO_SHOCKS", "OF_SHAFT", "Place", "PointModel", "Watched", "columns_of", "features_of",
    "measured_hz", "watched_points", "with_model",
]  # fmt: skip

Place = tuple[str, str, str]
"""(site, machine, point)."""


@dataclass(frozen=True, slots=True, eq=False)
class PointModel:
    """What was learned of a point: the version of the machine's baseline that it belongs to, the baseline of
    what is watched, and `levels` (n_channels, n_features of the catalogue), the medians of everything in good
    health, NaN where unknown: what a diagnosis compares with. `origin` is the model of the registry that it
    came of ("baselines:5"), "" where the plant learned it by itself.
    """

    version: int
    channels: tuple[str, ...]
    baseline: Baseline
    levels: npt.NDArray[np.float64]
    origin: str = ""

    @property
    def spec(self) -> str:
        """How a score names it: "own:3", or its origin."""
        return self.origin or f"own:{self.version}"

    def to_text(self) -> str:
        """One line of ASCII, as the records keep it."""
        return encode(to_arrays(self))

    @classmethod
    def from_text(cls, text: str) -> PointModel:
        """What `to_text` wrote. Raises ValueError for anything else."""
        arrays = decode(text)
        origin = str(arrays.get("origin", ""))  # what the plant learned before there was a registry has none
        return replace(from_arrays(cls, arrays | {"origin": np.array(origin)}), origin=origin)


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """A point under watch: its machine and itself as the plant has them, its acceleration channels, what is
    watched of each, and what it is judged by. Columns are channel by channel. `housing` is how warm its
    bearing should be, None where nobody knows.
    """

    place: Place
    machine: MachineSpec
    point: PointSpec
    channels: tuple[str, ...]
    features: tuple[str, ...]
    alert: float
    danger: float
    zoned: tuple[str, ...]
    model: PointModel | None = None
    housing: Housing | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns: "channel/feature"."""
        return _names(self.channels, self.features)

    @property
    def part(self) -> Part:
        """As the detector takes it."""
        baseline = None if self.model is None else self.model.baseline
        part = Part(baseline, self.alert, self.danger, self.zoned)
        if baseline is None or self.housing is None:
            return part
        alert, danger = self.housing.limits(baseline.z)
        return replace(part, residual_alert=alert, residual_danger=danger)

    @property
    def levels(self) -> npt.NDArray[np.float64]:
        """What each column is in good health (c,), NaN where unknown."""
        if self.model is None:
            return np.full(len(self.names), np.nan)
        return self.model.levels[:, [FEATURE[name] for name in self.features]].ravel()


def watched_points(
    knowledge: Knowledge,
    models: Mapping[Place, PointModel],
    housings: Mapping[Place, Housing] | None = None,
) -> tuple[Watched, ...]:
    """Every point of the plant that has an acceleration channel.

    A model of other channels or features is left out: it has to be learned anew. What is known of a housing
    is of use beside a model only.
    """
    site = knowledge.plant.site_id
    found = []
    for machine in knowledge.plant.machines:
        for point in machine.points:
            place = (site, machine.id, point.id)
            one = _watched(place, machine, point, knowledge)
            if one is not None:
                warm = replace(one, housing=(housings or {}).get(place))
                found.append(with_model(warm, models.get(place)))
    return tuple(found)


def with_model(one: Watched, model: PointModel | None) -> Watched:
    """The point judged by this model, by the standard's limits alone where there is none that fits."""
    if model is not None and (model.baseline.names != one.names or model.channels != one.channels):
        model = None
    return replace(one, model=model, housing=None if model is None else one.housing)


def columns_of(entry: Scored, one: Watched) -> npt.NDArray[np.floating]:
    """A block's watched features (c,), NaN where a channel is absent or refused, a feature unknown or in
    doubt.
    """
    places, block = _places(one.features), entry.block
    if block.channels == one.channels and not any(entry.refusals) and not any(entry.doubts):
        return entry.features[:, places].ravel()
    picked = np.full((len(one.channels), len(one.features)), np.nan)
    for c, channel in enumerate(block.channels):
        if entry.refusals[c] is None and channel in one.channels:
            values = entry.features[c, places]
            if not NO_SHOCKS.isdisjoint(entry.doubts[c]):
                values = np.where(OF_SHAFT[places], values, np.nan)
            picked[one.channels.index(channel)] = values
    return picked.ravel()


@cache
def _names(channels: tuple[str, ...], features: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{channel}/{feature}" for channel in channels for feature in features)


@cache
def _places(features: tuple[str, ...]) -> npt.NDArray[np.intp]:
    """Columns of these features in what the extractor gives."""
    return np.array([FEATURE[name] for name in features], dtype=np.intp)


def _watched(place: Place, machine: MachineSpec, point: PointSpec, knowledge: Knowledge) -> Watched | None:
    channels = [c for c in point.channels if c.quantity is Quantity.ACCELERATION]
    if not channels:
        return None
    limits = knowledge.limits(point.limits)
    velocity = velocity_of(machine, point, limits)
    alert, danger = standard_limits(limits) if velocity in FEATURE else (np.nan, np.nan)
    radial = [c for c in channels if c.direction != AXIAL] or channels
    return Watched(
        place,
        machine,
        point,
        tuple(c.id for c in channels),
        features_of(machine, point, velocity),
        alert,
        danger,
        tuple(f"{c.id}/{velocity}" for c in radial),
    )
