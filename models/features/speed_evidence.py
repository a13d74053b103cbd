"""What a spectrum says about the speed of a shaft: its lines over their floor, and how a comb fits them.

Lines are compared with the median around them. Acceleration serves: dividing by f, which is all that velocity
would do, changes line and floor alike, and would lift the drift of the sensor above the lines of slow shafts.
In noise a bin exceeds t times that median with probability 2^-t, so a line counts when it exceeds
log2(bins searched / false alarms); the score of a comb grows with log2(1 + line / that threshold).
Frequencies are in bins of the spectrum throughout.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.fft

from .bands import usable_hz
from .centring import centre
from .gate import DoubleArray, FloatArray, SampleArray
from .stages.lines import FALSE_ALARM
from .windows import hann, spectral_length

BoolArray = npt.NDArray[np.bool_]

HARMONICS: Final = 4
"""Of the shaft, in the score: few machines show more of them above the floor, and gears begin soon after."""

MULTIPLES: Final = np.arange(1, 2 * HARMONICS + 1) / 2
"""What is looked at for each candidate: harmonics count for it, what lies halfway between them against it."""

STEP: Final = 0.25
"""Bins between candidates: at the highest harmonic no line is missed by more than half a bin."""

LEAKED_BINS: Final = 3
"""Bins at 0 Hz that hold the window's leak of what is left of the mean."""

LOWEST_HZ: Final = 2.0
"""Below it a spectrum shows the drift of the sensor."""

FEWEST_FLOOR_BINS: Final = 32
"""In a block of the floor: the four bins of a line, even of a comb every ten bins, leave the median alone."""

FLOOR_HZ: Final = 4.0
FLOOR_SHARE: Final = 0.1
"""Width of a block of the floor: narrow enough for the slope of the spectrum near 0 Hz, and wide enough for
lines that a changing speed has smeared over 1 % of their frequency."""

MAINS_BINS: Final = 2.0
"""Half of the main lobe of the window: a line nearer than this to the mains may be theirs."""


FEET_BINS: Final = (-3, -2, 2, 3)
FEET_DISTANCE: Final = 2.5
FEET: Final = 0.03
"""Bins beside the main lobe of a steady line, their mean distance, and the share of its power there at most:
what is more there was smeared."""

NOISE_MEAN: Final = 1 / float(np.log(2))
"""Mean of noise over its median."""


class Whitened(NamedTuple):
    """Power over the local median (n, m) from bin 0 on, two empty bins at the end; `df_hz` is a bin.

    `floor` (n, m - 2) is that median. `bad` (n,) are blocks with a sample that is not finite; all their
    ratios are 0, as those of constant ones.
    """

    ratio: FloatArray
    floor: FloatArray
    df_hz: float
    bad: BoolArray


class Lines(NamedTuple):
    """What stands at each expected place (n, m).

    Place of the highest line in bins (Hann interpolation), its ratio, the power of its main lobe (three bins,
    so that it does not matter where between two of them the line lies), how far in bins a change of speed has
    smeared it, and whether it counts: it is a local maximum and exceeds its threshold.
    """

    place: DoubleArray
    ratio: DoubleArray
    power: DoubleArray
    smear: DoubleArray
    counts: BoolArray

    def columns(self, chosen: slice) -> Lines:
        """Some of the places."""
        return Lines._make(values[:, chosen] for values in self)

    def beside(self, other: Lines) -> Lines:
        """These places, then the others."""
        return Lines._make(np.hstack(pair) for pair in zip(self, other, strict=True))


