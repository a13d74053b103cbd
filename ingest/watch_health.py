"""The health index of each point, from its watched features: 0-100 by failure mode. Pure.

A point has an index once it has a baseline, and moves at the pace at which blocks count. What a machine's
index is follows from those of its points: the worst.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from operator import itemgetter
from typing import Final

import numpy as np
import numpy.typing as npt

from models.detection.bands import ALERT_RATIO, DANGER_RATIO
from models.detection.measured import feature_of
from models.diagnosis import health as index
from models.diagnosis.health import HealthState, Modes
from models.types import BEARING_DEFECTS

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_MODES: Final = {
    "vibration": ("velocity_rms_mm_s", "velocity_rms_low_mm_s"),
    "shaft": ("band_10_100_m_s2", "order_1x_mm_s", "order_2x_mm_s"),
    "high_frequency": (
        "acceleration_rms_m_s2",
        "band_1000_2500_m_s2",
        "band_2500_5000_m_s2",
        "band_5000_10000_m_s2",
    ),
    "shocks": ("crest_factor", "kurtosis", "envelope_rms_m_s2", "envelope_modulation"),
    "bearing": tuple(f"{defect}_modulation" for defect in BEARING_DEFECTS),
    "gear": ("mesh_1x_m_s2",),
    "vanes": ("vane_pass_mm_s",),
}
_MODE_OF: Final = {feature: mode for mode, features in _MODES.items() for feature in features}
_EARLY: Final = frozenset({"shocks", "bearing"})
"""What is seen weeks to months before an end."""

MODES: Final = tuple(_MODES)
"""Failure modes that an index may be of; a locale must have a word for each."""

_DANGER_OVER_ALERT: Final = DANGER_RATIO / ALERT_RATIO
"""How far above its alert the danger of a feature without zones is."""


_INDEX: Final = itemgetter(1)


@dataclass(frozen=True, slots=True)
class Health:
    """The index of each known mode, 0-100, by name."""

    modes: tuple[tuple[str, float], ...] = ()
    complete: bool = False

    @property
    def worst(self) -> tuple[str, float] | None:
        """The mode that the index is of, and the index; None where nothing is known."""
        return min(self.modes, key=_INDEX, default=None)


NO_HEALTH: Final = Health()
"""Of a point that has none yet."""


def together(points: Iterable[Health]) -> Health:
    """The health of a machine: of each mode the worst of its points."""
    worst: dict[str, float] = {}
    complete = True
    for one in points:
        complete = complete and one.complete
        for name, value in one.modes:
            if value < worst.get(name, math.inf):
                worst[name] = value
    return Health(tuple(worst.items()), complete and bool(worst))


@dataclass(frozen=True, slots=True, eq=False)
class HealthOf:
    """What is remembered of the health of n points with the same columns."""

    state: HealthState
    modes: Modes

    @classmethod
    def of(cls, state: HealthState, names: tuple[str, ...]) -> HealthOf:
        """What was remembered."""
        return cls(state, _modes(names))

    @classmethod
    def start(cls, n: int, names: tuple[str, ...]) -> HealthOf:
        """Before any block."""
        modes = _modes(names)
        return cls(index.start(n, modes), modes)

    def step(self, x: Floats, *, levels: Floats, alert: Floats, danger: Floats, counted: Flags) -> HealthOf:
        """After one block of those that `counted` (n,); all others (n, c): values, levels in good health,
        alert limits, and dangers of the standard.
        """
        if not counted.any() or np.isnan(levels).all():
            return self
        top = np.where(np.isnan(danger), _DANGER_OVER_ALERT * alert, danger)
        told = index.indicator_index(x, levels, alert, top)
        if not counted.all():
            told[~counted] = np.nan
        return HealthOf(index.advance(self.state, told, self.modes), self.modes)

    def mended(self) -> HealthOf:
        """Something was done at these points: their index may rise again."""
        unknown = np.full((len(self.state.held), len(self.modes.mode_of)), np.nan)
        return HealthOf(index.advance(self.state, unknown, self.modes, repaired=True), self.modes)

    def held(self, told: Mapping[str, float]) -> HealthOf:
        """With this index of each mode at all of these points, unknown of others; it was no repair."""
        each = [told.get(name, np.nan) for name in self.modes.names]
        held = np.broadcast_to(each, self.state.held.shape).copy()
        return replace(self, state=replace(self.state, held=held, rising=np.zeros_like(self.state.rising)))

    def told(self) -> list[Health]:
        """That of each point."""
        names = self.modes.names
        return [_health(names, held) for held in self.state.held.tolist()]


def _health(names: tuple[str, ...], held: list[float]) -> Health:
    known = tuple(one for one in zip(names, held, strict=True) if one[1] == one[1])  # it is not NaN
    return Health(known, len(known) == len(held))


@cache
def _modes(names: Sequence[str]) -> Modes:
    mode_of = tuple(_MODE_OF.get(feature_of(name), "vibration") for name in names)
    return Modes(mode_of, tuple(mode in _EARLY for mode in mode_of))
