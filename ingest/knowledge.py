"""What the host knows of the machines it judges: the plant, and the limits that its points name."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Final

from models.detection.zones import STANDSTILL_RPM, LimitSet
from models.types import MachineSpec, PointSpec, Quantity
from palier.frames import QUALITY_GOOD, Readings, Waveform
from palier.plant import Plant

TEMPERATURE_LIMITS: Final = "temperature:bearing:grease"
"""What a bearing housing's temperature is judged by: practice, for there is no zone standard."""

SPINDLE_LIMITS: Final = "temperature:spindle:grease"
"""A spindle's bearings run cool, and their preload does not forgive."""

SPEED_AGE_S: Final = 180.0
"""A reading of the speed older than this says nothing of a block: readings come once a minute, three may be
missed."""

SPEEDS_KEPT: Final = 200
"""Readings kept of each channel, live and late ones: blocks that arrive late find the speed of their time."""

SPEED_UNITS: Final = ("r/min", "unknown")
"""What a speed channel is in; a gateway that does not know its unit is believed to follow the plant."""


class Knowledge:
    """Looks machines, points and limits up. Machines of other sites than the plant's are not configured."""

    def __init__(self, plant: Plant, limits: Mapping[str, LimitSet]) -> None:
        self.plant = plant
        self._limits = limits
        self._machines = {machine.id: machine for machine in plant.machines}
        self._points = {(m.id, point.id): point for m in plant.machines for point in m.points}

    def machine(self, site: str, machine: str) -> MachineSpec | None:
        """The machine, None where it is not configured."""
        return self._machines.get(machine) if site == self.plant.site_id else None

    def point(self, site: str, machine: str, point: str) -> PointSpec | None:
        """The point, None where it is not configured."""
        return self._points.get((machine, point)) if site == self.plant.site_id else None

    def block_shapes(self) -> tuple[tuple[float, int], ...]:
        """(rate in Hz, samples) of the blocks that the plant expects, each once."""
        channels = [c for m in self.plant.machines for point in m.points for c in point.channels]
        shapes = ((c.fs_hz, c.n_samples) for c in channels)
        return tuple(dict.fromkeys((fs, n) for fs, n in shapes if fs is not None and n is not None))

    def limits(self, limits_id: str | None) -> LimitSet | None:
        """The limit set of that name; None where a point has none, and so can't be judged by a standard."""
        return None if limits_id is None else self._limits.get(limits_id)

    def temperature_limits(self, site: str, machine: str) -> LimitSet | None:
        """What the bearing housings of a machine are judged by."""
        spec = self.machine(site, machine)
        is_spindle = spec is not None and spec.kind == "spindle"
        return self._limits.get(SPINDLE_LIMITS if is_spindle else TEMPERATURE_LIMITS)


class Speeds:
    """The last readings of each machine's speed, load and temperatures, for blocks of the same time."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._readings: dict[tuple[str, str, str, bool], deque[tuple[int, float]]] = {}
        self._units = {m.id: _slow_units(m) for m in knowledge.plant.machines}
        self._load = {m.id: _load_channel(m) for m in knowledge.plant.machines}
        self._housing = {(m.id, p.id): _housing(p) for m in knowledge.plant.machines for p in m.points}

    def take(self, site: str, readings: Readings, *, live: bool = True) -> None:
        """Keep what these readings say of their machine; not in another unit, nor of bad quality. Those that
        came late are kept apart: a backlog must not push out the speed of now.
        """
        if self._knowledge.machine(site, readings.machine) is None:
            return
        units = self._units[readings.machine]
        for place, channel in enumerate(readings.channels):
            good = readings.quality[place] == QUALITY_GOOD
            if good and readings.unit[place] in units.get(channel, ()):
                series = (site, readings.machine, channel, live)
                kept = self._readings.setdefault(series, deque(maxlen=SPEEDS_KEPT))
                told = zip(readings.times_ns.tolist(), readings.values[place].tolist(), strict=True)
                kept.extend((t, v) for t, v in told if math.isfinite(v))

    def machine_rpm(self, site: str, block: Waveform) -> float | None:
        """The speed of the machine during a block, None if unknown. What was measured with the block wins: a
        machine of fixed speed stands still at times. Else it is the fixed speed, or one read shortly before.
        """
        if block.speed_rpm is not None:
            return block.speed_rpm
        spec = self._knowledge.machine(site, block.machine)
        if spec is None:
            return None
        if spec.speed_source == "fixed":
            return spec.speed_rpm
        return self._last_read(site, block, spec.speed_channel) if spec.speed_source == "reading" else None

    def shaft_hz(self, site: str, block: Waveform) -> float | None:
        """The speed of the point's own shaft, 0.0 at standstill, None if unknown."""
        rpm = self.machine_rpm(site, block)
        if rpm is None:
            return None
        if abs(rpm) < STANDSTILL_RPM:
            return 0.0
        point = self._knowledge.point(site, block.machine, block.point)
        return abs(rpm) / 60 * (point.shaft_order if point else 1.0)

    def load_percent(self, site: str, block: Waveform) -> float:
        """How hard the machine worked during a block, NaN if unknown; what came with the block wins."""
        if block.load_percent is not None:
            return block.load_percent
        return self._known(site, block, self._load.get(block.machine))

    def temperature_c(self, site: str, block: Waveform) -> float:
        """How warm the point's housing was during a block, NaN if unknown."""
        return self._known(site, block, self._housing.get((block.machine, block.point)))

    def _known(self, site: str, block: Waveform, channel: str | None) -> float:
        found = None if channel is None else self._last_read(site, block, channel)
        return math.nan if found is None else found

    def _last_read(self, site: str, block: Waveform, channel: str | None) -> float | None:
        """The reading nearest to the block within the age that still counts."""
        series = (site, block.machine, channel or "")
        kept = [told for live in (True, False) for told in self._readings.get((*series, live), ())]
        if not kept:
            return None
        at, rpm = min(kept, key=lambda reading: abs(reading[0] - block.start_ns))
        return rpm if abs(at - block.start_ns) <= SPEED_AGE_S * 1e9 else None


def _slow_units(machine: MachineSpec) -> dict[str, tuple[str, ...]]:
    """The channels ("POINT/CHANNEL") that are kept, with the units that are believed: a gateway that does not
    know a unit follows the plant.
    """
    kept: dict[str, tuple[str, ...]] = {
        f"{point.id}/{channel.id}": (channel.unit, "unknown")
        for point in machine.points
        for channel in point.channels
        if channel.quantity in (Quantity.LOAD, Quantity.TEMPERATURE)
    }
    return kept if machine.speed_channel is None else {**kept, machine.speed_channel: SPEED_UNITS}


def _load_channel(machine: MachineSpec) -> str | None:
    loads = (f"{p.id}/{c.id}" for p in machine.points for c in p.channels if c.quantity is Quantity.LOAD)
    return next(loads, None)


def _housing(point: PointSpec) -> str | None:
    """The temperature of a bearing's housing; of a point without a bearing nobody knows what it is of."""
    if point.bearing is None:
        return None
    warm = (f"{point.id}/{c.id}" for c in point.channels if c.quantity is Quantity.TEMPERATURE)
    return next(warm, None)
