"""From sources to the outbox: a thread for each source, and one that commits what they yield.

Frames wait for the disk in a short queue; while one commit is on its way, what arrives makes the next, so
that a slow card costs one fsync for many frames. When the queue is full a source waits: nothing is ever
thrown away between a source and the outbox.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Final

from palier.frames import Frame
from palier.source import PatientSource, Source

from .outbox import Kept, Outbox, OutboxFullError

QUEUE_FRAMES: Final = 16  # of 4 MiB at most: 64 MB in the worst case, 0.4 MB of ordinary blocks
DISK_RETRY_S: Final = 1.0
SOURCE_RETRY_S: Final = (1.0, 60.0)  # first and longest pause after a source failed
FEW_WAITING: Final = 64  # frames at the link: a batch of the host's, and the next one already on its way
PATIENCE_S: Final = 0.02  # between two looks whether few wait: a host commits a batch in about this time

log = logging.getLogger(__name__)


class Recorder:
    """Commits frames. `put` from the sources' threads, `start` and `stop` from the service."""

    def __init__(self, outbox: Outbox, kept: Callable[[Kept], None]) -> None:
        """`kept` is called, in the recorder's thread, after each commit."""
        self.refused = 0
        self.disk_refusals = 0
        self._outbox = outbox
        self._kept = kept
        self._queue: queue.Queue[Frame] = queue.Queue(QUEUE_FRAMES)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def put(self, frame: Frame, stop: threading.Event) -> bool:
        """Queue a frame; waits while the queue is full. False when `stop` was set before there was room."""
        while not stop.is_set():
            try:
                self._queue.put(frame, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def stop(self, timeout_s: float = 10.0) -> None:
        """Commit what is queued, then end. Sources must have ended before."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def idle(self) -> bool:
        """Whether everything put is committed."""
        return self._queue.unfinished_tasks == 0

    def _run(self) -> None:
        while not (self._stop.is_set() and self._queue.empty()):
            try:
                batch = [self._queue.get(timeout=0.1)]
            except queue.Empty:
                continue
            while len(batch) < QUEUE_FRAMES and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            self._commit(batch)
            for _ in batch:
                self._queue.task_done()

    def _commit(self, batch: Sequence[Frame]) -> None:
        """Until the disk takes it; at a stop one try more, for the process must end."""
        while True:
            ending = self._stop.is_set()
            try:
                kept = self._outbox.put(batch)
            except OutboxFullError as error:
                self.disk_refusals += 1
                log.error("%s", error)
                if ending:
                    log.error("%d frames are lost: the disk did not take them before the stop", len(batch))
                    return
                self._stop.wait(DISK_RETRY_S)
                continue
            self._note_refused(kept.refused)
            self._kept(kept)
            return

    def _note_refused(self, refused: int) -> None:
        if refused:
            self.refused += refused
            log.error("%d frames refused: larger than a message may be; use shorter blocks", refused)


class SourceThread:
    """Runs one source to its end, and opens it again after a failure. `waiting` counts frames at the link."""

    def __init__(
        self,
        name: str,
        first: Source,
        reopen: Callable[[], Source],
        recorder: Recorder,
        waiting: Callable[[], int] = lambda: 0,
    ) -> None:
        self.failures = 0
        self.ended = False
        self._yielded = False
        self._name = name
        self._source = first
        self._reopen = reopen
        self._recorder = recorder
        self._waiting = waiting
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"source {name}", daemon=True)

    def start(self) -> None:
        """Begin to sample."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the source to end."""
        self._stop.set()

    def join(self, timeout_s: float = 5.0) -> None:
        """Wait for the end."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        pause_s = SOURCE_RETRY_S[0]
        while not self._stop.is_set():
            self._yielded = False
            try:
                self._run_once()
                self.ended = True
                return
            except Exception:  # a driver may raise anything; the other sources go on
                self.failures += 1
                if self._yielded:  # it worked meanwhile: a new failure, not the same one again
                    pause_s = SOURCE_RETRY_S[0]
                log.exception("source %s failed; opening it again in %g s", self._name, pause_s)
            self._stop.wait(pause_s)
            pause_s = min(2 * pause_s, SOURCE_RETRY_S[1])
            self._try_reopen()

    def _run_once(self) -> None:
        for frame in self._source.frames(self._stop):
            self._yielded = True
            if not self._recorder.put(frame, self._stop):
                break
            if isinstance(self._source, PatientSource) and self._source.patient:
                self._let_others_go()

    def _let_others_go(self) -> None:
        """Wait while many frames wait for the host: they go newest first, so these would overtake."""
        while self._waiting() >= FEW_WAITING and not self._stop.wait(PATIENCE_S):
            pass

    def _try_reopen(self) -> None:
        try:
            self._source = self._reopen()
        except Exception:  # as above; the next round tries the old one and comes back here
            log.exception("source %s can't be opened", self._name)
