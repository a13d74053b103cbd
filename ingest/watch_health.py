"""The health index of each point, from its watched features: 0-100 by failure mode. Pure.

A point has an index once it has a baseline, and moves at the pace at which blocks count. What a machine's
index is follows from those of its points: the worst.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

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


@dataclass(frozen=True, slots=True)
class Health:
    """The index of each known mode, 0-100, by name."""

    modes: tuple[tuple[str, float], ...] = ()
    complete: bool = False

    @property
    def worst(self) -> tuple[str, float] | None:
        """The mode that the index is of, and the index; None where nothing is known."""
        return min(self.modes, key=lambda one: one[1], default=None)


def together(points: Iterable[Health]) -> Health:
    """The health of a machine: of each mode the worst of its points."""
    worst: dict[str, float] = {}
    complete = True
    for one in points:
        complete = complete and one.complete
        for name, value in one.modes:
            worst[name] = min(value, worst.get(name, value))
    return Health(tuple(worst.items()), complete and bool(worst))


@dataclass(frozen=True, slots=True, eq=False)
class HealthOf:
    """What is remembered of the health of n points with the same columns."""

    state: HealthState
    modes: Modes

    @classmethod
    def start(cls, n: int, names: tuple[str, ...]) -> HealthOf:
        """Before any block."""
        modes = _modes(names)
        return cls(index.start(n, modes), modes)

    def step(self, x: Floats, *, levels: Floats, alert: Floats, danger: Floats, counted: Flags) -> HealthOf:
        """After one block of those that `counted` (n,); all others (n, c): values, levels in good health,
        alert limits, and dangers of the standard.
        """
        if not counted.any():
            return self
        top = np.where(np.isnan(danger), _DANGER_OVER_ALERT * alert, danger)
        told = index.indicator_index(x, levels, alert, top)
        told = np.where(counted[:, None], told, np.nan)
        return HealthOf(index.step(self.state, told, self.modes)[0], self.modes)

    def mended(self, points: Flags) -> HealthOf:
        """Something was done at these points (n,): their index may rise again."""
        unknown = np.full((len(points), len(self.modes.mode_of)), np.nan)
        return HealthOf(index.step(self.state, unknown, self.modes, repaired=points)[0], self.modes)

    def health(self, i: int) -> Health:
        """That of one point."""
        held = self.state.held[i].tolist()
        known = tuple(
            (name, value) for name, value in zip(self.modes.names, held, strict=True) if not math.isnan(value)
        )
        return Health(known, len(known) == len(held))

    def of(self, i: int) -> HealthOf:
        """One point alone."""
        s = self.state
        return HealthOf(
            HealthState(s.held[i : i + 1], s.recent[:, i : i + 1], s.rising[i : i + 1]), self.modes
        )

    def replaced(self, i: int, one: HealthOf) -> HealthOf:
        """With another's state in the place of one point. Raises ValueError for one of other modes."""
        if one.state.held.shape[1] != self.state.held.shape[1]:
            raise ValueError(f"the state must be of {self.state.held.shape[1]} modes")
        held, recent, rising = self.state.held.copy(), self.state.recent.copy(), self.state.rising.copy()
        held[i], recent[:, i], rising[i] = one.state.held[0], one.state.recent[:, 0], one.state.rising[0]
        return HealthOf(HealthState(held, recent, rising), self.modes)

    def rows(self) -> dict[str, npt.NDArray[Any]]:
        """What is remembered, a row a point."""
        s = self.state
        return {"held": s.held, "recent": np.moveaxis(s.recent, 1, 0), "rising": s.rising}

    def from_rows(self, rows: Mapping[str, npt.NDArray[Any]]) -> HealthOf:
        """What `rows` told, of points with the same columns."""
        recent = np.moveaxis(rows["recent"], 0, 1)
        return HealthOf(HealthState(rows["held"], recent, rows["rising"]), self.modes)


@cache
def _modes(names: Sequence[str]) -> Modes:
    mode_of = tuple(_MODE_OF.get(feature_of(name), "vibration") for name in names)
    return Modes(mode_of, tuple(mode in _EARLY for mode in mode_of))
