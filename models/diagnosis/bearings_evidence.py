"""The evidence of one block for one part of its bearing, as items whose weights add up to the score."""

from __future__ import annotations

from typing import Final

from models.features.stages.lines import HARMONICS
from models.types import BEARING_DEFECTS

from .bearings_rule import AGAINST, CONTRAST, DEVIATION, ENERGY, VIEWS, WEIGHTS, Judged
from .bearings_search import CAGE, OUTER, SIDES, Search
from .types import EvidenceItem, Params

PERCENT: Final = 100.0


def evidence_of(found: Search, judged: Judged, part: int, row: int, point: str) -> tuple[EvidenceItem, ...]:
    """What speaks for `part` in block `row`, then what speaks against it.

    Keys begin with `bearing_`. Parameters are numbers in Hz, %, bits, and counts; `defect`
    is the key of the line.
    """
    shown = found.parts[part]
    met = judged.met[part]
    defect = BEARING_DEFECTS[part]
    low_hz, high_hz = found.bands_hz[int(shown.view[row])]
    deviation = float(shown.deviation[row])
    line: Params = {
        "defect": defect,
        "count": int(shown.count[row] if part != CAGE else round(float(met.lines[row]) * HARMONICS)),
        "of": HARMONICS,
        "frequency_hz": float(shown.order[row] * found.speed_hz[row]) * (1 + deviation),
        "order": float(shown.order[row]) * (1 + deviation),
        "low_hz": low_hz,
        "high_hz": high_hz,
    }
    items = [
        _item("lines", float(met.lines[row]), line, f"{defect}_harmonics", point, needed=True),
        _item(
            "energy",
            float(met.energy[row]),
            {"value": PERCENT * float(met.depth[row]), "limit": PERCENT * ENERGY[0]},
            f"{defect}_modulation",
            point,
        ),
        _item(
            "views",
            float(met.views[row]),
            {"value": int(shown.agreeing[row]), "of": len(found.bands_hz), "limit": VIEWS[0]},
            "",
            point,
        ),
        _item(
            "contrast",
            float(met.contrast[row]),
            {"value": float(shown.contrast[row]), "limit": CONTRAST[0]},
            f"{defect}_bits",
            point,
        ),
    ]
    if part not in (OUTER, CAGE):
        sidebands = {"value": round(float(met.sidebands[row]) * SIDES), "of": SIDES}
        items.append(_item("sidebands", float(met.sidebands[row]), sidebands, "", point))
    if met.deviation[row] > 0:
        aside = {"value": PERCENT * abs(deviation), "limit": PERCENT * DEVIATION[0]}
        items.append(_item("deviation", float(met.deviation[row]), aside, "", point))
    if met.rival[row] > 0:
        items.append(_item("rival", float(met.rival[row]), {}, "", point))
    return tuple(items)


def _item(
    name: str, met: float, params: Params, feature: str, point: str, *, needed: bool = False
) -> EvidenceItem:
    weight = (WEIGHTS | AGAINST)[name]
    key = f"bearing_{name}"
    return EvidenceItem(key, weight, met, needed=needed, params=params, feature=feature, point=point)
