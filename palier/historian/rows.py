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
class RecordsBatch:
    """What one commit writes, all or nothing. A quarantined frame with an identity is marked seen too."""

    stored: tuple[FrameId, ...] = ()
    states: tuple[StateRow, ...] = ()
    transitions: tuple[Transition, ...] = ()
    waveforms: tuple[WaveformRow, ...] = ()
    quarantine: tuple[QuarantineRow, ...] = ()
    ledgers: tuple[LedgerReceipt, ...] = ()
    dirty_hours: tuple[DirtyHour, ...] = ()
