"""The newest rows of a site, read from the historian in a few queries and turned into value types.

This is the only place of the overview that knows the historian's measurements and fields.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from models.features import leading_defect
from models.features.bands import SLOW_BELOW_HZ
from models.types import BEARING_DEFECTS
from palier.historian.base import Historian, Table

from .freshness import expected_interval_ns

STATE_FIELDS: Final = (
    "state", "judged", "learning", "severity", "zone", "value", "limit_name", "reason", "remedy", "live",
)  # fmt: skip

PACE_ROWS: Final = 20
"""Rows of a point that tell its interval: enough for a median that one outage does not move."""

SPARK_ROWS: Final = 60
"""Values in the small trend of a tile: as many as its width can show apart."""

LINE_BLOCKS: Final = 3
"""Newest blocks of a channel that must agree on a defect before its lines are spoken of: one block says
something, the next nothing, and a note that comes and goes is not believed."""

_LINE_FIELDS: Final = tuple(f"{name}_{what}" for name in BEARING_DEFECTS for what in ("harmonics", "bits"))

VELOCITY: Final = "velocity_rms_mm_s"
VELOCITY_LOW: Final = "velocity_rms_low_mm_s"
_CHANNEL_FIELDS: Final = (VELOCITY, VELOCITY_LOW, "zone", "speed_rpm")


@dataclass(frozen=True, slots=True)
class StateRow:
    """The newest judgement of a point (of the whole machine: `point` ""); None and severity 0: not known."""

    ts_ns: int
    point: str
    state: str
    judged: str | None
    learning: bool
    zone: str | None
    value: float | None
    limit_name: str | None
    reason: str | None
    remedy: str | None
    live: bool
    severity: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """The newest slow value of a channel."""

    ts_ns: int
    point: str
    channel: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class ChannelValue:
    """The newest velocities of a vibration channel (mm/s RMS by feature; None = not known), its zone, and the
    speed of its shaft (r/min)."""

    ts_ns: int
    point: str
    channel: str
    velocities: Mapping[str, float | None]
    zone: str | None = None
    speed_rpm: float | None = None

    @property
    def velocity_mm_s(self) -> float | None:
        """The velocity that fits its speed: from 2 Hz on below 600 r/min (ISO 20816-3)."""
        return self.velocities.get(self.feature)

    @property
    def feature(self) -> str:
        """The feature that `velocity_mm_s` is."""
        slow = self.speed_rpm is not None and 0 < self.speed_rpm < SLOW_BELOW_HZ * 60
        return VELOCITY_LOW if slow else VELOCITY


@dataclass(frozen=True, slots=True)
class DefectLines:
    """A channel in whose newest blocks the lines of one bearing defect ("bpfo", ...) stand out."""

    point: str
    channel: str
    defect: str


@dataclass(frozen=True, slots=True)
class MachineData:
    """All that the overview needs of one machine.

    `states` is by point, "" being the machine; `interval_ns` by point, and the shortest of them under "";
    `spark` holds the last velocities of its loudest channel (mm/s RMS, oldest first, None where not known);
    `lines` names the channels with visible lines of a bearing defect; `health` is the index of the machine.
    """

    states: Mapping[str, StateRow] = field(default_factory=dict)
    readings: tuple[Reading, ...] = ()
    channels: tuple[ChannelValue, ...] = ()
    interval_ns: Mapping[str, int | None] = field(default_factory=dict)
    spark: tuple[float | None, ...] = ()
    lines: tuple[DefectLines, ...] = ()
    health: float | None = None

    @property
    def newest_ns(self) -> int | None:
        """Time of the newest judgement or measurement, whichever came last."""
        times = [row.ts_ns for row in self.states.values()] + [row.ts_ns for row in self.channels]
        return max(times, default=None)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The newest rows of a site, by machine."""

    machines: Mapping[str, MachineData] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Pace:
    seen_ns: int
    interval_ns: Mapping[str, int | None]
    spark: tuple[float | None, ...]
    lines: tuple[DefectLines, ...]


