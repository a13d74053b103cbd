"""What a table's training prefix says: which channels hold a level, how they scatter, what is seldom.

Everything here is decided by the prefix alone, by one rule for all tables; no channel is known by its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.types import Refusal

from .multivariate import ledoit_wolf

Rows = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

SPREAD: Final = 0.1
"""Weight of the new row in the mean of squared distances: a memory of ten rows."""

SLOW: Final = 0.05
"""Weight of the new row in a channel's level: a memory of twenty rows, four and a half times less noise."""

FAST: Final = 0.3
"""Weight of the new row in the level that a change is first seen in: a memory of some three rows."""

MIN_ROWS: Final = 100
"""Rows that a fit needs: five memories of the slow level, before which its scatter is not seen."""

ROWS_PER_CHANNEL: Final = 50
"""Rows a channel below which a fit is told to be short: with 20 channels that remember themselves (0.8 from
row to row) 20 rows a channel alarmed 15 % of normal rows, 75 rows a channel 0.2 %."""

SETTLING: Final = 20
"""Rows at the head that no scatter is taken of: the recursions begin at the mean, not in the noise."""

BLOCKS: Final = 40
"""The prefix is cut into so many blocks to tell slow from fast."""

DRIFTING: Final = 0.6
"""A channel whose blocks' means carry this share of its variance holds no level in the prefix: it warms up,
or swings more slowly than the prefix can show. Noise has 0 of it, a vibration level some 0.1 to 0.5, a
temperature that settles 0.75 to 1."""

MISSING: Final = 0.2
"""A channel may miss this share of the prefix; beyond it its scatter is that of its better hours."""

SELDOM: Final = 0.99
"""Charts are measured in what the prefix itself exceeded in one row of a hundred: its maximum would be the
luck of a single row."""

LEAST_SHRINKAGE: Final = 0.01
"""Two channels that agree exactly in the prefix must not turn their first hair's breadth of difference into
an alarm."""

FARTHEST: Final = 5.0
"""A value counts as at most so many standard deviations away: a wild reading, whatever its size, is forgotten
within the memory of the charts."""

FARTHEST_ROW: Final = 9.0
"""A row's squared distance counts as at most so many times the usual one, for the same reason: channels that
always move together make a small departure of one of them a very long way."""


@dataclass(frozen=True, slots=True, eq=False)
class FixedFit:
    """Charts of `p` channels that hold a level: all in units of their own scatter in the prefix.

    `mean`, `scale` (p,) are those of a channel; `distance`, `level`, `change` (p, p) the inverse covariances
    of rows, of slow levels, and of fast minus slow levels; `spread_unit`, `level_unit`, `change_unit` what
    the prefix exceeded in one row of a hundred.
    """

    mean: Rows
    scale: Rows
    distance: Rows
    level: Rows
    change: Rows
    spread_unit: float
    level_unit: float
    change_unit: float


@dataclass(frozen=True, slots=True, eq=False)
class MovingFit:
    """`p` channels without a level, for which the past is the only reference.

    `mean` (p,) is that of the prefix, `count` its rows, `total` and `square` (p,) the sums of the slow level
    minus `mean` and of its square: with them the reference goes on learning.
    """

    mean: Rows
    count: Rows
    total: Rows
    square: Rows


def ewma(x: Rows, weight: float, start: Rows) -> Rows:
    """Exponentially weighted mean down the rows of `x` (n, p), from `start` (p,) on."""
    from scipy.signal import lfilter  # most of a second, in every process that never fits anything

    y, _ = lfilter([weight], [1.0, weight - 1.0], x, axis=0, zi=(1.0 - weight) * start[None])
    return np.asarray(y, dtype=np.float64)


def usable(rows: Rows) -> tuple[Flags, dict[int, str]]:
    """Which channels of the prefix can be judged, and for the others the key of why not."""
    known = np.isfinite(rows)
    keep = np.ones(rows.shape[1], dtype=bool)
    why: dict[int, str] = {}
    for i in range(rows.shape[1]):
        values = rows[known[:, i], i]
        if values.size < max((1 - MISSING) * rows.shape[0], 2):
            why[i] = "channel_missing"
        elif np.ptp(values) <= 1e-12 * np.max(np.abs(values)):
            why[i] = "channel_constant"
        keep[i] = i not in why
    return keep, why


