"""The speed of a shaft without a tachometer, with its uncertainty; "unknown" is an answer.

In order of trust: a speed that was measured, or given by the drive, is the caller's and is not estimated;
`slip_speed_hz` gives that of an induction motor from its nameplate and load; `estimate_speed` finds the comb
of the shaft in the spectrum, and refuses where another comb fits about as well. A speed that is wrong by a
factor of two names a wrong defect, an unknown one names none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.types import Refusal

from .bands import usable_hz
from .gate import DoubleArray, check_rate, check_samples, check_speed, per_window
from .speed_evidence import (
    MULTIPLES,
    STEP,
    BoolArray,
    Lines,
    Whitened,
    combs,
    lines_at,
    strongest_below,
    thresholds,
    whiten,
)
from .stages.lines import FALSE_ALARM, TURNS

BLIND_HZ: Final = (10.0, 60.0)
"""600 to 3600 r/min: where a speed is looked for when nothing at all is known of the machine."""

NAMEPLATE: Final = 0.03
"""A motor turns within 3 % of its nameplate: without load it gains its slip, overloaded it loses as much."""

MAINS_HZ: Final = (50.0, 60.0)
"""Lines at multiples of the supply are no evidence of a speed, whichever of the two supplies it is."""

NARROW: Final = 4 / 3
"""Highest over lowest speed below which no two candidates share a line (k·f = m·f' with k, m ≤ 4)."""

MARGIN_BITS: Final = 1.0
"""By how much the best comb must lead: a line four times over its threshold, twice in amplitude."""

SAME_BINS: Final = 3.0
SAME_SHARE: Final = 0.01
"""Candidates this near are one peak: the main lobe and a bin, or what a changing speed smears (1 %)."""

WORST_SIGMA: Final = 0.01
"""Relative uncertainty above which an estimate serves nothing: shaft lines are read within ±1.5 %."""

QUIET_BELOW: Final = 0.01
BELOW: Final = 0.9
"""Among far candidates the shaft is the lowest strong line: what lies below 0.9 of it is 20 dB weaker.
A comb with strong lines below its first is that of a bearing or a gear."""

WITNESSES: Final = 3
"""Lines that a candidate among far ones must show, the first two harmonics among them."""

WEAKER: Final = 0.8
"""Of the first harmonic's power, what the second may have, a decibel less: half orders of a loose shaft are
weaker than its own lines, and at half the speed they would be the odd harmonics. Not over the floor: one that
rises from one to the other, as towards a resonance, would make the half orders the stronger ones."""

WIDEST_ASIDE: Final = 64
"""Bins beside its place within which a line of a known order is looked for; a speed that leaves more open is
not sharpened by it."""

PLACE_BINS: Final = 0.04
PLACE_NOISE: Final = 0.8
"""Standard deviation of an interpolated place in bins: what neighbours leak, and noise over the √ratio."""

SLIP_SIGMA: Final = 0.10
"""Of the rated slip, relative: IEC 60034-1 tolerates ±20 % from 1 kW on, taken as two standard deviations."""

SUPPLY_SIGMA: Final = 0.0005
"""Of the supply's frequency, relative: 50 mHz in 50 Hz is the range of a large grid in normal operation."""

LOAD_SPREAD: Final = (0.5, 12**-0.5)
"""Mean and standard deviation of a load that nobody measured: anything from none to full."""

_BATCH_VALUES: Final = 1 << 22
"""Samples, or scores of candidates, that are held at a time: 32 MB of float64."""


class Outcome(IntEnum):
    """What became of a block: FOUND, or why its speed stays unknown."""

    FOUND = 0
    NO_COMB = 1
    AMBIGUOUS = 2
    TOO_SHORT = 3
    NOT_FINITE = 4


REFUSALS: Final[Mapping[Outcome, Refusal]] = MappingProxyType(
    {
        Outcome.NO_COMB: Refusal("speed_not_found", "measure_speed"),
        Outcome.AMBIGUOUS: Refusal("speed_ambiguous", "narrow_speed"),
        Outcome.TOO_SHORT: Refusal("block_too_short", "lengthen_block"),
        Outcome.NOT_FINITE: Refusal("not_finite", "check_sensor"),
    }
)
"""What is said of each outcome but FOUND; a locale must have a sentence for each."""


@dataclass(frozen=True, slots=True, eq=False)
class SpeedEstimate:
    """Of each block (n,): speed and its standard deviation in Hz, both NaN where it is unknown.

    `margin_bits` is the lead of the best comb over the next that is not the same peak (over none at all where
    there is no other), NaN where none was looked for. `outcome` holds `Outcome` values (int8).
    """

    speed_hz: DoubleArray
    sigma_hz: DoubleArray
    margin_bits: DoubleArray
    outcome: npt.NDArray[np.int8]

    def refusal(self, block: int) -> Refusal | None:
        """Why the speed of a block is unknown, None where it was found."""
        return REFUSALS.get(Outcome(int(self.outcome[block])))


def slip_speed_hz(
    synchronous_hz: npt.ArrayLike, rated_slip: npt.ArrayLike, load: npt.ArrayLike | None = None
) -> tuple[DoubleArray, DoubleArray]:
    """(speed, standard deviation) in Hz of an induction motor: n = n_s·(1 - rated slip·load).

    `synchronous_hz` is supply frequency / pole pairs, `rated_slip` from 0 to 1 (1485 of 1500 r/min: 0.01),
    `load` the share of the rated torque, NaN or None where it is unknown: then anything from none to full is
    equally likely. Arrays broadcast. Raises ValueError for what no motor has.
    """
    synchronous = np.asarray(synchronous_hz, dtype=np.float64)
    slip = np.asarray(rated_slip, dtype=np.float64)
    share = np.asarray(np.nan if load is None else load, dtype=np.float64)
    good = np.isfinite(synchronous) & (synchronous > 0)
    _must(good, "synchronous_hz must be finite and above 0", synchronous, "supply frequency / pole pairs")
    good = (slip >= 0) & (slip < 1)
    _must(good, "rated_slip must be from 0 to below 1", slip, "it is a share of the synchronous speed")
    good = ~(np.abs(share) > 2)
    _must(good, "load must be from -2 to 2, NaN where it is unknown", share, "a share of the rated torque")
    mean, spread = LOAD_SPREAD
    known = np.isfinite(share)
    of_load = np.where(known, SLIP_SIGMA * np.abs(share), np.hypot(spread, SLIP_SIGMA * mean))
    speed = synchronous * (1 - slip * np.where(known, share, mean))
    return speed, synchronous * np.hypot(SUPPLY_SIGMA, slip * of_load)


def estimate_speed(
    x: npt.NDArray[np.generic],
    fs_hz: float,
    *,
    nominal_hz: npt.ArrayLike | None = None,
    range_hz: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    line_orders: npt.ArrayLike | None = None,
    mains_hz: Sequence[float] = MAINS_HZ,
) -> SpeedEstimate:
    """Speed of the shaft in each of the blocks x (n, n_samples), from the comb of its lines in the spectrum.

    `nominal_hz` is the speed of the nameplate (searched within ±3 %), `range_hz` the lowest and highest speed
    of the drive; one number or (n,) each. Without either it is searched from 600 to 3600 r/min. `line_orders`
    are multiples of the speed, (m,) or (n, m), NaN where there is none, that are known to show a line (teeth,
    vanes): they bear a comb out and sharpen it. The scale of the samples does not matter.

    In a narrow range (highest below 4/3 of the lowest) one line well over the noise is enough, if it is the
    first harmonic, or two of them, not both even. In a wide one a comb may be that of a bearing, a gear, or
    of half or twice the speed: the first and second harmonic and one line more must stand out, nothing below
    the comb, and, where half or twice the speed is possible at all, neither 0.5x nor 1.5x, nor a second
    harmonic as high as the first. So a loose shaft, which shows half orders, has no speed in a wide range
    (half of its speed is given where they are as high as its first harmonic) and its own in a narrow
    one. A speed that changes within the block adds to `sigma_hz`; the mean is given.
    Raises ValueError for arguments that can't be meant. Cost: one FFT of each block.
    """
    samples = check_samples(x)
    rate, n = check_rate(fs_hz), len(samples)
    low, high = _range(nominal_hz, range_hz, n)
    orders = _line_orders(line_orders, n)
    mains = np.atleast_1d(np.asarray(mains_hz, dtype=np.float64))
    _must((mains > 0) & np.isfinite(mains), "mains_hz must be above 0", mains, "leave out what is not there")
    result = SpeedEstimate(np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan), np.zeros(n, np.int8))
    result.outcome[:] = Outcome.TOO_SHORT
    turns = low * samples.shape[1] / rate
    searched = np.flatnonzero(turns >= TURNS)
    grid = min(float((high - low).max(initial=0)), usable_hz(rate)) * samples.shape[1] / rate / STEP
    step = max(1, int(_BATCH_VALUES / max(samples.shape[1], grid)))
    for start in range(0, searched.size, step):
        rows = searched[start : start + step]
        asked = _Asked(low[rows], high[rows], orders[rows], nominal_hz is None and range_hz is None)
        white = whiten(samples[rows], rate, asked.top, tuple(mains.tolist()))
        found = _judge(white, asked.in_bins(white.df_hz))
        result.outcome[rows], result.margin_bits[rows] = found.outcome, found.margin
        result.speed_hz[rows], result.sigma_hz[rows] = found.speed * white.df_hz, found.sigma * white.df_hz
    return result


