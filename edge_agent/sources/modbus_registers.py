"""What a row [[source.value]] reads of a Modbus slave, and how its registers become a number: pure.

Registers are counted from 0, as on the wire. Manuals often count 40001, 40002 ... for holding, 30001 ... for
input registers: what they call 40001 is register 0.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import Final

from palier.table_mistakes import TableMistakes

from .reading_table import ReadingRow

KEYS: Final = ("slave", "kind", "register", "type", "order")
LAST_REGISTER: Final = 65_535
SLAVES_TCP: Final = (0, 255)  # 0 and 255 mean the device itself where it is no gateway
SLAVES_SERIAL: Final = (1, 247)
DEFAULT_SLAVE: Final = 1

TYPES: Final = {"int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "float32": "f", "float64": "d"}
WHOLE: Final = ("int16", "uint16", "int32", "uint32")
ORDERS: Final = {"ABCD": (False, False), "CDAB": (True, False), "BADC": (False, True), "DCBA": (True, True)}
"""As manuals write it: whether the registers of a number, and the bytes of each of them, are turned round."""


class Kind(IntEnum):
    """The four tables of a slave, by the function that reads them."""

    COIL = 1
    DISCRETE = 2
    HOLDING = 3
    INPUT = 4

    @property
    def of_bits(self) -> bool:
        """Whether it holds bits rather than registers."""
        return self in (Kind.COIL, Kind.DISCRETE)

    @property
    def most(self) -> int:
        """How many one request may ask for (MODBUS Application Protocol V1.1b3, 6.1 to 6.4)."""
        return 2000 if self.of_bits else 125

    def __str__(self) -> str:
        return _WORDS[self]


_KINDS: Final = {"coil": Kind.COIL, "discrete": Kind.DISCRETE, "holding": Kind.HOLDING, "input": Kind.INPUT}
_WORDS: Final = {
    Kind.COIL: "coil",
    Kind.DISCRETE: "discrete input",
    Kind.HOLDING: "holding register",
    Kind.INPUT: "input register",
}


@dataclass(frozen=True, slots=True)
class Register:
    """What one row reads: `count` registers from `first` on, or one bit."""

    place: int
    slave: int
    kind: Kind
    first: int
    count: int
    layout: str = ""  # of struct, for one number; empty for a bit
    order: str = "ABCD"

    @property
    def end(self) -> int:
        """The first one behind it."""
        return self.first + self.count

    def __str__(self) -> str:
        return f"{self.kind} {self.first} of slave {self.slave}"

    def number(self, answer: Sequence[int], offset: int) -> float:
        """Its raw value in what a request gave: registers 0 to 65535, or bits; its own begin at `offset`."""
        if not self.layout:
            return float(answer[offset])
        words = answer[offset : offset + self.count]
        turned_words, turned_bytes = ORDERS[self.order]
        data = struct.pack(f"{'<' if turned_bytes else '>'}{self.count}H", *words)
        if turned_words:
            data = b"".join(data[i : i + 2] for i in range(len(data) - 2, -1, -2))
        return float(struct.unpack(f">{self.layout}", data)[0])


def scale_needed(fields: Mapping[str, object]) -> bool:
    """Whether a row counts in steps: whole numbers do; bits and numbers with a fraction do not."""
    return fields.get("type") in WHOLE


def read_register(row: ReadingRow, default_slave: int, slaves: tuple[int, int]) -> Register:
    """What the row reads. Raises TableError with sentences naming the row and the keys."""
    found = TableMistakes()
    slave = found.read(0, whole, row.own.get("slave", default_slave), "slave", str(row), slaves)
    word = found.read(None, chosen, row.own.get("kind", "holding"), "kind", str(row), _KINDS)
    kind = _KINDS[word or "holding"]
    first = found.read(0, _first, row)
    if kind.of_bits:
        for key in ("type", "order"):
            if key in row.own:
                found.note(f"{row}: {key} must not be given: a {kind} is one bit")
        found.refuse()
        return Register(row.place, slave, kind, first, 1)
    # Where nobody knows the kind, a bit needs no type.
    layout = "H" if word is None and "type" not in row.own else found.read("H", _layout, row)
    order = found.read("ABCD", chosen, row.own.get("order", "ABCD"), "order", str(row), ORDERS)
    found.refuse()
    register = Register(row.place, slave, kind, first, struct.calcsize(f">{layout}") // 2, layout, order)
    if register.end - 1 > LAST_REGISTER:
        raise ValueError(
            f"{row}: register must be at most {LAST_REGISTER + 1 - register.count}, for it takes "
            f"{register.count} of them, got {first}"
        )
    return register


def _first(row: ReadingRow) -> int:
    if "register" not in row.own:
        raise ValueError(f"{row}: register is missing: the number of its first register, counted from 0")
    return whole(row.own["register"], "register", str(row), (0, LAST_REGISTER))


def _layout(row: ReadingRow) -> str:
    if "type" not in row.own:
        raise ValueError(f"{row}: type is missing: one of {', '.join(TYPES)}, as the device's manual has it")
    return TYPES[chosen(row.own["type"], "type", str(row), TYPES)]


def refuse_overlaps(registers: Sequence[Register], rows: Sequence[ReadingRow]) -> None:
    """TableError where two numbers share a register of one slave: one of the two is not where it says."""
    found = TableMistakes()
    ordered = sorted(registers, key=lambda one: (one.slave, one.kind, one.first))
    for one, other in pairwise(ordered):
        if (one.slave, one.kind) == (other.slave, other.kind) and other.first < one.end:
            a, b = sorted((one, other), key=lambda register: register.place)
            found.note(
                f"{rows[b.place]} reads {b}, and {rows[a.place]} reads {a}"
                + (f" to {a.end - 1}" if a.count > 1 else "")
                + ": no two values may share a register, correct or take away one of them"
            )
    found.refuse()


def whole(value: object, key: str, where: str, limits: tuple[int, int]) -> int:
    """A whole number within limits. ValueError with a sentence."""
    if isinstance(value, bool) or not isinstance(value, int) or not limits[0] <= value <= limits[1]:
        raise ValueError(f"{where}: {key} must be {limits[0]} to {limits[1]}, got {str(value)[:40]!r}")
    return value


def chosen(value: object, key: str, where: str, choices: Mapping[str, object]) -> str:
    """One of a few words. ValueError with a sentence."""
    if not isinstance(value, str) or value not in choices:
        quoted = ", ".join(f'"{choice}"' for choice in choices)
        raise ValueError(f"{where}: {key} must be one of {quoted}, got {str(value)[:40]!r}")
    return value
