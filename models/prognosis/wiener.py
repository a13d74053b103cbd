"""(b) The Wiener process with drift, on three scales of time, its drift updated by a Kalman filter.

A process of level z and drift μ moves by μΔ + σ√Δ·N(0, 1); it reaches a distance d for the first time after
an inverse gaussian time of mean d/μ and standard deviation √(dσ²/μ³). With a gaussian drift μ ~ N(m, c²)
the distribution stays closed (Whitmore 1986; Si et al., EJOR 226 (2013) 53-66):

    F(t) = Φ((mt − d)/√V) + e^(2md/σ² + 2c²d²/σ⁴)·Φ(−(mt + d + 2c²dt/σ²)/√V),   V = σ²t + c²t²,

whose second term is ½·erfcx(z/√2)·e^(−(mt − d)²/2V), which does not overflow. It is given that the
threshold is reached at all (a truncated drift).

Scales: the logarithm of the rise over time (damage that feeds itself, Λ = e^(bt) − 1), and the level itself
over Λ = t^b. How much of what is seen is the process and how much is noise of the measurement is not known:
a grid of ratios stands for it. Every pair of scale and ratio is filtered, and weighs as it foretold the
course.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.special import erfcx, ndtr, ndtri

from models.features.gate import DoubleArray

from .courses import BoolArray
from .exponential import PRIOR_POINTS, Slope
from .window import Window

RATIOS: Final = (0.03, 0.5, 4.0, 32.0)
"""Variance of the process over the whole span, in variances of the noise of a bin."""

POWERS: Final = (1.0, 2.0, 3.0)
"""Exponents b of the time scale t^b: a constant, a linearly and a quadratically growing rate."""

LOGARITHMIC: Final = 0.8
"""Probability beforehand that damage feeds itself, which spalls, cracks and wear with play do; the rest is
shared by the powers."""

KEPT: Final = 6
"""Processes of a row whose distribution is computed: the seventh of sixteen never weighed a hundredth."""

_NODES: Final = 5
_X, _W = np.polynomial.legendre.leggauss(_NODES)
_WEIGHT: Final = _W / 2

PROCESS_FACTOR: Final = 1.5
"""Standard deviation of the logarithm of a process' variance among machines of a class: a factor of 4.5."""

_DIFFUSE: Final = 100.0
"""Variance of a drift of which nothing is known: ten times what the course rose over its span, squared."""

_TINY: Final = 1e-12


def first_passage(
    t: DoubleArray, distance: DoubleArray, drift: DoubleArray, var_drift: DoubleArray, diffusion: DoubleArray
) -> DoubleArray:
    """P(T ≤ t | T is finite) of a Wiener process with gaussian drift; arguments broadcast.

    `distance` > 0, `diffusion` = σ² per unit of time, `var_drift` = c². All in the unit of `t`. A diffusion
    of 0 is a straight line of unknown slope.
    """
    s2 = np.maximum(diffusion, np.maximum(_TINY * drift**2, 1e-60))
    c2 = np.maximum(var_drift, 0.0)
    time = np.maximum(t, 1e-300)
    v = np.maximum(s2 * time + c2 * time**2, 1e-300)
    ahead = np.clip((drift * time - distance) / np.sqrt(v), -1e150, 1e150)
    z = np.minimum((drift * time + distance + 2 * c2 * distance * (time / s2)) / np.sqrt(v), 1e150)
    reached = ndtr(ahead) + _returned(z, -(ahead**2) / 2)
    return np.clip(np.where(t > 0, reached / _ever(distance, drift, c2, s2), 0.0), 0.0, 1.0)


def _ever(distance: DoubleArray, drift: DoubleArray, c2: DoubleArray, s2: DoubleArray) -> DoubleArray:
    """P(T is finite): 1 for a drift known to be positive."""
    c = np.sqrt(np.maximum(c2, 1e-300))
    z = np.minimum((drift + 2 * c2 * distance / s2) / c, 1e150)
    ever = ndtr(drift / c) + _returned(z, -(np.minimum(np.abs(drift) / c, 1e150) ** 2) / 2)
    return np.maximum(ever, 1e-12)


