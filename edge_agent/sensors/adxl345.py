"""Analog Devices ADXL345: the hobby floor. Velocity only: its noise hides what bearings say.

Data sheet rev. E. A FIFO of 32 readings of three axes, full after 10 ms at 3,200 Hz; each takes a transfer
of its own. On I²C at 400 kHz the data sheet allows 800 Hz.

    [[source]]
    type = "adxl345"
    spi = "0.0"          # /dev/spidev0.0; or
    # i2c = 1            # /dev/i2c-1
    # address = 0x53     # or 0x1D
    rate_hz = 3200       # 3200, 1600 or 800; on I²C 800 or 400
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from palier.clock import PlantClock
from palier.table_mistakes import TableMistakes

from . import selftest
from .bursts import Burst, SampleType
from .bus import Registers, SpiRegisters, write_and_check
from .continuous import ContinuousSource, source_of
from .fifo import FifoSensor, Garbage, from_words
from .i2c import read_i2c
from .registers import Bits, Chip, Framing, Identity
from .spi import any_bus, read_spi
from .tables import one_of

CHIP: Final = Chip(
    "ADXL345",
    Framing(read=0x80, burst=0x40),
    spi_mode=3,
    spi_hz=5_000_000,
    identity=(Identity("DEVID", 0x00, 0xE5),),
)
ADDRESSES: Final = (0x53, 0x1D)

BW_RATE: Final = 0x2C
POWER_CTL: Final = 0x2D
INT_SOURCE: Final = 0x30
DATA_FORMAT: Final = 0x31
DATAX0: Final = 0x32
FIFO_CTL: Final = 0x38
FIFO_STATUS: Final = 0x39

MEASURE: Final = Bits(POWER_CTL, 0x08)
SELF_TEST: Final = Bits(DATA_FORMAT, 0x80)
FULL_RESOLUTION: Final = Bits(DATA_FORMAT, 0x08)
RANGE: Final = Bits(DATA_FORMAT, 0x03)
FIFO_MODE: Final = Bits(FIFO_CTL, 0xC0)
OVERRUN: Final = Bits(INT_SOURCE, 0x01)
ENTRIES: Final = Bits(FIFO_STATUS, 0x3F)

RANGE_16_G: Final = 3
BYPASS, STREAM = 0, 2
SETS: Final = 32
READ_SETS: Final = 12
G_PER_COUNT: Final = 1 / 256
SPI_RATES: Final = {3200: 0x0F, 1600: 0x0E, 800: 0x0D}
I2C_RATES: Final = {800: 0x0D, 400: 0x0C}
RATES: Final = SPI_RATES | I2C_RATES
CHANGES: Final = (selftest.Change(0.2, 3.72), selftest.Change(0.2, 3.72), selftest.Change(0.3, 5.0))
"""Its limits at 2.5 V (0.2 to 2.1 g, -2.1 to -0.2, 0.3 to 3.4), the far ones x 1.77 and 1.47 as at 3.3 V."""

SETTLE_S: Final = 0.05
SET_BYTES: Final = 6


class Adxl345(FifoSensor):
    """The driver."""

    chip = CHIP

    def __init__(
        self,
        registers: Registers,
        rate_hz: int = 3200,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(registers, monotonic_s=monotonic_s, pause=pause)
        self._rate_hz = rate_hz

    @property
    def fs_nominal_hz(self) -> float:
        """As set."""
        return float(self._rate_hz)

    @property
    def dtype(self) -> SampleType:
        """Thirteen bits."""
        return "int16"

    @property
    def scale(self) -> tuple[float, ...]:
        """g a count, at full resolution in every range."""
        return (G_PER_COUNT,) * 3

    @property
    def full_scale(self) -> float:
        """g."""
        return 16.0

    @property
    def doubts(self) -> tuple[str, ...]:
        """What it can't do."""
        high = min(1000, self._rate_hz // 2)
        return (
            f"good for velocity from 10 to {high} Hz and for nothing else: a count of 4 mg and the noise of "
            "a hobby sensor hide what bearings and gears say; take an IIS3DWB or an IEPE sensor for those",
        )

    @property
    def interval_s(self) -> float:
        """While a third of the FIFO fills."""
        return READ_SETS / self._rate_hz

    def _set_up(self) -> None:
        settings = (
            (POWER_CTL, MEASURE.as_(0)),
            (FIFO_CTL, FIFO_MODE.as_(BYPASS)),
            (BW_RATE, RATES[self._rate_hz]),
            (DATA_FORMAT, FULL_RESOLUTION.as_(1) | RANGE.as_(RANGE_16_G)),
            (POWER_CTL, MEASURE.as_(1)),
        )
        write_and_check(self._registers, settings, CHIP)

    def self_test(self) -> str | None:
        """As the data sheet has it, at the rate in force, but 1,600 Hz, at which it says nothing."""
        if self._rate_hz == 1600:
            self._registers.write(BW_RATE, RATES[800])
        plain = FULL_RESOLUTION.as_(1) | RANGE.as_(RANGE_16_G)
        try:
            return selftest.run(
                lambda: selftest.mean(self._read_g, self._pause),
                lambda on: self._registers.write(DATA_FORMAT, plain | SELF_TEST.as_(int(on))),
                CHANGES,
                self._pause,
                settle_s=SETTLE_S,
            )
        finally:
            self._registers.write(BW_RATE, RATES[self._rate_hz])

    def _read_g(self) -> selftest.Axes:
        return np.frombuffer(self._registers.read(DATAX0, SET_BYTES), "<i2") * G_PER_COUNT

    def _begin(self) -> None:
        self._registers.write(FIFO_CTL, FIFO_MODE.as_(BYPASS))
        self._registers.write(FIFO_CTL, FIFO_MODE.as_(STREAM))

    def _drain(self) -> Burst | None:
        lost = bool(OVERRUN.of(self._registers.read(INT_SOURCE)[0]))
        status = self._registers.read(FIFO_STATUS)[0]
        at_s = self._monotonic_s()
        sets = ENTRIES.of(status)
        if sets > SETS + 1:  # one more waits in the data registers
            raise Garbage(f"a FIFO of {SETS} readings says that it holds {sets}")
        if sets == 0:
            return None
        raw = b"".join(self._registers.read(DATAX0, SET_BYTES) for _ in range(sets))
        axes = np.frombuffer(raw, "<i2").reshape(-1, 3)
        return Burst(from_words(axes), at_s, overrun=lost)


def open_source(table: Mapping[str, object], clock: PlantClock) -> ContinuousSource:
    """The entry point. Raises ValueError with a sentence for each mistake."""
    found = TableMistakes()
    registers: Registers | None = None
    rates, usual_hz = SPI_RATES, 3200
    own: tuple[str, ...] = ("spi", "spi_hz", "rate_hz")
    if ("spi" in table) == ("i2c" in table):
        found.note('either spi = "0.0" or i2c = 1 must say which bus it is on')
        rates, own = {**SPI_RATES, **I2C_RATES}, ("i2c", "address", *own)
    elif "spi" in table:
        bus = found.read(None, read_spi, table, CHIP, slowest_hz=2_000_000)
        registers = None if bus is None else SpiRegisters(bus, CHIP)
    else:
        rates, own, usual_hz = I2C_RATES, ("i2c", "address", "rate_hz"), 800
        registers = found.read(None, read_i2c, table, ADDRESSES)
    rate_hz = found.read(usual_hz, one_of, table, "rate_hz", tuple(rates), usual_hz)
    driver = Adxl345(registers or SpiRegisters(any_bus(CHIP), CHIP), rate_hz)
    return source_of(driver, table, clock, own, found=found, known=registers is not None)
