"""Decimation by a whole factor: one linear-phase FIR, streaming, the same result however the samples come.

The filter is a windowed sinc with Kaiser's window (Kaiser 1974; Oppenheim & Schafer, *Discrete-Time Signal
Processing*, §7.6). Up to 1/2.56 of the new rate, the band that analysers call usable, it is flat within
0.001 dB; from half of the new rate on, all that would fold back is 90 dB down.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

PASSES: Final = 1 / 2.56
"""Of the new rate: flat so far."""

STOPS: Final = 0.5
"""Of the new rate: from here on nothing is let through that would be taken for a lower frequency."""

REJECTION_DB: Final = 90.0
"""Asked of the design; what is promised is 80. An int16 sensor has 90 dB itself."""

CHUNK: Final = 64
"""Output samples computed together: always the same number, so that bursts of any size give the same bits."""

Floats = npt.NDArray[np.float32]


@lru_cache(maxsize=8)
def taps_for(factor: int) -> Floats:
    """The filter's coefficients for a factor of at least 2: odd in number, symmetric, of sum 1. Read-only."""
    width = (STOPS - PASSES) / factor  # of the transition, in cycles per input sample
    half = math.ceil((REJECTION_DB - 7.95) / (14.36 * width) / 2)
    beta = 0.1102 * (REJECTION_DB - 8.7)
    cutoff = (STOPS + PASSES) / factor  # twice the middle of the transition
    n = np.arange(-half, half + 1)
    taps = np.sinc(cutoff * n) * np.kaiser(2 * half + 1, beta)
    found: Floats = (taps / taps.sum()).astype(np.float32)
    found.flags.writeable = False
    return found


class Decimator:
    """Filters and thins a stream of `n_channels`. The output at k stands for the input at `delay` + k·factor.

    `out` (n_channels, n) float32 is filled in the order of time; `feed` says when it is full.
    """

    def __init__(self, factor: int, n_channels: int, n_out: int) -> None:
        self.factor = factor
        self.out = np.empty((n_channels, n_out), np.float32)
        self._done = 0
        if factor > 1:
            self._taps = taps_for(factor)
            self._held = np.empty((n_channels, self._needed(CHUNK)), np.float32)
            self._n_held = 0

    @staticmethod
    def delay_of(factor: int) -> int:
        """Samples of the stream before the one that the first output stands for, and behind the last."""
        return 0 if factor == 1 else taps_for(factor).size // 2

    def feed(self, samples: npt.NDArray[np.generic]) -> int:
        """Take of (n_channels, n) what is still needed: how many samples that was."""
        if self.factor == 1:
            return self._copy(samples)
        taken: int = 0
        while self._done < self.out.shape[1]:
            need = self._needed(min(CHUNK, self.out.shape[1] - self._done))
            part = samples[:, taken : taken + need - self._n_held]
            stop = self._n_held + part.shape[1]
            self._held[:, self._n_held : stop] = part
            self._n_held, taken = stop, taken + part.shape[1]
            if stop < need:
                break
            self._compute(need)
        return taken

    @property
    def full(self) -> bool:
        """Whether all of `out` is there."""
        return bool(self._done == self.out.shape[1])

    def _needed(self, n_out: int) -> int:
        return self._taps.size + (n_out - 1) * self.factor

    def _copy(self, samples: npt.NDArray[np.generic]) -> int:
        n: int = min(samples.shape[1], self.out.shape[1] - self._done)
        self.out[:, self._done : self._done + n] = samples[:, :n]
        self._done += n
        return n

    def _compute(self, need: int) -> None:
        windows = np.lib.stride_tricks.sliding_window_view(self._held[:, :need], self._taps.size, axis=1)
        found = windows[:, :: self.factor] @ self._taps
        self.out[:, self._done : self._done + found.shape[1]] = found
        self._done += found.shape[1]
        first = found.shape[1] * self.factor  # where the next window begins
        kept = max(0, need - first)
        self._held[:, :kept] = self._held[:, need - kept : need].copy()
        self._n_held = kept
