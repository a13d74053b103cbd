"""MAX31855: a thermocouple, its cold junction measured in the chip. Data sheet 19-5793.

[[source]]
type = "max31855"
every_s = 30

[[source.value]]
machine = "P-101"
point = "2"
channel = "T"
unit = "°C"
spi = "0.1"         # /dev/spidev0.1
reads = "probe"     # "probe" (without it) or "board": the cold junction, for the cabinet's temperature
curve = "K"         # "K" (without it), or "linear": the chip's own number, for other types (MAX31855J)

The chip takes a thermocouple for a straight line through its cold junction. One of type K is none, and would
read 2 °C too low at 200 °C, 3 too low at 300, 4 too high at 600. So the voltage is taken back out of the
chip's number, that of the cold junction is added, and the sum is looked up on ITS-90 (`type_k`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

from edge_agent.sources.reading_table import ReadingRow, ReadingTable, refuse_unknown_keys
from palier.clock import PlantClock
from palier.table_mistakes import TableMistakes

from . import type_k
from .bus import Spi
from .polled import PolledSource, Probe, polled_source
from .registers import SILENT_LINES, Chip, Framing
from .spi import read_spi

CHIP: Final = Chip("MAX31855", Framing(read=0), spi_mode=0, spi_hz=5_000_000)
KEYS: Final = ("every_s", "machine", "point", "value")
OWN: Final = ("spi", "spi_hz", "reads", "curve")
CURVES: Final = ("K", "linear")
READS: Final = ("probe", "board")

PROBE_PER_COUNT: Final = 0.25
BOARD_PER_COUNT: Final = 0.0625
MV_PER_K: Final = 0.041276
"""The line by which a MAX31855K makes degrees of volts (data sheet, nominal sensitivities)."""

FAULT: Final = 1 << 16
FAULT_BITS: Final = 0b111  # FAULT sums them up
RESERVED: Final = 1 << 17 | 1 << 3  # always 0
FAULTS: Final = (
    (1 << 0, "the thermocouple is open: it is broken, or not connected"),
    (1 << 1, "the thermocouple touches ground: use one that is insulated, or look at its cable"),
    (1 << 2, "the thermocouple touches the supply: look at its cable"),
)


class Max31855:
    """One chip. `probe_c` and `board_c` read it; one thread at a time."""

    def __init__(self, spi: Spi) -> None:
        self._spi = spi
        self._open = False

    def probe_c(self) -> float:
        """The thermocouple as the chip tells it, °C. Raises OSError with a sentence."""
        return self._probe_c(self._read_probe())

    def type_k_c(self) -> float:
        """A thermocouple of type K, °C, by both numbers of one reading. Raises OSError with a sentence."""
        word = self._read_probe()
        told_c, board_c = self._probe_c(word), self._board_c(word)
        mv = (told_c - board_c) * MV_PER_K + float(type_k.millivolts(board_c))
        found_c = float(type_k.celsius(mv))
        if math.isnan(found_c):
            low, high = type_k.RANGE_C
            raise OSError(
                f"the thermocouple must be from {low:g} to {high:g} °C, which type K can measure, the chip "
                f'says {told_c:g}: another type (curve = "linear"), or a bad contact'
            )
        return found_c

    def _read_probe(self) -> int:
        word = self._read()
        if word & FAULT:
            found = [text for bit, text in FAULTS if word & bit]
            raise OSError("; ".join(found) or f"MAX31855 on {self._spi.name} tells a fault and not which")
        return word

    def board_c(self) -> float:
        """The cold junction, °C: also where the thermocouple is broken. Raises OSError."""
        return self._board_c(self._read())

    @staticmethod
    def _probe_c(word: int) -> float:
        return _signed(word >> 18, 14) * PROBE_PER_COUNT

    @staticmethod
    def _board_c(word: int) -> float:
        return _signed(word >> 4 & 0xFFF, 12) * BOARD_PER_COUNT

    def close(self) -> None:
        """Let the bus go; the next reading takes it again. Never raises."""
        self._open = False
        self._spi.close()

    def _read(self) -> int:
        if not self._open:
            self._spi.open()
            self._open = True
        try:
            raw = self._spi.exchange(bytes(4))
        except OSError:
            self.close()
            raise
        word = int.from_bytes(raw, "big")
        # No register names the chip; 0 °C outside and inside to the last bit is a line that nobody drives.
        if word in {0, 0xFFFFFFFF}:
            raise OSError(f"no MAX31855 on {self._spi.name}: {SILENT_LINES[word & 0xFF]}")
        unsummed = word & FAULT_BITS and not word & FAULT
        if word & RESERVED or unsummed:
            raise OSError(
                f"what is on {self._spi.name} is no MAX31855, or it gives garbage ({word:#010x}: bits "
                "that no such chip sets): look at its wires"
            )
        return word


class _Value:
    """One of a chip's two values."""

    def __init__(self, read: Callable[[], float]) -> None:
        self.read = read


def open_source(
    table: Mapping[str, object],
    clock: PlantClock,
    spi: Callable[[Mapping[str, object]], Spi] = lambda own: read_spi(own, CHIP),
) -> PolledSource:
    """The entry point. Raises ValueError with a sentence for each mistake."""
    found = TableMistakes()
    found.read(None, refuse_unknown_keys, table, KEYS, "max31855")
    rows = ReadingTable.read(table, OWN, address=_address, found=found)
    chips: dict[str, Max31855] = {}
    probes: list[Probe | None] = []
    for row in rows.rows:
        bus = found.of(str(row)).read(None, spi, row.own)
        if bus is None:
            probes.append(None)
            continue
        chip = chips.setdefault(bus.address, Max31855(bus))
        linear = found.read("", _curve, row) == "linear"
        probe = chip.probe_c if linear else chip.type_k_c
        probes.append(_Value(chip.board_c if row.own.get("reads") == "board" else probe))
    close = [chip.close for chip in chips.values()]
    return polled_source(table, rows, probes, clock, found, addresses=tuple(chips), close=close)


def _curve(row: ReadingRow) -> str:
    curve = row.own.get("curve", "K")
    if curve not in CURVES:
        raise ValueError(f'{row}: curve must be "K" or "linear", got {curve!r}')
    return str(curve)


def _address(row: ReadingRow) -> tuple[object, object] | None:
    reads = row.own.get("reads", "probe")
    if reads not in READS:
        raise ValueError(f'{row}: reads must be "probe" or "board", got {reads!r}')
    spi = row.own.get("spi")
    return (spi, reads) if isinstance(spi, str) else None


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value
