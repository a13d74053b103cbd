"""Alarms as everybody sees them: ingest, page and command line. Value types, and their JSON.

The life of an alarm follows ISA-18.2 / IEC 62682 (figure "alarm state transition diagram"):

| state | condition | acknowledged | hidden by |
|---|---|---|---|
| normal | gone | yes | - |
| unacknowledged | there, or a danger that was there | no | - |
| acknowledged | there | yes | - |
| returned | gone, unseen (alerts only: a danger stays unacknowledged, it is latched) | no | - |
| shelved | any but an unacknowledged danger | any | a person, for at most eight hours |
| suppressed | any but an unacknowledged danger | any | the plant: the machine stands still |
| out_of_service | any | any | a person, until it is put back |

One alarm belongs to one part of a machine: (site, machine, point, mode). What features say are its causes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from models.types import State

from .alarm_aside import Outage, Shelf
from .alarm_finding import Finding
from .alarm_modes import PROCESS_MODES as PROCESS_MODES  # noqa: PLC0414 - whoever reads alarms finds both here
from .alarm_modes import Mode as Mode  # noqa: PLC0414
from .frames import check_name

MAX_CAUSES: Final = 12
"""Causes that an alarm tells, the worst first: more than anybody reads."""


class AlarmError(ValueError):
    """Not an alarm's name or text: the sentence says what it must be and what it was."""


class Level(StrEnum):
    """How bad a condition is; None stands for no condition."""

    ALERT = "alert"
    DANGER = "danger"


class Life(StrEnum):
    """The state of an alarm; see the table above."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    OUT_OF_SERVICE = "out_of_service"


class Priority(StrEnum):
    """Three levels, meant to share a plant's alarms as 5, 15 and 80 % (ISA-18.2, table of priorities)."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class What(StrEnum):
    """What a transition was."""

    RAISED = "raised"
    ESCALATED = "escalated"
    EASED = "eased"  # from danger to alert
    RETURNED = "returned"
    ACKNOWLEDGED = "acknowledged"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"
    SHELF_ENDED = "shelf_ended"
    SUPPRESSED = "suppressed"
    RELEASED = "released"
    TAKEN_OUT = "taken_out"
    PUT_BACK = "put_back"
    DIAGNOSED = "diagnosed"  # another fault is named: no change of its state


_RANK: Final[Mapping[Level | None, int]] = {None: 0, Level.ALERT: 1, Level.DANGER: 2}
_URGENCY: Final = {Priority.HIGH: 0, Priority.MEDIUM: 1, Priority.LOW: 2}


def rank(level: Level | None) -> int:
    """0 for no condition, 1 alert, 2 danger."""
    return _RANK[level]


def worst(*levels: Level | None) -> Level | None:
    """The highest of these levels."""
    return max(levels, key=rank, default=None)


def level_of(state: State | None) -> Level | None:
    """What a judged state is to an alarm: *watch* is shown, and alarms nobody."""
    return {State.ALERT: Level.ALERT, State.DANGER: Level.DANGER}.get(state) if state else None


def priority_of(level: Level, mode: Mode, criticality: str = "B") -> Priority:
    """By consequence and time to answer: a danger leaves minutes, an alert weeks, a sensor waits."""
    if mode not in (Mode.VIBRATION, Mode.BEARING, Mode.TEMPERATURE):
        return Priority.LOW
    if level is Level.DANGER:
        return Priority.MEDIUM if criticality == "C" else Priority.HIGH
    return Priority.MEDIUM if criticality == "A" else Priority.LOW


@dataclass(frozen=True, slots=True, order=True)
class AlarmKey:
    """The part an alarm belongs to; `point` is "" where it is the machine, or the gateway, as a whole."""

    site: str
    machine: str
    point: str
    mode: Mode

    @property
    def id(self) -> str:
        """How people name it within their site: "P-101/2/vibration", "gw-1/gateway"."""
        return "/".join(part for part in (self.machine, self.point, self.mode.value) if part)

    @classmethod
    def parse(cls, site: str, text: str) -> AlarmKey:
        """The key of an id. AlarmError where it is none."""
        parts = text.split("/")
        try:
            if len(parts) not in (2, 3):
                raise AlarmError("two or three parts")
            mode = Mode(parts[-1])
            for name in (site, *parts[:-1]):
                check_name(name)
        except ValueError as error:
            modes = ", ".join(Mode)
            raise AlarmError(
                f"an alarm must be MACHINE/POINT/MODE or MACHINE/MODE, MODE one of {modes}; got {text[:80]!r}"
            ) from error
        return cls(site, parts[0], parts[1] if len(parts) == 3 else "", mode)


