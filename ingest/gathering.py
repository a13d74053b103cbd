"""What has arrived and waits for its batch: bounded, in order of arrival."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from palier.historian.rows import LedgerReceipt, QuarantineRow, StateRow, Transition

from .batch import Batch, GatewaySays, Silence, StatusRow, WorkFrame
from .gateways import Heard

BATCH_FRAMES: Final = 50
"""Half of a gateway's window of 100: a batch that needs a whole window would wait for its deadline each
time."""

MOST_BATCH_FRAMES: Final = 200
"""Where several gateways send at once more frames share a request to the server and two writes to the disk,
which take as long for one as for a hundred. Beyond this a batch leaves the processor's cache, and gains no
more."""

BATCH_BYTES: Final = 16 * 1024 * 1024
"""Of the messages of one batch: what is in hand stays small beside the queue. One frame may always be."""

BATCH_S: Final = 0.005
"""The longest a frame waits for company while nothing else keeps it waiting. Company comes by itself while
the batches before it are worked on."""

WAITING_FRAMES: Final = 500  # kept while the store is down, and as many bytes as the inbox keeps
WAITING_BYTES: Final = 64 * 1024 * 1024

WAITING_ASIDE_BYTES: Final = 24 * 1024 * 1024
"""Of messages that wait to be put aside: those of a batch, and two of the largest. What has no room while the
store is down comes again, or is counted alone."""


@dataclass(slots=True)
class Gathering:
    """Frames, and what else is to be committed. `enough` frames are a batch."""

    enough: int = BATCH_FRAMES
    quarantine: list[QuarantineRow] = field(default_factory=list)
    ledgers: dict[str, LedgerReceipt] = field(default_factory=dict)  # the newest of each edge
    silences: list[Silence] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    states: list[StateRow] = field(default_factory=list)
    words: dict[tuple[str, str], StateRow] = field(default_factory=dict)  # the newest of each state's key
    statuses: dict[str, StatusRow] = field(default_factory=dict)  # the newest of each edge
    _frames: list[WorkFrame] = field(default_factory=list)
    _n_bytes: int = 0
    _aside_bytes: int = 0
    _first_s: float | None = None  # when the first of what waits came

    def __bool__(self) -> bool:
        of_gateways = self.ledgers or self.silences or self.transitions or self.states or self.statuses
        return bool(self._frames or self.quarantine or of_gateways)

    @property
    def has_room(self) -> bool:
        """Whether a batch's worth has not been gathered yet."""
        most = max(len(self._frames), len(self.quarantine))
        return most < MOST_BATCH_FRAMES and max(self._n_bytes, self._aside_bytes) < BATCH_BYTES

    def is_full_for(self, work: WorkFrame) -> bool:
        """Whether a frame would exceed the waiting room."""
        return len(self._frames) >= WAITING_FRAMES or self._n_bytes + len(work.payload) > WAITING_BYTES

    def take(self, work: WorkFrame, at_s: float) -> None:
        """A frame waits from now on; `at_s` is monotonic."""
        self._frames.append(work)
        self._n_bytes += len(work.payload)
        self.begin(at_s)

    def put_aside(self, row: QuarantineRow, at_s: float) -> bool:
        """A message waits to be put aside, where there is room for it."""
        size = len(row.payload)
        if len(self.quarantine) >= WAITING_FRAMES or self._aside_bytes + size > WAITING_ASIDE_BYTES:
            return False
        self.quarantine.append(row)
        self._aside_bytes += size
        self.begin(at_s)
        return True

    def hear(self, heard: Heard, at_s: float) -> tuple[GatewaySays, ...]:
        """A gateway told of itself; what is to be said of it."""
        self.words |= {(row.site, row.key): row for row in heard.states}
        self.transitions += heard.transitions
        self.statuses |= {row.edge: row for row in heard.rows}
        self.begin(at_s)
        return heard.said

    def begin(self, at_s: float) -> None:
        """Something waits that a batch should not be late for."""
        if self._first_s is None:
            self._first_s = at_s

    @property
    def is_enough(self) -> bool:
        """Whether a batch has come together."""
        return len(self._frames) >= self.enough or self._n_bytes >= BATCH_BYTES

    def has_waited(self, at_s: float) -> bool:
        """Whether the first of what waits has waited long enough."""
        return self._first_s is not None and at_s - self._first_s >= BATCH_S

    def batch(self, at_s: float) -> Batch:
        """The next batch: no more than `enough` frames, in their order, and all that is no frame."""
        frames = self._frames[: self._fitting()]
        batch = Batch(
            tuple(frames),
            tuple(self.quarantine),
            tuple(self.ledgers.values()),
            tuple(self.silences),
            tuple(self.transitions),
            (*self.states, *self.words.values()),
            tuple(self.statuses.values()),
        )
        del self._frames[: len(frames)]
        self._n_bytes -= batch.n_bytes
        self.quarantine, self.ledgers, self.silences, self.transitions, self.states = [], {}, [], [], []
        self.statuses, self.words = {}, {}
        self._aside_bytes = 0
        self._first_s = at_s if self._frames else None
        return batch

    def _fitting(self) -> int:
        """How many frames the next batch holds."""
        n = n_bytes = 0
        for work in self._frames[: self.enough]:
            n_bytes += len(work.payload)
            if n and n_bytes > BATCH_BYTES:
                break
            n += 1
        return n
