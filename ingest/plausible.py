"""Blocks that are whole and can't be right: stored with their features, and not judged.

1. Samples beyond the full scale that the gateway announced: in another byte order, or of another channel.
2. A level that changes by the factor 9.81 at the moment when the unit does, or when the scale does by just
   that factor: g were taken for m/s², or the other way. A level that grows under the same unit is judged,
   whatever it does: it may be damage, and a converter that changes its range brings another scale with it.
   The suspicion is over when unit and scale are as before, when the level is or grows beyond the factor, or
   after a day: whoever meant the change need do nothing, and no machine is left unjudged for ever."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from models.features.catalogue import NAMES
from models.types import STANDARD_GRAVITY_M_S2, Refusal

from .scoring import Scored, step_of

BEYOND_RANGE: Final = Refusal("beyond_range", "check_gateway")
UNIT_CHANGED: Final = Refusal("unit_changed", "check_unit")

TOLERANCE: Final = math.log(1.25)
"""How far from 9.81 the factor may be: levels of a machine that goes on as it did scatter by some percent."""

EXACT: Final = math.log(1.01)
"""How far from 9.81 the factor of two scales may be: 9.8 is as usual as 9.80665, 10 is a change of range."""

AS_BEFORE: Final = math.log(2.0)
"""A level within this factor of the one before is no other unit's; one that is so much above what the other
unit explains is no unit's alone."""

TRUSTED_AFTER: Final = 5
"""Blocks before a level is one to compare with."""

SMOOTHING: Final = 0.2

SUSPECT_NS: Final = 86_400 * 10**9
"""Somebody looked by then; what it is then, limits and baseline will say."""

CHANNELS_KEPT: Final = 20_000
"""Those heard of longest ago are forgotten, and begin anew."""

_LEVEL: Final = NAMES.index("acceleration_rms_m_s2")
_GRAVITY: Final = math.log(STANDARD_GRAVITY_M_S2)

Told = tuple[str, float]
"""(unit, scale) that came with a block."""


@dataclass(slots=True)
class _Channel:
    """What is remembered of a channel: how it was told last, its level (natural log of m/s², RMS) under it,
    and what it was told before a change that is suspected, since when.
    """

    told: Told
    level: float
    n: int = 1
    before: Told | None = None
    since_ns: int = 0

    def hears(self, told: Told, level: float, ts_ns: int) -> bool:
        """One more live block; whether it is suspect."""
        if self.before is None and told != self.told:
            if self.n >= TRUSTED_AFTER and _confused(self.told, told, level - self.level):
                self.before, self.told, self.since_ns = self.told, told, ts_ns
                return True
            self.told = told
        if self.before is not None:
            change = level - self.level
            over = abs(change) < AS_BEFORE or change > _GRAVITY + AS_BEFORE
            over = over or ts_ns - self.since_ns >= SUSPECT_NS
            if not over and told != self.before:
                self.told = told
                return True
            if abs(level - self.level) >= AS_BEFORE:
                self.level, self.n = level, 0
            self.before, self.told = None, told
        self.level += SMOOTHING * (level - self.level)
        self.n += 1
        return False


def _confused(before: Told, now: Told, change: float) -> bool:
    """Whether a change of unit or scale explains a change of the level (natural log)."""
    if before[0] != now[0]:
        return abs(abs(change) - _GRAVITY) < TOLERANCE
    factor = math.log(now[1]) - math.log(before[1])
    return abs(abs(factor) - _GRAVITY) < EXACT and abs(change - factor) < TOLERANCE


class Plausible:
    """Looks at each block once it has its features, in order of arrival."""

    def __init__(self) -> None:
        self._channels: OrderedDict[tuple[str, str, str, str], _Channel] = OrderedDict()

    def look(self, entries: Iterable[Scored]) -> None:
        """Give those that can't be right their refusal. What is beyond the range is nothing else: what was
        found of such samples is as wrong as they are.
        """
        for entry in entries:
            for c, name in enumerate(entry.block.channels):
                if name in entry.work.beyond:
                    entry.refusals[c] = BEYOND_RANGE
                elif self._is_suspect(entry, c) and entry.refusals[c] is None:
                    entry.refusals[c] = UNIT_CHANGED

    def _is_suspect(self, entry: Scored, c: int) -> bool:
        """Late blocks are compared with what is told now, and change nothing."""
        block, level = entry.block, float(entry.features[c, _LEVEL])
        key = (entry.work.site, block.machine, block.point, block.channels[c])
        told = (block.unit[c], step_of(block, c))
        known = self._channels.get(key)
        if not entry.work.live or entry.shaft_hz == 0 or not 0 < level < math.inf:
            return known is not None and known.before is not None and known.told == told
        if entry.refusals[c] is not None:
            return False
        if known is None:
            self._channels[key] = _Channel(told, math.log(level))
            if len(self._channels) > CHANNELS_KEPT:
                self._channels.popitem(last=False)
            return False
        self._channels.move_to_end(key)
        return known.hears(told, math.log(level), block.start_ns)
