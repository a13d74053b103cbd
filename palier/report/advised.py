"""What is wrong by the last examinations, and what is recommended: pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from models.advice import ABNORMAL, Deadline, Demand, InForce, Lasting, asked_of, over_drive, raised, sooner
from models.advice.advise import task_on
from models.detection.bands import ALERT_RATIO
from models.diagnosis.severity import Action
from models.diagnosis.types import BEARING_FAULTS, Fault
from models.types import MachineSpec, PointSpec, State

from .figures import temperature_limits
from .found import DiagnosisFound, Found
from .values import Criterion, DiagnosisLine, Recommendation, Verdict

CALM: Final = frozenset({State.NORMAL, State.LEARNING})
"""What a point is said to be in that was judged and is not abnormal, or begins anew after work."""

NO_FAULT: Final = ("none", "refused")

SETTLED_H: Final = 24.0
"""After work grease works in, bolts and temperatures settle: what is accepted is measured a day later."""

ACCEPTED_BLOCKS: Final = 3
"""Blocks in which no defect line may be named: as many as a diagnosis stands on."""

GREASED_FALL: Final = 0.3
"""Share by which the high frequencies fall when grease was what lacked (the rule of the diagnosis)."""

BALANCED: Final = (Fault.UNBALANCE, Fault.FAN_DEPOSIT, Fault.TOOL)


def diagnoses_of(found: Found) -> tuple[DiagnosisLine, ...]:
    """The faults, the most severe first; the same fault that was told of several points stands once.

    What was told of a point that is calm again stands last, as past.
    """
    lines: dict[tuple[str, str], DiagnosisLine] = {}
    for one in sorted(found.diagnoses, key=lambda d: (d.confidence or 0.0, d.ts_ns), reverse=True):
        named = one.fault not in NO_FAULT
        lines.setdefault(
            (one.fault, one.at if named else one.point),
            _line(one, found.machine, is_current(found, one.point, one.ts_ns)),
        )
    return tuple(
        sorted(
            lines.values(),
            key=lambda d: (not d.current, d.fault in NO_FAULT, -d.severity, -(d.confidence or 0.0)),
        )
    )


def is_current(found: Found, point: str, ts_ns: int) -> bool:
    """Whether what was told of a point then still holds: not where it is no longer judged abnormal.

    A machine that stands, or that nobody can judge, is not healed by that.
    """
    calm = {one.point: one.ts_ns for one in found.states if one.state in CALM}
    return ts_ns >= calm.get(point, ts_ns)


def recommendations_of(found: Found, diagnoses: Sequence[DiagnosisLine]) -> tuple[Recommendation, ...]:
    """What to do about each fault that is named now; else what the severity of the machine asks for.

    A point that got worse since it was examined asks for more than its diagnosis did: the first fault named
    of it answers for that.
    """
    named = [one for one in diagnoses if one.current and one.fault not in NO_FAULT]
    states = {s.point: s for s in found.states if s.state in ABNORMAL}
    told, done = [], set()
    for line in named:
        point = line.at or line.point
        worse = None if point in done else states.get(point)
        told.append(_recommendation(found, line, worse))
        done.add(point)
    worst = max(states.values(), key=lambda s: (s.severity, bool(s.point)), default=None)
    if named or worst is None or worst.severity < 2:
        return tuple(told)
    return (_of_state(found, worst),)


def _of_state(found: Found, worst: Verdict) -> Recommendation:
    """Something is wrong at a point, and nothing is named."""
    action, asked_h = asked_of(worst.severity, found.machine.criticality)
    told = sooner(Deadline(asked_h, worst.ts_ns), _lasting(found, worst.point))
    return Recommendation(
        point=worst.point,
        fault=Fault.UNIDENTIFIED,
        severity=worst.severity,
        action=str(action),
        deadline_h=told.hours,
        due_ns=told.due_ns,
        task=task_on(found.machine, Fault.UNIDENTIFIED),
        confirm=("full_survey",),
        acceptance=tuple(_criteria(found, worst.point, Fault.UNIDENTIFIED)),
        plan_ns=_planned(found, worst.point),
    )


def _line(one: DiagnosisFound, machine: MachineSpec, current: bool) -> DiagnosisLine:
    return DiagnosisLine(
        point=one.point,
        at=one.at,
        ts_ns=one.ts_ns,
        fault=one.fault,
        confidence=one.confidence,
        severity=one.severity,
        evidence=one.evidence,
        not_separated=one.not_separated,
        separate_by=over_drive(one.separate_by, machine),
        reason=one.reason,
        remedy=one.remedy,
        current=current,
    )


def _recommendation(found: Found, line: DiagnosisLine, state: Verdict | None) -> Recommendation:
    fault = Fault(line.fault) if line.fault in set(Fault) else Fault.UNIDENTIFIED
    row = next(d for d in found.diagnoses if (d.point, d.fault, d.at) == (line.point, line.fault, line.at))
    by_fault = Demand(row.severity, row.action, Deadline(row.deadline_h, row.ts_ns))
    worse = InForce(state.state, state.severity, state.ts_ns) if state else None
    asked = raised(by_fault, worse, found.machine.criticality)
    told = sooner(asked.deadline, _lasting(found, line.at or line.point))
    return Recommendation(
        point=line.at or line.point,
        fault=str(fault),
        severity=asked.severity,
        action=str(asked.action),
        deadline_h=told.hours,
        due_ns=told.due_ns,
        task=task_on(found.machine, fault),
        confirm=line.separate_by,
        acceptance=tuple(_criteria(found, line.at or line.point, fault))
        if asked.action != Action.NONE
        else (),
        plan_ns=_planned(found, line.at or line.point),
        raised_by=asked.raised_by,
    )


def _planned(found: Found, point: str) -> int | None:
    """When the remaining life of a point says to be done: what nine of ten outlast."""
    lasting = _lasting(found, point)
    return None if lasting is None else lasting.until_ns


def _lasting(found: Found, point: str) -> Lasting | None:
    life = next((one for one in found.lives if one.point == point), None)
    if life is None or life.p10_h is None or not is_current(found, point, life.ts_ns):
        return None
    return Lasting(life.ts_ns, max(0.0, life.p10_h))


def _criteria(found: Found, point_id: str, fault: Fault) -> Iterator[Criterion]:
    """What must hold a day after the work, as far as limits, baseline and rules say it."""
    point = found.machine.point(point_id)
    yield from _limits(found, point)
    yield from _levels(found, point)
    if fault in BEARING_FAULTS:
        yield Criterion("no_lines", {"blocks": float(ACCEPTED_BLOCKS), "hours": SETTLED_H})
    if fault is Fault.LUBRICATION:
        yield Criterion("greased", {"share": 100 * GREASED_FALL})
    if fault in BALANCED:
        yield Criterion("balanced", {})
    yield Criterion("recorded", {})


def _limits(found: Found, point: PointSpec | None) -> Iterator[Criterion]:
    limits = found.limits.get((point.limits if point else None) or "")
    if limits is not None:
        first, name = limits.values[0], limits.names[0]
        yield Criterion("velocity", {"value": first, "limit_name": name, "limits": limits.id})
    housing = found.limits.get(temperature_limits(found.machine))
    if point and point.bearing and housing and any(one.place[0] == point.id for one in found.readings):
        yield Criterion("temperature", {"value": housing.values[0], "limits": housing.id})


def _levels(found: Found, point: PointSpec | None) -> Iterator[Criterion]:
    for place, levels in found.levels.items():
        healthy = levels.get("acceleration_rms_m_s2")
        if point and place[0] == point.id and healthy is not None and found.baseline:
            told: dict[str, float | str] = {"value": ALERT_RATIO * healthy, "ratio": ALERT_RATIO}
            told |= {"channel": place[1], "version": float(found.baseline.version)}
            yield Criterion("acceleration", told)
