"""What of the effects goes into the records: one batch, to be committed with the rest of its moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, Final

from palier.historian.rows import (
    AlarmRow,
    BaselineRow,
    CommandRow,
    InterventionRow,
    NoticeRow,
    RecordsBatch,
    VerdictRow,
)

from .alarm_desk import DeskEffect, Write
from .alarms import Announce, Keep, Record

_PLACE: Final[Mapping[type, str]] = {
    InterventionRow: "interventions",
    VerdictRow: "verdicts",
    BaselineRow: "baselines",
    CommandRow: "commands",
}


def batch_of(effects: Iterable[DeskEffect], notices: Iterable[NoticeRow] = ()) -> RecordsBatch:
    """The rows of these effects, and of the messages that follow from them."""
    found: dict[str, list[Any]] = {}
    for effect in effects:
        match effect:
            case Keep(alarm):
                row = AlarmRow(alarm.key.site, alarm.key.id, alarm.to_json())
                found.setdefault("alarms", []).append(row)
            case Record(transition):
                found.setdefault("transitions", []).append(transition)
            case Write(written):
                found.setdefault(_PLACE[type(written)], []).append(written)
    found["notices"] = list(notices)
    return RecordsBatch(**{name: tuple(rows) for name, rows in found.items()})


def announcements(effects: Iterable[DeskEffect]) -> tuple[Announce, ...]:
    """What people are to be told."""
    return tuple(effect for effect in effects if isinstance(effect, Announce))


def together(*batches: RecordsBatch) -> RecordsBatch:
    """Several batches as one transaction: of frames, and of the alarms that they led to."""
    names = [field.name for field in fields(RecordsBatch)]
    return RecordsBatch(**{n: tuple(row for batch in batches for row in getattr(batch, n)) for n in names})
