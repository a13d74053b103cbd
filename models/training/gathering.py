"""From what a historian holds to the blocks that a point is learned from, live and in training alike. Pure.

Rules:
1. What the sensors can't be trusted in is unknown, as it was when it came: a refused block as a whole, under
   a doubt of its cable or mount whatever is not the shaft's.
2. Of blocks within two minutes one is kept: one to learn from before one at rest or in alarm, then the one in
   which most is known.
3. A state holds until the next is told; a temperature for an hour.
4. A nominal speed is no measurement: it tells neither whether a machine turns, nor what its levels follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from models.detection.baseline import SETTLED_AFTER_S
from models.detection.context import Context
from models.detection.measured import ACCELERATION, VELOCITY
from models.detection.monitor import WATCHED
from models.detection.regimes import Regime, classify, relative_change
from models.detection.sensors import LOOSE_MOUNT, SPIKES, TILTED, assess
from models.detection.zones import LimitSet
from models.features.catalogue import NAMES, UNITS
from models.types import BEARING_DEFECTS, MachineSpec, PointSpec, Quantity, Refusal, State, is_ambient

from .dataset import Label, PointHistory

FEATURE: Final[Mapping[str, int]] = {name: i for i, name in enumerate(NAMES)}
"""Column of each feature in what the extractor gives."""

OF_BEARING: Final = tuple(f"{defect}_modulation" for defect in BEARING_DEFECTS)
OF_GEAR: Final = ("mesh_1x_m_s2",)
OF_IMPELLER: Final = ("vane_pass_mm_s",)
OF_MOTOR: Final = ("twice_supply_mm_s",)
OF_BELT: Final = ("belt_mm_s",)

NO_SHOCKS: Final[frozenset[Refusal]] = frozenset({SPIKES, LOOSE_MOUNT, TILTED})
"""Doubts of a sensor under which only the levels of the shaft are believed: peaks, high bands and envelopes
are the cable's or the mount's, and would raise an alarm of the machine for a fault of its sensor."""

OF_SHAFT: Final = np.array([name.endswith("_mm_s") or name == "band_10_100_m_s2" for name in NAMES])
"""Features (n_features of the catalogue) that hold under such a doubt: velocities, orders, below 100 Hz."""

APART_S: Final = 120.0
"""Of blocks closer than this one is kept to learn from: they count once in ten minutes, and a month of three
channels stays below 30 MB."""

HELD_S: Final = 3600.0
"""How long a temperature stands for the housing's: its time constant, and less than any gap of a gateway."""

TEMPERATURE: Final = "temperature_c"
IN_ALARM: Final = frozenset({State.ALERT, State.DANGER})
_NOMINAL: Final = 1e-6  # the relative difference below which a speed is the one that the plant states

Flags = npt.NDArray[np.bool_]
Times = npt.NDArray[np.int64]


class Table(Protocol):
    """Rows in order of time, as a historian gives them: of one point; NaN or None where not known."""

    @property
    def ts_ns(self) -> Times:
        """When, in ns since 1970 UTC."""

    @property
    def channel(self) -> tuple[str, ...]:
        """Of which channel, "" of none."""

    @property
    def columns(self) -> Mapping[str, npt.NDArray[Any] | tuple[str | None, ...]]:
        """Fields by name."""


def features_of(machine: MachineSpec, point: PointSpec, velocity: str = VELOCITY) -> tuple[str, ...]:
    """What is watched of each channel of a point; `velocity` is what its limits are of."""
    more = (
        *((velocity,) if velocity not in WATCHED and velocity in FEATURE else ()),
        *(OF_BEARING if point.bearing is not None else ()),
        *(OF_GEAR if machine.gears else ()),
        *(OF_IMPELLER if machine.impeller is not None else ()),
        *(OF_MOTOR if machine.motor is not None else ()),
        *(OF_BELT if machine.belt is not None else ()),
    )
    return (*WATCHED, *more)


