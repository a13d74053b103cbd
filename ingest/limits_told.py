"""What gateways are told to sample by: the danger limits of their channels, and who is in alarm. Pure.

Rules
1. A gateway is told after each birth, once its machines are announced, and whenever something of it
   changes: a limit, a machine that comes into alarm or out of it. A message may get lost, so it is told again
   from time to time, and the gateway takes each word for all of it.
2. A limit is told of a channel of which danger readings were announced, and that its point is judged by.
3. In alarm is a machine with an alert or a danger that stands, whoever has seen it; not one whose alarm was
   taken out of service.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from models.types import State
from palier.alarms import PROCESS_MODES, Mode
from palier.source import Device
from palier.wire.commands import MAX_LIMITS, DangerLimit
from palier.wire.danger import channel_of

from .alarms import Alarms
from .batch import TellLimits
from .judging import CRITERION, criterion_channels
from .knowledge import Knowledge

SETTLE_S: Final = 1.0
"""Between a birth and the word: the births of the machines follow at once."""

AGAIN_S: Final = 600.0
"""Between two words that say the same. A lost one costs some H blocks less, and no alarm."""

MAX_EDGES: Final = 2_000  # as many as the host hears at all

OF_MACHINES: Final = frozenset({*PROCESS_MODES, Mode.TEMPERATURE})
"""Modes of alarms that more blocks say more of; a sensor's they do not."""

Machine = tuple[str, str]
"""(site, machine)."""


@dataclass(slots=True)
class _Edge:
    """What a gateway announced, by machine; when to look at it next; what it was told last, and when."""

    due_s: float
    machines: dict[str, tuple[DangerLimit, ...]] = field(default_factory=dict)
    told: TellLimits | None = None
    told_s: float = 0.0


class LimitsTold:
    """`born`, `device` and `attend` as things happen; `due` gives what is to be sent now.

    `due` is asked at each message: it looks at nothing before the time comes at which one has something new.
    """

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._edges: OrderedDict[str, _Edge] = OrderedDict()
        self._alarmed: frozenset[Machine] = frozenset()
        self._next_s = math.inf  # when the first of them is due

    def born(self, edge: str, link_s: float) -> None:
        """A gateway announces itself: its machines follow."""
        self._edges[edge] = _Edge(link_s + SETTLE_S)
        self._edges.move_to_end(edge)
        self._next_s = min(self._next_s, link_s + SETTLE_S)
        if len(self._edges) > MAX_EDGES:
            self._edges.popitem(last=False)

    def device(self, edge: str, device: Device) -> None:
        """A machine of a gateway is announced, with its channels."""
        entry = self._edges.get(edge)
        if entry is not None:
            entry.machines[device.machine] = tuple(self._limits(edge, device))
            if entry.told is not None:
                entry.due_s = self._next_s = -math.inf

    def attend(self, machines: frozenset[Machine]) -> None:
        """These machines are in alarm, and no other."""
        changed = machines ^ self._alarmed
        self._alarmed = machines
        for edge, entry in self._edges.items():
            site = edge.partition("/")[0]
            if entry.told is not None and any((site, machine) in changed for machine in entry.machines):
                entry.due_s = self._next_s = -math.inf

    def due(self, link_s: float) -> list[TellLimits]:
        """Who is to be told what now."""
        if link_s < self._next_s:
            return []
        found = []
        for edge, entry in self._edges.items():
            if link_s >= entry.due_s:
                word = self._word(edge, entry)
                if word != entry.told or link_s - entry.told_s >= AGAIN_S:
                    entry.told, entry.told_s = word, link_s
                    found.append(word)
                entry.due_s = entry.told_s + AGAIN_S
        self._next_s = min((entry.due_s for entry in self._edges.values()), default=math.inf)
        return found

    def _word(self, edge: str, entry: _Edge) -> TellLimits:
        site = edge.partition("/")[0]
        limits = [limit for some in entry.machines.values() for limit in some]
        alarmed = sorted(machine for machine in entry.machines if (site, machine) in self._alarmed)
        return TellLimits(edge, tuple(limits[:MAX_LIMITS]), tuple(alarmed[:MAX_LIMITS]))

    def _limits(self, edge: str, device: Device) -> Iterator[DangerLimit]:
        site = edge.partition("/")[0]
        for channel in device.channels:
            of = channel_of(channel.name)
            value = None if of is None else self._danger(site, device.machine, of)
            if of is not None and value is not None:
                yield DangerLimit(device.machine, of, value)

    def _danger(self, site: str, machine: str, name: str) -> float | None:
        """The velocity above which a channel is in danger; None where nobody set it, or judges by it."""
        point_id, _, channel = name.partition("/")
        point = self._knowledge.point(site, machine, point_id)
        limits = None if point is None else self._knowledge.limits(point.limits)
        if point is None or limits is None or limits.quantity != CRITERION:
            return None
        return limits.limit_of(State.DANGER) if channel in criterion_channels(point) else None


def in_alarm(alarms: Alarms) -> frozenset[Machine]:
    """The machines with an alert or a danger that stands."""
    return frozenset(
        (key.site, key.machine)
        for key, alarm in alarms.known.items()
        if alarm.standing is not None and alarm.outage is None and key.mode in OF_MACHINES
    )
