"""What the link counts, and what of it a human should know."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from palier.wire.said import said

from .events import Cause

SHORT_S: Final = 30.0
RIVAL_S: Final = 120.0
MET: Final = 4
"""So many connections that lasted less than `SHORT_S`, within `RIVAL_S`: the link flaps, or another client
has our name. A broker lets the newer of two in and ends the older without a word (mosquitto 2.0)."""

EXPIRY_S: Final = 30 * 86_400.0  # a certificate is renewed by a human, who may be on leave


@dataclass(slots=True)
class Counters:
    """What the link did since it was made; `short_s` are link times."""

    connections: int = 0
    sent: Counter[Cause] = field(default_factory=Counter)
    acknowledged: int = 0
    ignored: int = 0  # messages that can't be read, or are not for us
    errors: int = 0
    replaced: int = 0  # outboxes set aside
    forgotten: int = 0  # numbers of frames that the disk had confirmed and did not have
    short_s: deque[float] = field(default_factory=lambda: deque(maxlen=MET))
    broker_expires_s: float | None = None  # s since 1970

    def note_end(self, began_s: float, ended_s: float) -> None:
        """A connection that was accepted has ended."""
        if ended_s - began_s < SHORT_S:
            self.short_s.append(ended_s)

    def problems(self, now_s: float) -> Iterator[str]:
        """What disturbs the link now, a sentence each; `now_s` is link time."""
        if sum(now_s - at_s < RIVAL_S for at_s in self.short_s) >= MET:
            yield said("short_connections")

    def notes(self, wall_s: float) -> Iterator[str]:
        """What will disturb it, a sentence each; `wall_s` is the time of day, s since 1970."""
        if self.forgotten:
            yield said("disk_forgot", frames=self.forgotten)
        if self.broker_expires_s is not None and self.broker_expires_s - wall_s < EXPIRY_S:
            day = time.strftime("%Y-%m-%d", time.gmtime(self.broker_expires_s))
            yield said("certificate_ends", day=day)
