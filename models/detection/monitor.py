"""The detector of machine parts: all tests on live blocks, in order of acquisition, one alarm a part. Pure.

`Monitor` holds what parts are judged by, `MonitorState` what was; `step` takes one block of each part, `run`
a stretch of them, and both give the same. Keep a state as text (`to_text`) beside the frame it came from. A
step of hundreds of parts takes a few times as long as that of one: step together those that have a block
(`Monitor.of` and `MonitorState.of` are some of the parts).

Rules:
1. A block that is late or not newer than the last advances nothing.
2. In every regime a danger of velocity or temperature is judged: two in a row, 30 s apart. All else is judged
   on running machines only, three in a row (temperature in every regime too: heat outlasts a stop; but not
   what it is beside its model, which is of a running machine).
3. Each column counts when it is known, at the pace of the baseline (ten minutes): single features three in a
   row, what tells of slow change (EWMA, CUSUM, T², SPE) eighteen, a slope twice. So does the residual of a
   temperature: three in a row are the half hour that practice asks for.
4. Single features decide alert and danger; low limits and slow change make a watch.
5. Without a baseline, and in a regime it has not seen, the standard's limits judge alone; without these
   either nothing is said.
6. What stands stays until it is calm for six blocks. Blocks that say nothing change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray
from models.types import State

from . import charts as _charts
from .charts import BINS, Charts
from .decision import STATES, TESTS, Basis, Decision, Level
from .measured import MAY_BE_DANGER, Blocks, Measured, Models, Part, Some, feature_of, some_of
from .monitor_limits import OF_COLUMNS, Layout, Limits
from .persistence import DANGER_APART_S, Flags, Latches, advance
from .plain import decode, encode, from_arrays, to_arrays
from .regimes import Kinds, Regime, classify, relative_change

__all__ = ["TESTS", "WATCHED", "Basis", "Decision", "Level", "Monitor", "MonitorState"]

WATCHED: Final = (
    "velocity_rms_mm_s", "acceleration_rms_m_s2", "crest_factor", "kurtosis", "band_10_100_m_s2",
    "band_1000_2500_m_s2", "band_2500_5000_m_s2", "band_5000_10000_m_s2", "order_1x_mm_s", "order_2x_mm_s",
    "envelope_rms_m_s2", "envelope_modulation",
)  # fmt: skip
"""Features of a channel that tell of most faults and that any rolling bearing has, known speed or not."""

_STRETCH: Final = 256  # times measured at once by `run`: what is measured takes more than what is decided


_STANDING, _RUNNING = int(Regime.STOPPED), int(Regime.RUNNING)
_SAID_OF: Final = np.array(  # by regime, unknown (-1) the last; a running machine has its level
    [STATES.index(s) for s in (State.STOPPED, State.TRANSIENT, State.NORMAL, State.UNKNOWN)], dtype=np.int8
)
_DANGER, _FAR, _ALERT, _LOW, _EWMA, _CUSUM, _SLOPE = range(OF_COLUMNS)  # as in TESTS
_HOT, _WARM = TESTS.index("hot"), TESTS.index("warm")
_OFF, _FAR_OFF = TESTS.index("residual"), TESTS.index("residual_danger")

_OF_NOTHING, _OF_STANDARD = np.int8(Basis.NONE), np.int8(Basis.STANDARD)
_OUTLIER, _NOTHING = np.float32(_charts.OUTLIER), np.float32(0)
_CALM, _ENDS = int(Level.NONE), int(Level.DANGER)

Singles = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class MonitorState:
    """Everything that n parts remember; arrays (n, ...) only.

    Times are float64; charts float32; means of 6 h float16, whose step of 0.0005 σ no slope sees. `latches`
    are in the order of `monitor_limits.Layout`.
    """

    time_s: DoubleArray
    speed_hz: DoubleArray
    stopped_s: DoubleArray
    counted_s: DoubleArray
    said: npt.NDArray[np.int8]
    level: npt.NDArray[np.int8]
    charts: Charts
    latches: Latches
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
        self.names = tuple(names)
        for part in parts:
            if part.baseline is not None and part.baseline.names != self.names:
                raise ValueError(
                    f"a baseline must be of the columns {self.names}, got one of {part.baseline.names}"
                )
        self._models = Models(parts, self.names)
        self._limits = Limits.of_parts(parts, self._models, len(self.names))
        self._layout = Layout(len(self.names))
        self._need = self._layout.need()
        self._may_be_danger = np.array([feature_of(name) in MAY_BE_DANGER for name in self.names])

    def __len__(self) -> int:
        """How many parts."""
        return len(self._limits.floor)

    def of(self, parts: Some) -> Monitor:
        """The monitor of some of the parts: what it costs goes by theirs, not by those left out."""
        chosen = copy(self)
        chosen._models = self._models.of(parts)
        chosen._limits = some_of(self._limits, parts)
        return chosen

    def start(self) -> MonitorState:
        """The state before any block."""
        n, c, layout = len(self), len(self.names), self._layout
        nan, code = np.full(n, np.nan), np.zeros(n, dtype=np.int8)
        return MonitorState(
            time_s=nan, speed_hz=nan, stopped_s=nan, counted_s=np.full((n, c + 2), np.nan),
            said=self._limits.unsaid, level=code, charts=_charts.start((n, c), np.float32),
            latches=Latches.start((n, layout.size), layout.lasting), bin=nan,
            bin_sum=np.zeros((n, c), np.float32), bin_count=np.zeros((n, c), np.int32),
            means=np.full((n, BINS, c), np.nan, np.float16),
        )  # fmt: skip

    def step(self, state: MonitorState, block: Blocks) -> tuple[MonitorState, Decision]:
        """The state after one block of each part, and what is said then.

        Raises ValueError for blocks or a state of other parts or columns, and for blocks of several times.
        """
        self._check(state)
        one = block.stretch(len(self), len(self.names))
        if len(np.asarray(one.features)) != 1:
            raise ValueError("block must be of one time, got a stretch of them: take run")
        return self._advance(state, some_of(one, 0), some_of(self._models.measure(one), 0))

    def run(self, state: MonitorState, blocks: Blocks) -> tuple[MonitorState, Decision]:
        """The state after a stretch of blocks in order, and what is said after each.

        Raises ValueError for blocks or a state of other parts or columns, and where there is no block.
        """
        self._check(state)
        all_blocks = blocks.stretch(len(self), len(self.names))
        decisions = []
        for first in range(0, len(np.asarray(all_blocks.features)), _STRETCH):
            some = some_of(all_blocks, slice(first, first + _STRETCH))
            measured = self._models.measure(some)
            for t in range(len(np.asarray(some.features))):
                state, decision = self._advance(state, some_of(some, t), some_of(measured, t))
                decisions.append(decision)
        if not decisions:
            raise ValueError("blocks must hold at least one time, got none")
        return state, Decision(
            *(np.stack([getattr(d, name) for d in decisions]) for name in Decision.__slots__)
        )

    def _check(self, state: MonitorState) -> None:
        n, c = len(self), len(self.names)
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
        known = ~np.isnan(now.x)
        off = np.asarray(block.residual_k)[:, None]
        counted = self._counted(state, t, now, (known, ~np.isnan(off)), running)
        c = known.shape[1]
        z = np.where(counted[:, :c], now.z, np.nan).astype(np.float32)
        charts = _charts.advance(state.charts, z, self._limits.slack, self._limits.ceiling)
        here, sums, counts, means, slopes = self._binned(state, t, z)
        tests = _Tests.of(len(self), self._layout)
        self._near(tests, now, known, counted[:, :c], live)
        self._hot(tests, np.asarray(block.temperature_c)[:, None], live)
        self._off(tests, off, counted[:, -1:], running[:, None])
        self._drifts(tests, charts, ~np.isnan(z), np.where(counted[:, c : c + 1], now.multi, np.nan))
        if slopes.size:
            self._slopes(tests, means, slopes)
        latches = advance(
            state.latches, tests.exceeds, tests.calm, tests.known,
            need=self._need, time_s=t[:, None], apart_s=DANGER_APART_S,
        )  # fmt: skip
        level, on, columns = self._grouped(latches.on)
        basis = self._basis(now, known, running)
        said = np.where(live, self._said(level, regime, basis), state.said)
        after = MonitorState(
            time_s=np.where(live, t, state.time_s),
            speed_hz=np.where(live, block.speed_hz, state.speed_hz),
            stopped_s=np.where(live & (regime == _STANDING), t, state.stopped_s),
            counted_s=np.where(counted, t[:, None], state.counted_s),
            said=said, level=level, charts=charts, latches=latches,
            bin=here, bin_sum=sums, bin_count=counts, means=means,
        )  # fmt: skip
        raised = level > state.level
        return after, Decision(live, regime, said, basis, level, raised, on, columns, now.z, now.alert)

    def _counted(
        self,
        state: MonitorState,
        t: DoubleArray,
        now: Measured,
        known: tuple[Flags, Flags],
        running: Flags,
    ) -> Flags:
        """What counts at the pace, (n, c + 2): each column by itself, T² with SPE, and the residual of the
        temperature, where it is known.

        A reading of one feature takes the place of no block that brings the others.
        """
        counted = ~(t[:, None] - state.counted_s < self._limits.pace)
        counted &= running[:, None]
        counted[:, :-2] &= known[0]
        counted[:, -2] &= ~np.isnan(now.multi[:, 0])
        counted[:, -1:] &= known[1]
        return counted

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
            floor_m_s2=self._limits.floor,
        )

    def _near(self, tests: _Tests, now: Measured, known: Flags, counted: Flags, live: Flags) -> None:
        """Single features: the zone's danger in every regime, and far above, alert and low."""
        x, danger = now.x, self._limits.danger
        tests.put(_DANGER, x > danger, x < now.far_calm, live[:, None] & known & ~np.isnan(danger))
        # Where there is a zone, what is far is its danger.
        far = counted & ~np.isnan(now.far) & ~self._models.zoned
        tests.put(_FAR, x > now.far, x < now.far_calm, far)
        tests.put(_ALERT, x > now.alert, x < now.alert_calm, counted & ~np.isnan(now.alert))
        tests.put(_LOW, x < now.low, x > now.low_calm, counted & ~np.isnan(now.low))

    def _hot(self, tests: _Tests, temperature: DoubleArray, live: Flags) -> None:
        """Hot and warm bearings, in every regime: heat outlasts a stop."""
        limits, known = self._limits, live[:, None] & ~np.isnan(temperature)
        if not known.any():
            return
        ends = (
            (slice(0, 1), limits.hot, limits.hot_calm),
            (slice(self._layout.size - 2, self._layout.size - 1), limits.warm, limits.warm_calm),
        )
        for place, limit, calm in ends:
            tests.put_at(place, temperature > limit, temperature < calm, known & ~np.isnan(limit))

    def _off(self, tests: _Tests, residual: DoubleArray, counted: Flags, running: Flags) -> None:
        """Temperatures beside their models: half an hour of it alerts, twice as much is a danger."""
        limits, known = self._limits, running & ~np.isnan(residual)
        if not known.any():
            return
        ends = (
            (slice(1, 2), limits.off_danger, limits.off_danger_calm, known),
            (slice(self._layout.size - 1, None), limits.off_alert, limits.off_alert_calm, counted),
        )
        for place, limit, calm, told in ends:
            tests.put_at(place, residual > limit, residual < calm, told & ~np.isnan(limit))

    def _drifts(self, tests: _Tests, charts: Charts, known: Flags, multi: DoubleArray) -> None:
        """EWMA, CUSUM, T² and SPE, after residuals that are `known` to count."""
        limits, place = self._limits, self._layout.multi
        ewma, cusum = np.abs(charts.ewma), np.maximum(charts.up, charts.down)
        tests.put(_EWMA, ewma > limits.ewma, ewma < limits.ewma_calm, known)
        tests.put(_CUSUM, cusum > limits.cusum, cusum < limits.cusum_calm, known)
        tests.exceeds[:, place], tests.calm[:, place] = multi > limits.k, multi < limits.k_calm
        tests.known[:, place] = ~np.isnan(multi)

    def _binned(
        self, state: MonitorState, t: DoubleArray, z: Singles
    ) -> tuple[DoubleArray, Singles, npt.NDArray[np.int32], Halves, npt.NDArray[np.intp]]:
        """(bin, sum, count, means) of 6 h after residuals that count, and the parts that completed a bin."""
        known = ~np.isnan(z)
        some = known.any(axis=1)
        here = np.where(some, np.floor(t / _charts.BIN_S), state.bin)
        over = np.flatnonzero(here > state.bin)
        sums, counts, means = state.bin_sum, state.bin_count, state.means
        if over.size:
            means, steps = means.copy(), here[over] - state.bin[over]
            means[over] = _shifted(means[over], sums[over], counts[over], steps)
            sums, counts = sums.copy(), counts.copy()
            sums[over], counts[over] = 0, 0
        tame = np.minimum(np.maximum(z, -_OUTLIER), _OUTLIER)
        return here, sums + np.where(known, tame, _NOTHING), counts + known, means, over

    def _slopes(self, tests: _Tests, means: Halves, over: npt.NDArray[np.intp]) -> None:
        """The slopes of the parts `over`, which have completed a bin: no other is taken."""
        of_parts = means[over].astype(np.float64).swapaxes(0, 1).reshape(BINS, -1)
        rise, told = _charts.rises(of_parts)
        rise, told = rise.reshape(over.size, -1), told.reshape(over.size, -1)
        steep, calm = self._limits.steep[over], self._limits.steep_calm[over]
        place = self._layout.of(_SLOPE)
        tests.exceeds[over, place], tests.calm[over, place] = told & (rise > steep), rise < calm
        tests.known[over, place] = ~np.isnan(rise) & ~np.isnan(steep)

    def _grouped(self, on: Flags) -> tuple[npt.NDArray[np.int8], Flags, Flags]:
        """Level, tests and columns of each part, from all of its latches."""
        n, layout = len(on), self._layout
        columns = on[:, layout.columns].reshape(n, OF_COLUMNS, -1)
        tests = np.empty((n, len(TESTS)), dtype=np.bool_)
        tests[:, :OF_COLUMNS] = columns.any(axis=2)
        tests[:, OF_COLUMNS:_HOT] = on[:, layout.multi]
        tests[:, _HOT], tests[:, _FAR_OFF] = on[:, 0], on[:, 1]
        tests[:, _WARM], tests[:, _OFF] = on[:, -2], on[:, -1]
        level = np.where(tests.any(axis=1), np.int8(Level.WATCH), np.int8(Level.NONE))
        if level.any():
            far = (columns[:, _FAR] & self._may_be_danger).any(axis=1)
            level[tests[:, _FAR] | tests[:, _ALERT] | tests[:, _WARM] | tests[:, _OFF]] = Level.ALERT
            level[tests[:, _DANGER] | tests[:, _HOT] | tests[:, _FAR_OFF] | far] = Level.DANGER
        return level, tests, columns

    def _basis(self, now: Measured, known: Flags, running: Flags) -> npt.NDArray[np.int8]:
        basis = np.where((self._models.zoned & known).any(axis=1), _OF_STANDARD, _OF_NOTHING)
        basis[~np.isnan(now.z).all(axis=1)] = Basis.BASELINE
        return np.where(running, basis, _OF_NOTHING)

    def _said(
        self, level: npt.NDArray[np.int8], regime: Kinds, basis: npt.NDArray[np.int8]
    ) -> npt.NDArray[np.int8]:
        """The state that people see: danger in every regime; calm and alert only of a running machine."""
        running = np.where((basis == _OF_NOTHING) & (level == _CALM), self._limits.unsaid, level)
        return np.where((level == _ENDS) | (regime == _RUNNING), running, _SAID_OF[regime])


