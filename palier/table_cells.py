"""Cells of a text table: how they are separated, and what numbers and times they are."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .recording_formats import RecordingError

SEPARATORS: Final = ";\t,|"
"""In the order in which one wins over another that stands as often in the first line."""

_UNKNOWN: Final = frozenset({"", "-", "nan", "na", "n/a", "null", "none", "bad", "#n/a", "?"})
"""What people and historians write where a value is not known."""

_DAY_FIRST: Final = re.compile(
    r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})(?:[ T](\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?))?"
)
_ISO: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?))?(?:Z|([+-]\d{2}):?(\d{2}))?"
)
_EPOCHS: Final = ((1e17, 1e6), (1e14, 1e3), (1e11, 1.0), (1e8, 1e-3))
"""Numbers since 1970 above the first are in units of the second over a millisecond: ns, µs, ms, s."""


def read_cells(path: Path) -> tuple[dict[str, npt.NDArray[Any]], bool]:
    """The columns of a text table by name, as text, and whether its last line was cut short and left out.

    Raises RecordingError.
    """
    text = _text(path)
    lines = text.splitlines()
    if not lines:
        raise RecordingError(f"{path}: is empty")
    separator = max(SEPARATORS, key=lines[0].count)
    if lines[0].count(separator) == 0:
        separator = ";"  # a single column: a comma in it is a decimal one
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=separator) if row]
    except csv.Error as error:
        raise RecordingError(f"{path}: can't be read as a table: {error}") from error
    header = [cell.strip() for cell in rows[0]]
    if all(_number(cell) is not None for cell in header):
        header = [str(i + 1) for i in range(len(header))]
    else:
        rows = rows[1:]
    _check(path, header, rows)
    cut = bool(rows) and len(rows[-1]) < len(header)
    if cut:
        rows.pop()  # a table that is still being written
    columns = zip(header, _columns(rows, header), strict=True)
    return {name: np.array(column, dtype=str) for name, column in columns}, cut


def _columns(rows: Sequence[Sequence[str]], header: Sequence[str]) -> list[Sequence[str]]:
    return list(zip(*rows, strict=True)) if rows else [[] for _ in header]


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path}: can't be read: {error.strerror or error}") from error
    if b"\0" in data[:4096] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise RecordingError(f"{path}: must be a text table (CSV) or Parquet, and is binary")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")  # what spreadsheets write in French


def _check(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    twice = next((name for i, name in enumerate(header) if name in header[:i]), None)
    if twice is not None:
        raise RecordingError(f"{path}: two columns are called {twice!r}: give each a name of its own")
    for i, row in enumerate(rows):
        short_last = i == len(rows) - 1 and len(row) < len(header)
        if len(row) != len(header) and not short_last:
            raise RecordingError(
                f"{path}: row {i + 1} after the header must have {len(header)} cells like it, got "
                f"{len(row)}: correct it, or write the table again with another separator"
            )


def parsed_numbers(cells: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float64], int]:
    """The numbers of a column, NaN where there is none, and how many cells were something else.

    Decimals have a point or, in a column where no cell has a point, a comma. Infinite is not known.
    """
    if cells.dtype.kind in "fiub":
        values = cells.astype(np.float64)
        return np.where(np.isfinite(values), values, np.nan), 0
    if cells.dtype.kind != "U" or not cells.size:
        return np.full(cells.size, np.nan), cells.size
    text = np.char.strip(cells)
    text = text if bool(np.any(np.char.find(text, ".") >= 0)) else np.char.replace(text, ",", ".")
    try:
        values = text.astype(np.float64)
        return np.where(np.isfinite(values), values, np.nan), 0
    except ValueError:
        found = [_number(cell) for cell in text.tolist()]
    unreadable = sum(
        value is None and cell.casefold() not in _UNKNOWN
        for cell, value in zip(text.tolist(), found, strict=True)
    )
    values = np.array([np.nan if value is None else value for value in found])
    return np.where(np.isfinite(values), values, np.nan), unreadable


def _number(cell: str) -> float | None:
    try:
        return float(cell.replace(",", ".").replace("\u202f", "").replace("\xa0", ""))
    except ValueError:
        return None


def parsed_times(cells: npt.NDArray[Any], *, written: bool = False) -> npt.NDArray[np.datetime64] | None:
    """The times of a column as datetime64[ms], None where they can't be read.

    They are ISO 8601 (an offset is applied), day/month/year (month first where that alone fits all), or
    numbers since 1970 in s, ms, µs or ns, told apart by their size. `written` takes no numbers.
    """
    if cells.dtype.kind == "M":
        return None if bool(np.isnat(cells).any()) else cells.astype("datetime64[ms]")
    if cells.dtype.kind in "fiu":
        return None if written else _epoch(cells.astype(np.float64))
    if cells.dtype.kind != "U" or not cells.size:
        return None
    text = np.char.strip(cells).tolist()
    if _ISO.fullmatch(text[0]):
        return _iso(text)
    if _DAY_FIRST.fullmatch(text[0]):
        return _day_first(text)
    values, unreadable = parsed_numbers(cells)
    return None if written or unreadable else _epoch(values)


def _epoch(values: npt.NDArray[np.float64]) -> npt.NDArray[np.datetime64] | None:
    least = float(values.min()) if values.size else np.nan
    factor = next((1 / per_ms for size, per_ms in _EPOCHS if least >= size), None)
    if factor is None or not np.isfinite(values).all():
        return None
    return np.round(values * factor).astype("int64").astype("datetime64[ms]")


def _iso(text: Sequence[str]) -> npt.NDArray[np.datetime64] | None:
    found = [_ISO.fullmatch(cell) for cell in text]
    if not all(found):
        return None
    parts = [match.groups() for match in found if match]
    moments = [f"{day}T{(clock or '00:00').replace(',', '.')}" for day, clock, _, _ in parts]
    offsets = [
        60 * int(hours or 0) + int(f"{(hours or '+')[0]}{minutes or 0}") for _, _, hours, minutes in parts
    ]
    return _moments(moments, offsets)


def _day_first(text: Sequence[str]) -> npt.NDArray[np.datetime64] | None:
    found = [_DAY_FIRST.fullmatch(cell) for cell in text]
    if not all(found):
        return None
    parts = [match.groups() for match in found if match]
    month_first = any(int(second) > 12 for _, second, _, _ in parts)
    moments = []
    for first, second, year, clock in parts:
        day, month = (second, first) if month_first else (first, second)
        hours = (clock or "0:00").replace(",", ".").rjust(5, "0")
        moments.append(f"{year}-{int(month):02}-{int(day):02}T{hours if hours[2] == ':' else '0' + hours}")
    return _moments(moments, [0] * len(moments))


def _moments(moments: Sequence[str], offsets_min: Sequence[int]) -> npt.NDArray[np.datetime64] | None:
    try:
        times = np.array(moments, dtype="datetime64[ms]")
    except ValueError:
        return None
    shifted: npt.NDArray[np.datetime64] = times - np.array(offsets_min, dtype="timedelta64[m]")
    return shifted
