"""What the ingest found of a machine, as the historian has it: standing tests, diagnoses, health, life.

Each is read by point, the newest row of each; nothing is judged again here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from models.advice import Advice, Deadline, Demand, InForce, Lasting, advise, over_drive, raised, sooner
from models.diagnosis.severity import Action
from models.diagnosis.types import Diagnosis, EvidenceItem, Fault
from models.types import MachineSpec, Refusal, State
from palier.historian.base import Historian, Table

from .machine_models import FIELDS, LATELY_NS, MOST_ACTS, MOST_ANSWERS, Answer, answers_of, at_work
from .snapshot import StateRow, number, text

MOST_FAULTS: Final = 3
"""Faults that one examination names at most."""

REFUSED: Final = "refused"
"""In place of a fault or a method: nobody can say, and the row has the reason."""

NONE: Final = "none"
"""In place of a fault: the machine was examined, and nothing is named."""

_SCORE: Final = ("score", "threshold", "level", "tests", "leading", "value", "alert")
_DIAGNOSIS: Final = (
    "rank", "fault", "confidence", "severity", "action", "deadline_h", "at", "detail", "reason", "remedy",
)  # fmt: skip
_HEALTH: Final = ("health_index", "mode", "complete", "modes")
_LIFE: Final = (
    "method", "p10_h", "p50_h", "p90_h", "confidence", "leading", "threshold", "assumptions",
    "reason", "remedy",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Standing:
    """What a point's own baseline says of its newest counted block.

    `tests` names each test that is on with its columns "channel/feature", () where a test has none of its
    own; `leading` is the column that speaks loudest, `value` and `alert` its value and limit. `score` is the
    largest residual in standard deviations, `threshold` how many a single feature may be off.
    """

    ts_ns: int
    level: int
    tests: tuple[tuple[str, tuple[str, ...]], ...] = ()
    leading: str | None = None
    value: float | None = None
    alert: float | None = None
    score: float | None = None
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What an examination of a point said: diagnoses with their advice, the surest first, or a refusal; both
    empty where nothing is named. `ts_ns` is the time of the block."""

    ts_ns: int
    advice: tuple[tuple[Diagnosis, Advice], ...] = ()
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """A health index, 0 to 100, and the failure mode that it is of; `complete` where every mode is known."""

    ts_ns: int
    index: float
    mode: str
    complete: bool
    modes: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Life:
    """A remaining life in hours from `ts_ns` on, or why nobody can say. `leading` is the column that grows,
    "channel/feature", `threshold` where it ends."""

    ts_ns: int
    method: str
    p10_h: float | None = None
    p50_h: float | None = None
    p90_h: float | None = None
    confidence: str | None = None
    leading: str | None = None
    threshold: float | None = None
    assumptions: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    refusal: Refusal | None = None

    @property
    def lasting(self) -> Lasting | None:
        """What it says of deadlines; None where nobody can say."""
        if self.refusal is not None or self.p10_h is None:
            return None
        return Lasting(self.ts_ns, max(0.0, self.p10_h))


@dataclass(frozen=True, slots=True)
class PointJudgement:
    """All of it for one point, None where the series has nothing."""

    standing: Standing | None = None
    found: Found | None = None
    health: Health | None = None
    life: Life | None = None


Named = tuple[Diagnosis, Advice, str]
"""A diagnosis, its advice, and the point at whose examination it was named."""


@dataclass(frozen=True, slots=True)
class MachineJudgement:
    """The judgements of a machine's points by id, the health of the machine as a whole, and what models of
    the registry said lately."""

    points: Mapping[str, PointJudgement]
    health: Health | None = None
    answers: tuple[Answer, ...] = ()

    def of(self, point: str) -> PointJudgement:
        """That of a point; empty where there is none."""
        return self.points.get(point, PointJudgement())

    def advised(self, point: str) -> tuple[tuple[Diagnosis, Advice], ...]:
        """What was found at a point, each with the deadline that rule and remaining life leave together."""
        found = self.of(point).found
        return () if found is None else tuple((d, self._due(a, found, point)) for d, a in found.advice)

    def _due(self, advice: Advice, found: Found, point: str) -> Advice:
        told = Deadline(advice.deadline_h, found.ts_ns)
        return replace(advice, deadline_h=self._sooner(told, advice.point or point).hours)

    def _sooner(self, asked: Deadline, point: str) -> Deadline:
        life = self.of(point).life
        return sooner(asked, life.lasting if life else None)

    def in_force(
        self, named: Iterable[Named], states: Mapping[str, StateRow], criticality: str
    ) -> tuple[tuple[Diagnosis, Advice], ...]:
        """Diagnoses that were named, the leading one of each point raised to what the state of that point
        asks for now."""
        told, done = [], set()
        danger = any(row.state == State.DANGER for row in states.values())
        for diagnosis, advice, examined in named:
            point = advice.point or examined
            row = None if point in done else states.get(point)
            asked = self._raised(advice, point, row, criticality)
            told.append((diagnosis, replace(asked, in_danger=danger)))
            done.add(point)
        return tuple(told)

    def _raised(self, advice: Advice, point: str, row: StateRow | None, criticality: str) -> Advice:
        by_fault = Demand(advice.severity, advice.action, Deadline(advice.deadline_h, 0))
        worse = InForce(row.state, row.severity, row.ts_ns) if row else None
        asked = raised(by_fault, worse, criticality)
        if not asked.raised_by:
            return advice
        return replace(
            advice,
            severity=asked.severity,
            action=Action(asked.action),
            deadline_h=self._sooner(asked.deadline, point).hours,
            raised_by=asked.raised_by,
        )


NO_JUDGEMENT: Final = MachineJudgement({})


