"""What people do: the commands that they give to the ingest, and its replies. Value types.

The page and the command line make a `Command`, the ingest alone decides (idempotent by its id) and replies.
How they travel is in `palier.wire.operations`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from models.diagnosis.types import Fault

from .local_time import local, zone_of

SHORTEST_SHELF_S: Final = 60
LONGEST_SHELF_S: Final = 8 * 3600
"""A shift: what is put aside longer is forgotten (ISA-18.2 wants a limit, and leaves it to the site)."""

SHIFT_STARTS_H: Final = (6, 14, 22)
"""When shifts change, in the plant's own time: the usual three of eight hours."""


class InterventionKind(StrEnum):
    """What was done to a machine."""

    GREASING = "greasing"
    TIGHTENING = "tightening"
    BEARING_CHANGED = "bearing_changed"
    BALANCING = "balancing"
    ALIGNMENT = "alignment"
    TOOL_CHANGE = "tool_change"
    OTHER = "other"


class CauseCode(StrEnum):
    """Failure modes of rolling bearings: the clauses of ISO 15243:2017."""

    SUBSURFACE_FATIGUE = "5.1.2"
    SURFACE_FATIGUE = "5.1.3"
    ABRASIVE_WEAR = "5.2.2"
    ADHESIVE_WEAR = "5.2.3"
    MOISTURE_CORROSION = "5.3.2"
    FRETTING_CORROSION = "5.3.3.2"
    FALSE_BRINELLING = "5.3.3.3"
    EXCESSIVE_CURRENT = "5.4.2"
    CURRENT_LEAKAGE = "5.4.3"
    OVERLOAD = "5.5.2"
    INDENTATION = "5.5.3"
    FORCED_FRACTURE = "5.6.2"
    FATIGUE_FRACTURE = "5.6.3"
    THERMAL_CRACKING = "5.6.4"


class Found(StrEnum):
    """A technician's verdict on what an alarm said."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    OTHER_CAUSE = "other_cause"


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """I have seen this alarm."""

    alarm: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Shelve:
    """Put this alarm aside for so many seconds; None: to the end of the shift."""

    alarm: str
    why: str
    for_s: int | None = None


@dataclass(frozen=True, slots=True)
class Unshelve:
    """Take it from its shelf."""

    alarm: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class TakeOut:
    """Take this alarm out of service until it is put back."""

    alarm: str
    why: str


@dataclass(frozen=True, slots=True)
class PutBack:
    """Put it back into service."""

    alarm: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Intervene:
    """This was done to a machine, or to one of its points, at a plant time; None: just now."""

    machine: str
    kind: InterventionKind
    at_ns: int | None = None
    point: str = ""
    text: str = ""
    cause: CauseCode | None = None


@dataclass(frozen=True, slots=True)
class ConfirmBaseline:
    """The machine was in good health while this baseline was learned."""

    machine: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class RelearnBaseline:
    """Learn a new baseline: the machine is another since an intervention."""

    machine: str
    why: str


@dataclass(frozen=True, slots=True)
class GiveVerdict:
    """What was found behind this alarm."""

    alarm: str
    verdict: Found
    found: Fault | None = None
    cause: CauseCode | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class SendAgain:
    """Have a gateway ("site/node") send again what its outbox still holds of a period (plant time, both ends
    inside). What the records know is stored `again` only where that is said: its series were lost.

    `waveforms_of` a machine: only the waveforms of it that the gateway kept back, nothing that was sent.
    """

    edge: str
    from_ns: int
    to_ns: int
    why: str
    again: bool = False
    waveforms_of: str = ""


@dataclass(frozen=True, slots=True)
class Configure:
    """Have a gateway ("site/node") sample by this TOML from now on. The signature, hex digits, is of
    `palier.wire.configuration.signed_bytes`: the gateway judges it, nobody in between.
    """

    edge: str
    version: int
    toml: str
    signature: str
    why: str


@dataclass(frozen=True, slots=True)
class TellGateway:
    """How a gateway ("site/node") said last that it is. Changes nothing and is not recorded."""

    edge: str


Ask = (
    Acknowledge
    | Shelve
    | Unshelve
    | TakeOut
    | PutBack
    | Intervene
    | ConfirmBaseline
    | RelearnBaseline
    | GiveVerdict
    | SendAgain
    | Configure
    | TellGateway
)


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody asks. `id` is drawn once: sent again, it is the same command.

    `expected_version` is that of the alarm, or of the baseline, that the person looked at; None where it does
    not matter.
    """

    id: str
    user: str
    ask: Ask
    expected_version: int | None = None


class Outcome(StrEnum):
    """What became of a command."""

    DONE = "done"
    REFUSED = "refused"
    CONFLICT = "conflict"  # somebody was faster: the reply tells what is now


@dataclass(frozen=True, slots=True)
class Reply:
    """The ingest's answer. `reason` is a key of the locale (`reply.<reason>`) with its `params`.

    `version` is that of the alarm or baseline by now, `present` what `Alarm.told` tells of it; None where the
    command was about neither.
    """

    id: str
    outcome: Outcome
    reason: str
    params: Mapping[str, str | int] = field(default_factory=lambda: MappingProxyType({}))
    version: int | None = None
    present: Mapping[str, Any] | None = None


class BaselineStatus(StrEnum):
    """How far a baseline has come. One that is lost was confirmed, and cannot be used any more (other
    columns, another version wrote it): it is not learned again until a person asks for it.
    """

    LEARNING = "learning"
    LEARNED = "learned"
    CONFIRMED = "confirmed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Baseline:
    """One version of a machine's baseline, as people see it.

    `opened_ns` is when it began to learn, `since_ns` when its status began (plant time). `progress` is how
    much of what learning needs is there, 0 to 1. `by` and `why` are of who confirmed it, or reopened it.
    """

    machine: str
    version: int = 1
    status: BaselineStatus = BaselineStatus.LEARNING
    opened_ns: int = 0
    since_ns: int = 0
    progress: float = 0.0
    by: str = ""
    why: str = ""

    def told(self) -> dict[str, Any]:
        """As records, replies and lists tell it."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_told(cls, told: Mapping[str, Any]) -> Baseline:
        """What `told` told. ValueError where it is none."""
        try:
            return cls(**{**told, "status": BaselineStatus(told["status"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a baseline of this version: {error!r}") from error


def shift_end_ns(now_ns: int, timezone: str, starts_h: tuple[int, ...] = SHIFT_STARTS_H) -> int:
    """The plant time at which the shift that is on ends, in the plant's own time zone."""
    zone, now = zone_of(timezone), local(now_ns, timezone)
    days = (now.date() + timedelta(days=k) for k in (0, 1))
    changes = (datetime(day.year, day.month, day.day, hour, tzinfo=zone) for day in days for hour in starts_h)
    ends = (int(change.astimezone(UTC).timestamp()) * 10**9 for change in changes)
    return min(end for end in ends if end > now_ns)
