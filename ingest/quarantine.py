"""Quarantine: what can't be used is put aside with its reason, counted and acknowledged; it never blocks
the rest.

Reasons are keys: those of `palier.wire` for what can't be read (decode, schema, version, type, ...), those of
the historian for what it rejects (conflict, name, type, time, retention, refused), and the ones below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from palier.frames import FrameId
from palier.historian.rows import QuarantineRow
from palier.wire.payload import DecodeError

from .batch import WorkFrame

TOPIC: Final = "topic"  # no topic of an edge node, or a name in it that is none
CONFLICT: Final = "conflict"  # the same identity, or the same place in the series, with another content
SCORING_FAILED: Final = "scoring_failed"  # the samples make the computation fail
UNEXPECTED: Final = "unexpected"  # a defect of this program, shown by one message
TOO_MANY_NEW: Final = "too_many_new"  # more unknown machines and channels in an hour than a plant can grow


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a message can't be used: a reason to count by, and its sentence as `str()`."""

    reason: str
    sentence: str

    def __str__(self) -> str:
        return self.sentence


def put_aside(
    topic: str,
    payload: bytes,
    edge: str,
    problem: Problem | DecodeError,
    *,
    received_ns: int,
    frame: FrameId | None = None,
) -> QuarantineRow:
    """A message as it came, with why it can't be used. With an identity it counts as dealt with."""
    return QuarantineRow(received_ns, edge, topic, problem.reason, str(problem), payload, frame)


def put_frame_aside(work: WorkFrame, problem: Problem, received_ns: int) -> QuarantineRow:
    """A frame that was read, and then could not be scored or stored."""
    edge = work.id.edge if work.id else work.site
    return QuarantineRow(
        received_ns, edge, work.topic, problem.reason, problem.sentence, work.payload, work.id
    )
