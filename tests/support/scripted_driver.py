"""A driver that plays bursts it was given, as fast as they are taken."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import numpy as np

from edge_agent.sensors.bursts import Burst, SampleType

FS_HZ = 3200.0


def ramp(first: int, n: int) -> np.ndarray[tuple[int, int], np.dtype[np.int16]]:
    """(3, n) counts; the first row numbers the samples."""
    rows = np.stack([np.arange(first, first + n) % 30_000, np.arange(n) * 37 % 2001, np.full(n, 100)])
    return rows.astype(np.int16)


class ScriptedDriver:
    """Three channels of int16. `error` is raised after the bursts; without one it waits for the stop."""

    name = "scripted sensor"
    address: str | None = "spi 9.9"
    n_channels = 3
    dtype: SampleType = "int16"
    scale = (0.001, 0.001, 0.001)
    unit = "g"
    full_scale: float | None = 16.0
    doubts: tuple[str, ...] = ()

    def __init__(
        self,
        bursts: Sequence[Burst] = (),
        *,
        error: Exception | None = None,
        failed_test: str | None = None,
        fs_hz: float = FS_HZ,
    ) -> None:
        self.fs_nominal_hz = fs_hz
        self.opened = self.closed = 0
        self._bursts = bursts
        self._error = error
        self._failed_test = failed_test

    def open(self) -> None:
        self.opened += 1

    def close(self) -> None:
        self.closed += 1

    def self_test(self) -> str | None:
        return self._failed_test

    def bursts(self, stop: threading.Event) -> Iterator[Burst]:
        yield from self._bursts
        if self._error is not None:
            raise self._error
        stop.wait()


def bursts(
    end_s: float, seconds: float, *, fs_hz: float = FS_HZ, each: int = 320, gap_at: int | None = None
) -> list[Burst]:
    """Bursts of `each` samples that end at monotonic `end_s`. `gap_at`: that one is missing."""
    count = int(seconds * fs_hz / each)
    began_s = end_s - count * each / fs_hz
    made = []
    for place in range(count):
        if place == gap_at:
            continue
        at_s = began_s + (place + 1) * each / fs_hz
        made.append(Burst(ramp(place * each, each), at_s, overrun=gap_at is not None and place == gap_at + 1))
    return made