def velocity_of(machine: MachineSpec, point: PointSpec, limits: LimitSet | None) -> str:
    """The velocity that a point's limits are of: slow machines are judged from 2 Hz on."""
    rpm = machine.speed_rpm
    return VELOCITY if limits is None else limits.feature(rpm and rpm / 60 * point.shaft_order)


def measured_hz(machine: MachineSpec, point: PointSpec, shaft_hz: float | None) -> float:
    """The speed of a point's shaft where it was measured, NaN where it is only what the plant states: a
    nominal speed does not tell whether the machine turns, nor what its levels follow.
    """
    if shaft_hz is None or machine.speed_source == "unknown":
        return np.nan if shaft_hz is None else shaft_hz
    nominal = None if machine.speed_rpm is None else machine.speed_rpm / 60 * point.shaft_order
    is_nominal = machine.speed_source == "fixed" and nominal is not None
    return np.nan if is_nominal and abs(shaft_hz - (nominal or 0.0)) <= _NOMINAL * shaft_hz else shaft_hz


@dataclass(frozen=True, slots=True, eq=False)
class _Span:
    """Blocks (k) of one `add`: x (k, n_channels, n_features), each of the others (k,) or (k, q)."""

    time_ns: Times
    x: npt.NDArray[np.float32]
    speed_hz: npt.NDArray[np.float64]
    load: npt.NDArray[np.float64]
    running: Flags
    in_alarm: Flags
    temperature_c: npt.NDArray[np.float64]

    def rows(self, which: npt.NDArray[np.intp]) -> _Span:
        """Some of them."""
        return _Span(*(getattr(self, name)[which] for name in _Span.__slots__))


