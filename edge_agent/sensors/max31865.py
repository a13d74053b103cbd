"""MAX31865: a platinum resistor (PT100, PT1000) of two, three or four wires. Data sheet 19-6478.

[[source]]
type = "max31865"
every_s = 30

[[source.value]]
machine = "P-101"
point = "2"
channel = "T"
unit = "°C"
spi = "0.1"              # /dev/spidev0.1
wires = 3                # 2, 3 or 4
reference_ohm = 430.0    # the resistor on the board: 430 for a PT100, 4300 for a PT1000, mostly
zero_ohm = 100.0         # of the sensor at 0 °C: 100 or 1000
mains_hz = 50            # 50 or 60: its filter
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Final

from edge_agent.sources.reading_table import ReadingRow, ReadingTable, refuse_unknown_keys
from palier.clock import PlantClock
from palier.table_mistakes import TableMistakes
from palier.wire.said import said

from .bus import Spi, SpiRegisters
from .polled import PolledSource, polled_source
from .registers import SILENT_LINES, Chip, Framing
from .spi import read_spi
from .tables import number, one_of

CHIP: Final = Chip("MAX31865", Framing(read=0x00, write=0x80), spi_mode=1, spi_hz=5_000_000)
KEYS: Final = ("every_s", "machine", "point", "value")
OWN: Final = ("spi", "spi_hz", "wires", "reference_ohm", "zero_ohm", "mains_hz")

CONFIGURATION: Final = 0x00
RTD_HIGH: Final = 0x01
FAULT_STATUS: Final = 0x07
BIAS: Final = 0x80
ONE_SHOT: Final = 0x20
THREE_WIRES: Final = 0x10
FAULT_CYCLE: Final = 0x04
CLEAR_FAULTS: Final = 0x02
FILTER_50_HZ: Final = 0x01
BIAS_S: Final = 0.0105  # ten time constants of the input filter, and a millisecond
CONVERSION_S: Final = 0.066  # 62.5 ms at 50 Hz, 52 at 60
FULL_COUNTS: Final = 1 << 15

FAULTS: Final = (
    (0x20, "REFIN- is above 0.85 of the bias: the sensor is open, or a wire to it is cut"),
    (0x10, "REFIN- is below 0.85 of the bias: FORCE- is open or shorted"),
    (0x08, "RTDIN- is below 0.85 of the bias: FORCE- is open or shorted"),
    (0x04, "a wire of the sensor is above the supply or below ground"),
)
A, B, C = 3.9083e-3, -5.775e-7, -4.183e-12  # IEC 60751
RANGE_C: Final = (-200.0, 850.0)


def resistance(temperature_c: float, zero_ohm: float = 100.0) -> float:
    """Ω of a platinum resistor, by Callendar and Van Dusen (IEC 60751)."""
    t = temperature_c
    below = C * (t - 100) * t**3 if t < 0 else 0.0
    return zero_ohm * (1 + A * t + B * t * t + below)


def temperature(ohm: float, zero_ohm: float = 100.0) -> float:
    """°C of a platinum resistor: exact above 0 °C, below within 1 µK of the formula of IEC 60751."""
    ratio = ohm / zero_ohm
    t = (-A + math.sqrt(A * A - 4 * B * (1 - ratio))) / (2 * B)
    if ratio >= 1:
        return t
    for _ in range(6):  # Newton, from a start within some K
        slope = A + 2 * B * t + C * (4 * t**3 - 300 * t * t)
        t -= (resistance(t, 1.0) - ratio) / slope
    return t


class Max31865:
    """One chip with its sensor."""

    def __init__(
        self,
        spi: Spi,
        *,
        wires: int = 3,
        reference_ohm: float = 430.0,
        zero_ohm: float = 100.0,
        mains_hz: int = 50,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._registers = SpiRegisters(spi, CHIP)
        self._setting = (THREE_WIRES if wires == 3 else 0) | (FILTER_50_HZ if mains_hz == 50 else 0)
        self._reference_ohm = reference_ohm
        self._zero_ohm = zero_ohm
        self._pause = pause
        self._open = False

    def read(self) -> float:
        """°C. Raises OSError with a sentence."""
        try:
            if not self._open:
                self._registers.open()
                self._open = True
            return self._measure()
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Let the bus go; the next reading takes it again. Never raises."""
        self._open = False
        self._registers.close()

    def _measure(self) -> float:
        registers, setting = self._registers, self._setting
        registers.write(CONFIGURATION, BIAS | CLEAR_FAULTS | setting)
        was = registers.read(CONFIGURATION)[0]
        if was != BIAS | setting:
            why = SILENT_LINES.get(was, "another device is wired there, or the wires are mixed up")
            raise OSError(
                f"no MAX31865 on {registers.name}: its configuration must be {BIAS | setting:#04x}, it is "
                f"{was:#04x}; {why}"
            )
        self._pause(BIAS_S)
        registers.write(CONFIGURATION, BIAS | FAULT_CYCLE | setting)
        self._pause(0.001)
        registers.write(CONFIGURATION, BIAS | ONE_SHOT | setting)
        self._pause(CONVERSION_S)
        counts = int.from_bytes(registers.read(RTD_HIGH, 2), "big")
        status = registers.read(FAULT_STATUS)[0]
        registers.write(CONFIGURATION, setting)  # no bias: the current warms the sensor
        return self._value(counts >> 1, status)

    def _value(self, counts: int, status: int) -> float:
        found = [text for bit, text in FAULTS if status & bit]
        if found:
            raise OSError("; ".join(found))
        if counts == 0:
            raise OSError(said("probe_shorted"))
        if counts >= FULL_COUNTS - 1:
            raise OSError(said("probe_open", ohm=round(self._reference_ohm)))
        ohm = counts * self._reference_ohm / FULL_COUNTS
        low, high = (resistance(limit, self._zero_ohm) for limit in RANGE_C)
        if not low <= ohm <= high:
            raise OSError(
                f"the sensor must have {low:.0f} to {high:.0f} Ω, it has {ohm:.1f}: a short or a break, or "
                "zero_ohm, reference_ohm or wires are not those of this board"
            )
        return temperature(ohm, self._zero_ohm)


