"""The table [[source]] of a Modbus source, read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .modbus_line import DEFAULT_BAUD, DEFAULT_PARITY, Serial, Tcp
from .modbus_registers import (
    DEFAULT_SLAVE,
    SLAVES_SERIAL,
    SLAVES_TCP,
    chosen,
    read_register,
    refuse_overlaps,
    scale_needed,
    whole,
)
from .modbus_registers import KEYS as ROW_KEYS
from .modbus_requests import Request, gather
from .reading_pace import SEND_EVERY_S
from .reading_table import ROWS, ReadingTable, refuse_unknown_keys

WHERE: Final = "[[source]] modbus"
TCP_KEYS: Final = ("host", "port")
SERIAL_KEYS: Final = ("device", "baud", "parity", "stop_bits")
KEYS: Final = (
    *(*TCP_KEYS, *SERIAL_KEYS, ROWS, "machine", "point", "slave"),
    *("every_s", "send_every_s", "answer_s", "slow", "gap"),
)
EVERY_S: Final = 10.0
ANSWER_S: Final = 1.0
LONGEST_ANSWER_S: Final = 5.0
"""A device that takes longer could not be heard again within 15 s of its return."""

GAP: Final = 8
"""Registers that nobody wants cost two bytes each; a request of its own costs a serial line some 20."""

PARITIES: Final = ("N", "E", "O")


@dataclass(frozen=True, slots=True)
class ModbusOptions:
    """The table above, read."""

    where: Serial | Tcp
    table: ReadingTable
    requests: tuple[Request, ...]
    every_s: float = EVERY_S
    send_every_s: float = SEND_EVERY_S
    answer_s: float = ANSWER_S
    slow: Mapping[int, float] | None = None


def read_options(table: Mapping[str, object]) -> ModbusOptions:
    """The options of a [[source]] table. Raises ValueError naming the row and the key."""
    refuse_unknown_keys(table, KEYS, WHERE)
    where = _where(table)
    slaves = SLAVES_TCP if isinstance(where, Tcp) else SLAVES_SERIAL
    slave = whole(table.get("slave", DEFAULT_SLAVE), "slave", WHERE, slaves)
    rows = ReadingTable.read(table, ROW_KEYS, scale_needed=scale_needed)
    registers = [read_register(row, slave, slaves) for row in rows.rows]
    refuse_overlaps(registers, rows.rows)
    return ModbusOptions(
        where=where,
        table=rows,
        requests=gather(registers, whole(table.get("gap", GAP), "gap", WHERE, (0, 125))),
        every_s=_seconds(table, "every_s", EVERY_S, 86_400.0),
        send_every_s=_seconds(table, "send_every_s", SEND_EVERY_S, 86_400.0),
        answer_s=_seconds(table, "answer_s", ANSWER_S, LONGEST_ANSWER_S),
        slow=_slow(table, {one.slave for one in registers}),
    )


def _where(table: Mapping[str, object]) -> Serial | Tcp:
    if ("host" in table) == ("device" in table):
        raise ValueError(f"{WHERE}: give either host (Modbus TCP) or device (Modbus RTU, a serial line)")
    for key in SERIAL_KEYS if "host" in table else TCP_KEYS:
        if key in table:
            raise ValueError(
                f"{WHERE}: {key} must not be given with {'host' if 'host' in table else 'device'}"
            )
    if "host" in table:
        return Tcp(_text(table, "host"), whole(table.get("port", 502), "port", WHERE, (1, 65_535)))
    device = _text(table, "device")
    if "://" in device:  # pyserial would take it for more than a line: spy:// writes a file of any name
        raise ValueError(f"{WHERE}: device must be a serial line, as /dev/ttyUSB0, got {device!r}")
    return Serial(
        device=device,
        baud=whole(table.get("baud", DEFAULT_BAUD), "baud", WHERE, (300, 4_000_000)),
        parity=chosen(table.get("parity", DEFAULT_PARITY), "parity", WHERE, dict.fromkeys(PARITIES)),
        stop_bits=whole(table.get("stop_bits", 1), "stop_bits", WHERE, (1, 2)),
    )


def _text(table: Mapping[str, object], key: str) -> str:
    value = table[key]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{WHERE}: {key} must be text in quotes, got {value!r}")
    return value


def _seconds(table: Mapping[str, object], key: str, default: float, most: float) -> float:
    return _number(table.get(key, default), key, most)


def _number(value: object, key: str, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise ValueError(f"{WHERE}: {key} must be above 0 and at most {most:g} s, got {str(value)[:40]!r}")
    return float(value)


def _slow(table: Mapping[str, object], slaves: set[int]) -> dict[int, float]:
    given = table.get("slow", {})
    if not isinstance(given, Mapping):
        raise ValueError(f"{WHERE}: slow must be a table, as {{ 7 = 2.5 }}, got {given!r}")
    for key in given:
        if not (str(key).isdecimal() and int(key) in slaves):
            raise ValueError(f"{WHERE}: slow names slave {key!r}, of which no value is read")
    return {int(key): _number(value, f"slow: {key}", LONGEST_ANSWER_S) for key, value in given.items()}
