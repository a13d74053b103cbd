"""Which of the values that a source hears travel to the host: the newest of each, not more often than asked.

A drive is read each second, so that a block finds the speed it was sampled at; the host needs a row of it in
half a minute. A value is sent once and never again: of a device that is away nothing is repeated.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from palier.frames import QUALITY_BAD

from .reading_table import Told

SEND_EVERY_S: Final = 30.0
"""So two values over a temperature's danger limit are with the host within a minute of its crossing."""

EARLY: Final = 0.01
"""Share of the pace by which a value may go early: one that is read every 30 s comes at 29.99 s, too."""


class Pace:
    """Holds the newest value of each row until it is its time. One thread at a time."""

    def __init__(self, every_s: float = SEND_EVERY_S) -> None:
        self._every_ns = round(every_s * 1e9)
        self._held: dict[int, Told] = {}
        self._due_ns: dict[int, int] = {}
        self._bad: dict[int, bool] = {}  # as last sent

    def take(self, told: Iterable[Told]) -> None:
        """Hear values; what is held of the same row gives way."""
        for one in told:
            self._held[one.place] = one

    def due(self, now_ns: int) -> list[Told]:
        """Those whose time has come, and those that have turned bad or good since they were last sent."""
        going = [one for one in self._held.values() if self._may_go(one, now_ns)]
        for one in going:
            del self._held[one.place]
            self._bad[one.place] = _is_bad(one)
            due_ns = self._due_ns.get(one.place, one.time_ns) + self._every_ns
            late = not now_ns < due_ns <= now_ns + 2 * self._every_ns  # or a clock that was set
            self._due_ns[one.place] = now_ns + self._every_ns if late else due_ns
        return going

    def _may_go(self, one: Told, now_ns: int) -> bool:
        due_ns = self._due_ns.get(one.place)
        if due_ns is None or self._bad[one.place] != _is_bad(one):
            return True
        early_ns = due_ns - round(EARLY * self._every_ns)
        return now_ns >= early_ns or now_ns < due_ns - 2 * self._every_ns  # the clock was set back


def _is_bad(one: Told) -> bool:
    return one.value is None or not math.isfinite(one.value) or one.quality == QUALITY_BAD
