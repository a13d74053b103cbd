"""The synoptic of a machine: where its points stand on a simple drawing of its kind. Pure geometry."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from models.types import MachineSpec, PointSpec

from .overview import PointMark
from .series import ChannelRef

WIDTH: Final = 640
SHAFT_Y: Final = 150
FIRST_X: Final = 70
LAST_X: Final = 570
"""Ends of the drive train along which points stand, from the driver's free end to the last bearing."""

PLATE: Final = 76
"""Width that a point's plate needs; plates of points that stand closer are moved apart."""

MOST_LABEL: Final = 7
"""Characters of a point's id in the drawing; all of it stands in its title and in the list below."""

DRAWN: Final = ("pump", "fan", "motor", "gearmotor", "gearbox", "compressor", "spindle")
"""Kinds that have a drawing of their own (`_machine_kinds.html`); others are a block on a shaft."""

GEARED: Final = ("gearmotor", "gearbox")

_DRIVEN: Final = {
    "pump": (300, 405),
    "fan": (300, 410),
    "gearbox": (285, 390),
    "compressor": (285, 500),
    "spindle": (420, 250),
}
"""Where the two bearings of the driven machine are, driven side first: a machine with one or two points is
measured there. A spindle's first bearing is that of the tool."""

_MOTOR: Final = (62, 160)
_BELT_MOTOR: Final = (34, 112)
"""The two bearings of the motor, and those of one that stands beside a belt drive."""

_SHAFTS: Final = {2: (308, 374), 3: (288, 336, 394)}
"""The shafts of a gearbox of one and of two stages, as `_machine_kinds.html` draws them."""

_SAME: Final = 0.02
"""How far a point's order may lie from that of a shaft, as a share, to be on it: orders are told rounded."""

_ASIDE: Final = 22
"""Distance between points of one shaft."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn: the kind, whether a belt drives it (else a coupling), how many gear stages it has."""

    kind: str
    belt: bool = False
    stages: int = 1


@dataclass(frozen=True, slots=True)
class Spot:
    """A point on the drawing: its mark, the channel that a click looks at (None: it has none), its place
    along the shaft, that of its plate, its short label, and whether it is the one looked at."""

    mark: PointMark
    channel: ChannelRef | None
    x: int
    label: str
    plate_x: int
    selected: bool = False


def drawing_of(kind: str, spec: MachineSpec | None) -> Drawing:
    """The drawing of a machine of this kind; `spec` is None for one that the plant does not describe."""
    drawn = kind if kind in DRAWN else "machine"
    if spec is None:
        return Drawing(drawn)
    return Drawing(drawn, spec.belt is not None and drawn not in ("motor", "spindle"), _stages(spec))


def spots(
    kind: str,
    marks: Sequence[PointMark],
    channels: Sequence[ChannelRef],
    chosen: ChannelRef | None,
    spec: MachineSpec | None = None,
) -> tuple[Spot, ...]:
    """The points of a machine on its drawing, in the order of the plant."""
    first = {ref.point: ref for ref in reversed(channels)}
    places = _places(kind, marks, spec)
    return tuple(
        Spot(
            mark,
            first.get(mark.id),
            x,
            _short(mark.id),
            plate,
            chosen is not None and chosen.point == mark.id,
        )
        for mark, x, plate in zip(marks, places, _apart(places), strict=True)
    )


def _places(kind: str, marks: Sequence[PointMark], spec: MachineSpec | None) -> tuple[int, ...]:
    """Where the points stand along the shaft, as far as the plant tells on which shaft they are."""
    points = [spec.point(mark.id) for mark in marks] if spec else []
    told = [point for point in points if point is not None]
    if spec is None or not told or len(told) < len(marks):
        return _along(kind, len(marks))
    if spec.belt is not None:
        return _over_belt(kind, told, spec)
    if kind in GEARED and spec.gears:
        return _on_gears(kind, told, spec)
    return _along(kind, len(marks))