@dataclass(slots=True, eq=False)
class Gathering:
    """What is gathered of a point: its acceleration channels, with what is watched of each (`features`).

    Of blocks closer than `apart_s` one is kept, with 0 all. Add spans in order of time, of any length.
    """

    site: str
    machine: MachineSpec
    point: PointSpec
    features: tuple[str, ...]
    apart_s: float = APART_S
    _spans: list[_Span] = field(default_factory=list)
    _state: str = ""
    _heat: dict[str, tuple[int, float]] = field(default_factory=dict)

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels whose features are gathered."""
        return tuple(c.id for c in self.point.channels if c.quantity is Quantity.ACCELERATION)

    @property
    def watched(self) -> tuple[str, ...]:
        """The columns that the live detector judges: channel by channel."""
        return tuple(f"{channel}/{feature}" for channel in self.channels for feature in self.features)

    def add(self, features: Table, states: Table, readings: Table | None = None) -> None:
        """A span more: the catalogue's features and "speed_rpm" of each channel, "load_percent" where it is
        known; the field "state" of the point's states; "value" of its slow readings.
        """
        times, place = np.unique(features.ts_ns, return_inverse=True)
        x, rpm, load = self._blocks(features, times, place)
        hz = np.array([self._measured_hz(v) for v in rpm.tolist()], dtype=np.float64)
        self._refuse(x, rpm / 60)
        span = _Span(
            times, x, hz, load,
            _running(x, times, hz), self._in_alarm(times, states), self._heat_at(times, readings),
        )  # fmt: skip
        self._spans.append(span.rows(_apart(times, _worth(span), round(self.apart_s * 1e9))))

    def history(
        self,
        *,
        interventions_s: Sequence[float] = (),
        labels: Sequence[Label] = (),
        columns: Sequence[str] | None = None,
    ) -> PointHistory:
        """Everything gathered: all features of the catalogue of each channel and the temperatures, or only
        `columns` of them. Blocks at rest and in alarm are there, and flagged.
        """
        span = self._whole()
        names = [f"{channel}/{feature}" for channel in self.channels for feature in NAMES]
        units = [*UNITS] * len(self.channels)
        heat = [f"{channel}/{TEMPERATURE}" for channel in self._thermometers]
        every, units = [*names, *heat], [*units, *["°C"] * len(heat)]
        wanted = every if columns is None else list(columns)
        places = [every.index(name) for name in wanted]
        flat = span.x.reshape(len(span.x), len(names))
        x = np.empty((len(flat), len(places)))
        for j, at in enumerate(places):
            x[:, j] = flat[:, at] if at < len(names) else span.temperature_c[:, at - len(names)]
        rates, samples = ({getattr(c, what) for c in self._accelerations} for what in ("fs_hz", "n_samples"))
        return PointHistory(
            self.site, self.machine.id, self.point.id, self.machine.kind,
            tuple(wanted), tuple(units[at] for at in places), x,
            Context(
                span.time_ns / 1e9, span.speed_hz, span.load,
                running=span.running, in_alarm=span.in_alarm, interventions_s=tuple(interventions_s),
            ),
            fs_hz=_the_one(rates), n_samples=int(_the_one(samples)), labels=tuple(labels),
            watched=tuple(name for name in self.watched if name in wanted),
        )  # fmt: skip

    def levels(self, interventions_s: Sequence[float] = ()) -> npt.NDArray[np.float64]:
        """Medians (n_channels, n_features of the catalogue) of what may be learned from; NaN: unknown."""
        span = self._whole()
        return medians(span.x[learnable(span.time_ns / 1e9, span.running, span.in_alarm, interventions_s)])

    def _whole(self) -> _Span:
        if len(self._spans) != 1:
            nothing = _Span(
                np.empty(0, np.int64), np.empty((0, len(self.channels), len(NAMES)), np.float32),
                np.empty(0), np.empty(0), np.empty(0, np.bool_), np.empty(0, np.bool_),
                np.empty((0, len(self._thermometers))),
            )  # fmt: skip
            parts = [nothing, *self._spans]
            joined = (np.concatenate([getattr(p, name) for p in parts]) for name in _Span.__slots__)
            self._spans = [_Span(*joined)]
        return self._spans[0]

    @property
    def _accelerations(self) -> list[Any]:
        return [c for c in self.point.channels if c.quantity is Quantity.ACCELERATION]

    @property
    def _thermometers(self) -> tuple[str, ...]:
        return tuple(
            c.id
            for c in self.point.channels
            if c.quantity is Quantity.TEMPERATURE and not is_ambient(self.point.id, c.id)
        )

    def _blocks(
        self, table: Table, times: Times, place: npt.NDArray[np.intp]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Features (k, n_channels, n_features), speed in r/min and load in % (k,) of the blocks of a span."""
        channels = self.channels
        x = np.full((len(times), len(channels), len(NAMES)), np.nan, dtype=np.float32)
        values = np.column_stack([np.asarray(table.columns[name], dtype=np.float64) for name in NAMES])
        of_channel = np.array([channels.index(c) if c in channels else -1 for c in table.channel], np.intp)
        known = of_channel >= 0
        x[place[known], of_channel[known]] = values[known]
        told = []
        for name in ("speed_rpm", "load_percent"):
            of_block = np.full(len(times), np.nan)
            if name in table.columns:
                of_block[place[known]] = np.asarray(table.columns[name], dtype=np.float64)[known]
            told.append(of_block)
        return x, told[0], told[1]

    def _measured_hz(self, rpm: float) -> float:
        return measured_hz(self.machine, self.point, None if np.isnan(rpm) else rpm / 60)

    def _refuse(self, x: npt.NDArray[np.float32], shaft_hz: npt.NDArray[np.float64]) -> None:
        """Blocks that sensors can't be trusted in are unknown, as they were when they came."""
        for c, spec in enumerate(self._accelerations):
            by_name = dict(zip(NAMES, x[:, c].T, strict=True))
            told = assess(by_name, n_samples=spec.n_samples, fs_hz=spec.fs_hz, speed_hz=shaft_hz)
            x[[refusal is not None for refusal in told.refusals], c] = np.nan
            shocks = told.found[:, [rule in NO_SHOCKS for rule, _ in told.rules]].any(axis=1)
            x[:, c][np.ix_(shocks, ~OF_SHAFT)] = np.nan

    def _in_alarm(self, times: Times, states: Table) -> Flags:
        """Whether the point was in alarm at these times: a state holds until the next is told."""
        told = ["" if s is None else str(s) for s in states.columns["state"]]
        alarm = np.array([state in IN_ALARM for state in (self._state, *told)])
        self._state = told[-1] if told else self._state
        return np.asarray(alarm[np.searchsorted(states.ts_ns, times, side="right")])

    def _heat_at(self, times: Times, readings: Table | None) -> npt.NDArray[np.float64]:
        """The last temperature of each thermometer (k, q) at these times, NaN where it is too old."""
        found = np.full((len(times), len(self._thermometers)), np.nan)
        if readings is None:
            return found
        of = np.array(readings.channel, dtype=np.str_)
        value = np.asarray(readings.columns["value"], dtype=np.float64)
        for j, channel in enumerate(self._thermometers):
            last_ns, last = self._heat.get(channel, (-(2**62), np.nan))
            mine = np.flatnonzero((of == channel) & np.isfinite(value))
            at_ns = np.concatenate(([last_ns], readings.ts_ns[mine]))
            held = np.concatenate(([last], value[mine]))
            before = np.maximum(np.searchsorted(at_ns, times, side="right") - 1, 0)
            found[:, j] = np.where(times - at_ns[before] <= HELD_S * 1e9, held[before], np.nan)
            self._heat[channel] = int(at_ns[-1]), float(held[-1])
        return found


