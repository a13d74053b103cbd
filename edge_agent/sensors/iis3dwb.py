"""ST IIS3DWB: three axes, flat to 6.3 kHz, 26,667 samples a second each, a FIFO of 512 words (3 kB).

Data sheet DS12569. A word of the FIFO is a tag and three axes of 16 bits. Full after 19 ms.

    [[source]]
    type = "iis3dwb"
    spi = "0.0"          # /dev/spidev0.0
    range_g = 16         # 2, 4, 8 or 16
    spi_hz = 10000000    # lower for long wires; at least 4 MHz
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from palier.clock import PlantClock
from palier.table_mistakes import TableMistakes

from . import selftest
from .bursts import Burst, SampleType
from .bus import Registers, SpiRegisters, write_and_check
from .continuous import ContinuousSource, source_of
from .fifo import FifoSensor, Garbage, from_words
from .registers import SILENT_LINES, Bits, Chip, Framing, Identity
from .spi import any_bus, read_spi
from .tables import one_of

CHIP: Final = Chip(
    "IIS3DWB", Framing(read=0x80), spi_mode=3, spi_hz=10_000_000, identity=(Identity("WHO_AM_I", 0x0F, 0x7B),)
)

FIFO_CTRL1: Final = 0x07  # watermark, its low bits
FIFO_CTRL2: Final = 0x08
FIFO_CTRL3: Final = 0x09
FIFO_CTRL4: Final = 0x0A
CTRL1_XL: Final = 0x10
CTRL3_C: Final = 0x12
CTRL5_C: Final = 0x14
OUTX_L_A: Final = 0x28
FIFO_STATUS1: Final = 0x3A
FIFO_DATA_OUT_TAG: Final = 0x78  # a read of many bytes goes round from 0x7E to here

WATERMARK_HIGH: Final = Bits(FIFO_CTRL2, 0x01)
BATCH_RATE: Final = Bits(FIFO_CTRL3, 0x0F)
FIFO_MODE: Final = Bits(FIFO_CTRL4, 0x07)
ENABLE: Final = Bits(CTRL1_XL, 0xE0)
RANGE: Final = Bits(CTRL1_XL, 0x0C)
SW_RESET: Final = Bits(CTRL3_C, 0x01)
IF_INC: Final = Bits(CTRL3_C, 0x04)
BDU: Final = Bits(CTRL3_C, 0x40)
SELF_TEST: Final = Bits(CTRL5_C, 0x03)
TAG_SENSOR: Final = 0xF8
TAG_COUNT: Final = 0x06
COUNT_STEP: Final = 0x02
OVERRUNS: Final = 0x48  # of FIFO_STATUS2: FIFO_OVR_IA, FIFO_OVR_LATCHED
LEVEL_HIGH: Final = 0x03

FS_HZ: Final = 26_667.0
AT_26_667_HZ: Final = 0b1010
ON: Final = 0b101
BYPASS, CONTINUOUS = 0, 6
ACCELERATION: Final = 0x02 << 3  # the tag of a word that holds the three axes
WORD: Final = np.dtype([("tag", "u1"), ("axes", "<i2", 3)])
WORDS: Final = 512
WATERMARK: Final = 128
"""A quarter of the FIFO: read each 4.8 ms, and 14 ms are left for a thread that gets its turn late. With half
of it one look in 60,000 came too late on two cores that others used."""

RANGES: Final = {2: 0b00, 4: 0b10, 8: 0b11, 16: 0b01}
G_PER_COUNT: Final = {2: 61e-6, 4: 122e-6, 8: 244e-6, 16: 488e-6}
CHANGES: Final = (selftest.Change(0.8, 3.2),) * 3
SETTLE_S: Final = 0.1
RESET_S: Final = 0.05

_COUNTED: Final = np.resize(np.array([0, 2, 4, 6], np.uint8) | ACCELERATION, WORDS + 4)
"""Tags as they follow one another: a counter of two bits goes up from word to word."""


class Iis3dwb(FifoSensor):
    """The driver."""

    chip = CHIP

    def __init__(
        self,
        registers: Registers,
        range_g: int = 16,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(registers, monotonic_s=monotonic_s, pause=pause)
        self._range_g = range_g
        self._phase: int | None = None  # of the tag counter that the next word must have
        self._counts = True  # whether its tag counter counts

    @property
    def fs_nominal_hz(self) -> float:
        """The only rate it has."""
        return FS_HZ

    @property
    def dtype(self) -> SampleType:
        """Sixteen bits."""
        return "int16"

    @property
    def scale(self) -> tuple[float, ...]:
        """g a count."""
        return (G_PER_COUNT[self._range_g],) * 3

    @property
    def full_scale(self) -> float:
        """g."""
        return float(self._range_g)

    @property
    def interval_s(self) -> float:
        """Until the watermark is reached."""
        return WATERMARK / FS_HZ

    def _set_up(self) -> None:
        registers = self._registers
        registers.write(CTRL3_C, SW_RESET.as_(1))
        self._pause(RESET_S)
        settings = (
            (CTRL3_C, BDU.as_(1) | IF_INC.as_(1)),
            (FIFO_CTRL4, FIFO_MODE.as_(BYPASS)),
            (FIFO_CTRL1, WATERMARK & 0xFF),
            (FIFO_CTRL2, WATERMARK_HIGH.as_(WATERMARK >> 8)),
            (FIFO_CTRL3, BATCH_RATE.as_(AT_26_667_HZ)),
            (CTRL1_XL, ENABLE.as_(ON) | RANGE.as_(RANGES[self._range_g])),
        )
        write_and_check(registers, settings, CHIP)

    def self_test(self) -> str | None:
        """Positive self-test; at ±4 g at least, so that its movement fits."""
        registers, range_g = self._registers, max(4, self._range_g)
        registers.write(CTRL1_XL, ENABLE.as_(ON) | RANGE.as_(RANGES[range_g]))
        try:
            return selftest.run(
                lambda: selftest.mean(lambda: self._read_g(range_g), self._pause),
                lambda on: registers.write(CTRL5_C, SELF_TEST.as_(int(on))),
                CHANGES,
                self._pause,
                settle_s=SETTLE_S,
            )
        finally:
            registers.write(CTRL1_XL, ENABLE.as_(ON) | RANGE.as_(RANGES[self._range_g]))
            self._pause(SETTLE_S)

    def _read_g(self, range_g: int) -> selftest.Axes:
        axes = np.frombuffer(self._registers.read(OUTX_L_A, 6), "<i2")
        return axes * G_PER_COUNT[range_g]

    def _begin(self) -> None:
        self._registers.write(FIFO_CTRL4, FIFO_MODE.as_(BYPASS))
        self._registers.write(FIFO_CTRL4, FIFO_MODE.as_(CONTINUOUS))
        self._phase, self._counts = None, True

    def _drain(self) -> Burst | None:
        low, status = self._registers.read(FIFO_STATUS1, 2)
        at_s = self._monotonic_s()
        level = (status & LEVEL_HIGH) << 8 | low
        if level > WORDS:
            raise Garbage(SILENT_LINES.get(status, f"a FIFO of {WORDS} words says that it holds {level}"))
        if level == 0:
            return None
        words = np.frombuffer(self._registers.read(FIFO_DATA_OUT_TAG, level * WORD.itemsize), WORD)
        first, leaps = self._follow(words["tag"])
        return Burst(from_words(words["axes"][first:]), at_s, overrun=leaps or bool(status & OVERRUNS))

    def _follow(self, tags: npt.NDArray[np.uint8]) -> tuple[int, bool]:
        """From which word on they follow one another, and whether words are missing before it.

        Raises Garbage where they are no words.
        """
        n_words, phase = len(tags), int(tags[0] & TAG_COUNT) >> 1
        before, self._phase = self._phase, (int(tags[-1] & TAG_COUNT) >> 1) + 1 & 3
        if np.array_equal(tags & (TAG_SENSOR | TAG_COUNT), _COUNTED[phase : phase + n_words]):
            return 0, self._counts and before is not None and phase != before
        if (tags & TAG_SENSOR != ACCELERATION).any():
            self._phase = None
            raise Garbage(f"a word of its FIFO is not tagged as an acceleration ({int(tags[0]):#04x})")
        if before is None:  # the first words that it gave: this one does not number them
            self._counts = False
        if not self._counts:
            return 0, False
        steps = np.diff(tags & TAG_COUNT) & TAG_COUNT
        return int(np.flatnonzero(steps != COUNT_STEP)[-1]) + 1, True


def open_source(table: Mapping[str, object], clock: PlantClock) -> ContinuousSource:
    """The entry point. Raises ValueError with a sentence for each mistake."""
    found = TableMistakes()
    range_g = found.read(16, one_of, table, "range_g", tuple(RANGES), 16)
    bus = found.read(None, read_spi, table, CHIP, slowest_hz=4_000_000)
    driver = Iis3dwb(SpiRegisters(bus or any_bus(CHIP), CHIP), range_g)
    own = ("spi", "spi_hz", "range_g")
    return source_of(driver, table, clock, own, found=found, known=bus is not None)
