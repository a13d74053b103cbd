"""The rule for bearings: from what stands at each part's orders to a score, a confidence and its evidence.

Each piece of evidence is met from 0 to 1; a score is the sum of weights, what speaks against counts
negatively. Bounds are those of a physical quantity, not of a rig: a share of energy, a number of views, bits
over other orders of the same record. One set of numbers serves all bearings, rates and sensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.defects import NEEDED
from models.features.gate import DoubleArray
from models.features.stages.lines import HARMONICS

from .bearings_search import CAGE, ELEMENT, ENOUGH, INNER, OUTER, SIDES, Part, Search

WEIGHTS: Final = {"lines": 0.20, "energy": 0.35, "views": 0.25, "contrast": 0.20, "sidebands": 0.05}
"""They add up to 1 without the sidebands, which only support: load and sensor decide whether they are seen.

The energy weighs most: it alone says how much of what is heard is the defect. Lines and contrast say that it
is there at all, views that it comes from blows.
"""

AGAINST: Final = {"deviation": -0.20, "rival": -0.30}
"""A rival that holds more energy at its own orders explains these lines as well; a comb far from its place
may be another's."""

ENERGY: Final = (0.25, 1.0)
"""Depths between which the energy counts, on a logarithmic scale.

Shocks that carry the share s of a band make harmonics of 2s each, five of them a depth of 4.5 s: from one
twentieth of the energy, which healthy bearings show as well, to a quarter.
"""

VIEWS: Final = (1.0, 4.0)
"""One view is chance or one modulated tone; four are two neighbouring bands, as they are and whitened."""

CONTRAST: Final = (1.0, 9.0)
"""Bits over the median of orders of no defect: in noise combs scatter by 1 bit; 9 are 5 harmonics, each 3.5
times as high as what other orders show."""

DEVIATION: Final = (0.015, 0.025)
"""Slip and contact angles of a few degrees move a line by 1 %; further aside it is hardly this bearing's."""

RIVAL: Final = (0.7, 1.4)
"""Depth of the strongest rival over this one's: between √½ and √2 both explain what is seen."""

AS_CAGE: Final = 0.8
"""Where lines of the cage go with its slip past the shaft, a damaged cage is the less likely reading."""

NAMED: Final = 0.62
"""The score at which a fault is as likely as not: lines, energy and contrast at half of their range with all
views, or at three quarters with none but two."""

SLOPE: Final = 12.0
"""How fast confidence grows with the score: 0.1 beside `NAMED` it is 0.23 or 0.77."""

DOUBTING_DEPTH: Final = 1.1
"""Its depth over that of what would be named: sidebands of a ring add up to combs that are nearly as deep."""

DOUBTING_VIEWS: Final = 2
"""Views in which a comb at an order of no defect must stand before the bearing itself is doubted."""


@dataclass(frozen=True, slots=True)
class Met:
    """How far each piece of evidence for one part is met (n,), the score (n,) of it and its depth; no NaN."""

    lines: DoubleArray
    energy: DoubleArray
    views: DoubleArray
    contrast: DoubleArray
    sidebands: DoubleArray
    deviation: DoubleArray
    rival: DoubleArray
    score: DoubleArray
    depth: DoubleArray


@dataclass(frozen=True, slots=True)
class Judged:
    """Of blocks (n,): evidence and scores (n, 4) of the parts, which of them leads (n,), and two questions.

    `by_cage`: what speaks for the elements are lines of the cage. `doubted`: a comb at an order of no defect
    carries more than the leading part's.
    """

    met: tuple[Met, Met, Met, Met]
    scores: DoubleArray
    leading: npt.NDArray[np.intp]
    by_cage: npt.NDArray[np.bool_]
    doubted: npt.NDArray[np.bool_]


