"""The synoptic of a machine: where its points stand on a simple drawing of its kind. Pure geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .overview import PointMark
from .series import ChannelRef

WIDTH: Final = 640
SHAFT_Y: Final = 150
FIRST_X: Final = 70
LAST_X: Final = 570
"""Ends of the drive train along which points stand, from the driver's free end to the last bearing."""

MOST_LABEL: Final = 7
"""Characters of a point's id in the drawing; all of it stands in its title and in the list below."""

DRAWN: Final = ("pump", "fan", "motor", "gearmotor", "gearbox", "compressor", "spindle")
"""Kinds that have a drawing of their own (`_machine_kinds.html`); others are a block on a shaft."""

_DRIVEN: Final = {
    "pump": (300, 405),
    "fan": (300, 410),
    "gearbox": (285, 390),
    "compressor": (285, 500),
    "spindle": (420, 250),
}
"""Where the two bearings of the driven machine are, coupling side first: a machine with one or two points is
measured there. A spindle's first bearing is that of the tool."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A point on the drawing: its mark, the channel that a click looks at (None: it has none), its place
    along the shaft, its short label, and whether it is the one looked at."""

    mark: PointMark
    channel: ChannelRef | None
    x: int
    label: str
    selected: bool = False


def kind_drawn(kind: str) -> str:
    """The drawing for a kind of machine."""
    return kind if kind in DRAWN else "machine"


def spots(
    kind: str, marks: Sequence[PointMark], channels: Sequence[ChannelRef], chosen: ChannelRef | None
) -> tuple[Spot, ...]:
    """The points of a machine on its drawing, in the order of the plant."""
    first = {ref.point: ref for ref in reversed(channels)}
    return tuple(
        Spot(mark, first.get(mark.id), x, _short(mark.id), chosen is not None and chosen.point == mark.id)
        for mark, x in zip(marks, _places(kind, len(marks)), strict=True)
    )


def _places(kind: str, n: int) -> tuple[int, ...]:
    """Where n points stand along the shaft."""
    if n <= 2 and kind in _DRIVEN:
        return _DRIVEN[kind][:n]
    if n == 1:
        return ((FIRST_X + LAST_X) // 2,)
    return tuple(FIRST_X + (LAST_X - FIRST_X) * k // max(n - 1, 1) for k in range(n))


def _short(name: str) -> str:
    return name if len(name) <= MOST_LABEL else name[: MOST_LABEL - 1] + "…"
