"""The gate of every historian: rows of the caller in, columns ready to be stored out, bad rows named.

What is wrong with the whole (an unknown name, columns of different length) is a SchemaError; what is wrong
with one row rejects that row alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from palier.frames import NAME_PATTERN

from .base import Rejected, Rows, SchemaError
from .schema import Field, Measurement, measurement

REASON_NAME: Final = "name"
"""A site, machine, point or channel that is not [A-Za-z0-9_.-]{1,64} (point and channel may be empty)."""
REASON_TYPE: Final = "type"
"""A value that is not of its field's type, or a key field that is missing."""
REASON_CONFLICT: Final = "conflict"
"""The key is held by another frame; what it wrote stays."""

EXACT: Final = 2.0**53
"""Integers up to here are exact as float64, which is how they are read back."""

Value = str | int | float | None


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """The good rows: `index` are their places in the `Rows`; `key` and `values` are columns of Python values.

    A number that is not known (NaN, infinite) is None in an int column and NaN in a float column.
    """

    measurement: Measurement
    index: Sequence[int]
    key: tuple[Sequence[Value], ...]
    names: tuple[str, ...]
    values: tuple[Sequence[Value], ...]
    rejected: tuple[Rejected, ...]

    def __len__(self) -> int:
        return len(self.index)


def check(rows: Rows) -> Checked:
    """Check one `Rows`. Raises SchemaError."""
    table = measurement(rows.measurement)
    n = _length(rows, table)
    bad: dict[int, str] = {}
    for tags, required in (
        (rows.site, True),
        (rows.machine, True),
        (rows.point, False),
        (rows.channel, False),
    ):
        bad.update(dict.fromkeys(_bad_names(tags, required), REASON_NAME))
    values: list[Sequence[Value]] = []
    for name, column in rows.fields.items():
        good, wrong = _column(column, table.field(name), name in table.key_extra)
        values.append(good)
        bad.update(dict.fromkeys(wrong, REASON_TYPE))
    key: tuple[Sequence[Value], ...] = (
        rows.site,
        rows.machine,
        rows.point,
        rows.channel,
        rows.ts_ns.tolist(),
    )
    index: Sequence[int] = range(n)
    if bad:
        index = [i for i in index if i not in bad]
        key = tuple([column[i] for i in index] for column in key)
        values = [[column[i] for i in index] for column in values]
    rejected = tuple(Rejected(i, bad[i]) for i in sorted(bad))
    return Checked(table, index, key, tuple(rows.fields), tuple(values), rejected)


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


def _bad_names(tags: Sequence[str], required: bool) -> list[int]:
    wrong = {tag for tag in set(tags) if not _is_name(tag) and (required or tag != "")}
    return [i for i, tag in enumerate(tags) if tag in wrong] if wrong else []


def _is_name(tag: object) -> bool:
    return isinstance(tag, str) and NAME_PATTERN.fullmatch(tag) is not None


def _column(
    column: npt.NDArray[np.generic] | Sequence[str | None], field: Field, in_key: bool
) -> tuple[Sequence[Value], list[int]]:
    """(values, places of the bad ones) of one column."""
    if field.type == "text":
        return _texts(column, in_key)
    numbers, wrong = _numbers(column)
    if field.type == "float":
        return numbers.tolist(), wrong
    known = ~np.isnan(numbers)
    whole = known & (numbers == np.trunc(numbers)) & (np.abs(numbers) <= EXACT)
    wrong = [*wrong, *np.flatnonzero(~whole if in_key else known & ~whole).tolist()]
    return [
        int(number) if good else None for number, good in zip(numbers.tolist(), whole, strict=True)
    ], wrong


def _texts(
    column: Sequence[object] | npt.NDArray[np.generic], in_key: bool
) -> tuple[Sequence[Value], list[int]]:
    texts = [str(text) if isinstance(text, np.str_) else text for text in column]
    wrong = [i for i, text in enumerate(texts) if not _is_text(text, in_key)]
    return texts, wrong  # type: ignore[return-value]  # what is not text is in `wrong`


def _is_text(text: object, in_key: bool) -> bool:
    if text is None:
        return not in_key
    if not isinstance(text, str):
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate: no file or query could hold it
        return False
    return True


def _numbers(column: Sequence[object] | npt.NDArray[np.generic]) -> tuple[npt.NDArray[np.float64], list[int]]:
    """float64, NaN for all that is not finite, and the places of what is no number at all."""
    if isinstance(column, np.ndarray) and column.dtype.kind in "fiub":
        numbers, wrong = column.astype(np.float64), []
    else:
        singles = [_number(value) for value in column]
        wrong = [i for i, number in enumerate(singles) if number is None]
        numbers = np.array(singles, dtype=np.float64)
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers, wrong


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
