"""Combs of lines in envelope spectra: how far above the floor, how many harmonics, which share of the energy.

All harmonics of a comb move together (slip, contact angle, an inexact speed), so it is looked for at one
deviation after the other, and the best is kept. In noise a line's power over the median around it exceeds
t with probability 2^-t: a harmonic counts when it exceeds log2(M / pfa), M being the lines looked at.

What counts can still be next to nothing: the longer a block, the weaker the lines that stand out of it. So
the energy of a comb is measured as well: its `depth` is √Σm², m being the modulation of each harmonic that
counts. Shocks that carry the share s of a band's energy make harmonics of m = 2s each.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.ndimage

from models.features.defects import NEEDED
from models.features.envelope import LEAKED_BINS
from models.features.gate import DoubleArray, FloatArray
from models.features.stages.floors import Floors, floors
from models.features.stages.lines import FALSE_ALARM, HARMONICS, SHAFT_ASIDE, SPREAD

from .bearings_spectra import NOISE_BINS, Envelopes

STEP: Final = 2 * SPREAD
"""Deviations are looked at in steps as wide as a harmonic may stand beside its comb."""

SUMMED: Final = 2
"""Bins on each side of a line that its energy is summed over, at least: the main lobe of Hann squared."""

FEWEST_LINES: Final = 24
"""Lines of an envelope spectrum below which it has no floor worth the name."""


@dataclass(frozen=True, slots=True)
class Combs:
    """Of combs (n, c) in one envelope spectrum; NaN what does not fit into it.

    `bits` is Σ log2 of amplitude over floor, `count` the harmonics that count, `deviation` where the best
    comb stands (a fraction), `depth` √Σm² of the harmonics that count (0 where none does).
    """

    bits: DoubleArray
    count: DoubleArray
    deviation: DoubleArray
    depth: DoubleArray


class Table:
    """One band's envelope spectra (n, m), ready for many searches."""

    def __init__(self, envelopes: Envelopes, turns: DoubleArray) -> None:
        self.power = envelopes.power * beside_shaft(turns, envelopes.power.shape[1])
        self.highest = _highest_within(self.power)
        self._floors: Floors = floors(envelopes.power)
        self._mean = envelopes.mean
        self._turns = turns
        self._sums = np.cumsum(self.power, axis=1, dtype=np.float64)
        self.lines = envelopes.power.shape[1]

    def search(
        self, fundamental: DoubleArray, reach: DoubleArray, harmonics: int = HARMONICS, fewest: int = NEEDED
    ) -> Combs:
        """Combs at `fundamental` (n, c) bins, each within ± `reach` (n,) of its own; NaN is not searched.

        Bands that hold fewer than `fewest` of the `harmonics` say nothing.
        """
        k = np.arange(1.0, harmonics + 1)
        held = np.minimum((self.lines - 1) // (fundamental * (1 + reach[:, None])), harmonics)
        held = np.where(np.nan_to_num(held) >= fewest, held, 0)
        base = np.where(held > 0, fundamental, 0.0)
        steps = np.arange(-np.ceil(reach.max() / STEP), np.ceil(reach.max() / STEP) + 1)
        deviation = np.clip(steps * STEP, -reach[:, None], reach[:, None])[:, None, :]
        places = k * (base[..., None] * (1 + deviation))[..., None]
        fits = k <= held[..., None, None]
        floor = self._floor(k, base)
        ratio = self._at(self.highest, places) / floor[:, :, None, :]
        with np.errstate(divide="ignore"):
            bits = np.where(fits, 0.5 * np.log2(np.maximum(ratio, 1.0)), 0.0).sum(axis=-1)
        bits[self._of_shaft(base[..., None] * (1 + deviation))] = -1.0
        best = bits.argmax(axis=-1)[..., None]
        chosen = np.take_along_axis(ratio, best[..., None], axis=2)[:, :, 0]
        moved = np.take_along_axis(np.broadcast_to(deviation, bits.shape), best, axis=-1)[..., 0]
        counted = (chosen > _limits(held, base, reach)[..., None]) & (k <= held[..., None])
        counted &= np.take_along_axis(bits, best, axis=-1) >= 0
        energy = self._energy(k * (base * (1 + moved))[..., None], floor)
        depth = np.sqrt(np.where(counted, energy, 0.0).sum(axis=-1))
        unknown = (held == 0) | np.isnan(floor).any(axis=-1)
        return Combs(
            bits=np.where(unknown, np.nan, np.take_along_axis(bits, best, axis=-1)[..., 0]),
            count=np.where(unknown, np.nan, counted.sum(axis=-1)),
            deviation=np.where(unknown, np.nan, moved),
            depth=np.where(unknown, np.nan, depth),
        )

    def lines_at(self, places: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
        """(how many of single lines at `places` (n, c, l) in bins count, √Σm² of those), both (n, c)."""
        inside = np.nan_to_num(places) > LEAKED_BINS
        inside &= np.nan_to_num(places) < self.lines - 1
        at = np.where(inside, places, LEAKED_BINS + 1.0)
        floor = self._floors.at(at.transpose(2, 0, 1)).transpose(1, 2, 0)
        tested = 2 * spread(at) + 1
        counted = inside & (self._at(self.highest, at) > np.log2(tested / FALSE_ALARM) * floor)
        energy = np.where(counted, self._energy(at, floor), 0.0)
        return counted.sum(axis=-1).astype(np.float64), np.sqrt(energy.sum(axis=-1))

    def _of_shaft(self, line: DoubleArray) -> npt.NDArray[np.bool_]:
        """Which combs at `line` (n, c, steps) are multiples of the shaft's own within a step of the search.

        They can't be told from looseness, rub or gears once the speed is not known to the last bin.
        """
        order = line / self._turns[:, None, None]
        of_shaft: npt.NDArray[np.bool_] = np.abs(order - np.maximum(np.rint(order), 1.0)) <= STEP * order
        return of_shaft

    def _floor(self, k: DoubleArray, base: DoubleArray) -> DoubleArray:
        """Floors (n, c, harmonics) under the harmonics where they should be."""
        return self._floors.at(k[:, None, None] * base).transpose(1, 2, 0)

    def _at(self, table: FloatArray, places: DoubleArray) -> DoubleArray:
        """`table` (n, m) at bins `places` (n, ...)."""
        bins = np.clip(np.rint(places), 0, self.lines - 1).astype(np.intp)
        row = np.arange(len(table)).reshape(-1, *(1,) * (places.ndim - 1))
        return table[row, bins].astype(np.float64)

    def _energy(self, places: DoubleArray, floor: DoubleArray) -> DoubleArray:
        """m² of lines at `places` (n, c, l): what stands above the floor around them, over the mean."""
        wide = np.maximum(spread(places), SUMMED)
        bins = np.rint(places)
        row = np.arange(len(self._sums)).reshape(-1, 1, 1)
        last = np.clip(bins + wide, 0, self.lines - 1).astype(np.intp)
        first = np.clip(bins - wide - 1, 0, self.lines - 1).astype(np.intp)
        noise = floor / np.log(2)  # the mean of exponential powers from their median
        above: DoubleArray = self._sums[row, last] - self._sums[row, first] - (last - first) * noise
        scale = NOISE_BINS * np.maximum(self._mean, np.finfo(np.float64).tiny) ** 2
        return np.maximum(4 * above / scale[:, None, None], 0.0)


def spread(line: npt.ArrayLike) -> DoubleArray:
    """How many bins a harmonic at `line` may stand beside its comb."""
    return np.maximum(np.rint(np.asarray(line, dtype=np.float64) * SPREAD), 1.0)


def _limits(held: DoubleArray, base: DoubleArray, reach: DoubleArray) -> DoubleArray:
    """What the power over the floor (n, c) must exceed to count."""
    top = held * base
    tested = 2 * (np.maximum(np.floor(top * reach[:, None]), 1.0) + spread(top)) + 1
    limits: DoubleArray = np.log2(tested / FALSE_ALARM)
    return limits


def _highest_within(power: FloatArray) -> FloatArray:
    """The highest power (n, m) within the spread of each line."""
    m = power.shape[1]
    out = power.copy()
    asides = spread(np.arange(m)).astype(int)
    edges = np.flatnonzero(np.diff(asides, prepend=0, append=asides[-1] + 1))
    for first, stop in pairwise(edges.tolist()):
        aside = int(asides[first])
        low, high = max(0, first - aside), min(m, stop + aside)
        found = scipy.ndimage.maximum_filter1d(power[:, low:high], 2 * aside + 1, axis=1, mode="nearest")
        out[:, first:stop] = found[:, first - low : stop - low]
    return out


def beside_shaft(turns: DoubleArray, m: int) -> FloatArray:
    """1 for the lines (n, m) that are looked at; 0 for multiples of the shaft's own, and for the mean's."""
    kept = np.ones((len(turns), m), dtype=np.float32)
    kept[:, :LEAKED_BINS] = 0
    line = np.arange(m, dtype=np.float64)
    known = np.nan_to_num(turns) > 2 * SHAFT_ASIDE
    speed = np.where(known, turns, np.inf)[:, None]
    order = np.rint(line / speed)
    kept[(order >= 1) & (np.abs(line - order * np.where(order > 0, speed, 0.0)) <= SHAFT_ASIDE + 0.5)] = 0
    return kept
