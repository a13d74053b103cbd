"""What the envelopes of a block show at the defect orders of its bearing, and at orders of no defect.

Each band, as it is and whitened, is a view of its own. A damaged surface rings whatever it strikes, so that
its comb stands in several views at one and the same deviation; a weak modulation stands in one. Orders that
fit no defect, no sideband and no multiple of the shaft tell what a comb is worth in this very record.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.bands import SEARCH
from models.features.defects import NEEDED
from models.features.gate import DoubleArray, SampleArray
from models.features.stages.floors import reach_of_floor
from models.features.stages.lines import HARMONICS, TURNS

from .bearings_combs import FEWEST_LINES, STEP, Combs, Table
from .bearings_orders import foreign_orders, refined_turns
from .bearings_spectra import Envelopes, squared_envelopes

BPFO, BPFI, BSF, BSF_TWICE, FTF = range(5)
"""Columns of the combs that are searched. A damaged element strikes both rings in a turn: 2·BSF."""

OUTER, INNER, ELEMENT, CAGE = range(4)
"""The parts of a bearing, in the order of `BEARING_FAULTS`."""

PARTS: Final = ((BPFO,), (BPFI,), (BSF, BSF_TWICE), (FTF,))
"""The combs that speak for each part."""

ENOUGH: Final = (NEEDED, NEEDED, NEEDED, 2)
"""Harmonics that a view must show of each. Of the cage two: its third, 3·FTF, is next to 2·(fr - FTF)."""

AGREE: Final = 1.5 * STEP
"""Combs of one defect in two views stand this near to each other: a step of the search, and a rounding."""

SIDEBAND_HARMONICS: Final = 3
"""Harmonics whose sidebands are looked at: those above are too broad."""

SIDES: Final = 2 * SIDEBAND_HARMONICS
"""How many sidebands are looked at, two a harmonic."""


@dataclass(frozen=True, slots=True)
class Part:
    """What speaks for one part of the bearing in blocks (n,), in the view where it stands out most.

    `bits`, `count`, `deviation`, `depth` are those of `Combs`, `order` where it was looked for; `view` is the
    index of its view. `agreeing` views show enough of its harmonics at this deviation. `contrast` says by how
    many bits it exceeds the median of the orders of no defect. `sidebands` are how many of `SIDES` count. NaN
    where nothing could be searched.
    """

    bits: DoubleArray
    count: DoubleArray
    deviation: DoubleArray
    depth: DoubleArray
    order: DoubleArray
    view: npt.NDArray[np.intp]
    agreeing: DoubleArray
    contrast: DoubleArray
    sidebands: DoubleArray


@dataclass(frozen=True, slots=True)
class Search:
    """Of blocks (n,): the four parts, the strongest comb at an order of no defect, and the slip of the cage.

    `slip_depth` is the modulation at fr - FTF, the shaft's speed past the cage; 0 where it does not count.
    `bands_hz` are the bands of the views, `speed_hz` (n,) the speed as refined, `bad` blocks have no signal.
    """

    parts: tuple[Part, Part, Part, Part]
    foreign: Part
    slip_depth: DoubleArray
    bands_hz: tuple[tuple[float, float], ...]
    speed_hz: DoubleArray
    bad: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _View:
    """One view: combs (n, 5) at the defects, their sidebands, and combs (n, w) at orders of no defect."""

    own: Combs
    sidebands: DoubleArray
    slip_depth: DoubleArray
    foreign: Combs


def search_bearing(
    samples: SampleArray,
    fs_hz: float,
    *,
    speed_hz: DoubleArray,
    uncertainty: DoubleArray,
    orders: DoubleArray,
    bands: tuple[tuple[float, float], ...],
) -> Search | None:
    """Searches blocks (n, n_samples) that turn at `speed_hz` (n,) for the defects of orders (n, 4).

    `uncertainty` (n,) is twice the speed's relative standard deviation: combs may stand so much further
    aside. None where the rate leaves no band. NaN for blocks whose speed is NaN or that hold fewer than
    20 turns.
    """
    reach = SEARCH + uncertainty
    own = np.stack([orders[:, 0], orders[:, 1], orders[:, 2], 2 * orders[:, 2], orders[:, 3]], axis=1)
    foreign = foreign_orders(orders)
    highest = np.nan_to_num(np.concatenate([own, foreign], axis=1)).max(axis=1, initial=0.0)
    top_hz = float(np.nan_to_num(highest * (1 + reach) * speed_hz).max(initial=0.0)) * HARMONICS
    df_hz = fs_hz / samples.shape[1]
    envelopes, bad = squared_envelopes(samples, fs_hz, bands, reach_of_floor(top_hz / df_hz) * df_hz)
    envelopes = tuple(found for found in envelopes if found.power.shape[1] >= FEWEST_LINES)
    if not envelopes:
        return None
    df_hz = envelopes[0].df_hz
    turns = speed_hz / df_hz
    turns = refined_turns(envelopes, np.where(turns >= TURNS, turns, np.nan), uncertainty)
    views = [_view(found, turns, own, foreign, reach) for found in envelopes]
    parts = [_part(views, own, part) for part in range(len(PARTS))]
    return Search(
        parts=(parts[OUTER], parts[INNER], parts[ELEMENT], parts[CAGE]),
        foreign=_foreign(views, foreign),
        slip_depth=np.max([view.slip_depth for view in views], axis=0),
        bands_hz=tuple((found.low_hz, found.high_hz) for found in envelopes),
        speed_hz=turns * df_hz,
        bad=bad,
    )


def _view(
    envelopes: Envelopes, turns: DoubleArray, own: DoubleArray, foreign: DoubleArray, reach: DoubleArray
) -> _View:
    table = Table(envelopes, turns)
    found = table.search(own * turns[:, None], reach)
    moved = own * (1 + np.nan_to_num(found.deviation))
    cage = moved[:, FTF]
    # Rings are modulated by the shaft, elements by the cage that carries them.
    asides = np.stack([np.ones_like(cage), np.ones_like(cage), cage, cage], axis=1)[:, :, None]
    harmonics = moved[:, :FTF, None] * np.arange(1.0, SIDEBAND_HARMONICS + 1)
    places = np.concatenate([harmonics - asides, harmonics + asides], axis=2)
    sidebands, _ = table.lines_at(places * turns[:, None, None])
    _, slip = table.lines_at(((1 - cage) * turns)[:, None, None])
    return _View(found, sidebands, slip[:, 0], table.search(foreign * turns[:, None], reach))


def _part(views: list[_View], own: DoubleArray, part: int) -> Part:
    """The best comb of a part over its combs and all views, and the views that agree with it."""
    columns = np.array(PARTS[part])
    combs = _stacked([view.own for view in views], columns)
    sides = np.zeros_like(combs.bits)
    if part != CAGE:
        sides = np.stack([view.sidebands[:, columns] for view in views], axis=1)
    view, column = _best(combs)
    agree = (combs.count >= ENOUGH[part]) & (_from_best(combs, view, column) <= AGREE)
    agreeing = np.any(agree, axis=2).sum(axis=1).astype(np.float64)
    return _read(combs, views, (view, column), orders=own[:, columns], agreeing=agreeing, sides=sides)


def _foreign(views: list[_View], orders: DoubleArray) -> Part:
    """The best comb at any order of no defect, read as if it were a defect's."""
    combs = _stacked([view.foreign for view in views], np.arange(orders.shape[1]))
    view, column = _best(combs)
    agree = (combs.count >= NEEDED) & (_from_best(combs, view, column) <= AGREE)
    agreeing = np.take_along_axis(agree, column[:, None, None], axis=2).sum(axis=(1, 2)).astype(np.float64)
    sides = np.zeros_like(combs.bits)
    return _read(combs, views, (view, column), orders=orders, agreeing=agreeing, sides=sides)


