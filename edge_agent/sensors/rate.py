"""How fast a sensor really samples: a line through when its samples were there, by the monotonic clock."""

from __future__ import annotations

from typing import Final

import numpy as np

ANCHOR_S: Final = 1.0
"""One point of the line for each second: of its bursts the one that was read soonest."""

ANCHORS: Final = 120
"""Two minutes: long enough for some parts in a million, short beside how an oscillator follows the warmth."""

TRUSTED_S: Final = 2.0
"""A shorter line is bent more by one late look than the rate strays from the data sheet's."""


class RateMeter:
    """`note` each burst. A look can be late and never early, so the earliest of each second counts."""

    def __init__(self, nominal_hz: float) -> None:
        self.nominal_hz = nominal_hz
        self.measured = False  # whether `fs_hz` is more than the nominal rate
        self.fs_hz = nominal_hz
        self._at_s: list[float] = []
        self._counts: list[int] = []
        self._since_s = 0.0  # when the newest second began
        self._line = (0, 0.0)  # a sample's number, and when it was there

    def note(self, count: int, at_s: float) -> None:
        """`count` samples since the stream began were there at monotonic second `at_s`."""
        if not self._at_s or at_s - self._since_s >= ANCHOR_S:
            self._fit()
            self._since_s = at_s
            self._at_s.append(at_s)
            self._counts.append(count)
            del self._at_s[:-ANCHORS], self._counts[:-ANCHORS]
        elif at_s - self._at_s[-1] < (count - self._counts[-1]) / self.fs_hz:
            self._at_s[-1], self._counts[-1] = at_s, count
        else:
            return
        if len(self._at_s) == 1:
            self._line = (count, at_s)

    def cut(self) -> None:
        """Samples were lost: how many is not known, so a new line begins, at the old rate for now."""
        self._at_s.clear()
        self._counts.clear()

    def time_of(self, count: int) -> float:
        """The monotonic second at which so many samples were there."""
        known, at_s = self._line
        return at_s + (count - known) / self.fs_hz

    def _fit(self) -> None:
        if len(self._at_s) < 2 or self._at_s[-1] - self._at_s[0] < TRUSTED_S:
            return
        counts = np.asarray(self._counts, dtype=np.float64) - self._counts[0]
        at_s = np.asarray(self._at_s) - self._at_s[0]
        mean_count, mean_s = float(counts.mean()), float(at_s.mean())
        spread = float(((counts - mean_count) ** 2).sum())
        period_s = float(((counts - mean_count) * (at_s - mean_s)).sum()) / spread if spread else 0.0
        if not period_s > 0:
            return
        self.fs_hz, self.measured = 1.0 / period_s, True
        self._line = (self._counts[0] + round(mean_count), self._at_s[0] + mean_s)
