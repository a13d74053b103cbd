"""The same passes as in `passes`, compiled by numba: fewer readings of the same samples.

Compiled once and kept on disk beside this file, or in the user's cache where that can't be written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numba
import numpy as np
import numpy.typing as npt

from models.features.centring import TAME, Centred
from models.features.gate import FloatArray, SampleArray
from models.features.windows import hann

if TYPE_CHECKING:
    from .passes import Weights

LANES: Final = 128
"""Maxima are kept in so many lanes: one maximum of a row does not become SIMD, a row of maxima does."""

RUN: Final = 128
"""Samples that are summed in float32 before their sum goes to the others' in float64. The processor chooses
how many accumulators it uses, and one that meets the same phase of a tone each time gathers its rounding.
"""

SMALLEST: Final = np.finfo(np.float32).tiny
"""The smallest power of two to divide by: the reciprocal of a smaller one is infinite."""

_FAST: Final = {"reassoc", "contract", "nsz", "arcp"}
"""Sums in any order, as BLAS does. Not a word of NaN or infinity: those must be found."""

_SAMPLES: Final = tuple(
    numba.types.Array(kind, 2, "C", readonly=True) for kind in (numba.float32, numba.int16, numba.int32)
)
_ROWS: Final = numba.float32[:, ::1]
_SUMS: Final = numba.float32[:, :, :]
_WINDOW: Final = numba.types.Array(numba.float32, 1, "C", readonly=True)

F = TypeVar("F", bound=Callable[..., Any])


def _compiled(*signatures: Any) -> Callable[[F], F]:
    """Compiles for these types when the module is loaded, from the cache where there is one."""

    def compile_it(function: F) -> F:
        compiler: Any = numba.njit
        options = {"fastmath": _FAST, "nogil": True, "error_model": "numpy"}
        try:
            made: F = compiler(list(signatures), cache=True, **options)(function)
        except RuntimeError:  # nowhere to keep it
            made = compiler(list(signatures), **options)(function)
        return made

    return compile_it


@numba.njit(fastmath=_FAST, error_model="numpy")
def _mean(row: FloatArray) -> np.float32:
    total = np.float64(0)
    for start in range(0, row.size, RUN):
        part, run = row[start : start + RUN], np.float32(0)
        for j in range(part.size):
            run += np.float32(part[j])
        total += run
    if np.isfinite(total):
        return np.float32(total / row.size)
    # Large samples left float32 together: each for itself does not. What is not finite stays so.
    share, mean = np.float32(1) / np.float32(row.size), np.float32(0)
    for j in range(row.size):
        mean += np.float32(row[j]) * share
    return mean


@numba.njit(fastmath=_FAST, error_model="numpy")
def _centre_row(
    row: FloatArray, mean: np.float32, out: FloatArray, high: FloatArray, low: FloatArray
) -> tuple[np.float32, np.float32]:
    """Writes a row without its mean; its maximum and minimum, by lanes that are folded at the end."""
    high[:] = np.float32(-np.inf)
    low[:] = np.float32(np.inf)
    whole = row.size // LANES * LANES
    for start in range(0, whole, LANES):
        for j in range(LANES):
            x = np.float32(row[start + j]) - mean
            out[start + j] = x
            high[j] = max(high[j], x)
            low[j] = min(low[j], x)
    for j in range(whole, row.size):
        x = np.float32(row[j]) - mean
        out[j] = x
        high[0] = max(high[0], x)
        low[0] = min(low[0], x)
    width = LANES
    while width > 1:
        width //= 2
        for j in range(width):
            high[j] = max(high[j], high[j + width])
            low[j] = min(low[j], low[j + width])
    return high[0], low[0]


@numba.njit(fastmath=_FAST, error_model="numpy")
def _moments(row: FloatArray, sums: FloatArray) -> None:
    """Sums (4, parts) of four powers of a row. Only loops from 0 on become SIMD: others might wrap around."""
    parts = sums.shape[1]
    for p in range(parts):
        size = row.size // parts
        part = row[p * size : (p + 1) * size]
        a = b = c = d = np.float64(0)
        for start in range(0, size, RUN):
            run = part[start : start + RUN]
            first = second = third = fourth = np.float32(0)
            for j in range(run.size):
                x = run[j]
                square = x * x
                first += x
                second += square
                third += square * x
                fourth += square * square
            a, b, c, d = a + first, b + second, c + third, d + fourth
        sums[0, p], sums[1, p], sums[2, p], sums[3, p] = a, b, c, d


@_compiled(*(numba.void(samples, _WINDOW, _ROWS, _ROWS, _ROWS, _SUMS) for samples in _SAMPLES))
def _centre(  # noqa: PLR0917 - the arrays of one pass
    samples: SampleArray,
    window: FloatArray,
    block: FloatArray,
    windowed: FloatArray,
    found: FloatArray,
    sums: FloatArray,
) -> None:
    """Centres, tames, windows and sums rows while each is in the cache; `found` (4, n) is mean, highest,
    lowest and factor.
    """
    high = np.empty(LANES, dtype=np.float32)
    low = np.empty(LANES, dtype=np.float32)
    for i in range(samples.shape[0]):
        out, under = block[i], windowed[i]
        mean = _mean(samples[i])
        factor = np.float32(1)
        if np.isfinite(mean):
            top, bottom = _centre_row(samples[i], mean, out, high, low)
        else:
            out[:], top, bottom = np.float32(0), np.float32(0), np.float32(0)
        if abs(mean) > top - bottom:
            # Of a mean far above its signal float32 leaves a rest, which would leak into the lowest lines.
            rest = _mean(out)
            mean += rest
            top, bottom = _centre_row(out, rest, out, high, low)
        if top == bottom:  # a constant: all that is left of it is rounding
            mean += top
            out[:], top, bottom = np.float32(0), np.float32(0), np.float32(0)
        peak = max(top, -bottom)
        if np.isinf(peak):
            mean = np.float32(np.nan)
            out[:], top, bottom, peak = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        if peak > 0 and (peak < TAME[0] or peak > TAME[1]):
            factor = max(np.float32(2.0 ** np.floor(np.log2(peak))), SMALLEST)
            out /= factor
        found[0, i], found[1, i], found[2, i], found[3, i] = mean, top / factor, bottom / factor, factor
        for j in range(window.size):
            under[j] = out[j] * window[j]
        _moments(out, sums[:, i])


@_compiled(numba.void(_ROWS, numba.int64, _ROWS, numba.int64[:, ::1], numba.float32[:, :]))
def _weighted_sums(
    power: FloatArray, first: int, columns: FloatArray, extents: npt.NDArray[np.intp], out: FloatArray
) -> None:
    """Sums under columns of weights, over no more bins than each column has."""
    for i in range(power.shape[0]):
        for c in range(columns.shape[0]):
            start, stop = extents[c]
            part, weights = power[i, first + start : first + stop], columns[c, start:stop]
            total = np.float32(0)
            for b in range(part.size):
                total += part[b] * weights[b]
            out[i, c] = total


@_compiled(numba.void(numba.float32[::1], numba.int64[:, :, ::1], numba.float32[:, :, ::1]))
def _interval_sums(power: FloatArray, edges: npt.NDArray[np.intp], sums: FloatArray) -> None:
    for i in range(edges.shape[0]):
        for k in range(edges.shape[1]):
            part = power[edges[i, k, 0] : edges[i, k, 1]]
            total = np.float32(0)
            for b in range(part.size):
                total += part[b]
            sums[i, k, 0] = total


class CompiledPasses:
    """The passes, compiled."""

    def __init__(self, length: int) -> None:
        self._window = hann(length)

    def centre(
        self, samples: SampleArray, block: FloatArray, windowed: FloatArray, sums: FloatArray
    ) -> Centred:
        """See `passes.Passes`."""
        found = np.empty((4, len(samples)), dtype=np.float32)
        native: SampleArray = np.require(samples, samples.dtype.newbyteorder("="), ("C", "A"))
        _centre(native, self._window, block, windowed, found, sums)
        mean, highest, lowest, factor = found
        good = np.isfinite(mean)
        if not good.all():
            mean[~good] = 0
        factors = factor.astype(np.float64)
        return Centred(~good, factors, mean / factors, highest, lowest)

    def weighted_sums(self, power: FloatArray, weights: Weights, out: FloatArray) -> None:
        """See `passes.Passes`."""
        _weighted_sums(power, weights.first, weights.columns, weights.extents, out)

    def interval_sums(self, power: FloatArray, edges: npt.NDArray[np.intp], sums: FloatArray) -> None:
        """See `passes.Passes`."""
        _interval_sums(power.reshape(-1), edges, sums)
