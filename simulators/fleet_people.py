"""What people and alarms did in a fleet's past: alarms raised and returned, verdicts, repairs, as records and
events keep them.

The technician knows the truth: what is found is what the simulation did. An alarm is looked at within the
day after it came; one behind which nothing is, is refuted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from models.types import State
from palier.alarms import Alarm, AlarmKey, Cause, Level, Mode, What, level_of, priority_of, rank
from palier.historian.rows import (
    AlarmRow,
    BaselineRow,
    InterventionRow,
    RecordsBatch,
    Transition,
    VerdictRow,
)
from palier.operations import Baseline, BaselineStatus, CauseCode, Found, InterventionKind

from .draws import key_of, uniform
from .faults import HARMLESS, FaultKind
from .fleet_blocks import Past
from .fleet_judged import CHANNEL, VELOCITY, Judged
from .fleet_plan import POINT, Member

PEOPLE: Final = ("k.amrani", "s.benali", "m.tazi")
LOOKED_AT_H: Final = (5.0, 22.0)
ON_DELAY: Final = 3
OFF_DELAY: Final = 6
"""Blocks in a row, as alarms of the ingest."""

HOUR_NS: Final = 3600 * 10**9

_BEARING: Final = (InterventionKind.BEARING_CHANGED, CauseCode.SUBSURFACE_FATIGUE)
REPAIR: Final = {
    FaultKind.OUTER_RING: (*_BEARING, "Roulement CA remplacé : bague extérieure écaillée."),
    FaultKind.INNER_RING: (*_BEARING, "Roulement CA remplacé : bague intérieure écaillée."),
    FaultKind.UNBALANCE: (InterventionKind.BALANCING, None, "Rotor équilibré sur place."),
    FaultKind.CAVITATION: (InterventionKind.OTHER, None, "Filtre d'aspiration nettoyé, NPSH rétabli."),
    FaultKind.ROTATING_LOOSENESS: (InterventionKind.TIGHTENING, None, "Palier resserré, jeu repris."),
}
"""What is done about a fault, and what the work order says."""

NOTHING_FOUND: Final = "Machine saine."
STONES: Final = "Pierres dans la pulpe, entendues à la volute : pompe et roulements sains."


@dataclass(frozen=True, slots=True)
class Life:
    """One alarm from its raise on: places of the blocks that raised it, made it a danger (None: none did) and
    let it go (None: it stands).
    """

    raised: int
    danger: int | None
    returned: int | None


def people(site: str, member: Member, past: Past, told: Judged, end_ns: int) -> RecordsBatch:
    """All that the records hold of a machine beside its frames."""
    batch = _baseline(site, member, past, told)
    for number, life in enumerate(lives(told)):
        batch = _joined(batch, _alarm(site, member, past, life, number=number, end_ns=end_ns))
    return _joined(batch, _repair(site, member))


def lives(told: Judged) -> Iterator[Life]:
    """The alarms of a past, in order: three blocks raise one, six calm ones let it go. What was said before a
    baseline was there raises nothing here: a fleet in good order stays below its limits.
    """
    levels = [rank(level_of(said.state)) for said in told.said]
    first = len(levels) if told.learned is None else told.learned
    raised: int | None = None
    danger: int | None = None
    loud = quiet = 0
    for k in range(first, len(levels)):
        at_rest = told.said[k].state is State.STOPPED
        if at_rest:
            continue
        loud = loud + 1 if levels[k] else 0
        quiet = 0 if levels[k] else quiet + 1
        if raised is None and loud >= ON_DELAY:
            raised, danger = k, None
        if raised is not None and danger is None and levels[k] == rank(Level.DANGER):
            danger = k
        if raised is not None and quiet >= OFF_DELAY:
            yield Life(raised, danger, k)
            raised = None
    if raised is not None:
        yield Life(raised, danger, None)


def _alarm(site: str, member: Member, past: Past, life: Life, *, number: int, end_ns: int) -> RecordsBatch:
    """The events of an alarm, the verdict on it, and the alarm as it is at the end."""
    key = AlarmKey(site, member.spec.id, POINT, Mode.VIBRATION)
    draw = key_of(member.seed, "alarm", key.id, life.raised)
    at_ns, who = int(past.ts_ns[life.raised]), PEOPLE[draw % len(PEOPLE)]
    alarm = replace(_raised(key, member, past, life.raised), raises=number + 1, version=3 * number)
    events = []

    def tell(alarm: Alarm, ts_ns: int, what: What, who: str = "", why: str = "") -> Alarm:
        now = replace(alarm, version=alarm.version + 1, since_ns=ts_ns)
        events.append(_event_of(alarm, now, what, who, why))
        return now

    alarm = tell(replace(alarm, acknowledged=False), at_ns, What.RAISED)
    danger_ns = None if life.danger is None else int(past.ts_ns[life.danger])
    looked_ns = at_ns + round(uniform(draw, *LOOKED_AT_H) * HOUR_NS)
    returned_ns = None if life.returned is None else int(past.ts_ns[life.returned])
    verdict = _verdict(key, member, at_ns, looked_ns, who)
    steps: list[tuple[int, What]] = [(looked_ns, What.ACKNOWLEDGED)]
    steps += [(danger_ns, What.ESCALATED)] if danger_ns is not None and danger_ns > at_ns else []
    steps += [(returned_ns, What.RETURNED)] if returned_ns is not None else []
    for ts_ns, what in sorted(steps):
        if ts_ns < end_ns:
            alarm = tell(_changed(alarm, what, who), ts_ns, what, *_by(what, who, verdict.text))
    verdicts = (verdict,) if looked_ns < end_ns else ()
    events += [_verdict_event(member, row) for row in verdicts]
    kept = AlarmRow(site, key.id, alarm.to_json())
    return RecordsBatch(transitions=tuple(events), verdicts=verdicts, alarms=(kept,))


def _raised(key: AlarmKey, member: Member, past: Past, k: int) -> Alarm:
    at_ns = int(past.ts_ns[k])
    cause = Cause(VELOCITY, unit="mm/s", level=Level.ALERT, channel=CHANNEL)
    return Alarm(
        key,
        level=Level.ALERT,
        standing=Level.ALERT,
        priority=priority_of(Level.ALERT, key.mode, "B"),
        raised_ns=at_ns,
        since_ns=at_ns,
        causes=(cause,),
        action="plan",
        said_ns=at_ns,
        severity=3,
        heard_ns=at_ns,
    )


def _changed(alarm: Alarm, what: What, who: str) -> Alarm:
    match what:
        case What.ACKNOWLEDGED:
            return replace(alarm, acknowledged=True, by=who)
        case What.ESCALATED:
            return replace(alarm, level=Level.DANGER, standing=Level.DANGER, severity=5, acknowledged=False)
        case _:
            return replace(alarm, level=None, standing=None, severity=1)


def _by(what: What, who: str, why: str) -> tuple[str, str]:
    return (who, why) if what is What.ACKNOWLEDGED else ("", "")


def _event_of(before: Alarm, after: Alarm, what: What, who: str, why: str) -> Transition:
    key = after.key
    previous = "normal" if what is What.RAISED else before.life.value
    detail = after.told() | {"what": what, "who": who, "why": why}
    return Transition(
        f"alarm:{key.site}/{key.id}:{after.since_ns}:{after.version}:{what}",
        *(key.site, key.machine, key.point, key.mode.value),
        after.since_ns,
        *("alarm", after.life.value, previous),
        json.dumps(detail, ensure_ascii=False),
    )


def _verdict(key: AlarmKey, member: Member, raised_ns: int, ts_ns: int, who: str) -> VerdictRow:
    """What a technician finds behind an alarm."""
    story = member.story
    there = story.onset_s is not None and raised_ns / 1e9 >= story.onset_s
    there &= story.mended_s is None or raised_ns / 1e9 < story.mended_s
    harmless = there and story.fault in HARMLESS
    there = there and not harmless
    nothing = (None, None, STONES if harmless else NOTHING_FOUND)
    _, cause, text = REPAIR[story.fault] if there and story.fault else nothing
    return VerdictRow(
        id=_id(member, "verdict", raised_ns),
        site=key.site,
        alarm=key.id,
        raised_ns=raised_ns,
        fault="",
        verdict=(Found.CONFIRMED if there else Found.REFUTED).value,
        found=story.fault.value if there and story.fault else "",
        cause=cause.value if cause else "",
        text=text,
        user=who,
        ts_ns=ts_ns,
    )


def _verdict_event(member: Member, row: VerdictRow) -> Transition:
    detail = {"who": row.user, "why": row.text, "alarm": row.alarm, "raised_ns": row.raised_ns}
    detail |= {"fault": row.fault, "found": row.found, "cause": row.cause}
    place = (row.site, member.spec.id, POINT)
    return _transition(f"verdict:{row.id}", place, ts_ns=row.ts_ns, state=row.verdict, detail=detail)


def _repair(site: str, member: Member) -> RecordsBatch:
    """The work order of a repair, where there was one."""
    story = member.story
    if story.fault is None or story.fault in HARMLESS or story.mended_s is None:
        return RecordsBatch()
    kind, cause, text = REPAIR[story.fault]
    at_ns = round(story.mended_s * 1e9)
    row = InterventionRow(
        id=_id(member, "repair", at_ns),
        site=site,
        machine=member.spec.id,
        point=POINT,
        kind=kind.value,
        at_ns=at_ns,
        recorded_ns=at_ns + HOUR_NS,
        user=PEOPLE[key_of(member.seed, "repaired by", member.spec.id) % len(PEOPLE)],
        text=text,
        cause=cause.value if cause else "",
    )
    detail = {"who": row.user, "why": text, "cause": row.cause, "recorded_ns": row.recorded_ns}
    place = (site, row.machine, POINT)
    event = _transition(f"intervention:{row.id}", place, ts_ns=at_ns, state=row.kind, detail=detail)
    return RecordsBatch(interventions=(row,), transitions=(event,))


def _baseline(site: str, member: Member, past: Past, told: Judged) -> RecordsBatch:
    """The baseline as people see it: learned by itself, where there were blocks enough."""
    opened_ns = int(past.ts_ns[0]) if len(past.ts_ns) else 0
    now = Baseline(member.spec.id, opened_ns=opened_ns, since_ns=opened_ns)
    if told.learned is None or told.baseline is None:
        text = json.dumps(now.told())
        return RecordsBatch(baselines=(BaselineRow(site, now.machine, now.version, text),))
    at_ns = int(past.ts_ns[told.learned - 1])
    now = replace(now, status=BaselineStatus.LEARNED, since_ns=at_ns, progress=1.0)
    row = BaselineRow(site, now.machine, now.version, json.dumps(now.told()))
    points = {POINT: {"blocks": told.baseline.blocks, "days": told.baseline.days}}
    detail = {"who": "", "why": "", "version": now.version, "progress": now.progress, "points": points}
    name = f"baseline:{site}/{now.machine}/:1:learned:{at_ns}"
    event = _transition(name, (site, now.machine, ""), ts_ns=at_ns, state="learned", detail=detail)
    return RecordsBatch(baselines=(row,), transitions=(event,))


def _transition(
    event_id: str, place: tuple[str, str, str], *, ts_ns: int, state: str, detail: dict[str, object]
) -> Transition:
    """An event of what people did at a (site, machine, point); its kind is what its id begins with."""
    kind = event_id.partition(":")[0]
    return Transition(event_id, *place, "", ts_ns, kind, state, "", json.dumps(detail, ensure_ascii=False))


def _id(member: Member, what: str, ts_ns: int) -> str:
    """The id of what a person did: a command's would be drawn, this one follows from what it is of."""
    return f"{key_of(member.seed, what, member.spec.id, ts_ns):016x}"


def _joined(one: RecordsBatch, other: RecordsBatch) -> RecordsBatch:
    names = RecordsBatch.__slots__
    return RecordsBatch(**{name: (*getattr(one, name), *getattr(other, name)) for name in names})
