"""Monotonic time that leaps on where a test says so: a minute is over without anybody waiting for it.

Between two leaps it goes as the machine's own. One that goes faster all the while would be a stopwatch: what
may stand still for 30 s would have to come round within a part of a second, however busy the machine.
"""

from __future__ import annotations

import time


class LeapingClock:
    """Called, it says the seconds."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self._ahead_s

    def leap(self, seconds: float) -> float:
        """So much is over at once; the second at which it is."""
        self._ahead_s += seconds
        return self()
