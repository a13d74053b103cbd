"""What the records are made of: value types only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from palier.frames import FrameId
from palier.wire.messages import LedgerReport

from .waveforms import WaveformRef

HOUR_NS: Final = 3_600 * 10**9


class Verdict(StrEnum):
    """What became of a frame at the host. The first verdict on a frame stays."""

    STORED = "stored"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class StateRow:
    """A state in force: `value` is JSON text, None takes the state away."""

    site: str
    key: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Transition:
    """A transition, as it is also written to the `event` series. `event_id` makes it idempotent."""

    event_id: str
    site: str
    machine: str
    point: str
    channel: str
    ts_ns: int
    kind: str
    state: str
    previous: str
    detail: str = "{}"


@dataclass(frozen=True, slots=True)
class WaveformRow:
    """Index of one kept waveform. `alarm` waveforms outlive the others when the budget presses."""

    frame: FrameId
    site: str
    machine: str
    point: str
    start_ns: int
    ref: WaveformRef
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """A message put aside. `frame` is None where no identity could be read from it."""

    received_ns: int
    edge: str
    topic: str
    reason: str
    sentence: str
    payload: bytes
    frame: FrameId | None = None


@dataclass(frozen=True, slots=True)
class LedgerReceipt:
    """The last ledger report of an edge and epoch, and when the host got it (ns since 1970 UTC)."""

    edge: str
    received_ns: int
    report: LedgerReport


@dataclass(frozen=True, slots=True)
class DirtyHour:
    """An hour of a machine that got rows since its hourly rows were written. `start_ns` is of UTC."""

    site: str
    machine: str
    start_ns: int


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """An alarm as it is now: `id` is its key within the site, `value` JSON text."""

    site: str
    id: str
    value: str


@dataclass(frozen=True, slots=True)
class CommandRow:
    """A command that was answered. `digest` tells the same command sent again from another under its id."""

    id: str
    site: str
    at_ns: int
    digest: str
    reply: str


@dataclass(frozen=True, slots=True)
class InterventionRow:
    """What people did to a machine. `id` is the command's; `point` is "" for the machine as a whole.

    `at_ns` is when it was done, `recorded_ns` when it was told, both plant time; `cause` is a code of
    ISO 15243 or "".
    """

    id: str
    site: str
    machine: str
    point: str
    kind: str
    at_ns: int
    recorded_ns: int
    user: str
    text: str
    cause: str = ""


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """What people found behind an alarm. `id` is the command's; `raised_ns` and `fault` are the alarm's, at
    the time of the verdict; `found` is the fault that was found, "" where nobody named one.
    """

    id: str
    site: str
    alarm: str
    raised_ns: int
    fault: str
    verdict: str
    found: str
    cause: str
    text: str
    user: str
    ts_ns: int


@dataclass(frozen=True, slots=True)
class BaselineRow:
    """One version of a machine's baseline; older ones are kept. `value` is JSON text."""

    site: str
    machine: str
    version: int
    value: str


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """A message to people that waits to be sent: `value` is JSON text, None takes it away."""

    id: str
    value: str | None


@dataclass(frozen=True, slots=True)
class RecordsBatch:
    """What one commit writes, all or nothing. A quarantined frame with an identity is marked seen too."""

    stored: tuple[FrameId, ...] = ()
    states: tuple[StateRow, ...] = ()
    transitions: tuple[Transition, ...] = ()
    waveforms: tuple[WaveformRow, ...] = ()
    quarantine: tuple[QuarantineRow, ...] = ()
    ledgers: tuple[LedgerReceipt, ...] = ()
    dirty_hours: tuple[DirtyHour, ...] = ()
    alarms: tuple[AlarmRow, ...] = ()
    commands: tuple[CommandRow, ...] = ()
    interventions: tuple[InterventionRow, ...] = ()
    verdicts: tuple[VerdictRow, ...] = ()
    baselines: tuple[BaselineRow, ...] = ()
    notices: tuple[NoticeRow, ...] = ()
