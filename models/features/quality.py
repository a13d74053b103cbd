"""Whether samples can be trusted: clipping, held values and isolated impulses, for a whole batch.

Read from the samples as they came from the converter, before any scale. Passes over all samples are the
extremes, one comparison of neighbours and a few of the bits it leaves; only rows that these mark are looked
at closer.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from .gate import DoubleArray, check_full_scale, check_samples

NEAR_END: Final = 0.99
"""Share of a known full scale from which on a sample is clipped: an amplifier's rail lies a little below."""

LONE_SAMPLES: Final = 3
"""Samples at the ends that count for nothing: the peaks of a record that was normalised to them."""

FLAT: Final = 3
"""Identical samples in a row that make a flat top."""

FLAT_SPAN: Final = 64
"""Steps of the converter that a block must span before its tops can be flat: below, all of it is."""

FLAT_DROP: Final = 32
"""Steps that a signal must fall beside a flat top, no further away than the top is wide. The parabola of a
smooth top, in whole steps, is flat for w samples too, but falls by 20 steps there at most (w = 3)."""

COUNTED_UP: Final = 4
"""Runs up to this length are counted by one pass over the bits each; where there are longer, a list of all
runs costs less."""

LONG_HOLD: Final = 20
"""Identical samples that noise and vibration explain; more are a hold, unless the converter explains it."""

SLOW_STEP: Final = 2
"""Steps by which a slow or quiet signal leaves a value that it held: a live one leaves a hold by a jump."""

STILL: Final = 0.9
FEW_STEPS: Final = 8
"""A block of so few steps of its converter, of which so many samples equal the one before, is no quiet signal
but a dead one: noise of q/√12, that of the converter itself, leaves 0.84 of them equal."""

SPIKE_LEVELS: Final = 12.0
"""Height of a spike over the mean absolute value (10 σ of noise): from there on one of them moves the
kurtosis of 4096 samples by 2. Mechanical signals reach it too: what tells is that a spike stands alone."""

SPIKE_QUIET: Final = 0.25
"""Share of a spike's height that its neighbours stay below: noise mostly does from 12 σ on, no ring does."""

SPIKE_REACH: Final = 8
"""Neighbours on each side that stay quiet. A shock of a bearing or of a particle rings for longer."""

LEVEL_SAMPLES: Final = 256
"""Samples, evenly spread, that give the mean absolute value to some 5 %."""

CHUNK_SAMPLES: Final = 1 << 18
"""Samples looked at together, so that their bits stay in the second-level cache."""

STEP_SAMPLES: Final = 1 << 15
"""The same where they are looked at as float64: memory so small is not asked for anew each time."""

_Samples = npt.NDArray[Any]
_Bits = npt.NDArray[np.bool_]
_Places = npt.NDArray[np.intp]


class QualityNumbers(NamedTuple):
    """Of each block (n,), float64; NaN where it holds a sample that is not finite.

    `clipped_fraction`: share of its samples at the ends of the range or in flat tops. `longest_hold`: longest
    run of identical samples. `spikes`: isolated impulses of one or two samples.
    """

    clipped_fraction: DoubleArray
    longest_hold: DoubleArray
    spikes: DoubleArray


class _Runs(NamedTuple):
    """Runs of identical samples: row, first place in it, length, value."""

    row: _Places
    first: _Places
    length: _Places
    value: DoubleArray


