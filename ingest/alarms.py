"""The alarm engine: one alarm for each part of a machine, advanced by evidence, standstill and time. Pure.

    alarms, effects = step(alarms, events)

`events` are those of a batch in any order: evidence advances in order of its time. Effects are frozen values;
`batch_of` gathers what of them goes into one transaction of the records, so that a batch done again after a
crash, from the alarms as the records have them, leads to the same transitions with the same event ids.
The life of one alarm is in `alarm_life.py`, what people ask of it in `alarm_commands.py`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from models.advice import Lasting
from palier.alarm_finding import Finding
from palier.alarms import PROCESS_MODES, Alarm, AlarmError, AlarmKey, Level, Life, What
from palier.historian.rows import AlarmRow, Transition

from .alarm_life import Evidence, Move, Step, diagnosed, observe, shelf_is_over, suppress, unshelve
from .alarm_rapid import Rapid, observe_rapid

ALARM: Final = "alarm"
"""Kind of the events of alarms."""

OBSERVATION: Final = "observation"
"""Kind of what asks for no action: told, and announced to nobody."""

_HIDDEN: Final = frozenset({Life.SHELVED, Life.SUPPRESSED, Life.OUT_OF_SERVICE})
_TOLD: Final = frozenset({What.RAISED, What.ESCALATED, What.RETURNED})


@dataclass(frozen=True, slots=True)
class Running:
    """A machine turns, or stands still, from a time on."""

    site: str
    machine: str
    turning: bool
    ts_ns: int


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """A part was examined again, by the waveform of a block that had been judged before it came; `lasting` is
    how long the part lasts, None where not known.
    """

    key: AlarmKey
    ts_ns: int
    found: Finding
    lasting: Lasting | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """Plant time goes by."""

    now_ns: int


Event = Evidence | Rapid | Running | Diagnosed | Tick


@dataclass(frozen=True, slots=True)
class Keep:
    """Effect: the records hold this alarm from now on."""

    alarm: Alarm


@dataclass(frozen=True, slots=True)
class Record:
    """Effect: write this transition into records and series."""

    transition: Transition


@dataclass(frozen=True, slots=True)
class Announce:
    """Effect: tell people, by e-mail and webhook. `event_id` is that of the transition."""

    event_id: str
    what: What
    alarm: Alarm
    ts_ns: int


Effect = Keep | Record | Announce

Machine = tuple[str, str]
"""(site, machine)."""


@dataclass(frozen=True, slots=True)
class Alarms:
    """All alarms that ever were, by key, and since when each machine that stands still was known to.

    `turned` holds the time of the last word on each machine, so that an older one changes nothing.
    """

    known: Mapping[AlarmKey, Alarm] = field(default_factory=lambda: MappingProxyType({}))
    turned: Mapping[Machine, tuple[int, bool]] = field(default_factory=lambda: MappingProxyType({}))

    def get(self, key: AlarmKey) -> Alarm:
        """The alarm of a part; a new one, normal, where there never was any."""
        found = self.known.get(key)
        return found if found is not None else Alarm(key, suppressed=self._stands(key))

    @property
    def open(self) -> tuple[Alarm, ...]:
        """What belongs on a list, the most urgent first."""
        return tuple(sorted((a for a in self.known.values() if a.is_open), key=lambda a: a.urgency))

    def _stands(self, key: AlarmKey) -> bool:
        word = self.turned.get((key.site, key.machine))
        return key.mode in PROCESS_MODES and word is not None and not word[1]


def restore(rows: Iterable[AlarmRow]) -> tuple[Alarms, tuple[str, ...]]:
    """The alarms that the records hold, and the ids of rows that this version can't read.

    A machine that stood still is known to by its suppressed alarms; the next word on it tells the rest.
    """
    known: dict[AlarmKey, Alarm] = {}
    strange: list[str] = []
    for row in rows:
        try:
            alarm = Alarm.from_json(row.value)
            known[alarm.key] = alarm
        except AlarmError:
            strange.append(f"{row.site}/{row.id}")
    return Alarms(known), tuple(strange)


def step(alarms: Alarms, events: Iterable[Event]) -> tuple[Alarms, tuple[Effect, ...]]:
    """The alarms after these events, and what is to be done. The argument is not changed."""
    desk = _Desk(alarms)
    for event in sorted(events, key=_when):
        match event:
            case Evidence():
                desk.evidence(event)
            case Rapid():
                desk.rapid(event)
            case Running():
                desk.running(event)
            case Diagnosed():
                desk.diagnosed(event)
            case Tick():
                desk.tick(event)
    return desk.result()


def amend(alarms: Alarms, alarm_step: Step) -> tuple[Alarms, tuple[Effect, ...]]:
    """The alarms with one of them further by a step that a person asked for."""
    alarm, moves = alarm_step
    return replace(alarms, known={**alarms.known, alarm.key: alarm}), effects_of(alarm, moves)


def effects_of(alarm: Alarm, moves: Sequence[Move]) -> tuple[Effect, ...]:
    """What follows from an alarm that is new, and from its transitions."""
    effects: list[Effect] = [Keep(alarm)]
    for move in moves:
        event = transition(move)
        effects.append(Record(event))
        what = announced_as(move)
        if what is not None:
            effects.append(Announce(event.event_id, what, move.after, move.ts_ns))
    return tuple(effects)


def announced_as(move: Move) -> What | None:
    """What people are told of a transition; None where they are not: hidden, acknowledged by one of them, or
    an event without an action.
    """
    if move.event_only or move.after.life in _HIDDEN:
        return None
    if move.what in _TOLD:
        return move.what
    back = move.before.life in _HIDDEN and move.after.life is Life.UNACKNOWLEDGED
    return What.RAISED if back else None


def transition(move: Move) -> Transition:
    """A transition as records and series keep it. Its id follows from what happened."""
    key, after = move.after.key, move.after
    life = _observed(after) if move.event_only else after.life.value
    before = _observed(move.before) if move.event_only else move.before.life.value
    kind = OBSERVATION if move.event_only else ALARM
    return Transition(
        event_id=f"{kind}:{key.site}/{key.id}:{move.ts_ns}:{after.version}:{move.what}",
        site=key.site,
        machine=key.machine,
        point=key.point,
        channel=key.mode.value,  # a sensor's word must not stand for its machine's
        ts_ns=move.ts_ns,
        kind=kind,
        state=life,
        previous=before,
        detail=_detail(after.told() | {"what": move.what, "who": move.who, "why": move.why}),
    )


def _observed(alarm: Alarm) -> str:
    return alarm.standing.value if alarm.standing else "normal"


def _detail(told: Mapping[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def _when(event: Event) -> int:
    return event.now_ns if isinstance(event, Tick) else event.ts_ns


class _Desk:
    """The alarms while events are gone through: what was, and what changed."""

    def __init__(self, before: Alarms) -> None:
        self._before = before
        self._changed: dict[AlarmKey, Alarm] = {}
        self._turned: dict[Machine, tuple[int, bool]] = {}
        self._moves: dict[AlarmKey, list[Move]] = {}
        self._keep: set[AlarmKey] = set()

    def evidence(self, event: Evidence) -> None:
        """One part was judged. Of a part without an alarm, calm is no news."""
        alarm = self._get(event.key)
        if event.level is None and alarm is None:
            return
        self._advance(alarm or self._fresh(event.key), lambda a: observe(a, event))

    def rapid(self, event: Rapid) -> None:
        """A danger reading. Of a part without an alarm, calm is no news."""
        alarm = self._get(event.evidence.key)
        if event.evidence.level is not Level.DANGER and alarm is None:
            return
        self._advance(alarm or self._fresh(event.evidence.key), lambda a: observe_rapid(a, event))

    def running(self, event: Running) -> None:
        """A machine stopped, or runs again. An older word than the last is overtaken."""
        machine = (event.site, event.machine)
        last = self._turned.get(machine) or self._before.turned.get(machine)
        if last is not None and event.ts_ns <= last[0]:
            return
        self._turned[machine] = (event.ts_ns, event.turning)
        if last is not None and last[1] is event.turning:
            return
        for alarm in self._all():
            if (alarm.key.site, alarm.key.machine) == machine:
                self._advance(alarm, lambda a: suppress(a, event.ts_ns, stopped=not event.turning))

    def diagnosed(self, event: Diagnosed) -> None:
        """What a waveform that came late shows. Of a part without an alarm it is no news."""
        alarm = self._get(event.key)
        if alarm is not None:
            self._advance(alarm, lambda a: diagnosed(a, event.found, event.ts_ns, event.lasting))

    def tick(self, event: Tick) -> None:
        """Shelves whose time has come."""
        for alarm in self._all():
            if alarm.shelf is not None and shelf_is_over(alarm.shelf, event.now_ns):
                self._advance(alarm, lambda a: unshelve(a, event.now_ns))

    def result(self) -> tuple[Alarms, tuple[Effect, ...]]:
        """All of it. Without a change the alarms that were."""
        if not self._changed and not self._turned:
            return self._before, ()
        effects = tuple(
            effect
            for key, alarm in self._changed.items()
            if key in self._keep
            for effect in effects_of(alarm, self._moves.get(key, ()))
        )
        known = {**self._before.known, **self._changed} if self._changed else self._before.known
        turned = {**self._before.turned, **self._turned} if self._turned else self._before.turned
        return Alarms(known, turned), effects

    def _advance(self, alarm: Alarm, function: Callable[[Alarm], Step]) -> None:
        now, moves = function(alarm)
        if now is alarm:
            return
        self._changed[alarm.key] = now
        self._moves.setdefault(alarm.key, []).extend(moves)
        if (
            moves or replace(now, heard_ns=alarm.heard_ns, rapid_ns=alarm.rapid_ns) != alarm
        ):  # another calm block is not worth a row
            self._keep.add(alarm.key)

    def _get(self, key: AlarmKey) -> Alarm | None:
        return self._changed.get(key) or self._before.known.get(key)

    def _fresh(self, key: AlarmKey) -> Alarm:
        return Alarms(turned={**self._before.turned, **self._turned}).get(key)

    def _all(self) -> tuple[Alarm, ...]:
        return tuple({**self._before.known, **self._changed}.values())
