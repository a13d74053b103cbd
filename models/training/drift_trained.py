"""What a baseline was trained on, small enough to be kept with it: quantiles of its residuals, by regime.

Drift is looked for in residuals, not in features: what speed and load explain is no drift, and features of
very different size are alike in standard deviations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.detection.baseline import PACE_S, Baseline
from models.detection.lines import BIN_BLOCKS, Codes
from models.detection.plain import from_arrays, to_arrays
from models.features.gate import DoubleArray

from .dataset import PointHistory
from .drift_statistics import LEVELS, daily_means, memory_of, memory_of_days, spread_of
from .gathering import learnable

ALL: Final = np.iinfo(np.int32).min
"""The group of all blocks, whatever their regime."""

MOST_GROUPS: Final = 6
"""Groups that are kept: all blocks, and the five regimes that most of them are of."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Blocks (k,) that count towards drift: when, residuals `z` (k, c) in σ, and their bin of regime."""

    time_s: DoubleArray
    z: DoubleArray
    codes: Codes

    def rows(self, which: npt.NDArray[np.bool_] | slice) -> Sample:
        """Some of them."""
        return Sample(self.time_s[which], self.z[which], self.codes[which])


@dataclass(frozen=True, slots=True, eq=False)
class TrainedOn:
    """What c columns were trained on, in g groups of regime (the first: `ALL`).

    `quantiles` (g, c, 41) of the residuals at `drift_statistics.LEVELS`, NaN where a column was not learned;
    `blocks` (g, c) known; `memory` (c,) blocks that are worth one; `centre` (c,) the mean of the days' means,
    `days` (c,) how many there were, `spread` (c,) their standard deviation, `days_memory` how many days are
    worth one; from `start_s` to `end_s`.
    """

    names: tuple[str, ...]
    codes: Codes
    quantiles: npt.NDArray[np.float32]
    blocks: npt.NDArray[np.int64]
    memory: DoubleArray
    centre: DoubleArray
    days: npt.NDArray[np.int64]
    spread: DoubleArray
    days_memory: float
    start_s: float
    end_s: float

    @classmethod
    def of(cls, baseline: Baseline, history: PointHistory) -> TrainedOn | None:
        """Of the blocks that a baseline was learned from; None where none of them counts.

        Raises ValueError where the history lacks one of the baseline's columns.
        """
        sample = counting(baseline, history, learned=True)
        if not len(sample.time_s):
            return None
        groups = _groups(sample.codes)
        parts = [sample.z if code == ALL else sample.z[sample.codes == code] for code in groups]
        days, _ = daily_means(sample.time_s, sample.z)
        known = np.count_nonzero(~np.isnan(days), axis=0)
        days_memory = memory_of_days(days)
        return cls(
            names=baseline.names,
            codes=np.array(groups, dtype=np.int32),
            quantiles=np.array([_quantiles(part) for part in parts], dtype=np.float32),
            blocks=np.array([np.count_nonzero(~np.isnan(part), axis=0) for part in parts], dtype=np.int64),
            memory=memory_of(sample.time_s, sample.z, days_memory),
            centre=_over_days(days, known),
            days=known.astype(np.int64),
            spread=spread_of(days, days_memory),
            days_memory=days_memory,
            start_s=float(sample.time_s[0]),
            end_s=float(sample.time_s[-1]),
        )

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """By name, as a bundle or a store keeps them."""
        return to_arrays(self)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> TrainedOn:
        """What `to_arrays` took apart. Raises ValueError where a part is missing."""
        return from_arrays(cls, arrays)


def counting(baseline: Baseline, history: PointHistory, *, learned: bool = False) -> Sample:
    """The blocks that may tell of drift: running, in a regime that was learned, at the baseline's pace; those
    it was `learned` from also calm, with interventions settled.
    """
    mine = history.columns(baseline.names)
    context = mine.context
    expected = baseline.expect(mine.x, context)
    usable = context.running & expected.known & ~np.isnan(expected.z).all(axis=1)
    if learned:
        done = context.interventions_s
        usable &= learnable(mine.time_s, context.running, context.in_alarm, done)
    rows = paced(mine.time_s, usable)
    codes = baseline.line.bins(context.speed_hz, context.load)
    return Sample(mine.time_s[rows], expected.z[rows], np.broadcast_to(codes, len(mine))[rows])


def paced(time_s: DoubleArray, usable: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Rows of the first usable block in each interval of the pace: blocks that are closer count once."""
    rows = np.flatnonzero(usable)
    return rows[np.unique(np.floor(time_s[rows] / PACE_S), return_index=True)[1]]


def _groups(codes: Codes) -> list[int]:
    """All, and the regimes that have blocks enough where there are several."""
    bins, counts = np.unique(codes, return_counts=True)
    enough = [(int(n), int(code)) for code, n in zip(bins, counts, strict=True) if n >= BIN_BLOCKS]
    most = sorted(enough, key=lambda one: (-one[0], one[1]))[: MOST_GROUPS - 1]
    return [ALL, *sorted(code for _, code in most)] if bins.size > 1 else [ALL]


def _quantiles(z: DoubleArray) -> DoubleArray:
    """Quantiles (c, 41) of the known residuals (m, c) of each column."""
    found = np.full((z.shape[1], len(LEVELS)), np.nan)
    for j, column in enumerate(z.T):
        known = column[~np.isnan(column)]
        if known.size:
            found[j] = np.quantile(known, LEVELS)
    return found


def _over_days(days: DoubleArray, known: npt.NDArray[np.intp]) -> DoubleArray:
    return np.where(known > 0, np.nansum(days, axis=0) / np.maximum(known, 1), np.nan)
