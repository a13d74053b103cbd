"""The passes over samples and spectra that every window goes through, by numpy.

`kernels` holds the same passes compiled, for installations with numba. Both give the same numbers to a few
digits of float32, and one suite of tests runs over both.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from models.features.centring import Centred, centre_by, mean_weights
from models.features.gate import FloatArray, SampleArray
from models.features.windows import hann


class Weights(NamedTuple):
    """Weights (columns, bins) of the bins from `first` on; outside of its `extents` (columns, 2) one is 0."""

    first: int
    columns: FloatArray
    extents: npt.NDArray[np.intp]


class Passes(Protocol):
    """What the extractor does with every sample and every bin."""

    def centre(
        self, samples: SampleArray, block: FloatArray, windowed: FloatArray, sums: FloatArray
    ) -> Centred:
        """Copies samples (n, m) into `block` as `centring.centre` does, and windowed into `windowed` (n, m).

        Where the window is shorter than the block, the last columns of `windowed` mean nothing. `sums`
        (4, n, parts) are those of x, x², x³ and x⁴ over equal parts of the block; parts may be 0.
        """

    def weighted_sums(self, power: FloatArray, weights: Weights, out: FloatArray) -> None:
        """Sums of power (n, bins) under each column of weights, into `out` (n, columns)."""

    def interval_sums(self, power: FloatArray, edges: npt.NDArray[np.intp], sums: FloatArray) -> None:
        """Sums of power (n, bins) from edges[:, :, 0] to before edges[:, :, 1] into sums[:, :, 0] (n, k, 2).

        Edges count from the first bin of the first row. What the other half of `sums` holds means nothing.
        """


class NumpyPasses:
    """The passes in numpy: BLAS for sums and products of rows, no power functions."""

    def __init__(self, n_samples: int, length: int) -> None:
        self._mean = mean_weights(n_samples)
        self._window = hann(length)
        self._ones: dict[int, FloatArray] = {}

    def centre(
        self, samples: SampleArray, block: FloatArray, windowed: FloatArray, sums: FloatArray
    ) -> Centred:
        """See `Passes`."""
        centred = centre_by(samples, block, self._mean)
        if sums.shape[2]:
            self._moments(block, windowed, sums)
        np.multiply(block[:, : self._window.size], self._window, out=windowed[:, : self._window.size])
        return centred

    def _moments(self, block: FloatArray, scratch: FloatArray, sums: FloatArray) -> None:
        """Sums of four powers. A cube by a power function costs 25 times the product."""
        n, parts = sums.shape[1:]
        part = block.shape[1] // parts
        ones = self._ones.setdefault(part, np.ones(part, dtype=np.float32))
        squares = np.multiply(block, block, out=scratch)
        a, b = (x[:, : parts * part].reshape(n, parts, part) for x in (block, squares))
        np.matmul(a, ones, out=sums[0])
        np.matmul(b, ones, out=sums[1])
        np.matmul(b[:, :, None, :], a[:, :, :, None], out=sums[2][:, :, None, None])
        np.matmul(b[:, :, None, :], b[:, :, :, None], out=sums[3][:, :, None, None])

    def weighted_sums(self, power: FloatArray, weights: Weights, out: FloatArray) -> None:
        """See `Passes`. One matrix product."""
        first, columns = weights.first, weights.columns
        np.matmul(power[:, first : first + columns.shape[1]], columns.T, out=out)

    def interval_sums(self, power: FloatArray, edges: npt.NDArray[np.intp], sums: FloatArray) -> None:
        """See `Passes`. One call sums each interval and what lies between it and the next.

        A running sum over the spectrum would need float64 and takes three times as long.
        """
        np.add.reduceat(power.reshape(-1), edges.reshape(-1), out=sums.reshape(-1))


def passes_for(n_samples: int, length: int, compiled: bool | None) -> Passes:
    """Those compiled where `compiled` asks for them, or is None and numba can be imported; else numpy's.

    Raises ValueError where they are asked for and numba can't be imported.
    """
    if compiled is False:
        return NumpyPasses(n_samples, length)
    try:
        from .kernels import CompiledPasses
    except ImportError as error:  # not installed, or not made for this numpy
        if compiled is None:
            return NumpyPasses(n_samples, length)
        raise ValueError(
            f"compiled must be False or None where numba can't be imported ({error}), got True: "
            "install it with pip install '.[fast]' in Palier's source folder"
        ) from error
    return CompiledPasses(length)
