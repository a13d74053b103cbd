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

SEARCH: Final = 0.025
"""How far slip and contact angle move a defect line: ±2.5 %. An uncertain speed adds two of its σ."""

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
    reach = _reach(known)
    bits, counts = np.full((2, n, len(bands), combs), np.nan)
    searched = [i for i, band in enumerate(bands) if band.lines > NEEDED * CYCLES]  # others hold no comb
    known_rows = (np.flatnonzero(np.isfinite(lines[:, comb])) for comb in range(combs))
    grids = {
        comb: _grid(rows, lines[rows, comb], reach[rows], m)
        for comb, rows in enumerate(known_rows)
        if rows.size
    }
    # Of one band after the other, while it is in the cache. Grids look beyond the lines of a narrow band.
    table = np.zeros((n, m), dtype=np.float32)
    for i in searched:
        under = floors(power[i])
        _tabulate(power[i], known.turns, out=table[:, : bands[i].lines])
        for comb, grid in grids.items():
            found = _search(table, under, grid, bands[i].lines)
            bits[grid.rows, i, comb], counts[grid.rows, i, comb] = found
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


def _tabulate(power: FloatArray, turns: DoubleArray, out: FloatArray) -> None:
    """Fills `out` (n, m): log2 of the highest power within the spread of each line, the shaft left out."""
    alone = _without_shaft(power, turns)
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


def _without_shaft(power: FloatArray, turns: DoubleArray) -> FloatArray:
    """A copy of powers (n, m), 0 where the shaft's own lines are and where the mean leaked to."""
    n, m = power.shape
    alone = np.empty((n, m + 1), dtype=np.float32)  # one column for lines that lie above the others
    alone[:, :m] = power
    alone[:, :LEAKED_BINS] = 0
    speed = np.where(turns >= TURNS, turns, np.inf)
    multiples = np.arange(1, int((m + SHAFT_ASIDE) / speed.min(initial=np.inf)) + 1)
    places = np.minimum(np.rint(speed[:, None] * multiples), m + SHAFT_ASIDE).astype(np.intp)
    for aside in range(-SHAFT_ASIDE, SHAFT_ASIDE + 1):
        alone[np.arange(n)[:, None], np.minimum(places + aside, m)] = 0
    return alone[:, :m]


class _Grid(NamedTuple):
    """Where the combs of some rows (k,) are looked at, the same in every band.

    `line` is their fundamental, `reach` how far they may stand from it as a fraction. Deviations are steps as
    wide as the fifth harmonic spreads; rows share the longest of their grids, `inside` (k, steps) is where
    each is. `places` (harmonics, k, steps) are indices into a raveled table.
    """

    rows: npt.NDArray[np.intp]
    line: DoubleArray
    reach: DoubleArray
    inside: npt.NDArray[np.bool_]
    places: npt.NDArray[np.intp]


def _grid(rows: npt.NDArray[np.intp], line: DoubleArray, reach: DoubleArray, m: int) -> _Grid:
    """The grid of combs in tables of `m` lines."""
    top = HARMONICS * line
    stride = 2 * _spread(top)
    most = np.maximum(np.floor(top * reach), 1.0)
    steps = np.arange(-np.max(most // stride), np.max(most // stride) + 1)
    deviation = stride[:, None] * steps
    places = np.empty((HARMONICS, line.size, steps.size), dtype=np.intp)
    for k in range(1, HARMONICS + 1):
        place = (k * line)[:, None] + k / HARMONICS * deviation
        places[k - 1] = np.minimum(np.rint(place, out=place), m - 1, out=place)
    places += (rows * m)[:, None]
    return _Grid(rows, line, reach, np.abs(deviation) <= most[:, None], places)


def _search(table: FloatArray, under: Floors, grid: _Grid, lines: int) -> tuple[DoubleArray, DoubleArray]:
    """Score and count (k,) of the best comb of each row in a band with so many lines.

    NaN where fewer than three harmonics fit.
    """
    bits, counts = np.full((2, grid.line.size), np.nan)
    fits = np.minimum((lines - 1) // (grid.line * (1 + grid.reach)), HARMONICS)
    for held in range(NEEDED, HARMONICS + 1):
        chosen = np.flatnonzero(fits == held)
        if chosen.size:
            part = grid if chosen.size == fits.size else _part(grid, chosen)
            bits[chosen], counts[chosen] = _combs(table, under, part, held)
    return bits, counts


def _part(grid: _Grid, chosen: npt.NDArray[np.intp]) -> _Grid:
    rows, line, reach, inside, places = grid
    return _Grid(rows[chosen], line[chosen], reach[chosen], inside[chosen], places[:, chosen])


def _combs(table: FloatArray, under: Floors, grid: _Grid, held: int) -> tuple[DoubleArray, DoubleArray]:
    """Score and count of the best comb of `held` harmonics of each row."""
    order = np.arange(1, held + 1)
    floor = np.log2(under.at(grid.rows, grid.line[:, None] * order)).astype(np.float32)
    score = np.zeros(grid.inside.shape, dtype=np.float32)
    ratio = np.empty_like(score)
    flat = table.ravel()
    for k in range(held):
        np.take(flat, grid.places[k], out=ratio, mode="clip")  # "raise" would buffer; all are inside
        ratio -= floor[:, k, None]
        # A line that is not there, or can't be told from the shaft's, says nothing: it takes no bits away.
        score += np.maximum(ratio, 0, out=ratio)
    score[~grid.inside] = -np.inf
    best = np.argmax(score, axis=1)
    each = np.arange(best.size)
    ratios = flat[grid.places[:held, each, best]].T - floor
    most = np.maximum(np.floor(held * grid.line * grid.reach), 1.0)
    tested = 2 * (most + _spread(held * grid.line)) + 1
    return 0.5 * score[each, best].astype(np.float64), _counted(np.exp2(ratios), tested, held)


def _counted(ratios: FloatArray, tested: DoubleArray, held: int) -> DoubleArray:
    """How many harmonics (n,) count, of ratios (n, held) of `tested` lines each."""
    counts = np.count_nonzero(ratios > np.log2(tested / FALSE_ALARM)[:, None], axis=1)
    if held in FALSE_ALARM_OF_TWO:
        strong = np.count_nonzero(ratios > np.log2(tested / FALSE_ALARM_OF_TWO[held])[:, None], axis=1)
        counts = np.where(strong >= 2, np.maximum(counts, NEEDED), counts)
    return np.where(np.isnan(ratios).any(axis=1), np.nan, counts)