def _returned(z: DoubleArray, exponent: DoubleArray) -> DoubleArray:
    positive = np.maximum(z, 0.0)
    stable = 0.5 * erfcx(positive / np.sqrt(2)) * np.exp(exponent)
    # z < 0 needs a falling drift; the plain form is then small enough to be computed.
    plain = np.exp(np.minimum(exponent + np.minimum(z, 0.0) ** 2 / 2, 0.0)) * ndtr(-z)
    return np.asarray(np.where(z >= 0, stable, plain), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Wiener:
    """Filtered processes, all (n, k): distance to the threshold, drift, their covariance and the diffusion,
    per unit of the scale's own time; `power` the exponent of that time, 0 for the logarithm; `weight`."""

    distance: DoubleArray
    drift: DoubleArray
    var_level: DoubleArray
    var_drift: DoubleArray
    covariance: DoubleArray
    diffusion: DoubleArray
    weight: DoubleArray
    power: DoubleArray

    def likeliest(self, kept: int) -> Wiener:
        """The processes of most weight of each row, weighing 1 together."""
        rows = np.arange(len(self.weight))[:, None]
        best = np.argsort(-self.weight, axis=1, kind="stable")[:, :kept]
        parts = [getattr(self, name)[rows, best] for name in self.__slots__]
        found = Wiener(*parts)
        return replace(found, weight=found.weight / np.maximum(found.weight.sum(1, keepdims=True), 1e-300))

    def cdf(self, t: DoubleArray) -> DoubleArray:
        """P(threshold reached by t | not yet, some day), t (n, q) in spans -> (n, q)."""
        total = np.zeros_like(t)
        for k in range(self.weight.shape[1]):
            total += self.weight[:, k, None] * self._one(k, t)
        return total

    def _one(self, k: int, t: DoubleArray) -> DoubleArray:
        power = self.power[:, k, None]
        time = np.where(power == 0, t, np.expm1(np.maximum(power, 1.0) * np.log1p(t)))
        sd = np.sqrt(self.var_level[:, k])
        # The level now is between quantiles of its posterior below the threshold: the machine has not failed.
        share = ndtr(self.distance[:, k] / np.maximum(sd, 1e-300))
        shift = sd[:, None] * ndtri(1 - share[:, None] * (1 - (_X + 1) / 2))
        away = np.maximum(self.distance[:, k, None] + shift, _TINY)
        safe = np.maximum(self.var_level[:, k], 1e-300)
        pull = np.where(self.var_level[:, k] > 0, self.covariance[:, k] / safe, 0)
        drift = self.drift[:, k, None] - pull[:, None] * shift
        spare = np.maximum(self.var_drift[:, k] - pull * self.covariance[:, k], 0.0)
        found = first_passage(
            time[:, :, None],
            away[:, None, :],
            drift[:, None, :],
            spare[:, None, None],
            self.diffusion[:, k, None, None],
        )
        return np.asarray(found @ _WEIGHT, dtype=np.float64)


def fit(window: Window, prior: Slope, process: DoubleArray | None = None) -> Wiener:
    """All processes of each row. `prior` is of the slope of the logarithm; `process` (n,) the variance of the
    logarithm's own walk per span, from the class's history, None where there is none."""
    found = [_filter(window, 0.0, ratio, prior, process) for ratio in RATIOS]
    free = Slope.unknown(len(prior.mean))
    found += [_filter(window, power, ratio, free, None) for power in POWERS for ratio in RATIOS]
    level, drift, p00, p01, p11, diffusion, score = (
        np.stack(part, axis=1) for part in zip(*found, strict=True)
    )
    power = np.repeat((0.0, *POWERS), len(RATIOS))
    score = score + np.where(power == 0, np.log(LOGARITHMIC), np.log((1 - LOGARITHMIC) / len(POWERS)))
    best = np.max(score, axis=1, keepdims=True)
    weight = np.exp(score - np.where(np.isfinite(best), best, 0.0))
    goal = np.where(power == 0, window.goal_y[:, None], window.goal_x[:, None])
    return Wiener(
        distance=goal - level,
        drift=drift,
        var_level=p00,
        var_drift=p11,
        covariance=p01,
        diffusion=diffusion,
        weight=weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-300),
        power=np.broadcast_to(power.astype(np.float64), level.shape),
    )


