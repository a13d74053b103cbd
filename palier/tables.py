"""The only reader of tables of slow readings: CSV and Parquet, one row a time, one column a channel.

What separates the cells, whether decimals have a comma, which column is the time and how it is written are
recognised; the time column can be given. A cell that is empty or no number is NaN, "not known"; a column that
holds hardly any number is text and is left out. What was doubtful stands in `Table.notes`, and is never
corrected in silence: rows keep the order of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .recording_formats import RecordingError
from .strict_toml import did_you_mean
from .table_cells import parsed_numbers, parsed_times, read_cells

__all__ = ["Table", "TableNote", "read_table"]

Times = npt.NDArray[np.datetime64]

TIME_NAMES: Final = (
    "datetime",
    "timestamp",
    "time",
    "date",
    "date_time",
    "datetime_utc",
    "ts",
    "t",
    "horodatage",
    "date_heure",
    "date et heure",
    "heure",
    "temps",
)
"""How a time column is called, the surest name first."""

TEXT: Final = 0.5
"""A column of which fewer cells than this share are numbers is text."""

GAP: Final = 10.0
"""A step of the clock by more than so many usual ones is a gap: that much is missing, not late."""


@dataclass(frozen=True, slots=True)
class TableNote:
    """Something doubtful about a table. `key` is of the table `score` of the locale, `params` fill it.

    Keys: column_text, cells_unreadable, rows_cut, clock_back, clock_gaps, time_unreadable, time_none.
    """

    key: str
    params: Mapping[str, str | int]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table as read: `rows` is (n, p) float64, NaN where not known; `channels` names its p columns.

    `times` is (n,) datetime64[ms] or None where the table has none; `time` is that column's name.
    """

    path: Path
    rows: npt.NDArray[np.float64]
    channels: tuple[str, ...]
    time: str | None
    times: Times | None
    notes: tuple[TableNote, ...]

    def __len__(self) -> int:
        return int(self.rows.shape[0])

    def rows_until(self, moment: np.datetime64) -> int:
        """How many rows stand before the first later than `moment`. Raises RecordingError without times."""
        if self.times is None:
            raise RecordingError(f"{self.path}: has no time column, so rows must be counted: give --fit-rows")
        later = np.flatnonzero(self.times > moment)
        return int(later[0]) if later.size else len(self)


def read_table(
    path: Path, *, time: str | None = None, columns: Sequence[str] = (), ignore: Iterable[str] = ()
) -> Table:
    """Read a table. `time` is the name of its time column where it is not recognised; `columns` are the
    channels to take (all that hold numbers, without any), `ignore` those not to take.

    Raises RecordingError, a sentence with the file and what to do, for a file that can't be read or holds no
    such column.
    """
    cells, cut = _read(path)
    ignored = set(ignore)
    for name in (*columns, *ignored, *((time,) if time is not None else ())):
        if name not in cells:
            near = did_you_mean(name, cells) or f"; it has {', '.join(cells)}"
            raise RecordingError(f"{path}: has no column {name!r}{near}")
    notes = [TableNote("rows_cut", {})] if cut else []
    clock, times = _time(path, cells, time, notes)
    wanted = [name for name in columns or cells if name != clock and name not in ignored]
    rows, channels = _numbers(cells, wanted, columns, notes)
    if not channels:
        raise RecordingError(f"{path}: holds no column of numbers beside its time")
    if rows.shape[0] == 0:
        raise RecordingError(f"{path}: holds a header and no row")
    return Table(path, rows, channels, clock, times, tuple(notes))


def _read(path: Path) -> tuple[dict[str, npt.NDArray[Any]], bool]:
    if not path.is_file():
        what = "is a folder: name the table in it" if path.is_dir() else "there is no such file"
        raise RecordingError(f"{path}: {what}")
    if path.suffix.lower() == ".parquet":
        from .table_parquet import read_columns

        return read_columns(path), False
    return read_cells(path)


def _time(
    path: Path, cells: Mapping[str, npt.NDArray[Any]], given: str | None, notes: list[TableNote]
) -> tuple[str | None, Times | None]:
    """The time column and its times; without one, or with one that nobody can read, the notes say so."""
    known = {name.strip().casefold(): name for name in reversed(list(cells))}
    found = given or next((known[name] for name in TIME_NAMES if name in known), None)
    if found is None:
        found = next((name for name, column in cells.items() if _is_clock(column)), None)
    if found is None:
        notes.append(TableNote("time_none", {}))
        return None, None
    times = parsed_times(cells[found])
    if times is None:
        if given is not None:
            raise RecordingError(
                f"{path}: the time column {given} must hold times like 2026-03-09 10:14:33 or 09/03/2026 "
                f"10:14, or seconds since 1970, got {str(cells[given][0])!r}"
            )
        notes.append(TableNote("time_unreadable", {"column": found, "got": str(cells[found][0])}))
        return found, None
    notes += _clock_notes(times)
    return found, times


def _is_clock(column: npt.NDArray[Any]) -> bool:
    """Whether an unnamed column holds written times: numbers could be anything."""
    return column.dtype.kind in "UM" and bool(column.size) and parsed_times(column, written=True) is not None


def _clock_notes(times: Times) -> list[TableNote]:
    steps = np.diff(times).astype("timedelta64[ms]").astype(np.float64)
    forward = steps[steps > 0]
    notes = []
    if (back := np.flatnonzero(steps < 0)).size:
        notes.append(TableNote("clock_back", {"times": int(back.size), "row": int(back[0]) + 2}))
    if forward.size and (gaps := steps[steps > GAP * float(np.median(forward))]).size:
        params: dict[str, str | int] = {
            "times": int(gaps.size),
            "longest": _duration(float(gaps.max()) / 1000),
        }
        notes.append(TableNote("clock_gaps", params))
    return notes


def _duration(seconds: float) -> str:
    """A length of time in the unit that suits it: all three languages write these alike."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _numbers(
    cells: Mapping[str, npt.NDArray[Any]], wanted: Sequence[str], asked: Sequence[str], notes: list[TableNote]
) -> tuple[npt.NDArray[np.float64], tuple[str, ...]]:
    channels, columns = [], []
    for name in wanted:
        values, unreadable = parsed_numbers(cells[name])
        if values.size and unreadable > (1 - TEXT) * values.size and name not in asked:
            notes.append(TableNote("column_text", {"column": name}))
            continue
        if unreadable:
            notes.append(TableNote("cells_unreadable", {"column": name, "cells": unreadable}))
        channels.append(name)
        columns.append(values)
    rows = np.column_stack(columns) if columns else np.empty((0, 0))
    return rows, tuple(channels)
