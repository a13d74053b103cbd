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

from edge_agent.sensors.polled import PolledSource, polled_source
from palier.clock import PlantClock
from palier.table_mistakes import TableMistakes
from palier.wire.said import said

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
            raise OSError(said("w1_missing", name=self._folder.name, others=self._others())) from error
        except OSError as error:
            why = str(error.strerror)
            raise OSError(said("w1_no_answer", name=self._folder.name, why=why)) from error
        value = self._value(text)
        self._last = value
        return value

    def _value(self, text: str) -> float:
        found = _TEXT.match(text)
        if found is None:
            raise OSError(said("w1_garbage", name=self._folder.name, got=repr(text[:60])))
        if found[1] != "YES":
            raise OSError(said("w1_checksum", name=self._folder.name))
        memory = bytes.fromhex(found[2])
        value = int.from_bytes(memory[:2], "little", signed=True) * C_PER_COUNT
        if memory in {bytes(9), b"\xff" * 9}:
            raise OSError(said("w1_nothing", name=self._folder.name))
        if value == POWER_ON_C and self._is_power_on(memory):
            raise OSError(said("w1_power", name=self._folder.name))
        if not RANGE_C[0] <= value <= RANGE_C[1]:
            raise OSError(said("w1_range", name=self._folder.name, got=value))
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
    """The entry point. Raises ValueError with a sentence for each mistake; `root` is the kernel's folder of
    the bus."""
    found = TableMistakes()
    found.read(None, refuse_unknown_keys, table, KEYS, "w1")
    rows = ReadingTable.read(table, ("sensor",), address=_sensor, found=found)
    names = [found.read(None, _sensor, row) for row in rows.rows]
    probes = [None if name is None else Ds18b20(root / name) for name in names]
    return polled_source(table, rows, probes, clock, found)


def _sensor(row: ReadingRow) -> str:
    name = row.own.get("sensor")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(
            f'{row}: sensor must be the name of a folder in {ROOT}, e.g. sensor = "28-0316a2794fff", '
            f"got {name!r}"
        )
    return name
