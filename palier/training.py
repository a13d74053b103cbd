"""What training is made of: exercises, answers, and what an answer is worth. Values and pure functions.

An exercise is a simulated machine with something wrong, or nothing. The pupil names fault, point, severity
and action; `score` says what that is worth. What was wrong in truth stands beside what is expected: a machine
that is struck by stones has shocks in truth, and nothing is expected to be named.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from models.diagnosis import Fault

SENSOR: Final = "sensor"
NOTHING: Final = "none"

FAMILIES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "bearing": (
            Fault.OUTER_RING.value,
            Fault.INNER_RING.value,
            Fault.ROLLING_ELEMENT.value,
            Fault.CAGE.value,
            Fault.LUBRICATION.value,
            Fault.ELECTRICAL_EROSION.value,
        ),
        "rotor": (
            Fault.UNBALANCE.value,
            Fault.FAN_DEPOSIT.value,
            Fault.TOOL.value,
            Fault.MISALIGNMENT.value,
            Fault.BENT_SHAFT.value,
            Fault.RESONANCE.value,
        ),
        "looseness": (Fault.ROTATING_LOOSENESS.value, Fault.STRUCTURAL_LOOSENESS.value),
        "gears": (Fault.GEAR_WEAR.value, Fault.TOOTH_CRACK.value, Fault.GEAR_MISALIGNMENT.value),
        "process": (Fault.CAVITATION.value, Fault.BLOCKED_VANE.value),
        "drive": (Fault.BELT.value, Fault.STATOR.value, Fault.ROTOR_BARS.value),
        SENSOR: (SENSOR,),
        NOTHING: (NOTHING,),
    }
)
"""What a pupil can name, by family: the faults of the diagnosis, a sensor that lies, and nothing."""

FAULTS: Final = tuple(name for names in FAMILIES.values() for name in names)
FAMILY_OF: Final = MappingProxyType({name: family for family, names in FAMILIES.items() for name in names})

ACTIONS: Final = ("none", "watch", "plan", "intervene", "stop", "check_sensor")
"""What to do, as the advice names it, and looking after the sensor."""

SEVERITIES: Final = (1, 2, 3, 4, 5)

ACTION_OF: Final = MappingProxyType(dict(zip(SEVERITIES, ACTIONS, strict=False)))
"""The action that goes with each severity (docs/diagnosis.md)."""

WORTH: Final[Mapping[str, int]] = MappingProxyType(
    {"family": 30, "fault": 30, "point": 15, "severity": 15, "action": 10}
)
"""Points of each question, 100 in all: who sees where the trouble is has a third, its name another."""

HINT_COSTS: Final = 5

Text = Mapping[str, str]
"""A text by language; one that was written in one language only stands under ""."""


class TrainingError(ValueError):
    """An answer or a stored session that can't be one: the sentence says why."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong in truth: a kind of the simulators, its point ("": the machine), its severity
    0 to 1 at the end, and how many days ago it began."""

    kind: str
    point: str
    severity: float
    since_days: float


@dataclass(frozen=True, slots=True)
class Expected:
    """A right answer: names that are right (the first is the truth's own), points (none: any, for the whole
    machine shakes), the severity 1 to 5, and adequate actions. Severity 0 and no action: as Palier judges."""

    faults: tuple[str, ...]
    points: tuple[str, ...]
    severity: int
    actions: tuple[str, ...]

    @property
    def families(self) -> frozenset[str]:
        """Families of the names that are right."""
        return frozenset(FAMILY_OF[name] for name in self.faults)


@dataclass(frozen=True, slots=True)
class Exercise:
    """One machine to judge. `id` is its name in the training plant, `model` the machine it is like; `level` 1
    (easy) to 3; `blocks` are those of each point that must be there before it can be looked at. Everything
    from `truth` on is for after the answer, but the hints, which are asked for one by one."""

    id: str
    title: Text
    text: Text
    level: int
    seed: int
    model: str
    blocks: int
    truth: tuple[Wrong, ...]
    expected: Expected
    explanation: Text
    hints: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """Exercises one after the other. `key` names their data; `end_ns` is the plant time of the judgement."""

    key: str
    title: Text
    end_ns: int
    exercises: tuple[Exercise, ...]

    def exercise(self, name: str) -> Exercise | None:
        """The exercise of that id, or None."""
        return next((one for one in self.exercises if one.id == name), None)

    def after(self, name: str) -> Exercise | None:
        """The exercise that follows, None after the last."""
        ids = [one.id for one in self.exercises]
        place = ids.index(name) + 1 if name in ids else len(ids)
        return self.exercises[place] if place < len(ids) else None

    def to_json(self) -> str:
        """As the training folder keeps it."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Session:
        """What `to_json` wrote. Raises TrainingError for anything else."""
        try:
            data = json.loads(text)
            exercises = tuple(_exercise(one) for one in data["exercises"])
            return cls(str(data["key"]), dict(data["title"]), int(data["end_ns"]), exercises)
        except (KeyError, TypeError, ValueError) as error:
            raise TrainingError(f"this is no stored training session: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Answer:
    """What a pupil says. `point` "" is the machine as a whole."""

    fault: str
    point: str
    severity: int
    action: str

    def __post_init__(self) -> None:
        """Refuse what is no answer to any exercise."""
        if self.fault not in FAULTS:
            raise TrainingError(f"fault must be one of {', '.join(FAULTS)}, got {self.fault!r}")
        if self.severity not in SEVERITIES:
            raise TrainingError(f"severity must be 1 to 5, got {self.severity}")
        if self.action not in ACTIONS:
            raise TrainingError(f"action must be one of {', '.join(ACTIONS)}, got {self.action!r}")


@dataclass(frozen=True, slots=True)
class Mark:
    """What one question was worth: a key of WORTH, points got, points there were."""

    question: str
    got: int
    of: int


@dataclass(frozen=True, slots=True)
class Score:
    """What an answer was worth: a mark for each question, and what hints took away."""

    marks: tuple[Mark, ...]
    hints: int = 0

    @property
    def points(self) -> int:
        """0 to 100."""
        return max(0, sum(mark.got for mark in self.marks) - HINT_COSTS * self.hints)


def score(answer: Answer, expected: Expected, *, hints: int = 0) -> Score:
    """What an answer is worth after so many hints.

    The point counts only with the right family: to have guessed one of two is no finding. A severity may be
    one off, for that is as near as two analysts come.
    """
    family = FAMILY_OF[answer.fault] in expected.families
    right = {
        "family": family,
        "fault": answer.fault in expected.faults,
        "point": family and (not expected.points or answer.point in expected.points),
        "severity": abs(answer.severity - expected.severity) <= 1,
        "action": answer.action in expected.actions,
    }
    return Score(tuple(Mark(name, of * right[name], of) for name, of in WORTH.items()), hints)


def settled(expected: Expected, judged: int) -> Expected:
    """What is expected with nothing left open: `judged` 1..5 where it says nothing of severity or action."""
    name = expected.faults[0]
    level = expected.severity or (1 if name in (SENSOR, NOTHING) else judged)
    usual = {SENSOR: ("check_sensor",), NOTHING: ("none", "watch")}.get(name, (ACTION_OF[level],))
    return replace(expected, severity=level, actions=expected.actions or usual)


def said(text: Text, lang: str) -> str:
    """A text in a language, else in the one it was written in first."""
    return text.get(lang) or next(iter(text.values()), "")


def _exercise(data: Mapping[str, Any]) -> Exercise:
    expected = data["expected"]
    return Exercise(
        id=str(data["id"]),
        title=dict(data["title"]),
        text=dict(data["text"]),
        level=int(data["level"]),
        seed=int(data["seed"]),
        model=str(data["model"]),
        blocks=int(data["blocks"]),
        truth=tuple(Wrong(**one) for one in data["truth"]),
        expected=Expected(
            _names(expected["faults"]),
            _names(expected["points"]),
            int(expected["severity"]),
            _names(expected["actions"]),
        ),
        explanation=dict(data["explanation"]),
        hints=tuple(dict(one) for one in data["hints"]),
    )


def _names(values: Sequence[object]) -> tuple[str, ...]:
    return tuple(str(value) for value in values)
