"""What one block, or one reading, says: the zone of each channel and the judgement of its point. Pure.

Rules:
1. A point is judged by its highest radial channel, and by its axial ones only where it has no radial one
   (ISO 20816-3: axial vibration is no criterion except at thrust bearings).
2. A channel that may not be judged (clipped, stuck, no unit) makes its point unknown, with reason and remedy,
   unless another channel of the point can be judged in its place.
3. A bearing housing is judged by its temperature too, by absolute limits.
4. A danger reading is judged by the same limits and channels as the blocks of its point, for its alarm alone.
5. Machines and points that the plant does not know are *unconfigured*: stored, never judged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.detection.temperature_sensors import broken_wire
from models.detection.zones import Judgement, LimitSet, judge, unknown, worst_of
from models.features.catalogue import NAMES
from models.types import ChannelSpec, PointSpec, Quantity, Refusal, State, is_ambient
from palier.frames import QUALITY_GOOD, Readings, split_channel
from palier.wire.danger import VELOCITY_UNIT, channel_of

from .batch import WorkFrame
from .knowledge import Knowledge
from .scoring import UNKNOWN, Scored

AXIAL: Final = "A"
UNCONFIGURED: Final = Judgement(State.UNCONFIGURED, reason="not_in_plant", remedy="add_to_plant")
NO_CHANNEL: Final = Refusal("no_vibration_channel", "add_to_plant")

_COLUMN: Final = {name: i for i, name in enumerate(NAMES)}
CRITERION: Final = "velocity_rms_mm_s"
"""What danger readings are: limits of another quantity do not judge them."""

_VELOCITY: Final = _COLUMN[CRITERION]


@dataclass(frozen=True, slots=True, eq=False)
class Assessed:
    """A scored block, what it says of its point, and the zone of each of its channels (None: no zone)."""

    scored: Scored
    said: Judgement
    zones: tuple[str | None, ...]

    @property
    def work(self) -> WorkFrame:
        """The frame that the block came in."""
        return self.scored.work


def assess(entry: Scored, knowledge: Knowledge) -> Assessed:
    """What a block says of its point, and the zones of its channels."""
    block = entry.block
    point = knowledge.point(entry.work.site, block.machine, block.point)
    if point is None:
        return Assessed(entry, UNCONFIGURED, (None,) * len(block.channels))
    limits = knowledge.limits(point.limits)
    judgements = [_judge_channel(entry, c, limits) for c in range(len(block.channels))]
    criterion = [judgements[c] for c in _criterion(point, block.channels)]
    judged = [said for said in criterion if said.state is not State.UNKNOWN]
    said = worst_of(judged or criterion) if criterion else unknown(NO_CHANNEL, limits)
    return Assessed(entry, said, tuple(judgement.zone for judgement in judgements))


def judge_temperatures(
    site: str, readings: Readings, knowledge: Knowledge
) -> Iterator[tuple[str, Judgement, int]]:
    """(point, judgement, time) of the last temperature of each bearing housing among these readings.

    The air beside the machine is no housing. A temperature of bad quality says nothing, as a missing one. One
    in another unit than the plant's is refused: 313 K is no hot bearing. So is what only a broken wire reads.
    """
    limits = knowledge.temperature_limits(site, readings.machine)
    for c, name in enumerate(readings.channels):
        point_id, channel_id = split_channel(name)
        point = knowledge.point(site, readings.machine, point_id)
        known = np.flatnonzero(np.isfinite(readings.values[c]))
        if limits is None or point is None or point.bearing is None or not known.size:
            continue
        if is_ambient(point_id, channel_id):
            continue
        spec = next((s for s in point.channels if s.id == channel_id), None)
        if spec is None or spec.quantity is not Quantity.TEMPERATURE or readings.quality[c] != QUALITY_GOOD:
            continue
        last = known[-1]
        value = float(readings.values[c, last])
        unit = spec.unit if readings.unit[c] in (UNKNOWN, spec.unit) else UNKNOWN
        broken = broken_wire(value) if unit == spec.unit else None
        said = judge(value, limits, unit=unit) if broken is None else unknown(broken, limits)
        yield point_id, said, int(readings.times_ns[last])


def judge_velocities(
    site: str, readings: Readings, knowledge: Knowledge
) -> Iterator[tuple[str, Judgement, int, str]]:
    """(point, judgement, time, sensor) of each danger reading: of a point's channels in one table, which are
    one sensor's, the worst speaks, by rule 1. The sensor is called by the first of them, whatever it says.

    Their band begins at 10 Hz, so that of a slow machine, which is judged from 2 Hz on, they hold a part:
    they may be a danger all the same. What is of bad quality, or in another unit, says nothing; without
    limits nobody can say.
    """
    worst: dict[tuple[str, int], Judgement] = {}
    sensors: dict[str, str] = {}
    for c, name in enumerate(readings.channels):
        of = channel_of(name)
        if of is None:
            continue
        point_id, channel_id = split_channel(of)
        point = knowledge.point(site, readings.machine, point_id)
        limits = None if point is None else knowledge.limits(point.limits)
        if point is None or limits is None or channel_id not in criterion_channels(point):
            continue
        sensors.setdefault(point_id, channel_id)
        if limits.quantity != CRITERION or readings.unit[c] != VELOCITY_UNIT:
            continue
        if readings.quality[c] != QUALITY_GOOD:
            continue
        for t, value in zip(readings.times_ns.tolist(), readings.values[c].tolist(), strict=True):
            if math.isfinite(value):
                said, before = judge(value, limits), worst.get((point_id, t))
                worst[point_id, t] = said if before is None else worst_of((before, said))
    for (point_id, t), said in sorted(worst.items(), key=lambda item: item[0][1]):
        yield point_id, said, t, sensors[point_id]


def criterion_channels(point: PointSpec) -> tuple[str, ...]:
    """The channels that a point is judged by: its radial ones, or its axial ones where it has no other."""
    specs = [c for c in point.channels if c.quantity is Quantity.ACCELERATION]
    radial = [c.id for c in specs if c.direction != AXIAL]
    return tuple(radial or [c.id for c in specs])


def _criterion(point: PointSpec, channels: Sequence[str]) -> list[int]:
    """Places in the block of the channels that a point is judged by."""
    specs: dict[str, ChannelSpec] = {c.id: c for c in point.channels if c.quantity is Quantity.ACCELERATION}
    known = [(i, specs[name]) for i, name in enumerate(channels) if name in specs]
    radial = [i for i, spec in known if spec.direction != AXIAL]
    return radial or [i for i, _ in known]


def _judge_channel(entry: Scored, c: int, limits: LimitSet | None) -> Judgement:
    refusal = entry.refusals[c]
    if refusal is not None and entry.shaft_hz != 0:
        return unknown(refusal, limits)
    column = _COLUMN[limits.feature(entry.shaft_hz)] if limits else _VELOCITY
    value = float(entry.features[c, column])
    return judge(
        None if math.isnan(value) else value,
        limits,
        unit=entry.units[c],
        fs_hz=entry.block.fs_hz,
        speed_hz=entry.shaft_hz,
    )