def _stacked(found: list[Combs], columns: npt.NDArray[np.intp]) -> Combs:
    """Combs (n, views, c) of all views, of some columns."""
    return Combs(
        *(
            np.stack([getattr(one, field.name)[:, columns] for one in found], axis=1)
            for field in fields(Combs)
        )
    )


def _best(combs: Combs) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """View and column (n,) of what stands out most in combs (n, views, c).

    Enough harmonics come first, then the energy; without, the bits. What is not known comes last.
    """
    rank = np.where(combs.count >= NEEDED, 1.0 + combs.depth, 1e-3 * combs.bits)
    rank = np.where(np.isnan(combs.bits), -1.0, rank)
    n, _, c = rank.shape
    best = rank.reshape(n, -1).argmax(axis=1)
    return best // c, best % c


def _from_best(combs: Combs, view: npt.NDArray[np.intp], column: npt.NDArray[np.intp]) -> DoubleArray:
    """How far (n, views, c) every comb's deviation is from that of the best."""
    at = combs.deviation[np.arange(len(view)), view, column]
    return np.abs(combs.deviation - at[:, None, None])


def _read(
    combs: Combs,
    views: list[_View],
    best: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]],
    *,
    orders: DoubleArray,
    agreeing: DoubleArray,
    sides: DoubleArray,
) -> Part:
    """The best comb, of those at `orders` (n, c), with what the other views say of it."""
    each, (view, column) = np.arange(len(orders)), best
    usual = np.stack([_median(found.foreign.bits) for found in views], axis=1)
    bits = combs.bits[each, view, column]
    return Part(
        bits=bits,
        count=combs.count[each, view, column],
        deviation=combs.deviation[each, view, column],
        depth=combs.depth[each, view, column],
        order=orders[each, column],
        view=view,
        agreeing=agreeing,
        contrast=bits - usual[each, view],
        sidebands=sides[each, view, column],
    )


def _median(bits: DoubleArray) -> DoubleArray:
    """Medians of rows (n, w) of what is known; NaN of rows of which nothing is."""
    known = np.isfinite(bits).sum(axis=1) > 0
    return np.where(known, np.nanmedian(np.where(known[:, None], bits, 0.0), axis=1), np.nan)
