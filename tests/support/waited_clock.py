"""A plant clock that goes on while somebody waits, and at no other time: what a pace decides is the same on a
machine that is held up."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from palier.clock import PlantClock

START_NS = 1_700_000_000_000_000_000

LATE_NS = 1000
"""How much longer than asked for a wait takes, as every wait does."""


class Waits(threading.Event):
    """To be given to who waits; `now_ns` is where its waits have brought the clock."""

    def __init__(self, start_ns: int) -> None:
        super().__init__()
        self.now_ns = start_ns

    def wait(self, timeout: float | None = None) -> bool:
        """Return at once, and let the time be over."""
        assert timeout is not None, "nobody would end this wait"
        self.now_ns += round(timeout * 1e9) + LATE_NS
        return self.is_set()


@dataclass(frozen=True)
class WaitedClock(PlantClock):
    """The clock of `waits`."""

    waits: Waits = field(default_factory=lambda: Waits(START_NS))

    def now_ns(self) -> int:
        return self.waits.now_ns
