"""The only reader of recordings: npz, npy, csv, wav, mat, parquet. Nothing is ever unpickled.

A file holds one record (csv, wav, mat, parquet, npy) or many (npz: an array a record, "RECORD" or
"RECORD|CHANNEL", with the scale of an integer array beside it as "NAME__scale"). An index is a CSV file with
the columns `file` (the record's name), `fs` or `fs_hz`, `rpm` or `rate_hz` (turns per second), `unit`, and
labels.
Records are read one by one: a file of any length fits in memory.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from .locale import Catalogue
from .recording_formats import READERS, Raw, RecordingError, npz_arrays, read_npz_record, read_record
from .strict_toml import did_you_mean

__all__ = ["RECORDING_UNITS", "Recording", "RecordingError", "Recordings", "Skipped", "open_recordings"]

RECORDING_UNITS: Final = ("m/s²", "g", "unknown")
"""What the samples of a recording may be in. "unknown" gets no zone."""

_SPELLINGS: Final = {"m/s2": "m/s²", "m/s^2": "m/s²"}  # for keyboards without ²
_NOT_LABELS: Final = frozenset({"file", "fs", "fs_hz", "rpm", "rate_hz", "unit"})


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One record: `samples` is (n_channels, n) int16, int32 or float32; signal = samples * scale, in `unit`.

    `unit` is "m/s²", "g" or "unknown"; `rpm` is None when unknown, 0 where somebody says that the machine
    stood still; `labels` are the index's other columns.
    """

    name: str
    samples: npt.NDArray[np.int16] | npt.NDArray[np.int32] | npt.NDArray[np.float32]
    scale: tuple[float, ...]
    unit: str
    channels: tuple[str, ...]
    fs_hz: float
    rpm: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A record that is not given, and why: `key` is one of the table "skipped" of the locale.

    Keys: no_array (a row of the index without one), no_row (an array without one), no_rate (a row without
    fs); `file` is where it should be.
    """

    name: str
    key: str
    file: str

    @property
    def reason(self) -> str:
        """Why, in English."""
        return self.told(Catalogue("en"))

    def told(self, words: Catalogue) -> str:
        """Why, in the language of `words`."""
        return words.text(f"skipped.{self.key}", file=self.file)


@dataclass(frozen=True, slots=True)
class _Row:
    """What the index says of a record, or the caller of all."""

    fs_hz: float | None = None
    rpm: float | None = None
    unit: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recordings:
    """The records of one file: `names` in the index's order, read one by one; `skipped` are the others."""

    path: Path
    names: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    _arrays: Mapping[str, Mapping[str, str]]
    _rows: Mapping[str, _Row]
    _given: _Row
    _channel: str | None

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Recording]:
        return map(self.read, self.names)

    def read(self, name: str) -> Recording:
        """One record. Raises RecordingError when it can't be read or nobody tells its sample rate."""
        arrays = self._arrays[name]
        raw = read_npz_record(self.path, arrays) if arrays else read_record(self.path)
        row = self._rows.get(name, _Row())
        unit = self._given.unit or row.unit or "unknown"
        if raw.uncalibrated and unit != "unknown":
            raise RecordingError(
                f"{self.path}: is integer sound, whose full scale is no physical unit: leave the unit away, "
                "or convert it to float samples in that unit with the sensitivity of its recorder"
            )
        if self._channel is not None:
            raw = _one_channel(raw, self._channel, f"{self.path}: {name}")
        fs_hz = self._given.fs_hz or row.fs_hz or raw.fs_hz
        if fs_hz is None:
            raise RecordingError(
                f"{self.path}: the sample rate of {name} is not known: give --fs, or an index with fs"
            )
        return Recording(
            name=name,
            samples=raw.samples,
            scale=raw.scale,
            unit=unit,
            channels=raw.channels,
            fs_hz=fs_hz,
            rpm=_first(self._given.rpm, row.rpm, raw.rpm or None),  # a file's own 0 may be a speed left out
            labels=row.labels,
        )


def open_recordings(
    path: Path,
    index: Path | None = None,
    *,
    fs_hz: float | None = None,
    rpm: float | None = None,
    unit: str | None = None,
    channel: str | None = None,
) -> Recordings:
    """Open a file of recordings. What is given here wins over the index, and the index over the file.

    Raises RecordingError for what is wrong with the file or the index as a whole; `Recordings.read` for what
    is wrong with one record.
    """
    if fs_hz is not None and not 0 < fs_hz < 1e7:
        raise RecordingError(f"fs_hz must be above 0 and below 1e7, got {fs_hz:g}")
    if rpm is not None and not 0 <= rpm < 1e7:
        raise RecordingError(f"rpm must be 0 (at rest) or above and below 1e7, got {rpm:g}")
    given = _Row(fs_hz, rpm, None if unit is None else _unit(unit, "the unit"))
    arrays = _arrays(path)
    if index is None:
        return Recordings(path, tuple(arrays), (), arrays, {}, given, channel)
    rows = _read_index(index)
    names, skipped = _match(arrays, rows, path, index)
    # The other formats may tell their rate themselves, which is seen when they are read.
    if fs_hz is None and path.suffix.lower() == ".npz" and any(rows[name].fs_hz for name in names):
        skipped += tuple(Skipped(name, "no_rate", index.name) for name in names if not rows[name].fs_hz)
        names = tuple(name for name in names if rows[name].fs_hz)
    return Recordings(path, names, skipped, arrays, rows, given, channel)


