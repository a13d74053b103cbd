"""How exactly a quantity is told: the digits behind the point, by its unit. One place for the page, e-mails
and the command line.
"""

from __future__ import annotations

import math
from typing import Final

AT_MOST: Final = {"°C": 1, "K": 1, "%": 1, "Hz": 1, "h": 0, "d": 0, "r/min": 0, "tr/min": 0, "1": 2}
"""Digits that a unit never has more of: a tenth of a degree is what a sensor is worth, a turn a minute is
what anybody controls, a ratio is read to the hundredth. Other units have the figures alone."""

FIGURES: Final = 3
"""Significant figures of everything else: 0,42 - 4,20 - 12,5 - 121. Levels repeat to one or two percent."""

MOST: Final = 4


def digits_of(value: float, unit: str = "") -> int:
    """Digits behind the point of a value in `unit` (as the code names it: mm/s, m/s², °C, Hz, …)."""
    most = AT_MOST.get(unit, MOST)
    if not math.isfinite(value) or value == 0:
        return min(most, 1)
    if most <= 1 and value == round(value):
        return 0
    return max(0, min(most, FIGURES - 1 - math.floor(math.log10(abs(value)))))
