"""What single features miss: T² and SPE of standard residuals, with what each feature contributes.

The covariance is shrunk towards a multiple of the identity (Ledoit & Wolf, J. Multivariate Analysis 88 (2004)
365-411, closed form). Residuals that remember each other hold less than their number: the error of the sample
covariance, which sets how far it is shrunk, is multiplied by (1+r²)/(1-r²), r being their lag-1
autocorrelation (as Sancetta, J. Multivariate Analysis 99 (2008) 949-967, has it for dependent data).

The directions whose variance is above the mean one (Kaiser) are the common motion of the features: T² is the
distance within it, SPE the square of what it does not explain, by Pythagoras from the same product. One
matrix product of a batch, in the type of the residuals: float32 for bulk.

Thresholds come from the baseline's own scores, each seventh of it scored by a model of the other six: those
of the blocks that a model was made of are too small by far when they remember each other (measured: 30 false
alarms a month with 40 features). Cube roots of sums of squares are nearly gaussian (Wilson & Hilferty 1931),
so the threshold is (median + k · 1.4826 MAD)³ of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray
from models.features.huber import MAD_TO_SIGMA

from .charts import OUTLIER
from .lines import padded

Residuals = npt.NDArray[np.floating]

FOLDS: Final = 7
"""Parts of a baseline that are scored by the others: days of the shortest one."""

LEAST_ROWS: Final = 50
"""Blocks below which no covariance is estimated."""

LEAST_KNOWN: Final = 0.5
"""Share of the features that a block must have; those it has not count as expected."""

LEAST_VARIANCE: Final = 0.01
"""Of what the common motion leaves: features that repeat each other closer than to a tenth of σ are one
feature measured twice, and need not stay so."""

_ROWS_AT_ONCE: Final = 4096
"""Rows in work at a time: 640 kB of 40 features in float32, which stays in the cache of a core."""


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A covariance (d, d) and how far it was shrunk, 0 (the sample's) to 1 (a multiple of the identity)."""

    covariance: DoubleArray
    intensity: float


