"""Which features a classifier goes by, and why the others are left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray

LEAST_KNOWN: Final = 0.5
"""Share of the examples in which a feature must be known."""

SAME: Final = 0.995
"""Correlation from which on two features are one, measured twice."""

UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Selection:
    """`kept` (d,) places of the features that are gone by; of each feature its `ratio` (all of them, NaN
    where unknown) and why it is left out: "unknown", "same_as:NAME", "" for those that are kept. One that
    tells nothing of the faults that are taught is kept: it may tell of one that is not.
    """

    kept: npt.NDArray[np.intp]
    ratio: DoubleArray
    reasons: tuple[str, ...]

    def told(self, names: Sequence[str]) -> dict[str, dict[str, str | float]]:
        """By name, as a report tells it."""
        return {
            name: {"ratio": float(ratio), "left_out": reason}
            for name, ratio, reason in zip(names, self.ratio, self.reasons, strict=True)
        }


def select(x: DoubleArray, classes: npt.NDArray[np.str_], names: Sequence[str]) -> Selection:
    """The features of examples `x` (n, c), NaN where unknown, that tell their `classes` (n,) apart.

    Of features that are the same the one of the highest ratio is kept.
    """
    known = np.count_nonzero(np.isfinite(x), axis=0)
    enough = known >= max(2.0, LEAST_KNOWN * len(x))
    ratio = np.where(enough, _ratios(x, classes), np.nan)
    reasons = np.where(enough, "", UNKNOWN).astype(object)
    kept: list[int] = []
    filled = np.where(np.isfinite(x), x, 0.0)
    for j in np.argsort(-np.nan_to_num(ratio), kind="stable"):
        if reasons[j]:
            continue
        twin = next((i for i in kept if _alike(filled[:, i], filled[:, j])), None)
        if twin is None:
            kept.append(int(j))
        else:
            reasons[j] = f"same_as:{names[twin]}"
    return Selection(np.sort(np.array(kept, dtype=np.intp)), ratio, tuple(reasons.tolist()))


def _ratios(x: DoubleArray, classes: npt.NDArray[np.str_]) -> DoubleArray:
    """Standard deviation of the classes' means over the one within them (c,)."""
    means, within = [], np.zeros(x.shape[1])
    count = np.zeros(x.shape[1])
    for name in np.unique(classes):
        rows = x[classes == name]
        known = np.isfinite(rows)
        n = known.sum(axis=0)
        mean = np.where(n > 0, np.where(known, rows, 0.0).sum(axis=0) / np.maximum(n, 1), np.nan)
        within += (np.where(known, rows - mean, 0.0) ** 2).sum(axis=0)
        count += np.maximum(n - 1, 0)
        means.append(mean)
    between = np.array(means)
    some = np.isfinite(between)
    middle = np.where(some, between, 0.0).sum(axis=0) / np.maximum(some.sum(axis=0), 1)
    spread = (np.where(some, between - middle, 0.0) ** 2).sum(axis=0) / np.maximum(some.sum(axis=0) - 1, 1)
    return np.asarray(np.sqrt(spread / np.maximum(within / np.maximum(count, 1), 1e-12)), dtype=np.float64)


def _alike(a: DoubleArray, b: DoubleArray) -> bool:
    a, b = a - a.mean(), b - b.mean()
    power = float((a @ a) * (b @ b))
    return power > 0 and abs(float(a @ b)) >= SAME * np.sqrt(power)
