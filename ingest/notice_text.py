"""What a message says, in one language: the fact, what to do, and where the alarm stands."""

from __future__ import annotations

from datetime import UTC, datetime

from palier.alarms import Alarm, Cause
from palier.locale import Catalogue

from .notify import Pending


def subject(pending: Pending, words: Catalogue) -> str:
    """One line: how bad, where, what."""
    alarm = pending.alarm
    return words.text(
        "alarm.subject",
        level=words.text(f"alarm.level_{alarm.level or 'none'}"),
        place=_place(alarm, words),
        mode=words.text(f"alarm.mode_{alarm.key.mode}"),
        what=words.text(f"alarm.what_{pending.what}"),
    )


def body(pending: Pending, words: Catalogue) -> str:
    """The whole message, plain text."""
    alarm = pending.alarm
    lines = [subject(pending, words).removeprefix("[Palier] "), ""]
    lines += [_measured(cause, words) for cause in alarm.causes]
    if alarm.action and alarm.standing:
        lines.append(words.text("alarm.to_do", action=words.text(alarm.action)))
    since = datetime.fromtimestamp(alarm.since_ns // 10**9, UTC).astimezone()
    lines.append(
        words.text(
            "alarm.status",
            alarm=alarm.key.id,
            priority=words.text(f"alarm.priority_{alarm.priority}"),
            state=words.text(f"alarm.state_{alarm.life}"),
            time=f"{since:%Y-%m-%d %H:%M %Z}",
        )
    )
    return "\n".join([*lines, "", words.text("alarm.not_protection"), ""])


def _place(alarm: Alarm, words: Catalogue) -> str:
    key = alarm.key
    return words.text("alarm.place", machine=key.machine, point=key.point) if key.point else key.machine


def _measured(cause: Cause, words: Catalogue) -> str:
    feature = next(
        (
            words.text(key)
            for key in (f"page.feature_{cause.feature}", f"refusal.{cause.feature}")
            if key in words
        ),
        cause.feature,
    )
    limit = cause.limit()
    if not cause.known or cause.value is None or limit is None:
        return words.text("alarm.unmeasured", feature=feature)
    value, bound = (f"{words.number(x, 2)} {cause.unit}".strip() for x in (cause.value, limit))
    return words.text("alarm.measured", feature=feature, value=value, limit=bound)
