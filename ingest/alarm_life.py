"""The life of one alarm: what evidence, people, standstill and time make of it. Pure.

Rules
1. Only live evidence counts, in order of time: what is historical, or older than the last, changes nothing.
   What is not known (a refused block) neither raises nor clears.
2. A condition comes when ON_DELAY blocks in a row say so, and goes when OFF_DELAY blocks in a row say that it
   is gone. The detector has persistence of its own: here it is one block, but for sensors.
3. Dead band: a cause keeps the level it had until its value is below that limit by a tenth of the limit and
   by two sigma of its baseline, whichever is more. A detector that does the same changes nothing by it.
4. A danger is latched: until somebody acknowledges it, it stays unacknowledged, whatever the machine does.
   An alert that goes away unseen is *returned*.
5. What rises above what was announced is announced anew: unacknowledged, and taken from its shelf if it rises
   to a danger. An acknowledged alarm follows the condition down by itself.
6. What names no action is no alarm but an event: it is told, and announced to nobody.
7. While its machine stands still an alarm of vibration or bearing hears dangers only: its silence then is no
   proof that the fault is gone.
8. When a shelf ends, or an alarm is put back into service, a condition that stands is announced anew.
9. What an examination found goes with the alarm: it may ask for more haste than the level does, and changes
   neither level nor severity. Another fault is told as *diagnosed*, which is no transition of the state.
10. An examination that was done again, when the waveform came, changes what was found and nothing else.
11. Of the causes those lead that speak for the fault that is named, and then those furthest over their limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from models.advice import Deadline, Lasting, sooner
from palier.alarm_aside import Outage, Shelf
from palier.alarm_finding import Finding
from palier.alarm_modes import OF_NO_MACHINE
from palier.alarms import (
    MAX_CAUSES,
    PROCESS_MODES,
    Alarm,
    AlarmKey,
    Cause,
    Level,
    Mode,
    What,
    priority_of,
    rank,
    worst,
)

OFF_DELAY: Final[Mapping[Mode, int]] = dict.fromkeys(Mode, 6) | dict.fromkeys(OF_NO_MACHINE, 1)
"""Blocks in a row without the condition: one quiet hour of a machine measured each ten minutes. A gateway, a
ledger and a model say by themselves that they are well again."""

ON_DELAY: Final[Mapping[Mode, int]] = dict.fromkeys(Mode, 1) | {Mode.SENSOR: 3}
"""Blocks in a row with it. Detectors need 3 of 3 before they speak; of a sensor each block speaks alone."""

DEAD_BAND: Final = 0.10
"""Of the limit: narrower, and the noise of a level makes an alarm chatter (EEMUA 191)."""

DEAD_BAND_SIGMAS: Final = 2.0

LONGEST_SHELF_NS: Final = 8 * 3600 * 10**9
"""A shift: what is put aside longer is forgotten."""

CLOCK_SLACK_NS: Final = 60 * 10**9
"""How far the clock may step back before a shelf of full length counts as too long."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one block, or one message, says of one part.

    `level` is what the detector says after its persistence, `causes` the features behind it: those above a
    limit, and, so that the dead band can be seen, those that were. `known` is False where the part could not
    be judged. `action` is the locale's key of what to do, within `deadline_h` hours by rule. `found` is what
    an examination of just this block found, `lasting` how long the part lasts, None where not known.
    `criticality` is the machine's: A, B or C.
    """

    key: AlarmKey
    ts_ns: int
    level: Level | None
    causes: tuple[Cause, ...] = ()
    action: str = ""
    live: bool = True
    known: bool = True
    deadline_h: float | None = None
    found: Finding | None = None
    severity: int = 0
    frame: str = ""
    criticality: str = "B"
    lasting: Lasting | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """One transition. `who` is a person, or "" for Palier itself; `event_only` where no action is named."""

    before: Alarm
    after: Alarm
    what: What
    ts_ns: int
    who: str = ""
    why: str = ""
    event_only: bool = False


Step = tuple[Alarm, tuple[Move, ...]]


def observe(alarm: Alarm, evidence: Evidence) -> Step:
    """What evidence makes of an alarm."""
    if not evidence.live or (alarm.heard_ns is not None and evidence.ts_ns <= alarm.heard_ns):
        return alarm, ()
    heard = replace(alarm, heard_ns=evidence.ts_ns)
    if not evidence.known:
        return heard, ()
    causes = tuple(_held(alarm, evidence))
    said = worst(evidence.level, *(cause.level for cause in causes))
    if alarm.suppressed and said is not Level.DANGER:
        return heard, ()
    return describe_and_announce(alarm, _count(heard, said), replace(evidence, causes=causes))


def describe_and_announce(before: Alarm, counted: Alarm, evidence: Evidence) -> Step:
    """The alarm `counted`, whose condition stands as this evidence left it, with what is behind it and what
    is asked for; and the transition, if it led to one.
    """
    now = _asked(before, _describe(counted, evidence, evidence.causes), evidence)
    step = _announce(before, now, evidence)
    return step if step[1] else _diagnosed(before, step[0], evidence)


def diagnosed(alarm: Alarm, found: Finding, ts_ns: int, lasting: Lasting | None = None) -> Step:
    """An alarm that stands was looked at again, by what came since its last evidence. What is older than what
    was found last is overtaken.
    """
    if alarm.standing is None or (alarm.found is not None and found.ts_ns < alarm.found.ts_ns):
        return alarm, ()
    evidence = Evidence(alarm.key, ts_ns, alarm.standing, found=found, lasting=lasting)
    return _diagnosed(alarm, _asked(alarm, alarm, evidence), evidence)


def _held(alarm: Alarm, evidence: Evidence) -> Iterator[Cause]:
    """The causes with the level that the dead band leaves them."""
    # What is over holds nothing: a level above the standing one is only what was said last.
    before = {
        cause.name: cause.level if rank(cause.level) <= rank(alarm.standing) else alarm.standing
        for cause in alarm.causes
    }
    for cause in evidence.causes:
        kept = next(
            (level for level in (Level.DANGER, Level.ALERT) if _keeps(cause, level, before.get(cause.name))),
            None,
        )
        yield cause if rank(kept) <= rank(cause.level) else replace(cause, level=kept)


def _keeps(cause: Cause, level: Level, before: Level | None) -> bool:
    """Whether a cause that had at least this level has not left it yet."""
    if rank(before) < rank(level):
        return False
    if not cause.known:
        return before is level
    limit = cause.limit(level)
    if limit is None or cause.value is None:
        return False
    return cause.value >= limit - max(DEAD_BAND * abs(limit), DEAD_BAND_SIGMAS * cause.sigma)


def _count(alarm: Alarm, said: Level | None) -> Alarm:
    """The standing condition after one more block that said so."""
    still = replace(alarm, loud=0, loudest=None, quiet=0, loudest_quiet=None)
    if rank(said) == rank(alarm.standing):
        return still
    if rank(said) > rank(alarm.standing):
        # Several blocks that rise: what all of them reach is sure.
        reached = said if alarm.loudest is None or rank(said) < rank(alarm.loudest) else alarm.loudest
        if alarm.loud + 1 >= ON_DELAY[alarm.key.mode]:
            return replace(still, standing=reached)
        return replace(still, loud=alarm.loud + 1, loudest=reached)
    left = worst(said, alarm.loudest_quiet)
    if alarm.quiet + 1 >= OFF_DELAY[alarm.key.mode]:
        return replace(still, standing=left)
    return replace(still, quiet=alarm.quiet + 1, loudest_quiet=left)


def _describe(alarm: Alarm, evidence: Evidence, causes: tuple[Cause, ...]) -> Alarm:
    """The alarm with what is behind it now. What was announced keeps its words until it is worse, or over."""
    if not evidence.level:  # within the dead band, or gone: the last words stand
        return replace(alarm, causes=_refreshed(alarm.causes, causes)) if alarm.standing else alarm
    found = evidence.found or (alarm.found if alarm.standing else None)
    columns = found.columns if found else ()
    ranked = sorted((cause for cause in causes if cause.level), key=lambda cause: _leading(cause, columns))
    present = ranked[:MAX_CAUSES]
    return replace(
        alarm,
        causes=tuple(present),
        severity=evidence.severity,
        frame=evidence.frame,
        action=evidence.action or (alarm.action if alarm.level else ""),
        asked_h=evidence.deadline_h if evidence.action else alarm.asked_h,
    )


def _asked(before: Alarm, now: Alarm, evidence: Evidence) -> Alarm:
    """The alarm with what was found, what the more urgent of rule and finding asks for, and by when: a
    remaining life may leave less.
    """
    if now.standing is None:
        return now
    found = evidence.found or (before.found if before.standing else None)
    now = replace(now, found=found)
    if found is not None and now.action and _is_hastier(found, now):
        now = replace(now, action=f"action.{found.action}", asked_h=found.deadline_h)
    same = before.standing and (now.action, now.asked_h) == (before.action, before.asked_h)
    asked = Deadline(now.asked_h, before.asked_ns if same else evidence.ts_ns)
    told = sooner(asked, evidence.lasting)
    return replace(now, asked_ns=asked.said_ns, deadline_h=told.hours, said_ns=told.said_ns)


def _is_hastier(found: Finding, alarm: Alarm) -> bool:
    if found.deadline_h is None:
        return False
    return alarm.asked_h is None or found.deadline_h < alarm.asked_h


def _diagnosed(before: Alarm, now: Alarm, evidence: Evidence) -> Step:
    """Told where another fault is named; version and time of the last transition stay."""
    news = now.fault and now.fault != before.fault and now.level and now.standing
    return now, (Move(before, now, What.DIAGNOSED, evidence.ts_ns),) if news else ()


def _refreshed(before: tuple[Cause, ...], now: tuple[Cause, ...]) -> tuple[Cause, ...]:
    """The causes with their present values; the levels they had, for the dead band and the reader."""
    found = {cause.name: cause for cause in now}
    return tuple(
        replace(found[cause.name], level=found[cause.name].level or cause.level)
        if cause.name in found
        else cause
        for cause in before
    )


def _leading(cause: Cause, columns: tuple[str, ...]) -> tuple[bool, bool, int, float]:
    """Sorts causes: what is held by the dead band alone comes last."""
    limit = cause.shown_limit
    excess = cause.value / limit if cause.known and cause.value is not None and limit else 0.0
    return (cause.is_below, cause.feature not in columns, -rank(cause.level), -excess)


def _announce(before: Alarm, now: Alarm, evidence: Evidence) -> Step:
    """The transition, if the standing condition led to one."""
    rose = rank(now.standing) > rank(before.standing)
    if now.action and rank(now.standing) > rank(now.level):
        return _rise(before, now, evidence)
    if rose and now.level is None:
        return moved(before, now, What.RAISED, evidence.ts_ns, event_only=True)
    if rose:
        return _again(before, now, evidence)
    if rank(now.standing) < rank(before.standing):
        return _fall(before, now, evidence)
    return now, ()


def _rise(before: Alarm, now: Alarm, evidence: Evidence) -> Step:
    """Above all that was announced: announced anew."""
    level = now.standing
    assert level is not None  # noqa: S101 - it ranks above another
    new = before.level is None or before.standing is None
    raised = replace(
        now,
        level=level,
        acknowledged=False,
        priority=priority_of(level, now.key.mode, evidence.criticality),
        raises=now.raises + new,
        raised_ns=evidence.ts_ns if new else now.raised_ns,
        shelf=None if level is Level.DANGER else now.shelf,
    )
    return moved(before, raised, What.RAISED if new else What.ESCALATED, evidence.ts_ns)


def _again(before: Alarm, now: Alarm, evidence: Evidence) -> Step:
    """What nobody had acknowledged has come back."""
    raised = replace(now, raises=now.raises + 1, raised_ns=evidence.ts_ns)
    return moved(before, raised, What.RAISED, evidence.ts_ns)


def _fall(before: Alarm, now: Alarm, evidence: Evidence) -> Step:
    """The condition is less, or gone."""
    what = What.EASED if now.standing else What.RETURNED
    if now.level is None:
        return moved(before, now, what, evidence.ts_ns, event_only=True)
    if now.acknowledged:
        now = _follow(now)
        if now.level:
            now = replace(now, priority=priority_of(now.level, now.key.mode, evidence.criticality))
    return moved(before, now, what, evidence.ts_ns)


def _follow(alarm: Alarm) -> Alarm:
    """What is announced of an acknowledged alarm is what stands."""
    return replace(alarm, level=alarm.standing)


def acknowledge(alarm: Alarm, ts_ns: int, who: str, why: str = "") -> Step:
    """Somebody has seen it. What is over by then is normal."""
    seen = _follow(replace(alarm, acknowledged=True, by=who, comment=why))
    return moved(alarm, seen, What.ACKNOWLEDGED, ts_ns, who=who, why=why)


def shelve(alarm: Alarm, ts_ns: int, until_ns: int, who: str, why: str) -> Step:
    """Put it aside until a time."""
    return moved(
        alarm, replace(alarm, shelf=Shelf(until_ns, who, why)), What.SHELVED, ts_ns, who=who, why=why
    )


def unshelve(alarm: Alarm, ts_ns: int, who: str = "", why: str = "") -> Step:
    """Take it from its shelf; by nobody: its time is over."""
    back = _announced_anew(replace(alarm, shelf=None), ts_ns)
    return moved(alarm, back, What.UNSHELVED if who else What.SHELF_ENDED, ts_ns, who=who, why=why)


def take_out(alarm: Alarm, ts_ns: int, who: str, why: str) -> Step:
    """Out of service until it is put back."""
    out = replace(alarm, shelf=None, outage=Outage(ts_ns, who, why))
    return moved(alarm, out, What.TAKEN_OUT, ts_ns, who=who, why=why)


def put_back(alarm: Alarm, ts_ns: int, who: str, why: str = "") -> Step:
    """Back into service. An alert that came and went meanwhile was the work on the machine."""
    gone = alarm.level is Level.ALERT and alarm.standing is None
    back = replace(alarm, outage=None)
    back = replace(back, level=None, acknowledged=True) if gone else _announced_anew(back, ts_ns)
    return moved(alarm, back, What.PUT_BACK, ts_ns, who=who, why=why)


def suppress(alarm: Alarm, ts_ns: int, *, stopped: bool) -> Step:
    """The machine stopped, or runs again."""
    if alarm.suppressed is stopped or alarm.key.mode not in PROCESS_MODES:
        return alarm, ()
    now = replace(alarm, suppressed=stopped)
    if alarm.life is now.life:  # an unacknowledged danger is hidden by nothing, what is hidden stays so
        return now, ()
    return moved(alarm, now, What.SUPPRESSED if stopped else What.RELEASED, ts_ns)


def shelf_is_over(shelf: Shelf, now_ns: int) -> bool:
    """Whether its time has come; also where the clock went back so far that it would take too long."""
    return not 0 < shelf.until_ns - now_ns <= LONGEST_SHELF_NS + CLOCK_SLACK_NS


def _announced_anew(alarm: Alarm, ts_ns: int) -> Alarm:
    if alarm.level is None or alarm.standing is None:
        return alarm
    return replace(alarm, acknowledged=False, raised_ns=ts_ns)


def moved(
    before: Alarm,
    after: Alarm,
    what: What,
    ts_ns: int,
    *,
    who: str = "",
    why: str = "",
    event_only: bool = False,
) -> Step:
    """The alarm one version further, and its transition."""
    now = replace(after, version=before.version + 1, since_ns=ts_ns)
    return now, (Move(before, now, what, ts_ns, who, why, event_only),)
