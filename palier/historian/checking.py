"""The gate of every historian: rows of the caller in, columns ready to be stored out, bad rows named.

What is wrong with the whole (an unknown name, columns of different length) is a SchemaError; what is wrong
with one row rejects that row alone. What passes, every historian can hold and gives back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from palier.frames import NAME_PATTERN

from .base import Rejected, Rows, SchemaError
from .schema import Field, Measurement, measurement
from .shifting import SPAN_NS

REASON_NAME: Final = "name"
"""A site, machine, point or channel that is not [A-Za-z0-9_.-]{1,64} (point and channel may be empty)."""
REASON_TYPE: Final = "type"
"""A value that is not of its field's type, a text that is too long, or a key field that can be no key."""
REASON_TIME: Final = "time"
"""A time before 1677-09-21 or after 2262-04-11: not every historian counts nanoseconds as far."""

EXACT: Final = 2.0**53
"""Integers up to here are exact as float64, which is how they are read back."""

MAX_TEXT_BYTES: Final = 65_535
"""Of a text in UTF-8: InfluxDB documents 64 KiB for a string."""

FIRST_NS: Final = -(2**63) + 2
LAST_NS: Final = 2**63 - 2 - SPAN_NS
"""Bounds of `ts_ns`, both inside: those of InfluxDB, less what a key can move a time by."""

