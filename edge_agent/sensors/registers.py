"""Devices by their data sheets: identities, how a register is addressed, and what its bits are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Framing:
    """How the first byte of an SPI transfer names a register: (register << shift) | read or write | burst.

    `burst` is set where more than one byte is moved.
    """

    read: int
    write: int = 0
    burst: int = 0
    shift: int = 0

    def to_read(self, register: int, count: int) -> int:
        """The first byte of a transfer that reads `count` registers from this one on."""
        return (register << self.shift) | self.read | (self.burst if count > 1 else 0)

    def to_write(self, register: int) -> int:
        """The first byte of a transfer that writes one register."""
        return (register << self.shift) | self.write


@dataclass(frozen=True, slots=True)
class Identity:
    """A register that says what a device is."""

    name: str
    register: int
    value: int


@dataclass(frozen=True, slots=True)
class Chip:
    """What a bus must know of a device; `spi_mode` is its clock's polarity and phase, 0 to 3."""

    name: str
    framing: Framing
    spi_mode: int
    spi_hz: int  # the fastest clock of its data sheet
    identity: tuple[Identity, ...] = ()


@dataclass(frozen=True, slots=True)
class Bits:
    """Some bits of a register."""

    register: int
    mask: int

    def of(self, value: int) -> int:
        """The number that the bits are in a register's value."""
        return (value & self.mask) >> self._shift

    def as_(self, number: int) -> int:
        """The bits of a register that hold this number."""
        placed = number << self._shift
        if placed & ~self.mask:
            raise ValueError(
                f"{number} does not fit the bits {self.mask:#04x} of register {self.register:#04x}"
            )
        return placed

    @property
    def _shift(self) -> int:
        return (self.mask & -self.mask).bit_length() - 1


SILENT_LINES: Final = {
    0x00: "the data line stands at 0: MISO is not connected, or the device has no power",
    0xFF: "the data line stands at 1: MISO or chip select is not connected, or nothing answers there",
}
"""What a bus reads where nobody drives it, and what that mostly means."""