class SnapshotReader:
    """Reads snapshots of one site; keeps what changes only with a new row (interval, trend, defect lines)."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._pace: dict[str, _Pace] = {}

    def read(self, historian: Historian) -> Snapshot:
        """The newest rows of every machine. Raises HistorianError."""
        states = _states(historian.latest("state", STATE_FIELDS, site=self._site))
        readings = _readings(historian.latest("reading", ("value", "unit"), site=self._site))
        channels = _channels(historian.latest("feature", _CHANNEL_FIELDS, site=self._site))
        health = _health(historian.latest("health", ("health_index",), site=self._site))
        names = states.keys() | readings.keys() | channels.keys()
        self._pace = {name: pace for name, pace in self._pace.items() if name in names}
        machines = {}
        for name in sorted(names):
            known = MachineData(
                states.get(name, {}),
                tuple(readings.get(name, ())),
                tuple(channels.get(name, ())),
                health=health.get(name),
            )
            pace = self._pace_of(historian, name, known)
            machines[name] = replace(known, interval_ns=pace.interval_ns, spark=pace.spark, lines=pace.lines)
        return Snapshot(machines)

    def _pace_of(self, historian: Historian, machine: str, data: MachineData) -> _Pace:
        newest = data.newest_ns or 0
        known = self._pace.get(machine)
        if known is not None and known.seen_ns == newest:
            return known
        intervals = {
            point: self._interval(historian, machine, point) for point in sorted(data.states, reverse=True)
        }
        # Points take their turns: the machine is heard as often as one of them, not as all of them together.
        gaps = [gap for point, gap in intervals.items() if point and gap is not None]
        intervals[""] = min(gaps, default=intervals.get(""))
        spark = self._spark(historian, machine, loudest(data.channels))
        lines = tuple(found for row in data.channels if (found := self._lines(historian, machine, row)))
        pace = _Pace(newest, intervals, spark, lines)
        self._pace[machine] = pace
        return pace

    def _interval(self, historian: Historian, machine: str, point: str) -> int | None:
        table = historian.read(
            "state", ("live",), site=self._site, machine=machine, point=point, channel="", newest=PACE_ROWS
        )
        return expected_interval_ns([int(ts) for ts in table.ts_ns])

    def _spark(
        self, historian: Historian, machine: str, row: ChannelValue | None
    ) -> tuple[float | None, ...]:
        if row is None:
            return ()
        table = historian.read(
            "feature",
            (row.feature,),
            site=self._site,
            machine=machine,
            point=row.point,
            channel=row.channel,
            newest=SPARK_ROWS,
        )
        return tuple(number(value) for value in table.columns[row.feature])

    def _lines(self, historian: Historian, machine: str, row: ChannelValue) -> DefectLines | None:
        """The defect that leads in each of the last LINE_BLOCKS blocks of a channel, or None."""
        table = historian.read(
            "feature",
            _LINE_FIELDS,
            site=self._site,
            machine=machine,
            point=row.point,
            channel=row.channel,
            newest=LINE_BLOCKS,
        )
        if len(table) < LINE_BLOCKS:
            return None
        columns = {name: np.asarray(table.columns[name], dtype=np.float64) for name in _LINE_FIELDS}
        blocks = ({name: float(column[i]) for name, column in columns.items()} for i in range(LINE_BLOCKS))
        first, *others = (leading_defect(block) for block in blocks)
        defect = first if all(other == first for other in others) else None
        return DefectLines(row.point, row.channel, defect) if defect else None


def loudest(rows: Iterable[ChannelValue]) -> ChannelValue | None:
    """The channel that shakes most, None where no velocity is known."""
    known = [row for row in rows if row.velocity_mm_s is not None]
    return max(known, key=lambda row: row.velocity_mm_s or 0.0, default=None)


def number(value: object) -> float | None:
    """A finite float, or None: a missing value never becomes a number."""
    if value is None:
        return None
    plain = float(value)  # type: ignore[arg-type]  # numpy scalars and Python numbers alike
    return plain if math.isfinite(plain) else None


def text(value: object) -> str | None:
    """A text that says something, or None."""
    return str(value) if value not in (None, "") else None


def _states(table: Table) -> dict[str, dict[str, StateRow]]:
    found: dict[str, dict[str, StateRow]] = {}
    column = table.columns
    for i, machine in enumerate(table.machine):
        found.setdefault(machine, {})[table.point[i]] = StateRow(
            ts_ns=int(table.ts_ns[i]),
            point=table.point[i],
            state=text(column["state"][i]) or "",
            judged=text(column["judged"][i]),
            learning=bool(number(column["learning"][i])),
            zone=text(column["zone"][i]),
            value=number(column["value"][i]),
            limit_name=text(column["limit_name"][i]),
            reason=text(column["reason"][i]),
            remedy=text(column["remedy"][i]),
            live=number(column["live"][i]) != 0,
            severity=round(number(column["severity"][i]) or 0),
        )
    return found


def _readings(table: Table) -> dict[str, list[Reading]]:
    found: dict[str, list[Reading]] = {}
    for i, machine in enumerate(table.machine):
        value = number(table.columns["value"][i])
        if value is not None:
            unit = text(table.columns["unit"][i]) or ""
            row = Reading(int(table.ts_ns[i]), table.point[i], table.channel[i], value, unit)
            found.setdefault(machine, []).append(row)
    return found


def _health(table: Table) -> dict[str, float | None]:
    """The index of each machine as a whole."""
    column = table.columns["health_index"]
    return {name: number(column[i]) for i, name in enumerate(table.machine) if not table.point[i]}


def _channels(table: Table) -> dict[str, list[ChannelValue]]:
    found: dict[str, list[ChannelValue]] = {}
    for i, machine in enumerate(table.machine):
        row = ChannelValue(
            ts_ns=int(table.ts_ns[i]),
            point=table.point[i],
            channel=table.channel[i],
            velocities={name: number(table.columns[name][i]) for name in (VELOCITY, VELOCITY_LOW)},
            zone=text(table.columns["zone"][i]),
            speed_rpm=number(table.columns["speed_rpm"][i]),
        )
        found.setdefault(machine, []).append(row)
    return found