def filled(rows: Rows) -> Rows:
    """The prefix, with the value before it for what is missing, and the first known one at the head."""
    out = rows.copy()
    for column in out.T:
        known = np.isfinite(column)
        last = np.maximum.accumulate(np.where(known, np.arange(column.size), -1))
        column[:] = column[np.where(last >= 0, last, int(np.argmax(known)))]
    return out


def slow_share(rows: Rows) -> Rows:
    """Share of each channel's variance, 0 to 1, that changes slowly against a fortieth of the rows (n, p).

    The variance of the blocks' means less what noise alone would leave in them, over that of the rows. The
    noise is that of successive differences (von Neumann 1941), which slow changes do not enter.
    """
    size = max(rows.shape[0] // BLOCKS, 2)
    blocks = rows[: rows.shape[0] // size * size].reshape(-1, size, rows.shape[1]).mean(axis=1)
    noise = np.diff(rows, axis=0).var(axis=0) / 2 / size
    share: Rows = np.clip((blocks.var(axis=0) - noise) / rows.var(axis=0), 0.0, 1.0)
    return share


def inverse_covariance(x: Rows) -> Rows:
    """Inverse (p, p) of the covariance of the rows of `x` (n, p), shrunk by at least LEAST_SHRINKAGE."""
    covariance = ledoit_wolf(x - x.mean(axis=0)).covariance
    p = covariance.shape[0]
    least = LEAST_SHRINKAGE * float(np.trace(covariance)) / p * np.eye(p)
    inverse: Rows = np.linalg.inv((1 - LEAST_SHRINKAGE) * covariance + least)
    return inverse


def quadratic(x: Rows, inverse: Rows) -> Rows:
    """The squared distance of each row of `x` (n, p), split into what each channel adds (n, p)."""
    parts: Rows = x * (x @ inverse)
    return parts


def distances(z: Rows, inverse: Rows) -> Rows:
    """The squared distance of each row of `z` (n, p) by channel; that of a row is at most p FARTHEST_ROW."""
    parts = quadratic(z, inverse)
    whole = parts.sum(axis=1, keepdims=True) / z.shape[1]
    capped: Rows = parts * np.minimum(1.0, FARTHEST_ROW / np.maximum(whole, 1e-12))
    return capped


def fit_fixed(rows: Rows) -> FixedFit:
    """The charts of channels (n, p) that hold a level in the prefix, nothing missing in it."""
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    z = standard(rows, mean, scale)
    p = z.shape[1]
    distance = inverse_covariance(z)
    spread = ewma(distances(z, distance), SPREAD, np.full(p, 1.0)).sum(axis=1) / p - 1
    slow, fast = ewma(z, SLOW, np.zeros(p)), ewma(z, FAST, np.zeros(p))
    wander: Rows = np.asarray(np.cov(slow[SETTLING:].T).reshape(p, p), dtype=np.float64)
    # A level may wander as far again as the prefix saw: it is only a short piece of what is normal.
    level = np.asarray(np.linalg.inv(wander + np.diag(np.diag(wander))), dtype=np.float64)
    change = inverse_covariance((fast - slow)[SETTLING:])
    return FixedFit(
        mean,
        scale,
        distance,
        level,
        change,
        spread_unit=_unit(spread),
        level_unit=_unit(root_mean(quadratic(slow, level))),
        change_unit=_unit(root_mean(quadratic(fast - slow, change))),
    )


def standard(rows: Rows, mean: Rows, scale: Rows) -> Rows:
    """Rows in standard deviations from the mean, none farther than FARTHEST; NaN stays NaN."""
    return np.clip((rows - mean) / scale, -FARTHEST, FARTHEST)


def root_mean(parts: Rows) -> Rows:
    """Distance per channel from its squared parts (n, p)."""
    root: Rows = np.sqrt(np.maximum(parts.mean(axis=1), 0.0))
    return root


def _unit(chart: Rows) -> float:
    return max(float(np.quantile(chart[SETTLING:], SELDOM)), 1e-6)


def fit_moving(rows: Rows) -> MovingFit:
    """The reference of channels (n, p) without a level, nothing missing in the prefix."""
    mean = rows.mean(axis=0)
    away = ewma(rows, SLOW, rows[0]) - mean
    count = np.full(rows.shape[1], float(rows.shape[0]))
    return MovingFit(mean, count, away.sum(axis=0), np.square(away).sum(axis=0))


def too_short(n_rows: int) -> Refusal | None:
    """Why a prefix of `n_rows` can't be learnt from."""
    return Refusal("fit_too_short", "more_fit_rows") if n_rows < MIN_ROWS else None
