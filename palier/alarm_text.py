"""What an alarm says of its cause and of what to do, in the words of a language."""

from __future__ import annotations

from typing import Final

from models.diagnosis.types import Fault

from .advice_text import action_text
from .alarm_finding import Finding
from .alarms import Alarm, Cause
from .locale import Catalogue

_NAMES: Final = ("page.feature_", "alarm.cause_", "evidence.of_", "refusal.")
"""Where the name of a cause may stand."""


UNNAMED: Final = str(Fault.UNIDENTIFIED)
"""The task where no fault is named: to look closer."""


def found_line(alarm: Alarm, words: Catalogue) -> str:
    """The probable fault, how sure it is, and where; or why nobody can say. "" where nothing was found."""
    found = alarm.found
    if found is None:
        return ""
    if found.reason:
        key = f"refusal.{found.reason}"
        return words.text("alarm.found_refused", reason=words.text(key)) if key in words else ""
    if not found.fault:
        return ""
    if found.fault == Fault.UNIDENTIFIED:
        return words.text("advice.meaning_unidentified")
    key = "alarm.found_at" if found.at and found.at != alarm.key.point else "alarm.found"
    sure = words.number(100 * found.confidence, 0)
    return words.text(key, fault=_fault(found.fault, words), confidence=sure, point=found.at)


def also_line(alarm: Alarm, words: Catalogue) -> str:
    """What else it may be, "" where nothing else is named."""
    also = alarm.found.also if alarm.found else ()
    named = [f"{_fault(fault, words)} ({words.quantity(round(100 * sure), '%')})" for fault, sure in also]
    return words.text("alarm.found_also", faults=", ".join(named)) if named else ""


def to_do_line(alarm: Alarm, words: Catalogue) -> str:
    """What to do, by when; "" where nothing is to be done, or any more."""
    if not alarm.action or not alarm.standing:
        return ""
    found = alarm.found
    if found is not None and _leads(alarm, found):
        return action_text(found.action, alarm.deadline_h, found.task, words)
    if _is_own(alarm, found):
        task = found.task if found and found.task else UNNAMED
        return action_text(alarm.action.removeprefix("action."), alarm.deadline_h, task, words)
    if found is not None and found.task:
        task = words.text(f"task.{found.task}")
        return words.text("alarm.to_do_task", action=words.text(alarm.action), task=task)
    return words.text("alarm.to_do", action=words.text(alarm.action))


def measured_lines(alarm: Alarm, words: Catalogue) -> list[str]:
    """What was measured, beside its limit: what is above it, else that the first is below it again."""
    shown = [cause for cause in alarm.causes if not cause.is_below] or alarm.causes[:1]
    return [measured_line(cause, words) for cause in shown]


def measured_line(cause: Cause, words: Catalogue) -> str:
    """What was measured of one cause, beside its limit."""
    feature = next(
        (words.text(key) for key in (f"{table}{cause.feature}" for table in _NAMES) if key in words),
        cause.feature,
    )
    limit = cause.shown_limit
    if not cause.known or cause.value is None:
        return words.text("alarm.unmeasured", feature=feature)
    if limit is None:
        count = words.number(cause.value, 0 if float(cause.value).is_integer() else 1)
        told = words.quantity(cause.value, cause.unit) if cause.unit else count
        return words.text("alarm.counted", feature=feature, value=told)
    value, bound = (words.quantity(x, cause.unit) for x in (cause.value, limit))
    key = "alarm.measured_below" if cause.is_below else "alarm.measured"
    return words.text(key, feature=feature, value=value, limit=bound)


def _leads(alarm: Alarm, found: Finding) -> bool:
    """Whether it is the finding that says what to do by when, and not the rule."""
    return (f"action.{found.action}", found.deadline_h) == (alarm.action, alarm.asked_h)


def _is_own(alarm: Alarm, found: Finding | None) -> bool:
    """Whether the rule's sentence says too much: a remaining life leaves less, or an examination named
    nothing that could be repaired.
    """
    if alarm.deadline_h is None or not alarm.action.startswith("action."):
        return False
    nameless = found is not None and not found.reason and found.fault in ("", UNNAMED)
    return nameless or alarm.deadline_h != alarm.asked_h


def _fault(key: str, words: Catalogue) -> str:
    return words.text(f"fault.{key}")
