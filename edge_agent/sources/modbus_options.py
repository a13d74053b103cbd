"""The table [[source]] of a Modbus source, read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from palier.table_mistakes import TableMistakes

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


NOWHERE: Final = Tcp("")
"""In place of what a table does not say rightly."""


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


def read_options(table: Mapping[str, object], found: TableMistakes | None = None) -> ModbusOptions:
    """The options of a [[source]] table. Raises TableError naming the rows and the keys, or notes them in
    `found`: then the rows that can be read are read from where the table says, or `NOWHERE`.
    """
    noted = found or TableMistakes()
    noted.read(None, refuse_unknown_keys, table, KEYS, WHERE)
    where = noted.read(NOWHERE, _where, table)
    slaves = SLAVES_TCP if "host" in table else SLAVES_SERIAL
    slave = noted.read(DEFAULT_SLAVE, whole, table.get("slave", DEFAULT_SLAVE), "slave", WHERE, slaves)
    rows = ReadingTable.read(table, ROW_KEYS, scale_needed=scale_needed, found=noted)
    read = [noted.read(None, read_register, row, slave, slaves) for row in rows.rows]
    registers = [one for one in read if one is not None]
    noted.read(None, refuse_overlaps, registers, rows.rows)
    asked = {one.slave for one in registers} if len(registers) == len(read) else None
    options = ModbusOptions(
        where=where,
        table=rows,
        requests=gather(registers, noted.read(GAP, whole, table.get("gap", GAP), "gap", WHERE, (0, 125))),
        every_s=noted.read(EVERY_S, _seconds, table, "every_s", EVERY_S, 86_400.0),
        send_every_s=noted.read(SEND_EVERY_S, _seconds, table, "send_every_s", SEND_EVERY_S, 86_400.0),
        answer_s=noted.read(ANSWER_S, _seconds, table, "answer_s", ANSWER_S, LONGEST_ANSWER_S),
        slow=noted.read(None, _slow, table, asked),
    )
    if found is None:
        noted.refuse()
    return options


def _where(table: Mapping[str, object]) -> Serial | Tcp:
    if ("host" in table) == ("device" in table):
        raise ValueError(f"{WHERE}: give either host (Modbus TCP) or device (Modbus RTU, a serial line)")
    found, tcp = TableMistakes(), "host" in table
    for key in SERIAL_KEYS if tcp else TCP_KEYS:
        if key in table:
            found.note(f"{WHERE}: {key} must not be given with {'host' if tcp else 'device'}")
    where: Serial | Tcp
    if tcp:
        port = found.read(502, whole, table.get("port", 502), "port", WHERE, (1, 65_535))
        where = Tcp(found.read("", _text, table, "host"), port)
    else:
        parity = table.get("parity", DEFAULT_PARITY)
        where = Serial(
            device=found.read("", _device, table),
            baud=found.read(300, whole, table.get("baud", DEFAULT_BAUD), "baud", WHERE, (300, 4_000_000)),
            parity=found.read("N", chosen, parity, "parity", WHERE, dict.fromkeys(PARITIES)),
            stop_bits=found.read(1, whole, table.get("stop_bits", 1), "stop_bits", WHERE, (1, 2)),
        )
    found.refuse()
    return where


def _device(table: Mapping[str, object]) -> str:
    device = _text(table, "device")
    if "://" in device:  # pyserial would take it for more than a line: spy:// writes a file of any name
        raise ValueError(f"{WHERE}: device must be a serial line, as /dev/ttyUSB0, got {device!r}")
    return device


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


def _slow(table: Mapping[str, object], slaves: set[int] | None) -> dict[int, float]:
    """`slaves` are those of which a value is read, None where rows that are not right leave it open."""
    given = table.get("slow", {})
    if not isinstance(given, Mapping):
        raise ValueError(f"{WHERE}: slow must be a table, as {{ 7 = 2.5 }}, got {given!r}")
    found, slow = TableMistakes(), dict[int, float]()
    for key, value in given.items():
        if not str(key).isdecimal() or (slaves is not None and int(key) not in slaves):
            found.note(f"{WHERE}: slow names slave {key!r}, of which no value is read")
            continue
        slow[int(key)] = found.read(ANSWER_S, _number, value, f"slow: {key}", LONGEST_ANSWER_S)
    found.refuse()
    return slow