def read_judgement(
    historian: Historian, site: str, machine: MachineSpec, points: Iterable[str], now_ns: int | None = None
) -> MachineJudgement:
    """What the series have of these points of a machine, whose newest block is of `now_ns`. Raises
    HistorianError."""

    def newest(measurement: str, fields: Sequence[str], point: str, rows: int = 1) -> Table:
        return historian.read(
            measurement, fields, site=site, machine=machine.id, point=point, channel="", newest=rows
        )

    return MachineJudgement(
        {
            point: PointJudgement(
                standing_of(newest("score", _SCORE, point)),
                found_of(newest("diagnosis", _DIAGNOSIS, point, MOST_FAULTS), machine),
                health_of(newest("health", _HEALTH, point)),
                life_of(newest("life", _LIFE, point)),
            )
            for point in points
        },
        health_of(newest("health", _HEALTH, "")),
        _answers(historian, site, machine.id, now_ns),
    )


def _answers(historian: Historian, site: str, machine: str, now_ns: int | None) -> tuple[Answer, ...]:
    """What models said of a machine lately, but those that are out of work since."""
    start_ns = None if now_ns is None else now_ns - LATELY_NS
    answers = answers_of(
        historian.read(
            "model_score", FIELDS, site=site, machine=machine, channel="",
            start_ns=start_ns, newest=MOST_ANSWERS,
        )
    )  # fmt: skip
    events = {
        name: historian.read(
            "event", ("kind", "detail"), site=site, machine=name, start_ns=start_ns, newest=MOST_ACTS
        )
        for name in {one.model for one in answers}
    }
    return at_work(answers, events)


def standing_of(table: Table) -> Standing | None:
    """The last row of `score`."""
    if not len(table):
        return None
    row = _row(table, -1)
    tests = _mapping(row["tests"])
    return Standing(
        ts_ns=int(table.ts_ns[-1]),
        level=round(number(row["level"]) or 0),
        tests=tuple((str(name), tuple(map(str, columns or ()))) for name, columns in tests.items()),
        leading=text(row["leading"]),
        value=number(row["value"]),
        alert=number(row["alert"]),
        score=number(row["score"]),
        threshold=number(row["threshold"]),
    )


def found_of(table: Table, machine: MachineSpec) -> Found | None:
    """The last examination among the rows of `diagnosis`."""
    if not len(table):
        return None
    last = int(table.ts_ns[-1])
    rows = [_row(table, i) for i in range(len(table)) if int(table.ts_ns[i]) == last]
    rows.sort(key=lambda row: number(row["rank"]) or 0)
    first = text(rows[0]["fault"])
    if first == REFUSED:
        return Found(last, refusal=_refusal(rows[0]))
    named = [_named(row, machine) for row in rows if first != NONE]
    return Found(last, tuple(one for one in named if one is not None))


def health_of(table: Table) -> Health | None:
    """The last row of `health`."""
    index = number(table.columns["health_index"][-1]) if len(table) else None
    if index is None:
        return None
    row = _row(table, -1)
    modes = _mapping(row["modes"])
    return Health(
        int(table.ts_ns[-1]),
        index,
        text(row["mode"]) or "",
        bool(number(row["complete"])),
        tuple((str(name), float(value)) for name, value in modes.items() if isinstance(value, int | float)),
    )


def life_of(table: Table) -> Life | None:
    """The last row of `life`."""
    if not len(table):
        return None
    row = _row(table, -1)
    method = text(row["method"]) or REFUSED
    hours = [number(row[name]) for name in ("p10_h", "p50_h", "p90_h")]
    told = _json(row["assumptions"])
    return Life(
        int(table.ts_ns[-1]),
        method,
        hours[0],
        hours[1],
        hours[2],
        confidence=text(row["confidence"]),
        leading=text(row["leading"]),
        threshold=number(row["threshold"]),
        assumptions=tuple(
            (str(one["key"]), one.get("params") or {})
            for one in (told if isinstance(told, list) else ())
            if isinstance(one, dict) and "key" in one
        ),
        refusal=_refusal(row) if method == REFUSED or None in hours else None,
    )


def _named(row: Mapping[str, object], machine: MachineSpec) -> tuple[Diagnosis, Advice] | None:
    """A diagnosis as it was made, with its advice; None for a fault that this version does not know."""
    detail = _mapping(row["detail"])
    try:
        diagnosis = Diagnosis(
            Fault(text(row["fault"]) or ""),
            number(row["confidence"]) or 0.0,
            round(number(row["severity"]) or 1),
            point=text(row["at"]) or "",
            evidence=tuple(_evidence(item) for item in detail.get("evidence") or ()),
            not_separated=tuple(Fault(name) for name in detail.get("not_separated") or ()),
            separate_by=over_drive(map(str, detail.get("separate_by") or ()), machine),
        )
        advice = advise(diagnosis, machine)
        asked = replace(advice, deadline_h=number(row["deadline_h"]))
        action = text(row["action"])
        return diagnosis, replace(asked, action=Action(action)) if action else asked
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _evidence(item: Mapping[str, Any]) -> EvidenceItem:
    return EvidenceItem(
        str(item["key"]),
        float(item["weight"]),
        float(item["met"]),
        params=item.get("params") or {},
        feature=item.get("feature") or "",
        point=item.get("point") or "",
    )


def _refusal(row: Mapping[str, object]) -> Refusal:
    return Refusal(text(row["reason"]) or "no_data", text(row["remedy"]) or "keep_watching")


def _row(table: Table, i: int) -> dict[str, object]:
    return {name: column[i] for name, column in table.columns.items()}


def _json(value: object) -> Any:
    try:
        return json.loads(str(value)) if value else None
    except ValueError:
        return None


def _mapping(value: object) -> Mapping[str, Any]:
    found = _json(value)
    return found if isinstance(found, dict) else {}
