"""Whether a line is worth a word: how much of the velocity it holds, and what else turns at its order."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from models.features.bands import LEVEL_BANDS_HZ

from .evidence import ChannelEvidence
from .view import PointView

LEAST_SHARE: Final = 0.01
"""A line with less than a hundredth of the velocity's energy, 20 dB below it, is what noise leaves there: it
doubles when the shaft turns a little faster."""

STRONG_SHARE: Final = 0.25
"""A line with a quarter of the energy of the velocity is half of its level."""

OUTGROWN: Final = 2.0
"""A line that rose twice as much as what lies around it is more than a part of that."""

LINE_SHARE: Final = 0.015
"""Half the width of a line, as a share of its frequency: within it another line is part of it."""

FOREIGN_MULTIPLES: Final = 2
"""Another shaft shows at its speed and at twice it; higher harmonics of it are weak here."""

HALVES: Final = ("order_0_5x_mm_s", "order_1_5x_mm_s")
POLES: Final = "pole_pass_mm_s"

OVER_FLOOR: Final = 10.0
"""A line whose power is ten times what the floor alone would put there stands above it (a CFAR of about 1e-4:
the mean of four bins of noise is exceeded five times over less often)."""

_OF_VELOCITY: Final = ("order_", "vane_pass", "belt_", "twice_supply")
_MESH: Final = "mesh_"
_ORDERS: Final[Mapping[str, float]] = MappingProxyType(
    {f"order_{k}x_mm_s": float(k) for k in range(1, 11)} | dict(zip(HALVES, (0.5, 1.5), strict=True))
)


def share_of(view: PointView, channel: ChannelEvidence, features: tuple[str, ...]) -> float:
    """Share of some lines in the energy of a channel's velocity, 0..1; NaN where all of them are unknown."""
    levels = [level for name in features if not np.isnan(level := view.level(channel, name))]
    overall = view.level(channel, view.velocity)
    return min(1.0, sum(v * v for v in levels) / overall**2) if levels and overall > 0 else np.nan


def stands_out(view: PointView, channel: ChannelEvidence, feature: str) -> bool:
    """Whether a line is more than noise in its place; True for what is no line.

    A line of the velocity holds a hundredth of its energy; orders of the shaft and what stands beside them
    are above the floor, where that is known. One of the mesh holds a quarter of what its band has, or rose
    twice as much: a noise that rises fills the place of every line.
    """
    if feature in _ORDERS and view.level(channel, feature) < Floor(view, channel).limit(_ORDERS[feature]):
        return False
    if feature == POLES:  # on both sides of 1x
        return not view.level(channel, POLES) < np.sqrt(2) * Floor(view, channel).limit(1.0)
    if feature.startswith(_OF_VELOCITY):
        return share_of(view, channel, (feature,)) >= LEAST_SHARE
    if feature.startswith(_MESH):
        return any(_out_of(view, channel, feature, band) for band in _bands_of_mesh(view, feature))
    return True


class Floor:
    """What noise would put into a line, from what `synchronous_ratio` leaves between the lines.

    That is spread over 0.2 to 10.5 orders either evenly or, as a white acceleration is, as 1/f²; the higher
    of the two counts. The half orders and the sidebands of the poles are lines, no floor.
    """

    def __init__(self, view: PointView, channel: ChannelEvidence) -> None:
        ratio = view.level(channel, "synchronous_ratio")
        lines = np.array([view.level(channel, f"order_{k}x_mm_s") for k in range(1, 11)])
        halves = np.array([view.level(channel, name) for name in (*HALVES, POLES)])
        self.known = ratio > 0
        rest = float(np.nansum(lines**2)) / ratio if self.known else np.nan
        self._rest = max(0.0, rest - float(np.nansum(halves**2))) if self.known else np.nan
        self._aside = 2 * view.df_hz(channel) / view.shaft_hz

    def limit(self, order: float) -> float:
        """The level in mm/s from which a line stands above the floor."""
        width = 2 * max(LINE_SHARE * order, self._aside)
        density = max(1 / (10.5 - 0.2), 1 / order**2 / (1 / 0.2 - 1 / 10.5))
        return float(np.sqrt(OVER_FLOOR * self._rest * width * density))


def _out_of(view: PointView, channel: ChannelEvidence, feature: str, band: str) -> bool:
    line, around = view.level(channel, feature), view.level(channel, band)
    grown = view.ratio(channel, feature) >= OUTGROWN * view.ratio(channel, band)
    return bool(line**2 >= STRONG_SHARE * around**2 or grown)


def _bands_of_mesh(view: PointView, feature: str) -> set[str]:
    """The bands that hold a harmonic of the mesh of some gear of the machine."""
    times = int(feature.removeprefix(_MESH)[0])
    places = [times * gear.mesh_order * view.machine_hz for gear in view.machine.gears]
    return {
        f"band_{low:.0f}_{high:.0f}_m_s2"
        for low, high in LEVEL_BANDS_HZ
        if any(low <= hz < high for hz in places)
    }


def order_here(view: PointView, order: float) -> float:
    """An order of the machine as one of the shaft at this point."""
    return order / (view.spec.shaft_order if view.spec is not None else 1.0)


def foreign(view: PointView, order: float) -> bool:
    """Whether an order of the point's shaft is that of a belt, or of another shaft of the machine."""
    machine = view.machine
    belt = order_here(view, machine.belt.belt_order) if machine.belt is not None else np.nan
    shafts = {1.0, *(point.shaft_order for point in machine.points)}
    shafts |= {o for gear in machine.gears for o in (gear.shaft_order, gear.driven_order)}
    others = [o for shaft in shafts if abs((o := order_here(view, shaft)) - 1.0) > LINE_SHARE]
    near = [times * o for o in others for times in range(1, FOREIGN_MULTIPLES + 1)]
    return _multiple(order, belt) or any(abs(order - o) < LINE_SHARE * order for o in near)


def is_vane_order(view: PointView, order: int) -> bool:
    """Whether a harmonic of the point's shaft is one of the vanes passing by."""
    impeller = view.machine.impeller
    return impeller is not None and _multiple(float(order), order_here(view, impeller.vane_order))


def _multiple(order: float, of: float) -> bool:
    """Whether an order is once or more times another, within the width of a line; False where that is NaN."""
    times = np.rint(order / of)
    return bool(times >= 1 and abs(order - times * of) < LINE_SHARE * order)
