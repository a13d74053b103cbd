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
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from edge_agent.sources.reading_table import ReadingRow, ReadingTable, refuse_unknown_keys
from palier.clock import PlantClock

from .bus import Spi
from .polled import PolledSource, read_every_s
from .registers import SILENT_LINES, Chip, Framing
from .spi import read_spi

CHIP: Final = Chip("MAX31855", Framing(read=0), spi_mode=0, spi_hz=5_000_000)
KEYS: Final = ("every_s", "machine", "point", "value")
OWN: Final = ("spi", "spi_hz", "reads")

PROBE_PER_COUNT: Final = 0.25
BOARD_PER_COUNT: Final = 0.0625
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
        """The thermocouple, °C. Raises OSError with a sentence."""
        word = self._read()
        if word & FAULT:
            found = [text for bit, text in FAULTS if word & bit]
            raise OSError("; ".join(found) or f"MAX31855 on {self._spi.name} tells a fault and not which")
        return _signed(word >> 18, 14) * PROBE_PER_COUNT

    def board_c(self) -> float:
        """The cold junction, °C: also where the thermocouple is broken. Raises OSError."""
        return _signed(self._read() >> 4 & 0xFFF, 12) * BOARD_PER_COUNT

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
    """The entry point. Raises ValueError with a sentence."""
    refuse_unknown_keys(table, KEYS, "max31855")
    rows = ReadingTable.read(table, OWN, address=_address)
    chips: dict[str, Max31855] = {}
    probes = []
    for row in rows.rows:
        bus = _bus(row, spi)
        chip = chips.setdefault(bus.address, Max31855(bus))
        probes.append(_Value(chip.board_c if row.own.get("reads") == "board" else chip.probe_c))
    close = [chip.close for chip in chips.values()]
    return PolledSource(rows, probes, read_every_s(table), clock, addresses=tuple(chips), close=close)


def _bus(row: ReadingRow, spi: Callable[[Mapping[str, object]], Spi]) -> Spi:
    try:
        return spi(row.own)
    except ValueError as error:
        raise ValueError(f"{row}: {error}") from error


def _address(row: ReadingRow) -> tuple[object, object]:
    reads = row.own.get("reads", "probe")
    if reads not in {"probe", "board"}:
        raise ValueError(f'{row}: reads must be "probe" or "board", got {reads!r}')
    return row.own.get("spi"), reads


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value
