"""What people ask, decided: (desk, command) -> (desk, reply, effects). Pure.

Rules
1. A command is done once: sent again under its id it gets the same reply, and another command under a used
   id is refused.
2. Who looked at an older version than the present one gets a conflict, and what is now.
3. An unacknowledged danger is neither shelved nor taken out of service: it is acknowledged first.
4. A baseline is confirmed when it is learned, and learned anew only after an intervention that was recorded
   since it began.
5. Whatever is done is recorded with who, when and why, and written as an event."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import singledispatch
from typing import Any, Final

from palier.alarms import Alarm, AlarmKey, Life
from palier.gateways import GatewayTold
from palier.historian.people_tables import MAX_COMMANDS
from palier.historian.rows import BaselineRow, CommandRow, InterventionRow, Transition, VerdictRow
from palier.operations import (
    Acknowledge,
    Baseline,
    BaselineStatus,
    Command,
    Configure,
    ConfirmBaseline,
    GiveVerdict,
    Intervene,
    PutBack,
    RelearnBaseline,
    SendAgain,
    Shelve,
    TakeOut,
    Unshelve,
    shift_end_ns,
)
from palier.plant import Plant
from palier.wire.operations import decode_reply, digest, encode_reply

from . import alarm_life, configurations
from .alarm_desk import Asked, Decision, Desk, Write
from .alarm_life import Step
from .alarms import Record, amend
from .replays import REPLAY

FUTURE_NS: Final = 5 * 60 * 10**9
"""How far ahead of the host's clock a technician's may be."""

INTERVENTION: Final = "intervention"
"""Kind of the events of work on a machine."""

_NOT_CONFIRMED: Final = {
    BaselineStatus.LEARNING: "still_learning",
    BaselineStatus.CONFIRMED: "already_confirmed",
    BaselineStatus.LOST: "baseline_lost",
}

OLDEST_NS: Final = 366 * 86_400 * 10**9
"""What was done longer ago is a slip of the date: nothing that is judged today looks back so far."""


def decide(
    desk: Desk,
    command: Command,
    plant: Plant,
    now_ns: int,
    *,
    gateway: GatewayTold | None = None,
    nodes: frozenset[str] | None = None,
    wall_ns: int = 0,
) -> Decision:
    """What becomes of a command at a plant time."""
    asked = Asked(desk, command, plant, now_ns, gateway, wall_ns, nodes)
    before = desk.answered.get(command.id)
    if before is not None:
        if before.digest == digest(command):
            return Decision(desk, decode_reply(before.reply.encode()))
        return asked.refuse("id_used")
    decision = _decide(command.ask, asked)
    row = CommandRow(
        command.id, plant.site_id, now_ns, digest(command), encode_reply(decision.reply).decode()
    )
    answered = {**desk.answered, command.id: row}
    for old in list(answered)[:-MAX_COMMANDS]:
        del answered[old]
    return replace(
        decision,
        desk=replace(decision.desk, answered=answered),
        effects=(*decision.effects, Write(row)),
    )


@singledispatch
def _decide(ask: object, _asked: Asked) -> Decision:
    raise TypeError(f"no command of ours: {ask!r}")


@_decide.register
def _(ask: Acknowledge, asked: Asked) -> Decision:
    def acknowledged(alarm: Alarm) -> Step | str:
        if alarm.acknowledged:
            return "nothing_to_acknowledge"
        return alarm_life.acknowledge(alarm, asked.now_ns, asked.command.user, ask.comment)

    return _amend(asked, ask.alarm, "acknowledged", acknowledged)


@_decide.register
def _(ask: Shelve, asked: Asked) -> Decision:
    def shelved(alarm: Alarm) -> Step | str:
        if alarm.latched:
            return "acknowledge_first"
        if alarm.level is None or alarm.outage is not None:
            return "not_open"
        return alarm_life.shelve(alarm, asked.now_ns, _until(ask, asked), asked.command.user, ask.why)

    return _amend(asked, ask.alarm, "shelved", shelved)


@_decide.register
def _(ask: Unshelve, asked: Asked) -> Decision:
    def unshelved(alarm: Alarm) -> Step | str:
        if alarm.life is not Life.SHELVED:
            return "not_shelved"
        return alarm_life.unshelve(alarm, asked.now_ns, asked.command.user, ask.why)

    return _amend(asked, ask.alarm, "unshelved", unshelved)


@_decide.register
def _(ask: TakeOut, asked: Asked) -> Decision:
    def out(alarm: Alarm) -> Step | str:
        if alarm.latched:
            return "acknowledge_first"
        if alarm.outage is not None:
            return "already_out"
        return alarm_life.take_out(alarm, asked.now_ns, asked.command.user, ask.why)

    return _amend(asked, ask.alarm, "taken_out", out)


@_decide.register
def _(ask: PutBack, asked: Asked) -> Decision:
    def back(alarm: Alarm) -> Step | str:
        if alarm.outage is None:
            return "not_out"
        return alarm_life.put_back(alarm, asked.now_ns, asked.command.user, ask.why)

    return _amend(asked, ask.alarm, "put_back", back)


def _amend(asked: Asked, name: str, reason: str, change: Callable[[Alarm], Step | str]) -> Decision:
    """One alarm changed by a person, or the reason why not."""
    key = AlarmKey.parse(asked.site, name)
    known = asked.desk.alarms.known.get(key)
    if known is None and not (reason == "taken_out" and _in_plant(asked.plant, key)):
        return asked.refuse("no_such_alarm", None, name=key.id)
    alarm = known or asked.desk.alarms.get(key)
    changed = asked.conflict(alarm.version, alarm.told())
    if changed is not None:
        return changed
    result = change(alarm)
    if isinstance(result, str):
        return asked.refuse(result, alarm)
    alarms, effects = amend(asked.desk.alarms, result)
    now = result[0]
    desk = replace(asked.desk, alarms=alarms)
    return asked.done(reason, desk, effects, version=now.version, present=now.told())


def _in_plant(plant: Plant, key: AlarmKey) -> bool:
    """Whether there is such a part, so that it can be taken out of service before it ever alarmed."""
    machine = plant.machine(key.machine)
    return machine is not None and (not key.point or machine.point(key.point) is not None)


def _until(ask: Shelve, asked: Asked) -> int:
    if ask.for_s is not None:
        return asked.now_ns + ask.for_s * 10**9
    # On the night when clocks go back a shift is an hour longer than a shelf may be.
    longest_ns = asked.now_ns + alarm_life.LONGEST_SHELF_NS
    return min(shift_end_ns(asked.now_ns, asked.plant.timezone), longest_ns)


@_decide.register
def _(ask: SendAgain, asked: Asked) -> Decision:
    """That it was asked is recorded; the gateway's own words, and what comes, show what became of it."""
    if (refused := asked.refuse_stranger(ask.edge)) is not None:
        return refused
    node = ask.edge.partition("/")[2]
    detail = {
        "who": asked.command.user,
        "why": ask.why,
        "from_ns": ask.from_ns,
        "to_ns": ask.to_ns,
        "again": ask.again,
    }
    event = _event(asked, REPLAY, (node, ""), state="asked", previous="", detail=detail, ts_ns=asked.now_ns)
    return asked.done("replay_asked", asked.desk, (Record(event),))


