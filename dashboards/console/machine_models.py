"""What models of the registry said of a machine's points lately, and the words of it. Pure.

Rules:
1. Of each model in force and of each in shadow the last answer at each point is told, with its time, if it is
   of the last day before the newest block: what a model said that is no longer asked is history.
2. A version that went from shadow to force, or back, is told once, as it was at last.
3. What the ingest has taken out of work since (events of kind *model*) is history at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from models.diagnosis.types import Fault
from palier.advice_text import fault_text
from palier.historian.base import Table
from palier.historian.rows import HOUR_NS
from palier.locale import Catalogue
from palier.locale.digits import digits_of

from .snapshot import number, text

if TYPE_CHECKING:
    from .machine_words import MachineWords

LATELY_NS: Final = 24 * HOUR_NS
"""How old an answer may be beside the newest block: machines are measured once a day at least."""

MOST_ANSWERS: Final = 120
"""Newest rows that are looked through: of six models at each of eight points, the last two of each."""

MOST_ACTS: Final = 20
"""Newest events of a model that are looked through: nobody promotes one so often in a day."""

FIELDS: Final = (
    "model", "version", "stage", "score", "threshold", "level", "label", "confidence", "leading",
)  # fmt: skip

SHADOW: Final = "shadow"
_STAGES: Final = {"in force": "models_in_force", SHADOW: "models_shadow"}
_SCORED: Final = {
    (True, True): "models_strange",
    (True, False): "models_calming",
    (False, True): "models_waits",
    (False, False): "models_usual",
}
"""By whether the point is held for strange, and whether the last score is above its threshold."""

_HEALTHY: Final = "none"
_UNIDENTIFIED: Final = "unidentified"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one version of a model said of one point: a detector a score with its threshold, and by `on`
    whether it holds the point for strange; a classifier a fault's name, "none" or "unidentified"."""

    ts_ns: int
    point: str
    model: str
    version: int
    stage: str
    score: float | None = None
    threshold: float | None = None
    on: bool = False
    label: str | None = None
    confidence: float | None = None
    leading: str | None = None


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model with its stage, and what it says of each point, in words; `ts_ns` is the time of its last word.
    `shadow`: it decides nothing."""

    ts_ns: int
    name: str
    version: str
    stage: str
    shadow: bool
    points: tuple[tuple[str, str], ...]


def answers_of(table: Table) -> tuple[Answer, ...]:
    """The last answers among the rows of `model_score`, in order of model, stage and point."""
    last: dict[tuple[str, str, str], Answer] = {}
    stages: dict[tuple[str, str, int], str] = {}
    for i in range(len(table)):
        one = _answer(table, i)
        last[one.point, one.model, one.stage] = one
        stages[one.point, one.model, one.version] = one.stage
    told = (one for one in last.values() if stages[one.point, one.model, one.version] == one.stage)
    return tuple(sorted(told, key=lambda one: (one.model, one.stage == SHADOW, one.version, one.point)))


def at_work(answers: Iterable[Answer], events: Mapping[str, Table]) -> tuple[Answer, ...]:
    """The answers of versions that still are what they were; `events` (kind, detail) by the name of a model.
    Where no event is known, the answer alone counts.
    """
    now = {name: _stages_of(table) for name, table in events.items()}
    return tuple(one for one in answers if now.get(one.model, {}).get(one.stage, one.version) == one.version)


def _stages_of(events: Table) -> dict[str, object]:
    """The version in each stage by the last event that tells of it, None for none."""
    found: dict[str, object] = {}
    for i in range(len(events)):
        if events.columns["kind"][i] != "model":
            continue
        detail = json.loads(events.columns["detail"][i] or "{}")
        if "stage" in detail:
            found[str(detail["stage"])] = detail.get("version")
    return found


def model_cards(answers: Iterable[Answer], words: MachineWords) -> tuple[ModelCard, ...]:
    """A card of each version of a model in each stage."""
    found: dict[tuple[str, int, str], list[Answer]] = {}
    for one in answers:
        found.setdefault((one.model, one.version, one.stage), []).append(one)
    return tuple(
        ModelCard(
            max(one.ts_ns for one in said),
            name,
            str(version),
            words.t(_STAGES[stage]) if stage in _STAGES else stage,
            stage == SHADOW,
            tuple((one.point, _said(one, words)) for one in said),
        )
        for (name, version, stage), said in found.items()
    )


def _said(one: Answer, words: MachineWords) -> str:
    return _scored(one, words) if one.label is None else _named(one, words)


def _named(one: Answer, words: MachineWords) -> str:
    catalogue = Catalogue(words.page.lang)
    key = {_HEALTHY: "models_healthy", _UNIDENTIFIED: "models_unidentified"}.get(
        one.label or "", "models_named"
    )
    fault = fault_text(Fault(one.label), catalogue) if one.label in set(Fault) else one.label
    told = words.t(key, fault=fault)
    if one.confidence is None:
        return told
    return f"{told} ({words.t('confidence', confidence=catalogue.number(100 * one.confidence, 0))})"


def _scored(one: Answer, words: MachineWords) -> str:
    above = one.score is not None and one.threshold is not None and one.score > one.threshold
    key = _SCORED[one.on, above]
    score, threshold = (_figures(value, words) for value in (one.score, one.threshold))
    told = words.t(key, score=score, threshold=threshold)
    if not one.leading or not (one.on or above):
        return told
    return words.t("models_leading", said=told, column=words.column(one.leading))


def _figures(value: float | None, words: MachineWords) -> str:
    """With three figures: a score just above its threshold must not look the same."""
    if value is None:
        return words.number(None)
    return Catalogue(words.page.lang).number(value, digits_of(value))


def _answer(table: Table, i: int) -> Answer:
    row = {name: column[i] for name, column in table.columns.items()}
    return Answer(
        ts_ns=int(table.ts_ns[i]),
        point=table.point[i],
        model=text(row["model"]) or "",
        version=round(number(row["version"]) or 0),
        stage=text(row["stage"]) or "",
        score=number(row["score"]),
        threshold=number(row["threshold"]),
        on=bool(number(row["level"])),
        label=text(row["label"]),
        confidence=number(row["confidence"]),
        leading=text(row["leading"]),
    )