@dataclass(frozen=True, slots=True)
class _Tests:
    """What one block says to each test of n parts: arrays (n, tests) in the order of the layout."""

    exceeds: Flags
    calm: Flags
    known: Flags
    layout: Layout

    @classmethod
    def of(cls, n: int, layout: Layout) -> _Tests:
        """Before anything is put: nothing is known."""
        exceeds, calm, known = np.zeros((3, n, layout.size), dtype=np.bool_)
        return cls(exceeds, calm, known, layout)

    def put(self, test: int, exceeds: Flags, calm: Flags, known: Flags) -> None:
        """What the columns say to one of their seven tests."""
        self.put_at(self.layout.of(test), exceeds, calm, known)

    def put_at(self, place: slice, exceeds: Flags, calm: Flags, known: Flags) -> None:
        """What is said to the tests at a place of the layout."""
        self.exceeds[:, place], self.calm[:, place], self.known[:, place] = exceeds, calm, known


def _shifted(means: Halves, sums: Singles, counts: npt.NDArray[np.int32], steps: DoubleArray) -> Halves:
    """Means (k, BINS, c) after their bin is complete and the clock has gone on by `steps` bins each."""
    k, _, c = means.shape
    done = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    longer = np.concatenate((means, done[:, None], np.full((k, BINS, c), np.nan)), axis=1)
    places = np.arange(BINS) + np.minimum(steps, BINS + 1).astype(np.int64)[:, None]
    return np.take_along_axis(longer, places[:, :, None], axis=1).astype(np.float16)
