"""Messages to people: what waits to be sent, when it is tried again, when it is given up. Pure.

    pending = plan(announcements, channels, wall_ns)      # rows go into the transaction of the transitions
    outbox = take(outbox, pending)                        # once that is durable

A message is an effect that is tried again: an attempt is counted durably before it is made, so that neither
a restart nor a message that ends the process makes it be sent for ever. It may arrive twice (a crash between
the sending and its note), never with another id. What an alarm says now replaces what of it waits. Times
are those of the wall clock: a mail server knows no plant time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from palier.alarms import Alarm, AlarmError, What
from palier.historian.people_tables import MAX_NOTICES
from palier.historian.rows import NoticeRow

from .alarms import Announce

FIRST_RETRY_NS: Final = 30 * 10**9
LONGEST_RETRY_NS: Final = 3600 * 10**9
"""A server that is away for a night is tried each hour."""

MAX_ATTEMPTS: Final = 30
"""About a day. What is older is no news: the page and the records have it."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A message that waits. `id` is that of its event and channel; `next_ns` when it is tried."""

    id: str
    channel: str
    what: What
    alarm: Alarm
    ts_ns: int
    next_ns: int
    attempts: int = 0

    def row(self) -> NoticeRow:
        """As the records keep it."""
        told: dict[str, Any] = {"channel": self.channel, "what": self.what, "alarm": self.alarm.told()}
        told |= {"ts_ns": self.ts_ns, "next_ns": self.next_ns, "attempts": self.attempts}
        return NoticeRow(self.id, json.dumps(told, ensure_ascii=False))

    @property
    def about(self) -> tuple[str, str]:
        """What a newer message of the same replaces: (channel, site and alarm)."""
        return (self.channel, f"{self.alarm.key.site}/{self.alarm.key.id}")


Outbox = Mapping[str, Pending]
"""Messages that wait, by id, oldest first."""


def plan(announced: Iterable[Announce], channels: Iterable[str], wall_ns: int) -> tuple[Pending, ...]:
    """A message for each channel: due at once."""
    names = tuple(channels)
    return tuple(
        Pending(f"{told.event_id}:{name}", name, told.what, told.alarm, told.ts_ns, wall_ns)
        for told in announced
        for name in names
    )


def take(outbox: Outbox, pending: Iterable[Pending]) -> tuple[dict[str, Pending], tuple[NoticeRow, ...]]:
    """The outbox with these messages, and the rows of those that gave way to them."""
    waiting = dict(outbox)
    gone: list[NoticeRow] = []
    for new in pending:
        older = [old.id for old in waiting.values() if old.about == new.about and old.id != new.id]
        waiting[new.id] = new
        older += list(waiting)[: max(0, len(waiting) - len(older) - MAX_NOTICES)]
        for old in dict.fromkeys(older):
            del waiting[old]
            gone.append(NoticeRow(old, None))
    return waiting, tuple(gone)


def restore(
    rows: Iterable[NoticeRow], channels: Iterable[str]
) -> tuple[dict[str, Pending], tuple[NoticeRow, ...]]:
    """The outbox as the records hold it, and the rows to take away: unreadable, or of a channel of old."""
    names = frozenset(channels)
    read = {row.id: _read(row) for row in rows}
    kept = [pending for pending in read.values() if pending is not None and pending.channel in names]
    waiting, gone = take({}, kept)
    lost = {row_id for row_id in read if row_id not in waiting} - {row.id for row in gone}
    return waiting, (*gone, *(NoticeRow(row_id, None) for row_id in sorted(lost)))


def due(outbox: Outbox, now_ns: int) -> Pending | None:
    """The oldest message whose time has come; also when the clock went back beyond the longest pause."""
    ready = (p for p in outbox.values() if not 0 < p.next_ns - now_ns <= LONGEST_RETRY_NS)
    return next(ready, None)


def wait_ns(outbox: Outbox, now_ns: int) -> int | None:
    """How long nothing is due; None while nothing waits."""
    if not outbox:
        return None
    if due(outbox, now_ns) is not None:
        return 0
    return min(p.next_ns for p in outbox.values()) - now_ns


def begin(outbox: Outbox, notice_id: str, now_ns: int) -> tuple[dict[str, Pending], Pending]:
    """One attempt more, counted before it is made, with the time of the one after it."""
    before = outbox[notice_id]
    pause_ns = min(FIRST_RETRY_NS << min(before.attempts, 20), LONGEST_RETRY_NS)
    now = replace(before, attempts=before.attempts + 1, next_ns=now_ns + pause_ns)
    return {**outbox, notice_id: now}, now


def end(outbox: Outbox, notice_id: str) -> dict[str, Pending]:
    """A message that is sent, or given up."""
    return {name: pending for name, pending in outbox.items() if name != notice_id}


def is_hopeless(pending: Pending) -> bool:
    """Whether it was tried often enough."""
    return pending.attempts >= MAX_ATTEMPTS


def _read(row: NoticeRow) -> Pending | None:
    """None for what another version wrote."""
    try:
        told = json.loads(row.value or "")
        return Pending(
            row.id,
            told["channel"],
            What(told["what"]),
            Alarm.from_told(told["alarm"]),
            told["ts_ns"],
            told["next_ns"],
            told["attempts"],
        )
    except (AlarmError, KeyError, TypeError, ValueError):
        return None
