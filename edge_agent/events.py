"""The words between the link's decisions (`machine.py`) and what performs them: events in, effects out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from palier.ranges import Ranges
from palier.wire.state import HostState


class Cause(StrEnum):
    """Why a frame is sent."""

    FIRST = "first"
    SESSION = "session"
    GAP = "gap"
    PROBE = "probe"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An unsent frame as the outbox measured it; until `live_until` (link time) its sending is live."""

    seq: int
    size: int
    live_until: float


# --- events


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker accepted us and our subscriptions."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is gone, by whoever's will."""


@dataclass(frozen=True, slots=True)
class StoredReceived:
    """The host's acknowledgement. `highest`: of the epoch's seqs, the highest it ever had; None: untold."""

    epoch: str
    ranges: Ranges
    credit_frames: int
    credit_bytes: int
    sync: bool = False
    highest: int | None = None


@dataclass(frozen=True, slots=True)
class RebirthRequested:
    """The host asks for births."""


@dataclass(frozen=True, slots=True)
class FramesAdded:
    """The outbox took frames lo to hi, or holds them no longer."""

    epoch: str
    lo: int
    hi: int


@dataclass(frozen=True, slots=True)
class FramesDropped:
    """The outbox gave frames up."""

    epoch: str
    ranges: Ranges


@dataclass(frozen=True, slots=True)
class OutboxReplaced:
    """The outbox was damaged: it is a new one with a new epoch, and nothing in it."""

    epoch: str


@dataclass(frozen=True, slots=True)
class Settled:
    """The answer to Settle, once it is on the disk; none comes where the disk refuses it.

    `lost` are seqs that the disk forgot, `pending` is what waits now.
    """

    epoch: str
    lost: Ranges
    last_seq: int
    pending: Ranges


@dataclass(frozen=True, slots=True)
class Measured:
    """The answer to Measure: `asked`, and those of them that still wait."""

    asked: tuple[int, ...]
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """So many of the frames handed to the client, the oldest, are on the socket."""

    count: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The agent ends."""


Event = (
    Connected
    | Disconnected
    | HostState
    | StoredReceived
    | RebirthRequested
    | FramesAdded
    | FramesDropped
    | OutboxReplaced
    | Settled
    | Measured
    | Written
    | Tick
    | Stop
)


# --- effects


@dataclass(frozen=True, slots=True)
class SendBirth:
    """Births of the node and its devices; `in_flight` may be at the host already."""

    in_flight: Ranges


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Hand this frame to the client as a new message."""

    seq: int
    historical: bool
    cause: Cause


@dataclass(frozen=True, slots=True)
class Release:
    """The host has these."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Settle:
    """Tell the outbox what the host told: `known` is the highest seq that we may have sent."""

    highest: int | None
    known: int


@dataclass(frozen=True, slots=True)
class Measure:
    """Ask the outbox for these rows; to be answered at once by Measured."""

    seqs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SendLedger:
    """Report what became of every seq."""


@dataclass(frozen=True, slots=True)
class SendDeath:
    """NDEATH, said by ourselves."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Leave the broker; come back unless CLOSED."""


Effect = SendBirth | SendFrame | Release | Settle | Measure | SendLedger | SendDeath | Disconnect
