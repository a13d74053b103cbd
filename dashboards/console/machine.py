"""The machine page as values: which channel is looked at, with which limits, and its newest numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from models.detection.zones import LimitSet
from models.types import MachineSpec, PointSpec, State
from palier.historian.base import HistorianError

from .appearance import URGENT, look_of
from .context import Console
from .live import Board
from .overview import PointMark, Tile
from .series import ChannelRef, Values, channels_of, default_channel, judged_feature, values
from .snapshot import MachineData

Unread = Literal["unread"]
"""In place of what could not be read: that is another thing than nothing."""


class NoSuchMachineError(LookupError):
    """Neither the plant nor the data has it."""


class NoSuchChannelError(LookupError):
    """The machine has no such vibration channel."""


@dataclass(frozen=True, slots=True)
class MachineView:
    """One machine with the channel that is looked at (None where it has no vibration channel at all).

    `spec` and `point` are None for what only the data knows; `limits` are those of the point, None without.
    """

    tile: Tile
    spec: MachineSpec | None
    data: MachineData
    channels: tuple[ChannelRef, ...]
    channel: ChannelRef | None
    point: PointSpec | None
    limits: LimitSet | None
    feature: str
    speed_rpm: float | None

    @property
    def lines(self) -> str | None:
        """The bearing defect whose lines stand out in the channel that is looked at, or None."""
        found = (one.defect for one in self.data.lines if self.channel == ChannelRef(one.point, one.channel))
        return next(found, None)

    def mark(self, point: str) -> PointMark:
        """The mark of a point; of one that only the data has, as *unconfigured*."""
        unknown = PointMark(point, point, look_of(State.UNCONFIGURED))
        return next((mark for mark in self.tile.points if mark.id == point), unknown)


def machine_view(
    console: Console, board: Board, machine: str, wanted: ChannelRef | None = None
) -> MachineView:
    """The view of a machine on a board; a point without a channel's name means its first one.

    Raises NoSuchMachineError or NoSuchChannelError.
    """
    tile = board.overview.tile(machine)
    if tile is None:
        raise NoSuchMachineError(machine)
    spec, data = console.plant.machine(machine), board.snapshot.machines.get(machine, MachineData())
    channels = channels_of(spec, data)
    if wanted is not None and not wanted.channel:
        wanted = next((channel for channel in channels if channel.point == wanted.point), wanted)
    if wanted is not None and wanted not in channels:
        raise NoSuchChannelError(wanted)
    channel = wanted or _leading_channel(tile, channels, data)
    point = spec.point(channel.point) if spec and channel else None
    limits = console.limits.get(point.limits) if point and point.limits else None
    speed = _speed_rpm(data, channel)
    return MachineView(
        tile, spec, data, channels, channel, point, limits, judged_feature(limits, speed), speed
    )


def _leading_channel(tile: Tile, channels: tuple[ChannelRef, ...], data: MachineData) -> ChannelRef | None:
    """What to look at first: of the points in the worst state, where that asks for something, else of all
    points, the channel that shakes most."""
    worst = min((mark.look.order for mark in tile.points if mark.look.word in URGENT), default=None)
    points = {mark.id for mark in tile.points if mark.look.order == worst}
    if not points:
        return default_channel(channels, data)
    rows = tuple(row for row in data.channels if row.point in points)
    mine = tuple(channel for channel in channels if channel.point in points)
    return default_channel(mine, replace(data, channels=rows)) or default_channel(channels, data)


def _speed_rpm(data: MachineData, channel: ChannelRef | None) -> float | None:
    rows = [row for row in data.channels if channel == ChannelRef(row.point, row.channel)]
    return rows[0].speed_rpm if rows else None


async def newest_values(console: Console, machine: str, channel: ChannelRef | None) -> Values | Unread | None:
    """The table of values of a channel; None without one, unread while the historian can't be read."""
    if channel is None:
        return None
    try:
        return await console.ask(
            lambda historian: values(historian, site=console.plant.site_id, machine=machine, channel=channel)
        )
    except HistorianError:  # why is in the page's banner
        return "unread"
