"""Temperature of a bearing housing: its rise over ambient, its slopes, and what ambient, load and speed make.

The model of a machine is T = b0 + b1·T_amb + b2·load + b3·speed, all three through one first-order lag of the
machine's time constant τ (`thermal_lag`), fitted by Huber regression. What is left is the residual: friction
that neither the weather nor the work explains. There is no ISO standard of it; +10 K for half an hour is what
practice looks at, and regreasing alone gives +10 to +15 K for hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.types import Refusal

from .gate import DoubleArray, per_window
from .huber import huber_fit
from .thermal_lag import first_order_lag
from .trend import Slope, check_finite, check_series, check_times, theil_sen

AMBIENT_UNKNOWN: Final = Refusal("ambient_unknown", "give_ambient")
HISTORY_TOO_SHORT: Final = Refusal("history_too_short", "learn_longer")
AMBIENT_CONSTANT: Final = Refusal("ambient_constant", "learn_longer")

LEAST_POINTS: Final = 200
"""Points that a model needs: 50 for each coefficient. In minutes 3.3 h, after the first 3 τ."""

LEAST_AMBIENT_SPAN_K: Final = 2.0
"""The ambient must have moved by so much: below it b1 is fitted to the errors of two sensors."""

LEAST_RELATIVE_SPAN: Final = 0.02
"""Load or speed that moved less than so much of its size is constant: what it does can't be told from b0."""

MARGIN: Final = 0.05
"""Load and speed may leave what the model has seen by so much of their size (one bin of a regime); further
out the machine is in a regime that nobody has seen. The ambient may: its effect is known to be straight."""

SLOPE_WINDOWS_H: Final = (1.0, 24.0, 168.0)
"""Windows of the slopes: a seizure, a day's work, a drift."""

_TAU_H: Final = (0.0, *(2 ** (k / 2) / 12 for k in range(10)))
"""Time constants that are tried first: none, and 5 min to nearly 2 h, each √2 times the last."""

_FINER: Final = tuple(tuple(2 ** (j / parts) for j in (-3, -2, -1, 0, 1, 2, 3)) for parts in (8, 32))
"""Then neighbours of the best one, in steps of 9 %, then of 2 %."""

_SEARCH_POINTS: Final = 2000
"""Points that the search for τ fits, of however many there are: neighbours within τ say the same."""

_AT_ONCE: Final = 1 << 18
"""Samples of temperature in work at a time: some 60 MB with the regressors and their weights."""


def rise_k(temperature_c: npt.ArrayLike, ambient_c: npt.ArrayLike) -> DoubleArray:
    """Rise over ambient in K, elementwise; NaN where either is unknown."""
    return np.asarray(temperature_c, dtype=np.float64) - np.asarray(ambient_c, dtype=np.float64)


def slopes_k_per_h(
    t_h: npt.ArrayLike, temperature_c: npt.ArrayLike, windows_h: tuple[float, ...] = SLOPE_WINDOWS_H
) -> dict[float, Slope]:
    """The slope in K/h of the newest window of each length, by length in hours.

    `t_h` (m,), `temperature_c` (n, m) with NaN for gaps. NaN where the temperatures span less than half of
    the window: two hours tell no weekly drift. Raises ValueError.
    """
    times, values = check_series(t_h, temperature_c, "temperature_c")
    found = {}
    for window in windows_h:
        inside = times > times[-1:].max(initial=-np.inf) - window
        t, y = times[inside], values[:, inside]
        seen = ~np.isnan(y)
        span = np.where(seen, t, -np.inf).max(axis=1, initial=-np.inf) - np.where(seen, t, np.inf).min(
            axis=1, initial=np.inf
        )
        found[window] = theil_sen(t, np.where((span >= window / 2)[:, None], y, np.nan))
    return found