def measure_quality(
    samples: npt.NDArray[np.generic], full_scale: npt.ArrayLike | None = None
) -> QualityNumbers:
    """Quality of blocks (n, n_samples) of int16, int32 or float32, which are never written to.

    `full_scale` is the end of the range in counts, one or (n,), None or NaN where it is not known. Where it
    is, samples from 0.99 of it on are clipped. Where not, integers are clipped at the ends of their type
    alone, since a record may be normalised to its own peak, and floats have no end. Up to three samples there
    count for nothing. A flat top is a run of at least three identical samples at the highest or lowest value
    of the block, beside which the signal falls off faster than a smooth top does: a sine clipped at c of its
    amplitude A reads 1 - (2/π) asin(c/A).

    A hold of more than 20 samples counts as 20 where the signal comes and goes by the smallest steps of the
    block, as a slow or a quiet one does, unless next to nothing else happens in it.
    A spike is a sample, alone or beside one other, 12 times the mean absolute value high, with 8 neighbours
    on each side that stay below a quarter of it. Shocks that ring for 6 samples (to 1/e) or longer are none,
    at any frequency (0.35 fs: 7 % of critical damping or less); a shorter one can't be told from a spike.
    Raises ValueError for samples or a full scale that can't be meant.
    """
    x = check_samples(samples)
    ends = _ends(x, full_scale)
    out = np.full((3, len(x)), np.nan)
    step = max(1, CHUNK_SAMPLES // x.shape[1])
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        _measure(x[rows], ends[rows], out[:, rows])
    return QualityNumbers(*out)


def _ends(x: _Samples, full_scale: npt.ArrayLike | None) -> DoubleArray:
    """Of each block the absolute value from which on a sample is clipped; infinite where there is none."""
    return np.fmin(NEAR_END * check_full_scale(full_scale, len(x)), _end_of_type(x))


def _end_of_type(x: _Samples) -> float:
    return float(np.iinfo(x.dtype).max) if x.dtype.kind == "i" else np.inf


def _measure(x: _Samples, ends: DoubleArray, out: DoubleArray) -> None:
    """Fills `out` (3, n) for the rows without anything that is not finite."""
    high, low = x.max(axis=1).astype(np.float64), x.min(axis=1).astype(np.float64)
    good = np.isfinite(high) & np.isfinite(low)
    if not good.all():
        if good.any():
            found = np.empty((3, int(good.sum())))
            _measure(x[good], ends[good], found)
            out[:, good] = found
        return
    same = x[:, 1:] == x[:, :-1]
    out[0] = (_at_ends(x, high, low, ends) + _in_flat_tops(x, same, high, low, ends)) / x.shape[1]
    out[1] = _longest_holds(x, same, high - low)
    out[2] = _spikes(x, high, low)


def _at_ends(x: _Samples, high: DoubleArray, low: DoubleArray, ends: DoubleArray) -> DoubleArray:
    """How many samples lie at the ends of the range; none where they are no more than lone peaks."""
    count = np.zeros(len(x))
    rows = np.flatnonzero(np.maximum(high, -low) >= ends)
    if rows.size:
        near, end = x[rows], ends[rows, None]
        found = np.count_nonzero((near >= end) | (near <= -end), axis=1)
        few = (high - low)[rows] < FLAT_SPAN * _smallest_step(near)
        # A quiet record, normalised to its own peak: only where the range is known it is more than that.
        quiet = few & (ends[rows] == _end_of_type(x)) & (2 * found < x.shape[1])
        count[rows] = np.where((found > LONE_SAMPLES) & ~quiet, found, 0)
    return count


def _in_flat_tops(
    x: _Samples, same: _Bits, high: DoubleArray, low: DoubleArray, ends: DoubleArray
) -> DoubleArray:
    """How many samples lie in flat tops short of the ends of the range."""
    count = np.zeros(len(x))
    flat = same[:, 1:] & same[:, :-1]
    rows = np.flatnonzero(flat.any(axis=1) & _may_span(x, FLAT_SPAN, high - low))
    if rows.size:
        flat &= _extreme(x[:, FLAT - 1 :], high, low)
        rows = rows[flat[rows].any(axis=1)]
    if rows.size:
        tops = _runs(x[rows], flat[rows], FLAT)
        count[rows] = _flat_samples(x[rows], same[rows], tops, (high[rows], low[rows], ends[rows]))
    return count


def _flat_samples(
    x: _Samples, same: _Bits, tops: _Runs, limits: tuple[DoubleArray, DoubleArray, DoubleArray]
) -> DoubleArray:
    """The same of rows that hold their highest or lowest value for a while; `limits` are these two and the
    ends of the range."""
    n, m = x.shape
    high, low, ends = limits
    extreme = _extreme(x, high, low)
    # Where every sample was repeated to reach a higher rate, runs are as long elsewhere as at the extremes.
    others = np.count_nonzero(~(same | extreme[:, 1:]), axis=1) + ~extreme[:, 0]
    usual = (m - np.count_nonzero(extreme, axis=1)) / np.maximum(others, 1)
    step = _smallest_step(x)
    clipped = tops.length > 2 * np.maximum(usual, 1)[tops.row]
    clipped &= _fall(x, tops) >= FLAT_DROP * step[tops.row]
    clipped &= (high - low >= FLAT_SPAN * step)[tops.row]
    clipped &= np.abs(tops.value) < ends[tops.row]  # those at the ends of the range are counted already
    count = np.zeros(n)
    np.add.at(count, tops.row[clipped], tops.length[clipped])
    return count


def _extreme(x: _Samples, high: DoubleArray, low: DoubleArray) -> _Bits:
    top, bottom = (value.astype(x.dtype)[:, None] for value in (high, low))
    return np.asarray((x == top) | (x == bottom), dtype=np.bool_)


def _fall(x: _Samples, runs: _Runs) -> DoubleArray:
    """By how much the signal leaves these runs no further away than they are wide, on the side where less;
    on the other one where the block does not show it, and 0 where it shows neither."""
    m = x.shape[1]
    falls = []
    for side, outermost in ((-1, runs.first), (1, runs.first + runs.length - 1)):
        fall = np.full(len(runs.row), -1.0)
        for distance in (np.ones_like(runs.length), (runs.length + 1) // 2, runs.length):
            place = outermost + side * distance
            there = x[runs.row, np.clip(place, 0, m - 1)].astype(np.float64)
            shown = (place >= 0) & (place < m)
            fall = np.where(shown, np.maximum(fall, np.abs(there - runs.value)), fall)
        falls.append(fall)
    least, most = np.minimum(falls[0], falls[1]), np.maximum(falls[0], falls[1])
    return np.asarray(np.maximum(np.where(least < 0, most, least), 0.0), dtype=np.float64)


def _runs(x: _Samples, bits: _Bits, least: int) -> _Runs:
    """Runs from bits (n, m - least + 1) that say where `least` identical samples begin."""
    n, wide = bits.shape
    padded = np.zeros((n, wide + 2), dtype=np.bool_)
    padded[:, 1:-1] = bits
    edges = np.flatnonzero(padded[:, 1:] != padded[:, :-1])
    row, first = np.divmod(edges[::2], wide + 1)
    return _Runs(row, first, edges[1::2] - edges[::2] + least - 1, x[row, first].astype(np.float64))


def _smallest_step(x: _Samples) -> DoubleArray:
    """The smallest difference of neighbours that differ, of each row: a step of the converter, at least."""
    smallest = np.empty(len(x))
    rows = max(1, STEP_SAMPLES // x.shape[1])
    for start in range(0, len(x), rows):
        steps = np.diff(x[start : start + rows].astype(np.float64), axis=1)
        np.abs(steps, out=steps)
        steps[steps == 0] = np.inf
        smallest[start : start + rows] = steps.min(axis=1)
    return smallest


def _longest_holds(x: _Samples, same: _Bits, span: DoubleArray) -> DoubleArray:
    """Longest run of identical samples: counted up in rows of short ones, listed where there are longer."""
    hold = np.ones(len(x))
    rows, bits, runs = np.arange(len(x)), same, same
    for length in range(2, COUNTED_UP + 2):
        alive = runs.any(axis=1)
        if not alive.all():
            rows, bits, runs = rows[alive], bits[alive], runs[alive]
        if not rows.size:
            return hold
        hold[rows] = length
        runs = runs[:, :-1] & bits[:, length - 1 :]
    hold[rows] = _listed_holds(x if rows.size == len(x) else x[rows], bits, span[rows])
    return hold


def _listed_holds(x: _Samples, same: _Bits, span: DoubleArray) -> DoubleArray:
    """The same from a list of all runs."""
    n, m = x.shape
    first = np.ones((n, m), dtype=np.bool_)
    np.logical_not(same, out=first[:, 1:])
    start = np.flatnonzero(first)
    length = np.diff(start, append=n * m)
    longest = np.maximum.reduceat(length, np.searchsorted(start, np.arange(n) * m)).astype(np.float64)
    long = np.flatnonzero(length > LONG_HOLD)
    if long.size:
        row, place = np.divmod(start[long], m)
        runs = _Runs(row, place, length[long], x[row, place].astype(np.float64))
        still = np.count_nonzero(same, axis=1) >= STILL * m
        longest = np.minimum(longest, _long_holds(x, runs, span, still))
    return longest


def _long_holds(x: _Samples, runs: _Runs, span: DoubleArray, still: _Bits) -> DoubleArray:
    """The longest of these long runs of each row; `LONG_HOLD` of those that the converter explains."""
    last = x.shape[1] - 1
    into = np.abs(x[runs.row, np.maximum(runs.first - 1, 0)] - runs.value)
    out_of = np.abs(x[runs.row, np.minimum(runs.first + runs.length, last)] - runs.value)
    step = np.full(len(x), np.inf)
    rows = np.unique(runs.row)
    step[rows] = _smallest_step(x[rows])
    dead = still & (span < FEW_STEPS * step)
    held = dead[runs.row] | (np.maximum(into, out_of) > SLOW_STEP * step[runs.row])
    longest = np.full(len(x), float(LONG_HOLD))
    np.maximum.at(longest, runs.row[held], runs.length[held].astype(np.float64))
    return longest


def _may_span(x: _Samples, steps: int, span: DoubleArray) -> _Bits:
    """Whether blocks may span so many steps, before the step is known: that of integers is 1 at least."""
    return np.asarray(span >= steps if x.dtype.kind == "i" else span > 0, dtype=np.bool_)


def _spikes(x: _Samples, high: DoubleArray, low: DoubleArray) -> DoubleArray:
    """How many isolated impulses of one or two samples each row holds."""
    m = x.shape[1]
    some = x[:, :: max(1, m // LEVEL_SAMPLES)].astype(np.float64)
    centre = some.mean(axis=1)
    level = np.abs(some - centre[:, None]).mean(axis=1)
    if x.dtype.kind == "i":
        level = np.maximum(level, 1.0)  # below a step of the converter there is nothing to stand out of
    height = SPIKE_LEVELS * level
    count = np.zeros(len(x))
    rows = np.flatnonzero(np.maximum(high - centre, centre - low) > height)
    if not rows.size:
        return count
    marked = x if rows.size == len(x) else x[rows]
    place = np.flatnonzero(_beyond(marked, (centre + height)[rows], (centre - height)[rows]))
    row, column = place // m, place % m
    inside = (column >= SPIKE_REACH) & (column < m - SPIKE_REACH)
    alone = _stand_alone(marked.reshape(-1), place[inside], centre[rows][row[inside]])
    count[rows] = np.bincount(row[inside][alone], minlength=rows.size)
    return count


def _beyond(x: _Samples, above: DoubleArray, below: DoubleArray) -> _Bits:
    """Samples outside of two limits, compared in their own type: no copy of the block in a wider one."""
    if x.dtype.kind == "i":
        ends = np.iinfo(x.dtype)
        above = np.clip(np.floor(above), ends.min, ends.max)
        below = np.clip(np.ceil(below), ends.min, ends.max)
    top, bottom = (limit.astype(x.dtype)[:, None] for limit in (above, below))
    return np.asarray((x > top) | (x < bottom), dtype=np.bool_)


def _stand_alone(x: _Samples, place: _Places, centre: DoubleArray) -> _Bits:
    """Which of these places are the highest of one or two samples among quiet neighbours.

    Each neighbour is looked at only where all before it were quiet: few are, in a shock that rings.
    """
    height, before, after = (np.abs(x[place + aside] - centre) for aside in (0, -1, 1))
    # Of two equal samples the first is the spike.
    left = np.flatnonzero(
        (height > before) & (height >= after) & (np.minimum(before, after) <= SPIKE_QUIET * height)
    )
    for reach in range(2, SPIKE_REACH + 1):
        for aside in (-reach, reach):
            quiet = np.abs(x[place[left] + aside] - centre[left]) <= SPIKE_QUIET * height[left]
            left = left[quiet]
    alone = np.zeros(len(place), dtype=np.bool_)
    alone[left] = True
    return alone
