"""The plant overview as values: one tile for each machine, the worst first. Pure.

The rules, in this order, for one machine:

1. in the data but not in plant.toml: *unconfigured*;
2. no row at all: *unknown*, "no data yet";
3. the newest row older than its silence limit (`freshness.py`): *unknown*, "no data since", whatever was
   last said of it, for a value that nobody renews is not the present one;
4. otherwise what the ingest wrote, and nothing is judged again here.

No text stands here: reasons, remedies and limit names are keys of the locale.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from models.detection.zones import LimitSet, intervals
from models.types import MachineSpec, State
from palier.alarms import Alarm
from palier.plant import Plant

from .alarm_board import NO_ALARMS, AlarmBoard, is_waiting
from .appearance import STATES_BY_URGENCY, URGENT, Look, look_of, state_named
from .freshness import NS, silent_after_ns
from .snapshot import ChannelValue, DefectLines, MachineData, Reading, Snapshot, StateRow, loudest

TEMPERATURE_UNIT: Final = "°C"
TEMPERATURE_LIMIT: Final = "temperature_c"
"""The quantity of limits for temperatures."""

READING_INTERVAL_NS: Final = 60 * NS
"""Slow values travel at most once a minute."""

NO_DATA: Final = "no_data"
SILENT: Final = "silent"
NOT_IN_PLANT: Final = "not_in_plant"


@dataclass(frozen=True, slots=True)
class PointMark:
    """A point of a machine on its tile: its look and whether its rows have stopped coming."""

    id: str
    name: str
    look: Look
    zone: str | None = None
    limit_name: str | None = None
    value_mm_s: float | None = None
    since_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Tile:
    """All that is drawn of one machine. Values are None when they are not known, or no longer.

    `value_mm_s` is the highest velocity of the points that lead the state, of all points where none does, and
    `point` the one it comes from. `lines` are bearing defects whose lines stand out: a reading, which changes
    neither state nor colour. `limit_name` and `temperature_limit` name the highest limit that velocity or
    temperature exceeds.

    `unacknowledged` counts its alarms that wait for somebody, `fault` is the one that was named behind the
    most urgent of them, `health` the index of the machine (100 as in good health, 0 nothing left).

    `note` is "no_data", "silent", "not_in_plant" or None: a reason that the page itself gives. `reason` and
    `remedy` are those of the ingest. `since_ns` is the acquisition time of the newest row.
    """

    machine: str
    name: str
    kind: str
    criticality: str
    look: Look
    since_ns: int | None = None
    value_mm_s: float | None = None
    point: str | None = None
    zone: str | None = None
    limit_name: str | None = None
    temperature_c: float | None = None
    temperature_limit: str | None = None
    note: str | None = None
    reason: str | None = None
    remedy: str | None = None
    late: bool = False
    points: tuple[PointMark, ...] = ()
    spark: tuple[float | None, ...] = ()
    lines: tuple[DefectLines, ...] = ()
    unacknowledged: int = 0
    fault: str | None = None
    health: float | None = None
    line: str = ""


@dataclass(frozen=True, slots=True)
class Overview:
    """The tiles, the worst first, and how many machines are in each state. Those of a line stand together:
    lines by their worst machine, and the worst first in each."""

    tiles: tuple[Tile, ...] = ()
    counts: Mapping[State, int] | None = None

    def tile(self, machine: str) -> Tile | None:
        """The tile of that machine, or None."""
        return next((tile for tile in self.tiles if tile.machine == machine), None)

    @property
    def lined(self) -> bool:
        """Whether any machine names the line that it stands in."""
        return any(tile.line for tile in self.tiles)


@dataclass(frozen=True, slots=True)
class Present:
    """What "now" means: plant time, plant seconds for each real one, and the limits (by id) in use."""

    now_ns: int
    clock_rate: float = 1.0
    limits: Mapping[str, LimitSet] = field(default_factory=dict)

    def silent(self, ts_ns: int, interval_ns: int | None) -> bool:
        """Whether a row of that time is too old to be the present one."""
        return self.now_ns - ts_ns > silent_after_ns(interval_ns, clock_rate=self.clock_rate)

    def exceeded(self, row: StateRow, value: float | None, *, temperature: bool = False) -> str | None:
        """The name of the highest limit of a judgement that a value exceeds ("startup", "B/C", ...), or None.

        `temperature` says whether the value is one: limits are for one of the two only.
        """
        limits = self.limits.get(row.limit_name or "")
        if limits is None or value is None or (limits.quantity == TEMPERATURE_LIMIT) is not temperature:
            return None
        index = int(intervals(value, limits))
        return limits.names[index - 1] if index else None


def overview(
    plant: Plant,
    snapshot: Snapshot,
    present: Present,
    alarms: AlarmBoard = NO_ALARMS,
) -> Overview:
    """The overview of a plant from its newest rows and its open alarms."""
    configured = {machine.id: machine for machine in plant.machines}
    tiles = [
        tile_of(spec, snapshot.machines.get(name, MachineData()), present, alarms.of(name))
        for name, spec in configured.items()
    ]
    tiles += [_unconfigured(name, data) for name, data in snapshot.machines.items() if name not in configured]
    worst: dict[str, tuple[int, str, str]] = {}
    for tile in tiles:
        worst[tile.line] = min(_rank(tile), worst.get(tile.line, _rank(tile)))
    tiles.sort(key=lambda tile: (worst[tile.line], _rank(tile)))
    tally = Counter(tile.look.word for tile in tiles)
    return Overview(tuple(tiles), {state: tally[state] for state in STATES_BY_URGENCY if tally[state]})


def _rank(tile: Tile) -> tuple[int, str, str]:
    return tile.look.order, tile.criticality, tile.machine


def tile_of(spec: MachineSpec, data: MachineData, present: Present, alarms: Sequence[Alarm] = ()) -> Tile:
    """The tile of a configured machine with its open alarms, the most urgent first."""
    row, newest = data.states.get(""), data.newest_ns
    blank = Tile(
        spec.id,
        spec.name or spec.id,
        spec.kind,
        spec.criticality,
        look_of(State.UNKNOWN),
        since_ns=newest,
        note=NO_DATA,
        unacknowledged=sum(is_waiting(alarm) for alarm in alarms),
        fault=next((alarm.fault for alarm in alarms if alarm.fault), None),
        health=health_of(data, present),
        points=tuple(_mark(point.id, point.name, data, present) for point in spec.points),
        line=spec.line,
    )
    if row is None or newest is None:  # never heard, or measured and not yet judged
        return blank
    interval = data.interval_ns.get("")
    if present.silent(row.ts_ns, interval):
        # What comes too late to be judged live advances no state, but it comes.
        late = not present.silent(newest, interval)
        reason, remedy = (row.reason, row.remedy) if row.state == State.UNKNOWN else (None, None)
        return replace(
            blank,
            since_ns=row.ts_ns,
            note=SILENT,
            late=late,
            reason=reason,
            remedy=remedy,
            spark=data.spark,
        )
    shown, hottest = _headline(row, blank.points, data, present), hottest_c(data.readings, present)
    return replace(
        blank,
        look=_look(row),
        since_ns=row.ts_ns,
        value_mm_s=shown.value,
        point=shown.point,
        zone=shown.zone,
        limit_name=shown.limit_name,
        temperature_c=hottest,
        temperature_limit=present.exceeded(row, hottest, temperature=True),
        note=None,
        reason=row.reason,
        remedy=row.remedy,
        late=not row.live,
        spark=data.spark,
        lines=_present_lines(data, present),
    )


def health_of(data: MachineData, present: Present) -> float | None:
    """The health of a machine that still speaks: it is written when it changes, and holds until then."""
    newest = data.newest_ns
    speaks = newest is not None and not present.silent(newest, data.interval_ns.get(""))
    return data.health if speaks else None


def hottest_c(readings: tuple[Reading, ...], present: Present) -> float | None:
    """The highest temperature that is still a present one (°C), or None."""
    found = [
        row.value
        for row in readings
        if row.unit == TEMPERATURE_UNIT and not present.silent(row.ts_ns, READING_INTERVAL_NS)
    ]
    return max(found, default=None)


@dataclass(frozen=True, slots=True)
class _Shown:
    value: float | None = None
    zone: str | None = None
    limit_name: str | None = None
    point: str | None = None


def _headline(row: StateRow, points: Sequence[PointMark], data: MachineData, present: Present) -> _Shown:
    """The velocity of a machine: the highest of the points that lead its state, of all where none does (a
    point without limits that learns does not hide one that shakes more). None where it was refused."""
    known = [mark for mark in points if mark.value_mm_s is not None]
    leading = [mark for mark in known if mark.look.word == _look(row).word and mark.look.word in URGENT]
    if row.reason is not None or not known:
        return _velocity(row, data, present)
    mark = max(leading or known, key=lambda mark: mark.value_mm_s or 0.0)
    return _Shown(mark.value_mm_s, mark.zone, mark.limit_name, mark.id)


def _velocity(row: StateRow, data: MachineData, present: Present, point: str = "") -> _Shown:
    """The velocity to show: the one that was judged; where a temperature spoke, the highest of the
    present blocks, of one point or of the whole machine. None where it was refused."""
    if row.value is not None or row.reason is not None:
        return _Shown(row.value, row.zone, present.exceeded(row, row.value))
    highest = loudest(row for row in _fresh(data, present) if point in ("", row.point))
    if highest is None:
        return _Shown()
    value = highest.velocity_mm_s
    return _Shown(value, highest.zone, present.exceeded(row, value), highest.point)


def _fresh(data: MachineData, present: Present) -> tuple[ChannelValue, ...]:
    """The channels whose newest block is a present one."""
    return tuple(
        row for row in data.channels if not present.silent(row.ts_ns, data.interval_ns.get(row.point))
    )


def _present_lines(data: MachineData, present: Present) -> tuple[DefectLines, ...]:
    """Defect lines of channels that still send."""
    fresh = {(row.point, row.channel) for row in _fresh(data, present)}
    return tuple(lines for lines in data.lines if (lines.point, lines.channel) in fresh)


def _unconfigured(name: str, data: MachineData) -> Tile:
    highest = loudest(data.channels)
    return Tile(
        name,
        name,
        kind="",
        criticality="C",  # nobody has said that it matters: within its rank it stands last
        look=look_of(State.UNCONFIGURED),
        since_ns=data.newest_ns or max((row.ts_ns for row in data.readings), default=None),
        value_mm_s=highest.velocity_mm_s if highest else None,
        point=highest.point if highest else None,
        note=NOT_IN_PLANT,
    )


def _look(row: StateRow) -> Look:
    judged = state_named(row.judged) if row.judged else None
    return look_of(state_named(row.state), judged, learning=row.learning)


def _mark(point: str, name: str, data: MachineData, present: Present) -> PointMark:
    row = data.states.get(point)
    blank = PointMark(point, name or point, look_of(State.UNKNOWN))
    if row is None:
        return blank
    if present.silent(row.ts_ns, data.interval_ns.get(point)):
        return replace(blank, since_ns=row.ts_ns)
    shown = _velocity(row, data, present, point)
    return PointMark(point, name or point, _look(row), shown.zone, shown.limit_name, shown.value, row.ts_ns)
