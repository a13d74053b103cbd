"""What sensors with a FIFO have in common: they are emptied in time, and found out when they fall silent."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt

from .bursts import Burst
from .bus import Registers, must_be
from .registers import Chip

SILENT_S: Final = 0.25
"""Without a sample for so long, and it is asked whether it is still there. Garbage for a moment is a
contactor nearby; for so long it is a wire."""


class Garbage(Exception):
    """What a FIFO gave can't be samples; the sentence says why."""


class FifoSensor(ABC):
    """The part of a `Driver` that is alike. A subclass says how one is set up, begun and emptied."""

    chip: ClassVar[Chip]

    def __init__(
        self,
        registers: Registers,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._registers = registers
        self._monotonic_s = monotonic_s
        self._pause = pause

    @property
    def name(self) -> str:
        """What and where."""
        return f"{self.chip.name} on {self._registers.name}"

    @property
    def address(self) -> str:
        """What no two sources can share."""
        return self._registers.address

    @property
    def n_channels(self) -> int:
        """Three axes."""
        return 3

    @property
    def unit(self) -> str:
        """As the data sheets have it."""
        return "g"

    @property
    def doubts(self) -> tuple[str, ...]:
        """Nothing, mostly."""
        return ()

    @property
    @abstractmethod
    def interval_s(self) -> float:
        """Seconds between two emptyings."""

    def open(self) -> None:
        """Find it, reset it, set it up. Raises OSError with a sentence."""
        self._registers.open()
        must_be(self.chip, self._registers)
        self._set_up()

    def close(self) -> None:
        """Let the bus go."""
        self._registers.close()

    def bursts(self, stop: threading.Event) -> Iterator[Burst]:
        """What the FIFO holds, each `interval_s`. Raises OSError with a sentence when it is gone."""
        self._begin()
        heard_s, torn = self._monotonic_s(), False
        while not stop.wait(self.interval_s):
            try:
                burst = self._drain()
            except Garbage as garbage:
                torn = True
                if self._monotonic_s() - heard_s > SILENT_S:
                    raise OSError(self._garbage_text(garbage)) from None
                continue
            if burst is not None:
                heard_s = burst.end_s
                yield Burst(burst.samples, burst.end_s, overrun=True) if torn else burst
                torn = False
            elif self._monotonic_s() - heard_s > SILENT_S:
                raise OSError(self._silence_text())

    @abstractmethod
    def _set_up(self) -> None:
        """Reset and set up, all but the FIFO running."""

    @abstractmethod
    def _begin(self) -> None:
        """Empty the FIFO and let it run."""

    @abstractmethod
    def _drain(self) -> Burst | None:
        """What it holds now; None where nothing. Raises Garbage, and OSError where the bus fails."""

    def _silence_text(self) -> str:
        """Why there are no samples. Raises OSError where the device is no longer there."""
        must_be(self.chip, self._registers)
        return (
            f"{self.name} answers and samples no more: it lost its power for a moment and forgot its "
            "settings; check the supply and the plug"
        )

    def _garbage_text(self, garbage: Garbage) -> str:
        must_be(self.chip, self._registers)
        return (
            f"{self.name} gives garbage: {garbage}; shorten the wires, twist them with ground, or lower "
            "the clock of the bus"
        )


def from_words(raw: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """(n, channels) as it lay in a FIFO to (channels, n), in memory of its own."""
    return np.ascontiguousarray(raw.T)
