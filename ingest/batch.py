"""What the pipeline works on: its events, the batch it gathers, and the effects the shell performs for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from palier.frames import Frame, FrameId
from palier.historian.rows import LedgerReceipt, QuarantineRow, Transition
from palier.wire.messages import Stored


@dataclass(frozen=True, slots=True)
class Now:
    """The clocks of one moment: monotonic seconds for the link, ns since 1970 UTC of the plant and of the
    wall.
    """

    link_s: float
    plant_ns: int
    wall_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class WorkFrame:
    """A frame on its way into the stores. `id` is None for a third-party node, which promises nothing.

    `live` frames advance the state, others are stored and judged without consequence. `topic` and `payload`
    are what arrived, should the frame have to be put aside later.
    """

    id: FrameId | None
    site: str
    frame: Frame
    live: bool
    topic: str
    payload: bytes
    fingerprint: int = 0

    @property
    def text(self) -> str | None:
        """The identity as series carry it: "edge:epoch:seq"."""
        return None if self.id is None else f"{self.id.edge}:{self.id.epoch}:{self.id.seq}"


@dataclass(frozen=True, slots=True)
class Silence:
    """A gateway, or one device on it, said that it is gone: its machines are unknown from now on."""

    edge: str
    machines: tuple[str, ...]
    since_ns: int

    @property
    def site(self) -> str:
        """The site of the machines."""
        return self.edge.partition("/")[0]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What is committed together, and acknowledged after that."""

    frames: tuple[WorkFrame, ...] = ()
    quarantine: tuple[QuarantineRow, ...] = ()
    ledgers: tuple[LedgerReceipt, ...] = ()
    silences: tuple[Silence, ...] = ()
    transitions: tuple[Transition, ...] = ()  # of gateways; those of machines follow from the frames

    @property
    def n_bytes(self) -> int:
        """Bytes of the frames as they arrived."""
        return sum(len(work.payload) for work in self.frames)


@dataclass(frozen=True, slots=True)
class QueueEmpty:
    """Nothing more waits: what was gathered should be committed now."""


@dataclass(frozen=True, slots=True, eq=False)
class Computed:
    """The features of the batch are there, and it waits for the stores: the next may be computed."""

    batch: Batch


@dataclass(frozen=True, slots=True, eq=False)
class Committed:
    """The batch is durable. `moved` are frames of it that were put aside while they were scored or stored.

    `seconds` is what it took of the time that batches share: from the end of the one before, or from its own
    beginning where there was a pause.
    """

    batch: Batch
    seconds: float
    moved: tuple[QuarantineRow, ...] = ()


@dataclass(frozen=True, slots=True)
class StoreFailed:
    """The oldest batch in hand could not be made durable: it must be tried again, and nobody may send more.

    `why` is a sentence for people.
    """

    why: str = ""


Outcome = Computed | Committed | StoreFailed
"""What became of a batch, as those report who work on it."""


@dataclass(frozen=True, slots=True, eq=False)
class Commit:
    """Effect: make this batch durable behind all before it, and report `Computed`, then `Committed` or
    `StoreFailed`. A batch that failed is given once more to be tried again.
    """

    batch: Batch


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Effect: tell an edge node what is stored, and its credit."""

    edge: str
    stored: Stored


@dataclass(frozen=True, slots=True)
class AskRebirth:
    """Effect: ask an edge node for its births."""

    edge: str


@dataclass(frozen=True, slots=True)
class Contact:
    """Effect: an edge node is there, or has been gone since a plant time for longer than a restart takes."""

    edge: str
    there: bool
    since_ns: int


Effect = Commit | Acknowledge | AskRebirth | Contact


@dataclass(slots=True)
class Counts:
    """What the pipeline counted since it started; metrics are read from it."""

    received: int = 0
    stored: int = 0
    duplicates: int = 0
    refused: int = 0
    clock_suspect: int = 0
    historical: int = 0
    edges_refused: int = 0
    rebirths_asked: int = 0
    gaps: int = 0
    quarantined: dict[str, int] = field(default_factory=dict)  # by reason

    def put_aside(self, reason: str) -> None:
        """One more message in quarantine."""
        self.quarantined[reason] = self.quarantined.get(reason, 0) + 1
