"""The machine page as values: trends, last spectrum, table of values. Each reads the historian once or twice.

Times are ns of plant time; a missing number is None, so that it becomes `null` in JSON and a gap in a chart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from models.detection.zones import LimitKind, LimitSet
from models.features.catalogue import CATALOGUE
from models.features.spec import FeatureSpec
from models.types import BEARING_DEFECTS, MachineSpec, PointSpec, Quantity
from palier.historian import long_run
from palier.historian.base import Historian

from .snapshot import VELOCITY, MachineData, loudest, number, text

TREND_BUCKETS: Final = 480
"""Buckets of a trend: about one for every two pixels of a chart on a laptop."""

SPECTRUM_ROWS: Final = 400
"""The historian keeps at most so many lines of a spectrum for display."""

GAP_BLOCKS: Final = 3
"""Rows further apart than so many usual distances are not joined by a line: nobody measured there."""

_MARKED_HARMONICS: Final = 3
"""Multiples of a frequency that are marked in a spectrum; more would hide the lines they point at."""

UNITS: Final = {spec.name: spec.unit for spec in CATALOGUE}


def _group(spec: FeatureSpec) -> str:
    """What a feature is about, for people: one of `GROUPS`."""
    if spec.domain == "time":
        return "acceleration"
    if spec.domain == "frequency":
        return "velocity" if spec.unit in ("mm/s", "µm") else "bands"
    if spec.domain == "quality":
        return "sensor"
    if spec.domain == "envelope" or "orders" in spec.needs:
        return "bearing"
    return "gear" if spec.domain == "cepstrum" or "mesh" in spec.needs else "shaft"


GROUPS: Final = ("velocity", "acceleration", "bands", "shaft", "gear", "bearing", "sensor")
"""Headings over the features, in the order in which a machine is looked at: how much, then of what."""

_GROUP_OF: Final = {spec.name: _group(spec) for spec in CATALOGUE}


def _place(name: str) -> tuple[int, int]:
    """Where a feature stands: with its group, and in it with what else is known of the same defect."""
    defect = name.partition("_")[0]
    return GROUPS.index(_GROUP_OF[name]), BEARING_DEFECTS.index(defect) if defect in BEARING_DEFECTS else -1


FEATURES: Final = tuple(sorted(UNITS, key=_place))
"""All features, group by group and defect by defect; else in the order of the catalogue."""


@dataclass(frozen=True, slots=True)
class ChannelRef:
    """A vibration channel of a machine, as plant.toml or the data name it."""

    point: str
    channel: str


@dataclass(frozen=True, slots=True)
class Trend:
    """A trend in buckets: times (ns, start of the bucket) with mean, lowest and highest value of each."""

    unit: str
    times_ns: tuple[int, ...]
    mean: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Marker:
    """A frequency to look for in a spectrum: a multiple of "1×" or of a bearing defect ("bpfo", ...)."""

    name: str
    harmonic: int
    frequency_hz: float


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The last spectrum of a channel (`kind` "velocity_mm_s" or "acceleration_m_s2"), with its markers."""

    kind: str
    ts_ns: int
    frequency_hz: tuple[float | None, ...]
    amplitude: tuple[float | None, ...]
    speed_rpm: float | None
    markers: tuple[Marker, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """One feature of the newest block; `group` is one of `GROUPS`."""

    name: str
    group: str
    unit: str
    value: float | None


@dataclass(frozen=True, slots=True)
class Values:
    """The features of a channel's newest block; `speed_rpm` is the speed of the point's shaft, `frame` the
    block's name in the series."""

    ts_ns: int
    values: tuple[Value, ...]
    speed_rpm: float | None
    frame: str | None = None


@dataclass(frozen=True, slots=True)
class ChartLimits:
    """Limits as a chart draws them: bands with letters ("zones") or named lines."""

    id: str
    standard: str
    kind: LimitKind
    values: tuple[float, ...]
    names: tuple[str, ...]


def channels_of(spec: MachineSpec | None, data: MachineData) -> tuple[ChannelRef, ...]:
    """The vibration channels of a machine: those of the plant in its order, then those only the data has."""
    found = {
        ChannelRef(point.id, channel.id): None
        for point in (spec.points if spec else ())
        for channel in point.channels
        if channel.quantity is Quantity.ACCELERATION
    }
    found.update({ChannelRef(row.point, row.channel): None for row in data.channels})
    return tuple(found)


def default_channel(channels: Sequence[ChannelRef], data: MachineData) -> ChannelRef | None:
    """The channel to show first: the one that shakes most, else the first."""
    row = loudest(data.channels)
    if row is not None:
        return ChannelRef(row.point, row.channel)
    return channels[0] if channels else None


def judged_feature(limits: LimitSet | None, speed_rpm: float | None) -> str:
    """The feature that the limits of a point compare: for slow machines the velocity from 2 Hz on."""
    if limits is None:
        return VELOCITY
    feature = limits.feature(None if speed_rpm is None else speed_rpm / 60)
    return feature if feature in UNITS else VELOCITY


def chart_limits(limits: LimitSet | None, feature: str) -> ChartLimits | None:
    """The limits to draw behind a feature: none where they are not about it."""
    if limits is None or feature not in (limits.quantity, limits.feature(1.0)):
        return None
    return ChartLimits(limits.id, limits.standard, limits.kind, limits.values, limits.names)


def trend(
    historian: Historian,
    *,
    measurement: str,
    field: str,
    unit: str,
    site: str,
    machine: str,
    channel: ChannelRef,
    start_ns: int,
    end_ns: int,
) -> Trend:
    """The trend of one field. Raises HistorianError."""
    table = long_run.trend(
        historian,
        measurement,
        field,
        site=site,
        machine=machine,
        point=channel.point,
        channel=channel.channel,
        start_ns=start_ns,
        end_ns=end_ns,
        buckets=TREND_BUCKETS,
    )
    columns = [[number(x) for x in table.columns[name]] for name in ("mean", "min", "max")]
    rows = list(zip((int(ts) for ts in table.ts_ns), *columns, strict=True))
    times, mean, low, high = zip(*_with_gaps(rows), strict=True) if rows else ((), (), (), ())
    return Trend(unit, times, mean, low, high)


def has_history(
    historian: Historian, *, site: str, machine: str, channel: ChannelRef, before_ns: int
) -> bool:
    """Whether a channel was measured before a time (ns). Raises HistorianError."""
    table = historian.read(
        "feature",
        ("speed_rpm",),
        site=site,
        machine=machine,
        point=channel.point,
        channel=channel.channel,
        end_ns=before_ns,
        newest=1,
    )
    return len(table) > 0


_Row = tuple[int, float | None, float | None, float | None]


def _with_gaps(rows: list[_Row]) -> list[_Row]:
    """The rows with an empty one in each gap, so that a chart breaks its line there."""
    if len(rows) < 3:
        return rows
    usual = median(later[0] - earlier[0] for earlier, later in pairwise(rows))
    result = rows[:1]
    for earlier, later in pairwise(rows):
        if later[0] - earlier[0] > GAP_BLOCKS * usual:
            result.append(((earlier[0] + later[0]) // 2, None, None, None))
        result.append(later)
    return result


def spectrum(
    historian: Historian, *, site: str, machine: str, channel: ChannelRef, point: PointSpec | None
) -> Spectrum | None:
    """The last spectrum of a channel, None where there is none yet. Raises HistorianError."""
    table = historian.read(
        "spectrum",
        ("frequency_hz", "amplitude", "kind"),
        site=site,
        machine=machine,
        point=channel.point,
        channel=channel.channel,
        newest=SPECTRUM_ROWS,
    )
    if not len(table):
        return None
    last = int(table.ts_ns[-1])
    kind = text(table.columns["kind"][-1]) or ""
    chosen = [
        i for i in range(len(table)) if int(table.ts_ns[i]) == last and table.columns["kind"][i] == kind
    ]
    lines = sorted(
        (number(table.columns["frequency_hz"][i]) or 0.0, number(table.columns["amplitude"][i]))
        for i in chosen
    )
    newest = values(historian, site=site, machine=machine, channel=channel)
    speed = newest.speed_rpm if newest else None
    top_hz = lines[-1][0]
    frequencies, amplitudes = zip(*lines, strict=True)
    return Spectrum(kind, last, frequencies, amplitudes, speed, markers(speed, point, top_hz))


def markers(speed_rpm: float | None, point: PointSpec | None, top_hz: float) -> tuple[Marker, ...]:
    """Multiples of the shaft's speed and of its bearing's defects up to `top_hz`; none without a speed."""
    if not speed_rpm:
        return ()
    shaft_hz = speed_rpm / 60
    found = [Marker("1×", k, k * shaft_hz) for k in range(1, _MARKED_HARMONICS + 1)]
    if point is not None and point.bearing is not None:
        for name, order in zip(BEARING_DEFECTS, point.bearing.orders, strict=True):
            found += [Marker(name, k, k * order * shaft_hz) for k in range(1, _MARKED_HARMONICS + 1)]
    return tuple(marker for marker in found if marker.frequency_hz <= top_hz)


def values(historian: Historian, *, site: str, machine: str, channel: ChannelRef) -> Values | None:
    """All features of a channel's newest block, None where there is none yet. Raises HistorianError."""
    table = historian.read(
        "feature",
        (*FEATURES, "speed_rpm", "frame"),
        site=site,
        machine=machine,
        point=channel.point,
        channel=channel.channel,
        newest=1,
    )
    if not len(table):
        return None
    newest = {name: number(table.columns[name][-1]) for name in FEATURES}
    rows = tuple(Value(name, _GROUP_OF[name], UNITS[name], value) for name, value in newest.items())
    frame = table.columns["frame"][-1]
    speed = number(table.columns["speed_rpm"][-1])
    return Values(int(table.ts_ns[-1]), rows, speed, None if frame is None else str(frame))
