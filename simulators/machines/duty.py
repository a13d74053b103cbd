"""How a machine is driven: load, speed and rest as functions of time, for any instant."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from simulators.draws import Floats, key_of, uniforms

from .shaft import Wander

LOAD_WANDER = Wander(sd=0.05, tau_s=120.0)
SPEED_WANDER = Wander(sd=0.0015, tau_s=20.0)  # 0.1-0.3 % is usual of asynchronous motors under load

START_S = 25.0
COAST_S = 60.0
"""Run-up of a motor on a drive or with a soft starter, and coasting down."""
SET_POINT_RAMP_S = 45.0
EDGE_S = 0.3
"""In which a rolled bar enters a stand, or a cutter the metal."""


class Regime(StrEnum):
    """What a machine does."""

    STOPPED = "stopped"
    TRANSIENT = "transient"
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Duty:
    """How a kind of machine is loaded: around `mean` (1 = nominal), or in passes between `mean` and `idle`.

    A pass lasts `on_s` seconds on average, the pause after it `off_s`; 0 = no passes. `reversing`: it turns
    the other way in each pass and stands for a moment between. A drive moves the speed between `lowest` and 1
    of the nominal each `set_point_s` where the scenario asks for it.
    """

    mean: float = 0.8
    wander: Wander = LOAD_WANDER
    idle: float = 0.0
    on_s: float = 0.0
    off_s: float = 0.0
    reversing: bool = False
    lowest: float = 1.0
    set_point_s: float = 7200.0

    @property
    def average(self) -> float:
        """Load over many passes."""
        if not self.on_s:
            return self.mean
        return (self.mean * self.on_s + self.idle * self.off_s) / (self.on_s + self.off_s)


@dataclass(frozen=True, slots=True)
class Stops:
    """When a machine stands: windows in seconds since 1970 UTC, and `lasting_s` in each `every_s`."""

    windows: tuple[tuple[float, float], ...] = ()
    every_s: float = 0.0
    lasting_s: float = 0.0
    origin_s: float = 0.0

    def share(self, times_s: Floats) -> Floats:
        """Share of the speed that is left by the stops: 1 running, 0 standing, between while it starts."""
        out = np.ones(times_s.size)
        for start, end in self.windows:
            np.minimum(out, _notch(times_s, start, end), out=out)
        if self.every_s:
            since = (times_s - self.origin_s) % self.every_s
            np.minimum(out, _notch(since, 0.0, self.lasting_s), out=out)
        return out


def _notch(times_s: Floats, start: float, end: float) -> Floats:
    if math.isinf(end):
        return np.asarray(1 - np.clip((times_s - start) / COAST_S, 0, 1))
    knots = (start, start + COAST_S, max(end, start + COAST_S), max(end, start + COAST_S) + START_S)
    return np.interp(times_s, knots, (1.0, 0.0, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Drive:
    """One machine's load and speed over time. Draws are those of `key`; `droop` is its slip at full load."""

    duty: Duty
    nominal_hz: float
    droop: float
    wander: Wander
    key: int
    stops: Stops = field(default_factory=Stops)
    variable: bool = False
    load_factor: float = 1.0

    def running(self, times_s: Floats) -> Floats:
        """Share of the set speed, 0..1: what stops and reversals leave."""
        share = self.stops.share(times_s)
        if self.duty.reversing and self.duty.on_s:
            share = share * np.clip(self._in_pass(times_s, edge_s=3.0), 0, 1)
        return share

    def load(self, times_s: Floats) -> Floats:
        """Load, 1 = nominal, never below 0."""
        duty = self.duty
        level = np.full(times_s.size, duty.mean)
        if duty.on_s:
            level = duty.idle + (duty.mean - duty.idle) * self._in_pass(times_s, edge_s=EDGE_S)
        level += duty.wander.at(times_s, key_of(self.key, "load"))
        return np.maximum(level * self.load_factor, 0.0) * self.stops.share(times_s)

    def average_load(self, times_s: Floats) -> Floats:
        """Load without passes and wander: what a housing's temperature and a bearing's life follow."""
        return self.duty.average * self.load_factor * self.stops.share(times_s)

    def set_point(self, times_s: Floats) -> Floats:
        """What the drive asks for, as a share of the nominal speed."""
        if not self.variable or self.duty.lowest >= 1:
            return np.ones(times_s.size)
        cell = np.floor(times_s / self.duty.set_point_s)
        key, span = key_of(self.key, "set point"), 1 - self.duty.lowest
        now, before = (1 - span * uniforms(key, cell - back) for back in (0, 1))
        since = (times_s - cell * self.duty.set_point_s) / SET_POINT_RAMP_S
        return np.asarray(before + (now - before) * np.clip(since, 0, 1))

    def speed_hz(self, times_s: Floats, load: Floats | None = None) -> Floats:
        """Speed of the machine's shaft, Hz; the nominal speed is that at the mean load."""
        load = self.load(times_s) if load is None else load
        slip = 1 - self.droop * (load - self.duty.mean * self.load_factor)
        wander = 1 + self.wander.at(times_s, key_of(self.key, "speed"))
        return np.asarray(self.nominal_hz * self.set_point(times_s) * self.running(times_s) * slip * wander)

    def regime(self, seconds: float) -> Regime:
        """What the machine does at that time."""
        near = np.array([seconds - 1.0, seconds])
        share = self.running(near)
        if share[1] <= 0:
            return Regime.STOPPED
        steady = share[1] >= 1 and abs(float(np.diff(self.set_point(near))[0])) < 1e-4
        return Regime.RUNNING if steady else Regime.TRANSIENT

    def _in_pass(self, times_s: Floats, *, edge_s: float) -> Floats:
        """1 within a pass, 0 outside it, with edges. Each pass and its pause fill a cell of fixed length."""
        duty = self.duty
        cell_s = duty.on_s + duty.off_s
        cell = np.floor(times_s / cell_s)
        lasting = duty.on_s * (0.7 + 0.6 * uniforms(key_of(self.key, "passes"), cell))
        lasting = np.minimum(lasting, cell_s - 2 * edge_s)
        since = times_s - cell * cell_s
        return np.asarray(np.clip(since / edge_s, 0, 1) * np.clip((lasting - since) / edge_s, 0, 1))
