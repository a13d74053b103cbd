"""A bus that behaves as data sheets say, wired rightly or wrongly; its time is whatever clock it is given.

Written from the data sheets on its own: it shares no constant with the drivers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

Fault = Literal["low", "high", "garbage", "gone"]


class SimulatedTime:
    """Seconds that pass when somebody waits."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class Turns(threading.Event):
    """A stop event whose waits are simulated, set after `turns` of them; `late` makes the nth one longer."""

    def __init__(self, clock: SimulatedTime, turns: int, late: dict[int, float] | None = None) -> None:
        super().__init__()
        self.turn = 0
        self.before: Callable[[int], None] = lambda _turn: None  # each wait
        self._clock = clock
        self._turns = turns
        self._late = late or {}

    def wait(self, timeout: float | None = None) -> bool:
        self.turn += 1
        self.before(self.turn)
        self._clock.sleep((timeout or 0.0) + self._late.get(self.turn, 0.0))
        if self.turn > self._turns:
            self.set()
        return self.is_set()


class Device(Protocol):
    """A chip behind a chip select."""

    def answer(self, out: bytes) -> bytes:
        """As many bytes as came."""
        ...


@dataclass
class FakeSpi:
    """One chip select. `slow_s` is how long each transfer takes more than it should."""

    device: Device
    where: str = "0.0"
    fault: Fault | None = None
    slow_s: float = 0.0
    sleep: Callable[[float], None] = time.sleep
    is_open: bool = False
    opened: int = 0

    @property
    def name(self) -> str:
        return f"SPI {self.where}"

    @property
    def address(self) -> str:
        return f"spi {self.where}"

    def open(self) -> None:
        self.is_open = True
        self.opened += 1

    def close(self) -> None:
        self.is_open = False

    def exchange(self, out: bytes) -> bytes:
        assert self.is_open, "used before it was opened"
        if self.slow_s:
            self.sleep(self.slow_s)
        if self.fault == "gone":
            raise OSError(19, "No such device")
        if self.fault == "low":
            return bytes(len(out))
        if self.fault == "high":
            return b"\xff" * len(out)
        answer = self.device.answer(out)
        if self.fault == "garbage":  # every fourth bit of the clock is seen twice
            return bytes((byte * 0x3B + 0x55 + place * 29) & 0xFF for place, byte in enumerate(answer))
        return answer


class RegisterFile:
    """Registers by number; what is not said is zero. Subclasses give some a meaning."""

    def __init__(self, reset: dict[int, int]) -> None:
        self.reset_values = dict(reset)
        self.values = dict(reset)
        self.written: list[tuple[int, int]] = []

    def get(self, register: int) -> int:
        return self.values.get(register, 0)

    def put(self, register: int, value: int) -> None:
        self.written.append((register, value))
        self.values[register] = value

    def power_lost(self) -> None:
        """For a moment: everything is as after a reset."""
        self.values = dict(self.reset_values)


class FakeSmbus:
    """smbus2.SMBus with devices by address; an address without one is not acknowledged (EREMOTEIO)."""

    def __init__(self, devices: dict[int, RegisterFile]) -> None:
        self.devices = devices
        self.held_down = False
        self.closed = False

    def _device(self, address: int) -> RegisterFile:
        if self.held_down:
            raise TimeoutError(110, "Connection timed out")
        if address not in self.devices:
            raise OSError(121, "Remote I/O error")
        return self.devices[address]

    def read_i2c_block_data(self, address: int, register: int, length: int) -> list[int]:
        assert length <= 32, "SMBus moves 32 bytes at most"
        device = self._device(address)
        block = getattr(device, "block", None)
        if block is not None:
            return list(block(register, length))
        return [device.get(register + place) for place in range(length)]

    def write_byte_data(self, address: int, register: int, value: int) -> None:
        self._device(address).put(register, value)

    def close(self) -> None:
        self.closed = True
