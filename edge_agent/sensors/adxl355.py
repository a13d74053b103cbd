"""Analog Devices ADXL355: three axes of 20 bits, quiet, to 1 kHz; a FIFO of 96 entries, 32 of each axis.

Data sheet ADXL354/ADXL355 rev. D. An entry is one axis: 20 bits, then a mark of the x axis and one of an
empty FIFO. Full after 8 ms at 4 kHz.

    [[source]]
    type = "adxl355"
    spi = "0.0"          # /dev/spidev0.0
    range_g = 8          # 2, 4 or 8
    rate_hz = 4000       # 4000, 2000 or 1000; its filter lets a quarter of it through
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
    "ADXL355",
    Framing(read=0x01, shift=1),
    spi_mode=0,
    spi_hz=10_000_000,
    identity=(
        Identity("DEVID_AD", 0x00, 0xAD),
        Identity("DEVID_MST", 0x01, 0x1D),
        Identity("PARTID", 0x02, 0xED),
    ),
)

STATUS: Final = 0x04  # FIFO_ENTRIES follows it
XDATA3: Final = 0x08
FIFO_DATA: Final = 0x11
FILTER: Final = 0x28
RANGE_REGISTER: Final = 0x2C
POWER_CTL: Final = 0x2D
SELF_TEST_REGISTER: Final = 0x2E
RESET: Final = 0x2F

FIFO_OVR: Final = Bits(STATUS, 0x04)
RATE: Final = Bits(FILTER, 0x0F)
RANGE: Final = Bits(RANGE_REGISTER, 0x03)
RANGE_OTHERS: Final = 0x80  # I2C_HS, as after a reset
STANDBY: Final = Bits(POWER_CTL, 0x01)
FORCE: Final = Bits(SELF_TEST_REGISTER, 0x03)
RESET_CODE: Final = 0x52
RESET_S: Final = 0.01
RESETS: Final = 5
SHADOW: Final = 0x50
SHADOW_BYTES: Final = 5

ENTRIES: Final = 96
ENTRY_BYTES: Final = 3
X_MARK: Final = 0x01
EMPTY_MARK: Final = 0x02
RATES: Final = {4000: 0, 2000: 1, 1000: 2}
RANGES: Final = {2: 1, 4: 2, 8: 3}
COUNTS_PER_G: Final = {2: 256_000, 4: 128_000, 8: 64_000}
READ_SETS: Final = 11
"""Of the 32 sets that fit: a third, so that two thirds are left for a thread that gets its turn late."""

CHANGES: Final = (selftest.Change(0.1, 0.6), selftest.Change(0.1, 0.6), selftest.Change(0.5, 3.0))
"""The data sheet gives 0.3, 0.3 and 1.5 g as typical and no limits: from a third to twice."""

SETTLE_S: Final = 0.1


class Adxl355(FifoSensor):
    """The driver."""

    chip = CHIP

    def __init__(
        self,
        registers: Registers,
        range_g: int = 8,
        rate_hz: int = 4000,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(registers, monotonic_s=monotonic_s, pause=pause)
        self._range_g = range_g
        self._rate_hz = rate_hz
        self._begun = b""  # axes of a set whose others are still in the FIFO

    @property
    def fs_nominal_hz(self) -> float:
        """As set."""
        return float(self._rate_hz)

    @property
    def dtype(self) -> SampleType:
        """Twenty bits."""
        return "int32"

    @property
    def scale(self) -> tuple[float, ...]:
        """g a count."""
        return (1 / COUNTS_PER_G[self._range_g],) * 3

    @property
    def full_scale(self) -> float:
        """g."""
        return float(self._range_g)

    @property
    def interval_s(self) -> float:
        """While a third of the FIFO fills."""
        return READ_SETS / self._rate_hz

    def _set_up(self) -> None:
        self._reset()
        settings = (
            (POWER_CTL, STANDBY.as_(1)),  # the others may be written in standby only
            (FILTER, RATE.as_(RATES[self._rate_hz])),
            (RANGE_REGISTER, RANGE_OTHERS | RANGE.as_(RANGES[self._range_g])),
            (POWER_CTL, STANDBY.as_(0)),
        )
        write_and_check(self._registers, settings, CHIP)

    def _reset(self) -> None:
        """Until its trim values are what they were: a reset can lose them, the data sheet says."""
        trim = self._registers.read(SHADOW, SHADOW_BYTES)
        for _ in range(RESETS):
            self._registers.write(RESET, RESET_CODE)
            self._pause(RESET_S)
            if self._registers.read(SHADOW, SHADOW_BYTES) == trim:
                return
        raise OSError(
            f"{self.name} loses its trim values in a reset, and what it gave would be wrong: take its power "
            "away for a moment"
        )

    def self_test(self) -> str | None:
        """Both bits: the force, and that it acts on the axes."""
        return selftest.run(
            lambda: selftest.mean(self._read_g, self._pause),
            lambda on: self._registers.write(SELF_TEST_REGISTER, FORCE.as_(3 if on else 0)),
            CHANGES,
            self._pause,
            settle_s=SETTLE_S,
        )

    def _read_g(self) -> selftest.Axes:
        counts = _axes(self._registers.read(XDATA3, 3 * ENTRY_BYTES))[0]
        return np.asarray(counts / COUNTS_PER_G[self._range_g], np.float64)

    def _begin(self) -> None:
        """Into standby and out of it: that empties the FIFO."""
        self._registers.write(POWER_CTL, STANDBY.as_(1))
        self._registers.write(POWER_CTL, STANDBY.as_(0))
        self._begun = b""

    def _drain(self) -> Burst | None:
        status, entries = self._registers.read(STATUS, 2)
        at_s = self._monotonic_s()
        if entries > ENTRIES:
            sentence = f"a FIFO of {ENTRIES} entries says that it holds {entries}"
            raise Garbage(SILENT_LINES.get(entries, sentence))
        sets = (entries + len(self._begun) // ENTRY_BYTES) // 3
        if sets == 0:
            return None
        begun, self._begun = self._begun, b""
        raw = begun + self._registers.read(FIFO_DATA, sets * 3 * ENTRY_BYTES - len(begun))
        marks = np.frombuffer(raw, np.uint8)[2::3]
        if not _marked(marks):
            return self._realigned(raw, marks, at_s)
        return Burst(from_words(_axes(raw)), at_s, overrun=bool(status & FIFO_OVR.mask))

    def _realigned(self, raw: bytes, marks: npt.NDArray[np.uint8], at_s: float) -> Burst | None:
        """From the first x axis on: an overrun can leave the FIFO with one or two axes of a set."""
        starts = np.flatnonzero(marks & X_MARK)
        first = int(starts[0]) if len(starts) else len(marks)
        sets = (len(marks) - first) // 3
        if not 0 < first < 3 or not _marked(marks[first : first + 3 * sets]):
            raise Garbage("the entries of its FIFO are not marked as axes")
        end = (first + 3 * sets) * ENTRY_BYTES
        whole, self._begun = raw[first * ENTRY_BYTES : end], raw[end:]
        return Burst(from_words(_axes(whole)), at_s, overrun=True) if sets else None


def _marked(marks: npt.NDArray[np.uint8]) -> bool:
    """Whether each third entry, from the first on, is an x axis, and none is of an empty FIFO."""
    low = marks & (X_MARK | EMPTY_MARK)
    return bool((low[::3] == X_MARK).all() and not low[1::3].any() and not low[2::3].any())


def _axes(raw: bytes) -> npt.NDArray[np.int32]:
    """(sets, 3) counts of entries: 20 bits with sign, the highest first."""
    wide = np.zeros((len(raw) // ENTRY_BYTES, 4), np.uint8)
    wide[:, :ENTRY_BYTES] = np.frombuffer(raw, np.uint8).reshape(-1, ENTRY_BYTES)
    return (wide.view(">i4").astype(np.int32) >> 12).reshape(-1, 3)


def open_source(table: Mapping[str, object], clock: PlantClock) -> ContinuousSource:
    """The entry point. Raises ValueError with a sentence for each mistake."""
    found = TableMistakes()
    range_g = found.read(8, one_of, table, "range_g", tuple(RANGES), 8)
    rate_hz = found.read(4000, one_of, table, "rate_hz", tuple(RATES), 4000)
    bus = found.read(None, read_spi, table, CHIP, slowest_hz=1_000_000)
    driver = Adxl355(SpiRegisters(bus or any_bus(CHIP), CHIP), range_g, rate_hz)
    own = ("spi", "spi_hz", "range_g", "rate_hz")
    return source_of(driver, table, clock, own, found=found, known=bus is not None)
