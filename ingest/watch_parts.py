"""What is watched at each point of the plant, and what was learned of it.

A point is one part of the detector: the same features of each of its acceleration channels, chosen once by
what stands there (a bearing, gears, vanes). The more features a machine has, the higher their limits: all of
them together may alarm as often as twelve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from models.detection.bands import standard_limits
from models.detection.baseline import Baseline
from models.detection.measured import Part
from models.detection.monitor import WATCHED
from models.detection.plain import decode, encode, from_arrays, to_arrays
from models.detection.sensors import LOOSE_MOUNT, SPIKES, TILTED
from models.features.catalogue import NAMES
from models.types import BEARING_DEFECTS, MachineSpec, PointSpec, Quantity, Refusal

from .judging import AXIAL
from .knowledge import Knowledge
from .scoring import Scored

Place = tuple[str, str, str]
"""(site, machine, point)."""

FEATURE: Final[Mapping[str, int]] = {name: i for i, name in enumerate(NAMES)}
"""Column of each feature in what the extractor gives."""

OF_BEARING: Final = tuple(f"{defect}_modulation" for defect in BEARING_DEFECTS)
OF_GEAR: Final = ("mesh_1x_m_s2",)
OF_IMPELLER: Final = ("vane_pass_mm_s",)
OF_MOTOR: Final = ("twice_supply_mm_s",)
OF_BELT: Final = ("belt_mm_s",)

NO_SHOCKS: Final[frozenset[Refusal]] = frozenset({SPIKES, LOOSE_MOUNT, TILTED})
"""Doubts of a sensor under which only the levels of the shaft are believed: peaks, high bands and envelopes
are the cable's or the mount's, and would raise an alarm of the machine for a fault of its sensor."""

OF_SHAFT: Final = np.array([name.endswith("_mm_s") or name == "band_10_100_m_s2" for name in NAMES])
"""Features (n_features of the catalogue) that hold under such a doubt: velocities, orders, below 100 Hz."""

_VELOCITY: Final = "velocity_rms_mm_s"
_NOMINAL: Final = 1e-6  # the relative difference below which a speed is the one that the plant states


@dataclass(frozen=True, slots=True, eq=False)
class PointModel:
    """What was learned of a point: the version of the machine's baseline that it belongs to, the baseline of
    what is watched, and `levels` (n_channels, n_features of the catalogue), the medians of everything in good
    health, NaN where unknown: what a diagnosis compares with.
    """

    version: int
    channels: tuple[str, ...]
    baseline: Baseline
    levels: npt.NDArray[np.float64]

    def to_text(self) -> str:
        """One line of ASCII, as the records keep it."""
        return encode(to_arrays(self))

    @classmethod
    def from_text(cls, text: str) -> PointModel:
        """What `to_text` wrote. Raises ValueError for anything else."""
        return from_arrays(cls, decode(text))


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """A point under watch: its machine and itself as the plant has them, its acceleration channels, what is
    watched of each, and what it is judged by. Columns are channel by channel.
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

    @property
    def names(self) -> tuple[str, ...]:
        """The columns: "channel/feature"."""
        return _names(self.channels, self.features)

    @property
    def part(self) -> Part:
        """As the detector takes it."""
        baseline = None if self.model is None else self.model.baseline
        return Part(baseline, self.alert, self.danger, self.zoned)

    @property
    def levels(self) -> npt.NDArray[np.float64]:
        """What each column is in good health (c,), NaN where unknown."""
        if self.model is None:
            return np.full(len(self.names), np.nan)
        return self.model.levels[:, [FEATURE[name] for name in self.features]].ravel()


def watched_points(knowledge: Knowledge, models: Mapping[Place, PointModel]) -> tuple[Watched, ...]:
    """Every point of the plant that has an acceleration channel.

    A model of other channels or features is left out: it has to be learned anew.
    """
    site = knowledge.plant.site_id
    found = []
    for machine in knowledge.plant.machines:
        for point in machine.points:
            place = (site, machine.id, point.id)
            one = _watched(place, machine, point, knowledge)
            if one is not None:
                found.append(with_model(one, models.get(place)))
    return tuple(found)


def with_model(one: Watched, model: PointModel | None) -> Watched:
    """The point judged by this model, by the standard's limits alone where there is none that fits."""
    if model is not None and (model.baseline.names != one.names or model.channels != one.channels):
        model = None
    return Watched(
        one.place,
        one.machine,
        one.point,
        one.channels,
        one.features,
        one.alert,
        one.danger,
        one.zoned,
        model,
    )


def features_of(machine: MachineSpec, point: PointSpec, velocity: str = _VELOCITY) -> tuple[str, ...]:
    """What is watched of each channel of a point; `velocity` is what its limits are of."""
    more = (
        *((velocity,) if velocity not in WATCHED and velocity in FEATURE else ()),
        *(OF_BEARING if point.bearing is not None else ()),
        *(OF_GEAR if machine.gears else ()),
        *(OF_IMPELLER if machine.impeller is not None else ()),
        *(OF_MOTOR if machine.motor is not None else ()),
        *(OF_BELT if machine.belt is not None else ()),
    )
    return (*WATCHED, *more)


def measured_hz(machine: MachineSpec, point: PointSpec, shaft_hz: float | None) -> float:
    """The speed of a point's shaft where it was measured, NaN where it is only what the plant states: a
    nominal speed does not tell whether the machine turns, nor what its levels follow.
    """
    if shaft_hz is None or machine.speed_source == "unknown":
        return np.nan if shaft_hz is None else shaft_hz
    nominal = None if machine.speed_rpm is None else machine.speed_rpm / 60 * point.shaft_order
    is_nominal = machine.speed_source == "fixed" and nominal is not None
    return np.nan if is_nominal and abs(shaft_hz - (nominal or 0.0)) <= _NOMINAL * shaft_hz else shaft_hz


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
    rpm = machine.speed_rpm
    velocity = _VELOCITY if limits is None else limits.feature(rpm and rpm / 60 * point.shaft_order)
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
