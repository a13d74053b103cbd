"""How good an alarm system is: who alarms most, what chatters, how many an hour. Pure, from transitions.

ISA-18.2 wants these watched: at most six alarms an operator and hour on average, no alarm that chatters, and
the ten worst actors looked into, for they make most of what people learn to ignore.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from .alarms import Life, What

TOP: Final = 10
CHATTERING: Final = 3
"""Raises within a minute that make an alarm chatter (ISA-18.2, EEMUA 191)."""

MINUTE_NS: Final = 60 * 10**9
HOUR_NS: Final = 60 * MINUTE_NS


class AlarmEvent(Protocol):
    """A transition: of the records, or read from the `event` series."""

    @property
    def ts_ns(self) -> int:
        """When."""
        ...

    @property
    def kind(self) -> str:
        """What changed."""
        ...

    @property
    def state(self) -> str:
        """What it changed to."""
        ...

    @property
    def detail(self) -> str:
        """JSON: what else is known of it."""
        ...


@dataclass(frozen=True, slots=True)
class Actor:
    """How often an alarm was raised, its share of all raises, and the most raises within one minute."""

    alarm: str
    raises: int
    share: float
    most_in_a_minute: int

    @property
    def chatters(self) -> bool:
        """Whether it came and went faster than anybody can read."""
        return self.most_in_a_minute >= CHATTERING


@dataclass(frozen=True, slots=True)
class Figures:
    """What was raised in a period: in all, an hour, by priority (shares), and by whom, the worst first."""

    raises: int
    per_hour: float
    priorities: Mapping[str, float]
    actors: tuple[Actor, ...]

    @property
    def bad_actors(self) -> tuple[Actor, ...]:
        """The ten that alarm most."""
        return self.actors[:TOP]

    @property
    def chattering(self) -> tuple[Actor, ...]:
        """Those that chatter."""
        return tuple(actor for actor in self.actors if actor.chatters)


def figures(events: Iterable[AlarmEvent], since_ns: int, until_ns: int) -> Figures:
    """The figures of the transitions with since <= ts < until. ValueError where that is no period."""
    if until_ns <= since_ns:
        raise ValueError(f"a period must end after it begins, got {since_ns} to {until_ns}")
    times: dict[str, list[int]] = defaultdict(list)
    priorities: Counter[str] = Counter()
    for event in events:
        if since_ns <= event.ts_ns < until_ns and (told := _raised(event)):
            times[str(told.get("alarm", ""))].append(event.ts_ns)
            priorities[str(told.get("priority", ""))] += 1
    n = priorities.total()
    actors = (Actor(name, len(found), len(found) / n, densest(found)) for name, found in times.items())
    return Figures(
        raises=n,
        per_hour=n / ((until_ns - since_ns) / HOUR_NS),
        priorities={name: count / n for name, count in sorted(priorities.items())},
        actors=tuple(sorted(actors, key=lambda actor: (-actor.raises, actor.alarm))),
    )


def densest(times_ns: Sequence[int], window_ns: int = MINUTE_NS) -> int:
    """The most times within one window, in any order of the times."""
    ordered = sorted(times_ns)
    most = first = 0
    for last, time in enumerate(ordered):
        while time - ordered[first] >= window_ns:
            first += 1
        most = max(most, last - first + 1)
    return most


def _raised(event: AlarmEvent) -> Mapping[str, object] | None:
    """The detail of a raise that people saw; None for any other event."""
    if event.kind != "alarm" or event.state != Life.UNACKNOWLEDGED:
        return None
    try:
        told = json.loads(event.detail)
    except ValueError:
        return None
    seen = isinstance(told, dict) and told.get("what") in (What.RAISED, What.ESCALATED)
    return told if seen else None
