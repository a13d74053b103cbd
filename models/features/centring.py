"""First step of every chunk: samples as float32, their mean removed, their size far from its ends."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from .gate import DoubleArray, FloatArray, SampleArray

TAME: Final = (2.0**-12, 2.0**16)
"""Peaks between which fourth powers and squared envelopes of long blocks stay far inside float32."""


class Centred(NamedTuple):
    """What `centre` did to each block (n,).

    `bad`: it holds a sample that is not finite, or further from its mean than float32 reaches, and was set to
    0. `factor` brings what is left back to its own size (a power of two, 1 for nearly all). `offset` is the
    mean that was removed, in the tamed size, `highest` and `lowest` are those of what is left.
    """

    bad: npt.NDArray[np.bool_]
    factor: DoubleArray
    offset: DoubleArray
    highest: FloatArray
    lowest: FloatArray


def centre(samples: SampleArray, out: FloatArray) -> Centred:
    """Copies blocks (n, m) into `out` as float32, their mean removed and their size tamed."""
    with np.errstate(invalid="ignore", over="ignore"):
        return centre_by(samples, out, mean_weights(out.shape[1]))


def centre_by(samples: SampleArray, out: FloatArray, weights: FloatArray) -> Centred:
    """The same with `mean_weights` made before, under the caller's errstate."""
    if samples.dtype == np.float32:
        mean: FloatArray = np.matmul(samples, weights)  # by BLAS: three times as fast as mean(axis=1)
        np.subtract(samples, mean[:, None], out=out)
    else:
        np.copyto(out, samples, casting="unsafe")
        mean = out @ weights
        out -= mean[:, None]
    offset = mean.astype(np.float64)
    good = np.isfinite(mean)
    if not good.all():
        out[~good] = 0
        offset[~good] = 0
    highest, lowest = out.max(axis=1), out.min(axis=1)
    far = np.abs(offset) >= highest - lowest
    if far.any():
        _centre_again(far, out, weights, offset, (highest, lowest))
    beyond = np.isinf(highest) | np.isinf(lowest)
    if beyond.any():
        out[beyond] = highest[beyond] = lowest[beyond] = 0
        offset[beyond] = 0
    factor = _tame(out, highest, lowest)
    return Centred(~good | beyond, factor, offset / factor, highest, lowest)


def _centre_again(
    far: npt.NDArray[np.bool_],
    out: FloatArray,
    weights: FloatArray,
    offset: DoubleArray,
    extremes: tuple[FloatArray, FloatArray],
) -> None:
    """Removes what float32 left of means far above their signals: it would leak into the lowest lines."""
    rest = out[far] @ weights
    out[far] -= rest[:, None]
    offset[far] += rest
    highest, lowest = extremes
    highest[far] -= rest
    lowest[far] -= rest
    still = highest == lowest
    if still.any():  # a constant: all that is left of it is rounding
        offset[still] += highest[still]
        out[still] = highest[still] = lowest[still] = 0


def mean_weights(n: int) -> FloatArray:
    """What the samples of a block are multiplied by for their mean."""
    return np.full(n, 1 / n, dtype=np.float32)


def _tame(x: FloatArray, highest: FloatArray, lowest: FloatArray) -> DoubleArray:
    """Multiplies blocks far from 1 by a power of two, in place; the factor that undoes it."""
    factor = np.ones(len(x))
    height = highest - lowest  # between the peak and twice the peak
    if TAME[0] * 2 <= height.min(initial=np.inf) and height.max(initial=0) <= TAME[1]:
        return factor
    peak = np.maximum(highest, -lowest).astype(np.float64)
    wild = (peak > 0) & ((peak < TAME[0]) | (peak > TAME[1]))
    if wild.any():
        factor[wild] = np.exp2(np.floor(np.log2(peak[wild])))
        tamed = factor[wild].astype(np.float32)
        x[wild] /= tamed[:, None]
        highest[wild] /= tamed
        lowest[wild] /= tamed
    return factor
