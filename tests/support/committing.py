"""A committer that does all of a batch at once, and stores that write down what was asked of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ingest.attempt import Attempt
from ingest.batch import Batch, WorkFrame
from ingest.commit import Committer, Stores
from ingest.knowledge import Knowledge
from palier.frames import Frame, FrameId, Waveform
from palier.historian.base import Rows, Table, Unavailable, WriteReport
from palier.historian.rows import QuarantineRow, RecordsBatch
from palier.historian.waveforms import WaveformRef
from palier.limits import load_limits
from palier.plant import Plant
from tests.support.gateway import EPOCH, waveform

T0 = 1_790_000_000 * 10**9
SECOND = 10**9


@dataclass
class Fakes:
    """Three stores that write down what was asked of them, in one log; `down` names those that fail."""

    log: list[str] = field(default_factory=list)
    down: set[str] = field(default_factory=set)
    written: list[Rows] = field(default_factory=list)
    batches: list[RecordsBatch] = field(default_factory=list)
    counts: dict[FrameId, int] = field(default_factory=dict)

    def _do(self, what: str) -> None:
        self.log.append(what)
        if what in self.down:
            raise Unavailable(f"{what} fails in this test")

    def write(self, batch: Sequence[Rows]) -> list[WriteReport]:
        self._do("series")
        self.written += batch
        return [WriteReport(len(rows)) for rows in batch]

    def read(self, *_which: object, **_bounds: object) -> Table:
        """They hold nothing that anybody could read again."""
        return Table(np.empty(0, dtype=np.int64), (), (), (), {"frame": ()})

    def commit(self, batch: RecordsBatch) -> None:
        self._do("records")
        self.batches.append(batch)
        self.forget_attempts([*batch.stored, *(row.frame for row in batch.quarantine if row.frame)])

    def append_all(self, frames: Sequence[tuple[FrameId, Waveform]]) -> list[WaveformRef]:
        for _ in frames:
            self._do("append")
        return [WaveformRef(1, frame_id.seq, 1) for frame_id, _ in frames]

    def sync(self) -> None:
        self._do("sync")

    def pending_attempts(self) -> Mapping[FrameId, int]:
        return self.counts

    def attempt(self, frames: Iterable[FrameId]) -> Mapping[FrameId, int]:
        for frame in frames:
            self.counts[frame] = self.counts.get(frame, 0) + 1
        return self.counts

    def forget_attempts(self, frames: Iterable[FrameId]) -> None:
        for frame in frames:
            self.counts.pop(frame, None)


class AtOnce(Committer):
    """Computes and stores in the caller's thread; a batch that failed goes on where it was."""

    _attempt: Attempt | None = None

    def commit(self, batch: Batch) -> tuple[QuarantineRow, ...]:
        """What was put aside. Raises Unavailable: try the same again."""
        if self._attempt is None or self._attempt.batch is not batch:
            self._attempt = self.begin(batch)
            self.compute(self._attempt)
        self.keep(self._attempt)
        moved = self.store(self._attempt)
        self._attempt = None
        return moved


def committer(plant: Plant, fakes: Fakes, **more: object) -> AtOnce:
    return AtOnce(
        Stores(fakes, fakes, fakes),  # type: ignore[arg-type]
        Knowledge(plant, load_limits()),
        spectrum_interval_s=3600.0,
        wall_ns=lambda: T0,
        **more,  # type: ignore[arg-type]
    )


def work(seq: int, frame: Frame | None = None, *, live: bool = True) -> WorkFrame:
    frame = frame or waveform(T0 + seq * SECOND)
    return WorkFrame(FrameId("usine/g1", EPOCH, seq), "usine", frame, live, "topic", b"raw")


def batch(*frames: WorkFrame) -> Batch:
    return Batch(frames=frames)
