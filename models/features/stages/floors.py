"""The floor under the lines of envelope spectra: medians of short stretches, computed once a spectrum."""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby, pairwise
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.features.envelope import LEAKED_BINS
from models.features.gate import DoubleArray, FloatArray

STRETCH: Final = 0.15
"""Stretches are 15 % of their frequency long, and the two on each side of a line's own make its floor."""

SHORTEST_STRETCH: Final = 8
"""Bins. Four of them: the median of 32 exponential powers is known to a quarter."""


def reach_of_floor(line: float) -> float:
    """The last bin that the floor of a line looks at: its own stretch and two above are complete there."""
    return max(line * (1 + STRETCH) ** 3, line + 3 * SHORTEST_STRETCH)


class Floors(NamedTuple):
    """Floors (n, stretches) of spectra, and the stretch (m,) that each bin is in."""

    power: DoubleArray
    stretch: npt.NDArray[np.intp]

    def at(self, place: DoubleArray) -> DoubleArray:
        """Floors (h, n, combs) of each row at its places (h, n, combs) in bins; NaN of an empty spectrum."""
        bins = np.minimum(np.rint(place), self.stretch.size - 1).astype(np.intp)
        return self.power[np.arange(place.shape[1])[:, None], self.stretch[bins]]


def floors(power: FloatArray) -> Floors:
    """Floors of spectra (n, m), m ≥ 12: the middle of the medians of the four stretches around each."""
    starts = edges(power.shape[1])
    medians = np.empty((len(power), len(starts) - 1))
    first = 0
    for size, alike in groupby(stop - start for start, stop in pairwise(starts)):
        last = first + len(list(alike))
        part = power[:, starts[first] : starts[last]].reshape(len(power), last - first, size)
        medians[:, first:last] = np.partition(part, size // 2, axis=2)[:, :, size // 2]
        first = last
    last = first - 1
    around = np.array([_around(i, last) for i in range(last + 1)]).T
    four = medians[:, around]
    middle_two = four.sum(axis=1) - four.max(axis=1) - four.min(axis=1)
    middle_two[middle_two <= 0] = np.nan  # a block without any signal has no floor, and no score
    stretch = np.searchsorted(starts[1:-1], np.arange(power.shape[1]), side="right")
    return Floors(middle_two / 2, stretch)


def _around(i: int, last: int) -> tuple[int, int, int, int]:
    """The stretches two on each side; at an end those of the other side count twice."""
    low, high = [j for j in (i - 1, i - 2) if j >= 0], [j for j in (i + 1, i + 2) if j <= last]
    low, high = low or high or [i], high or low or [i]
    return low[0], low[-1], high[0], high[-1]


@lru_cache(maxsize=256)
def edges(lines: int) -> tuple[int, ...]:
    """Where the stretches of a spectrum of `lines` lines begin, and where the last of them ends.

    What is left over above it is no stretch: so floors do not depend on how many lines somebody else needs.
    """
    found = [LEAKED_BINS + 1]
    while (stop := found[-1] + max(SHORTEST_STRETCH, int(STRETCH * found[-1]))) <= lines:
        found.append(stop)
    return tuple(found)
