"""The oracle of sample quality: one block at a time, sample by sample, as plainly as it is defined."""

from __future__ import annotations

import math
from itertools import groupby, pairwise

import numpy as np
import numpy.typing as npt


def quality(block: npt.NDArray[np.generic], full_scale: float = math.nan) -> tuple[float, float, float]:
    """(clipped_fraction, longest_hold, spikes) of one block as it came from the converter."""
    integer = block.dtype.kind == "i"
    x = [float(v) for v in block]
    if not all(map(math.isfinite, x)):
        return math.nan, math.nan, math.nan
    of_type = float(np.iinfo(block.dtype).max) if integer else math.inf
    end = of_type if math.isnan(full_scale) else min(of_type, 0.99 * full_scale)
    return _clipped(x, end, of_type) / len(x), _hold(x), _spikes(x, integer=integer)


def _runs(x: list[float]) -> list[tuple[int, int, float]]:
    """(first, length, value) of each run of identical samples."""
    runs, first = [], 0
    for value, group in groupby(x):
        length = len(list(group))
        runs.append((first, length, value))
        first += length
    return runs


def _step(x: list[float]) -> float:
    return min((abs(b - a) for a, b in pairwise(x) if a != b), default=math.inf)


def _clipped(x: list[float], end: float, of_type: float) -> float:
    runs, step, high, low = _runs(x), _step(x), max(x), min(x)
    at_ends = sum(abs(v) >= end for v in x)
    quiet = high - low < 64 * step and end == of_type and 2 * at_ends < len(x)
    others = [length for _, length, value in runs if value not in (high, low)]
    usual = max(sum(others) / len(others), 1.0) if others else 1.0
    count = at_ends if at_ends > 3 and not quiet else 0
    for first, length, value in runs:
        if value in (high, low) and length >= 3 and length > 2 * usual and abs(value) < end:
            steep = _fall(x, first, length, value) >= 32 * step
            count += length if steep and high - low >= 64 * step else 0
    return count


def _fall(x: list[float], first: int, length: int, value: float) -> float:
    falls = []
    for outermost, side in ((first, -1), (first + length - 1, 1)):
        places = [outermost + side * d for d in (1, (length + 1) // 2, length)]
        shown = [abs(x[p] - value) for p in places if 0 <= p < len(x)]
        if shown:
            falls.append(max(shown))
    return min(falls, default=0.0)


def _hold(x: list[float]) -> float:
    runs, step, span = _runs(x), _step(x), max(x) - min(x)
    still = sum(a == b for a, b in pairwise(x)) >= 0.9 * len(x)
    longest = 1
    for i, (_, length, value) in enumerate(runs):
        aside = [abs(runs[k][2] - value) for k in (i - 1, i + 1) if 0 <= k < len(runs)]
        held = max(aside, default=0.0) > 2 * step or (still and span < 8 * step)
        longest = max(longest, length if held else min(length, 20))
    return float(longest)


def _spikes(x: list[float], *, integer: bool) -> float:
    some = x[:: max(1, len(x) // 256)]
    centre = sum(some) / len(some)
    level = sum(abs(v - centre) for v in some) / len(some)
    if integer:
        level = max(level, 1.0)
    count = 0
    for i in range(8, len(x) - 8):
        size = {k: abs(x[i + k] - centre) for k in range(-8, 9)}
        highest = size[0] > size[-1] and size[0] >= size[1]
        quiet = [size[k] <= 0.25 * size[0] for k in range(-8, 9) if abs(k) > 1]
        one_side = min(size[-1], size[1]) <= 0.25 * size[0]
        count += size[0] > 12 * level and highest and one_side and all(quiet)
    return float(count)
