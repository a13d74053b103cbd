"""A batch on its way into the stores."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from palier.frames import FrameId
from palier.historian.rows import QuarantineRow, Transition
from palier.historian.waveforms import WaveformRef

from .batch import Batch, Recall, WorkFrame
from .contradicted import NOTHING, Found
from .judging import Assessed
from .quarantine import Problem, put_frame_aside


@dataclass(slots=True, eq=False)
class Attempt:
    """How far a batch has come; kept while the store is down, so that no step is done twice.

    Until it is `computed` what it holds of features and of frames put aside belongs to who computes.
    """

    batch: Batch
    frames: list[WorkFrame]  # those not put aside
    unproven: bool = False  # frames have to be noted before they are worked on
    computed: threading.Event = field(default_factory=threading.Event)
    assessed: list[Assessed] = field(default_factory=list)
    moved: list[QuarantineRow] = field(default_factory=list)
    moved_alone: list[QuarantineRow] = field(default_factory=list)  # durable before the rest of the batch
    refs: dict[FrameId, WaveformRef] = field(default_factory=dict)
    recalls: list[Recall] = field(default_factory=list)
    ended: list[Transition] = field(default_factory=list)  # values of other nodes that are over
    found: Found = NOTHING
    compared: bool = False  # its waveforms with their features: before the one takes the place of the other

    @property
    def transitions(self) -> tuple[Transition, ...]:
        """Those that are known before anything is judged."""
        return (*self.batch.transitions, *self.ended, *self.found.events)

    def put_aside(self, work: WorkFrame, problem: Problem, now_ns: int) -> None:
        """A frame leaves the batch for the quarantine."""
        self.moved.append(put_frame_aside(work, problem, now_ns))
        self.frames = [other for other in self.frames if other is not work]
        self.assessed = [entry for entry in self.assessed if entry.work is not work]
