"""What a message says, in one language: the fact, its cause, what to do, and where the alarm stands."""

from __future__ import annotations

from palier.alarm_text import also_line, found_line, measured_lines, to_do_line
from palier.alarms import Alarm
from palier.local_time import local
from palier.locale import Catalogue
from palier.locale.spacing import plain

from .notify import Pending


def subject(pending: Pending, words: Catalogue) -> str:
    """One line: how bad, where, what."""
    alarm = pending.alarm
    told = words.text(
        "alarm.subject",
        level=words.text(f"alarm.level_{alarm.level or 'none'}"),
        place=_place(alarm, words),
        mode=words.text(f"alarm.mode_{alarm.key.mode}"),
        what=words.text(f"alarm.what_{pending.what}"),
    )
    return plain(told)


def body(pending: Pending, words: Catalogue, timezone: str) -> str:
    """The whole message, plain text; times as the plant's clocks show them."""
    alarm = pending.alarm
    lines = [subject(pending, words).removeprefix("[Palier] "), ""]
    lines += measured_lines(alarm, words)
    lines += [line for tell in (found_line, also_line, to_do_line) if (line := tell(alarm, words))]
    lines.append(
        words.text(
            "alarm.status",
            alarm=alarm.key.id,
            priority=words.text(f"alarm.priority_{alarm.priority}"),
            state=words.text(f"alarm.state_{alarm.life}"),
            time=f"{local(alarm.since_ns, timezone):%d/%m/%Y %H:%M}",
        )
    )
    return "\n".join([*lines, "", words.text("alarm.not_protection"), ""])


def _place(alarm: Alarm, words: Catalogue) -> str:
    key = alarm.key
    return words.text("alarm.place", machine=key.machine, point=key.point) if key.point else key.machine
