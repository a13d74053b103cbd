"""A module `daqhats` as version 1.4.1.0 has it, with boards that sample by a clock one hands in.

Names, arguments, results and errors are those of its documentation and source; so is what surprises in it:
a board that was pulled off goes on *running*, a scan that overran must be cleaned up, and
`a_in_scan_read_numpy(0, ...)` is a TypeError.
"""

from __future__ import annotations

import time
from collections import namedtuple
from collections.abc import Callable
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

Signal = Callable[[int, npt.NDArray[np.int64]], npt.NDArray[np.float64]]

Clock = namedtuple("Clock", ["clock_source", "sample_rate_per_channel", "synchronized"])
Read = namedtuple("Read", ["running", "hardware_overrun", "buffer_overrun", "triggered", "timeout", "data"])
Test = namedtuple("Test", ["clock", "sync", "trigger"])
Hat = namedtuple("Hat", ["address", "id", "version", "product_name"])


class HatError(Exception):
    """As in daqhats."""

    def __init__(self, address: int, value: str) -> None:
        super().__init__(value)
        self.address, self.value = address, value

    def __str__(self) -> str:
        return f"Addr {self.address}: {self.value}"


class HatIDs(IntEnum):
    """As in daqhats."""

    ANY = 0
    MCC_118 = 0x0142
    MCC_172 = 0x0145


class SourceType(IntEnum):
    """As in daqhats."""

    LOCAL = 0
    MASTER = 1
    SLAVE = 2


class OptionFlags(IntEnum):
    """As in daqhats."""

    DEFAULT = 0x0000
    NOSCALEDATA = 0x0001
    NOCALIBRATEDATA = 0x0002
    EXTCLOCK = 0x0004
    EXTTRIGGER = 0x0008
    CONTINUOUS = 0x0010


def noise(channel: int, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Counts that tell their own number, so that a lost sample shows: (number + channel) modulo 2^16."""
    return ((numbers + channel) % 65536).astype(np.float64)


class FakeDaqhats:
    """The module. What a test may change: `boards`, `alive`, `synced_after`, `stuck_iepe`, `hw_overrun`."""

    HatError, HatIDs, SourceType, OptionFlags = HatError, HatIDs, SourceType, OptionFlags

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic, signal: Signal = noise) -> None:
        self.monotonic_s, self.signal = monotonic_s, signal
        self.boards = {0: HatIDs.MCC_172}
        self.alive = True
        self.synced_after = 2  # looks at the clock
        self.stuck_iepe = False
        self.hw_overrun = False
        self.opened: list[mcc172] = []

    def hat_list(self, filter_by_id: int = 0) -> list[Hat]:
        """The boards whose EEPROM is known."""
        return [
            Hat(address, int(kind), 1, kind.name.replace("_", " "))
            for address, kind in self.boards.items()
            if filter_by_id in (0, kind)
        ]

    def mcc172(self, address: int = 0) -> mcc172:
        """Open a board."""
        board = mcc172(self, address)
        self.opened.append(board)
        return board


class mcc172:  # noqa: N801  # its name there
    """One board."""

    def __init__(self, daqhats: FakeDaqhats, address: int) -> None:
        if address not in range(8):
            raise ValueError(f"Invalid address {address}. Must be 0-7.")
        self._daqhats, self._address = daqhats, address
        self.iepe = [0, 0]
        self.sensitivity = [1000.0, 1000.0]
        self.rate_hz, self.source, self._looks = 51200.0, int(SourceType.LOCAL), 0
        self._mask, self._options, self._room, self._begin_s, self._read = 0, 0, 0, 0.0, 0

    def _answer(self) -> None:
        if not self._daqhats.alive:
            raise HatError(self._address, "Incorrect response.")

    def iepe_config_write(self, channel: int, mode: int) -> None:
        self._answer()
        if not self._daqhats.stuck_iepe:
            self.iepe[channel] = mode

    def iepe_config_read(self, channel: int) -> int:
        self._answer()
        return self.iepe[channel]

    def a_in_sensitivity_write(self, channel: int, value: float) -> None:
        if self._mask:
            raise HatError(self._address, "Cannot change the sensitivity while a scan is active.")
        self.sensitivity[channel] = value

    def a_in_sensitivity_read(self, channel: int) -> float:
        return self.sensitivity[channel]

    def a_in_clock_config_write(self, clock_source: int, sample_rate_per_channel: float) -> None:
        self._answer()
        if self._mask:
            raise HatError(self._address, "Cannot change the clock configuration while a scan is active.")
        self.source, self.rate_hz, self._looks = (
            clock_source,
            self.a_in_scan_actual_rate(sample_rate_per_channel),
            0,
        )

    def a_in_clock_config_read(self) -> Clock:
        self._answer()
        self._looks += 1
        return Clock(self.source, self.rate_hz, self._looks > self._daqhats.synced_after)

    @staticmethod
    def a_in_scan_actual_rate(sample_rate_per_channel: float) -> float:
        return 51200.0 / int(min(256.0, max(1.0, 51200.0 / sample_rate_per_channel + 0.5)))

    def a_in_scan_start(self, channel_mask: int, samples_per_channel: int, options: int) -> None:
        self._answer()
        if not 0 < channel_mask <= 3:
            raise ValueError("channel_mask must be 1 - 3")
        if self._mask:
            raise HatError(self._address, "A scan is already active.")
        smallest = 1000 if self.rate_hz <= 1024 else 10_000 if self.rate_hz <= 10240 else 100_000
        self._mask, self._options, self._room = channel_mask, options, max(smallest, samples_per_channel)
        self._begin_s, self._read = self._daqhats.monotonic_s(), 0

    def a_in_scan_read_numpy(self, samples_per_channel: int, timeout: float) -> Read:
        if not self._mask:
            raise HatError(self._address, "Scan not active.")
        if samples_per_channel == 0:
            raise TypeError("argument must be an ndarray")  # as with numpy's ndpointer and no buffer
        there = int((self._daqhats.monotonic_s() - self._begin_s) * self.rate_hz) - self._read
        if not self._daqhats.alive:
            there = 0
        over = there > self._room
        n = min(there, self._room) if samples_per_channel < 0 else min(there, samples_per_channel)
        numbers = self._read + np.arange(n)
        self._read += n
        hw, self._daqhats.hw_overrun = self._daqhats.hw_overrun, False
        rows = [self._scaled(channel, self._daqhats.signal(channel, numbers)) for channel in self._channels()]
        data = np.stack(rows, axis=1).reshape(-1) if n else np.empty(0)
        return Read(not (over or hw), hw, over, True, False, data)

    def _channels(self) -> list[int]:
        return [channel for channel in (0, 1) if self._mask >> channel & 1]

    def _scaled(self, channel: int, counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if self._options & OptionFlags.NOSCALEDATA:
            return counts
        return counts * (10.0 / 2**24) * 1000.0 / self.sensitivity[channel]

    def a_in_scan_channel_count(self) -> int:
        return len(self._channels())

    def a_in_scan_stop(self) -> None:
        self._answer()

    def a_in_scan_cleanup(self) -> None:
        self._mask = 0

    def test_signals_read(self) -> Test:
        self._answer()
        return Test(0, 1, 0)

    def test_signals_write(self, mode: int, clock: int, sync: int) -> None:
        self._answer()


def module(**changes: Any) -> FakeDaqhats:
    """One whose attributes are changed so."""
    made = FakeDaqhats(**{key: changes.pop(key) for key in ("monotonic_s", "signal") if key in changes})
    for key, value in changes.items():
        assert hasattr(made, key)
        setattr(made, key, value)
    return made