def _range(
    nominal_hz: npt.ArrayLike | None, range_hz: tuple[npt.ArrayLike, npt.ArrayLike] | None, n: int
) -> tuple[DoubleArray, DoubleArray]:
    """Lowest and highest speed (n,) of each block."""
    if nominal_hz is not None and range_hz is not None:
        raise ValueError("nominal_hz and range_hz must not both be given, got both: a range says it all")
    if nominal_hz is not None:
        nominal = check_speed(nominal_hz, n)
        _must(nominal > 0, "nominal_hz must be above 0", nominal, "without a nameplate leave it out")
        return nominal * (1 - NAMEPLATE), nominal * (1 + NAMEPLATE)
    ends = BLIND_HZ if range_hz is None else range_hz
    if not isinstance(ends, Sequence) or len(ends) != 2:
        raise ValueError(f"range_hz must be (lowest, highest) in Hz, got {range_hz!r}")
    low, high = (per_window("range_hz", end, n) for end in ends)
    wrong = ~((low > 0) & (low < high) & np.isfinite(high))
    if wrong.any():
        got = f"{low[wrong][0]:g} and {high[wrong][0]:g}"
        raise ValueError(f"range_hz must be 0 < lowest < highest in Hz, of each block, got {got}")
    return low, high


def _line_orders(orders: npt.ArrayLike | None, n: int) -> DoubleArray:
    array = np.asarray([] if orders is None else orders, dtype=np.float64)
    if array.ndim not in (1, 2) or (array.ndim == 2 and len(array) != n):
        raise ValueError(
            f"line_orders must be (m,), or ({n}, m) with one row a block, got shape {array.shape}"
        )
    good = ~(np.isinf(array) | (array <= 0))
    _must(good, "line_orders must be above 0", array, "NaN stands for none")
    return np.broadcast_to(array, (n, array.shape[-1]))


