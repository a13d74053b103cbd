"""What was lost between bursts: counted, and told without filling the journal."""

from __future__ import annotations

import logging
from typing import Final

from palier.wire.said import said

SAID_EVERY_S: Final = 60.0
REMEMBERED_S: Final = 3600.0  # a gap of longer ago is history, not something to mend
OFTEN: Final = 10  # gaps in a minute: the gateway can't keep up, and few blocks come whole

log = logging.getLogger(__name__)


class Gaps:
    """Of one sensor since it was opened: `count`, and `samples`, which is an estimate."""

    def __init__(self, name: str) -> None:
        self.count = 0
        self.samples = 0
        self._name = name
        self._last_s = -REMEMBERED_S
        self._said_s: float | None = None
        self._said = 0
        self._before: list[float] = []

    def note(self, samples: int, at_s: float) -> None:
        """So many samples were lost just before monotonic second `at_s`."""
        self.count += 1
        self.samples += samples
        self._last_s = at_s
        self._before = [*self._before[-OFTEN:], at_s]
        if self._said_s is None or at_s - self._said_s >= SAID_EVERY_S:
            log.warning(
                "%s: samples were lost (%d gaps since the last word of it, about %d samples in all): "
                "the gateway read them too late; the blocks they fell into are given up",
                *(self._name, self.count - self._said, self.samples),
            )
            self._said_s, self._said = at_s, self.count

    def problem(self, now_s: float) -> str:
        """A sentence while hardly a block comes whole."""
        if len(self._before) <= OFTEN or now_s - self._before[0] > SAID_EVERY_S:
            return ""
        return said("read_late", name=self._name, gaps=self.count)

    def note_text(self, now_s: float) -> str:
        """A sentence while a gap is not longer ago than an hour."""
        if now_s - self._last_s > REMEMBERED_S:
            return ""
        return said("samples_lost", name=self._name, samples=self.samples, gaps=self.count)
