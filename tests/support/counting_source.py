"""A driver for the fault tests: numbered blocks at a steady pace, each of a content that its number alone
decides, so that what a store holds can be told from what never was.

    [[source]]
    type = "counting"
    rate = 150.0               # blocks a second, of all points together
    points = 30                # each of them is sampled without a gap
    samples = 12500            # int16: 25 kB
    machine = "gw-1"           # P0 to P29 are gw-1-0/0 to gw-1-5/4, five points a machine
    begin_mono_ns = 1          # block 0 begins at this monotonic time, and at this plant time:
    begin_ns = 1
    journal_file = "a.journal" # eight bytes a block, written before it is handed over
    end_file = "a.end"         # once this file is there the source has no more
    dated = "begin"            # or "clock": by the plant clock at the moment, which a test may let jump

A process that was away goes on with the number of the moment: what nobody sampled was not acquired.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from palier.clock import PlantClock
from palier.frames import Frame, Waveform
from palier.source import ChannelBirth, Device

Samples = npt.NDArray[np.int16]

POINTS_OF_A_MACHINE: Final = 5
CHANNEL: Final = "h"
UNIT: Final = "m/s²"
SCALE: Final = 0.001
BEHIND_S: Final = 1.0
"""A sampling card's own memory: who is later than this has missed what came before."""

NUMBER_AT: Final = 4
"""The first four samples hold the block's number, 15 bits each."""

_NOISE: Final = np.random.default_rng(8).integers(-900, 900, 1 << 17).astype("<i2")


def content(number: int, samples: int) -> Samples:
    """The samples of a block, (samples,)."""
    offset = number * 7919 % (_NOISE.size - samples)
    made = _NOISE[offset : offset + samples].copy()
    made[:NUMBER_AT] = [number >> 15 * i & 0x7FFF for i in range(NUMBER_AT)]
    return made


def number_in(samples: npt.NDArray[np.generic]) -> int:
    """The number that these samples claim."""
    return sum((int(word) & 0x7FFF) << 15 * i for i, word in enumerate(samples[:NUMBER_AT]))


def speed_rpm(number: int) -> float:
    """The speed that is sent with a block: a second mark of its number, kept in another store."""
    return 1000.0 + number % 997


def place(number: int, points: int, machine: str) -> tuple[str, str]:
    """Machine and point of a block."""
    point = number % points
    return f"{machine}-{point // POINTS_OF_A_MACHINE}", str(point % POINTS_OF_A_MACHINE)


@dataclass(frozen=True, slots=True)
class Pace:
    """When which block is taken."""

    rate: float
    points: int
    samples: int
    begin_mono_ns: int
    begin_ns: int

    @property
    def block_s(self) -> float:
        """Length of a block."""
        return self.points / self.rate

    @property
    def fs_hz(self) -> float:
        """Its sampling rate."""
        return self.samples / self.block_s

    def begins_s(self, number: int) -> float:
        """When a block begins, after the beginning of all."""
        return number / self.rate

    def newest(self, mono_ns: int) -> int:
        """The newest block that is complete by now; -1 where there is none."""
        return int(((mono_ns - self.begin_mono_ns) / 1e9 - self.block_s) * self.rate)


class CountingSource:
    """See the module."""

    def __init__(self, options: Mapping[str, Any], clock: PlantClock) -> None:
        self._pace = Pace(
            float(options["rate"]),
            int(options["points"]),
            int(options["samples"]),
            int(options["begin_mono_ns"]),
            int(options["begin_ns"]),
        )
        self._machine = str(options["machine"])
        self._journal = Path(options["journal_file"])
        self._end = Path(options["end_file"])
        self._clock = clock if options.get("dated") == "clock" else None

    def devices(self) -> tuple[Device, ...]:
        """Each machine with its points."""
        places: dict[str, list[ChannelBirth]] = {}
        for number in range(self._pace.points):
            machine, point = place(number, self._pace.points, self._machine)
            channel = ChannelBirth(f"{point}/{CHANNEL}", UNIT, "int16", SCALE, self._pace.fs_hz)
            places.setdefault(machine, []).append(channel)
        return tuple(Device(machine, tuple(channels)) for machine, channels in places.items())

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """The blocks that are complete, one after the other."""
        journal = os.open(self._journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            number = max(0, self._pace.newest(time.monotonic_ns()))
            while not self._end.exists():
                newest = self._pace.newest(time.monotonic_ns())
                if newest < number:
                    if stop.wait(1 / self._pace.rate):
                        return
                    continue
                number = max(number, newest - round(BEHIND_S * self._pace.rate))
                os.write(journal, number.to_bytes(8, "little"))
                yield self._frame(number)
                number += 1
        finally:
            os.close(journal)

    def _frame(self, number: int) -> Waveform:
        machine, point = place(number, self._pace.points, self._machine)
        start_ns = self._pace.begin_ns + round(self._pace.begins_s(number) * 1e9)
        if self._clock is not None:
            start_ns = self._clock.now_ns() - round(self._pace.block_s * 1e9)
        return Waveform(
            machine=machine,
            point=point,
            channels=(CHANNEL,),
            samples=content(number, self._pace.samples)[np.newaxis],
            scale=(SCALE,),
            unit=(UNIT,),
            fs_hz=self._pace.fs_hz,
            start_ns=start_ns,
            speed_rpm=speed_rpm(number),
        )


def open_source(options: Mapping[str, Any], clock: PlantClock) -> CountingSource:
    """The entry point."""
    return CountingSource(options, clock)


def journal_numbers(journal: Path) -> list[int]:
    """What the source has handed over, in its order."""
    if not journal.exists():
        return []
    raw = journal.read_bytes()
    return [int(n) for n in np.frombuffer(raw[: len(raw) // 8 * 8], "<u8")]