def open_source(
    table: Mapping[str, object],
    clock: PlantClock,
    spi: Callable[[Mapping[str, object]], Spi] = lambda own: read_spi(own, CHIP),
) -> PolledSource:
    """The entry point. Raises ValueError with a sentence for each mistake."""
    found = TableMistakes()
    found.read(None, refuse_unknown_keys, table, KEYS, "max31865")
    rows = ReadingTable.read(table, OWN, address=_address, found=found)
    buses = [found.of(str(row)).read(None, spi, row.own) for row in rows.rows]
    probes = [_chip(bus, row.own, found.of(str(row))) for bus, row in zip(buses, rows.rows, strict=True)]
    addresses = tuple(bus.address for bus in buses if bus is not None)
    close = [probe.close for probe in probes if probe is not None]
    return polled_source(table, rows, probes, clock, found, addresses=addresses, close=close)


def _address(row: ReadingRow) -> str | None:
    spi = row.own.get("spi")
    return spi if isinstance(spi, str) else None


def _chip(bus: Spi | None, own: Mapping[str, object], found: TableMistakes) -> Max31865 | None:
    """None where its own keys do not say how it is wired: what it then measured would mean nothing."""
    wires = found.read(None, one_of, own, "wires", (2, 3, 4), 3)
    reference_ohm = found.read(None, number, own, "reference_ohm", 430.0, 1.0, 100_000.0)
    zero_ohm = found.read(None, number, own, "zero_ohm", 100.0, 10.0, 10_000.0)
    mains_hz = found.read(None, one_of, own, "mains_hz", (50, 60), 50)
    if bus is None or wires is None or reference_ohm is None or zero_ohm is None or mains_hz is None:
        return None
    return Max31865(bus, wires=wires, reference_ohm=reference_ohm, zero_ohm=zero_ohm, mains_hz=mains_hz)