def _along(kind: str, n: int) -> tuple[int, ...]:
    """Where n points stand of whose shafts nobody knows."""
    if n <= 2 and kind in _DRIVEN:
        return _DRIVEN[kind][:n]
    if n == 4 and kind in _DRIVEN and kind != "spindle":  # numbered from the driver's free end
        return (*_MOTOR, *_DRIVEN[kind])
    if n == 1:
        return ((FIRST_X + LAST_X) // 2,)
    return _spread(n, FIRST_X, LAST_X)


def _spread(n: int, first: int, last: int) -> tuple[int, ...]:
    return tuple(first + (last - first) * k // max(n - 1, 1) for k in range(n))


def _over_belt(kind: str, points: Sequence[PointSpec], spec: MachineSpec) -> tuple[int, ...]:
    """Points on the motor's shaft stand on the motor, the others on the machine that the belt drives."""
    motor = spec.motor.shaft_order if spec.motor else 1.0
    on_motor = [not _is(point, 1.0) and _is(point, motor) for point in points]
    rest = len(points) - sum(on_motor)
    driven = iter(_along(kind, rest) if rest <= 2 and kind in _DRIVEN else _spread(rest, 300, LAST_X))
    driving = iter(_spread(sum(on_motor), *_BELT_MOTOR))
    return tuple(next(driving) if motor_side else next(driven) for motor_side in on_motor)


def _on_gears(kind: str, points: Sequence[PointSpec], spec: MachineSpec) -> tuple[int, ...]:
    """Each point on the shaft of its order; of a gearmotor's first shaft the last point is the gearbox's
    input, those before it are on the motor."""
    orders = _shaft_orders(spec)
    at = _SHAFTS.get(len(orders)) or _spread(len(orders), 280, 430)
    shafts = [min(range(len(orders)), key=lambda k: _far(point, orders[k])) for point in points]
    before = max(shafts.count(0) - 1, 0) if kind == "gearmotor" else 0
    driving, seen, places = iter(_spread(before, *_MOTOR)), Counter[int](), []
    many = Counter(shafts) - Counter({0: before})
    for shaft in shafts:
        motor_side = next(driving, None) if shaft == 0 else None
        aside = round((seen[shaft] - (many[shaft] - 1) / 2) * _ASIDE)
        places.append(at[shaft] + aside if motor_side is None else motor_side)
        seen[shaft] += motor_side is None
    return tuple(places)


def _shaft_orders(spec: MachineSpec) -> tuple[float, ...]:
    """The shafts of a gear train from its input, in multiples of the machine's speed."""
    orders = [order for gear in spec.gears for order in (gear.shaft_order, gear.driven_order)]
    kept: list[float] = []
    for order in orders:
        if not any(math.isclose(order, one, rel_tol=_SAME) for one in kept):
            kept.append(order)
    return tuple(kept)


def _stages(spec: MachineSpec) -> int:
    return max(len(_shaft_orders(spec)) - 1, 1)


def _is(point: PointSpec, order: float) -> bool:
    return math.isclose(point.shaft_order, order, rel_tol=_SAME)


def _far(point: PointSpec, order: float) -> float:
    return abs(math.log(point.shaft_order / order))


def _apart(places: Sequence[int]) -> tuple[int, ...]:
    """Where the plates hang: over their points, moved aside only as far as they would cover each other."""
    if len(places) * PLATE > WIDTH:
        return tuple(places)
    plates, right = list(places), WIDTH - PLATE // 2
    order = sorted(range(len(places)), key=lambda i: places[i])
    for i in reversed(order):
        plates[i] = right = min(plates[i], right)
        right -= PLATE
    left = PLATE // 2
    for i in order:
        plates[i] = left = max(plates[i], left)
        left += PLATE
    return tuple(plates)


def _short(name: str) -> str:
    return name if len(name) <= MOST_LABEL else name[: MOST_LABEL - 1] + "…"