@_decide.register
def _(ask: Configure, asked: Asked) -> Decision:
    return configurations.decide(ask, asked)


@_decide.register
def _(ask: Intervene, asked: Asked) -> Decision:
    at_ns = asked.now_ns if ask.at_ns is None else ask.at_ns
    wrong = _wrong_place(asked.plant, ask.machine, ask.point) or _wrong_time(at_ns, asked.now_ns)
    if wrong:
        return asked.refuse(wrong, None, name=f"{ask.machine}/{ask.point}".rstrip("/"))
    command = asked.command
    row = InterventionRow(
        id=command.id,
        site=asked.site,
        machine=ask.machine,
        point=ask.point,
        kind=ask.kind.value,
        at_ns=at_ns,
        recorded_ns=asked.now_ns,
        user=command.user,
        text=ask.text,
        cause=ask.cause.value if ask.cause else "",
    )
    detail = {"who": command.user, "why": ask.text, "cause": row.cause, "recorded_ns": asked.now_ns}
    place = (ask.machine, ask.point)
    event = _event(asked, INTERVENTION, place, state=ask.kind, previous="", detail=detail, ts_ns=at_ns)
    last = max(at_ns, asked.desk.intervened.get(ask.machine, at_ns))
    kind = (ask.machine, ask.kind.value)
    desk = replace(
        asked.desk,
        intervened={**asked.desk.intervened, ask.machine: last},
        work={**asked.desk.work, kind: max(at_ns, asked.desk.work.get(kind, at_ns))},
    )
    return asked.done("intervention_recorded", desk, (Write(row), Record(event)))


