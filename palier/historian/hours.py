"""Mean, least and greatest of groups of rows: of an hour when it is written, of a bucket when it is read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

DoubleArray = npt.NDArray[np.float64]


class Summary(NamedTuple):
    """Of each group and number (groups, numbers); NaN where nothing is known."""

    mean: DoubleArray
    min: DoubleArray
    max: DoubleArray


def summarize(values: DoubleArray, sizes: npt.NDArray[np.intp]) -> Summary:
    """Of values (rows, numbers), NaN = not known. Groups of `sizes` rows, none empty, lie in order.

    Only what is known counts. A mean never leaves its own least and greatest, whatever was rounded.
    """
    if not len(sizes):
        nothing = np.empty((0, values.shape[1]))
        return Summary(nothing, nothing, nothing)
    starts = np.cumsum(sizes) - sizes
    known = ~np.isnan(values)
    counts = np.maximum(np.add.reduceat(known, starts, axis=0, dtype=np.int64), 1)
    # Divided before they are added, so that no sum exceeds what a float64 holds.
    shares = np.where(known, values, 0.0) / np.repeat(counts, sizes, axis=0)
    low, high = np.fmin.reduceat(values, starts, axis=0), np.fmax.reduceat(values, starts, axis=0)
    return Summary(np.clip(np.add.reduceat(shares, starts, axis=0), low, high), low, high)