def _must(good: BoolArray, sentence: str, values: DoubleArray, advice: str) -> None:
    """ValueError with the first of the values (of any shape) that are not good."""
    if not good.all():
        raise ValueError(f"{sentence}, got {values[~good].flat[0]:g}: {advice}")


class _Asked(NamedTuple):
    """Where the speed is searched: from `low` to `high` (n,), in Hz or bins; `orders` (n, m) show a line.

    `blind` says that the range is a habit, not knowledge: half or twice the speed may be outside it.
    """

    low: DoubleArray
    high: DoubleArray
    orders: DoubleArray
    blind: bool

    @property
    def wide(self) -> BoolArray:
        """Whether candidates may share lines (n,)."""
        return np.asarray(self.high >= NARROW * self.low)

    @property
    def top(self) -> float:
        """Up to where the spectrum is looked at."""
        highest = np.maximum(MULTIPLES[-1], np.nan_to_num(self.orders).max(axis=1, initial=0))
        return float(((highest + 0.5) * self.high).max())

    def in_bins(self, df_hz: float) -> _Asked:
        """The same in bins."""
        return self._replace(low=self.low / df_hz, high=self.high / df_hz)


class _Verdict(NamedTuple):
    """Of each block (n,); speed and standard deviation in bins, NaN where it is unknown."""

    outcome: npt.NDArray[np.intp]
    margin: DoubleArray
    speed: DoubleArray
    sigma: DoubleArray


class _Comb(NamedTuple):
    """The best comb of each block (n,): fundamental in bins, score and lead in bits, what `_rivals` adds."""

    place: DoubleArray
    bits: DoubleArray
    margin: DoubleArray
    rivals: DoubleArray


def _judge(white: Whitened, asked: _Asked) -> _Verdict:
    comb = _best_comb(white, asked)
    limit = thresholds(asked.low, asked.high, MULTIPLES)
    seen = lines_at(white, MULTIPLES * comb.place[:, None], np.ones(limit.shape), limit)
    halves, own = seen.columns(slice(0, None, 2)), seen.columns(slice(1, None, 2))
    speed, sigma, witnesses = _measured(white, own, asked.orders, comb.rivals)

    first, second, third = own.counts[:, 0], own.counts[:, 1], own.counts[:, 2]
    shown = np.where(
        asked.wide, first & second & (witnesses >= WITNESSES), first | (third & (witnesses >= 2))
    )
    shown &= comb.bits >= MARGIN_BITS
    # The slope of a line just beyond the range is no speed within it.
    shown &= (speed >= asked.low) & (speed <= asked.high)
    doubtful = (comb.margin < MARGIN_BITS) | ~(sigma <= WORST_SIGMA * speed)
    doubtful |= asked.wide & _another_shaft(white, asked, comb.place, own, halves)
    outcome = np.where(shown, np.where(doubtful, Outcome.AMBIGUOUS, Outcome.FOUND), Outcome.NO_COMB)
    outcome[white.bad] = Outcome.NOT_FINITE
    unknown = outcome != Outcome.FOUND
    speed[unknown], sigma[unknown] = np.nan, np.nan
    return _Verdict(outcome, np.where(white.bad, np.nan, comb.margin), speed, sigma)


