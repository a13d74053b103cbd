"""What a rescored period had in it: the alarms that would have been raised, and which of them were false."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from models.diagnosis.types import Fault
from palier.alarm_finding import Finding
from palier.alarms import PROCESS_MODES, AlarmKey, Level, Mode
from palier.historian.rows import InterventionRow, VerdictRow
from palier.operations import Baseline, Found

DAY_NS: Final = 86_400 * 10**9
MONTH_NS: Final = 30 * DAY_NS

ANSWERED_NS: Final = MONTH_NS
"""An alert that asks for work within four weeks is answered by what is done within a month."""

SAME_NS: Final = DAY_NS
"""How far a verdict's alarm may have been raised from the one that is found now: limits may have changed."""

OF_MACHINE: Final = PROCESS_MODES | {Mode.TEMPERATURE}
"""Alarms of the machine; those of sensors are counted apart."""


class Truth(StrEnum):
    """What became of an alert."""

    ANSWERED = "answered"  # work was recorded, or somebody confirmed it
    FALSE = "false"  # nothing was done within a month, or somebody refuted it
    OPEN = "open"  # too young to tell


@dataclass(frozen=True, slots=True)
class Episode:
    """One alarm from its raise to its end (None: it stands at the end of the period), in plant time (ns).

    `fault`, `confidence`, `at` and `named_ns` are the surest finding so far; `counted` is False for what was
    raised before the period. `truth` is None for what is no alarm of the machine.
    """

    key: AlarmKey
    raised_ns: int
    danger_ns: int | None = None
    ended_ns: int | None = None
    feature: str = ""
    value: float | None = None
    limit: float | None = None
    unit: str = ""
    fault: str = ""
    confidence: float = 0.0
    at: str = ""
    named_ns: int = 0
    counted: bool = True
    truth: Truth | None = None

    @classmethod
    def begun(cls, key: AlarmKey, ts_ns: int, told: Mapping[str, Any], *, counted: bool) -> Episode:
        """Of a raise, as its event tells it."""
        danger_ns = ts_ns if told["level"] == Level.DANGER else None
        feature, unit = str(told["feature"] or ""), str(told["unit"] or "")
        return cls(key, ts_ns, danger_ns, None, feature, told["value"], told["limit"], unit, counted=counted)

    @property
    def stands(self) -> bool:
        """Whether it has not ended."""
        return self.ended_ns is None

    def named(self, found: Finding) -> Episode:
        """With what an examination found, where it is surer than before."""
        if not found.fault or not self.raised_ns <= found.ts_ns <= (self.ended_ns or found.ts_ns):
            return self
        sure, at = found.confidence, found.at
        now = replace(self, fault=found.fault, confidence=sure, at=at, named_ns=found.ts_ns)
        return now if now.sureness > self.sureness else self

    @property
    def sureness(self) -> tuple[bool, float]:
        """Orders findings: a fault that has a name before one that has none."""
        return self.fault not in ("", Fault.UNIDENTIFIED), self.confidence

    def told(self) -> dict[str, Any]:
        """For JSON."""
        names = [name for name in self.__slots__ if name not in ("key", "counted")]
        return {"alarm": self.key.id} | {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found in a period of a machine, and how many rows of each series were written again.

    `baseline` is that in force, None where the standard's limits alone judged, as they do of the points
    `unlearned`; `unusable` says of which a model is kept that can't be used, and why. `alerts` are those of
    the machine, in order of time; `standing` those that stood when the period began; `sensors` is how many
    alarms sensors raised, `left_out` how many blocks the detector failed on.
    """

    machine: str
    start_ns: int
    end_ns: int
    blocks: int
    points: int
    baseline: Baseline | None
    unlearned: tuple[str, ...] = ()
    unusable: tuple[str, ...] = ()
    alerts: tuple[Episode, ...] = ()
    standing: tuple[Episode, ...] = ()
    sensors: int = 0
    left_out: int = 0
    written: Mapping[str, int] | None = None

    @property
    def first_alert(self) -> Episode | None:
        """The first that was raised."""
        return min(self.alerts, key=lambda e: e.raised_ns, default=None)

    @property
    def first_danger(self) -> Episode | None:
        """The first that became a danger."""
        dangers = [e for e in (*self.standing, *self.alerts) if (e.danger_ns or 0) >= self.start_ns]
        return min(dangers, key=lambda e: e.danger_ns or 0, default=None)

    @property
    def diagnosis(self) -> Episode | None:
        """The alarm with the surest fault."""
        named = [e for e in (*self.standing, *self.alerts) if e.fault]
        return max(named, key=lambda e: e.sureness, default=None)

    def count(self, truth: Truth) -> int:
        """How many alerts turned out so."""
        return sum(episode.truth is truth for episode in self.alerts)

    @property
    def false_per_month(self) -> float:
        """False alerts in thirty days."""
        return self.count(Truth.FALSE) * MONTH_NS / (self.end_ns - self.start_ns)

    def told(self) -> dict[str, Any]:
        """For JSON."""
        parts = {name: getattr(self, name) for name in ("first_alert", "first_danger", "diagnosis")}
        return {
            "machine": self.machine,
            "from_ns": self.start_ns,
            "to_ns": self.end_ns,
            "blocks": self.blocks,
            "points": self.points,
            "baseline": self.baseline.told() if self.baseline else None,
            "unlearned": list(self.unlearned),
            "unusable": list(self.unusable),
            **{name: part.told() if part else None for name, part in parts.items()},
            "alerts": [episode.told() for episode in self.alerts],
            "standing": [episode.told() for episode in self.standing],
            **{f"{truth}_alerts": self.count(truth) for truth in Truth},
            "false_per_month": self.false_per_month,
            "sensor_alarms": self.sensors,
            "left_out": self.left_out,
            "written": None if self.written is None else dict(self.written),
        }


def judged(
    episodes: Iterable[Episode],
    done: Sequence[InterventionRow],
    verdicts: Sequence[VerdictRow],
    now_ns: int,
) -> tuple[Episode, ...]:
    """The alarms of the machine, each with what became of it, in order of time."""
    mine = sorted((e for e in episodes if e.key.mode in OF_MACHINE), key=lambda e: (e.raised_ns, e.key.id))
    return tuple(replace(e, truth=_truth(e, done, verdicts, now_ns)) for e in mine)


def _truth(
    episode: Episode, done: Sequence[InterventionRow], verdicts: Sequence[VerdictRow], now_ns: int
) -> Truth:
    said = [
        v.verdict
        for v in verdicts
        if v.alarm == episode.key.id and abs(v.raised_ns - episode.raised_ns) <= SAME_NS
    ]
    if said:  # the last word counts
        return Truth.FALSE if said[-1] == Found.REFUTED else Truth.ANSWERED
    until_ns = episode.raised_ns + ANSWERED_NS
    if any(
        row.point in ("", episode.key.point) and episode.raised_ns <= row.at_ns <= until_ns for row in done
    ):
        return Truth.ANSWERED
    return Truth.OPEN if now_ns < until_ns else Truth.FALSE