def _unit(unit: str, what: str) -> str:
    unit = _SPELLINGS.get(unit, unit)
    if unit not in RECORDING_UNITS:
        raise RecordingError(f"{what} must be one of {', '.join(RECORDING_UNITS)}, got {unit!r}")
    return unit


def _arrays(path: Path) -> Mapping[str, Mapping[str, str]]:
    suffix = path.suffix.lower()
    if path.is_dir():
        raise RecordingError(f"{path}: is a folder: name the files in it")
    if suffix not in (".npz", *READERS):
        known = ", ".join(s.removeprefix(".") for s in (".npz", *READERS))
        raise RecordingError(f"{path}: the ending must be one of {known}, got {suffix or 'none'!r}")
    if not path.exists():
        raise RecordingError(f"{path}: there is no such file")
    return npz_arrays(path) if suffix == ".npz" else {path.stem: {}}


def _one_channel(raw: Raw, channel: str, where: str) -> Raw:
    if channel not in raw.channels:
        near = did_you_mean(channel, raw.channels)
        raise RecordingError(f"{where}: has no channel {channel!r}{near}; it has {', '.join(raw.channels)}")
    i = raw.channels.index(channel)
    return replace(raw, samples=raw.samples[i : i + 1], scale=raw.scale[i : i + 1], channels=(channel,))


def _match(
    arrays: Mapping[str, object], rows: dict[str, _Row], path: Path, index: Path
) -> tuple[tuple[str, ...], tuple[Skipped, ...]]:
    """Names with both an array and a row, and the others with the reason. A row may name the file itself."""
    if path.name in rows and len(arrays) == 1:
        rows[path.stem] = rows.pop(path.name)
    names = tuple(name for name in rows if name in arrays)
    if not names:
        raise RecordingError(
            f"{path}: the index {index} has no row for any of its records: in the column file write their "
            f"names, like {', '.join(list(arrays)[:3])}; it has {', '.join(list(rows)[:3]) or 'no row'}"
        )
    lonely = [Skipped(name, "no_array", path.name) for name in rows if name not in arrays]
    lonely += [Skipped(name, "no_row", index.name) for name in arrays if name not in rows]
    return names, tuple(lonely)


def _read_index(index: Path) -> dict[str, _Row]:
    rows: dict[str, _Row] = {}
    if not index.is_file():
        what = "is a folder, and an index is a CSV file" if index.is_dir() else "there is no such file"
        raise RecordingError(f"{index}: {what}")
    try:
        with index.open(encoding="utf-8-sig", newline="") as lines:
            first = lines.readline()
            lines.seek(0)
            reader = csv.DictReader(lines, delimiter=max(",;\t", key=first.count), restkey="", restval="")
            if "file" not in (reader.fieldnames or ()):
                raise RecordingError(f"{index}:1: an index must have a column file, got {first.strip()!r}")
            for cells in reader:
                where = f"{index}:{reader.line_num}"
                if cells["file"] in rows:
                    raise RecordingError(f"{where}: {cells['file']} stands in the index twice")
                rows[cells["file"]] = _row(cells, where)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordingError(f"{index}: can't be read as a CSV file: {error}") from error
    return rows


def _row(cells: Mapping[str, str], where: str) -> _Row:
    fs_hz = _number(cells, "fs_hz", where) or _number(cells, "fs", where)
    rate_hz = _number(cells, "rate_hz", where, or_zero=True)
    rpm = _first(_number(cells, "rpm", where, or_zero=True), None if rate_hz is None else rate_hz * 60)
    unit = _unit(cell, f"{where}: unit") if (cell := (cells.get("unit") or "").strip()) else None
    labels = {k: v for k, v in cells.items() if k and k not in _NOT_LABELS and v}
    return _Row(fs_hz, rpm, unit, labels)


def _first(*values: float | None) -> float | None:
    """The first that is known: 0 is known."""
    return next((value for value in values if value is not None), None)


def _number(cells: Mapping[str, str], column: str, where: str, *, or_zero: bool = False) -> float | None:
    cell = (cells.get(column) or "").strip()
    if not cell:
        return None
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not (0 < value < 1e7 or (or_zero and value == 0)):
        wanted = "0 (at rest) or a number above" if or_zero else "a number above 0"
        raise RecordingError(f"{where}: {column} must be {wanted} and below 1e7, got {cell!r}")
    return value
