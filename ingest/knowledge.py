"""What the host knows of the machines it judges: the plant, and the limits that its points name."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Final

from models.detection.sensors import STUCK
from models.detection.slow_signals import Steadiness
from models.detection.temperature_sensors import broken_wire
from models.detection.zones import STANDSTILL_RPM, LimitSet
from models.types import MachineSpec, PointSpec, Quantity, Refusal, is_ambient
from palier.frames import QUALITY_GOOD, Readings
from palier.plant import Plant
from palier.wire.danger import SUFFIX

from .batch import Block

TEMPERATURE_LIMITS: Final = "temperature:bearing:grease"
"""What a bearing housing's temperature is judged by: practice, for there is no zone standard."""

SPINDLE_LIMITS: Final = "temperature:spindle:grease"
"""A spindle's bearings run cool, and their preload does not forgive."""

SPEED_AGE_S: Final = 180.0
"""A reading of the speed older than this says nothing of a block: readings come once a minute, three may be
missed."""

SPEEDS_KEPT: Final = 200
"""Readings kept of each channel, live and late ones: blocks that arrive late find the speed of their time."""

HOLD_S: Final = 86_400.0
"""A value that is in force until the next one says nothing after a day: who tells what changes has told by
then, or was asked."""

SPEED_UNITS: Final = ("r/min", "unknown")
"""What a speed channel is in; a gateway that does not know its unit is believed to follow the plant."""


