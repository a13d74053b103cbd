"""The three accelerometers on a fake bus, each with its FIFO as its data sheet describes it."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from functools import cache
from typing import Final

import numpy as np

from tests.support.fake_bus import RegisterFile

PERIOD: Final = 32768
"""Samples after which the fake signals come again; the x axis counts them: a lost one shows."""


class Fifo:
    """Samples that come with time, `room` of which are kept; the oldest give way, and `overrun` is set."""

    def __init__(self, now_s: Callable[[], float], fs_hz: float, room: int) -> None:
        self.fs_hz = fs_hz
        self.room = room
        self.overrun = False
        self.read = 0  # of the sensor's samples, the next to be read
        self.lost = 0
        self._now_s = now_s
        self._since_s: float | None = None

    def run(self, on: bool) -> None:
        """Empty it; on: samples come from now on."""
        self._since_s = self._now_s() if on else None
        self.read, self.overrun = 0, False

    @property
    def produced(self) -> int:
        """Samples so far."""
        return 0 if self._since_s is None else int((self._now_s() - self._since_s) * self.fs_hz)

    def level(self) -> int:
        """Samples that can be read now."""
        waiting = self.produced - self.read
        if waiting > self.room:
            self.lost += waiting - self.room
            self.read += waiting - self.room
            self.overrun, waiting = True, self.room
        return waiting

    def take(self, count: int) -> range:
        """Numbers of the next samples, fewer where there are not so many."""
        count = min(count, self.level())
        self.read += count
        return range(self.read - count, self.read)


def axes(number: int) -> tuple[int, int, int]:
    """The counts of a sample: x counts, y is a saw, z stands still."""
    return (number % PERIOD - PERIOD // 2, (number * 37) % 2001 - 1000, 100)


@cache
def iis3dwb_words() -> bytes:
    """Two periods of FIFO words, so that any 512 of them are one slice."""
    words = np.zeros(2 * PERIOD, np.dtype([("tag", "u1"), ("axes", "<i2", 3)]))
    number = np.arange(2 * PERIOD)
    words["axes"][:, 0] = number % PERIOD - PERIOD // 2
    words["axes"][:, 1] = (number % PERIOD) * 37 % 2001 - 1000
    words["axes"][:, 2] = 100
    counter = (number % 4).astype(np.uint8)
    tag = (0x02 << 3) | (counter << 1)
    parity = np.array([bin(int(one)).count("1") % 2 for one in tag[:4]], np.uint8)
    words["tag"] = tag | np.tile(parity, PERIOD // 2)
    return words.tobytes()


class FakeIis3dwb(RegisterFile):
    """ST IIS3DWB on SPI: bit 7 of the first byte reads; addresses go on by themselves with IF_INC."""

    def __init__(self, now_s: Callable[[], float], fs_hz: float = 26_667.0) -> None:
        super().__init__({0x0F: 0x7B, 0x12: 0x04})
        self.fifo = Fifo(now_s, fs_hz, 512)
        self.moves_by_g = 1.5  # in its self-test
        self.counts_tags = True
        self.shaken_g = 0.0  # by a machine, fourteen times a second
        self._now_s = now_s

    def put(self, register: int, value: int) -> None:
        super().put(register, value)
        if register == 0x12 and value & 0x01:  # SW_RESET
            self.power_lost()
        if register in {0x0A, 0x09, 0x10}:
            self.fifo.run(self._batches())

    def power_lost(self) -> None:
        super().power_lost()
        self.fifo.run(False)

    def _batches(self) -> bool:
        """Continuous mode, batching and sampling at 26.667 kHz."""
        return (
            self.get(0x0A) & 0x07 == 0x06 and self.get(0x09) & 0x0F == 0x0A and self.get(0x10) & 0xE0 == 0xA0
        )

    def answer(self, out: bytes) -> bytes:
        register, reads = out[0] & 0x7F, bool(out[0] & 0x80)
        if not reads:
            self.put(register, out[1])
            return bytes(len(out))
        if register == 0x78:
            return b"\0" + self._words((len(out) - 1) // 7)
        if register == 0x3A:
            return b"\0" + self._status()
        if register == 0x28:
            return b"\0" + self._output()
        step = 1 if self.get(0x12) & 0x04 else 0
        return b"\0" + bytes(self.get(register + step * place) for place in range(len(out) - 1))

    def _status(self) -> bytes:
        level = self.fifo.level()
        flags = 0x48 if self.fifo.overrun else 0
        flags |= 0x80 if level >= self.get(0x07) + 256 * (self.get(0x08) & 1) else 0
        self.fifo.overrun = False  # latched until it is read
        return bytes((level & 0xFF, level >> 8 | flags))

    def _words(self, count: int) -> bytes:
        taken = self.fifo.take(count)
        first = taken.start % PERIOD
        words = iis3dwb_words()[7 * first : 7 * (first + len(taken))]
        if not self.counts_tags:
            words = b"".join(b"\x10" + words[at + 1 : at + 7] for at in range(0, len(words), 7))
        return words + bytes(7 * (count - len(taken)))

    def _output(self) -> bytes:
        g_per_count = {0x00: 61e-6, 0x08: 122e-6, 0x0C: 244e-6, 0x04: 488e-6}[self.get(0x10) & 0x0C]
        moved = self.moves_by_g if self.get(0x14) & 0x03 == 0x01 else 0.0
        shaken = self.shaken_g * math.sin(2 * math.pi * 14.0 * self._now_s())
        axes_g = (shaken + moved, shaken - moved, 1.0 + shaken + moved)  # not all to one side
        return struct.pack("<3h", *(round(one / g_per_count) for one in axes_g))


class FakeAdxl355(RegisterFile):
    """Analog Devices ADXL355 on SPI: the address is shifted by one, bit 0 of the first byte reads."""

    def __init__(self, now_s: Callable[[], float], fs_hz: float = 4000.0) -> None:
        super().__init__({0x00: 0xAD, 0x01: 0x1D, 0x02: 0xED, 0x29: 0x60, 0x2C: 0x81, 0x2D: 0x01})
        self.fifo = Fifo(now_s, 3 * fs_hz, 96)  # in entries
        self.moves_by_g = (0.3, 0.3, 1.5)
        self.trim_lost = False
        self.bad_resets = 0  # so many resets lose the trim values

    def put(self, register: int, value: int) -> None:
        if register == 0x2F:
            if value == 0x52:
                self.power_lost()
                self.trim_lost = self.bad_resets > 0
                self.bad_resets -= 1
            return
        if not self.get(0x2D) & 1 and register not in {0x2D, 0x2E}:
            return  # set only in standby
        super().put(register, value)
        if register == 0x2D:
            self.fifo.run(not value & 1)

    def power_lost(self) -> None:
        super().power_lost()
        self.fifo.run(False)

    def answer(self, out: bytes) -> bytes:
        register, reads, count = out[0] >> 1, bool(out[0] & 1), len(out) - 1
        if not reads:
            self.put(register, out[1])
            return bytes(len(out))
        if register == 0x11:
            return b"\0" + b"".join(self._entries(count // 3))
        if register == 0x08:
            return b"\0" + self._output()
        if register == 0x50:
            return b"\0" + (bytes(5) if self.trim_lost else b"\x12\x34\x56\x78\x9a")
        if register == 0x04:
            level = self.fifo.level()
            overrun, self.fifo.overrun = self.fifo.overrun, False
            return b"\0" + bytes((0x01 | (0x04 if overrun else 0), level))[:count]
        return b"\0" + bytes(self.get(register + place) for place in range(count))

    def _entries(self, count: int) -> list[bytes]:
        taken = self.fifo.take(count)
        found = []
        for number in taken:
            value = axes(number // 3)[number % 3] & 0xFFFFF
            found.append((value << 4 | (0x01 if number % 3 == 0 else 0)).to_bytes(3, "big"))
        return found + [b"\0\0\x02"] * (count - len(taken))

    def _output(self) -> bytes:
        per_g = {1: 256_000, 2: 128_000, 3: 64_000}[self.get(0x2C) & 3]
        moved = self.moves_by_g if self.get(0x2E) & 3 == 3 else (0.0, 0.0, 0.0)
        still = (0.0, 0.0, 1.0)
        return b"".join(
            ((round((one + more) * per_g) & 0xFFFFF) << 4).to_bytes(3, "big")
            for one, more in zip(still, moved, strict=True)
        )


class FakeAdxl345(RegisterFile):
    """Analog Devices ADXL345, on SPI (bit 7 reads, bit 6 goes on) or behind `FakeSmbus`."""

    def __init__(self, now_s: Callable[[], float], fs_hz: float = 3200.0) -> None:
        super().__init__({0x00: 0xE5, 0x2C: 0x0A})
        self.fifo = Fifo(now_s, fs_hz, 32)
        self.moves_by_g = (1.0, -1.0, 1.5)

    def put(self, register: int, value: int) -> None:
        super().put(register, value)
        if register in {0x2D, 0x38}:
            self.fifo.run(self.get(0x38) & 0xC0 == 0x80 and bool(self.get(0x2D) & 0x08))

    def power_lost(self) -> None:
        super().power_lost()
        self.fifo.run(False)

    def answer(self, out: bytes) -> bytes:
        register, reads, count = out[0] & 0x3F, bool(out[0] & 0x80), len(out) - 1
        if not reads:
            self.put(register, out[1])
            return bytes(len(out))
        assert count == 1 or out[0] & 0x40, "more than one byte needs the bit for it"
        return b"\0" + self.block(register, count)

    def block(self, register: int, count: int) -> bytes:
        """What is read from a register on."""
        if register == 0x32:
            return self._output()
        if register == 0x39:
            return bytes((self.fifo.level(),))
        if register == 0x30:
            self.fifo.level()
            return bytes((0x80 | (0x01 if self.fifo.overrun else 0),))
        return bytes(self.get(register + place) for place in range(count))

    def _output(self) -> bytes:
        """The oldest of the FIFO where one waits; its overrun is over then."""
        taken = self.fifo.take(1)
        if len(taken):
            self.fifo.overrun = False
            return struct.pack("<3h", *axes(taken.start))
        moved = self.moves_by_g if self.get(0x31) & 0x80 else (0.0, 0.0, 0.0)
        return struct.pack(
            "<3h", *(round(256 * (a + b)) for a, b in zip((0.0, 0.0, 1.0), moved, strict=True))
        )
