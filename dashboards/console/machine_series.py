"""The machine page's trends beside the one of a feature: families of features, warmth, events, life. Each
reads the historian a few times.

Times are ns of plant time; a missing number is None, so that it becomes `null` in JSON and a gap in a chart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypedDict

import numpy as np
import numpy.typing as npt

from models import types
from models.features.catalogue import CATALOGUE
from models.features.temperature import AMBIENT_UNKNOWN
from models.types import MachineSpec, Quantity, Refusal
from palier.historian.base import Historian
from palier.historian.rows import HOUR_NS

from .context import Window
from .machine_judgement import Life
from .overview import TEMPERATURE_UNIT
from .series import UNITS, ChannelRef, Trend, trend
from .snapshot import MachineData, number, text

BANDS: Final = (
    "band_1000_2500_m_s2", "band_2500_5000_m_s2", "band_5000_10000_m_s2", "band_10000_20000_m_s2",
    "envelope_rms_m_s2",
)  # fmt: skip
"""Where bearings, grease and cavitation are heard, and the band that is demodulated."""

SENSOR: Final = (
    *(spec.name for spec in CATALOGUE if spec.domain == "quality"),
    "mean_m_s2",
)
"""What tells of a sensor rather than of its machine."""

MOST_FLAGS: Final = 40
"""Flags over a trend: more would cover it. The newest are kept."""

MOST_EVENTS: Final = 1000
"""Newest events of a machine among which flags are looked for: of one that changes each hour, six weeks."""

FALL_TIMES: Final = 40
FALL_LINES: Final = 240
"""Spectra and lines of a waterfall: as many as a screen has rows and columns to tell apart."""

HISTORY_NS: Final = 30 * 24 * HOUR_NS
"""What of a course is shown before a fan."""


class _Of(TypedDict):
    site: str
    machine: str


@dataclass(frozen=True, slots=True)
class Named:
    """A trend and what it is of: a feature's name, or the channel of a reading."""

    name: str
    ref: ChannelRef
    trend: Trend
    ambient: bool = False