class Knowledge:
    """Looks machines, points and limits up. Machines of other sites than the plant's are not configured."""

    def __init__(self, plant: Plant, limits: Mapping[str, LimitSet]) -> None:
        self.plant = plant
        self._limits = limits
        self._machines = {machine.id: machine for machine in plant.machines}
        self._points = {(m.id, point.id): point for m in plant.machines for point in m.points}
        self._channels = {
            (machine, point, channel.id)
            for (machine, point), spec in self._points.items()
            for channel in spec.channels
        }

    def machine(self, site: str, machine: str) -> MachineSpec | None:
        """The machine, None where it is not configured."""
        return self._machines.get(machine) if site == self.plant.site_id else None

    def point(self, site: str, machine: str, point: str) -> PointSpec | None:
        """The point, None where it is not configured."""
        return self._points.get((machine, point)) if site == self.plant.site_id else None

    def has_channel(self, site: str, machine: str, point: str, channel: str) -> bool:
        """Whether the plant knows this channel, or the one that it is the velocity of."""
        of = channel.removesuffix(SUFFIX)
        return site == self.plant.site_id and not self._channels.isdisjoint(
            ((machine, point, channel), (machine, point, of))
        )

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
        self._held: dict[tuple[str, str, str], deque[tuple[int, float]]] = {}
        self._steady: dict[tuple[str, str, str], Steadiness] = {}
        self._units = {m.id: _slow_units(m) for m in knowledge.plant.machines}
        self._load = {m.id: _load_channel(m) for m in knowledge.plant.machines}
        self._air = {m.id: ambient_of(m) for m in knowledge.plant.machines}
        self._housing = {(m.id, p.id): housing_of(p) for m in knowledge.plant.machines for p in m.points}

    def take(self, site: str, readings: Readings, *, live: bool = True, hold: bool = False) -> None:
        """Keep what these readings say of their machine; not in another unit, nor of bad quality. Those that
        came late are kept apart: a backlog must not push out the speed of now. Those that `hold` are in force
        until the next ones, bad ones included.
        """
        if self._knowledge.machine(site, readings.machine) is None:
            return
        if hold:
            self._hold(site, readings)
        units = self._units[readings.machine]
        for place, channel in enumerate(readings.channels):
            good = readings.quality[place] == QUALITY_GOOD
            if good and readings.unit[place] in units.get(channel, ()):
                series = (site, readings.machine, channel, live)
                kept = self._readings.setdefault(series, deque(maxlen=SPEEDS_KEPT))
                told = zip(readings.times_ns.tolist(), readings.values[place].tolist(), strict=True)
                known = [(t, v) for t, v in told if math.isfinite(v)]
                kept.extend(known)
                if live:
                    self._hear((site, readings.machine, channel), known)

    def _hold(self, site: str, readings: Readings) -> None:
        units = self._units[readings.machine]
        for place, channel in enumerate(readings.channels):
            if readings.unit[place] not in units.get(channel, ()):
                continue
            good = readings.quality[place] == QUALITY_GOOD
            told = zip(readings.times_ns.tolist(), readings.values[place].tolist(), strict=True)
            kept = self._held.setdefault((site, readings.machine, channel), deque(maxlen=SPEEDS_KEPT))
            kept.extend((t, v if good else math.nan) for t, v in told)

    def holds(self, site: str, machine: str, channel: str, at_ns: int) -> bool:
        """Whether a value of a node that tells what changes may be in force then: not where it had ended."""
        if channel not in self._units.get(machine, {}):
            return False
        in_force = self._in_force((site, machine, channel), at_ns)
        return in_force is None or not math.isnan(in_force)

    def machine_rpm(self, site: str, block: Block) -> float | None:
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

    def shaft_hz(self, site: str, block: Block) -> float | None:
        """The speed of the point's own shaft, 0.0 at standstill, None if unknown."""
        rpm = self.machine_rpm(site, block)
        if rpm is None:
            return None
        if abs(rpm) < STANDSTILL_RPM:
            return 0.0
        point = self._knowledge.point(site, block.machine, block.point)
        return abs(rpm) / 60 * (point.shaft_order if point else 1.0)

    def load_percent(self, site: str, block: Block) -> float:
        """How hard the machine worked during a block, NaN if unknown, or if its transmitter is stuck; what
        came with the block wins.
        """
        if block.load_percent is not None:
            return block.load_percent
        channel = self._load.get(block.machine)
        return math.nan if self._is_stuck(site, block, channel) else self._known(site, block, channel)

    def temperature_c(self, site: str, block: Block) -> float:
        """How warm the point's housing was during a block, NaN if unknown, or if its wire is broken, or it is
        stuck.
        """
        channel = self._housing.get((block.machine, block.point))
        value = self._known(site, block, channel)
        return math.nan if broken_wire(value) or self._is_stuck(site, block, channel) else value

    def stuck(self, site: str, block: Block) -> tuple[tuple[str, Refusal], ...]:
        """The slow channels ("POINT/CHANNEL") that belong to a block and tell nothing any more, and why."""
        load = None if block.load_percent is not None else self._load.get(block.machine)
        mine = (load, self._housing.get((block.machine, block.point)))
        return tuple((channel, STUCK) for channel in mine if channel and self._is_stuck(site, block, channel))

    def ambient_c(self, site: str, block: Block) -> float:
        """How warm the air beside the machine was during a block, NaN if unknown."""
        return self._known(site, block, self._air.get(block.machine))

    def _hear(self, series: tuple[str, str, str], readings: list[tuple[int, float]]) -> None:
        for t, value in readings:
            before = self._steady.get(series)
            at_s = t / 1e9
            self._steady[series] = Steadiness(value, at_s) if before is None else before.heard(at_s, value)

    def _is_stuck(self, site: str, block: Block, channel: str | None) -> bool:
        told = self._steady.get((site, block.machine, channel or ""))
        return told is not None and told.is_stuck(block.start_ns / 1e9)

    def _known(self, site: str, block: Block, channel: str | None) -> float:
        found = None if channel is None else self._last_read(site, block, channel)
        return math.nan if found is None else found

    def _last_read(self, site: str, block: Block, channel: str | None) -> float | None:
        """The reading nearest to the block within the age that still counts."""
        series = (site, block.machine, channel or "")
        in_force = self._in_force(series, block.start_ns)
        if in_force is not None:
            return None if math.isnan(in_force) else in_force
        kept = [told for live in (True, False) for told in self._readings.get((*series, live), ())]
        if not kept:
            return None
        at, rpm = min(kept, key=lambda reading: abs(reading[0] - block.start_ns))
        return rpm if abs(at - block.start_ns) <= SPEED_AGE_S * 1e9 else None

    def _in_force(self, series: tuple[str, str, str], at_ns: int) -> float | None:
        """The value that was in force then, NaN where it had ended; None where nobody told of it before."""
        before = [told for told in self._held.get(series, ()) if told[0] <= at_ns]
        if not before:
            return None
        since_ns, value = max(reversed(before), key=lambda told: told[0])  # of two at one time the later word
        return value if at_ns - since_ns <= HOLD_S * 1e9 else math.nan


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


def ambient_of(machine: MachineSpec) -> str | None:
    """The channel ("POINT/CHANNEL") of the air beside a machine, None where nobody measures it."""
    air = (
        f"{point.id}/{channel.id}"
        for point in machine.points
        for channel in point.channels
        if channel.quantity is Quantity.TEMPERATURE and is_ambient(point.id, channel.id)
    )
    return next(air, None)


def housing_of(point: PointSpec) -> str | None:
    """The channel ("POINT/CHANNEL") of a bearing's housing; of a point without a bearing nobody knows what a
    temperature is of.
    """
    if point.bearing is None:
        return None
    warm = (
        f"{point.id}/{c.id}"
        for c in point.channels
        if c.quantity is Quantity.TEMPERATURE and not is_ambient(point.id, c.id)
    )
    return next(warm, None)
