"""A source at work: in a thread of its own, watched, opened again when it fails or falls silent.

A driver that hangs can't be ended from outside. Its thread is given up: what it may still yield is thrown
away, the source is opened again in a new thread, and the others notice nothing. After `MAX_GIVEN_UP` hanging
threads no more are started for this source: then only a new process can help (`progress.py`).
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from palier.frames import Frame, Readings
from palier.source import HeedingSource, LivelySource, PatientSource, Source, Standing, TellingSource
from palier.wire.said import cut, said

from .process_values import Takes

MOST_LETTERS: Final = 300
"""Of a sentence of a source: a driver's words may be long."""

RETRY_S: Final = (1.0, 60.0)  # first and longest pause after a source failed
SILENT_S: Final = 600.0
"""A source that gives nothing for so long hangs, as far as one can tell before its pace is known. One that
gives an hourly block says so by `timeout_s`, or is found out: the time doubles each time."""

LIVELY_SILENT_S: Final = 30.0  # of one that hears its sensor many times a second
SLOWER: Final = 10.0  # times its longest pause so far: then it hangs, where that is more than the above
LONGEST_S: Final = 86_400.0
MAX_GIVEN_UP: Final = 3
FEW_WAITING: Final = 64  # frames at the link: a batch of the host's, and the next one already on its way
PATIENCE_S: Final = 0.02  # between two looks whether few wait: a host commits a batch in about this time

log = logging.getLogger(__name__)