@dataclass(frozen=True, slots=True)
class Multivariate:
    """`directions` (d, k) of the common motion with their variances (k,), 0 rows for columns not learned.

    `centre` and `spread` (2,) are median and 1.4826 MAD of the cube roots of T² and SPE in the baseline.
    Several models are one with an axis of n in front of all (`stacked`).
    """

    directions: DoubleArray
    variances: DoubleArray
    learned: npt.NDArray[np.bool_]
    centre: DoubleArray
    spread: DoubleArray
    intensity: npt.ArrayLike

    @classmethod
    def fit(cls, z: DoubleArray) -> Multivariate | None:
        """The model of residuals `z` (m, d) in time order, in σ; NaN where unknown, whole columns too.

        None where there are not two features, or not `LEAST_ROWS` blocks with half of them.
        """
        learned = np.asarray(~np.isnan(z).all(axis=0))
        rows = z[:, learned]
        rows = rows[_enough(rows)]
        d = rows.shape[1]
        if d < 2 or len(rows) < LEAST_ROWS:
            return None
        tame = np.clip(np.nan_to_num(rows), -OUTLIER, OUTLIER)
        memory = _memory(tame)
        own = np.cbrt(_out_of_fold(np.nan_to_num(rows), tame, memory))
        centre = np.median(own, axis=1)
        spread = MAD_TO_SIGMA * np.median(np.abs(own - centre[:, None]), axis=1)
        common = _common(tame, memory)
        full = np.zeros((len(learned), len(common.variances)))
        full[learned] = common.directions
        spread = np.maximum(spread, common.least_spread)
        return cls(full, common.variances, learned, centre, spread, common.intensity)

    @classmethod
    def stacked(cls, models: Sequence[Multivariate | None], columns: int) -> Multivariate:
        """n models of the same columns as one; None says nothing (NaN)."""
        k = max((len(one.variances) for one in models if one), default=0)
        none, unlearned = np.full(2, np.nan), np.zeros(columns, dtype=np.bool_)
        nothing = cls(np.zeros((columns, 0)), np.zeros(0), unlearned, none, none, np.nan)
        some = [one if one else nothing for one in models]
        return cls(
            np.reshape([padded(one.directions, (columns, k), 0.0) for one in some], (len(some), columns, k)),
            np.reshape([padded(one.variances, (k,), 1.0) for one in some], (len(some), k)),
            np.reshape([one.learned for one in some], (len(some), columns)),
            np.reshape([one.centre for one in some], (len(some), 2)),
            np.reshape([one.spread for one in some], (len(some), 2)),
            np.array([one.intensity for one in some], dtype=np.float64),
        )

    def statistics(self, z: Residuals) -> tuple[Residuals, Residuals]:
        """T² and SPE (..., m) of residuals `z` (..., m, d), in their type; no NaN: fill first."""
        t2, spe = np.empty((2, *z.shape[:-1]), dtype=z.dtype)
        directions = np.ascontiguousarray(self.directions, dtype=z.dtype)
        inverse = (1 / self.variances).astype(z.dtype)[..., None]
        for first in range(0, z.shape[-2], _ROWS_AT_ONCE):
            rows = z[..., first : first + _ROWS_AT_ONCE, :]
            projected = rows @ directions
            total = np.einsum("...j,...j->...", rows, rows)
            np.multiply(projected, projected, out=projected)
            t2[..., first : first + _ROWS_AT_ONCE] = (projected @ inverse)[..., 0]
            spe[..., first : first + _ROWS_AT_ONCE] = total - projected.sum(axis=-1)
        return t2, np.maximum(spe, 0)

    def scores(self, z: DoubleArray) -> DoubleArray:
        """T² and SPE (2, ..., m) of residuals `z` (..., m, d), each in σ of its cube root above its median.

        NaN for a block with fewer than half of the features.
        """
        known = self.learned[..., None, :] & ~np.isnan(z)
        roots = np.cbrt(np.stack(self.statistics(np.where(known, z, 0.0))))
        centre, spread = (v.T[..., None] for v in (self.centre, self.spread))
        count, least = known.sum(axis=-1), LEAST_KNOWN * self.learned.sum(axis=-1)[..., None]
        return np.where((count > 0) & (count >= least), (roots - centre) / spread, np.nan)

    def contributions(self, z: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
        """What each feature adds to T² and to SPE, both (n, d); rows sum to T² and SPE.

        A share of T² may be negative where features that move together move apart.
        """
        filled = np.where(self.learned & ~np.isnan(z), z, 0.0)
        projected = filled @ self.directions
        of_t2 = filled * ((projected / self.variances) @ self.directions.T)
        return of_t2, (filled - projected @ self.directions.T) ** 2


def ledoit_wolf(x: DoubleArray, memory: float = 1.0) -> Shrunk:
    """The shrunk covariance of centred rows `x` (n, d): (1-a) S + a μ I.

    μ is the mean variance, a = min(1, memory · b²/δ²) with δ² = |S - μI|² and b² = Σ|x xᵀ - S|²/n², squared
    Frobenius norms. `memory` is how many times as uncertain S is as with independent rows. All zero rows give
    the zero covariance.
    """
    n, d = x.shape
    sample = x.T @ x / n
    mean = float(np.trace(sample)) / d
    off = float(((sample - mean * np.eye(d)) ** 2).sum())
    square = float((np.einsum("ij,ij->i", x, x) ** 2).sum()) / n
    error = memory * (square - float((sample**2).sum())) / n
    intensity = 1.0 if off <= 0 else min(1.0, max(0.0, error / off))
    return Shrunk((1 - intensity) * sample + intensity * mean * np.eye(d), intensity)


@dataclass(frozen=True, slots=True)
class _Common:
    """The common motion: directions (d, k), variances (k,), how far shrunk, least spread (2,) of scores."""

    directions: DoubleArray
    variances: DoubleArray
    intensity: float
    least_spread: DoubleArray


def _common(tame: DoubleArray, memory: float) -> _Common:
    """The common motion of rows without outliers.

    A feature that varies by less than its σ has had it raised to the least that any sensor repeats by: so is
    its variance here.
    """
    shrunk = ledoit_wolf(tame, memory)
    lacking = np.maximum(1.0 - np.diag(shrunk.covariance), 0.0)
    variances, directions = np.linalg.eigh(shrunk.covariance + np.diag(lacking))
    variances, directions = variances[::-1], directions[:, ::-1]
    k = int(np.clip(np.count_nonzero(variances > variances.mean()), 1, len(variances) - 1))
    rest = np.maximum(variances[k:], LEAST_VARIANCE)
    least = np.array([_gaussian_spread(np.ones(k)), _gaussian_spread(rest)])
    return _Common(directions[:, :k], variances[:k], shrunk.intensity, least)


def _gaussian_spread(variances: DoubleArray) -> float:
    """σ of the cube root of a sum of squares of gaussians of these variances (Wilson & Hilferty).

    Residuals whose sums of squares vary by less have not shown all they do.
    """
    mean = float(variances.sum())
    return float(np.cbrt(mean) * np.sqrt(2 * (variances**2).sum() / 9) / mean)


def _memory(tame: DoubleArray) -> float:
    """(1+r²)/(1-r²) with r the median lag-1 autocorrelation of the columns, no more than 0.99."""
    power = (tame[1:] * tame[1:]).sum(axis=0)
    r = (tame[1:] * tame[:-1]).sum(axis=0) / np.where(power > 0, power, 1.0)
    square = float(np.clip(np.median(r), 0.0, 0.99)) ** 2
    return (1 + square) / (1 - square)


def _out_of_fold(rows: DoubleArray, tame: DoubleArray, memory: float) -> DoubleArray:
    """T² and SPE (2, m) of each row, by the model of the folds it is not in."""
    parts: list[Sequence[Residuals]] = []
    edges = np.linspace(0, len(rows), FOLDS + 1).astype(int)
    for low, high in pairwise(edges):
        rest = np.concatenate((tame[:low], tame[high:]))
        level = np.median(rest, axis=0)
        common, none = _common(rest - level, memory), np.zeros(2)
        learned = np.ones(rows.shape[1], np.bool_)
        model = Multivariate(common.directions, common.variances, learned, none, none, common.intensity)
        parts.append(model.statistics(rows[low:high] - level))
    return np.concatenate([np.stack(tuple(part)) for part in parts], axis=1)


def _enough(z: DoubleArray) -> npt.NDArray[np.bool_]:
    """Blocks (n,) that have half of the features."""
    known = np.count_nonzero(~np.isnan(z), axis=1)
    return np.asarray((known >= LEAST_KNOWN * z.shape[1]) & (known > 0), dtype=np.bool_)
