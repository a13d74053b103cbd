"""What is the matter with sensors, told where no state of a machine tells it.

A point whose block is refused is unknown, with reason and remedy. A reason that does not forbid to judge, or
forbids it of one channel while another speaks for the point, changes no state: it is counted, and logged when
it comes and when it goes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

import structlog

from models.types import Refusal

from .scoring import Scored

CHANNELS_KEPT: Final = 4096
"""Channels whose doubts are remembered, far more than a site has; those heard of longest ago are forgotten,
and their doubts told again."""

log = structlog.get_logger(__name__)

Channel = tuple[str, str, str, str]
"""(site, machine, point, channel)."""


class Doubts:
    """Remembers doubts. `counts` are blocks of a channel by (reason, whether the block was refused)."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, bool]] = Counter()
        self._last: dict[Channel, tuple[Refusal, ...]] = {}

    def stored(self, entries: Iterable[Scored]) -> None:
        """Blocks that are durable now, in order of arrival. A machine at rest says nothing of its sensor."""
        for entry in entries:
            if entry.shaft_hz == 0:
                continue
            for name, doubts, refusal in zip(entry.block.channels, entry.doubts, entry.refusals, strict=True):
                found = doubts if refusal is None else (refusal,)
                self.counts.update((reason.reason, refusal is not None) for reason in found)
                if entry.work.live:
                    self._tell((entry.work.site, entry.block.machine, entry.block.point, name), found)

    def _tell(self, channel: Channel, found: tuple[Refusal, ...]) -> None:
        before = self._last.pop(channel, ())
        if found:
            self._last[channel] = found
            if len(self._last) > CHANNELS_KEPT:
                self._last.pop(next(iter(self._last)))
        place = "/".join(channel)
        for refusal in found:
            if refusal not in before:
                log.warning("sensor_doubted", channel=place, reason=refusal.reason, remedy=refusal.remedy)
        for refusal in before:
            if refusal not in found:
                log.info("sensor_doubt_over", channel=place, reason=refusal.reason)