@dataclass(frozen=True, slots=True)
class Flag:
    """Something that happened: its kind and state are keys of the locale. `differs` is what contradicts the
    most where features and waveform do: channel and feature, as told, as computed.
    """

    ts_ns: int
    kind: str
    state: str
    point: str
    who: str = ""
    differs: tuple[str, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Warmth:
    """By how much the housing of a point was warmer than expected, as it was judged; where nothing is known
    of it, the probe that is `missing` (whether it was learned only the records know)."""

    trend: Trend
    missing: Refusal | None = None

    @property
    def known(self) -> bool:
        """Whether there is any value."""
        return any(value is not None for value in self.trend.mean)


@dataclass(frozen=True, slots=True)
class Fall:
    """Spectra one behind the other: times (ns), frequencies, and amplitudes (times x frequencies)."""

    times_ns: tuple[int, ...]
    frequency_hz: tuple[float, ...]
    amplitude: npt.NDArray[np.float64]
    kind: str


@dataclass(frozen=True, slots=True)
class MachineSeries:
    """Reads the series of one machine. Every method raises HistorianError."""

    historian: Historian
    site: str
    machine: str

    @property
    def of(self) -> _Of:
        """Whose series are read."""
        return {"site": self.site, "machine": self.machine}

    def features(self, ref: ChannelRef, names: Sequence[str], window: Window) -> list[Named]:
        """The trends of some features of a channel; those without any value are left out."""
        found = [Named(name, ref, self._trend(ref, name, UNITS.get(name, "r/min"), window)) for name in names]
        return [one for one in found if any(v is not None for v in one.trend.mean)]

    def readings(self, refs: Sequence[tuple[ChannelRef, str]], window: Window) -> list[Named]:
        """The trends of some slow channels, each with its unit."""
        return [
            Named(
                f"{ref.point}/{ref.channel}",
                ref,
                trend(
                    self.historian, measurement="reading", field="value", unit=unit, **self.of,
                    channel=ref, start_ns=window.start_ns, end_ns=window.end_ns,
                ),
                is_ambient(ref),
            )
            for ref, unit in refs
        ]  # fmt: skip

    def health(self, points: Sequence[str], window: Window) -> list[Named]:
        """The health index of the machine ("") and of points."""
        found = [
            Named(
                point,
                ChannelRef(point, ""),
                trend(
                    self.historian, measurement="health", field="health_index", unit="1", **self.of,
                    channel=ChannelRef(point, ""), start_ns=window.start_ns, end_ns=window.end_ns,
                ),
            )
            for point in points
        ]  # fmt: skip
        return [one for one in found if one.trend.times_ns]

    def warmth(self, data: MachineData, point: str, window: Window) -> Warmth:
        """The temperature of a point that neither weather nor work explains, as the ingest judged it."""
        found = Warmth(
            trend(
                self.historian, measurement="score", field="residual_k", unit="K", **self.of,
                channel=ChannelRef(point, ""), start_ns=window.start_ns, end_ns=window.end_ns,
            )
        )  # fmt: skip
        if found.known:
            return found
        refs = temperatures(data)
        if not any(ref.point == point and not is_ambient(ref) for ref in refs):
            return replace(found, missing=Refusal("no_data", "check_sensor"))
        return found if any(map(is_ambient, refs)) else replace(found, missing=AMBIENT_UNKNOWN)

    def flags(self, point: str, window: Window) -> list[Flag]:
        """What happened at a point, or to its machine as a whole, in a window: the newest last."""
        table = self.historian.read(
            "event",
            ("kind", "state", "previous", "detail"),
            **self.of,
            start_ns=window.start_ns,
            end_ns=window.end_ns,
            newest=MOST_EVENTS,
        )
        found = []
        for i in range(len(table)):
            kind, state = text(table.columns["kind"][i]) or "", text(table.columns["state"][i]) or ""
            if table.point[i] not in ((point,) if kind == "state" else ("", point)):
                continue  # the machine's state follows from those of its points
            detail = _detail(table.columns["detail"][i])
            what = str(detail.get("what") or state) if kind == "alarm" else state
            if kind in FLAGGED and what in FLAGGED[kind]:
                who = str(detail.get("who") or detail.get("user") or "")
                at_ns, differs = int(table.ts_ns[i]), _differs(detail)
                found.append(Flag(at_ns, kind, what, table.point[i], who, differs))
        once = {(flag.ts_ns, flag.kind, flag.state): flag for flag in found}
        return list(once.values())[-MOST_FLAGS:]

    def waterfall(self, ref: ChannelRef, window: Window, what: str) -> Fall | None:
        """The spectra kept in a window, on one raster of frequencies; None where there is none. `what` is
        "spectrum" or "envelope"."""
        table = self.historian.read(
            what,
            ("frequency_hz", "amplitude", "kind"),
            **self.of,
            point=ref.point,
            channel=ref.channel,
            start_ns=window.start_ns,
            end_ns=window.end_ns,
            newest=FALL_TIMES * 400,
        )
        if not len(table):
            return None
        hz = np.asarray(table.columns["frequency_hz"], dtype=np.float64)
        height = np.asarray(table.columns["amplitude"], dtype=np.float64)
        kinds = table.columns["kind"]
        times, place = np.unique(table.ts_ns, return_inverse=True)
        top = min(float(np.nanmax(hz)), 1000.0)
        edges = np.linspace(0, top, FALL_LINES + 1)
        column = np.searchsorted(edges, hz, side="right") - 1
        inside = (column >= 0) & (column < FALL_LINES) & np.isfinite(height)
        drawn = np.zeros((len(times), FALL_LINES))
        np.maximum.at(drawn, (place[inside], column[inside]), height[inside])
        keep = slice(-FALL_TIMES, None)
        middle = (edges[:-1] + edges[1:]) / 2
        kind = text(kinds[-1]) or ""
        return Fall(tuple(int(ts) for ts in times[keep]), tuple(float(f) for f in middle), drawn[keep], kind)

    def kept_lines(
        self, ref: ChannelRef, what: str, at_ns: int | None
    ) -> tuple[int, str, list[float], list[float | None]] | None:
        """(time, kind, frequencies, amplitudes) of the last spectrum kept at `at_ns` or before, or None."""
        table = self.historian.read(
            what,
            ("frequency_hz", "amplitude", "kind"),
            **self.of,
            point=ref.point,
            channel=ref.channel,
            end_ns=None if at_ns is None else at_ns + 1,
            newest=400,
        )
        if not len(table):
            return None
        last = int(table.ts_ns[-1])
        rows = sorted(
            (number(table.columns["frequency_hz"][i]) or 0.0, number(table.columns["amplitude"][i]))
            for i in range(len(table))
            if int(table.ts_ns[i]) == last
        )
        return last, text(table.columns["kind"][-1]) or "", [f for f, _ in rows], [a for _, a in rows]

    def course(self, point: str, life: Life) -> Trend | None:
        """What grows, before a life was asked for; None where the row does not name it."""
        channel, _, feature = (life.leading or "").rpartition("/")
        if feature not in UNITS or not channel:
            return None
        window = Window("30d", life.ts_ns - HISTORY_NS, life.ts_ns + 1)
        return self._trend(ChannelRef(point, channel), feature, UNITS[feature], window)

    def nearest(
        self, ref: ChannelRef, names: Sequence[str], at_ns: int | None
    ) -> tuple[int, dict[str, float | None]] | None:
        """(time, values by name) of the newest block at a time or before, or None."""
        table = self.historian.read(
            "feature",
            names,
            **self.of,
            point=ref.point,
            channel=ref.channel,
            end_ns=None if at_ns is None else at_ns + 1,
            newest=1,
        )
        if not len(table):
            return None
        return int(table.ts_ns[-1]), {name: number(table.columns[name][-1]) for name in names}

    def _trend(self, ref: ChannelRef, field: str, unit: str, window: Window) -> Trend:
        return trend(
            self.historian, measurement="feature", field=field, unit=unit, **self.of,
            channel=ref, start_ns=window.start_ns, end_ns=window.end_ns,
        )  # fmt: skip


def is_ambient(ref: ChannelRef) -> bool:
    """Whether a temperature is that of the air."""
    return types.is_ambient(ref.point, ref.channel)


def temperatures(data: MachineData) -> list[ChannelRef]:
    """The channels that bring temperatures, the air's last."""
    refs = [ChannelRef(row.point, row.channel) for row in data.readings if row.unit == TEMPERATURE_UNIT]
    return sorted(refs, key=is_ambient)


def loads(spec: MachineSpec | None, data: MachineData) -> list[tuple[ChannelRef, str]]:
    """The channels that bring a load or a measured speed, with their units."""
    known = {
        ChannelRef(point.id, channel.id)
        for point in (spec.points if spec else ())
        for channel in point.channels
        if channel.quantity in (Quantity.LOAD, Quantity.SPEED)
    }
    return [
        (ref, row.unit)
        for row in data.readings
        if (ref := ChannelRef(row.point, row.channel)) in known or row.unit in ("%", "r/min")
    ]


FLAGGED: Final = {
    "state": ("watch", "alert", "danger", "stopped"),
    "alarm": ("raised", "escalated"),
    "intervention": (
        "greasing", "tightening", "bearing_changed", "balancing", "alignment", "tool_change", "other",
    ),
    "baseline": ("learning", "learned", "confirmed"),
    "contradiction": ("differs",),
}  # fmt: skip
"""Events that are flagged, by kind: what changed for the worse, and what people did."""


def _differs(detail: Mapping[str, object]) -> tuple[str, float, float] | None:
    """The first of the differences that the event of a contradiction tells, the largest."""
    told = detail.get("differences")
    try:
        first = told[0] if isinstance(told, list) else {}
        name = f"{first['channel']}/{first['feature']}"
        return name, float(first["told"]), float(first["computed"])
    except (IndexError, KeyError, TypeError, ValueError):
        return None


def _detail(value: object) -> dict[str, object]:
    try:
        found = json.loads(str(value)) if value else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
