"""I²C through smbus2. The library is loaded when a bus is opened, and only then."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

from palier.table_mistakes import TableMistakes

_REMEDY: Final = {
    errno.ENOENT: "I²C is not switched on: dtparam=i2c_arm=on in /boot/firmware/config.txt, then restart",
    errno.EACCES: "the agent's account may not use it: add it to the group i2c, and DeviceAllow= to its unit",
}
_SILENCE: Final = {
    errno.EREMOTEIO: "nobody acknowledges the address: wrong address, no power, or SDA and SCL mixed up",
    errno.ENXIO: "nobody acknowledges the address: wrong address, no power, or SDA and SCL mixed up",
    errno.ETIMEDOUT: "a line is held down: a device hangs (take its power away), or a pull-up is missing",
    errno.EBUSY: "the kernel has a driver of its own for this address: take it out of the device tree",
}


class I2cBus:
    """One address of /dev/i2c-BUS."""

    def __init__(self, bus: int, address: int, *, make: Callable[[int], Any] | None = None) -> None:
        """`make` gives an smbus2.SMBus of a bus number, for tests."""
        self.bus = bus
        self.address_number = address
        self._make = make or _smbus
        self._device: Any = None

    @property
    def name(self) -> str:
        """ "I²C 1, address 0x53"."""
        return f"I²C {self.bus}, address {self.address_number:#04x}"

    @property
    def address(self) -> str:
        """What no two sources can share."""
        return f"i2c {self.bus} {self.address_number:#04x}"

    def open(self) -> None:
        """Take it. Raises OSError with a sentence."""
        try:
            self._device = self._make(self.bus)
        except OSError as error:
            if error.errno is None:
                raise
            remedy = _REMEDY.get(error.errno, "see dmesg")
            raise OSError(
                error.errno, f"/dev/i2c-{self.bus} can't be opened ({error.strerror}): {remedy}"
            ) from error

    def close(self) -> None:
        """Let it go."""
        device, self._device = self._device, None
        if device is not None:
            with contextlib.suppress(OSError):
                device.close()

    def read(self, register: int, count: int = 1) -> bytes:
        """So many bytes (at most 32) from this register on. Raises OSError."""
        device = self._opened()
        try:
            return bytes(device.read_i2c_block_data(self.address_number, register, count))
        except OSError as error:
            raise self._silent(error) from error

    def write(self, register: int, value: int) -> None:
        """One byte into a register. Raises OSError."""
        device = self._opened()
        try:
            device.write_byte_data(self.address_number, register, value)
        except OSError as error:
            raise self._silent(error) from error

    def _opened(self) -> Any:
        if self._device is None:
            raise OSError(errno.EBADF, f"{self.name} is not open")
        return self._device

    def _silent(self, error: OSError) -> OSError:
        why = _SILENCE.get(error.errno or 0, "the bus failed")
        return OSError(error.errno, f"{self.name} does not answer ({error.strerror}): {why}")


def read_i2c(table: Mapping[str, object], addresses: tuple[int, ...]) -> I2cBus:
    """The device that a table names by `i2c` (bus) and `address`. Raises TableError naming the keys.

    `addresses` are those that the device can have, the usual one first.
    """
    found = TableMistakes()
    bus = table.get("i2c")
    if isinstance(bus, bool) or not isinstance(bus, int) or not 0 <= bus <= 99:
        found.note(f"i2c must be the number of a bus as in /dev/i2c-1, e.g. i2c = 1, got {bus!r}")
        bus = 0
    address = table.get("address", addresses[0])
    if isinstance(address, bool) or address not in addresses or not isinstance(address, int):
        shown = f"{address:#04x}" if isinstance(address, int) else repr(address)
        found.note(f"address must be one of {', '.join(f'{one:#04x}' for one in addresses)}, got {shown}")
        address = addresses[0]
    found.refuse()
    return I2cBus(bus, address)


def _smbus(bus: int) -> Any:
    try:
        return import_module("smbus2").SMBus(bus)
    except ImportError as error:
        raise OSError("the library smbus2 is not installed: pip install 'palier[i2c]'") from error
