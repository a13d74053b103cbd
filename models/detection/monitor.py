"""The detector of machine parts: all tests on live blocks, in order of acquisition, one alarm a part. Pure.

`Monitor` holds what parts are judged by, `MonitorState` what was; `step` takes one block of each part, `run`
a stretch of them, and both give the same. Keep a state as text (`to_text`) beside the frame it came from. A
step of hundreds of parts takes a few times as long as that of one: step them together (a part without a block
has no time), and keep the states `of` those that had one.

Rules:
1. A block that is late or not newer than the last advances nothing.
2. In every regime a danger of velocity or temperature is judged: two in a row, 30 s apart. All else is judged
   on running machines only, three in a row (temperature in every regime too: heat outlasts a stop).
3. Each column counts when it is known, at the pace of the baseline (ten minutes): single features three in a
   row, what tells of slow change (EWMA, CUSUM, T², SPE) eighteen, a slope twice.
4. Single features decide alert and danger; low limits and slow change make a watch.
5. Without a baseline, and in a regime it has not seen, the standard's limits judge alone; without these
   either nothing is said.
6. What stands stays until it is calm for six blocks. Blocks that say nothing change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray
from models.types import State

from . import charts as _charts
from .baseline import PACE_S
from .charts import BINS, ChartLimits, Charts
from .decision import STATES, TESTS, Basis, Decision, Level
from .measured import MAY_BE_DANGER, Blocks, Measured, Models, Part, feature_of
from .persistence import (
    ALERT_OF,
    DANGER_APART_S,
    DANGER_OF,
    DEAD_BAND,
    DEAD_BAND_SIGMA,
    DRIFT_OF,
    SLOPE_OF,
    Flags,
    Latches,
    advance,
)
from .plain import decode, encode, from_arrays, to_arrays
from .regimes import Kinds, Regime, classify, relative_change

__all__ = ["TESTS", "WATCHED", "Basis", "Decision", "Level", "Monitor", "MonitorState"]

WATCHED: Final = (
    "velocity_rms_mm_s", "acceleration_rms_m_s2", "crest_factor", "kurtosis", "band_10_100_m_s2",
    "band_1000_2500_m_s2", "band_2500_5000_m_s2", "band_5000_10000_m_s2", "order_1x_mm_s", "order_2x_mm_s",
    "envelope_rms_m_s2", "envelope_modulation",
)  # fmt: skip
"""Features of a channel that tell of most faults and that any rolling bearing has, known speed or not."""

_T = TypeVar("_T", Blocks, Measured)

_STRETCH: Final = 256  # times measured at once by `run`: what is measured takes more than what is decided


_STANDING, _RUNNING = int(Regime.STOPPED), int(Regime.RUNNING)
_LEARNING, _UNKNOWN = STATES.index(State.LEARNING), STATES.index(State.UNKNOWN)
_SAID_OF: Final = np.array(  # by regime, unknown (-1) the last; a running machine has its level
    [STATES.index(s) for s in (State.STOPPED, State.TRANSIENT, State.NORMAL, State.UNKNOWN)], dtype=np.int8
)
_DECISIVE: Final = ("danger", "far", "alert", "hot", "warm")

Singles = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class MonitorState:
    """Everything that n parts remember; arrays (n, ...) only.

    Times are float64; charts float32; means of 6 h float16, whose step of 0.0005 σ no slope sees.
    """

    time_s: DoubleArray
    speed_hz: DoubleArray
    stopped_s: DoubleArray
    counted_s: DoubleArray
    said: npt.NDArray[np.int8]
    level: npt.NDArray[np.int8]
    charts: Charts
    danger: Latches
    near: Latches
    drift: Latches
    slope: Latches
    bin: DoubleArray
    bin_sum: Singles
    bin_count: npt.NDArray[np.int32]
    means: Halves

    def to_text(self) -> str:
        """One line of ASCII that keeps every bit."""
        return encode(to_arrays(self))

    @classmethod
    def from_text(cls, text: str) -> MonitorState:
        """What `to_text` wrote. Raises ValueError for anything else."""
        return from_arrays(cls, decode(text))

    def of(self, parts: Sequence[int]) -> MonitorState:
        """The state of some of the parts: what is to be kept of those that had a block."""
        return from_arrays(
            MonitorState, {name: array[list(parts)] for name, array in to_arrays(self).items()}
        )

    @classmethod
    def joined(cls, states: Sequence[MonitorState]) -> MonitorState:
        """States of parts as one, in their order. Raises ValueError where their columns differ."""
        if not states:
            raise ValueError("states must be one at least, got none")
        each = [to_arrays(state) for state in states]
        return from_arrays(cls, {name: np.concatenate([one[name] for one in each]) for name in each[0]})


class Monitor:
    """Judges n parts that have the same columns `names`. Nothing it keeps changes."""

    def __init__(self, names: Sequence[str], parts: Sequence[Part]) -> None:
        """Raises ValueError where a baseline was learned of other columns, or too much was signed for."""
        self.names, self.parts = tuple(names), tuple(parts)
        for part in parts:
            if part.baseline is not None and part.baseline.names != self.names:
                raise ValueError(
                    f"a baseline must be of the columns {self.names}, got one of {part.baseline.names}"
                )
        self._models = Models(self.parts, self.names)
        n, c = len(parts), len(self.names)
        none = np.full(c, np.nan)
        learned = [p.baseline.charts if p.baseline else ChartLimits(*[none] * 4) for p in parts]
        ewma, cusum, slack, steep = (
            np.array([getattr(one, name) for one in learned]).reshape(n, c) for name in ChartLimits.__slots__
        )
        k = self._models.k
        calm_k = np.minimum((1 - DEAD_BAND) * k, k - DEAD_BAND_SIGMA)
        self._k, self._calm_k = k, calm_k
        self._ewma, self._ewma_calm = k * ewma, calm_k * ewma
        self._cusum = np.maximum(k**2 * cusum, _charts.LEAST_CUSUM)
        self._cusum_calm = np.minimum((1 - DEAD_BAND) * self._cusum, self._cusum - DEAD_BAND_SIGMA)
        self._ceiling = np.nan_to_num(_charts.CEILING * self._cusum).astype(np.float32)
        self._slack = np.nan_to_num(slack).astype(np.float32)
        self._steep, self._steep_calm = k * steep, calm_k * steep
        self._pace = np.array([[p.baseline.pace_s if p.baseline else PACE_S] for p in parts])
        self._warm = np.array([[p.temperature_alert] for p in parts])
        hot = np.array([[p.temperature_danger] for p in parts])
        zone = np.where(self._models.zoned, self._models.danger, np.nan)
        self._danger = np.concatenate((zone, hot), axis=1)
        self._hot_calm, self._warm_calm = (1 - DEAD_BAND) * hot, (1 - DEAD_BAND) * self._warm
        self._floor = np.array([p.floor_m_s2 for p in parts])
        self._unsaid = np.array([_UNKNOWN if p.baseline else _LEARNING for p in parts], dtype=np.int8)
        self._may_be_danger = np.array([feature_of(name) in MAY_BE_DANGER for name in self.names])

    def start(self) -> MonitorState:
        """The state before any block."""
        n, c = len(self.parts), len(self.names)
        nan, code = np.full(n, np.nan), np.zeros(n, dtype=np.int8)
        danger, near, drift, slope = (Latches.start((n, k)) for k in (c + 1, 3 * c + 1, 2 * c + 2, c))
        return MonitorState(
            time_s=nan, speed_hz=nan, stopped_s=nan, counted_s=np.full((n, c + 1), np.nan),
            said=self._unsaid, level=code, charts=_charts.start((n, c), np.float32),
            danger=danger, near=near, drift=drift, slope=slope, bin=nan,
            bin_sum=np.zeros((n, c), np.float32), bin_count=np.zeros((n, c), np.int32),
            means=np.full((n, BINS, c), np.nan, np.float16),
        )  # fmt: skip

    def step(self, state: MonitorState, block: Blocks) -> tuple[MonitorState, Decision]:
        """The state after one block of each part, and what is said then.

        Raises ValueError for blocks or a state of other parts or columns, and for blocks of several times.
        """
        self._check(state)
        one = block.stretch(len(self.parts), len(self.names))
        if len(np.asarray(one.features)) != 1:
            raise ValueError("block must be of one time, got a stretch of them: take run")
        return self._advance(state, _row(one, 0), _row(self._models.measure(one), 0))

    def run(self, state: MonitorState, blocks: Blocks) -> tuple[MonitorState, Decision]:
        """The state after a stretch of blocks in order, and what is said after each.

        Raises ValueError for blocks or a state of other parts or columns, and where there is no block.
        """
        self._check(state)
        all_blocks = blocks.stretch(len(self.parts), len(self.names))
        decisions = []
        for first in range(0, len(np.asarray(all_blocks.features)), _STRETCH):
            some = _row(all_blocks, slice(first, first + _STRETCH))
            measured = self._models.measure(some)
            for t in range(len(np.asarray(some.features))):
                state, decision = self._advance(state, _row(some, t), _row(measured, t))
                decisions.append(decision)
        if not decisions:
            raise ValueError("blocks must hold at least one time, got none")
        return state, Decision(
            *(np.stack([getattr(d, name) for d in decisions]) for name in Decision.__slots__)
        )

    def _check(self, state: MonitorState) -> None:
        n, c = len(self.parts), len(self.names)
        if state.means.shape != (n, BINS, c) or state.time_s.shape != (n,):
            parts, _, columns = state.means.shape
            raise ValueError(
                f"state must be of {n} parts and {c} columns, got one of {parts} and {columns}: start anew"
            )

    def _advance(self, state: MonitorState, block: Blocks, now: Measured) -> tuple[MonitorState, Decision]:
        """One time: everything is computed for all parts, and kept for those that advance."""
        t = np.asarray(block.time_s)
        live = np.asarray(block.live) & ~np.isnan(t) & ~(t <= state.time_s)
        regime = self._regime(state, block, now)
        running = live & (regime == _RUNNING)
        counted = self._counted(state, t, now, running)
        danger = self._dangers(state, now, block, live)
        near = self._near(state, now, block, counted[:, :-1], live)
        slow = self._slow(state, t, now, counted) if counted.any() else state
        level, tests, columns = self._grouped(danger, near, slow.drift, slow.slope)
        basis = self._basis(now, running)
        said = np.where(live, self._said(level, regime, basis), state.said).astype(np.int8)
        after = replace(
            slow,
            time_s=np.where(live, t, state.time_s),
            speed_hz=np.where(live, block.speed_hz, state.speed_hz),
            stopped_s=np.where(live & (regime == _STANDING), t, state.stopped_s),
            counted_s=np.where(counted, t[:, None], state.counted_s),
            said=said, level=level, danger=danger, near=near,
        )  # fmt: skip
        raised = level > state.level
        return after, Decision(live, regime, said, basis, level, raised, tests, columns, now.z, now.alert)

    def _counted(self, state: MonitorState, t: DoubleArray, now: Measured, running: Flags) -> Flags:
        """What counts at the pace, (n, c + 1): each column by itself, and T² with SPE, where it is known.

        A reading of one feature takes the place of no block that brings the others.
        """
        known = np.concatenate((~np.isnan(now.x), ~np.isnan(now.multi[:, :1])), axis=1)
        return np.asarray(known & running[:, None] & ~(t[:, None] - state.counted_s < self._pace))

    def _regime(self, state: MonitorState, block: Blocks, now: Measured) -> Kinds:
        t = np.asarray(block.time_s)
        within = np.asarray(block.speed_change)
        between = relative_change(block.speed_hz, state.speed_hz, t - state.time_s)
        return classify(
            now.velocity,
            now.acceleration,
            speed_hz=block.speed_hz,
            speed_change=np.where(np.isnan(within), between, within),
            current_share=block.current_share,
            temperature_slope_k_per_h=block.temperature_slope_k_per_h,
            since_start_h=(t - state.stopped_s) / 3600,
            floor_m_s2=self._floor,
        )

    def _dangers(self, state: MonitorState, now: Measured, block: Blocks, live: Flags) -> Latches:
        """Velocity in zone D and hot bearings, (n, c + 1), in every regime."""
        value = np.concatenate((now.x, np.asarray(block.temperature_c)[:, None]), axis=1)
        calm = np.concatenate((now.far_calm, self._hot_calm), axis=1)
        known = live[:, None] & ~np.isnan(value) & ~np.isnan(self._danger)
        return advance(
            state.danger, value > self._danger, value < calm, known,
            need=DANGER_OF, time_s=np.asarray(block.time_s)[:, None], apart_s=DANGER_APART_S,
        )  # fmt: skip

    def _near(
        self, state: MonitorState, now: Measured, block: Blocks, counted: Flags, live: Flags
    ) -> Latches:
        """Single features: far above, alert, low; and warm bearings: (n, 3c + 1)."""
        x, warm = now.x, np.asarray(block.temperature_c)[:, None]
        exceeds = np.concatenate((x > now.far, x > now.alert, x < now.low, warm > self._warm), axis=1)
        calm = np.concatenate(
            (x < now.far_calm, x < now.alert_calm, x > now.low_calm, warm < self._warm_calm), axis=1
        )
        known = np.concatenate(
            (
                counted & ~np.isnan(now.far) & ~self._models.zoned,  # there it is the zone's danger
                counted & ~np.isnan(now.alert),
                counted & ~np.isnan(now.low),
                live[:, None] & ~np.isnan(warm) & ~np.isnan(self._warm),
            ),
            axis=1,
        )
        return advance(state.near, exceeds, calm, known, need=ALERT_OF)

    def _slow(self, state: MonitorState, t: DoubleArray, now: Measured, counted: Flags) -> MonitorState:
        """What tells of slow change, after residuals that count: charts, their latches, and slopes."""
        z = np.where(counted[:, :-1], now.z, np.nan).astype(np.float32)
        charts = _charts.advance(state.charts, z, self._slack, self._ceiling)
        drift = self._drifts(state, charts, ~np.isnan(z), np.where(counted[:, -1:], now.multi, np.nan))
        slope, (here, sums, counts, means) = self._slopes(state, t, z)
        return replace(
            state, charts=charts, drift=drift, slope=slope,
            bin=here, bin_sum=sums, bin_count=counts, means=means,
        )  # fmt: skip

    def _drifts(self, state: MonitorState, charts: Charts, known: Flags, multi: DoubleArray) -> Latches:
        """EWMA, CUSUM, T² and SPE: (n, 2c + 2)."""
        ewma, cusum = np.abs(charts.ewma), np.maximum(charts.up, charts.down)
        exceeds = np.concatenate((ewma > self._ewma, cusum > self._cusum, multi > self._k), axis=1)
        calm = np.concatenate(
            (ewma < self._ewma_calm, cusum < self._cusum_calm, multi < self._calm_k), axis=1
        )
        told = np.concatenate((known, known, ~np.isnan(multi)), axis=1)
        return advance(state.drift, exceeds, calm, told, need=DRIFT_OF)

    def _slopes(
        self, state: MonitorState, t: DoubleArray, z: npt.NDArray[np.float32]
    ) -> tuple[Latches, tuple[DoubleArray, Singles, npt.NDArray[np.int32], Halves]]:
        """The slope's latches and (bin, sum, count, means); it is taken when a bin of 6 h is complete."""
        known = ~np.isnan(z)
        some = known.any(axis=1)
        here = np.where(some, np.floor(t / _charts.BIN_S), state.bin)
        steps = np.where(some & ~np.isnan(state.bin), here - state.bin, 0.0)
        over = np.flatnonzero(steps > 0)
        sums, counts, means, latches = state.bin_sum, state.bin_count, state.means, state.slope
        if over.size:
            means = means.copy()
            means[over] = _shifted(means[over], sums[over], counts[over], steps[over])
            latches = self._judge_slopes(latches, means, over)
            fresh = (steps > 0)[:, None]
            sums, counts = np.where(fresh, np.float32(0), sums), np.where(fresh, 0, counts)
        tame = np.where(known, np.clip(z, -_charts.OUTLIER, _charts.OUTLIER), np.float32(0))
        return latches, (here, sums + tame, counts + known, means)

    def _judge_slopes(self, latches: Latches, means: Halves, over: npt.NDArray[np.intp]) -> Latches:
        """The latches after the parts `over` have completed a bin."""
        n, _, c = means.shape
        rise, told = np.full((n, c), np.nan), np.zeros((n, c), dtype=np.bool_)
        of_parts = means[over].astype(np.float64).swapaxes(0, 1).reshape(BINS, -1)
        rise[over], told[over] = (array.reshape(over.size, c) for array in _charts.rises(of_parts))
        known = ~np.isnan(rise) & ~np.isnan(self._steep)
        return advance(latches, told & (rise > self._steep), rise < self._steep_calm, known, need=SLOPE_OF)

    def _grouped(
        self, danger: Latches, near: Latches, drift: Latches, slope: Latches
    ) -> tuple[npt.NDArray[np.int8], Flags, Flags]:
        """Level, tests and columns of each part, from all of its latches."""
        n, c = len(self.parts), len(self.names)
        of_columns = (danger.on[:, :c], near.on[:, :-1], drift.on[:, :-2], slope.on)
        columns = np.concatenate(of_columns, axis=1).reshape(n, -1, c)
        rest = (columns.any(axis=2), drift.on[:, -2:], danger.on[:, -1:], near.on[:, -1:])
        tests = np.concatenate(rest, axis=1)
        zone, far, alert, hot, warm = (tests[:, TESTS.index(name)] for name in _DECISIVE)
        dangers = zone | hot | (columns[:, 1] & self._may_be_danger).any(axis=1)
        watched = np.where(tests.any(axis=1), Level.WATCH, Level.NONE)
        level = np.where(dangers, Level.DANGER, np.where(far | alert | warm, Level.ALERT, watched))
        return level.astype(np.int8), tests, columns

    def _basis(self, now: Measured, running: Flags) -> npt.NDArray[np.int8]:
        statistic = (~np.isnan(now.z)).any(axis=1)
        standard = (self._models.zoned & ~np.isnan(now.x)).any(axis=1)
        without = np.where(standard, Basis.STANDARD, Basis.NONE)
        return np.where(running, np.where(statistic, Basis.BASELINE, without), Basis.NONE).astype(np.int8)

    def _said(
        self, level: npt.NDArray[np.int8], regime: Kinds, basis: npt.NDArray[np.int8]
    ) -> npt.NDArray[np.int8]:
        """The state that people see: danger in every regime; calm and alert only of a running machine."""
        running = np.where((basis == Basis.NONE) & (level == Level.NONE), self._unsaid, level)
        return np.where(level == Level.DANGER, level, np.where(regime == _RUNNING, running, _SAID_OF[regime]))


def _shifted(means: Halves, sums: Singles, counts: npt.NDArray[np.int32], steps: DoubleArray) -> Halves:
    """Means (k, BINS, c) after their bin is complete and the clock has gone on by `steps` bins each."""
    k, _, c = means.shape
    done = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    longer = np.concatenate((means, done[:, None], np.full((k, BINS, c), np.nan)), axis=1)
    places = np.arange(BINS) + np.minimum(steps, BINS + 1).astype(np.int64)[:, None]
    return np.take_along_axis(longer, places[:, :, None], axis=1).astype(np.float16)


def _row(value: _T, t: int | slice) -> _T:
    """One time of a stretch, or some of them."""
    return type(value)(*(getattr(value, name)[t] for name in type(value).__slots__))
