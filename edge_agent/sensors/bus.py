"""Buses as a driver sees them: registers that are read and written; what is behind is SPI, I²C, or a test."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from .registers import SILENT_LINES, Chip

ANOTHER: Final = "another device is wired there, or the wires are mixed up"


class Wires(Protocol):
    """What leads to one device. Every method raises OSError with a sentence."""

    @property
    def name(self) -> str:
        """For people: "SPI 0.0", "I²C 1, address 0x53"."""
        ...

    @property
    def address(self) -> str:
        """What no two sources can share: "spi 0.0"."""
        ...

    def open(self) -> None:
        """Take the bus."""
        ...

    def close(self) -> None:
        """Let it go; never raises."""
        ...


class Spi(Wires, Protocol):
    """One chip select of an SPI bus."""

    def exchange(self, out: bytes) -> bytes:
        """Send bytes and return as many that came meanwhile."""
        ...


class Registers(Wires, Protocol):
    """A device's registers, on whichever bus."""

    def read(self, register: int, count: int = 1) -> bytes:
        """So many bytes from this register on."""
        ...

    def write(self, register: int, value: int) -> None:
        """One byte into a register."""
        ...


class SpiRegisters:
    """Registers of a device on SPI."""

    def __init__(self, spi: Spi, chip: Chip) -> None:
        self._spi = spi
        self._framing = chip.framing

    @property
    def name(self) -> str:
        """Where the device is."""
        return self._spi.name

    @property
    def address(self) -> str:
        """What no two sources can share."""
        return self._spi.address

    def open(self) -> None:
        """Take the bus."""
        self._spi.open()

    def close(self) -> None:
        """Let it go."""
        self._spi.close()

    def read(self, register: int, count: int = 1) -> bytes:
        """So many bytes from this register on."""
        return self._spi.exchange(bytes((self._framing.to_read(register, count),)) + bytes(count))[1:]

    def write(self, register: int, value: int) -> None:
        """One byte into a register."""
        self._spi.exchange(bytes((self._framing.to_write(register), value)))


def must_be(chip: Chip, registers: Registers) -> None:
    """Raises OSError where the device is another one, or none."""
    for identity in chip.identity:
        was = registers.read(identity.register)[0]
        if was != identity.value:
            raise OSError(
                f"no {chip.name} on {registers.name}: {identity.name} must be {identity.value:#04x}, it is "
                f"{was:#04x}; {SILENT_LINES.get(was, ANOTHER)}"
            )


def write_and_check(registers: Registers, settings: Iterable[tuple[int, int]], chip: Chip) -> None:
    """Write each (register, value) and read it back. Raises OSError where a device does not keep it."""
    for register, value in settings:
        registers.write(register, value)
        was = registers.read(register)[0]
        if was != value:
            raise OSError(
                f"{chip.name} on {registers.name} does not keep what is written: register {register:#04x} "
                f"must be {value:#04x}, it is {was:#04x}; check MOSI and the supply, or lower the bus clock"
            )
