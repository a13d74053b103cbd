"""Which defect of a bearing a block points to. Apart from the search for its lines, which needs the FFT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from models.types import BEARING_DEFECTS

NEEDED: Final = 3
"""Harmonics that must count before a defect may be spoken of: three false ones at once have 10·pfa³."""

CAGE: Final = "ftf"


def leading_defect(features: Mapping[str, float]) -> str | None:
    """The defect whose lines stand highest, of those with enough harmonics; None where there is none.

    The cage leads only where it is alone: it carries the elements past every other defect, so that each of
    them is modulated by the cage as soon as elements, load or lubrication differ around it.
    A reading of the numbers, not a diagnosis: healthy bearings show weak lines too.
    """
    found = [name for name in BEARING_DEFECTS if features[f"{name}_harmonics"] >= NEEDED]
    candidates = [name for name in found if name != CAGE] or found
    return max(candidates, key=lambda name: features[f"{name}_bits"], default=None)
