"""Lines of bearing defects in envelope spectra: how far they stand above their local floor.

A defect repeats at k times its frequency, and slip or an inexact speed moves all its harmonics by the same
factor. So the harmonics are searched as one comb: for each deviation within ±2.5 % the score is the sum over
the harmonics of log2(line / floor) in amplitude, and the best deviation is kept. The floor of a harmonic is
the median power within ±30 % of it, ±4 % left out. In noise a line's power over that median exceeds t with
probability 2^-t; a harmonic counts when it exceeds log2(M / pfa), M being the lines that were searched.
Source: Randall & Antoni, MSSP 25 (2011) 485-520 (squared envelope); the comb and its numbers are ours.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from .defects import NEEDED
from .envelope import LEAKED_BINS
from .gate import DoubleArray, FloatArray

HARMONICS: Final = 5
FALSE_ALARM: Final = 1e-4
"""Probability that noise makes one harmonic count."""

SEARCH: Final = 0.025
"""How far slip, contact angle and speed move a defect line: ±2.5 %."""

SPREAD: Final = 0.002
"""Lines of a slipping bearing broaden with their frequency: a harmonic may stand this far beside the comb."""

FLOOR: Final = 0.30
LEFT_OUT: Final = 0.04
FEWEST_FLOOR_BINS: Final = 12
"""On each side. Narrower windows (cage lines of short blocks) are widened to it, as far as there are any."""

TURNS: Final = 20
"""Revolutions that a block must hold before shaft lines and defect lines can be told apart."""

CYCLES: Final = 10
"""Periods of a defect that a block must hold (cage turns are the slowest)."""


class Found(NamedTuple):
    """For each candidate (n,): score in bits, harmonics that count; NaN where the band can't hold three."""

    bits: DoubleArray
    harmonics: DoubleArray


def search(
    power: FloatArray, row: npt.NDArray[np.intp], line: DoubleArray, width: npt.NDArray[np.intp]
) -> Found:
    """Searches combs in line powers (rows, m): candidate i has the fundamental `line[i]` bins, in `row[i]`.

    `width[i]` is how many lines of that row mean something (its band's width). NaN lines are not searched.
    """
    fits = np.floor(
        (np.minimum(width, power.shape[1]) - 1) / (np.nan_to_num(line, nan=np.inf) * (1 + SEARCH))
    )
    harmonics = np.minimum(fits, HARMONICS).astype(np.intp)
    bits, counts = np.full(line.shape, np.nan), np.full(line.shape, np.nan)
    for held in range(NEEDED, HARMONICS + 1):
        chosen = np.flatnonzero(harmonics == held)
        if chosen.size:
            bits[chosen], counts[chosen] = _combs(power, row[chosen], line[chosen], width[chosen], held)
    return Found(bits, counts)


def _combs(
    power: FloatArray, row: npt.NDArray[np.intp], line: DoubleArray, width: npt.NDArray[np.intp], held: int
) -> tuple[DoubleArray, DoubleArray]:
    """Score and count of the best comb of `held` harmonics of each candidate."""
    # Deviations are steps of one bin at the highest harmonic; candidates share the grid of the widest.
    reach = np.maximum(np.floor(held * line * SEARCH), 1.0)
    steps = np.arange(-reach.max(), reach.max() + 1)
    ratios = np.empty((held, line.size, steps.size))
    for k in range(1, held + 1):
        floor = _floor(power, row, line * k, width)
        floor[floor == 0] = np.nan  # a block without any signal has no floor, and no score
        ratios[k - 1] = _harmonic(power, row, line * k, steps * (k / held)) / floor[:, None]
    score: DoubleArray = 0.5 * np.log2(np.maximum(ratios, np.finfo(np.float32).tiny)).sum(axis=0)
    score[np.abs(steps) > reach[:, None]] = -np.inf
    best: npt.NDArray[np.intp] = np.argmax(score, axis=1)
    each = np.arange(line.size)
    tested = 2 * (reach + _spread(held * line)) + 1
    counts = np.count_nonzero(ratios[:, each, best] > np.log2(tested / FALSE_ALARM), axis=0)
    bits = score[each, best]
    return bits, np.where(np.isnan(bits), np.nan, counts)


def _spread(line: DoubleArray) -> DoubleArray:
    """How many bins a harmonic at `line` may stand beside its comb."""
    spread: DoubleArray = np.maximum(np.rint(line * SPREAD), 1.0)
    return spread


def _harmonic(
    power: FloatArray, row: npt.NDArray[np.intp], line: DoubleArray, steps: DoubleArray
) -> DoubleArray:
    """Highest power (n, steps) at line + steps bins, give or take the spread of a line."""
    spread = _spread(line)
    place = np.rint(line[:, None] + steps).astype(np.intp)
    best = np.zeros(place.shape, dtype=np.float32)
    for aside in np.arange(-int(spread.max()), int(spread.max()) + 1):
        step = np.maximum(np.minimum(aside, spread), -spread).astype(np.intp)
        at = np.clip(place + step[:, None], LEAKED_BINS, power.shape[1] - 1)
        np.maximum(best, power[row[:, None], at], out=best)
    return best.astype(np.float64)


def _floor(
    power: FloatArray, row: npt.NDArray[np.intp], line: DoubleArray, width: npt.NDArray[np.intp]
) -> DoubleArray:
    """Median power (n,) around `line`, without the line itself."""
    around = np.maximum(FLOOR * line, FEWEST_FLOOR_BINS + LEAKED_BINS)
    low = np.maximum(np.ceil(line - around), LEAKED_BINS + 1).astype(np.intp)
    high = np.minimum(np.floor(line + around), np.minimum(width, power.shape[1]) - 1).astype(np.intp)
    place = low[:, None] + np.arange(int((high - low).max()) + 1)
    aside = np.abs(place - line[:, None]) > np.maximum(LEFT_OUT * line, LEAKED_BINS)[:, None]
    used = aside & (place <= high[:, None])
    values = np.where(used, power[row[:, None], np.minimum(place, power.shape[1] - 1)], np.float32(np.inf))
    values.sort(axis=1)
    count = used.sum(axis=1)
    each = np.arange(line.size)
    middle: DoubleArray = (values[each, (count - 1) // 2].astype(np.float64) + values[each, count // 2]) / 2
    return middle
