"""What the pipeline works on: its events, the batch it gathers, and the effects the shell performs for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from palier.alarm_modes import Mode
from palier.frames import Features, Frame, FrameId, Waveform
from palier.historian.holding import FEATURES_MARK
from palier.historian.rows import LedgerReceipt, QuarantineRow, StateRow, Transition
from palier.wire.messages import DangerLimit, GatewayStatus, Replay, Stored

Block = Waveform | Features
"""One acquisition of a point: with its samples, or what a gateway computed of them."""

MAX_VERSIONS: Final = 16
"""Wire versions that are counted by their name."""


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
    are what arrived, should the frame have to be put aside later. `beyond` are its channels with samples that
    no sensor of the range that the gateway announced can give. One that comes `again` was stored before, and
    is wanted once more because its series were lost: the records know it already. Readings that `hold` are in
    force until the next ones.
    """

    id: FrameId | None
    site: str
    frame: Frame
    live: bool
    topic: str
    payload: bytes
    fingerprint: int = 0
    beyond: frozenset[str] = frozenset()
    again: bool = False
    hold: bool = False

    @property
    def text(self) -> str | None:
        """The identity as series carry it: "edge:epoch:seq", marked where its samples are not here."""
        if self.id is None:
            return None
        mark = FEATURES_MARK if isinstance(self.frame, Features) else ""
        return f"{mark}{self.id.edge}:{self.id.epoch}:{self.id.seq}"


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


@dataclass(frozen=True, slots=True)
class StatusRow:
    """How an edge node said that it is, at a plant time."""

    edge: str
    ts_ns: int
    status: GatewayStatus


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What is committed together, and acknowledged after that."""

    frames: tuple[WorkFrame, ...] = ()
    quarantine: tuple[QuarantineRow, ...] = ()
    ledgers: tuple[LedgerReceipt, ...] = ()
    silences: tuple[Silence, ...] = ()
    transitions: tuple[Transition, ...] = ()  # of gateways; those of machines follow from the frames
    states: tuple[StateRow, ...] = ()  # likewise
    statuses: tuple[StatusRow, ...] = ()  # likewise

    @property
    def n_bytes(self) -> int:
        """Bytes of the frames as they arrived."""
        return sum(len(work.payload) for work in self.frames)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A person wants what a gateway's outbox still holds of a period, both ends inside; what the records know
    is stored `again` where that is said. With a `machine` only its waveforms that were kept back.
    """

    edge: str
    start_ns: int
    end_ns: int
    request: str
    again: bool = False
    machine: str = ""

    @property
    def replay(self) -> Replay:
        """As the gateway is asked."""
        of, kept = self.machine or None, bool(self.machine)
        return Replay(self.request, self.start_ns, self.end_ns, machine=of, retained=kept)


@dataclass(frozen=True, slots=True)
class QueueEmpty:
    """Nothing more waits: what was gathered should be committed now."""


@dataclass(frozen=True, slots=True, eq=False)
class Computed:
    """The features of the batch are there, and it waits for the stores: the next may be computed."""

    batch: Batch


@dataclass(frozen=True, slots=True)
class Recall:
    """The first alert of a machine that was calm, at a plant time: the waveforms around it are wanted."""

    site: str
    machine: str
    alert_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class Committed:
    """The batch is durable. `moved` are frames of it that were put aside while they were scored or stored,
    `recalls` the first alerts that it led to, `said` what it tells of gateways.

    `seconds` is what it took of the time that batches share: from the end of the one before, or from its own
    beginning where there was a pause.
    """

    batch: Batch
    seconds: float
    moved: tuple[QuarantineRow, ...] = ()
    recalls: tuple[Recall, ...] = ()
    said: tuple[GatewaySays, ...] = ()


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


@dataclass(frozen=True, slots=True)
class AskReplay:
    """Effect: ask an edge node for what its outbox still holds of a period."""

    edge: str
    replay: Replay


@dataclass(frozen=True, slots=True)
class TellLimits:
    """Effect: tell an edge node its danger limits, and which of its machines are in alarm."""

    edge: str
    limits: tuple[DangerLimit, ...]
    attention: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GatewaySays:
    """Effect: something is the matter with an edge node, with its numbers by name, or is so no more."""

    edge: str
    kind: Mode
    numbers: Mapping[str, float]
    active: bool


Effect = Commit | Acknowledge | AskRebirth | AskReplay | TellLimits | Contact | GatewaySays


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
    again: int = 0  # frames that were stored once more after their series were lost
    quarantined: dict[str, int] = field(default_factory=dict)  # by reason
    versions: dict[str, int] = field(default_factory=dict)  # messages of other wire versions

    def of_version(self, version: str) -> None:
        """One more message of another wire version; a stranger's inventions share a name."""
        if version not in self.versions and len(self.versions) >= MAX_VERSIONS:
            version = "other"
        self.versions[version] = self.versions.get(version, 0) + 1

    def put_aside(self, reason: str) -> None:
        """One more message in quarantine."""
        self.quarantined[reason] = self.quarantined.get(reason, 0) + 1
