"""What the machine page says of a machine's condition, put together from its points. Pure.

Rules:
1. Why: each point that leads the state speaks; where none does, the point that is looked at.
2. Diagnoses and lives are those of points that are abnormal now, or that stand still and were examined
   before: what was found at a point that is well again is history.
3. Of the same fault at the same place the newest examination counts; three faults at most, the surest first.
   The first of each point answers for its state: where that got worse since, it asks for more.
4. Of several lives the shortest is the one to plan by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from models.advice import Advice
from models.detection.zones import LimitSet
from models.diagnosis.types import Diagnosis
from models.types import State

from .appearance import URGENT
from .machine import MachineView
from .machine_judgement import MOST_FAULTS, Life, MachineJudgement, Named
from .machine_models import ModelCard, model_cards
from .machine_words import FaultCard, HealthCard, LifeCard, MachineWords
from .overview import TEMPERATURE_UNIT, PointMark

STILL: Final = (State.STOPPED, State.TRANSIENT, State.UNKNOWN)
"""States of a point in which what was found before still stands: a repair is what changes it."""

_ASKING: Final = (*URGENT, *STILL)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one point is in its state, in sentences."""

    mark: PointMark
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MachinePicture:
    """All sentences of a machine's condition.

    `diagnosis` is "named", "none" (examined, nothing is named), "refused", "waits" (abnormal and not examined
    yet) or "quiet" (nothing to examine); `refusal` and `remedy` tell a refusal. `examined_ns` is the time of
    the block that was examined last. `life` is None where nothing is abnormal. `models` are those of the
    registry that said something lately.
    """

    reasons: tuple[Reason, ...]
    diagnosis: str
    faults: tuple[FaultCard, ...]
    health: HealthCard | None
    life: LifeCard | None
    examined_ns: int | None = None
    refusal: str = ""
    remedy: str = ""
    models: tuple[ModelCard, ...] = ()


def picture(
    view: MachineView, judgement: MachineJudgement, limits: Mapping[str, LimitSet], words: MachineWords
) -> MachinePicture:
    """The picture of one machine."""
    status, found, examined_ns = _found(view, judgement)
    refusal = _refused(view, judgement) if status == "refused" else None
    point = view.channel.point if view.channel else ""
    return MachinePicture(
        reasons=_reasons(view, judgement, limits, words),
        diagnosis=status,
        faults=tuple(words.card(*one) for one in found),
        health=words.health(judgement.health or judgement.of(point).health),
        life=words.life(*life) if (life := leading_life(view, judgement)) else None,
        examined_ns=examined_ns,
        refusal=words.refusal(refusal[0]) if refusal else "",
        remedy=words.remedy(refusal[1]) if refusal else "",
        models=model_cards(judgement.answers, words),
    )


def _reasons(
    view: MachineView, judgement: MachineJudgement, limits: Mapping[str, LimitSet], words: MachineWords
) -> tuple[Reason, ...]:
    leading = [mark for mark in view.tile.points if mark.look.word in URGENT]
    if not leading and view.channel is not None:
        leading = [view.mark(view.channel.point)]
    leading.sort(key=lambda mark: (mark.look.order, view.channel is None or mark.id != view.channel.point))
    told = []
    for mark in leading:
        row = view.data.states.get(mark.id)
        said = words.why(
            row,
            limits.get(row.limit_name or "") if row else None,
            judgement.of(mark.id).standing,
            _warm_c(view, mark.id),
        )
        if said and mark.since_ns is not None:
            told.append(Reason(mark, said))
    return tuple(told)


def _warm_c(view: MachineView, point: str) -> float | None:
    """The highest of a point's last temperatures, °C."""
    values = [r.value for r in view.data.readings if r.point == point and r.unit == TEMPERATURE_UNIT]
    return max(values, default=None)


def _asking(view: MachineView) -> list[PointMark]:
    """Points whose last examination counts."""
    return [mark for mark in view.tile.points if mark.look.word in _ASKING]


def _found(
    view: MachineView, judgement: MachineJudgement
) -> tuple[str, list[tuple[Diagnosis, Advice]], int | None]:
    """How the examinations ended, what they named, and the time of the newest."""
    points = _asking(view)
    by_point = [(one, mark.id) for mark in points if (one := judgement.of(mark.id).found) is not None]
    found = [one for one, _ in by_point]
    if not found:
        return "waits" if any(mark.look.word in URGENT for mark in points) else "quiet", [], None
    best: dict[tuple[str, str], Named] = {}
    for _, point in sorted(by_point, key=lambda one: one[0].ts_ns):
        best |= {(str(d.fault), d.point): (d, advice, point) for d, advice in judgement.advised(point)}
    named = sorted(best.values(), key=lambda one: -one[0].confidence)[:MOST_FAULTS]
    newest = max(one.ts_ns for one in found)
    status = "named" if named else "refused" if all(one.refusal for one in found) else "none"
    return status, list(judgement.in_force(named, view.data.states, view.tile.criticality)), newest


def _refused(view: MachineView, judgement: MachineJudgement) -> tuple[str, str] | None:
    for mark in _asking(view):
        found = judgement.of(mark.id).found
        if found is not None and found.refusal is not None:
            return found.refusal.reason, found.refusal.remedy
    return None


def leading_life(view: MachineView, judgement: MachineJudgement) -> tuple[str, Life] | None:
    """The point and the life to plan by, a refusal where there is no other; None where nobody asked."""
    lives = [(mark.id, life) for mark in _asking(view) if (life := judgement.of(mark.id).life) is not None]
    here = view.channel.point if view.channel else ""

    def by_length(one: tuple[str, Life]) -> tuple[bool, float, bool]:
        point, life = one
        known = life.refusal is None and life.p10_h is not None
        return not known, life.p10_h if known and life.p10_h is not None else 0.0, point != here

    return min(lives, key=by_length, default=None)
