"""What the historian holds of a period, as the blocks and readings that it came of. Pure: the shell reads.

Features are kept as they were computed, so a block is scored again without its samples. What was known only
with them (the quality that the gateway gave, the step of its converter) is not known any more."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from models.detection.sensors import assess
from models.features.catalogue import NAMES
from models.types import M_S2_PER_UNIT, ChannelSpec, MachineSpec, PointSpec, Refusal
from palier.frames import FrameId, Readings, Waveform
from palier.historian.base import Table

from .batch import WorkFrame
from .knowledge import Knowledge, Speeds
from .scoring import UNKNOWN, Scored
from .watch_parts import FEATURE

FEATURES: Final = (*NAMES, "speed_rpm", "load_percent", "frame")
"""What is read of `feature`."""

READINGS: Final = ("value", "unit", "frame")
"""What is read of `reading`."""

USUAL_HZ: Final = 25_600.0
"""The rate of a channel for which the plant states none: what its rate was too low for is not in the rows."""

READ_AHEAD_NS: Final = 60 * 10**9
"""A reading so much later than a block was there when the block was judged: they come once a minute."""

_NO_SAMPLES: Final = 16
"""The fewest that anything looks at: a block without its waveform is too short for lines, and says so."""

_VELOCITY: Final = FEATURE["velocity_rms_mm_s"]


def blocks_of(features: Table, knowledge: Knowledge, machine: MachineSpec) -> list[Scored]:
    """The blocks of these `feature` rows of a machine, in order of time; those of points that the plant does
    not know are left out.
    """
    points = {point.id: point for point in machine.points}
    rows: dict[tuple[int, str], list[int]] = {}
    for i, (ts_ns, point) in enumerate(zip(features.ts_ns.tolist(), features.point, strict=True)):
        if point in points:
            rows.setdefault((ts_ns, point), []).append(i)
    if not rows:
        return []
    told = _Rows(features, points, [i for some in rows.values() for i in some])
    site = knowledge.plant.site_id
    return [told.block(site, machine.id, point, ts_ns, some) for (ts_ns, point), some in sorted(rows.items())]


def with_waveform(entry: Scored, waveform: Waveform) -> Scored:
    """The block with the samples that were kept of it, where they are of the same channels."""
    if waveform.channels != entry.block.channels:
        return entry
    block = replace(waveform, start_ns=entry.block.start_ns)
    return replace(entry, work=replace(entry.work, frame=block), block=block)


def readings_of(readings: Table, knowledge: Knowledge, machine: MachineSpec) -> list[WorkFrame]:
    """The frames of these `reading` rows, in order of time; of channels that the plant knows.

    What another Sparkplug node feeds is in force until the next value, as it was live: each is a frame alone.
    """
    wanted = {(p.id, c.id): c.foreign is not None for p in machine.points for c in p.channels}
    holding: list[WorkFrame] = []
    site = knowledge.plant.site_id
    values = np.asarray(readings.columns["value"], dtype=np.float64)
    frames, units = readings.columns["frame"], readings.columns["unit"]
    of_frame: dict[Any, dict[str, tuple[str, dict[int, float]]]] = {}
    for i, place in enumerate(zip(readings.point, readings.channel, strict=True)):
        if wanted.get(place):
            ts_ns, value, unit = int(readings.ts_ns[i]), float(values[i]), str(units[i] or UNKNOWN)
            one = _readings(machine.id, {"/".join(place): (unit, {ts_ns: value})})
            holding.append(replace(_work(site, one, frames[i]), hold=True))
        elif place in wanted:
            channels = of_frame.setdefault(frames[i], {})
            _, told = channels.setdefault("/".join(place), (str(units[i] or UNKNOWN), {}))
            told[int(readings.ts_ns[i])] = float(values[i])
    works = [_work(site, _readings(machine.id, channels), frame) for frame, channels in of_frame.items()]
    return sorted([*works, *holding], key=lambda work: work.frame.start_ns)


def surrounded(blocks: Sequence[Scored], readings: Sequence[WorkFrame], speeds: Speeds) -> list[Scored]:
    """The blocks with the load and the temperatures that were read about their time; both in order of time.

    `speeds` keeps what was read from piece to piece. An end among the readings stands behind a value of the
    same time.
    """
    found, waiting = [], deque(readings)
    for entry in blocks:
        while waiting and waiting[0].frame.start_ns <= entry.block.start_ns + READ_AHEAD_NS:
            work = waiting.popleft()
            assert isinstance(work.frame, Readings)  # noqa: S101 - they were made here
            speeds.take(work.site, work.frame, hold=work.hold)
        load, warm, air = (
            ask(entry.work.site, entry.block)
            for ask in (speeds.load_percent, speeds.temperature_c, speeds.ambient_c)
        )
        found.append(replace(entry, load_percent=load, temperature_c=warm, ambient_c=air))
    for work in waiting:
        if isinstance(work.frame, Readings):
            speeds.take(work.site, work.frame, hold=work.hold)
    return found


class _Rows:
    """The `feature` rows of known points, with what their sensors are worth as far as features tell."""

    def __init__(self, features: Table, points: Mapping[str, PointSpec], known: Sequence[int]) -> None:
        self._points, self._channel = points, features.channel
        self._values = np.column_stack([np.asarray(features.columns[n], dtype=np.float32) for n in NAMES])
        self._rpm, self._load = (
            np.asarray(features.columns[name], dtype=np.float64) for name in ("speed_rpm", "load_percent")
        )
        self._frames = features.columns["frame"]
        self._place = {row: k for k, row in enumerate(known)}
        specs = [_spec(points[features.point[i]], features.channel[i]) for i in known]
        rpm = self._rpm[known]
        self._told = assess(
            dict(zip(NAMES, self._values[known].T, strict=True)),
            n_samples=np.array([_number(spec.n_samples if spec else None) for spec in specs]),
            fs_hz=np.array([_number(spec.fs_hz if spec else None) for spec in specs]),
            speed_hz=np.where(rpm > 0, rpm / 60, np.nan),
        )
        self._refusals = self._told.refusals

    def block(self, site: str, machine: str, point: str, ts_ns: int, rows: Sequence[int]) -> Scored:
        """The block that these rows came of."""
        channels = tuple(self._channel[i] for i in rows)
        rpm, load = float(self._rpm[rows[0]]), float(self._load[rows[0]])
        block = _blank(machine, self._points[point], channels, ts_ns, None if np.isnan(load) else load)
        refusals = [self._refusals[self._place[i]] for i in rows]
        return Scored(
            _work(site, block, self._frames[rows[0]]),
            block,
            self._values[rows],
            None if np.isnan(rpm) else rpm / 60,
            tuple(self._unit(point, i) for i in rows),
            refusals,
            [self._doubts(i) if refusal is None else () for i, refusal in zip(rows, refusals, strict=True)],
            load,
        )

    def _doubts(self, row: int) -> tuple[Refusal, ...]:
        return self._told.reasons(self._place[row])

    def _unit(self, point: str, row: int) -> str:
        """A level is in the rows only where its unit was known."""
        spec = _spec(self._points[point], self._channel[row])
        known = spec is not None and spec.unit in M_S2_PER_UNIT
        return "m/s²" if known or np.isfinite(self._values[row, _VELOCITY]) else UNKNOWN


def _blank(
    machine: str, point: PointSpec, channels: tuple[str, ...], ts_ns: int, load_percent: float | None
) -> Waveform:
    spec = _spec(point, channels[0])
    n = len(channels)
    return Waveform(
        machine=machine,
        point=point.id,
        channels=channels,
        samples=np.zeros((n, _NO_SAMPLES), dtype="<f4"),
        scale=(1.0,) * n,
        unit=("m/s²",) * n,
        fs_hz=(spec and spec.fs_hz) or USUAL_HZ,
        start_ns=ts_ns,
        load_percent=load_percent,
    )


def _readings(machine: str, channels: Mapping[str, tuple[str, dict[int, float]]]) -> Readings:
    times = np.unique([ts_ns for _, told in channels.values() for ts_ns in told]).astype(np.int64)
    values = [[told.get(ts_ns, np.nan) for ts_ns in times.tolist()] for _, told in channels.values()]
    units = tuple(unit for unit, _ in channels.values())
    return Readings(machine, tuple(channels), times, np.array(values, dtype=np.float64), units)


def _work(site: str, frame: Waveform | Readings, text: object) -> WorkFrame:
    """A frame as if it came now, under the identity that its rows carry."""
    parts = str(text).rsplit(":", 2) if text else []
    frame_id = FrameId(parts[0], parts[1], int(parts[2])) if len(parts) == 3 else None
    return WorkFrame(frame_id, site, frame, live=True, topic="", payload=b"")


def _spec(point: PointSpec, channel: str) -> ChannelSpec | None:
    return next((spec for spec in point.channels if spec.id == channel), None)


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def first_times(table: Table) -> Iterator[tuple[str, int]]:
    """(point, time) of the first row of each point."""
    seen = set()
    for point, ts_ns in zip(table.point, table.ts_ns.tolist(), strict=True):
        if point not in seen:
            seen.add(point)
            yield point, ts_ns
