"""Alarms as rows: how each looks, what is said of it, and which of them a viewer wants to see. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from models.types import State
from palier.alarm_text import also_line, found_line, measured_lines, to_do_line
from palier.alarms import Alarm, Level, Life, Mode
from palier.frames import NAME_PATTERN
from palier.plant import Plant
from palier.typesetting import Typeset

from .alarm_board import is_waiting
from .appearance import Look, look_of
from .words import Words

ASIDE: Final = frozenset({Life.SHELVED, Life.SUPPRESSED, Life.OUT_OF_SERVICE})
"""Lives in which an alarm asks nobody for anything now."""

KINDS: Final[Mapping[str, frozenset[Life]]] = {
    "waiting": frozenset({Life.UNACKNOWLEDGED, Life.RETURNED}),
    "seen": frozenset({Life.ACKNOWLEDGED}),
    "aside": ASIDE,
}
"""What a list may be narrowed to."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a viewer narrowed a list of alarms to; "" is all."""

    machine: str = ""
    mode: str = ""
    kind: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """What a query asks for; what can't be asked for is passed over."""
        machine, mode, kind = (query.get(name, "") for name in ("machine", "mode", "kind"))
        return cls(
            machine if NAME_PATTERN.fullmatch(machine) else "",
            mode if mode in set(Mode) else "",
            kind if kind in KINDS else "",
        )

    def has(self, alarm: Alarm) -> bool:
        """Whether that alarm is wanted."""
        return (
            self.machine in ("", alarm.key.machine)
            and self.mode in ("", alarm.key.mode)
            and (not self.kind or alarm.life in KINDS[self.kind])
        )

    def query(self) -> dict[str, str]:
        """As a query, without what is all."""
        found = {"machine": self.machine, "mode": self.mode, "kind": self.kind}
        return {name: value for name, value in found.items() if value}


ALL: Final = Wanted()


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """One alarm as it is shown. `calm`: nobody is asked for anything now; `name` is that of the machine."""

    alarm: Alarm
    name: str
    look: Look
    calm: bool
    waiting: bool

    @property
    def id(self) -> str:
        """How people name it."""
        return self.alarm.key.id

    @property
    def can(self) -> frozenset[str]:
        """What may be asked of the ingest about it; it decides, this only leaves out what it would refuse."""
        alarm, life = self.alarm, self.alarm.life
        able = {
            "acknowledge": not alarm.acknowledged,
            "shelve": alarm.level is not None and not alarm.latched and life not in ASIDE - {Life.SUPPRESSED},
            "unshelve": life is Life.SHELVED,
            "take_out": alarm.outage is None and not alarm.latched,
            "put_back": alarm.outage is not None,
        }
        return frozenset(name for name, possible in able.items() if possible)


def row_of(alarm: Alarm, plant: Plant) -> AlarmRow:
    """An alarm as it is shown."""
    spec = plant.machine(alarm.key.machine)
    calm = alarm.life in ASIDE or alarm.level is None
    state = State.DANGER if alarm.level is Level.DANGER else State.ALERT
    look = look_of(State.STOPPED if calm else state)
    return AlarmRow(alarm, spec.name or spec.id if spec else alarm.key.machine, look, calm, is_waiting(alarm))


def rows_of(alarms: Iterable[Alarm], plant: Plant, wanted: Wanted) -> tuple[AlarmRow, ...]:
    """The rows of a list, in its order."""
    return tuple(row_of(alarm, plant) for alarm in alarms if wanted.has(alarm))


@dataclass(frozen=True, slots=True)
class Sentences:
    """What is said of an alarm in the words of a language; "" where there is nothing to say."""

    level: str
    life: str
    priority: str
    mode: str
    found: str
    also: str
    measured: tuple[str, ...]
    to_do: str


def sentences(alarm: Alarm, words: Words) -> Sentences:
    """All that is said of an alarm."""
    texts = Typeset(words.lang)
    return Sentences(
        level=words.text(f"alarm.level_{alarm.level or 'none'}"),
        life=words.text(f"alarm.state_{alarm.life}"),
        priority=words.text(f"alarm.priority_{alarm.priority}"),
        mode=words.text(f"alarm.mode_{alarm.key.mode}"),
        found=found_line(alarm, texts),
        also=also_line(alarm, texts),
        measured=tuple(measured_lines(alarm, texts)),
        to_do=to_do_line(alarm, texts),
    )
