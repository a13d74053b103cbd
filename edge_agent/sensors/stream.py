"""A driver at work in a thread of its own: nothing that is done with its samples makes it late.

A FIFO is full after some 10 to 20 ms, and a commit to a card takes longer. So the thread that empties the
FIFO does nothing else, and what it has read waits in memory for who cuts it into blocks.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from palier.wire.said import said

from .bursts import Burst, Driver

HELD_S: Final = 8.0
"""Seconds of samples that may wait: a recorder that waits for its disk gives up after five."""

LOWEST_REAL_TIME: Final = 1
SWITCH_S: Final = 0.001
GATHER_S: Final = 0.1
"""Bursts of so long are taken at once: a hundred calls a second for each sensor become ten."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Bursts that follow one another, joined: `samples` (n_channels, n), which ended at `end_s`."""

    samples: npt.NDArray[np.generic]
    end_s: float
    overrun: bool  # samples are missing before the first
    marks: tuple[tuple[int, float], ...]  # (samples of it, monotonic second at which they were there)


class Stream:
    """`start`, `take` until it raises what the driver raised, `end`. One thread takes."""

    def __init__(self, driver: Driver) -> None:
        self.beat_s = time.monotonic()  # when the driver last gave something
        self._driver = driver
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._done = False
        self._bursts: deque[Burst] = deque()
        self._held = 0
        self._room = int(HELD_S * driver.fs_nominal_hz)
        self._lost = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"reading {driver.name}", daemon=True)

    def start(self) -> None:
        """Begin to read. The driver is open."""
        self._thread.start()

    def take(self, stop: threading.Event) -> list[Stretch]:
        """What came meanwhile, after a wait of `GATHER_S`; then raises what ended the driver."""
        stop.wait(GATHER_S)
        with self._lock:
            bursts, self._held = list(self._bursts), 0
            self._bursts.clear()
            done = self._done
        if done and not bursts:
            if self._error is not None:
                raise self._error
            raise OSError(said("no_more_samples", name=self._driver.name))
        return join(bursts)

    def end(self) -> None:
        """Wait until the driver let go. One that hangs keeps the caller: nobody can end it from outside."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        go_first()
        try:
            for burst in self._driver.bursts(self._stop):
                self.beat_s = time.monotonic()
                self._keep(burst)
        except BaseException as error:  # raised where the samples are taken  # noqa: BLE001
            self._error = error
        finally:
            self._driver.close()
            self._done = True

    def _keep(self, burst: Burst) -> None:
        n_samples = burst.samples.shape[1]
        with self._lock:
            if self._held + n_samples > self._room:  # nobody takes them: a gap, told at the next one
                self._lost = True
                return
            if self._lost:
                burst, self._lost = replace(burst, overrun=True), False
            self._bursts.append(burst)
            self._held += n_samples


def go_first() -> None:
    """Let the calling thread run before all that is not as urgent, where the system lets it.

    It works for a quarter of a millisecond in five. Without it a machine of two busy cores wakes it up to
    6 ms late, with it up to 2. `LimitRTPRIO=1` of its unit allows it, and Linux has it. The process's other
    threads hand over Python's lock after 1 ms and not after 5.
    """
    sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_S))
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(LOWEST_REAL_TIME))


def join(bursts: list[Burst]) -> list[Stretch]:
    """Bursts as stretches without a gap inside."""
    runs: list[list[Burst]] = []
    for burst in bursts:
        if burst.overrun or not runs:
            runs.append([])
        runs[-1].append(burst)
    return [_joined(run) for run in runs]


def _joined(run: list[Burst]) -> Stretch:
    samples = run[0].samples if len(run) == 1 else np.concatenate([burst.samples for burst in run], axis=1)
    marks, n_samples = [], 0
    for burst in run:
        n_samples += burst.samples.shape[1]
        marks.append((n_samples, burst.end_s))
    return Stretch(samples, run[-1].end_s, run[0].overrun, tuple(marks))
