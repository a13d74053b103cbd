"""The free space of the disk under a data folder: who has to stop writing before it is full.

SQLite lets go of no row on a full disk, for that too is written first: the last of the space is never taken.
When it is short, waveforms are no longer kept (a block is stored when its features are). When it is almost
gone nothing is stored, the gateways keep their frames, and all goes on by itself once there is room."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Final

from .base import HistorianError, Unavailable

RESERVE_BYTES: Final = 2 * 1024**3
"""Left free for others by default: some hours of a busy plant's waveforms, in which somebody may act."""

LEAST_BYTES: Final = 192 * 1024**2
"""Below this nothing is stored: the write-ahead logs of historian and records (64 MiB each) need it to let go
of rows, and the records need it to tell people."""

LOOK_S: Final = 1.0  # a look at the disk holds for so long: a commit takes milliseconds
AGAIN: Final = 1.1
"""Waveforms are kept again, and all else is stored again, when so much more is free: not by turns."""


class NotKept(HistorianError):
    """The disk is short: this waveform is not kept, all else goes on."""


class Level(IntEnum):
    """How short the disk is."""

    ROOM = 0
    SHORT = 1
    FULL = 2


class Space:
    """How much is free under a folder. `check` from one thread, `level` and `free_bytes` from any."""

    def __init__(
        self,
        folder: Path,
        reserve_bytes: int = RESERVE_BYTES,
        *,
        free: Callable[[Path], int] | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`reserve_bytes` is left to others; of a small one a tenth is left in any case."""
        self.reserve_bytes = reserve_bytes
        self.least_bytes = min(LEAST_BYTES, reserve_bytes // 2)
        self._folder = folder
        self._free = free or _free
        self._monotonic_s = monotonic_s
        self._looked_s = float("-inf")
        self._free_bytes = 0
        self._level = Level.ROOM

    @property
    def free_bytes(self) -> int:
        """What is free, as of less than a second ago."""
        self._look()
        return self._free_bytes

    @property
    def level(self) -> Level:
        """How short it is."""
        self._look()
        return self._level

    def check(self) -> None:
        """Raises Unavailable where nothing may be stored, NotKept where no waveform may."""
        match self.level:
            case Level.FULL:
                raise Unavailable(
                    f"the disk of {self._folder} has {self._free_bytes // 2**20} MiB left, less than the "
                    f"{self.least_bytes // 2**20} MiB that must stay free: nothing is stored until there is "
                    "room, the gateways keep their frames; free some space"
                )
            case Level.SHORT:
                raise NotKept(
                    f"the disk of {self._folder} has {self._free_bytes // 2**20} MiB left, less than the "
                    f"{self.reserve_bytes // 2**20} MiB of free_space_bytes: waveforms are not kept"
                )

    def _look(self) -> None:
        now_s = self._monotonic_s()
        if now_s - self._looked_s < LOOK_S:
            return
        self._looked_s = now_s
        try:
            free = self._free(self._folder)
        except OSError:  # what is the matter with the disk the next write says better
            return
        self._free_bytes = free
        short = self.reserve_bytes * (AGAIN if self._level is not Level.ROOM else 1)
        full = self.least_bytes * (AGAIN if self._level is Level.FULL else 1)
        self._level = Level.FULL if free < full else Level.SHORT if free < short else Level.ROOM


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free
