"""At which orders a bearing is looked for: those of no defect beside its own, and the speed they stand on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from models.features.defects import NEEDED
from models.features.gate import DoubleArray, FloatArray
from models.features.stages.floors import floors
from models.features.stages.lines import FALSE_ALARM, HARMONICS

from .bearings_spectra import Envelopes

WINDOW: Final = 0.05
"""Orders of no defect are searched in windows as wide as those of the defects, ±2.5 %."""

RANGE: Final = (0.3, 1.4)
"""They reach from this times the lowest order of rings and elements to that times the highest."""

RATIOS: Final = (2 / 3, 1.0, 3 / 2, 2.0, 3.0)
"""Multiples of a defect whose combs share many of its lines: none of them is an order of no defect."""

PARTS_OF_A_RING: Final = (1 / 2, 1 / 3)
"""Always looked at: where lines stand between those of a ring, the comb is not the ring's. A slower bearing's
comb holds those of two and three times its order."""

CAGE_MULTIPLES: Final = 6
SLIP_MULTIPLES: Final = 3
"""Nor are the first multiples of the cage and of its slip past the shaft, which modulate every defect."""

SIDEBANDS: Final = (-1.0, 1.0)
"""Nor are the rings' sidebands at the speed of the shaft."""

SHAFT_SHARE: Final = 0.03
"""Nor is what stands this near to a multiple of the shaft."""

QUARTER_BIN: Final = 0.25
"""A speed is refined until the fifth harmonic moves by this many bins."""


def foreign_orders(orders: DoubleArray) -> DoubleArray:
    """Orders (n, w) that fit no defect of orders (n, 4) and no multiple of the shaft; NaN fills rows up."""
    rings = orders[:, :3]
    low = RANGE[0] * np.minimum(orders[:, 0], 2 * orders[:, 2])
    high = RANGE[1] * orders[:, 1]
    ratio = high / low
    widest = np.log(ratio.max(initial=1.0, where=np.isfinite(ratio)))
    grid = low[:, None] * np.exp(WINDOW * np.arange(max(1, int(widest / WINDOW))))
    grid = np.where(grid <= high[:, None], grid, np.nan)
    cage = orders[:, 3:4]
    modulating = np.concatenate(
        [cage * np.arange(1, CAGE_MULTIPLES + 1), (1 - cage) * np.arange(1, SLIP_MULTIPLES + 1)], axis=1
    )
    taken = [*(rings * multiple for multiple in RATIOS), *(rings[:, :2] + aside for aside in SIDEBANDS)]
    grid = _apart(grid, np.concatenate([*taken, modulating], axis=1))
    between = np.concatenate([rings[:, :2] * part for part in PARTS_OF_A_RING], axis=1)
    return np.concatenate([grid, _apart(between, modulating)], axis=1)


def _apart(orders: DoubleArray, taken: DoubleArray) -> DoubleArray:
    """The orders (n, w) that are a window away from those `taken` (n, t), and from the shaft's; else NaN."""
    taken = np.where(taken > 0, taken, np.nan)
    apart = np.abs(np.log(orders[:, :, None] / taken[:, None, :]))
    nearest = np.where(np.isnan(apart), np.inf, apart).min(axis=2)
    from_shaft = np.abs(orders / np.maximum(np.rint(orders), 1) - 1)
    return np.where((nearest > WINDOW) & (from_shaft > SHAFT_SHARE), orders, np.nan)


def refined_turns(views: Sequence[Envelopes], turns: DoubleArray, spare: DoubleArray) -> DoubleArray:
    """Speeds (n,) in bins, moved by up to ± `spare` (n,), a fraction, to where the shaft's own lines stand.

    Three of its first five harmonics must count in a view; of several that one speaks which shows them best.
    A speed that shows no lines stays what it was told to be.
    """
    moved = turns.copy()
    best = np.zeros(len(turns))
    for view in views:
        m = view.power.shape[1]
        asked = np.flatnonzero((spare > 0) & (HARMONICS * turns * (1 + spare) < m - 1))
        if not asked.size:
            continue
        found, score = _shaft_lines(view.power[asked], turns[asked], spare[asked])
        better = score > best[asked]
        moved[asked[better]], best[asked[better]] = found[better], score[better]
    return moved


def _shaft_lines(
    power: FloatArray, turns: DoubleArray, spare: DoubleArray
) -> tuple[DoubleArray, DoubleArray]:
    """Where in spectra (n, m) the comb of the shaft stands, and its bits: 0 where too few lines count."""
    k = np.arange(1.0, HARMONICS + 1)[:, None, None]
    most = float((HARMONICS * turns * spare).max())
    share = np.linspace(-1.0, 1.0, 2 * int(np.ceil(most / QUARTER_BIN)) + 1)
    tried = turns[:, None] * (1 + spare[:, None] * share)
    place = k * tried
    below = np.floor(place).astype(np.intp)
    row = np.arange(len(power))[:, None]
    read = (1 - (place - below)) * power[row, below] + (place - below) * power[row, below + 1]
    ratio = read / floors(power).at(np.broadcast_to(k * turns[:, None], place.shape))
    bits = np.log2(np.maximum(np.nan_to_num(ratio), 1.0)).sum(axis=0)
    each, best = np.arange(len(power)), bits.argmax(axis=1)
    enough = (ratio[:, each, best] > np.log2(share.size / FALSE_ALARM)).sum(axis=0) >= NEEDED
    return tried[each, best], np.where(enough, bits[each, best], 0.0)
