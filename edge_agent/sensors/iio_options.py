"""The own keys of an IIO device in its [[source]]; `iio` shows the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from palier.table_mistakes import TableMistakes

from . import tables


@dataclass(frozen=True, slots=True)
class IioOptions:
    """What a table says beside what every sensor has. `elements` empty: every axis of acceleration."""

    device: str
    fs_hz: float
    elements: tuple[str, ...] = ()
    trigger: str | None = None
    sensitivity_mv_per_g: tuple[float, ...] = ()


def read_options(table: Mapping[str, object]) -> IioOptions:
    """The driver's own keys. Raises TableError naming the keys."""
    found = TableMistakes()
    options = IioOptions(
        device=found.read("", tables.text, table, "device", "adxl355"),
        fs_hz=found.read(1.0, tables.positive, table, "fs_hz", 4000),
        elements=found.read((), tables.texts, table, "elements"),
        trigger=found.read(None, tables.text_or_none, table, "trigger"),
        sensitivity_mv_per_g=found.read((), tables.positives, table, "sensitivity_mv_per_g"),
    )
    found.refuse()
    return options
