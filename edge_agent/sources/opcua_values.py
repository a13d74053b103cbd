"""What an OPC UA server tells of a node, as a value, a quality and a time. A running agent imports this."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from palier.frames import QUALITY_BAD, QUALITY_GOOD, QUALITY_STALE

if TYPE_CHECKING:
    from asyncua.ua import DataValue

OLDEST_S: Final = 60.0
"""A change is told within the publishing interval; an older source timestamp is another clock's."""

AHEAD_S: Final = 1.0
"""Two clocks that keep time by NTP differ by less."""


_UNKNOWN: Final = ": it has no such node; look node_id up there"
REMEDIES: Final = {
    "BadNodeIdUnknown": _UNKNOWN,
    "BadNodeIdInvalid": _UNKNOWN,
    "BadAttributeIdInvalid": ": it is a folder or a method; name a variable below it",
    "BadNotReadable": ": this account may not read it",
    "BadUserAccessDenied": ": this account may not read it",
}
"""What to do about a status code (Part 4, 7.39) that a mistake in agent.toml may cause."""


@dataclass(frozen=True, slots=True)
class Reading:
    """`value` is None where there is no number; `said` is the reason, also of a doubtful quality."""

    value: float | None
    quality: int
    said: str = ""


def reading_of(told: DataValue) -> Reading:
    """A node's value as a number. A switch is 0 or 1; texts, lists and structures are none."""
    status = told.StatusCode
    severity = 0 if status is None else status.value >> 30
    name = "" if status is None else status.name
    if severity > 1:
        return Reading(None, QUALITY_BAD, f"the server says {name}{REMEDIES.get(name, '')}")
    value = None if told.Value is None else told.Value.Value
    if not isinstance(value, bool | int | float):
        what = "nothing" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
        return Reading(None, QUALITY_BAD, f"it must hold a number, it holds {what}: name another node")
    if not math.isfinite(value):
        return Reading(None, QUALITY_BAD, f"it must hold a finite number, it holds {value}")
    if severity == 1:
        return Reading(float(value), QUALITY_STALE, f"the server says {name}")
    return Reading(float(value), QUALITY_GOOD)


def source_ns(told: DataValue) -> int | None:
    """The source timestamp in ns since 1970 UTC, None where there is none."""
    stamp = cast("dt.datetime | None", told.SourceTimestamp)
    if stamp is None:
        return None
    stamp = stamp if stamp.tzinfo is not None else stamp.replace(tzinfo=dt.UTC)
    passed = stamp - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return (passed.days * 86_400 + passed.seconds) * 10**9 + passed.microseconds * 1_000


def plausible(stamp_ns: int, now_ns: int) -> bool:
    """Whether a change that arrived now can have been sampled then."""
    return -AHEAD_S * 1e9 <= now_ns - stamp_ns <= OLDEST_S * 1e9