class _Turn:
    """One thread's time with the source; `since_s` is when it went into the driver, None outside of it."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.since_s: float | None = None
        self.given_up = False
        self.yielded = False
        self.thread: threading.Thread | None = None
        self.source: Source | None = None  # that is played


class SourceThread:
    """Runs one source to its end. `waiting` counts frames at the link; `look` is called about each second."""

    def __init__(
        self,
        name: str,
        first: Source | None,
        reopen: Callable[[], Source],
        recorder: Takes,
        waiting: Callable[[], int] = lambda: 0,
        *,
        told: Callable[[Readings], None] = lambda _readings: None,
        standing: Callable[[str], Standing] = lambda _machine: Standing(),
        timeout_s: float | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`first` is None where the source could not be opened at the start: it is tried again. `told` takes
        what a source hears between the frames it yields, `standing` says what the host told of a machine.
        """
        self.name = name
        self.failures = 0
        self.timeouts = 0
        self.ended = False
        self.frames = 0
        self._problem = ""  # a failure of the driver, or its silence
        self._first = first
        self._reopen = reopen
        self._recorder = recorder
        self._waiting = waiting
        self._told = told
        self._standing = standing
        self._timeout_s = timeout_s
        self._monotonic_s = monotonic_s
        self._longest_s = 0.0
        self._failed_s = 0.0
        self._in_a_row = 0  # time-outs without a frame in between
        self._given_up: list[_Turn] = []
        self._turn = _Turn()
        self._stopped = False
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to sample."""
        self._begin(self._first)

    def stop(self) -> None:
        """Ask the source to end."""
        with self._lock:
            self._stopped = True
            self._turn.stop.set()

    def join(self, timeout_s: float = 5.0) -> None:
        """Wait for the end."""
        thread = self._turn.thread
        if thread is not None and thread.ident is not None:
            thread.join(timeout_s)

    @property
    def source(self) -> Source | None:
        """What is played, or was last; None before it could be opened."""
        return self._turn.source

    @property
    def pace_s(self) -> float:
        """Its longest pause between two frames, the one that is on included; endless before the second."""
        since_s = self._turn.since_s
        waited_s = 0.0 if since_s is None else self._monotonic_s() - since_s
        return math.inf if self.frames < 2 else max(self._longest_s, waited_s)

    @property
    def problem(self) -> str:
        """What is wrong with it now, a sentence; a source that mends itself says it in its own words."""
        own = str(getattr(self._turn.source, "problem", ""))
        return self._problem or (self._says(own) if own else "")

    @property
    def notes(self) -> tuple[str, ...]:
        """What a human should know of it, a sentence each, as the source itself says."""
        return tuple(self._says(note) for note in getattr(self._turn.source, "notes", ()))

    def _says(self, sentence: str) -> str:
        return cut(said("source_says", source=self.name, why=sentence), MOST_LETTERS)

    @property
    def lost(self) -> tuple[int, int]:
        """Gaps in what its sensor gave and samples that are missing there, since it was opened last."""
        gaps = getattr(self._turn.source, "gaps", None)
        return (0, 0) if gaps is None else (gaps.count, gaps.samples)

    @property
    def allowed_s(self) -> float:
        """How long it may be silent before it counts as hanging."""
        if isinstance(self._turn.source, LivelySource):
            longest = self._timeout_s or LIVELY_SILENT_S
        else:
            longest = max(self._timeout_s or SILENT_S, SLOWER * self._longest_s)
        return float(min(longest * 2**self._in_a_row, max(LONGEST_S, longest)))

    @property
    def hopeless(self) -> bool:
        """Whether so many of its threads hang that no more are started."""
        return (
            sum(turn.thread is not None and turn.thread.is_alive() for turn in self._given_up) >= MAX_GIVEN_UP
        )

    def look(self) -> None:
        """Give a hanging thread up, and begin anew."""
        turn, now = self._turn, self._monotonic_s()
        if turn.given_up and not self.hopeless:  # one of them came back after all
            self._begin(None)
            return
        since_s = self._heard(turn)
        if since_s is None or self.ended or now - since_s <= self.allowed_s or self.hopeless:
            return
        with self._lock:
            if self._stopped:
                return
            self._problem = said("source_hangs", source=self.name, seconds=round(now - since_s))
            turn.given_up = True
            turn.stop.set()
            self._given_up = [old for old in self._given_up if old.thread and old.thread.is_alive()] + [turn]
            self._failed_s = now
            self.timeouts += 1
            self._in_a_row += 1
        if self.hopeless:
            log.critical("%s; %d of its threads hang", self.problem, len(self._given_up))
            return
        log.error("%s; opening it again, and waiting up to %.0f s", self.problem, self.allowed_s)
        self._begin(None)

    def _heard(self, turn: _Turn) -> float | None:
        """Since when nothing was heard of a driver that is at work; None where it is not."""
        since_s, source = turn.since_s, turn.source
        if since_s is None or not isinstance(source, LivelySource) or source.beat_s is None:
            return since_s
        if self._problem and source.beat_s > self._failed_s:
            self._problem = ""  # it works again, though its next block may be an hour away
        return max(since_s, source.beat_s)

    def _begin(self, source: Source | None) -> None:
        turn = _Turn()
        turn.thread = threading.Thread(
            target=self._run, args=(turn, source), name=f"source {self.name}", daemon=True
        )
        with self._lock:
            if self._stopped:
                return
            self._turn = turn
        turn.thread.start()

    def _run(self, turn: _Turn, source: Source | None) -> None:
        pause_s = RETRY_S[0]
        while not turn.stop.is_set():
            turn.yielded = False
            try:
                if source is None:
                    with self._inside(turn):
                        source = self._reopen()
                self._play(turn, source)
            except Exception as error:  # a driver may raise anything  # noqa: BLE001
                if turn.given_up:
                    return
                if turn.yielded:  # it worked meanwhile: a new failure, not the same one again
                    pause_s = RETRY_S[0]
                self._note_failure(error, pause_s)
            else:
                self.ended = not turn.given_up
                return
            turn.stop.wait(pause_s)
            pause_s, source = min(2 * pause_s, RETRY_S[1]), None

    def _note_failure(self, error: Exception, pause_s: float) -> None:
        self.failures += 1
        self._failed_s = self._monotonic_s()
        kind, why = type(error).__name__, str(error)
        self._problem = cut(said("source_fails", source=self.name, kind=kind, why=why), MOST_LETTERS)
        # An OSError is a sentence about a device; only what a driver did not mean has a place in its code.
        where = None if isinstance(error, OSError) else error
        log.error("%s; opening it again in %g s", self._problem, pause_s, exc_info=where)

    def _play(self, turn: _Turn, source: Source) -> None:
        turn.source = source
        if isinstance(source, TellingSource):
            source.tell(self._told)
        if isinstance(source, HeedingSource):
            source.heed(self._standing)
        patient = isinstance(source, PatientSource) and source.patient
        can_wait = patient or bool(getattr(source, "can_wait", False))
        frames = source.frames(turn.stop)
        while (frame := self._next(turn, frames)) is not None:
            if not self._recorder.put(frame, turn.stop, can_wait=can_wait):
                break
            if patient:
                self._let_others_go(turn)

    def _next(self, turn: _Turn, frames: Iterator[Frame]) -> Frame | None:
        """The next frame of a turn that still counts; None at the end."""
        began_s = self._monotonic_s()
        with self._inside(turn):
            frame = next(frames, None)
        if frame is None or turn.given_up:
            return None
        if turn.yielded:
            self._longest_s = max(self._longest_s, self._monotonic_s() - began_s)
        turn.yielded, self._problem, self._in_a_row = True, "", 0
        self.frames += 1
        return frame

    @contextmanager
    def _inside(self, turn: _Turn) -> Iterator[None]:
        """While in the driver's code the thread is watched."""
        turn.since_s = self._monotonic_s()
        try:
            yield
        finally:
            turn.since_s = None

    def _let_others_go(self, turn: _Turn) -> None:
        """Wait while many frames wait for the host: they go newest first, so these would overtake."""
        while self._waiting() >= FEW_WAITING and not turn.stop.wait(PATIENCE_S):
            pass