def whiten(samples: SampleArray, fs_hz: float, top_hz: float, mains_hz: tuple[float, ...]) -> Whitened:
    """Spectra of blocks up to `top_hz`, over their floor; multiples of the mains are left out as 0."""
    n, length = samples.shape
    block = np.empty((n, length), dtype=np.float32)
    bad = centre(samples, block).bad
    length = spectral_length(length)
    block = block[:, :length]
    block *= hann(length)
    df = fs_hz / length
    stop = int(min(top_hz, usable_hz(fs_hz)) / df) + 2
    edges = _floor_edges(df, stop, length // 2 + 1)
    lines = scipy.fft.rfft(block, axis=1)[:, : edges[-1]]
    power = lines.real.astype(np.float64) ** 2 + lines.imag.astype(np.float64) ** 2
    ratio = np.zeros((n, stop + 2), dtype=np.float32)
    floor = _floor(power, edges, stop)
    np.divide(power[:, :stop], floor, out=ratio[:, :stop], where=power[:, :stop] > 0)
    ratio[:, : max(LEAKED_BINS, int(np.ceil(LOWEST_HZ / df)))] = 0
    ratio[:, _of_the_mains(df, stop + 2, mains_hz)] = 0
    return Whitened(ratio, floor.astype(np.float32), df, bad)


def thresholds(low: DoubleArray, high: DoubleArray, multiples: DoubleArray) -> DoubleArray:
    """Ratios (n, m) that noise exceeds somewhere in the range at a multiple with probability FALSE_ALARM."""
    searched = multiples * (high - low)[:, None] + 2 * LEAKED_BINS
    return np.asarray(np.log2(searched / FALSE_ALARM))


def combs(
    white: Whitened, low: DoubleArray, high: DoubleArray, wide: BoolArray
) -> tuple[DoubleArray, DoubleArray]:
    """Candidates (n, m) from low to high in bins (n,), and their scores (n, m) in bits, -inf past `high`.

    None lies past the end of the spectrum, however high `high` is.

    S(f) = Σ_k [L(kf) - L((k-½)f)], k = 1..4, L = ½·log2(1 + ratio / threshold): twice the speed pays for the
    lines it passes over, half of it finds every second of its own missing. Where the range is not `wide` (n,)
    neither is in it, and lines at half orders, which a loose shaft shows, count for nothing.
    """
    reach = np.minimum(high, white.ratio.shape[1]) - low
    count = max(int(np.ceil(reach / STEP).max()), 0) + 1
    candidates = low[:, None] + STEP * np.arange(count)
    limits = thresholds(low, high, MULTIPLES)
    score = np.zeros(candidates.shape)
    for multiple, limit in zip(MULTIPLES, limits.T, strict=True):
        level = np.log2(1 + _between(white.ratio, multiple * candidates) / limit[:, None]) / 2
        if multiple % 1:
            score -= np.where(wide[:, None], level, 0)
        else:
            score += level
    score[candidates > high[:, None] + STEP / 2] = -np.inf
    return candidates, score


def lines_at(white: Whitened, place: DoubleArray, aside: DoubleArray, limit: DoubleArray) -> Lines:
    """The highest line within ±`aside` bins (n, m), a bin at least, of each `place` (n, m)."""
    reach = np.maximum(np.rint(aside), 1)
    steps = np.arange(-reach.max(initial=1), reach.max(initial=1) + 1)
    last = white.ratio.shape[1] - 2
    row = np.arange(len(place))[:, None]
    bins = np.clip(np.rint(place)[:, :, None] + steps, 1, last).astype(np.intp)
    found = np.where(np.abs(steps) <= reach[:, :, None], white.ratio[row[:, :, None], bins], -1.0)
    at = np.take_along_axis(bins, found.argmax(axis=2)[:, :, None], axis=2)[:, :, 0]
    ratio, before, after = (white.ratio[row, at + step].astype(np.float64) for step in (0, -1, 1))
    counts = (ratio > limit) & (ratio >= before) & (ratio >= after)
    counts &= (before > 0) & (after > 0)  # beside a bin that was left out it can't be placed
    beside = np.stack([white.ratio[row, np.clip(at + step, 0, last)] for step in FEET_BINS])
    feet = np.maximum(beside.sum(axis=0, dtype=np.float64) - NOISE_MEAN * len(FEET_BINS), 0)
    share = feet / np.maximum(ratio + before + after + feet, 1)
    smear = FEET_DISTANCE * np.maximum(share - FEET, 0)
    power = (ratio + before + after) * white.floor[row, np.minimum(at, last - 1)]
    return Lines(at + _interpolation(ratio, before, after), ratio, power, smear, counts)


def strongest_below(white: Whitened, stop: DoubleArray) -> DoubleArray:
    """The highest ratio (n,) below bin `stop` (n,)."""
    highest = np.maximum.accumulate(white.ratio, axis=1)
    last = np.clip(np.ceil(stop) - 1, 0, white.ratio.shape[1] - 1).astype(np.intp)
    return np.asarray(highest[np.arange(len(last)), last], dtype=np.float64)


def _interpolation(ratio: DoubleArray, before: DoubleArray, after: DoubleArray) -> DoubleArray:
    """How far (n, m) in bins a line lies from its highest bin: (2α - 1)/(α + 1), α = neighbour / highest."""
    higher = np.maximum(before, after)
    alpha = np.sqrt(np.divide(higher, ratio, out=np.ones_like(ratio), where=ratio > 0))
    shift = np.clip((2 * alpha - 1) / (alpha + 1), 0, 0.5)
    return np.asarray(np.where(after > before, shift, -shift))


def _between(ratio: FloatArray, place: DoubleArray) -> DoubleArray:
    """Ratio (n, m) at places between bins, linearly; 0 past the end."""
    place = np.minimum(place, ratio.shape[1] - 2)
    low = place.astype(np.intp)
    share = place - low
    value = np.take_along_axis(ratio, low, axis=1) * (1 - share)
    value += np.take_along_axis(ratio, low + 1, axis=1) * share
    return np.asarray(value)


def _of_the_mains(df_hz: float, count: int, mains_hz: tuple[float, ...]) -> BoolArray:
    """Which of `count` bins lie within the main lobe of a multiple of the mains."""
    bins = np.arange(count)
    near = np.zeros(count, dtype=np.bool_)
    for mains in mains_hz:
        distance = np.abs(bins - np.rint(bins * df_hz / mains) * (mains / df_hz))
        near |= (distance <= MAINS_BINS) & (bins * df_hz > mains / 2)
    return near


def _floor_edges(df_hz: float, stop: int, end: int) -> list[int]:
    """Edges of the blocks of the floor, up to the first past `stop`; `end` is the end of the spectrum.

    They depend on rate and length alone, so that a result does not depend on what else is in the batch.
    """
    edges = [0]
    while edges[-1] < min(stop, end):
        width = max(FEWEST_FLOOR_BINS, FLOOR_HZ / df_hz, FLOOR_SHARE * edges[-1])
        edge = edges[-1] + int(width)
        edges.append(end if end - edge < FEWEST_FLOOR_BINS else edge)
    return edges


def _floor(power: DoubleArray, edges: list[int], stop: int) -> DoubleArray:
    """Median power (n, stop) around each bin: of blocks, its logarithm interpolated between their middles."""
    medians = np.stack([np.median(power[:, a:b], axis=1) for a, b in pairwise(edges)], axis=1)
    # A noiseless signal has blocks without any power: the rounding of its samples is floor enough.
    medians = np.maximum(medians, np.finfo(np.float32).eps ** 2 * power.max(axis=1, keepdims=True))
    logs = np.log(np.maximum(medians, np.finfo(np.float64).tiny))
    middles = (np.array(edges[:-1]) + np.array(edges[1:]) - 1) / 2
    position = np.interp(np.arange(stop), middles, np.arange(middles.size))
    low = np.minimum(position.astype(np.intp), max(middles.size - 2, 0))
    share = position - low
    high = np.minimum(low + 1, middles.size - 1)
    return np.asarray(np.exp(logs[:, low] * (1 - share) + logs[:, high] * share))
