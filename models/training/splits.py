"""What a model is fitted on and what it is tried on: apart in time, or on other machines. Never at random.

Blocks of a machine remember each other for hours: a window drawn at random has its twin in the other part,
and what is measured there is memory, not skill. All splits are of the data alone: no seed changes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray

APART_S: Final = 6 * 3600.0
"""Blocks closer than this to what is held out are not fitted on: longer than the memory of most residuals."""

FOLDS: Final = 4
"""Parts that are held out in turn: three quarters fit nearly what all do, at five fits in all."""

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Which rows (m,) a model is fitted on, and which it is tried on; never one in both."""

    fit: Flags
    held_out: Flags


def by_time(time_s: DoubleArray, folds: int = FOLDS, apart_s: float = APART_S) -> tuple[Fold, ...]:
    """Stretches of time with equally many rows (m,), each held out once, with `apart_s` between it and what
    is fitted on. Raises ValueError for fewer rows than folds, or fewer than two folds.
    """
    if folds < 2 or len(time_s) < folds:
        raise ValueError(f"folds must be 2 to the number of rows ({len(time_s)}), got {folds}")
    edges = np.quantile(time_s, np.linspace(0, 1, folds + 1)[1:-1], method="lower").tolist()
    return tuple(_stretch(time_s, low, high, apart_s) for low, high in pairwise((-np.inf, *edges, np.inf)))


def latest(time_s: DoubleArray, share: float = 1 / 3, apart_s: float = APART_S) -> Fold:
    """The last `share` of the rows held out: what a model that was fitted then would have met.

    Raises ValueError for a share outside 0 to 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"share must be between 0 and 1, got {share}")
    edge = float(np.quantile(time_s, 1 - share, method="lower"))
    return _stretch(time_s, edge, np.inf, apart_s)


def by_machine(
    machines: Sequence[str], folds: int | None = None, kinds: Sequence[str] | None = None
) -> tuple[Fold, ...]:
    """Machines held out in turn, `machines` being the one that each row is of: each by itself, or in `folds`.

    `kinds` is what each row is (the fault it is labelled with): machines of one kind are dealt to different
    folds, so that none holds out all of them. Raises ValueError for fewer than two machines, or fewer
    machines than folds.
    """
    of_row = np.asarray(machines, dtype=np.str_)
    names = np.unique(of_row)
    count = len(names) if folds is None else folds
    if count < 2 or len(names) < count:
        raise ValueError(f"folds must be 2 to the number of machines ({len(names)}), got {count}")
    if kinds is not None:
        names = _dealt(names, of_row, np.asarray(kinds, dtype=np.str_))
    held = (np.isin(of_row, names[k::count]) for k in range(count))
    return tuple(Fold(~out, out) for out in held)


def _stretch(time_s: DoubleArray, low_s: float, high_s: float, apart_s: float) -> Fold:
    held = (time_s >= low_s) & (time_s < high_s)
    near = (time_s > low_s - apart_s) & (time_s < high_s + apart_s)
    return Fold(~near, held)


def _dealt(
    names: npt.NDArray[np.str_], of_row: npt.NDArray[np.str_], kinds: npt.NDArray[np.str_]
) -> npt.NDArray[np.str_]:
    """Machines in the order of the rarest kind that each has rows of, and of their names."""
    every, count = np.unique(kinds, return_counts=True)
    rarity = dict(zip(every.tolist(), count.tolist(), strict=True))

    def place(name: str) -> tuple[int, str, str]:
        mine = np.unique(kinds[of_row == name]).tolist()
        rarest = min(mine, key=lambda kind: (rarity[kind], kind))
        return rarity[rarest], rarest, name

    return np.array(sorted(names.tolist(), key=place), dtype=np.str_)
