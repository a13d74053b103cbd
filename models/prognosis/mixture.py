"""The ensemble: a mixture of the models' distributions, weighted by how well they foretold in the past.

The quantiles are those of the mixture, found by bisection of its distribution; quantiles are never
averaged: two models that disagree make a wide answer, not a middle one. From lives that ended come the
weights (those that make what happened most probable: stacking, Yao et al., Bayesian Anal. 13 (2018)
917-1007) and the levels at which the mixture is read, so that what is called 10 % was 10 % (Kuleshov et
al., ICML 2018). The interval errs on the early side, as P10 is a planning date: by two standard errors of its
own estimate below and one above.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray

LEVELS: Final = (0.1, 0.5, 0.9)

WIDEST_RATIO: Final = 10.0
"""P90/P10 beyond which an interval says "some day"."""

FEWEST_LIVES: Final = 100
"""Lives below which `GENERIC` stands: the standard error of a 10 % quantile is then 3 %."""

BAND: Final = 1.25
"""Ratio about what happened within which a model's probability is counted: the precision a plan can use."""

LEAST_SHARE: Final = 1e-4
"""A model of less weight moves no quantile that is told."""

_RANGE: Final = (np.log(1e-7), np.log(1e4))
_STEPS: Final = 32  # halvings: 25 nats to 6e-9
_PASSES: Final = 2  # what is answered depends on the levels and they on it: settled after two
_ROUNDS: Final = 200  # of expectation maximisation: weights still by a thousandth


class Model(Protocol):
    """A distribution of the remaining life of each row, in the row's spans."""

    def cdf(self, t: DoubleArray) -> DoubleArray:
        """P(life ≤ t), t (n, q) -> (n, q)."""
        ...


@dataclass(frozen=True, slots=True)
class Calibration:
    """`weights` by model (missing ones share equally what others have), the `levels` at which P10, P50 and
    P90 are read, and the number of lives that both come from."""

    weights: Mapping[str, float] = field(default_factory=dict)
    levels: tuple[float, float, float] = LEVELS
    lives: int = 0

    def shares(self, names: Sequence[str]) -> dict[str, float]:
        """The weights of the models that are there, of sum 1; equal without past."""
        known = [self.weights[name] for name in names if name in self.weights]
        usual = float(np.mean(known)) if known else 1.0
        raw = {name: max(self.weights.get(name, usual), 0.0) for name in names}
        total = sum(raw.values())
        return {name: (value / total if total > 0 else 1 / len(raw)) for name, value in raw.items()}


NOMINAL: Final = Calibration()
"""As the models say it: equal weights, nominal levels."""

GENERIC: Final = Calibration({"exponential": 0.79, "wiener": 0.21, "similarity": 0.0}, (0.024, 0.38, 0.81))
"""Until the plant has past lives: from 1,000 simulated ones of five kinds of machines, without class
histories (docs/prognosis.md). Machines jump and pause, and their use to come is not known: P10 is read
lower than 10 %."""


def mixed(models: Mapping[str, Model], shares: Mapping[str, float], t: DoubleArray) -> DoubleArray:
    """P(life ≤ t) of the mixture, t (n, q) in spans -> (n, q)."""
    total = np.zeros_like(t)
    for name, model in models.items():
        if shares[name] > LEAST_SHARE:
            total += shares[name] * model.cdf(t)
    return total


def quantiles(
    models: Mapping[str, Model], shares: Mapping[str, float], levels: npt.ArrayLike, n: int
) -> DoubleArray:
    """The mixture's quantiles (n, q) in spans at levels (q,) or (n, q), by bisection of ln t."""
    wanted = np.broadcast_to(np.asarray(levels, dtype=np.float64), (n, np.shape(levels)[-1]))
    low, high = (np.full(wanted.shape, edge) for edge in _RANGE)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        above = mixed(models, shares, np.exp(middle)) >= wanted
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    found: DoubleArray = np.exp(high)
    return found


def read(models: Mapping[str, Model], calibration: Calibration, n: int) -> DoubleArray:
    """P10, P50 and P90 of each row (n, 3), in spans."""
    return quantiles(models, calibration.shares(tuple(models)), calibration.levels, n)


def calibrate(foretold: Sequence[tuple[Mapping[str, Model], npt.ArrayLike]], lives: int) -> Calibration:
    """Weights and levels from forecasts whose outcome is known: per batch the models and what was left, in
    spans (n,), NaN where it is not known. `lives` is the number of lives that they come from: several
    forecasts of one life tell one outcome. What would be refused for its width counts for no level. Below
    `FEWEST_LIVES` it is `GENERIC`."""
    if lives < FEWEST_LIVES:
        return GENERIC
    batches = [(models, np.asarray(left, dtype=np.float64)) for models, left in foretold]
    names = sorted({name for models, _ in batches for name in models})
    hit = np.concatenate([_near(models, left, names) for models, left in batches])
    told = Calibration(dict(zip(names, _stack(hit).tolist(), strict=True)), lives=lives)
    place = np.concatenate([_place(models, told, left) for models, left in batches])
    for _ in range(_PASSES):
        spans = np.concatenate([read(models, told, len(left)) for models, left in batches])
        told = replace(told, levels=_levels(place, spans, lives))
    return told


def _levels(place: DoubleArray, spans: DoubleArray, lives: int) -> tuple[float, float, float]:
    """Where outcomes fell among the answers; the levels of `GENERIC` where there are too few."""
    here = place[np.isfinite(place) & (spans[:, 2] <= WIDEST_RATIO * spans[:, 0])]
    if len(here) < FEWEST_LIVES:
        return GENERIC.levels
    error = np.sqrt(LEVELS[0] * (1 - LEVELS[0]) / lives)
    wanted = (max(LEVELS[0] - 2 * error, 0.0), LEVELS[1], LEVELS[2] - error)
    found = np.quantile(here, wanted)
    low, mid, high = np.clip(found, (1e-3, 0.2, 0.6), (0.4, 0.8, 1 - 1e-3))
    return float(low), float(mid), float(high)


def _near(models: Mapping[str, Model], left: DoubleArray, names: Sequence[str]) -> DoubleArray:
    """Each model's probability of a life within `BAND` of what happened (cases, models); NaN for one not
    there."""
    t = np.where(np.isfinite(left), left, 1.0)[:, None] * np.array([1 / BAND, BAND])
    known = np.isfinite(left)
    return np.stack(
        [
            np.diff(models[name].cdf(t), axis=1)[known, 0] if name in models else np.full(known.sum(), np.nan)
            for name in names
        ],
        axis=1,
    )


def _stack(hit: DoubleArray) -> DoubleArray:
    """The weights that make what happened most probable, by expectation maximisation."""
    # A model that was sure of something else is not forbidden by one case: a floor of 1 %.
    there = np.isfinite(hit)
    chance = np.maximum(np.where(there, hit, 0.0), 0.01) * there
    weights = np.full(hit.shape[1], 1 / hit.shape[1])
    for _ in range(_ROUNDS):
        share = chance * weights
        total = share.sum(axis=1, keepdims=True)
        weights = (share / np.where(total > 0, total, 1.0)).mean(axis=0) if len(hit) else weights
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _place(models: Mapping[str, Model], told: Calibration, left: DoubleArray) -> DoubleArray:
    """Where in its mixture each outcome fell, 0..1; NaN without an outcome."""
    t = np.where(np.isfinite(left), left, 1.0)[:, None]
    return np.where(np.isfinite(left), mixed(models, told.shares(tuple(models)), t)[:, 0], np.nan)