@_decide.register
def _(ask: ConfirmBaseline, asked: Asked) -> Decision:
    baseline = asked.desk.baselines.get(ask.machine)
    if baseline is None:
        return asked.refuse("no_baseline", None, name=ask.machine)
    if changed := asked.conflict(baseline.version, baseline.told()):
        return changed
    if baseline.status is not BaselineStatus.LEARNED:
        return asked.refuse(_NOT_CONFIRMED[baseline.status], None, name=ask.machine)
    confirmed = replace(
        baseline,
        status=BaselineStatus.CONFIRMED,
        since_ns=asked.now_ns,
        by=asked.command.user,
        why=ask.why,
    )
    return _set_baseline(asked, baseline, confirmed, "baseline_confirmed")


@_decide.register
def _(ask: RelearnBaseline, asked: Asked) -> Decision:
    baseline = asked.desk.baselines.get(ask.machine)
    if baseline is None:
        return asked.refuse("no_baseline", None, name=ask.machine)
    if changed := asked.conflict(baseline.version, baseline.told()):
        return changed
    untouched = asked.desk.intervened.get(ask.machine, -1) < baseline.opened_ns
    if untouched and baseline.status is not BaselineStatus.LOST:
        return asked.refuse("no_intervention", None, name=ask.machine)
    opened = Baseline(
        ask.machine,
        version=baseline.version + 1,
        opened_ns=asked.now_ns,
        since_ns=asked.now_ns,
        by=asked.command.user,
        why=ask.why,
    )
    return _set_baseline(asked, baseline, opened, "baseline_reopened")


def _set_baseline(asked: Asked, before: Baseline, now: Baseline, reason: str) -> Decision:
    told = now.told()
    row = BaselineRow(asked.site, now.machine, now.version, json.dumps(told, ensure_ascii=False))
    detail = {"who": now.by, "why": now.why, "version": now.version}
    place = (now.machine, "")
    event = _event(
        asked, "baseline", place, state=now.status, previous=before.status, detail=detail, ts_ns=asked.now_ns
    )
    desk = replace(asked.desk, baselines={**asked.desk.baselines, now.machine: now})
    return asked.done(reason, desk, (Write(row), Record(event)), version=now.version, present=told)


@_decide.register
def _(ask: GiveVerdict, asked: Asked) -> Decision:
    key = AlarmKey.parse(asked.site, ask.alarm)
    alarm = asked.desk.alarms.known.get(key)
    if alarm is None:
        return asked.refuse("no_such_alarm", None, name=key.id)
    if changed := asked.conflict(alarm.version, alarm.told()):
        return changed
    row = VerdictRow(
        id=asked.command.id,
        site=asked.site,
        alarm=key.id,
        raised_ns=alarm.raised_ns,
        fault=alarm.fault,
        verdict=ask.verdict.value,
        found=ask.found.value if ask.found else "",
        cause=ask.cause.value if ask.cause else "",
        text=ask.text,
        user=asked.command.user,
        ts_ns=asked.now_ns,
    )
    detail = {"who": row.user, "why": row.text, "alarm": row.alarm, "raised_ns": row.raised_ns}
    detail |= {"fault": row.fault, "found": row.found, "cause": row.cause}
    place = (key.machine, key.point)
    event = _event(asked, "verdict", place, state=row.verdict, previous="", detail=detail, ts_ns=asked.now_ns)
    effects = (Write(row), Record(event))
    return asked.done("verdict_recorded", asked.desk, effects, version=alarm.version, present=alarm.told())


def _wrong_place(plant: Plant, machine_id: str, point: str) -> str:
    machine = plant.machine(machine_id)
    if machine is None:
        return "unknown_machine"
    return "unknown_point" if point and machine.point(point) is None else ""


def _wrong_time(at_ns: int, now_ns: int) -> str:
    if at_ns > now_ns + FUTURE_NS:
        return "in_future"
    return "too_long_ago" if at_ns < now_ns - OLDEST_NS else ""


def _event(
    asked: Asked,
    kind: str,
    place: tuple[str, str],
    *,
    state: str,
    previous: str,
    detail: Mapping[str, Any],
    ts_ns: int,
) -> Transition:
    """What people did, as an event. Its id is the command's: done again it is the same."""
    machine, point = place
    return Transition(
        event_id=f"{kind}:{asked.command.id}",
        site=asked.site,
        machine=machine,
        point=point,
        channel="",
        ts_ns=ts_ns,
        kind=kind,
        state=str(state),
        previous=str(previous),
        detail=json.dumps(detail, ensure_ascii=False),
    )
