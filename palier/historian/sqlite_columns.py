"""Rows of one series out of SQLite as columns: numbers go straight into an array, texts are fetched apart.

What takes the time is making Python's objects of the numbers; into an array they need not stand in memory all
at once, which is a third faster than fetched, turned and converted (measured, 88 columns). Names in SQL come
from `schema.py` alone; values are always parameters.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from .base import Table
from .schema import Field

_UNKNOWN: Final = "9e999"
"""Infinity stands for what is not known, as SQLite has no NaN: it is never stored (see `checking`)."""

_LOW_BITS: Final = 32


class Columns(NamedTuple):
    """Rows of a series: ts (n,), numbers (n, k), and a tuple of texts for each row."""

    ts_ns: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.float64]
    texts: list[tuple[str | None, ...]]


def read(
    connection: sqlite3.Connection,
    where: str,
    bound: Sequence[object],
    listed: Sequence[tuple[Field, str]],
) -> Columns:
    """The rows of a series: `listed` are the fields with what is selected for each, `where` all that follows
    the columns in the statement, `bound` its values. Both statements must be of one snapshot.
    """
    numbers = [f"ifnull({column}, {_UNKNOWN})" for field, column in listed if field.type != "text"]
    texts = [column for field, column in listed if field.type == "text"]
    # A time has more digits than a float64: it comes as two halves.
    halves = (f"ts >> {_LOW_BITS}", f"ts & {2**_LOW_BITS - 1}")
    sql = f"SELECT {', '.join((*halves, *numbers))} {where}"
    flat = np.fromiter(chain.from_iterable(connection.execute(sql, bound)), dtype=np.float64)
    table = flat.reshape(-1, 2 + len(numbers))
    ts_ns = (table[:, 0].astype(np.int64) << _LOW_BITS) | table[:, 1].astype(np.int64)
    found = table[:, 2:]
    found[np.isinf(found)] = np.nan
    if not texts:
        return Columns(ts_ns, found, [()] * len(ts_ns))
    rows = connection.execute(f"SELECT {', '.join(texts)} {where}", bound).fetchall()
    return Columns(ts_ns, found, rows)


def turned(columns: Columns) -> Columns:
    """The same rows, the last one first."""
    return Columns(columns.ts_ns[::-1], columns.numbers[::-1], columns.texts[::-1])


def together(parts: Sequence[tuple[tuple[str, str, str], Columns]], fields: Sequence[Field]) -> Table:
    """The rows of several series, (machine, point, channel), in order of time; of one time as they came."""
    if not parts:
        nothing = {field.name: () if field.type == "text" else np.empty(0) for field in fields}
        return Table(np.empty(0, np.int64), (), (), (), nothing)
    ts_ns = np.concatenate([part.ts_ns for _, part in parts])
    numbers = np.concatenate([part.numbers for _, part in parts])
    texts = [row for _, part in parts for row in part.texts]
    order: npt.NDArray[np.intp] | slice = slice(None)
    if len(parts) > 1:
        order = np.argsort(ts_ns, kind="stable")
        texts = [texts[i] for i in order.tolist()]
    sizes = [len(part.ts_ns) for _, part in parts]
    tags = (np.repeat(np.array([s[k] for s, _ in parts], dtype=object), sizes)[order] for k in range(3))
    machine, point, channel = (tuple(tag.tolist()) for tag in tags)
    of_texts = iter(zip(*texts, strict=True)) if texts and texts[0] else iter(())
    of_numbers = iter(np.ascontiguousarray(numbers[order].T))
    columns = {
        field.name: next(of_texts, ()) if field.type == "text" else next(of_numbers) for field in fields
    }
    return Table(ts_ns[order], machine, point, channel, columns)


def newest(table: Table, n: int) -> Table:
    """The last n rows."""
    columns = {name: column[-n:] for name, column in table.columns.items()}
    return Table(table.ts_ns[-n:], table.machine[-n:], table.point[-n:], table.channel[-n:], columns)
