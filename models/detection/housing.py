"""How warm a bearing's housing should be, block by block: the model of a history, and what it remembers.

The model is that of `models.features.temperature`: ambient, load and speed through the housing's lag, fitted
to hourly means of good health. Here it goes on from block to block, of n housings at once: of the past it has
to keep one lagged value of each cause. What is left of the temperature, the residual in K, is friction that
neither the weather nor the work explains.

Rules:
1. No ambient, no model: the weather is the greatest of what warms a housing, and nobody guesses it. Refused.
2. Load and speed further out than what was learned are a regime that nobody has seen: nothing is said. The
   weather may go further, its effect is straight.
3. A cause that was not told for `MOST_GAP_H` is forgotten, and nothing is said until 95 % of the lag's
   memory, three time constants, are known again.
4. A probe of the air that fails is no weather: what no air has, what leaps and what stands still to the last
   digit for hours counts as not told. It would make a hot bearing of a broken wire, or hide one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray
from models.features.temperature import MARGIN, TemperatureModel
from models.features.thermal_lag import LEAST_KNOWN
from models.types import Refusal

if TYPE_CHECKING:  # the page draws these limits, and does without the SciPy behind the detectors
    from .measured import Some

ALERT_K: Final = 10.0
"""Above what is expected for half an hour: common practice, for there is no standard of it."""

DANGER_K: Final = 20.0

MOST_GAP_H: Final = 1.5
"""Between two blocks a cause is a straight line up to here: machines are measured hourly or more often."""

AIR_C: Final = (-40.0, 80.0)
"""No air beside a machine that people look after is outside; broken and short-circuited probes are."""

STUCK_H: Final = 4.0
"""A probe that tells one value so long is stuck. Before that even a day that swings by 18 K moves by 9 K."""

LEAP_K: Final = 9.0
"""Further from the last that was believed than air goes in `STUCK_H`, and less than what alerts."""

LEAP_H: Final = 6.0
"""How long a leap is doubted: until a dead value is known to be stuck; then it is another place or season."""

CAUSES: Final = 3
"""Ambient in °C, load in percent, speed in Hz."""


@dataclass(frozen=True, slots=True, eq=False)
class Housing:
    """A model of one housing. `coefficients` (4,): °C, then K per K of ambient, per percent of load, per Hz.

    `tau_h` its time constant in hours, `sigma_k` the spread of the residual, `low` and `high` (2,) the load
    and speed that it has seen, NaN where not given; `points` hours that it stands on.
    """

    coefficients: DoubleArray
    tau_h: float
    sigma_k: float
    low: DoubleArray
    high: DoubleArray
    points: int

    @classmethod
    def fit(
        cls,
        t_h: npt.ArrayLike,
        temperature_c: npt.ArrayLike,
        ambient_c: npt.ArrayLike,
        load: npt.ArrayLike | None = None,
        speed_hz: npt.ArrayLike | None = None,
    ) -> Housing | Refusal:
        """The model of a healthy history at hours `t_h` (m,), strictly rising; each of the others (m,), NaN
        where unknown. Refusal as `TemperatureModel`: no ambient, too short, too even. Raises ValueError.
        """
        warm = np.asarray(temperature_c, dtype=np.float64)[None]
        found = TemperatureModel.fit(t_h, warm, _of_air(t_h, ambient_c), load, speed_hz)
        refusal = found.refusals[0]
        if refusal is not None:
            return refusal
        return cls(
            found.coefficients[0],
            float(found.tau_h[0]),
            float(found.sigma_k[0]),
            found.low[0],
            found.high[0],
            int(found.points[0]),
        )

    def limits(self, z: float) -> tuple[float, float]:
        """Alert and danger of the residual in K: practice, or `z` and z + 2 of its own spread where that is
        more.
        """
        return max(ALERT_K, z * self.sigma_k), max(DANGER_K, (z + 2) * self.sigma_k)


@dataclass(frozen=True, slots=True, eq=False)
class HousingState:
    """What n housings remember of their causes (n, 3): when each was last told (hours), what it was, its
    lagged sum, and how much of its memory is known; and what the probe of the air tells (n, 2): since when
    (hours), and what, believed or not. NaN before the first.
    """

    time_h: DoubleArray
    cause: DoubleArray
    lagged: DoubleArray
    known: DoubleArray
    probe: DoubleArray

    @classmethod
    def start(cls, n: int) -> HousingState:
        """Nothing is remembered."""
        nan, zero = np.full((n, CAUSES), np.nan), np.zeros((n, CAUSES))
        return cls(nan, nan.copy(), zero, zero.copy(), np.full((n, 2), np.nan))


class Housings:
    """The models of n housings, None where there is none. Nothing it keeps changes."""

    def __init__(self, models: Sequence[Housing | None]) -> None:
        n = len(models)
        self._b = np.full((n, CAUSES + 1), np.nan)
        self._tau = np.full((n, 1), np.nan)
        self._low, self._high = np.full((2, n, CAUSES), np.nan)
        for k, model in enumerate(models):
            if model is not None:
                self._b[k], self._tau[k] = model.coefficients, model.tau_h
                self._low[k, 1:], self._high[k, 1:] = model.low, model.high
        self._margin = MARGIN * np.fmax(np.abs(self._low), np.abs(self._high))
        self._given = ~np.isnan(self._low)
        self._given[:, 0] = ~np.isnan(self._tau[:, 0])

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self._given.any())

    def of(self, which: Some) -> Housings:
        """Those of some of the housings."""
        some = object.__new__(Housings)
        for name in ("_b", "_tau", "_low", "_high", "_margin", "_given"):
            setattr(some, name, getattr(self, name)[which])
        return some

    def step(
        self,
        state: HousingState,
        time_s: DoubleArray,
        temperature_c: DoubleArray,
        causes: DoubleArray,
    ) -> tuple[HousingState, DoubleArray]:
        """The state after one block of each housing, and the residuals (n,) in K, NaN where nothing is known.

        `time_s` and `temperature_c` (n,), `causes` (n, 3): ambient in °C, load in percent, speed in Hz (0 at
        standstill: the lag remembers it). A cause that is not newer than the last advances nothing.
        """
        t = np.broadcast_to(time_s[:, None] / 3600.0, causes.shape)
        probe, causes = _probed(state, t[:, 0], causes)
        told = ~np.isnan(causes) & self._given & ~np.isnan(t) & ~(t <= state.time_h)
        after = replace(self._advanced(state, t, np.where(told, causes, state.cause), told), probe=probe)
        now = told | ~self._given
        sure = after.known >= LEAST_KNOWN
        slow = self._tau > 0
        felt = np.where(sure, after.lagged / np.where(sure, after.known, 1.0), np.nan)
        felt = np.where(slow, felt, causes)
        strange = self._given & ((felt < self._low - self._margin) | (felt > self._high + self._margin))
        used = np.where(self._given, felt, 0.0)
        expected = self._b[:, 0] + (used * self._b[:, 1:]).sum(axis=1)
        bad = strange.any(axis=1) | ~now.all(axis=1)
        return after, np.where(bad, np.nan, temperature_c - expected)

    def _advanced(
        self, state: HousingState, t: DoubleArray, u: DoubleArray, told: npt.NDArray[np.bool_]
    ) -> HousingState:
        """Exact for what is straight between two times (see `thermal_lag.first_order_lag`)."""
        first = np.isnan(state.time_h)
        dt = np.where(told & ~first, t - state.time_h, np.nan)
        tau = np.where(self._tau > 0, self._tau, 1.0)
        decay = np.exp(-dt / tau)
        newer = 1 - (1 - decay) * tau / dt
        near = dt <= MOST_GAP_H
        gained = np.where(near, (1 - decay - newer) * state.cause + newer * u, 0.0)
        lagged = decay * state.lagged + gained
        known = decay * state.known + np.where(near, 1 - decay, 0.0)
        new = told & ~first
        return HousingState(
            np.where(told, t, state.time_h),
            u,
            np.where(new, lagged, state.lagged),
            np.where(new, known, state.known),
            state.probe,
        )


def _probed(state: HousingState, t_h: DoubleArray, causes: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """What the probes of the air tell after a block, (n, 2), and the causes (n, 3) that are believed."""
    air, since, before = causes[:, 0], state.probe[:, 0], state.probe[:, 1]
    newer = ~np.isnan(air) & ~(t_h <= since)
    changed = newer & ~(air == before)
    probe = np.where(changed[:, None], np.column_stack((t_h, air)), state.probe)
    stuck = t_h - probe[:, 0] >= STUCK_H
    leaps = (np.abs(air - state.cause[:, 0]) > LEAP_K) & (t_h - state.time_h[:, 0] <= LEAP_H)
    doubted = stuck | leaps | (air < AIR_C[0]) | (air > AIR_C[1])
    return probe, np.column_stack((np.where(doubted, np.nan, air), causes[:, 1:]))


def _of_air(t_h: npt.ArrayLike, ambient_c: npt.ArrayLike) -> DoubleArray:
    """The ambient (m,) of a history, NaN where it is what no air has, or stood still for `STUCK_H`."""
    times, air = np.asarray(t_h, dtype=np.float64), np.asarray(ambient_c, dtype=np.float64)
    if times.shape != air.shape or not air.size:
        return air
    run = np.cumsum(np.concatenate(([True], air[1:] != air[:-1]))) - 1
    first = np.flatnonzero(np.diff(run, prepend=-1))
    last = np.append(first[1:] - 1, len(run) - 1)
    stuck = (times[last] - times[first] >= STUCK_H)[run]
    return np.where(stuck | (air < AIR_C[0]) | (air > AIR_C[1]), np.nan, air)
