"""Replays that the host asked for: frames it had, and lost, wait again.

Done piece by piece, so that a large outbox holds up neither the link nor the samples; answered once all wait.
What was done is noted with its last piece: a request that comes again is answered again and not done again.
One that the process did not finish is not noted: asked again it is done from the start, at the cost of frames
sent twice.

Waveforms of that time that were retained are wished for from then on: `transmitting.py` releases them, and
those still to come, until the time is over. The wish stands on the disk.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from palier import ranges
from palier.ranges import Ranges
from palier.wire.messages import Replay, Replayed

from .outbox import Outbox, OutboxFullError

MAX_WAITING: Final = 16
"""Requests at a time, and those remembered. A host asks for one; who asks for more asks again."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Job:
    replay: Replay
    frames: int = 0
    above: int = 0


class Replays:
    """Used by the link's thread alone. `frames` counts those that wait again since the start."""

    def __init__(
        self,
        outbox: Outbox,
        now_ns: Callable[[], int] = time.time_ns,
        wished: Callable[[], None] = lambda: None,
    ) -> None:
        """`now_ns` is plant time; `wished` is told that retained waveforms may be wished for."""
        self.frames = 0
        self.wished = wished
        self._outbox = outbox
        self._now_ns = now_ns
        self._jobs: deque[_Job] = deque()

    def ask(self, replay: Replay) -> None:
        """Take a request. One that is being done already, or beyond the bound, is passed over."""
        known = any(job.replay.request == replay.request for job in self._jobs)
        if known or len(self._jobs) >= MAX_WAITING:
            return
        self._jobs.append(_Job(replay))
        log.info(
            "the host asks for the frames from %d to %d ns again (%s)",
            replay.start_ns,
            replay.end_ns,
            replay.request,
        )

    def work(self) -> tuple[Ranges, Replayed | None]:
        """Do a piece: frames of the outbox's epoch that wait again, and the answer once a request is done."""
        if not self._jobs:
            return (), None
        job = self._jobs[0]
        try:
            piece = self._outbox.replay(job.replay, above=job.above, before=job.frames, now_ns=self._now_ns())
        except OutboxFullError as error:
            self._jobs.popleft()
            log.error("the replay %s is given up: %s", job.replay.request, error)
            return (), None
        job.frames, job.above = piece.frames, piece.upto
        self.wished()
        self.frames += ranges.count(piece.again)
        if not piece.done:
            return piece.again, None
        self._jobs.popleft()
        log.info("%d frames wait to be sent again (%s)", piece.frames, job.replay.request)
        return piece.again, Replayed(job.replay.request, piece.epoch, piece.frames)
