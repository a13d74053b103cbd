"""A pipeline of the ingest with a clock one turns by hand, and stores that answer at once."""

from __future__ import annotations

from ingest.batch import (
    Acknowledge,
    Batch,
    Commit,
    Committed,
    Computed,
    Effect,
    Now,
    QueueEmpty,
    StoreFailed,
)
from ingest.inbox import Arrived
from ingest.knowledge import Knowledge
from ingest.pipeline import Pipeline
from ingest.seen import Seen
from palier.frames import Frame, FrameId
from palier.limits import load_limits
from palier.plant import Plant
from palier.source import Device
from palier.wire.messages import (
    NodeBirth,
    device_birth,
    frame_payload,
    node_birth,
)
from palier.wire.topics import Kind, Topic
from tests.support.gateway import EPOCH, waveform

EDGE = "usine/g1"
T0 = 1_790_000_000 * 10**9
SECOND = 10**9


class Bench:
    """A pipeline with a clock one turns by hand; commits succeed at once unless `store_up` is false.

    With `by_hand` nothing becomes of a commit until the test says so by `step`.
    """

    def __init__(self, plant: Plant, seen: Seen | None = None) -> None:
        self.pipeline = Pipeline(Knowledge(plant, load_limits()), seen or Seen())
        self.link_s = 100.0
        self.store_up = True
        self.by_hand = False
        self.seq = {"g1": 0, "g2": 0}

    @property
    def now(self) -> Now:
        return Now(self.link_s, T0 + round(self.link_s * SECOND), T0)

    def step(self, event: object) -> list[Effect]:
        effects = list(self.pipeline.step(event, self.now))  # type: ignore[arg-type]
        done: list[Effect] = []
        while effects:
            effect = effects.pop(0)
            done.append(effect)
            if isinstance(effect, Commit) and not self.by_hand:
                answer = Committed(effect.batch, 0.01) if self.store_up else StoreFailed()
                for outcome in (Computed(effect.batch), answer):
                    effects += self.pipeline.step(outcome, self.now)
        return done

    def empty(self) -> list[Effect]:
        return self.step(QueueEmpty())

    def message(self, kind: Kind, data: bytes, node: str = "g1", device: str | None = None) -> list[Effect]:
        return self.step(Arrived(str(Topic("usine", kind, node, device)), data, self.link_s))

    def born(self, node: str = "g1", in_flight: tuple[tuple[int, int], ...] = ()) -> list[Effect]:
        self.seq[node] = 0
        birth = NodeBirth(0, EPOCH, in_flight, "cafe")
        effects = self.message(Kind.NBIRTH, node_birth(birth, timestamp_ms=1), node)
        device = device_birth(Device("pompe", ()), seq=self.next(node), timestamp_ms=1)
        return effects + self.message(Kind.DBIRTH, device, node, "pompe")

    def next(self, node: str = "g1") -> int:
        self.seq[node] = (self.seq[node] + 1) % 256
        return self.seq[node]

    def bytes_of(
        self, seq: int, frame: Frame | None = None, *, historical: bool = False, node: str = "g1"
    ) -> bytes:
        frame = frame or waveform(T0 + seq * SECOND, n=64)
        frame_id = FrameId(f"usine/{node}", EPOCH, seq)
        return frame_payload(frame, frame_id, seq=self.next(node), timestamp_ms=1, historical=historical)

    def frame(
        self, seq: int, frame: Frame | None = None, *, historical: bool = False, node: str = "g1"
    ) -> list[Effect]:
        machine = frame.machine if frame else "pompe"
        return self.message(
            Kind.DDATA, self.bytes_of(seq, frame, historical=historical, node=node), node, machine
        )


def commits(effects: list[Effect]) -> list[Batch]:
    return [effect.batch for effect in effects if isinstance(effect, Commit)]


def acks(effects: list[Effect]) -> list[Acknowledge]:
    return [effect for effect in effects if isinstance(effect, Acknowledge)]


def acked(effects: list[Effect]) -> list[tuple[int, int]]:
    return [r for ack in acks(effects) for r in ack.stored.ranges]
