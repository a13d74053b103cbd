"""SPI through the kernel's spidev. The library is loaded when a bus is opened, and only then."""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

from palier.table_mistakes import TableMistakes

from .registers import Chip

BUFFER_BYTES: Final = 4096
"""What spidev takes at once, unless its `bufsiz` was raised."""

_WHERE: Final = re.compile(r"(\d{1,2})\.(\d{1,2})")
_REMEDY: Final = {
    errno.ENOENT: "SPI is not switched on: dtparam=spi=on in /boot/firmware/config.txt, then restart",
    errno.EACCES: "the agent's account may not use it: add it to the group spi, and DeviceAllow= to its unit",
    errno.EBUSY: "another driver has this chip select: is the sensor in the device tree, too?",
}


class SpiBus:
    """A chip select: /dev/spidevBUS.CHIP."""

    def __init__(
        self, where: str, chip: Chip, clock_hz: int, *, make: Callable[[], Any] | None = None
    ) -> None:
        """`where` is "BUS.CHIP"; `make` gives a spidev.SpiDev, for tests."""
        self.where = where
        self._bus, self._select = map(int, where.split("."))
        self._chip = chip
        self._clock_hz = clock_hz
        self._make = make or _spidev
        self._device: Any = None

    @property
    def name(self) -> str:
        """ "SPI 0.0"."""
        return f"SPI {self.where}"

    @property
    def address(self) -> str:
        """What no two sources can share."""
        return f"spi {self.where}"

    def open(self) -> None:
        """Take it. Raises OSError with a sentence."""
        device = self._make()
        try:
            device.open(self._bus, self._select)
            device.mode = self._chip.spi_mode
            device.max_speed_hz = self._clock_hz
        except OSError as error:
            with contextlib.suppress(OSError):
                device.close()
            remedy = _REMEDY.get(error.errno or 0, "see dmesg")
            raise OSError(
                error.errno, f"/dev/spidev{self.where} can't be opened ({error.strerror}): {remedy}"
            ) from error
        self._device = device

    def close(self) -> None:
        """Let it go."""
        device, self._device = self._device, None
        if device is not None:
            with contextlib.suppress(OSError):
                device.close()

    def exchange(self, out: bytes) -> bytes:
        """Send bytes and return as many that came meanwhile. Raises OSError."""
        if self._device is None:
            raise OSError(errno.EBADF, f"{self.name} is not open")
        try:
            return bytes(self._device.xfer2(out))
        except OSError as error:
            raise OSError(
                error.errno, f"{self.name} can't be used ({error.strerror}): is the bus still there?"
            ) from error


def read_spi(table: Mapping[str, object], chip: Chip, *, slowest_hz: int = 100_000) -> SpiBus:
    """The chip select that a table names by `spi`, at `spi_hz`. Raises TableError naming the keys.

    `slowest_hz` is the clock below which the bus takes longer than the device to fill its FIFO.
    """
    found = TableMistakes()
    where = found.read("0.0", _where, table)
    clock_hz = table.get("spi_hz", chip.spi_hz)
    if (
        isinstance(clock_hz, bool)
        or not isinstance(clock_hz, int)
        or not slowest_hz <= clock_hz <= chip.spi_hz
    ):
        found.note(
            f"spi_hz must be a whole number from {slowest_hz} (slower, its samples do not fit the "
            f"bus) to {chip.spi_hz} (the fastest clock of the {chip.name}), got {clock_hz!r}"
        )
        clock_hz = chip.spi_hz
    found.refuse()
    return SpiBus(where, chip, clock_hz)


def any_bus(chip: Chip) -> SpiBus:
    """In place of one that a table does not name rightly, while the rest of the table is looked at."""
    return SpiBus("0.0", chip, chip.spi_hz)


def _where(table: Mapping[str, object]) -> str:
    where = table.get("spi")
    if not isinstance(where, str) or not _WHERE.fullmatch(where):
        raise ValueError(f'spi must be "BUS.CHIP" as in /dev/spidev0.0, e.g. spi = "0.0", got {where!r}')
    return where


def _spidev() -> Any:  # the library has no types
    try:
        return import_module("spidev").SpiDev()
    except ImportError as error:
        raise OSError(
            "the library spidev is not installed: pip install 'palier[spi]' (it is built on the gateway: "
            "needs gcc and python3-dev), or apt install python3-spidev in a venv with system packages"
        ) from error
