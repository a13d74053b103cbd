"""From sources to the outbox: the thread that commits what they yield.

While one commit is on its way, what arrives makes the next, so that a slow card costs one fsync for many
frames. A disk that refuses is tried again; until it takes frames they wait in memory (`intake.py`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from palier.frames import Frame

from .intake import Intake
from .outbox import Kept, OutboxFullError

DISK_RETRY_S: Final = 1.0
TURN_S: Final = 0.1  # how long it waits for a frame before it comes round

log = logging.getLogger(__name__)


class Keeps(Protocol):
    """What frames are committed to: the outbox, or what dates them before it."""

    def put(self, frames: Sequence[Frame], *, lost: int) -> Kept:
        """As `Outbox.put`."""
        ...


class Recorder:
    """Commits frames. `put` from the sources' threads, `start` and `stop` from the service."""

    def __init__(
        self, outbox: Keeps, kept: Callable[[Kept], None], between: Callable[[], None] = lambda: None
    ) -> None:
        """`kept` is called after each commit, `between` each time the thread comes round; both in it."""
        self.intake = Intake()
        self.refused = 0
        self.disk_refusals = 0
        self.committed = 0
        self.beat_s = time.monotonic()  # when it last came round
        self._outbox = outbox
        self._kept = kept
        self._between = between
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def put(self, frame: Frame, stop: threading.Event, *, can_wait: bool = False) -> bool:
        """Queue a frame; False when `stop` was set before there was room."""
        return self.intake.put(frame, stop, can_wait=can_wait)

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
        return self.intake.waiting == 0

    def _run(self) -> None:
        while not (self._stop.is_set() and self.idle):
            self.beat_s = time.monotonic()
            if self._turn():
                self._between()
                continue
            if self._stop.is_set():  # one try after the stop: the process must end
                self._note_lost()
                return
            self._stop.wait(DISK_RETRY_S)

    def _turn(self) -> bool:
        """Commit what came, if anything did; False where the disk refused it. Of the frames, which may be all
        that the memory has room for, nothing is left in hand when it returns."""
        batch, lost = self.intake.take(TURN_S)
        return not batch or self._commit(batch, lost)

    def _commit(self, batch: list[Frame], lost: int) -> bool:
        count = len(batch)
        try:
            kept = self._outbox.put(batch, lost=lost)
        except OutboxFullError as error:
            self._note_refusal(error)
            self.intake.back(batch)
            return False
        if self.intake.refusing:
            log.info("the disk takes frames again; %d were lost", self.intake.lost)
        batch.clear()  # before a source that waits for it samples on
        self.intake.done(lost)
        self.committed += count
        self._note_refused(kept.refused)
        self._kept(kept)
        return True

    def _note_refusal(self, error: OutboxFullError) -> None:
        self.disk_refusals += 1
        if not self.intake.refusing:
            log.error("%s; frames are kept in memory meanwhile", error)

    def _note_refused(self, refused: int) -> None:
        if refused:
            self.refused += refused
            log.error("%d frames refused: larger than a message may be; use shorter blocks", refused)

    def _note_lost(self) -> None:
        lost = self.intake.waiting + self.intake.untold  # neither is in the ledger
        log.error("%d frames are lost: the disk did not take them before the stop", lost)
