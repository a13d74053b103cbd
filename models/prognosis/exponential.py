"""(a) The log-linear model: ln(x − φ) = θ + βt + ε, with a gaussian conjugate prior on β from the class's
history.

The posterior of (θ, β) is gaussian, θ being the level now. A rising line crosses the threshold by τ with
probability Φ((θ|β + βτ − L)/s): its mean over β > 0 is the distribution of the remaining life (Gebraeel et
al., IIE Trans. 37 (2005) 543-557; truncated as Si et al., IEEE Trans. Reliab. 62 (2013)), here by
Gauss-Legendre quadrature over the quantiles of β, so without sampling. Jumps that the window holds go on at
their rate and widen s with time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtr, ndtri

from models.features.gate import DoubleArray

from .window import Window

NODES: Final = 24
"""Nodes over the quantiles of β: the 10 % and 90 % quantiles of the mixture are then good to 0.3 %."""

PRIOR_POINTS: Final = 4.0
"""Bins that the stated noise is worth against the residuals: a fit through few bins is never as good as it
looks."""

JUMP: Final = 4.0
"""Robust deviations of a step between bins that make it a jump: one step in 16,000 of a gaussian."""

_X, _W = np.polynomial.legendre.leggauss(NODES)
_P: Final = (_X + 1) / 2
_WEIGHT: Final = _W / 2


@dataclass(frozen=True, slots=True)
class Slope:
    """What is known of β beforehand, per span of the row: mean and variance (n,), inf where nothing is."""

    mean: DoubleArray
    variance: DoubleArray

    @classmethod
    def unknown(cls, n: int) -> Slope:
        """No knowledge."""
        return cls(np.zeros(n), np.full(n, np.inf))


@dataclass(frozen=True, slots=True)
class Exponential:
    """The posterior: level now and slope (n,) in logarithms, their covariance, variance per span of what
    comes besides: jumps as those that were seen, and a use that varies.

    `r2` is the weighted share of the variance that the line explains; `jumps` the number of jumps seen.
    """

    level: DoubleArray
    slope: DoubleArray
    var_level: DoubleArray
    var_slope: DoubleArray
    covariance: DoubleArray
    walk: DoubleArray
    goal: DoubleArray
    r2: DoubleArray
    jumps: DoubleArray
    log_likelihood: DoubleArray

    def cdf(self, t: DoubleArray) -> DoubleArray:
        """P(threshold reached by t | it is not yet, β > 0), t (n, q) in spans -> (n, q)."""
        sd = np.sqrt(np.maximum(self.var_slope, 1e-300))
        below = ndtr(-self.slope / sd)
        p = below[:, None] + (1 - below)[:, None] * _P
        beta = self.slope[:, None] + sd[:, None] * ndtri(np.clip(p, 1e-300, 1 - 1e-16))
        beta = np.maximum(beta, 1e-12)
        pull = np.where(self.var_slope > 0, self.covariance / np.maximum(self.var_slope, 1e-300), 0.0)
        level = self.level[:, None] + pull[:, None] * (beta - self.slope[:, None])
        rest = np.maximum(self.var_level - pull * self.covariance, 1e-18)
        gap = self.goal[:, None] - level
        start = _crossed(gap, rest[:, None])
        spread = rest[:, None, None] + self.walk[:, None, None] * t[:, :, None]
        reached = _crossed(gap[:, None, :] - beta[:, None, :] * t[:, :, None], spread)
        given = (reached - start[:, None, :]) @ _WEIGHT / np.maximum((1 - start) @ _WEIGHT, 1e-12)[:, None]
        return np.clip(given, 0.0, 1.0)


def _crossed(gap: DoubleArray, variance: DoubleArray) -> DoubleArray:
    return np.asarray(ndtr(-gap / np.sqrt(variance)), dtype=np.float64)


def fit(window: Window, prior: Slope) -> Exponential:
    """The posterior of each row; a row with fewer than two risen bins comes out NaN."""
    weight = np.where(window.risen, 1 / np.where(window.risen, window.var_y, 1.0), 0.0)
    t, y = np.where(window.risen, window.t, 0.0), np.where(window.risen, window.y, 0.0)
    n = window.risen.sum(axis=1)
    s0, s1, s2 = weight.sum(1), (weight * t).sum(1), (weight * t * t).sum(1)
    sy, sty = (weight * y).sum(1), (weight * t * y).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        free = s0 * s2 - s1**2
        plain = (s0 * sty - s1 * sy) / free
        start = (sy - plain * s1) / s0
        left = y - start[:, None] - plain[:, None] * t
        energy = (weight * left**2).sum(1)
        # Noise does not fall while damage grows: never less than what is stated.
        scale = (PRIOR_POINTS + energy * _memory(left, weight)) / (PRIOR_POINTS + np.maximum(n - 2, 0))
        scale = np.maximum(scale, 1.0)
        # The prior of the slope as one more observation of it, in units of the noise scale.
        trust = np.where(np.isfinite(prior.variance), scale / prior.variance, 0.0)
        det = s0 * (s2 + trust) - s1**2
        slope = (s0 * (sty + trust * prior.mean) - s1 * sy) / det
        level = (sy - slope * s1) / s0
        mean = sy / s0
        total = (weight * (y - mean[:, None]) ** 2).sum(1)
        r2 = np.where(total > 0, 1 - energy / total, 0.0)
        count, jump = _jumps(t, y, window, plain)
        likelihood = (
            -0.5 * (n - 2) * np.log(np.maximum(energy, 1e-300))
            + 0.5 * np.log(np.where(window.risen, weight, 1.0)).sum(1)
            - 0.5 * np.log(free)
        )
        return Exponential(
            level=level,
            slope=slope,
            var_level=scale * (s2 + trust) / det,
            var_slope=scale * s0 / det + slope**2 * window.wander,
            covariance=-scale * s1 / det,
            walk=jump + slope**2 * window.wander,
            goal=window.goal_y,
            r2=r2,
            jumps=count,
            log_likelihood=likelihood - y.sum(1) * np.maximum(n - 2, 0) / np.maximum(n, 1),
        )


def _memory(left: DoubleArray, weight: DoubleArray) -> DoubleArray:
    """By how much residuals that hang together raise the variance of what is fitted: (1 + ρ)/(1 − ρ)."""
    z = left * np.sqrt(weight)
    energy = (z**2).sum(1)
    rho = np.where(energy > 0, (z[:, 1:] * z[:, :-1]).sum(1) / np.where(energy > 0, energy, 1.0), 0.0)
    rho = np.clip(rho, 0.0, 0.8)
    return np.asarray((1 + rho) / (1 - rho), dtype=np.float64)


def _jumps(
    t: DoubleArray, y: DoubleArray, window: Window, slope: DoubleArray
) -> tuple[DoubleArray, DoubleArray]:
    """Number of upward jumps between neighbouring bins, and their squares per span."""
    both = window.risen[:, 1:] & window.risen[:, :-1]
    known = np.sqrt(np.where(both, window.var_y[:, 1:] + window.var_y[:, :-1], 1.0))
    step = np.where(both, np.diff(y, axis=1) - slope[:, None] * np.diff(t, axis=1), 0.0)
    sizes = np.sort(np.where(both, np.abs(step), np.nan), axis=1)
    middle = np.maximum(both.sum(1) - 1, 0) // 2
    typical = np.nan_to_num(sizes[np.arange(len(sizes)), middle]) * 1.4826
    jumped = both & (step > JUMP * np.maximum(typical[:, None], known))
    return jumped.sum(1).astype(np.float64), np.where(jumped, step**2, 0.0).sum(1)
