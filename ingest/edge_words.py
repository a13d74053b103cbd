"""What strikes the host about gateways, beside what they say themselves: sessions that begin too often, and
clocks that can't be believed. Pure.

Each change is told once, and after a start once how it is, also where all is well."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final

from palier.alarm_modes import Mode
from palier.frames import Clock

from .batch import GatewaySays, Now

LOOK_S: Final = 1.0  # how often it is looked

RESTLESS_S: Final = 60.0
RESTLESS_BIRTHS: Final = 3
"""Sessions of one node within a minute that a link which flaps may begin: its pauses grow to a minute. Two
gateways of one name throw each other out within seconds, for ever."""

CALM_S: Final = 600.0
"""So long after the last frame of a doubtful time a clock counts as right again."""

MAX_EDGES: Final = 2_000
"""Those heard of longest ago are forgotten; a plant has some hundreds."""


@dataclass(slots=True)
class _Edge:
    born_s: deque[float] = field(default_factory=lambda: deque(maxlen=64))
    restless: bool | None = None  # what was last told
    unsynced: int = 0
    suspect: int = 0
    heard: bool = False  # a frame
    odd_s: float = 0.0  # when the last frame of a doubtful time came
    odd: bool | None = None  # what was last told
    told: tuple[int, int] = (0, 0)  # and with which numbers


class EdgeWords:
    """Counts, for each edge node."""

    def __init__(self) -> None:
        self._edges: OrderedDict[str, _Edge] = OrderedDict()
        self._watched: set[str] = set()  # those of which something may have to be told
        self._look_at_s = 0.0

    def born(self, edge: str, now: Now) -> None:
        """A session began: a birth that was asked for begins none."""
        self._of(edge).born_s.append(now.link_s)
        self._watched.add(edge)

    def frame(self, edge: str, clock: Clock, now: Now, *, suspect: bool) -> None:
        """A frame came; `suspect` where it was of the future."""
        entry = self._of(edge)
        entry.heard = True
        odd = suspect or clock is Clock.UNSYNCED
        if odd:
            entry.odd_s = now.link_s
            entry.suspect += suspect
            entry.unsynced += not suspect
        if odd or entry.odd is None:
            self._watched.add(edge)

    def turn(self, now: Now) -> list[GatewaySays]:
        """What is new."""
        if not self._watched or now.link_s < self._look_at_s:
            return []
        self._look_at_s = now.link_s + LOOK_S
        said: list[GatewaySays] = []
        for edge in sorted(self._watched):
            entry = self._edges.get(edge)
            waits = entry is not None and self._sessions(edge, entry, now, said)
            odd = entry is not None and self._clock(edge, entry, now, said)
            if not waits and not odd:
                self._watched.discard(edge)
        return said

    def _of(self, edge: str) -> _Edge:
        entry = self._edges.setdefault(edge, _Edge())
        self._edges.move_to_end(edge)
        if len(self._edges) > MAX_EDGES:
            self._edges.popitem(last=False)
        return entry

    @staticmethod
    def _sessions(edge: str, entry: _Edge, now: Now, said: list[GatewaySays]) -> bool:
        """Whether there is still something to wait for."""
        while entry.born_s and now.link_s - entry.born_s[0] >= RESTLESS_S:
            entry.born_s.popleft()
        n = len(entry.born_s)
        restless = n > RESTLESS_BIRTHS
        if restless is not entry.restless and (restless or n == 0):
            entry.restless = restless
            told = {"per_minute": float(n)} if restless else {}
            said.append(GatewaySays(edge, Mode.TAKEOVER, told, restless))
        return n > 0

    @staticmethod
    def _clock(edge: str, entry: _Edge, now: Now, said: list[GatewaySays]) -> bool:
        numbers = (entry.unsynced, entry.suspect)
        odd = any(numbers) and now.link_s - entry.odd_s < CALM_S
        if entry.heard and (odd is not entry.odd or (odd and numbers != entry.told)):
            entry.odd, entry.told = odd, numbers
            names = zip(("unsynced", "suspect"), numbers, strict=True)
            told = {name: float(n) for name, n in names if n} if odd else {}
            said.append(GatewaySays(edge, Mode.CLOCK, told, odd))
        if not odd:
            entry.unsynced = entry.suspect = 0
        return odd