@dataclass(frozen=True, slots=True)
class Cause:
    """One feature that stands behind an alarm.

    `value` and both limits are in `unit`, `sigma` is the spread of its baseline in the same unit (0: not
    known). A value of None or NaN was not measured.
    """

    feature: str
    value: float | None = None
    unit: str = ""
    alert: float | None = None
    danger: float | None = None
    sigma: float = 0.0
    level: Level | None = None
    channel: str = ""

    @property
    def name(self) -> str:
        """What tells it from the other causes of its alarm."""
        return f"{self.channel}/{self.feature}" if self.channel else self.feature

    @property
    def known(self) -> bool:
        """Whether it was measured."""
        return self.value is not None and math.isfinite(self.value)

    def limit(self, level: Level | None = None) -> float | None:
        """The limit of a level, by default that of its own."""
        wanted = self.level if level is None else level
        return {None: None, Level.ALERT: self.alert, Level.DANGER: self.danger}[wanted]

    @property
    def shown_limit(self) -> float | None:
        """The limit that people are shown: the highest that is exceeded, else the one of its level."""
        own = self.limit() or (self.alert if self.level else None)
        fell = self.value is not None and own is not None and self.alert is not None and self.value < own
        return self.alert if fell else own

    @property
    def is_below(self) -> bool:
        """Whether it was measured below the limit that is shown: the dead band alone holds it."""
        limit = self.shown_limit
        return self.value is not None and limit is not None and self.value < limit


Times = tuple[tuple[str, int], ...]
"""(sensor of the point, plant time in ns), sorted."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm. `life` follows from the rest.

    `level` is what is announced, `standing` what the last blocks say; they differ while a danger is latched.
    `version` rises with every transition; `raises` counts how often the condition came. Times are plant time
    in ns: `raised_ns` of the last raise, `since_ns` of the last transition, `heard_ns` of the last evidence
    (None before the first). `loud` and `quiet` are blocks in a row above and below `standing`, `loudest` and
    `loudest_quiet` the levels they may lead to. `rapid_ns` holds the time of the last danger reading of each
    sensor, `over_ns` of the last one over the limit of danger, where none below followed. `action` is the
    locale's key of what to do, "" while nothing is to be done; it is said at `said_ns`, and leaves
    `deadline_h` hours (0: now; None: not known), where rule and finding leave `asked_h` from `asked_ns` on,
    and a remaining life may leave less.
    `severity` is by rule; `found` is what an examination found behind it, None before the first. `by` and
    `comment` are those of the last acknowledgement.
    """

    key: AlarmKey
    version: int = 0
    level: Level | None = None
    standing: Level | None = None
    acknowledged: bool = True
    priority: Priority = Priority.LOW
    raises: int = 0
    raised_ns: int = 0
    since_ns: int = 0
    causes: tuple[Cause, ...] = ()
    action: str = ""
    deadline_h: float | None = None
    said_ns: int = 0
    asked_h: float | None = None
    asked_ns: int = 0
    found: Finding | None = None
    severity: int = 0
    frame: str = ""
    by: str = ""
    comment: str = ""
    shelf: Shelf | None = None
    suppressed: bool = False
    outage: Outage | None = None
    heard_ns: int | None = None
    loud: int = 0
    loudest: Level | None = None
    quiet: int = 0
    loudest_quiet: Level | None = None
    rapid_ns: Times = ()
    over_ns: Times = ()

    @property
    def life(self) -> Life:
        """Its state. An unacknowledged danger is hidden by nothing but being out of service."""
        if self.outage is not None:
            return Life.OUT_OF_SERVICE
        if self.shelf is not None:
            return Life.SHELVED
        if self.suppressed and self.level and not self.latched:
            return Life.SUPPRESSED
        if not self.acknowledged:
            return Life.UNACKNOWLEDGED if self.standing or self.latched else Life.RETURNED
        return Life.ACKNOWLEDGED if self.level else Life.NORMAL

    @property
    def latched(self) -> bool:
        """A danger that nobody has acknowledged: it stays, whatever the machine does."""
        return self.level is Level.DANGER and not self.acknowledged

    @property
    def fault(self) -> str:
        """The surest fault behind it, "" where none is named."""
        return self.found.fault if self.found else ""

    @property
    def confidence(self) -> float | None:
        """How sure that fault is, 0 to 1."""
        return self.found.confidence if self.found and self.found.fault else None

    @property
    def due_ns(self) -> int | None:
        """The plant time by which its action is to be done; None where that is not known."""
        return None if self.deadline_h is None else self.said_ns + round(self.deadline_h * 3.6e12)

    @property
    def is_open(self) -> bool:
        """Whether it belongs on a list of alarms."""
        return self.life is not Life.NORMAL

    @property
    def urgency(self) -> tuple[int, int, int, int, str]:
        """Sorts a list as ISA-18.2 does: by priority, of equals what waits for people first, then the latest.

        What is put aside comes last, for it asks nobody for anything now.
        """
        aside = self.life in (Life.SHELVED, Life.SUPPRESSED, Life.OUT_OF_SERVICE)
        seen = self.life not in (Life.UNACKNOWLEDGED, Life.RETURNED)
        return (aside, _URGENCY[self.priority], seen, -self.raised_ns, self.key.id)

    def to_json(self) -> str:
        """All of it, as the records keep it."""
        return json.dumps(self.told() | self._counters(), ensure_ascii=False, separators=(",", ":"))

    def told(self) -> dict[str, Any]:
        """What people and programs are told of it: of an event, a reply, a webhook, a list."""
        first = self.causes[0] if self.causes else None
        return {
            "alarm": self.key.id,
            "site": self.key.site,
            "machine": self.key.machine,
            "point": self.key.point,
            "mode": self.key.mode.value,
            "state": self.life.value,
            "level": self.level,
            "standing": self.standing,
            "priority": self.priority.value,
            "feature": first.feature if first else None,
            "value": _finite(first.value) if first else None,
            "limit": first.shown_limit if first else None,
            "unit": first.unit if first else None,
            "causes": [_cause(cause) for cause in self.causes],
            "due_ns": self.due_ns,
            "fault": self.fault,
            "confidence": self.confidence,
            "found": self.found.told() if self.found else None,
            "shelf": _fields(self.shelf),
            "outage": _fields(self.outage),
        } | {name: getattr(self, name) for name in (*_PLAIN, *_NEWER)}

    def _counters(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _COUNTERS}

    @classmethod
    def from_json(cls, text: str) -> Alarm:
        """What `to_json` wrote. AlarmError for anything else."""
        try:
            told = json.loads(text)
        except ValueError as error:
            raise AlarmError(f"an alarm must be JSON: {error}") from error
        return cls.from_told(told)

    @classmethod
    def from_told(cls, told: Mapping[str, Any]) -> Alarm:
        """The alarm that `told` tells of, as the detail of an event holds it. AlarmError where it is none."""
        try:
            return _read(told)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise AlarmError(f"not an alarm of this version: {type(error).__name__}: {error}") from error