def judge_parts(search: Search, uncertainty: DoubleArray) -> Judged:
    """Scores all parts of all blocks; `uncertainty` (n,) is that of `search_bearing`."""
    depths = np.stack([_held(part) for part in search.parts[:CAGE]], axis=1)
    met = [_ring(search, part, depths, uncertainty) for part in (OUTER, INNER, ELEMENT)]
    cage = search.parts[CAGE]
    slips = search.slip_depth > 0
    depth = np.hypot(np.where(cage.count >= ENOUGH[CAGE], np.nan_to_num(cage.depth), 0.0), search.slip_depth)
    none = np.zeros(len(depths))
    lines = cage.count + slips
    met.append(_met(cage, lines, depth, rival=depths.max(axis=1), sidebands=none, uncertainty=uncertainty))
    scores = np.stack([found.score for found in met], axis=1)
    # The cage carries the elements past every other defect: its lines speak only where no ring's do.
    alone = (search.parts[OUTER].agreeing < 2) & (search.parts[INNER].agreeing < 2)
    scores[:, CAGE] *= alone
    # The shaft feels only what carries load go by: elements, not their cage.
    borne = slips & alone
    by_cage = borne & (scores[:, CAGE] > scores[:, ELEMENT])
    scores[:, ELEMENT] = np.where(by_cage, scores[:, CAGE], scores[:, ELEMENT])
    scores[:, CAGE] *= np.where(borne, AS_CAGE, 1.0)
    # A part whose lines don't fit into any envelope was not looked at: it can't lead.
    looked = np.isfinite([part.bits for part in search.parts]).T
    leading = np.where(looked, scores, -1.0).argmax(axis=1)
    carried = np.stack([found.depth for found in met], axis=1)[np.arange(len(scores)), leading]
    carried = np.where(by_cage & (leading == ELEMENT), depth, carried)
    doubted = _doubted(search.foreign, depths, carried, scores.max(axis=1), uncertainty)
    return Judged((met[0], met[1], met[2], met[3]), scores, leading, by_cage, doubted)


def _ring(search: Search, part: int, depths: DoubleArray, uncertainty: DoubleArray) -> Met:
    """What is met of a ring or the elements, against the other two."""
    found = search.parts[part]
    others = np.delete(depths, part, axis=1).max(axis=1)
    sidebands = found.sidebands / SIDES if part != OUTER else np.zeros(len(depths))
    depth = np.nan_to_num(found.depth)
    return _met(found, found.count, depth, rival=others, sidebands=sidebands, uncertainty=uncertainty)


def _doubted(
    foreign: Part, depths: DoubleArray, carried: DoubleArray, highest: DoubleArray, uncertainty: DoubleArray
) -> npt.NDArray[np.bool_]:
    """Whether a comb at an order of no defect carries more than what would be named, or as good as is."""
    depth, none = _held(foreign), np.zeros(len(depths))
    most = depths.max(axis=1)
    own = _met(foreign, foreign.count, depth, rival=most, sidebands=none, uncertainty=uncertainty).score
    stands = (depth > 0) & (foreign.agreeing >= DOUBTING_VIEWS) & (depth >= DOUBTING_DEPTH * carried)
    doubted: npt.NDArray[np.bool_] = stands & (np.maximum(own, highest) >= NAMED)
    return doubted


def confidence(score: DoubleArray) -> DoubleArray:
    """Confidence 0..1 of scores: ½ at `NAMED`, rising with every piece of evidence."""
    value: DoubleArray = 1 / (1 + np.exp(-SLOPE * (score - NAMED)))
    return value


def _held(part: Part) -> DoubleArray:
    """Depth of a comb with enough harmonics, 0 of others."""
    return np.where(part.count >= NEEDED, np.nan_to_num(part.depth), 0.0)


def _met(
    part: Part,
    count: DoubleArray,
    depth: DoubleArray,
    *,
    rival: DoubleArray,
    sidebands: DoubleArray,
    uncertainty: DoubleArray,
) -> Met:
    """What is met of lines of that `count` and `depth`; `rival` is the strongest other part's depth."""
    low, high = (bound + uncertainty for bound in DEVIATION)
    with np.errstate(divide="ignore", invalid="ignore"):
        energy = ramp(np.log(depth), *np.log(ENERGY))
        beside = ramp(np.log(rival / depth), *np.log(RIVAL))
    met = {
        "lines": np.clip(np.nan_to_num(count) / HARMONICS, 0.0, 1.0),
        "energy": energy,
        "views": ramp(part.agreeing, *VIEWS),
        "contrast": ramp(part.contrast, *CONTRAST),
        "sidebands": np.nan_to_num(sidebands),
        "deviation": ramp(np.abs(part.deviation), low, high),
        "rival": np.where(rival > 0, beside, 0.0),
    }
    total = np.sum([weight * met[name] for name, weight in (WEIGHTS | AGAINST).items()], axis=0)
    return Met(**met, score=np.clip(total, 0.0, 1.0), depth=depth)


def ramp(value: DoubleArray, low: npt.ArrayLike, high: npt.ArrayLike) -> DoubleArray:
    """0 up to `low`, 1 from `high` on, straight between them; 0 of what is not known."""
    start, end = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    share: DoubleArray = np.nan_to_num(np.clip((value - start) / (end - start), 0.0, 1.0))
    return share