@dataclass(frozen=True, slots=True)
class _State:
    """Level and drift of each row, their covariance in units of the noise scale, and how well it foretold:
    `energy` = Σ e²/S and `log_s` = Σ ln S of the innovations after the first value. All (n,)."""

    level: DoubleArray
    drift: DoubleArray
    p00: DoubleArray
    p01: DoubleArray
    p11: DoubleArray
    energy: DoubleArray
    log_s: DoubleArray

    def moved(self, step: DoubleArray, q: DoubleArray) -> _State:
        return replace(
            self,
            level=self.level + self.drift * step,
            p00=self.p00 + step * (2 * self.p01 + step * self.p11) + q * step,
            p01=self.p01 + step * self.p11,
        )

    def measured(self, y: DoubleArray, r: DoubleArray, seen: BoolArray) -> _State:
        error, s = np.where(seen, y - self.level, 0.0), np.where(seen, self.p00 + r, 1.0)
        k0, k1 = np.where(seen, self.p00 / s, 0.0), np.where(seen, self.p01 / s, 0.0)
        return _State(
            level=self.level + k0 * error,
            drift=self.drift + k1 * error,
            p00=self.p00 - k0 * self.p00,
            p01=self.p01 - k0 * self.p01,
            p11=self.p11 - k1 * self.p01,
            energy=self.energy + error**2 / s,
            log_s=self.log_s + np.log(s),
        )


def _filter(
    window: Window, power: float, ratio: float, prior: Slope, process: DoubleArray | None
) -> tuple[DoubleArray, ...]:
    """One scale and one ratio: level, drift, covariance, diffusion and log evidence (n,) of each row."""
    logs, seen = power == 0, window.risen
    y = np.where(seen, window.y if logs else window.x, 0.0)
    r = np.where(seen, window.var_y if logs else window.var_x, 1.0)
    time = window.t if power in (0.0, 1.0) else np.maximum(1 + window.t, 0.0) ** power - 1
    n, rows = seen.sum(axis=1), np.arange(len(y))
    q = ratio * np.sort(np.where(seen, r, np.inf), axis=1)[rows, np.maximum(n - 1, 0) // 2]
    q = np.where(n > 0, q, 1.0)
    first = np.where(n > 0, seen.argmax(axis=1), 0)
    highest, lowest = (f(np.where(seen, y, y[rows, first][:, None]), axis=1) for f in (np.max, np.min))
    free = _DIFFUSE * np.maximum(highest - lowest, _TINY) ** 2
    informed = np.isfinite(prior.variance)
    nothing = np.zeros(len(y))
    state = _State(
        level=y[rows, first],
        drift=np.where(informed, prior.mean, 0.0),
        p00=r[rows, first],
        p01=nothing,
        p11=np.where(informed, prior.variance, free),
        energy=nothing,
        log_s=nothing,
    )
    last = time[rows, first]
    for j in range(1, y.shape[1]):
        use = seen[:, j] & (j > first)
        at = np.where(use, time[:, j], last)
        state, last = state.moved(at - last, q).measured(y[:, j], r[:, j], use), at
    state = state.moved(-last, q)
    freedom = np.maximum(n - 2, 1)
    scale = (PRIOR_POINTS + state.energy) / (PRIOR_POINTS + freedom)
    scale = np.maximum(scale, 1.0)
    evidence = -0.5 * state.log_s - 0.5 * (PRIOR_POINTS + freedom) * np.log(PRIOR_POINTS + state.energy)
    # The same course is foretold on both scales: the logarithm's derivative, of all values but the first.
    foretold = y.sum(axis=1) - y[rows, first]
    evidence = np.where(n > 2, evidence - (foretold if logs else 0.0), -np.inf)
    diffusion = q * scale
    if process is not None:
        unlikely = np.log(np.maximum(diffusion, 1e-300) / process) / PROCESS_FACTOR
        evidence = evidence - 0.5 * np.where(np.isfinite(unlikely), unlikely, 0.0) ** 2
    # The use to come is not that of the past: a walk of the clock, seen through the drift.
    unsteady = state.drift**2 * window.wander
    p00, p01, p11 = (part * scale for part in (state.p00, state.p01, state.p11))
    diffusion = diffusion + unsteady * max(power, 1.0)
    return state.level, state.drift, p00, p01, p11 + unsteady, diffusion, evidence
