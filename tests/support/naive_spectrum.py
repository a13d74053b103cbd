"""What the oracle's spectral features stand on: the powers of one block, bin by bin."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Block = npt.NDArray[np.float64]

SLACK = 1e-9
"""An edge that falls on a bin belongs to it, whatever the last digit of the division."""


def spectral_length(n: int) -> int:
    """The longest even number ≤ n whose only prime factors are 2, 3 and 5, found by trying every one."""
    return next(m for m in range(n, 1, -1) if m % 2 == 0 and _without(m, 2, 3, 5) == 1)


def _without(m: int, *primes: int) -> int:
    for prime in primes:
        while m % prime == 0:
            m //= prime
    return m


def hann(n: int) -> Block:
    """The periodic Hann window."""
    return np.array([0.5 - 0.5 * math.cos(2 * math.pi * i / n) for i in range(n)])


@dataclass(frozen=True)
class Spectrum:
    """Of the first `n` samples `x`: spectrum under a Hann window, and mean square `power` of each bin."""

    fs: float
    n: int
    x: Block
    lines: npt.NDArray[np.complex128]
    power: Block

    @classmethod
    def of(cls, x: Block, fs: float) -> Spectrum:
        """`x` is the whole block, its mean removed."""
        n = spectral_length(len(x))
        window = hann(n)
        lines = np.fft.rfft(x[:n] * window)
        return cls(fs, n, x[:n], lines, 2 * np.abs(lines) ** 2 / (n * (window**2).sum()))

    @property
    def df(self) -> float:
        return self.fs / self.n

    @property
    def usable(self) -> float:
        return self.fs / 2.56

    @property
    def frequency(self) -> Block:
        return np.arange(self.n // 2 + 1) * self.df

    @property
    def velocity(self) -> Block:
        """Mean square velocity of each bin in (mm/s)²; that of bin 0, which has none, is 0."""
        omega = 2 * math.pi * self.frequency
        omega[0] = math.inf
        return self.power * (1000 / omega) ** 2

    def reaches(self, high: float) -> bool:
        """Whether a band up to `high` Hz lies in what the filter leaves usable."""
        return high <= self.usable * (1 + SLACK)

    def closed(self, low: float, high: float) -> list[int]:
        """Bins from `low` to `high` Hz, both edges included, bin 0 never."""
        first, last = math.ceil(low / self.df - SLACK), math.floor(high / self.df + SLACK)
        return list(range(max(first, 1), min(last, self.n // 2) + 1))

    def half_open(self, low: float, high: float) -> list[int]:
        """Bins from `low` to `high` Hz, the upper edge excluded, so that neighbouring bands share none."""
        first, stop = (math.ceil(edge / self.df - SLACK) for edge in (low, high))
        return list(range(max(first, 1), min(stop, self.n // 2 + 1)))

    def last_bin(self, top_hz: float) -> int:
        """The last bin at or below a frequency, and below what is usable."""
        return math.floor(min(top_hz, self.usable) / self.df + SLACK)


def between(energy: Block, low: float, high: float) -> float:
    """Σ of the bins k with low ≤ k ≤ high, in bins; bin 0 never."""
    return math.fsum(energy[k] for k in range(max(math.ceil(low - SLACK), 1), math.floor(high + SLACK) + 1))
