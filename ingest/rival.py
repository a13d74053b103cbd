"""Whether another ingest uses our host_id. Pure.

Both connect under one client id: the broker throws out who was there, who comes back and throws the other
out, for ever, without a word (MQTT 3.1.1 gives no reason). What tells it is the STATE topic: each connection
writes its own, rising time there (Sparkplug 3.0, STATE birth and death). A time that is none of ours was
written by somebody else. One may be what an earlier run of ours had left; two, while our connections end
within seconds, are a rival's."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

SHORT_S: Final = 10.0
"""A connection that ends within so long of its going online was cut; a broker that restarts cuts one."""

CUTS: Final = 2
STRANGERS: Final = 2

QUIET_S: Final = 60.0
"""A connection that lasts so long has no rival any more."""


@dataclass(slots=True)
class Rival:
    """What was seen of somebody else under our name. `there` is whether there is one; None before anything
    tells: an alarm of an earlier run must neither end by a restart nor stay for ever.
    """

    there: bool | None = None
    _ours: deque[int] = field(default_factory=lambda: deque(maxlen=64))
    _strangers: set[int] = field(default_factory=set)
    _cuts: int = 0
    _online_s: float | None = None

    def connecting(self, connected_ms: int) -> None:
        """We are about to connect with this time of STATE."""
        self._ours.append(connected_ms)

    def online(self, now_s: float) -> None:
        """We are online."""
        self._online_s = now_s

    def saw(self, state_ms: int) -> None:
        """This time was read on our STATE topic."""
        if state_ms not in self._ours:
            self._strangers.add(state_ms)

    def ended(self, now_s: float, *, thrown_out: bool) -> None:
        """The connection ended; `thrown_out` where the broker said that another one took it over (MQTT 5)."""
        short = self._online_s is not None and now_s - self._online_s < SHORT_S
        self._cuts = self._cuts + 1 if short or thrown_out else 0
        self._online_s = None
        if self._cuts >= CUTS and (thrown_out or len(self._strangers) >= STRANGERS):
            self.there = True

    def turn(self, now_s: float) -> None:
        """Time goes by."""
        if self._online_s is not None and now_s - self._online_s >= QUIET_S:
            self.there, self._cuts = False, 0
            self._strangers.clear()