_COUNTERS: Final = ("heard_ns", "loud", "loudest", "quiet", "loudest_quiet", "rapid_ns", "over_ns")
_PLAIN: Final = (
    *("version", "acknowledged", "raises", "raised_ns", "since_ns", "action", "severity", "frame"),
    *("by", "comment", "suppressed"),
)
_NEWER: Final = ("deadline_h", "said_ns", "asked_h", "asked_ns")  # what an older version did not write


def _read(told: Mapping[str, Any]) -> Alarm:
    alarm = Alarm(
        AlarmKey.parse(told["site"], told["alarm"]),
        level=_level(told["level"]),
        standing=_level(told["standing"]),
        priority=Priority(told["priority"]),
        causes=tuple(_read_cause(cause) for cause in told["causes"]),
        found=Finding.from_told(told["found"]) if told.get("found") else None,
        shelf=Shelf(**told["shelf"]) if told["shelf"] else None,
        outage=Outage(**told["outage"]) if told["outage"] else None,
        loudest=_level(told.get("loudest")),
        loudest_quiet=_level(told.get("loudest_quiet")),
    )
    newer = {"asked_h": told.get("deadline_h"), "asked_ns": told.get("said_ns", 0)}
    newer |= {name: told[name] for name in (*_NEWER, "heard_ns", "loud", "quiet") if name in told}
    newer |= {name: _times(told[name]) for name in ("rapid_ns", "over_ns") if name in told}
    return replace(alarm, **{name: told[name] for name in _PLAIN}, **newer)


def _times(told: Any) -> Times:
    return tuple((str(sensor), int(ts_ns)) for sensor, ts_ns in told)


def _level(text: str | None) -> Level | None:
    return None if text is None else Level(text)


def _fields(value: Shelf | Outage | None) -> dict[str, Any] | None:
    return None if value is None else {name: getattr(value, name) for name in value.__slots__}


def _cause(cause: Cause) -> dict[str, Any]:
    told = {name: getattr(cause, name) for name in Cause.__slots__}
    return told | {name: _finite(told[name]) for name in ("value", "alert", "danger")}


def _read_cause(told: Mapping[str, Any]) -> Cause:
    return Cause(**{**told, "level": _level(told["level"])})


def _finite(value: float | None) -> float | None:
    """JSON knows no NaN."""
    return value if value is not None and math.isfinite(value) else None