def learnable(
    time_s: npt.NDArray[np.float64], running: Flags, in_alarm: Flags, interventions_s: Sequence[float]
) -> Flags:
    """Blocks (m,) in good health as far as anybody knows: running, calm, interventions settled."""
    usable = running & ~in_alarm
    for done in interventions_s:
        usable = usable & ~((time_s >= done) & (time_s < done + SETTLED_AFTER_S))
    return usable


def medians(x: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Medians of (m, ...) over what is known, NaN where nothing is."""
    known = np.isfinite(x)
    filled = np.sort(np.where(known, x, np.inf), axis=0)
    if not len(filled):
        return np.full(x.shape[1:], np.nan)
    n = known.sum(axis=0)
    low, high = (np.take_along_axis(filled, (np.maximum(n - k, 0) // 2)[None], axis=0)[0] for k in (1, 0))
    return np.where(n > 0, (low.astype(np.float64) + high) / 2, np.nan)


def _running(x: npt.NDArray[np.float32], times: Times, hz: npt.NDArray[np.float64]) -> Flags:
    velocity, acceleration = (
        np.fmax.reduce(x[:, :, FEATURE[name]], axis=1, initial=np.nan) for name in (VELOCITY, ACCELERATION)
    )
    before = np.concatenate(([np.nan], hz[:-1]))
    apart_s = np.concatenate(([np.inf], np.diff(times) / 1e9))
    regime = classify(velocity, acceleration, speed_hz=hz, speed_change=relative_change(hz, before, apart_s))
    return np.asarray(regime == int(Regime.RUNNING))


def _worth(span: _Span) -> npt.NDArray[np.intp]:
    """What a block is worth (k,): how much of it is known; one to learn from more than any other."""
    known = np.count_nonzero(~np.isnan(span.x), axis=(1, 2))
    return np.asarray(known + np.where((known > 0) & span.running & ~span.in_alarm, span.x[0:1].size, 0))


def _apart(times: Times, worth: npt.NDArray[np.intp], apart_ns: int) -> npt.NDArray[np.intp]:
    """Places of the block worth most in each interval, of equal ones the first; none worth nothing."""
    rows = np.flatnonzero(worth)
    if not apart_ns:
        return rows
    interval = times[rows] // apart_ns
    order = np.lexsort((-worth[rows], interval))
    return rows[order[np.unique(interval[order], return_index=True)[1]]]


def _the_one(values: set[Any]) -> float:
    """The value that all have, 0 where they differ or nobody knows."""
    return float(next(iter(values)) or 0) if len(values) == 1 else 0.0
