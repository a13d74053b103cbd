"""When an OPC UA subscription counts as dead though nobody says so. Pure.

A server may forget a session or a subscription, lose a monitored item, or stop publishing, and keep the
connection open. Three signs, each enough to connect anew:

1. No publish response, keep-alives included, for twice the keep-alive interval and `SLACK_S`.
2. Two reads, `patience_s` apart or more, find another value than the subscription last told, and it told
   nothing between them.
3. A periodic read that is not answered: the caller's, for it waits on the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

KEEP_ALIVE_S: Final = 3.0
"""How often a server with nothing to tell says that it lives. A silence shows within ten seconds."""

SLACK_S: Final = 2.0


@dataclass(slots=True)
class Watch:
    """One subscription since `began_s` (monotonic seconds); `keep_alive_s` is what the server granted."""

    began_s: float
    keep_alive_s: float = KEEP_ALIVE_S
    patience_s: float = 10.0  # more than a server takes to sample and to publish
    _told: dict[int, tuple[float, object]] = field(default_factory=dict)  # place: when, value
    _differs: dict[int, float] = field(default_factory=dict)  # place: since when

    def told(self, place: int, at_s: float, value: object) -> None:
        """The subscription told a value of that row."""
        self._told[place] = (at_s, value)
        self._differs.pop(place, None)

    def read(self, place: int, at_s: float, value: object) -> bool:
        """A value was read beside the subscription; False where that shows that its item is dead."""
        told = self._told.get(place)
        if told is None or told[1] == value:  # no proof: what comes and goes may be as it was told by chance
            return True
        return at_s - self._differs.setdefault(place, at_s) < self.patience_s

    def silence(self, now_s: float, published_s: float | None) -> float | None:
        """Seconds without a publish response where they are too many, else None."""
        silent_s = now_s - (self.began_s if published_s is None else max(published_s, self.began_s))
        return silent_s if silent_s > 2 * self.keep_alive_s + SLACK_S else None
