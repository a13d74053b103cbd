"""How many events one gateway may cause in an hour: what is over is counted, and told once. Pure.

Whoever has a gateway's account can say something new in every message. Each would be a row of the records and
of the series for ever, and push what people have to read out of sight.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from palier.historian.rows import HOUR_NS, Transition

MAX_KEPT: Final = 2_000
"""Gateways that are counted: as many as edge nodes are. Those heard of longest ago are forgotten."""


TOO_MANY: Final = "too_many"
"""State of the event that tells of a flood, once in its hour."""


class Grant(Enum):
    """What becomes of one more event."""

    TOLD = auto()
    FIRST_OVER = auto()
    """It is left out, as the first of its hour: that there is a flood is told."""
    OVER = auto()


@dataclass(slots=True)
class _Hour:
    began_ns: int
    told: int = 0
    over: int = 0


class Allowance:
    """`most` events in an hour of each key, from the first of them on. `over` counts what was left out."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.over = 0
        self._hours: OrderedDict[str, _Hour] = OrderedDict()

    def ask(self, key: str, now_ns: int) -> Grant:
        """One more. A clock that was set back begins a new hour: it must not make anybody silent."""
        hour = self._hours.get(key)
        if hour is None or not 0 <= now_ns - hour.began_ns < HOUR_NS:
            hour = self._hours[key] = _Hour(now_ns)
        self._hours.move_to_end(key)
        if len(self._hours) > MAX_KEPT:
            self._hours.popitem(last=False)
        if hour.told < self.most:
            hour.told += 1
            return Grant.TOLD
        hour.over += 1
        self.over += 1
        return Grant.FIRST_OVER if hour.over == 1 else Grant.OVER

    def within(self, edge: str, event: Transition) -> tuple[Transition, ...]:
        """What is told of one more event of a gateway: itself, that there are too many, or nothing."""
        match self.ask(edge, event.ts_ns):
            case Grant.TOLD:
                return (event,)
            case Grant.FIRST_OVER:
                event_id = f"{event.kind}:{edge}:{TOO_MANY}:{event.ts_ns}"
                detail = json.dumps({"most_per_hour": self.most})
                return (replace(event, event_id=event_id, state=TOO_MANY, previous="", detail=detail),)
        return ()
