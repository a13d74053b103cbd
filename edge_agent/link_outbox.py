"""What the link asks of the outbox and tells it, in the link's thread."""

from __future__ import annotations

import logging
from collections.abc import Callable

from palier import ranges
from palier.clock import PlantClock
from palier.ranges import Ranges

from . import events as ev
from .counters import Counters
from .machine import LIVE_WITHIN_S
from .outbox import Outbox, OutboxFullError

log = logging.getLogger(__name__)


class LinkOutbox:
    """The outbox as the link sees it: a full disk must not keep it from sending what is on it."""

    def __init__(
        self, outbox: Outbox, clock: PlantClock, monotonic_s: Callable[[], float], counters: Counters
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._counters = counters
        self._unreleased: Ranges = ()

    def note_stored(self, stored: Ranges) -> None:
        """The host has these; `release` tells the disk."""
        self._unreleased = ranges.merge((*self._unreleased, *stored))

    def forget_stored(self) -> None:
        """The outbox is another: acknowledged rows of the old epoch are never of this one."""
        self._unreleased = ()

    def release(self, epoch: str) -> None:
        """One commit for all acknowledgements of a round; a full disk does not make us forget them."""
        if not self._unreleased:
            return
        try:
            self._counters.acknowledged += self._outbox.acknowledge(self._unreleased, epoch)
            self._unreleased = ()
        except OutboxFullError as error:
            log.error("%s", error)

    def settle(self, effect: ev.Settle, epoch: str) -> list[ev.Event]:
        """The answer, if the disk took it: else the next birth brings the question again."""
        try:
            found = self._outbox.settle(effect.highest, effect.known, epoch)
        except OutboxFullError as error:
            log.error("%s; nothing is sent before", error)
            return []
        for lo, hi in found.lost:
            self._counters.forgotten += hi - lo + 1
            log.error(
                "the disk forgot the frames %d to %d that it had confirmed; frames taken since got new "
                "numbers. What the host has of them is not lost. Change the card",
                lo,
                hi,
            )
        return [ev.Settled(epoch, found.lost, found.last_seq, found.pending)]

    def measure(self, seqs: tuple[int, ...]) -> ev.Measured:
        """Size and age of those that still wait."""
        now_s, now_ns = self._monotonic_s(), self._clock.now_ns()
        rows = tuple(
            ev.Candidate(row.seq, row.size, now_s + LIVE_WITHIN_S - self._age_s(now_ns - row.end_ns))
            for row in self._outbox.rows(seqs)
        )
        return ev.Measured(seqs, rows)

    def _age_s(self, plant_ns: int) -> float:
        """How old in link time: a demo's fast plant clock makes no frame late."""
        return self._clock.real_seconds(plant_ns / 1e9)

    def next_bd_seq(self, otherwise: int) -> int:
        """Of the next connection; `otherwise` where the disk takes nothing."""
        try:
            return self._outbox.next_bd_seq()
        except OutboxFullError:
            return otherwise
