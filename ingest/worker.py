"""The threads that work on batches, so that whoever decides goes on reading meanwhile.

One computes the features of a batch, the other owns the stores: it makes the batch durable, and keeps house
between two of them. So a batch is computed while the one before it waits for disk and server, and its own
waveforms become durable while its features are computed. Order is kept: each thread takes batches in the
order in which they were begun, and one that fails holds up all behind it until it is tried again.

An error that is no store's ends both threads, and is kept in `failure`: the process must end."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Final

from palier.historian.base import Unavailable

from .attempt import Attempt
from .batch import Batch, Committed, Computed, Outcome, StoreFailed
from .commit import Committer
from .housekeeping import Housekeeping

TICK_S: Final = 0.1  # how often timers, and the end, are looked at when there is nothing to do


class Worker:
    """Works on batches one after the other. `start`, `begin` each, `stop`; what becomes of them is told by
    `tell`, from its threads.
    """

    def __init__(
        self, committer: Committer, housekeeping: Housekeeping, tell: Callable[[Outcome], None]
    ) -> None:
        self.failure: BaseException | None = None
        self._committer = committer
        self._housekeeping = housekeeping
        self._tell = tell
        self._to_compute: queue.SimpleQueue[Attempt] = queue.SimpleQueue()
        self._to_store: queue.SimpleQueue[tuple[Attempt, float]] = queue.SimpleQueue()
        self._failed: Batch | None = None  # it waits to be tried again
        self._again = threading.Event()
        self._ended = threading.Event()
        self._since_s: dict[str, float] = {}  # since when a thread is at work on what it has in hand
        self._free_s = 0.0  # when the last batch became durable
        self._threads = [
            threading.Thread(target=self._run, args=(turn,), name=f"ingest-{name}", daemon=True)
            for name, turn in (("compute", self._compute), ("store", self._store))
        ]

    def start(self) -> None:
        """Begin to wait for batches."""
        for thread in self._threads:
            thread.start()

    def begin(self, batch: Batch) -> None:
        """Work on a batch behind all before it; or again on the one that failed."""
        if batch is self._failed:
            self._failed = None
            self._again.set()
            return
        attempt = self._committer.begin(batch)
        self._to_store.put((attempt, time.monotonic()))
        self._to_compute.put(attempt)

    def stop(self, timeout_s: float) -> bool:
        """End the threads behind what they are at; whether they have ended within the time."""
        self._ended.set()
        self._again.set()
        deadline_s = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline_s - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def alive(self) -> bool:
        """Whether both threads do their work; dead ones can't be revived: leave the process."""
        return self.failure is None and all(thread.is_alive() for thread in self._threads)

    @property
    def still_s(self) -> float:
        """How long the thread that is longest at its work has been at it; waiting for work is none."""
        now_s = time.monotonic()
        return max((now_s - since_s for since_s in self._since_s.copy().values()), default=0.0)

    def _run(self, turn: Callable[[], None]) -> None:
        name = threading.current_thread().name
        try:
            while not self._ended.is_set():
                turn()
                self._since_s.pop(name, None)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the process ends with it
            self.failure = error
            self._ended.set()
            self._again.set()

    def _at_work(self) -> None:
        self._since_s[threading.current_thread().name] = time.monotonic()

    def _compute(self) -> None:
        try:
            attempt = self._to_compute.get(timeout=TICK_S)
        except queue.Empty:
            return
        self._at_work()
        if self._committer.compute(attempt):
            self._tell(Computed(attempt.batch))

    def _store(self) -> None:
        try:
            attempt, begun_s = self._to_store.get(timeout=TICK_S)
        except queue.Empty:
            self._keep_house()
            return
        while not self._stored(attempt, begun_s):
            if self._ended.is_set():
                return
        self._keep_house()

    def _stored(self, attempt: Attempt, begun_s: float) -> bool:
        """One try to make a batch durable; whether it is."""
        self._at_work()
        try:
            self._committer.keep(attempt)
            while not attempt.computed.wait(TICK_S):
                if self._ended.is_set():
                    return False
            moved = self._committer.store(attempt)
        except Unavailable as error:
            self._wait_to_try_again(attempt.batch, error)
            return False
        now_s = time.monotonic()
        begun_s, self._free_s = max(begun_s, self._free_s), now_s
        if attempt.batch.ledgers:
            self._housekeeping.reported()
        recalls, said = tuple(attempt.recalls), attempt.found.said
        self._tell(Committed(attempt.batch, now_s - begun_s, moved, recalls, said))
        return True

    def _wait_to_try_again(self, batch: Batch, error: Unavailable) -> None:
        self._since_s.pop(threading.current_thread().name, None)
        self._again.clear()
        self._failed = batch
        self._tell(StoreFailed(str(error)))
        while not self._ended.is_set() and not self._again.wait(TICK_S):
            self._housekeeping.meanwhile()

    def _keep_house(self) -> None:
        self._at_work()
        self._housekeeping.turn(idle=self._to_store.empty())
