"""What is read from the samples themselves: peak, mean square, kurtosis, for a chunk of blocks."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from .gate import DoubleArray, FloatArray

TAME: Final = (2.0**-12, 2.0**16)
"""Peaks between which fourth powers and squared envelopes of long blocks stay far inside float32."""

FLOAT32_STEP: Final = float(np.finfo(np.float32).eps)


class Centred(NamedTuple):
    """What `centre` did to each block (n,).

    `bad`: it holds a sample that is not finite, and was set to 0. `factor` brings what is left back to its
    own size (a power of two, 1 for nearly all). `offset` is the mean that was removed, in the tamed size.
    """

    bad: npt.NDArray[np.bool_]
    factor: DoubleArray
    offset: DoubleArray


class Levels(NamedTuple):
    """Of each block (n,): mean square and peak of the centred samples, kurtosis (NaN for a constant)."""

    mean_square: DoubleArray
    peak: DoubleArray
    kurtosis: DoubleArray


def centre(samples: npt.NDArray[np.generic], out: FloatArray) -> Centred:
    """Copies blocks (n, m) into `out` as float32, their mean removed and their size tamed."""
    np.copyto(out, samples, casting="unsafe")
    with np.errstate(invalid="ignore", over="ignore"):
        mean = _means(out)
    bad = ~np.isfinite(mean)
    if bad.any():
        out[bad] = 0
        mean[bad] = 0
    out -= mean[:, None]
    factor = _tame(out)
    return Centred(bad, factor, np.abs(mean) / factor)


def measure(x: FloatArray, scratch: FloatArray, offset: DoubleArray) -> Levels:
    """Levels of centred blocks `x` (n, m); `scratch` has their shape, `offset` is from `centre`."""
    m = x.shape[1]
    peak = _peaks(x)
    np.multiply(x, x, out=scratch)
    first = _means(x).astype(np.float64)  # what float32 has left of the mean
    second = _means(scratch).astype(np.float64)
    third = _dots(scratch, x) / m
    fourth = _dots(scratch, scratch) / m
    variance = second - first**2
    moment = fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4
    # Below this a block is a constant: what is left of it is the rounding of its mean.
    alive = variance > (4 * FLOAT32_STEP * offset) ** 2
    kurtosis = np.divide(moment, variance**2, out=np.full(len(x), np.nan), where=alive)
    return Levels(np.where(alive, variance, 0.0), np.where(alive, peak, 0.0), kurtosis)


def _tame(x: FloatArray) -> DoubleArray:
    """Multiplies blocks far from 1 by a power of two, in place; the factor that undoes it."""
    peak = _peaks(x)
    wild = (peak > 0) & ((peak < TAME[0]) | (peak > TAME[1]))
    factor = np.ones(len(x))
    if wild.any():
        factor[wild] = np.exp2(np.floor(np.log2(peak[wild])))
        x[wild] /= factor[wild, None].astype(np.float32)
    return factor


def _peaks(x: FloatArray) -> DoubleArray:
    peaks: DoubleArray = np.maximum(x.max(axis=1), -x.min(axis=1)).astype(np.float64)
    return peaks


def _means(x: FloatArray) -> FloatArray:
    """Row means by BLAS: three times as fast as mean(axis=1)."""
    means: FloatArray = x @ np.full(x.shape[1], 1 / x.shape[1], dtype=np.float32)
    return means


def _dots(a: FloatArray, b: FloatArray) -> DoubleArray:
    """Row by row scalar products of (n, m) arrays, by BLAS."""
    products: FloatArray = np.matmul(a[:, None, :], b[:, :, None])
    return products[:, 0, 0].astype(np.float64)