@dataclass(frozen=True, slots=True)
class TemperatureModel:
    """Fitted models of n machines, NaN where a model was refused.

    `coefficients` (n, 4): b0 in °C, then K per K of ambient, per unit of load, per Hz of speed; 0 where a
    regressor was not given or did not vary. `tau_h` (n,): time constant in hours. `sigma_k` (n,): robust
    standard deviation of the residual in K. `points` (n,): values it stands on. `low`, `high` (n, 2): load
    and speed that it has seen (lagged), NaN where not given. `refusals`: why there is none, or None.
    """

    coefficients: DoubleArray
    tau_h: DoubleArray
    sigma_k: DoubleArray
    points: npt.NDArray[np.intp]
    low: DoubleArray
    high: DoubleArray
    refusals: tuple[Refusal | None, ...]

    @classmethod
    def fit(
        cls,
        t_h: npt.ArrayLike,
        temperature_c: npt.ArrayLike,
        ambient_c: npt.ArrayLike | None,
        load: npt.ArrayLike | None = None,
        speed_hz: npt.ArrayLike | None = None,
        *,
        tau_h: npt.ArrayLike | None = None,
    ) -> TemperatureModel:
        """The models of a healthy history.

        `t_h` (m,): hours, strictly rising; `temperature_c` (n, m); `ambient_c`, `load`, `speed_hz` (n, m) or
        (m,), NaN where unknown, None where a machine has no such signal (a machine whose whole row is NaN has
        none either). Standstill is a speed of 0, to be given: the lag remembers it. `tau_h`: time constants
        in hours, one or (n,); None estimates each on a grid from 0 and 5 min to 2 h, by the least mean
        absolute residual. Raises ValueError.
        """
        times, warm = check_series(t_h, temperature_c, "temperature_c")
        u = _regressors(warm.shape, ambient_c, load, speed_hz)
        n, m = warm.shape
        tau = None if tau_h is None else _given_tau(tau_h, n)
        parts = []
        for first in range(0, max(n, 1), max(1, _AT_ONCE // max(m, 1))):
            rows = slice(first, first + max(1, _AT_ONCE // max(m, 1)))
            parts.append(_fit(times, warm[rows], u[rows], None if tau is None else tau[rows]))
        return parts[0] if len(parts) == 1 else _joined(parts)

    def predict(
        self,
        t_h: npt.ArrayLike,
        ambient_c: npt.ArrayLike | None,
        load: npt.ArrayLike | None = None,
        speed_hz: npt.ArrayLike | None = None,
    ) -> DoubleArray:
        """The temperature in °C that each model expects, (n, m), from what `fit` was given.

        NaN in the first 3 τ, of which the lag's memory is not known: hand it so much history. NaN as well
        where a regressor of the model is unknown, or load or speed is not what the model has seen, or the
        model was refused. Raises ValueError.
        """
        n, times = len(self.points), check_times(t_h)
        given = np.concatenate((np.ones((n, 1), dtype=bool), ~np.isnan(self.low)), axis=1)
        u = np.where(given[:, None], _regressors((n, times.size), ambient_c, load, speed_hz), 0.0)
        lagged = _lagged(times, u, np.nan_to_num(self.tau_h))
        size = np.maximum(np.abs(self.low), np.abs(self.high)) * MARGIN
        work = lagged[..., 1:]
        strange = (work < (self.low - size)[:, None]) | (work > (self.high + size)[:, None])
        warm = self.coefficients[:, :1] + (lagged @ self.coefficients[:, 1:, None])[..., 0]
        return np.where(strange.any(axis=2), np.nan, warm)

    def residual(
        self,
        t_h: npt.ArrayLike,
        temperature_c: npt.ArrayLike,
        ambient_c: npt.ArrayLike | None,
        load: npt.ArrayLike | None = None,
        speed_hz: npt.ArrayLike | None = None,
    ) -> DoubleArray:
        """Measured minus expected temperature in K, (n, m), NaN as in `predict`; `sigma_k` is its noise."""
        times, warm = check_series(t_h, temperature_c, "temperature_c")
        if len(warm) != len(self.points):
            raise ValueError(f"temperature_c must hold {len(self.points)} machines, got {len(warm)}")
        return warm - self.predict(times, ambient_c, load, speed_hz)


def _fit(times: DoubleArray, warm: DoubleArray, u: DoubleArray, tau: DoubleArray | None) -> TemperatureModel:
    """The models of a few machines at once."""
    n, m = warm.shape
    absent = np.asarray(np.isnan(u).all(axis=1))
    if m < LEAST_POINTS:
        return _refused(n, [AMBIENT_UNKNOWN if row[0] else HISTORY_TOO_SHORT for row in absent])
    u = np.where(absent[:, None] & (np.arange(3) > 0), 0.0, u)
    if tau is None:
        tau = _estimated_tau(times, warm, u)
    lagged = _lagged(times, u, tau)
    known = ~(np.isnan(warm) | np.isnan(lagged).any(axis=2) | np.isnan(tau)[:, None])
    points = known.sum(axis=1)
    low, high = _range(lagged, known)
    intercept, slopes, sigma = huber_fit(_varying(lagged, low, high), np.where(known, warm, np.nan))
    refusals = [
        AMBIENT_UNKNOWN if absent[k, 0]
        else HISTORY_TOO_SHORT if points[k] < LEAST_POINTS
        else AMBIENT_CONSTANT if not high[k, 0] - low[k, 0] >= LEAST_AMBIENT_SPAN_K
        else None
        for k in range(n)
    ]  # fmt: skip
    refused = np.array([refusal is not None for refusal in refusals], dtype=bool)
    no_range = (absent | refused[:, None])[:, 1:]
    return TemperatureModel(
        np.where(refused[:, None], np.nan, np.column_stack((intercept, slopes))),
        np.where(refused, np.nan, tau),
        np.where(refused, np.nan, sigma),
        points,
        np.where(no_range, np.nan, low[:, 1:]),
        np.where(no_range, np.nan, high[:, 1:]),
        tuple(refusals),
    )


def _estimated_tau(times: DoubleArray, warm: DoubleArray, u: DoubleArray) -> DoubleArray:
    """The time constant of each machine in hours, (n,): the candidate with the least mean |residual|.

    NaN where too few of the points that are looked at are known.
    """
    n, m = warm.shape
    best, least = np.full(n, np.nan), np.full(n, np.inf)

    def attempt(tau: DoubleArray) -> None:
        lagged = _lagged(times, u, tau)[:, thin]
        known = ~(np.isnan(y) | np.isnan(lagged).any(axis=2))
        x = _varying(lagged, *_range(lagged, known))
        intercept, slopes, _ = huber_fit(x, np.where(known, y, np.nan))
        off = np.abs(y - intercept[:, None] - (x @ slopes[..., None])[..., 0])
        count = known.sum(axis=1)
        mean = np.where(known, off, 0).sum(axis=1) / np.maximum(count, 1)
        better = (count >= LEAST_POINTS // 2) & (mean < least)
        best[better], least[better] = tau[better], mean[better]

    thin = slice(None, None, max(1, m // _SEARCH_POINTS))
    y = warm[:, thin]
    for candidate in _TAU_H:
        attempt(np.full(n, candidate))
    for factors in _FINER:
        around = best.copy()
        for factor in factors:
            attempt(around * factor)
    return best


def _lagged(times: DoubleArray, u: DoubleArray, tau: DoubleArray) -> DoubleArray:
    """Regressors (n, m, 3) through the lag of each machine."""
    return np.stack([first_order_lag(times, u[..., k], tau) for k in range(u.shape[2])], axis=2)


def _range(lagged: DoubleArray, known: npt.NDArray[np.bool_]) -> tuple[DoubleArray, DoubleArray]:
    """Quantiles 1 % and 99 % of each regressor over the known times, both (n, 3), NaN without any."""
    rising = np.sort(np.where(known[..., None], lagged, np.nan), axis=1)
    last = np.maximum(known.sum(axis=1) - 1, 0)
    ends = (
        np.take_along_axis(rising, np.rint(q * last).astype(int)[:, None, None], axis=1) for q in (0.01, 0.99)
    )
    low, high = (end[:, 0] for end in ends)
    return low, high


def _varying(lagged: DoubleArray, low: DoubleArray, high: DoubleArray) -> DoubleArray:
    """The regressors with those that hardly vary set to 0, so that they get no coefficient."""
    size = np.maximum(np.abs(low), np.abs(high))
    constant = (high - low <= LEAST_RELATIVE_SPAN * size) & (np.arange(3) > 0)
    return np.where(constant[:, None], 0.0, lagged)


def _regressors(
    shape: tuple[int, ...],
    ambient_c: npt.ArrayLike | None,
    load: npt.ArrayLike | None,
    speed_hz: npt.ArrayLike | None,
) -> DoubleArray:
    """Ambient, load and speed as (n, m, 3), NaN where unknown, or ValueError."""
    u = np.full((*shape, 3), np.nan)
    for k, (name, value) in enumerate((("ambient_c", ambient_c), ("load", load), ("speed_hz", speed_hz))):
        if value is None:
            continue
        array = np.asarray(value, dtype=np.float64)
        if array.shape not in (shape, shape[1:]):
            raise ValueError(f"{name} must have the shape {shape} or {shape[1:]}, got {array.shape}")
        check_finite(name, array)
        u[..., k] = array
    return u


def _given_tau(tau_h: npt.ArrayLike, n: int) -> DoubleArray:
    tau = per_window("tau_h", tau_h, n)
    wrong = ~np.isfinite(tau) | (tau < 0)
    if wrong.any():
        raise ValueError(f"tau_h must be finite hours of 0 or more, got {tau[wrong][0]:g}")
    return tau


def _refused(n: int, refusals: list[Refusal]) -> TemperatureModel:
    nan = np.full(n, np.nan)
    two = np.full((n, 2), np.nan)
    return TemperatureModel(
        np.full((n, 4), np.nan), nan, nan.copy(), np.zeros(n, dtype=np.intp), two, two.copy(), tuple(refusals)
    )


def _joined(parts: list[TemperatureModel]) -> TemperatureModel:
    return TemperatureModel(
        coefficients=np.concatenate([part.coefficients for part in parts]),
        tau_h=np.concatenate([part.tau_h for part in parts]),
        sigma_k=np.concatenate([part.sigma_k for part in parts]),
        points=np.concatenate([part.points for part in parts]),
        low=np.concatenate([part.low for part in parts]),
        high=np.concatenate([part.high for part in parts]),
        refusals=tuple(refusal for part in parts for refusal in part.refusals),
    )
