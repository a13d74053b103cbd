"""What every driver of a sensor gives: bursts of samples, as they come out of its FIFO or buffer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

SampleType = Literal["int16", "int32", "float32"]


@dataclass(frozen=True, slots=True, eq=False)
class Burst:
    """Samples that follow one another without a gap: `samples` is (n_channels, n) int16, int32 or float32.

    `end_s` is the monotonic second (`time.monotonic`) at which the last of them was there. `overrun`: between
    the burst before and this one samples were lost, so the two are never joined. The array belongs to the
    receiver: a driver never writes into it again.
    """

    samples: npt.NDArray[np.generic]
    end_s: float
    overrun: bool = False


class Driver(Protocol):
    """One sensor or board. Made from its table without touching the device; `open` touches it first.

    The facts are there before `open`: they are announced at birth, also of a device that does not answer.
    """

    @property
    def name(self) -> str:
        """What and where, for people: "IIS3DWB on SPI 0.0"."""
        ...

    @property
    def address(self) -> str | None:
        """What two sources can't share ("spi 0.0", "i2c 1 0x53"); None where sharing is well."""
        ...

    @property
    def fs_nominal_hz(self) -> float:
        """Samples a second by the data sheet; the true rate is measured."""
        ...

    @property
    def n_channels(self) -> int:
        """Rows of a burst."""
        ...

    @property
    def dtype(self) -> SampleType:
        """Type of the samples of every burst."""
        ...

    @property
    def scale(self) -> tuple[float, ...]:
        """One number a channel: samples * scale is in `unit`."""
        ...

    @property
    def unit(self) -> str:
        """Unit of the scaled samples: "g", "m/s²" ..."""
        ...

    @property
    def full_scale(self) -> float | tuple[float, ...] | None:
        """Largest value that it can give, in `unit`, of all channels or of each; None where unknown."""
        ...

    @property
    def doubts(self) -> tuple[str, ...]:
        """What is said at the start, a sentence each: what this sensor can't be used for."""
        ...

    def open(self) -> None:
        """Find the device, check that it is the right one, set it up.

        Raises OSError with a sentence: what, what it must be, what it was, what to do.
        """
        ...

    def close(self) -> None:
        """Let it go. Never raises; may be called twice, and without `open`."""
        ...

    def self_test(self) -> str | None:
        """The sensor's own test, before the bursts: None where it is passed or there is none.

        Else the sentence that says what was wrong. Raises OSError where the device is gone.
        """
        ...

    def bursts(self, stop: threading.Event) -> Iterator[Burst]:
        """Bursts from now on, until `stop`; waits on `stop`, some milliseconds at a time.

        Raises OSError with a sentence when the device is gone or gives nonsense.
        """
        ...
