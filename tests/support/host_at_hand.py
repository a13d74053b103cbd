"""A whole host without a broker: bytes on topics go through pipeline, committer and stores of a real data
folder, in the caller's thread, with a clock one turns by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.batch import Acknowledge, Commit, Committed, Computed, Now, QueueEmpty, StoreFailed
from ingest.commit import Stores
from ingest.inbox import Arrived
from ingest.knowledge import Knowledge
from ingest.pipeline import Pipeline
from ingest.stores import OpenStores, open_stores
from palier.frames import Frame, FrameId
from palier.historian.base import Unavailable
from palier.historian.rows import Verdict
from palier.limits import load_limits
from palier.plant import Plant
from palier.source import Device
from palier.wire.messages import NodeBirth, device_birth, frame_payload, node_birth
from palier.wire.topics import Kind, Topic
from tests.support.committing import AtOnce
from tests.support.gateway import EPOCH

T0 = 1_790_000_000 * 10**9
SECOND = 10**9


class HostAtHand:
    """`acked` are (edge, epoch, seq) in the order in which they were acknowledged."""

    def __init__(self, plant: Plant, stores: OpenStores) -> None:
        self.stores = stores
        self.link_s = 100.0
        knowledge = Knowledge(plant, load_limits())
        self.pipeline = Pipeline(knowledge, stores.seen(), configurations=stores.configurations())
        self.committer = AtOnce(
            Stores(stores.historian, stores.records, stores.waveforms),
            knowledge,
            spectrum_interval_s=3600.0,
            wall_ns=lambda: T0,
        )
        self.acked: list[tuple[str, str, int]] = []
        self._seqs: dict[str, int] = {}

    @property
    def now(self) -> Now:
        return Now(self.link_s, T0 + round((self.link_s - 100.0) * SECOND), T0)

    def step(self, event: object) -> None:
        """An event, and all that follows from it."""
        effects = list(self.pipeline.step(event, self.now))  # type: ignore[arg-type]
        while effects:
            effect = effects.pop(0)
            if isinstance(effect, Commit):
                for outcome in self._committed(effect):
                    effects += self.pipeline.step(outcome, self.now)
            elif isinstance(effect, Acknowledge):
                told = effect.stored
                self.acked += [
                    (effect.edge, told.epoch, k) for lo, hi in told.ranges for k in range(lo, hi + 1)
                ]

    def _committed(self, effect: Commit) -> tuple[Computed | Committed | StoreFailed, ...]:
        try:
            moved = self.committer.commit(effect.batch)
        except Unavailable as error:
            return (Computed(effect.batch), StoreFailed(str(error)))
        return (Computed(effect.batch), Committed(effect.batch, 0.01, moved))

    def message(self, topic: str, data: bytes) -> None:
        """Any bytes on any topic."""
        self.step(Arrived(topic, data, self.link_s))

    def settle(self) -> None:
        """The queue has run empty."""
        for _ in range(3):
            self.step(QueueEmpty())

    def born(self, node: str = "g1", machines: tuple[str, ...] = ("pompe", "ventilateur")) -> None:
        """A gateway's births."""
        self._seqs[node] = 0
        birth = NodeBirth(0, EPOCH, (), "cafe")
        self.message(str(Topic("usine", Kind.NBIRTH, node)), node_birth(birth, timestamp_ms=1))
        for machine in machines:
            data = device_birth(Device(machine, ()), seq=self.next(node), timestamp_ms=1)
            self.message(str(Topic("usine", Kind.DBIRTH, node, machine)), data)

    def next(self, node: str = "g1") -> int:
        """The next Sparkplug seq of a gateway."""
        self._seqs[node] = (self._seqs.get(node, 0) + 1) % 256
        return self._seqs[node]

    def bytes_of(self, seq: int, frame: Frame, *, node: str = "g1", historical: bool = False) -> bytes:
        """The DDATA of a frame."""
        frame_id = FrameId(f"usine/{node}", EPOCH, seq)
        return frame_payload(
            frame, frame_id, seq=self.next(node), timestamp_ms=1_790_000_000_000, historical=historical
        )

    def frame(self, seq: int, frame: Frame, *, node: str = "g1", historical: bool = False) -> None:
        """A frame on the topic of its machine."""
        data = self.bytes_of(seq, frame, node=node, historical=historical)
        self.message(str(Topic("usine", Kind.DDATA, node, frame.machine)), data)

    def has(self, seq: int, verdict: Verdict = Verdict.STORED, *, node: str = "g1") -> bool:
        """Whether the records have a frame of this epoch under that verdict."""
        found = self.stores.records.seen(f"usine/{node}", EPOCH, [seq])
        return found.get(seq) is verdict


@contextmanager
def host_at_hand(plant: Plant, folder: Path) -> Iterator[HostAtHand]:
    """A host on a fresh data folder."""
    with open_stores(folder, 64 * 1024 * 1024) as stores:
        yield HostAtHand(plant, stores)