Numbers = npt.NDArray[np.float32] | npt.NDArray[np.float64]
Texts = Sequence[str | None]
Column = Numbers | Texts
Tags = Sequence[str]
Key = tuple[Tags, Tags, Tags, Tags, npt.NDArray[np.int64]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """The good rows: `index` are their places in the `Rows`, all columns have their length.

    `key` holds the columns of site, machine, point, channel and ts (ns since 1970 UTC); `values` those of
    `names`: texts, or numbers with NaN for what is not known or not finite. A `single` field is float32,
    other numbers are float64: whole in an int field, and never NaN in one of the key.
    """

    measurement: Measurement
    index: Sequence[int]
    key: Key
    names: tuple[str, ...]
    values: tuple[Column, ...]
    rejected: tuple[Rejected, ...]

    def __len__(self) -> int:
        return len(self.index)


def check(rows: Rows) -> Checked:
    """Check one `Rows`. Raises SchemaError."""
    table = measurement(rows.measurement)
    n = _length(rows, table)
    bad = dict.fromkeys(_bad_times(rows.ts_ns), REASON_TIME)
    for named, required in (
        (rows.site, True),
        (rows.machine, True),
        (rows.point, False),
        (rows.channel, False),
    ):
        bad.update(dict.fromkeys(_bad_names(named, required), REASON_NAME))
    values, wrong = _values(rows, table, n)
    bad.update(dict.fromkeys(wrong, REASON_TYPE))
    names = tuple(rows.fields)
    tags = rows.site, rows.machine, rows.point, rows.channel
    if not bad:
        return Checked(table, range(n), (*tags, rows.ts_ns), names, values, ())
    index = [i for i in range(n) if i not in bad]
    site, machine, point, channel = (_taken(column, index) for column in tags)
    key = (site, machine, point, channel, rows.ts_ns[index])
    values = tuple(
        column[index] if isinstance(column, np.ndarray) else _taken(column, index) for column in values
    )
    return Checked(table, index, key, names, values, tuple(Rejected(i, bad[i]) for i in sorted(bad)))


def _length(rows: Rows, table: Measurement) -> int:
    if rows.ts_ns.dtype != np.int64 or rows.ts_ns.ndim != 1:
        raise SchemaError(
            f"ts_ns must be a column of int64, got {rows.ts_ns.dtype} of shape {rows.ts_ns.shape}"
        )
    n = len(rows.ts_ns)
    columns: Iterable[tuple[str, Sequence[object] | npt.NDArray[np.generic]]] = (
        ("site", rows.site),
        ("machine", rows.machine),
        ("point", rows.point),
        ("channel", rows.channel),
        *rows.fields.items(),
    )
    for name, column in columns:
        if len(column) != n:
            raise SchemaError(
                f"column {name!r} of {table.name!r} must have {n} rows like ts_ns, got {len(column)}"
            )
    for name in table.key_extra:
        if name not in rows.fields:
            raise SchemaError(
                f"rows of {table.name!r} must bring the field {name!r}: it belongs to their key"
            )
    return n


def _bad_times(ts_ns: npt.NDArray[np.int64]) -> list[int]:
    wrong: list[int] = np.flatnonzero((ts_ns < FIRST_NS) | (ts_ns > LAST_NS)).tolist()
    return wrong


def _bad_names(tags: Sequence[str], required: bool) -> list[int]:
    wrong = {tag for tag in set(tags) if not _is_name(tag) and (required or tag != "")}
    return [i for i, tag in enumerate(tags) if tag in wrong] if wrong else []


def _is_name(tag: object) -> bool:
    return isinstance(tag, str) and NAME_PATTERN.fullmatch(tag) is not None


def _taken(column: Sequence[T], index: Sequence[int]) -> list[T]:
    return [column[i] for i in index]


def _values(rows: Rows, table: Measurement, n: int) -> tuple[tuple[Column, ...], list[int]]:
    """(columns in the order of the fields, places of the bad rows)."""
    by_name = {field.name: field for field in table.fields}
    fields = [by_name.get(name) or table.field(name) for name in rows.fields]
    found: dict[str, Column] = {}
    single = [field for field in fields if field.single]
    double = [field for field in fields if not field.single and field.type != "text"]
    wrong = _numbers(rows, single, np.empty((n, len(single)), np.float32), found)
    wrong += _numbers(rows, double, np.empty((n, len(double)), np.float64), found)
    for field in fields:
        in_key = field.name in table.key_extra
        if field.type == "text":
            found[field.name] = texts = _texts(rows.fields[field.name], in_key)
            wrong += _bad_texts(texts, in_key)
        elif field.type == "int":
            wrong += _bad_ints(found[field.name], in_key)
    return tuple(found[field.name] for field in fields), wrong


def _numbers(rows: Rows, fields: Sequence[Field], block: Numbers, found: dict[str, Column]) -> list[int]:
    """Fills `block` (n, fields), NaN for all that is not finite, and `found` with its columns.

    All at once, because rows are wide and batches can be of few rows. Gives the places of what is no number.
    """
    wrong: list[int] = []
    with np.errstate(over="ignore"):  # beyond float32 becomes infinite, and so not known
        for i, field in enumerate(fields):
            column = rows.fields[field.name]
            if isinstance(column, np.ndarray) and column.dtype.kind in "fiub":
                block[:, i] = column
            else:
                numbers = [_number(value) for value in column]
                wrong += [k for k, number in enumerate(numbers) if number is None]
                block[:, i] = [math.nan if number is None else number for number in numbers]
            found[field.name] = block[:, i]
    block[~np.isfinite(block)] = np.nan
    return wrong


def _number(value: object) -> float | None:
    """NaN for what is not known, None for what is no number."""
    if value is None:
        return math.nan
    if not isinstance(value, (int, float, np.integer, np.floating, np.bool_)):
        return None
    try:
        return float(value)
    except OverflowError:  # an int beyond any float
        return None


def _bad_ints(column: Column, in_key: bool) -> list[int]:
    """Fractions, what float64 has not exactly; in a key also what is not known and what can't move a time."""
    numbers = np.asarray(column)
    if in_key:
        good = (numbers == np.trunc(numbers)) & (numbers >= 0) & (numbers < SPAN_NS)
    else:
        good = np.isnan(numbers) | ((numbers == np.trunc(numbers)) & (np.abs(numbers) <= EXACT))
    wrong: list[int] = np.flatnonzero(~good).tolist()
    return wrong


def _texts(column: Sequence[object] | npt.NDArray[np.generic], in_key: bool) -> Texts:
    """As it is where all is str or None; numpy's texts as str. What is neither is left for `_bad_texts`.

    An empty text says nothing: it is not known, so that every historian gives back the same.
    """
    if isinstance(column, np.ndarray):
        column = column.tolist()
    if not in_key and "" in column:
        column = [None if text == "" else text for text in column]
    if set(map(type, column)) <= {str, NoneType}:
        return column  # type: ignore[return-value]
    return [str(text) if isinstance(text, str) else text for text in column]  # type: ignore[misc]


def _bad_texts(texts: Texts, in_key: bool) -> list[int]:
    if set(map(type, texts)) <= {str, NoneType}:
        wrong = {text for text in set(texts) if not _is_text(text, in_key)}
        return [i for i, text in enumerate(texts) if text in wrong] if wrong else []
    return [i for i, text in enumerate(texts) if not _is_text(text, in_key)]


def _is_text(text: object, in_key: bool) -> bool:
    if text is None:
        return not in_key
    if not isinstance(text, str):
        return False
    try:
        return len(text.encode()) <= MAX_TEXT_BYTES
    except UnicodeEncodeError:  # a lone surrogate: no file or query could hold it
        return False