def _best_comb(white: Whitened, asked: _Asked) -> _Comb:
    candidates, score = combs(white, asked.low, asked.high, asked.wide)
    best = score.argmax(axis=1)[:, None]
    place, bits = (np.take_along_axis(array, best, axis=1) for array in (candidates, score))
    distance = candidates - place
    near = np.abs(distance) <= np.maximum(SAME_BINS, SAME_SHARE * place)
    margin = bits[:, 0] - np.where(near, 0, score).max(axis=1, initial=0)
    return _Comb(place[:, 0], bits[:, 0], margin, _rivals(np.where(near, score, -np.inf), bits, distance))


def _rivals(score: DoubleArray, bits: DoubleArray, distance: DoubleArray) -> DoubleArray:
    """Standard deviation (n,) in bins that other combs of the same peak add, where they are evidence too.

    Each weighs 2 to the power of minus twice the bits it lacks: the likelihood ratio of its lines. Two shafts
    near one another, or a speed that changes within the block, show as several.
    """
    beside = np.full_like(score, -np.inf)
    np.maximum(beside[:, :-1], score[:, 1:], out=beside[:, :-1])
    np.maximum(beside[:, 1:], score[:, :-1], out=beside[:, 1:])
    peaks = (score >= beside) & (score >= MARGIN_BITS)
    weight = np.where(peaks, np.exp2(2 * np.where(peaks, score - bits, 0)), 0)
    total = np.maximum(weight.sum(axis=1), 1)
    return np.asarray(np.sqrt((weight * distance**2).sum(axis=1) / total))


def _another_shaft(white: Whitened, asked: _Asked, comb: DoubleArray, own: Lines, halves: Lines) -> BoolArray:
    """Whether (n,) the comb may be that of half or twice the speed, or of something that turns faster."""
    of_half = (halves.counts[:, 0] | halves.counts[:, 1]) & (asked.blind | (comb / 2 >= asked.low))
    of_twice = (own.power[:, 1] > WEAKER * own.power[:, 0]) & (asked.blind | (comb * 2 <= asked.high))
    below = strongest_below(white, BELOW * comb)
    loud = (below > np.log2(comb / FALSE_ALARM)) & (below > QUIET_BELOW * own.ratio[:, 0])
    return np.asarray(of_half | of_twice | loud)


def _measured(
    white: Whitened, own: Lines, orders: DoubleArray, rivals: DoubleArray
) -> tuple[DoubleArray, DoubleArray, npt.NDArray[np.intp]]:
    """Speed, its standard deviation in bins, and how many lines bear it out (n,).

    Lines of known orders join in where the shaft's own lines place them surely: nearer than a quarter of the
    distance to their sidebands.
    """
    multiple = np.broadcast_to(MULTIPLES[1::2], own.place.shape)
    speed, sigma = _weighted(own, multiple)
    sigma = np.hypot(sigma, rivals)
    order, about = np.nan_to_num(orders), np.nan_to_num(speed)[:, None]
    aside = 1 + 2 * order * np.nan_to_num(sigma)[:, None]
    reach = np.minimum(aside, WIDEST_ASIDE)
    more = lines_at(white, order * about, reach, np.log2((2 * reach + 1) / FALSE_ALARM))
    sure = (order > 0) & (aside < about / 4) & (aside <= WIDEST_ASIDE)
    more = more._replace(counts=more.counts & sure)
    both = own.beside(more)
    refined = _weighted(both, np.concatenate((multiple, np.maximum(order, 1e-9)), axis=1))
    joined = more.counts.any(axis=1)
    return (
        np.where(joined, refined[0], speed),
        np.where(joined, refined[1], sigma),
        both.counts.sum(axis=1),
    )


def _weighted(lines: Lines, multiple: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Speed and standard deviation (n,) in bins from the lines that count, NaN where none does.

    Each is weighted with the inverse square of its own deviation, so that the highest harmonic says most; by
    how much they disagree is added.
    """
    deviation = (PLACE_BINS + PLACE_NOISE / np.sqrt(np.maximum(lines.ratio, 1)) + lines.smear) / multiple
    weight = np.where(lines.counts, deviation**-2, 0)
    total = weight.sum(axis=1)
    total[total == 0] = np.nan
    each = np.where(lines.counts, lines.place / multiple, 0)
    mean = (weight * each).sum(axis=1) / total
    spread = (weight * (each - mean[:, None]) ** 2).sum(axis=1) / total
    return mean, np.sqrt(1 / total + spread)
