"""SPI and I²C through the kernel's libraries: what is wrong with a bus is a sentence with its remedy."""

from __future__ import annotations

import errno
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from edge_agent.sensors import adxl345, iis3dwb
from edge_agent.sensors.bus import SpiRegisters
from edge_agent.sensors.i2c import I2cBus, read_i2c
from edge_agent.sensors.spi import SpiBus, read_spi
from palier.clock import PlantClock

PLACE: Mapping[str, object] = {"machine": "P-101", "point": "2", "speed_rpm": 1480}


class Spidev:
    """spidev.SpiDev; `error` is raised at `open`, `broken` by transfers."""

    def __init__(self, error: int | None = None) -> None:
        self.error = error
        self.broken = False
        self.closed = False
        self.mode = self.max_speed_hz = 0
        self.sent: list[bytes] = []

    def open(self, bus: int, select: int) -> None:
        if self.error is not None:
            raise OSError(self.error, "why")

    def xfer2(self, out: bytes) -> list[int]:
        if self.broken:
            raise OSError(errno.ESHUTDOWN, "Cannot send after transport endpoint shutdown")
        self.sent.append(bytes(out))
        return [0x7B] * len(out)

    def close(self) -> None:
        self.closed = True


def test_the_bus_is_set_as_the_data_sheet_wants_it() -> None:
    device = Spidev()
    bus = SpiBus("1.2", iis3dwb.CHIP, 4_000_000, make=lambda: device)
    bus.open()
    assert (device.mode, device.max_speed_hz) == (3, 4_000_000)
    registers = SpiRegisters(bus, iis3dwb.CHIP)
    assert registers.read(0x0F) == b"\x7b"
    registers.write(0x12, 0x44)
    assert device.sent == [b"\x8f\0", b"\x12\x44"]
    bus.close()
    assert device.closed


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOENT, r"/dev/spidev0\.1 can't be opened .*SPI is not switched on: dtparam=spi=on"),
        (errno.EACCES, "add it to the group spi"),
        (errno.EBUSY, "another driver has this chip select"),
        (errno.EIO, "see dmesg"),
    ],
)
def test_a_bus_that_does_not_open_says_the_remedy(number: int, words: str) -> None:
    device = Spidev(number)
    with pytest.raises(OSError, match=words):
        SpiBus("0.1", iis3dwb.CHIP, 4_000_000, make=lambda: device).open()
    assert device.closed


def test_a_bus_that_is_lost_says_so() -> None:
    device = Spidev()
    bus = SpiBus("0.0", iis3dwb.CHIP, 4_000_000, make=lambda: device)
    bus.open()
    device.broken = True
    with pytest.raises(OSError, match=r"SPI 0\.0 can't be used .*is the bus still there"):
        bus.exchange(b"\0\0")
    bus.close()
    with pytest.raises(OSError, match="is not open"):
        bus.exchange(b"\0\0")


def test_a_library_that_is_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spidev", None)
    monkeypatch.setitem(sys.modules, "smbus2", None)
    with pytest.raises(OSError, match=r"spidev is not installed: pip install 'palier\[spi\]'"):
        SpiBus("0.0", iis3dwb.CHIP, 4_000_000).open()
    with pytest.raises(OSError, match=r"smbus2 is not installed: pip install 'palier\[i2c\]'"):
        I2cBus(1, 0x53).open()


def test_an_i2c_bus_that_is_not_there_says_the_remedy() -> None:
    with pytest.raises(OSError, match=r"/dev/i2c-97 can't be opened .*I²C is not switched on"):
        I2cBus(97, 0x53).open()  # the library itself


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, r"spi must be \"BUS\.CHIP\""),
        ({"spi": 0}, r"spi must be \"BUS\.CHIP\""),
        ({"spi": "0"}, r"spi must be \"BUS\.CHIP\""),
        ({"spi": "0.0", "spi_hz": 1_000_000}, "spi_hz must be a whole number from 4000000 .* to 10000000"),
        ({"spi": "0.0", "spi_hz": 20_000_000}, "spi_hz must be"),
    ],
)
def test_a_wrong_spi_key_is_a_sentence(table: Mapping[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_spi(table, iis3dwb.CHIP, slowest_hz=4_000_000)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, "i2c must be the number of a bus"),
        ({"i2c": True}, "i2c must be the number of a bus"),
        ({"i2c": 1, "address": 0x68}, "address must be one of 0x53, 0x1d, got 0x68"),
        ({"i2c": 1, "address": "0x53"}, "address must be one of"),
    ],
)
def test_a_wrong_i2c_key_is_a_sentence(table: Mapping[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_i2c(table, adxl345.ADDRESSES)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, "either spi = .* or i2c = 1 must say"),
        ({"spi": "0.0", "i2c": 1}, "either spi"),
        ({"i2c": 1, "rate_hz": 3200}, "rate_hz must be one of 800, 400, got 3200"),
        ({"spi": "0.0", "rate_hz": 400}, "rate_hz must be one of 3200, 1600, 800, got 400"),
    ],
)
def test_a_wrong_adxl345_is_a_sentence(table: Mapping[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        adxl345.open_source({**PLACE, **table}, PlantClock())


def test_each_source_says_which_wires_it_has() -> None:
    on_spi = adxl345.open_source({**PLACE, "spi": "0.1"}, PlantClock())
    on_i2c = adxl345.open_source({**PLACE, "i2c": 1, "plan": {"danger": False}}, PlantClock())
    assert (on_spi.addresses, on_i2c.addresses) == (("spi 0.1",), ("i2c 1 0x53",))
