"""The score of the Numenta Anomaly Benchmark, and the changepoint score that SKAB derives from it.

Early within a labelled window is worth more than late, a false alarm costs a little, a missed window much.
0 is a detector that says nothing, 100 one that says each window at its first row and nothing else; below 0 is
worse than silence. Written after Lavin & Ahmad, "Evaluating Real-Time Anomaly Detection Algorithms - the
Numenta Anomaly Benchmark", ICMLA 2015, section III, and the SKAB benchmark's description of its score.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.intp]
Window = tuple[int, int]
"""First and last row, both inside."""

PROBATION: Final = 0.15
PROBATION_ROWS: Final = 750
"""So many rows at the head of a series are not scored: 15 %, and at most 750."""


class Profile(NamedTuple):
    """What a hit at the first row, a false alarm and a missed window weigh."""

    hit: float
    false: float
    missed: float


STANDARD: Final = Profile(1.0, 0.11, 1.0)
LOW_FALSE: Final = Profile(1.0, 0.22, 1.0)


class Score(NamedTuple):
    """Points of some series, which add up; what stands in 100 is reckoned over all of them."""

    points: float
    null: float
    perfect: float

    def __add__(self, other: object) -> Score:
        if not isinstance(other, Score):
            return NotImplemented
        return Score(self.points + other.points, self.null + other.null, self.perfect + other.perfect)

    @property
    def percent(self) -> float:
        """0 for silence, 100 for perfect. Raises ValueError where there was no window to find."""
        if self.perfect == self.null:
            raise ValueError("a score needs at least one labelled window, got none")
        return 100 * (self.points - self.null) / (self.perfect - self.null)


NOTHING: Final = Score(0.0, 0.0, 0.0)


def probation(n_rows: int) -> int:
    """How many rows at the head are not scored."""
    return min(int(PROBATION * n_rows), PROBATION_ROWS)


def nab_score(detections: Rows, windows: Sequence[Window], n_rows: int, profile: Profile = STANDARD) -> Score:
    """The score of rows that were reported, `detections` ascending, on one series of `n_rows`.

    A window counts by its best detection. Rows within the probation are not scored, and a window that ends
    there does not count.
    """
    head = probation(n_rows)
    scored = detections[detections >= head]
    counted = [window for window in windows if window[1] >= head]
    points = sum(_window_points(scored, window, profile) for window in counted)
    points -= profile.false * sum(_false_weight(int(row), windows) for row in _outside(scored, windows))
    return Score(points, -profile.missed * len(counted), profile.hit * len(counted))


def _window_points(detections: Rows, window: Window, profile: Profile) -> float:
    first, last = window
    inside = detections[(detections >= first) & (detections <= last)]
    if inside.size == 0:
        return -profile.missed
    position = -(last - int(inside[0]) + 1) / (last - first + 1)
    return profile.hit * _sigmoid(position) / _sigmoid(-1.0)


def _sigmoid(position: float) -> float:
    """Near 1 at -1, the left edge of a window; 0 at its right one; near -1 a window's width past it."""
    return 2 / (1 + math.exp(5 * position)) - 1


def _false_weight(row: int, windows: Sequence[Window]) -> float:
    """From 0 at the right edge of the window before, to 1 three widths past it, or where there is none."""
    before = [window for window in windows if window[1] < row]
    if not before:
        return 1.0
    first, last = before[-1]
    position = (row - last) / max(last - first, 1)
    return 1.0 if position >= 3 else -_sigmoid(position)


def _outside(detections: Rows, windows: Sequence[Window]) -> Rows:
    outside = np.ones(detections.size, dtype=bool)
    for first, last in windows:
        outside &= (detections < first) | (detections > last)
    return detections[outside]


def changepoint_score(
    reported_s: npt.NDArray[np.float64],
    true_s: npt.NDArray[np.float64],
    width_s: float = 60.0,
    profile: Profile = STANDARD,
) -> Score:
    """SKAB's changepoint score of one run: a window of `width_s` to the right of each true changepoint.

    Times are seconds, ascending. The first report inside a window counts, from +hit at its left edge along a
    tanh to -false at its right one; each report outside costs `false`. Where windows meet, the right one
    begins where the left one ends.
    """
    points, taken, left = 0.0, np.zeros(reported_s.size, dtype=bool), -math.inf
    for start in true_s:
        first, last = max(float(start), left), float(start) + width_s
        left = last
        inside = (reported_s >= first) & (reported_s <= last)
        taken |= inside
        hits = reported_s[inside]
        points += (
            -profile.missed if hits.size == 0 else _tanh_points((hits[0] - first) / (last - first), profile)
        )
    points -= profile.false * int(np.count_nonzero(~taken))
    return Score(points, -profile.missed * true_s.size, profile.hit * true_s.size)


def _tanh_points(position: float, profile: Profile) -> float:
    """From `hit` at 0 to -`false` at 1."""
    half = (profile.hit + profile.false) / 2
    fall = math.tanh(math.pi * (position - 0.5)) / math.tanh(math.pi / 2)
    return half - profile.false - half * fall
