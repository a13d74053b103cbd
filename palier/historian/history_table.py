"""Tidy tables: what the history answers with. Columns of equal length, one row a measured time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from palier.extras import how_to_install
from palier.strict_toml import did_you_mean

from .base import HistorianError, Table
from .schema import Field, Measurement

if TYPE_CHECKING:
    import pandas as pd

KEYS: Final = ("time", "machine", "point", "channel")
"""The columns that every table of a measurement begins with."""

Column = npt.NDArray[Any]


class HistoryError(HistorianError):
    """What is asked of the history can't be answered: the sentence says what to ask in its place."""


@dataclass(frozen=True, slots=True, eq=False)
class Tidy:
    """A table: `columns` by name, each an array (n,), and the `units` of those that have one.

    Times are datetime64[ns] of UTC (NaT: not known), names of machines, points and channels arrays of str;
    numbers are float64, or float32 where they were computed so, NaN where not known; texts are arrays of
    objects, None where not known.
    """

    measurement: str
    columns: Mapping[str, Column]
    units: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __getitem__(self, name: str) -> Column:
        """A column (n,). Raises HistoryError for one that is not there."""
        try:
            return self.columns[name]
        except KeyError:
            near = did_you_mean(name, self.columns) or f"; it has {', '.join(self.columns)}"
            raise HistoryError(f"this table of {self.measurement!r} has no column {name!r}{near}") from None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in their order."""
        return tuple(self.columns)

    def where(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.intp] | slice) -> Tidy:
        """The chosen rows, in their order: `table.where(table["channel"] == "H")`."""
        columns = {name: column[chosen] for name, column in self.columns.items()}
        return Tidy(self.measurement, columns, self.units)

    def only(self, names: Sequence[str]) -> Tidy:
        """These columns, in this order. Raises HistoryError for one that is not there."""
        return Tidy(self.measurement, {name: self[name] for name in names}, self.units)

    def to_pandas(self) -> pd.DataFrame:
        """A data frame: times aware (UTC), machines, points and channels categorical, `attrs["units"]`.

        Raises HistoryError where pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise HistoryError(
                f"a data frame needs pandas, which is not installed: {how_to_install('notebook')}"
            ) from error
        columns: dict[str, Any] = {}
        for name, column in self.columns.items():
            if column.dtype.kind == "M":
                columns[name] = pd.DatetimeIndex(column).tz_localize("UTC")
            else:
                columns[name] = pd.Categorical(column) if column.dtype.kind == "U" else column
        frame = pd.DataFrame(columns, copy=False)
        frame.attrs["units"] = dict(self.units)
        return frame


def tidy_of(table: Table, of: Measurement, fields: Sequence[Field]) -> Tidy:
    """What a historian answered for these fields, as a tidy table."""
    keys = (times(table.ts_ns), *(_names(tag) for tag in (table.machine, table.point, table.channel)))
    columns: dict[str, Column] = dict(zip(KEYS, keys, strict=True))
    columns |= {field.name: _column(table.columns[field.name], field) for field in fields}
    return Tidy(of.name, columns, units_of(fields))


def empty(of: Measurement, fields: Sequence[Field]) -> Tidy:
    """The table without a row."""
    nothing = {field.name: () if field.type == "text" else np.empty(0) for field in fields}
    return tidy_of(Table(np.empty(0, np.int64), (), (), (), nothing), of, fields)


def joined(pieces: Sequence[Tidy]) -> Tidy:
    """Tables of the same columns, at least one, the rows of one behind those of the other."""
    first = pieces[0]
    if len(pieces) == 1:
        return first
    columns = {name: np.concatenate([piece.columns[name] for piece in pieces]) for name in first.columns}
    return Tidy(first.measurement, columns, first.units)


def rows_table(name: str, kinds: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> Tidy:
    """A table from rows: `kinds` says of each column "time" (ns, None unknown), "key", "text" or a unit."""
    columns: dict[str, Column] = {}
    for column, kind in kinds.items():
        values = [row.get(column) for row in rows]
        if kind == "time":
            columns[column] = np.array([_NAT if v is None else v for v in values], np.int64).view("M8[ns]")
        elif kind == "key":
            columns[column] = _names([v or "" for v in values])
        elif kind == "text":
            columns[column] = _texts([v or None for v in values])
        else:
            columns[column] = np.array([np.nan if v is None else v for v in values], np.float64)
    units = {column: kind for column, kind in kinds.items() if kind not in _NO_UNIT}
    return Tidy(name, columns, units)


_NAT: Final = np.datetime64("NaT", "ns").astype(np.int64).item()
_NO_UNIT: Final = ("time", "key", "text")


def times(ts_ns: npt.NDArray[np.int64]) -> Column:
    """ns since 1970 UTC as datetime64[ns]."""
    return np.ascontiguousarray(ts_ns, dtype=np.int64).view("M8[ns]")


def units_of(fields: Sequence[Field]) -> dict[str, str]:
    """The unit of each number, "1" for one without dimension."""
    return {field.name: field.unit for field in fields if field.unit}


def _names(values: Sequence[str]) -> Column:
    return np.array(values, dtype=np.str_) if len(values) else np.empty(0, dtype="<U1")


def _texts(values: Sequence[str | None]) -> Column:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _column(values: npt.NDArray[np.generic] | tuple[str | None, ...], of: Field) -> Column:
    if of.type == "text":
        return _texts(tuple(values))
    return np.asarray(values, dtype=np.float32 if of.single else np.float64)
