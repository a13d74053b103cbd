"""Lines of bearing defects in envelope spectra: how far they stand above their local floor.

A defect repeats at k times its frequency, and slip or an inexact speed moves all its harmonics by the same
factor. So the harmonics are searched as one comb: for each deviation within ±2.5 % the score is the sum over
the harmonics of log2(line / floor) in amplitude, and the best deviation is kept. In noise a line's power over
the median around it exceeds t with probability 2^-t; a harmonic counts when it exceeds log2(M / pfa), M being
the lines that were searched. Multiples of the speed are nobody's evidence: looseness, rub and gears make
them, and of many bearings (6203: 3.05, 4.95, 1.99) they lie where defect lines are searched.
Source: Randall & Antoni, MSSP 25 (2011) 485-520 (squared envelope); the comb and its numbers are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.features.bands import SEARCH
from models.features.defects import NEEDED
from models.features.envelope import LEAKED_BINS, Demodulator
from models.features.gate import DoubleArray, FloatArray
from models.features.kinematics import Known
from models.types import BEARING_DEFECTS

from .floors import Floors, floors, reach_of_floor

HARMONICS: Final = 5
FALSE_ALARM: Final = 1e-4
"""Probability that noise makes one harmonic count, of a comb of five of which three must."""

FALSE_ALARM_OF_TWO: Final = {3: 1.8e-6, 4: 1.3e-6}
"""By the harmonics that a narrow band holds: p such that two of them, 3p² or 6p², are as rare as three of
five, 10·FALSE_ALARM³."""

WIDEST_SEARCH: Final = 0.10
"""From here on the windows of neighbouring fifth harmonics meet: a line has no number any more."""

SPREAD: Final = 0.002
"""Lines of a slipping bearing broaden with their frequency: a harmonic may stand this far beside the comb."""

TURNS: Final = 20
"""Revolutions that a block must hold before shaft lines and defect lines can be told apart."""

SHAFT_ASIDE: Final = 2
"""Bins that a line of the shaft takes on each side of its own (squared Hann window)."""

CYCLES: Final = 10
"""Periods of a defect that a block must hold (cage turns are the slowest)."""

ENVELOPED: Final = (0, 1, 2, 2, 3)
TIMES: Final = (1.0, 1.0, 1.0, 2.0, 1.0)
"""What is searched: column of the defects, and its multiple. A damaged element hits both rings: 2·BSF."""


def fundamentals(known: Known) -> DoubleArray:
    """Fundamentals (n, combs) in bins of what is searched; NaN what is unknown, too slow or too uncertain."""
    lines = known.defects[:, ENVELOPED] * np.array(TIMES)
    turning = (known.turns >= TURNS) & (_reach(known) < WIDEST_SEARCH)
    return np.where(turning[:, None] & (lines >= CYCLES), lines, np.nan)


def highest_line(known: Known, lines: DoubleArray) -> float:
    """The highest line, in bins, that a search of these fundamentals (n, combs) looks at."""
    highest = np.nan_to_num(lines).max(axis=1, initial=0.0) * (1 + _reach(known)) * HARMONICS
    return reach_of_floor(float(highest.max(initial=0.0)))


def search_defects(
    power: Sequence[FloatArray],
    lines: DoubleArray,
    bands: tuple[Demodulator, ...],
    known: Known,
) -> DoubleArray:
    """(n, 3 · defects): bits, harmonics and band of each defect, in the band where it stands out most.

    `power` is the line power (n, lines) of each band, `lines` (n, combs) the `fundamentals` of what is known.
    The best band is one with enough harmonics, and among several the one with the highest score: the same
    rule for every defect, bearing and rate.
    """
    n, combs = lines.shape
    m = max((band.lines for band in bands), default=0)
    bits, counts = np.full((2, n, len(bands), combs), np.nan)
    asked = np.flatnonzero(np.isfinite(lines).any(axis=0))
    searched = [i for i, band in enumerate(bands) if band.lines > NEEDED * CYCLES]  # others hold no comb
    if asked.size and searched:
        grid = _grid(lines[:, asked], _reach(known), m)
        kept = _beside_shaft(known.turns, m)
        table = np.zeros((n, m), dtype=np.float32)  # grids look beyond the lines of a narrow band
        for i in searched:  # of one band after the other, while it is in the cache
            _tabulate(power[i], kept[:, : bands[i].lines], out=table[:, : bands[i].lines])
            found = _search(table, floors(power[i]), grid, bands[i].lines)
            bits[:, i, asked], counts[:, i, asked] = found
    return _best_bands(bits, counts, np.array([band.low_hz for band in bands]))


def _best_bands(bits: DoubleArray, counts: DoubleArray, low_hz: DoubleArray) -> DoubleArray:
    """Of scores and counts (n, bands, combs) those of the best band of each defect."""
    n = len(bits)
    table = np.full((n, 3 * len(BEARING_DEFECTS)), np.nan)
    rank = np.nan_to_num(np.where(counts >= NEEDED, 1e6, 0.0) + bits, nan=-np.inf)
    each = np.arange(n)
    for defect in range(len(BEARING_DEFECTS)):
        of_defect = [comb for comb, column in enumerate(ENVELOPED) if column == defect]
        best = rank[:, :, of_defect].reshape(n, -1).argmax(axis=1)
        first = 3 * defect
        table[:, first] = bits[:, :, of_defect].reshape(n, -1)[each, best]
        table[:, first + 1] = counts[:, :, of_defect].reshape(n, -1)[each, best]
        table[:, first + 2] = np.where(np.isnan(table[:, first]), np.nan, low_hz[best // len(of_defect)])
    return table


def _reach(known: Known) -> DoubleArray:
    """How far (n,) a defect line may stand from its place, as a fraction."""
    return SEARCH + 2 * np.nan_to_num(known.uncertainty)


def _spread(line: npt.ArrayLike) -> DoubleArray:
    """How many bins a harmonic at `line` may stand beside its comb."""
    return np.maximum(np.rint(np.asarray(line) * SPREAD), 1.0)


def _tabulate(power: FloatArray, kept: FloatArray, out: FloatArray) -> None:
    """Fills `out` (n, m): log2 of the highest power within the spread of each line that is kept."""
    alone = power * kept
    m = power.shape[1]
    out[:] = alone
    for aside in range(1, int(_spread(m - 1)) + 1):
        # From where the spread reaches so far: it grows with the line.
        first = max(LEAKED_BINS, int(np.argmax(_spread(np.arange(m)) >= aside)))
        part = out[:, first:]
        np.maximum(part, alone[:, first - aside : m - aside], out=part)
        below = part[:, : max(m - first - aside, 0)]
        np.maximum(below, alone[:, first + aside :], out=below)
    with np.errstate(divide="ignore"):  # a line without power says nothing
        np.log2(out, out=out)


def _beside_shaft(turns: DoubleArray, m: int) -> FloatArray:
    """1 for the lines (n, m) that are looked at; 0 for the shaft's own, and for where the mean leaked to."""
    n = len(turns)
    kept = np.ones((n, m + 1), dtype=np.float32)  # one column for lines that lie above the others
    kept[:, :LEAKED_BINS] = 0
    speed = np.where(turns >= TURNS, turns, np.inf)
    multiples = np.arange(1, int((m + SHAFT_ASIDE) / speed.min(initial=np.inf)) + 1)
    places = np.minimum(np.rint(speed[:, None] * multiples), m + SHAFT_ASIDE).astype(np.intp)
    for aside in range(-SHAFT_ASIDE, SHAFT_ASIDE + 1):
        kept[np.arange(n)[:, None], np.minimum(places + aside, m)] = 0
    return kept[:, :m]


