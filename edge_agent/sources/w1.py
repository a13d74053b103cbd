"""DS18B20 thermometers on the 1-Wire bus, as the kernel's driver w1_therm gives them.

    [[source]]
    type = "w1"
    every_s = 30

    [[source.value]]
    machine = "P-101"
    point = "2"
    channel = "T"
    unit = "°C"
    sensor = "28-0316a2794fff"   # its folder in /sys/bus/w1/devices

A reading takes 0.75 s for each sensor.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from edge_agent.sensors.polled import PolledSource, read_every_s
from palier.clock import PlantClock

from .reading_table import ReadingRow, ReadingTable, refuse_unknown_keys

ROOT: Final = Path("/sys/bus/w1/devices")
KEYS: Final = ("every_s", "machine", "point", "value")
NAME: Final = re.compile(r"28-[0-9a-f]{12}")
_TEXT: Final = re.compile(r"(?:[0-9a-f]{2} ){9}: crc=[0-9a-f]{2} (YES|NO)\n((?:[0-9a-f]{2} ){9})t=")

POWER_ON_C: Final = 85.0
"""What its memory holds after power came, before it measured."""

UNTOUCHED: Final = 0x0C
"""Byte 6 of its memory after power came; a measured 85 °C leaves 0x10 there."""

C_PER_COUNT: Final = 1 / 16
LEAP_K: Final = 10.0  # no bearing goes so far between two readings and stops at exactly 85.000 °C
RANGE_C: Final = (-55.0, 125.0)


class Ds18b20:
    """One thermometer; `folder` is that of the kernel."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last: float | None = None

    def read(self) -> float:
        """°C. Raises OSError with a sentence."""
        try:
            text = (self._folder / "w1_slave").read_text("ascii", "replace")
        except FileNotFoundError as error:
            raise OSError(
                f"thermometer {self._folder.name} is missing: its wire is cut, or the bus is not switched on "
                f"(dtoverlay=w1-gpio); there are: {self._others()}"
            ) from error
        except OSError as error:
            raise OSError(
                f"thermometer {self._folder.name} does not answer ({error.strerror}): look at its wire"
            ) from error
        value = self._value(text)
        self._last = value
        return value

    def _value(self, text: str) -> float:
        found = _TEXT.match(text)
        if found is None:
            raise OSError(f"thermometer {self._folder.name} gives garbage ({text[:60]!r}): look at its wire")
        if found[1] != "YES":
            raise OSError(
                f"thermometer {self._folder.name} fails its checksum: a long wire, a bad joint, or a pull-up "
                "of more than 4.7 kΩ"
            )
        memory = bytes.fromhex(found[2])
        value = int.from_bytes(memory[:2], "little", signed=True) * C_PER_COUNT
        if memory in {bytes(9), b"\xff" * 9}:
            raise OSError(f"thermometer {self._folder.name} gives nothing: the data line is held, or cut")
        if value == POWER_ON_C and self._is_power_on(memory):
            raise OSError(
                f"thermometer {self._folder.name} says 85 °C, as it does after it lost its power: look at "
                "its supply wire (three wires, not two)"
            )
        if not RANGE_C[0] <= value <= RANGE_C[1]:
            raise OSError(f"thermometer {self._folder.name} must be from -55 to 125 °C, got {value:g}")
        return value

    def _is_power_on(self, memory: bytes) -> bool:
        """Its memory says so; a copy of the chip may not, but no bearing is at 85 °C all at once."""
        return memory[6] == UNTOUCHED or self._last is None or abs(self._last - POWER_ON_C) > LEAP_K

    def _others(self) -> str:
        try:
            there = sorted(one.name for one in self._folder.parent.iterdir() if NAME.fullmatch(one.name))
        except OSError:
            there = []
        return ", ".join(there) or "none"


def open_source(table: Mapping[str, object], clock: PlantClock, root: Path = ROOT) -> PolledSource:
    """The entry point. Raises ValueError with a sentence; `root` is the kernel's folder of the bus."""
    refuse_unknown_keys(table, KEYS, "w1")
    rows = ReadingTable.read(table, ("sensor",), address=_sensor)
    probes = [Ds18b20(root / _sensor(row)) for row in rows.rows]
    return PolledSource(rows, probes, read_every_s(table), clock)


def _sensor(row: ReadingRow) -> str:
    name = row.own.get("sensor")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(
            f'{row}: sensor must be the name of a folder in {ROOT}, e.g. sensor = "28-0316a2794fff", '
            f"got {name!r}"
        )
    return name