class _Grid(NamedTuple):
    """Where combs (n, combs) are looked at, the same in every band.

    `line` is their fundamental, 0 of those that are not searched, `reach` (n, 1) how far they may stand from
    it as a fraction, `top` how high one is then (NaN). Deviations are steps as wide as the fifth harmonic
    spreads. The steps of one comb are beside those of the next, `steps` says how many each has (the most that
    a row needs), and `outside` (n, all steps) is -inf where a row has fewer. `places` (harmonics, n, all
    steps) are indices into a raveled table.
    """

    line: DoubleArray
    reach: DoubleArray
    top: DoubleArray
    steps: npt.NDArray[np.intp]
    outside: FloatArray
    places: npt.NDArray[np.intp]


def _grid(line: DoubleArray, reach: DoubleArray, m: int) -> _Grid:
    """The grid of combs in tables of `m` lines."""
    reach = reach[:, None]
    highest = line * (1 + reach)
    line = np.nan_to_num(line)
    fifth = HARMONICS * line
    stride = 2 * _spread(fifth)
    most = np.maximum(np.floor(fifth * reach), 1.0)
    widest = np.max(most // stride, axis=0, initial=0.0)
    step = np.concatenate([np.arange(-wide, wide + 1) for wide in widest])
    steps = (2 * widest + 1).astype(np.intp)
    deviation = np.repeat(stride, steps, axis=1) * step
    outside = np.where(
        np.abs(deviation) <= np.repeat(most, steps, axis=1), np.float32(0), np.float32(-np.inf)
    )
    deviation += np.repeat(fifth, steps, axis=1)
    places = np.empty((HARMONICS, *deviation.shape), dtype=np.intp)
    for k in range(1, HARMONICS + 1):
        place = k / HARMONICS * deviation
        places[k - 1] = np.clip(np.rint(place, out=place), 0, m - 1, out=place)
    places += (np.arange(len(line)) * m)[:, None]
    return _Grid(line, reach, highest, steps, outside, places)


def _search(table: FloatArray, under: Floors, grid: _Grid, lines: int) -> tuple[DoubleArray, DoubleArray]:
    """Score and count (n, combs) of the best of each comb in a band with so many lines.

    NaN where fewer than three harmonics fit.
    """
    order = np.arange(1.0, HARMONICS + 1)
    fits = np.nan_to_num(np.minimum((lines - 1) // grid.top, HARMONICS))
    held = np.where(fits >= NEEDED, fits, 0) >= order[:, None, None]
    floor = under.at(order[:, None, None] * grid.line)
    floor = np.where(held, np.log2(floor), np.inf).astype(np.float32)  # a line that does not fit adds nothing
    score = grid.outside.copy()
    ratio = np.empty_like(score)
    flat = table.ravel()
    for k in range(HARMONICS):
        np.take(flat, grid.places[k], out=ratio, mode="clip")  # "raise" would buffer; all are inside
        ratio -= np.repeat(floor[k], grid.steps, axis=1)
        # A line that is not there, or can't be told from the shaft's, says nothing: it takes no bits away.
        score += np.maximum(ratio, 0, out=ratio)
    ends = np.cumsum(grid.steps)
    starts = ends - grid.steps
    parts = [score[:, start:end].argmax(axis=1) for start, end in zip(starts, ends, strict=True)]
    best = starts + np.stack(parts, axis=1)
    each = np.arange(len(best))[:, None]
    ratios = np.exp2(flat[grid.places[:, each, best]] - floor)
    bits, counts = 0.5 * score[each, best].astype(np.float64), _counted(ratios, fits, grid)
    unknown = (fits < NEEDED) | np.isnan(counts)
    return np.where(unknown, np.nan, bits), np.where(unknown, np.nan, counts)


def _counted(ratios: FloatArray, fits: DoubleArray, grid: _Grid) -> DoubleArray:
    """How many harmonics (n, combs) count, of ratios (harmonics, n, combs) of combs of which so many fit."""
    top = fits * grid.line
    tested = 2 * (np.maximum(np.floor(top * grid.reach), 1.0) + _spread(top)) + 1
    tests = np.log2(tested)
    counts = (ratios > tests - np.log2(FALSE_ALARM)).sum(axis=0, dtype=np.float64)
    for held, false_alarm in FALSE_ALARM_OF_TWO.items():
        strong = np.count_nonzero(ratios > tests - np.log2(false_alarm), axis=0)
        counts[(fits == held) & (strong >= 2) & (counts < NEEDED)] = NEEDED
    return np.where(np.isnan(ratios).any(axis=0), np.nan, counts)
