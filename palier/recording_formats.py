"""What each file format of a recording holds, read without ever unpickling anything.

Every reader gives a `Raw`: numbers as they were kept, with what the file itself says of them. Libraries that
only one format needs (scipy.io, pyarrow) are imported when such a file is read.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numpy.lib.npyio import NpzFile

from .extras import how_to_install

Array = npt.NDArray[Any]

SCALE_SUFFIX: Final = "__scale"
"""An array NAME of an npz has its scale beside it as NAME__scale."""

CHANNEL_SEPARATOR: Final = "|"
"""An array RECORD|CHANNEL of an npz is one channel of a record."""

_TIME_COLUMNS: Final = frozenset({"t", "time", "time_s", "time (s)", "temps", "temps_s", "temps (s)"})
_MAX_JITTER: Final = 0.01  # of a sample interval: rounding of printed times, not a variable rate


class RecordingError(ValueError):
    """A recording that can't be read: the sentence names the file, what is wrong and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """A record as its file tells it: `samples` is (n_channels, n); rate and speed are None where untold.

    `uncalibrated` says that its numbers can't be in a physical unit, whatever anybody states.
    """

    samples: Array
    scale: tuple[float, ...]
    channels: tuple[str, ...]
    fs_hz: float | None = None
    rpm: float | None = None
    uncalibrated: bool = False


def stack(arrays: Mapping[str, Array], scale: Sequence[float] | None = None) -> Raw:
    """One record of 1-D channels of equal length. Raises RecordingError where they do not fit together."""
    lengths = {name: array.shape for name, array in arrays.items()}
    if not arrays:
        raise RecordingError("it holds no channel of numbers")
    if len(set(lengths.values())) > 1:
        raise RecordingError(f"its channels must have one length, got {lengths}")
    samples = sampled(np.stack(list(arrays.values())))
    if samples.ndim != 2 or samples.shape[1] < 2:
        raise RecordingError(f"a channel must be at least 2 numbers in a row, got shape {samples.shape[1:]}")
    return Raw(samples, tuple(scale or (1.0,) * len(arrays)), tuple(arrays))


def sampled(array: Array) -> Array:
    """The same numbers as int16, int32 or float32: the smallest of them that loses nothing that matters."""
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind not in "iuf":
        raise RecordingError(f"samples must be integers or real numbers, got {array.dtype}")
    if kind == "f":
        with np.errstate(over="ignore"):  # beyond float32 is beyond any sensor: infinite, and refused as such
            return np.ascontiguousarray(array, dtype="<f4")
    if (kind, size) == ("i", 2) or size == 1:
        return np.ascontiguousarray(array, dtype="<i2")
    limit = np.iinfo(np.int32).max
    if (size <= 4 and kind == "i") or array.size == 0 or (array.min() >= -limit and array.max() <= limit):
        return np.ascontiguousarray(array, dtype="<i4")
    return np.ascontiguousarray(array, dtype="<f4")


def npz_arrays(path: Path) -> dict[str, dict[str, str]]:
    """The records of an npz: record -> channel -> name of the array. Reads names only."""
    records: dict[str, dict[str, str]] = {}
    with _dressed(path), _open_npz(path) as archive:
        for name in archive.files:
            if not name.endswith(SCALE_SUFFIX):
                record, separator, channel = name.rpartition(CHANNEL_SEPARATOR)
                key = (record, channel) if separator else (name, "1")
                records.setdefault(key[0], {})[key[1]] = name
        if not records:
            raise RecordingError("it holds no array")
    return records


def read_npz_record(path: Path, arrays: Mapping[str, str]) -> Raw:
    """One record of an npz, from what `npz_arrays` told of it. A 2-D array gives channels "1", "2", ..."""
    with _dressed(path), _open_npz(path) as archive:
        loaded = {channel: _array(archive, name) for channel, name in arrays.items()}
        scale = [_scale(archive, name) for name in arrays.values()]
        if len(loaded) == 1:
            (array,) = loaded.values()
            if array.ndim == 2:
                return _rows(array, scale[0])
        return stack(loaded, scale)


def _open_npz(path: Path) -> NpzFile:
    """np.load takes what is neither npz nor npy for a pickle: so the kind is checked first."""
    if path.is_file() and not zipfile.is_zipfile(path):
        raise RecordingError("it is no npz file")
    opened = np.load(path, allow_pickle=False)
    assert isinstance(opened, NpzFile)  # noqa: S101 - a zip file is nothing else to numpy
    return opened


def _array(archive: NpzFile, name: str) -> Array:
    array = archive[name]
    if not isinstance(array, np.ndarray):  # numpy hands out foreign members as bytes
        raise RecordingError(f"its member {name} is no array")
    return array


def _scale(archive: NpzFile, name: str) -> float:
    if name + SCALE_SUFFIX not in archive:
        return 1.0
    scale = _array(archive, name + SCALE_SUFFIX)
    if scale.size != 1:
        raise RecordingError(f"{name}{SCALE_SUFFIX} must be one number, got shape {scale.shape}")
    return float(scale.item())


def _rows(array: Array, scale: float = 1.0) -> Raw:
    """A 1-D or 2-D array as one record: the longer side is time."""
    if array.ndim == 1:
        array = array[None, :]
    if array.ndim != 2:
        raise RecordingError(f"an array must be 1-D, or 2-D with a row a channel, got shape {array.shape}")
    rows = array if array.shape[0] <= array.shape[1] else array.T
    return stack({str(i + 1): row for i, row in enumerate(rows)}, [scale] * len(rows))


def _read_npy(path: Path) -> Raw:
    with path.open("rb") as file:
        return _rows(np.lib.format.read_array(file, allow_pickle=False))


def _read_csv(path: Path) -> Raw:
    """Columns of numbers, with or without a header; decimal commas where ; or tab separates."""
    text = path.read_text("utf-8-sig")
    first, _, rest = text.partition("\n")
    separator = max(";\t,", key=first.count)
    if separator not in first and "," not in first:
        separator = ";"  # a single column: nothing to separate, and a comma is a decimal one
    if separator != ",":
        text, first, rest = text.replace(",", "."), first.replace(",", "."), rest.replace(",", ".")
    header = [cell.strip().strip('"') for cell in first.split(separator)]
    has_header = not any(_is_number(cell) for cell in header)
    names = header if has_header else [str(i + 1) for i in range(len(header))]
    example = rest.partition("\n")[0].split(separator) if has_header else header
    numeric = [i for i, cell in enumerate(example) if _is_number(cell) and i < len(names)]
    if not numeric:
        raise RecordingError("it holds no column of numbers")
    lines = text.splitlines()[1 if has_header else 0 :]
    table = np.loadtxt(lines, delimiter=separator, usecols=numeric, ndmin=2, comments=None)
    return _columns({names[i]: table[:, k] for k, i in enumerate(numeric)})


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _columns(columns: Mapping[str, Array]) -> Raw:
    """A table's columns as channels; a column of regular times in seconds gives the rate instead."""
    channels = {name: column for name, column in columns.items() if name.casefold() not in _TIME_COLUMNS}
    raw = stack(channels)
    times = [column for name, column in columns.items() if name not in channels]
    return Raw(raw.samples, raw.scale, raw.channels, _rate(times[0]) if times else None)


def _rate(times: Array) -> float | None:
    steps = np.diff(times.astype(np.float64))
    step = float(np.median(steps)) if steps.size else 0.0
    # Printed times are rounded, so the mean step over the whole record is better than the median one.
    regular = step > 0 and bool(np.all(np.abs(steps - step) <= _MAX_JITTER * step + np.spacing(times[-1])))
    return float(steps.size / (times[-1] - times[0])) if regular else None


def _read_wav(path: Path) -> Raw:
    """Sound. Float samples may be in a unit; the full scale of integer ones, made 1 here, is none."""
    from scipy.io import wavfile

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks of metadata it does not know
        fs_hz, data = wavfile.read(path)
    if data.dtype == np.uint8:  # 8-bit sound is unsigned, with its zero at 128
        data = data.astype(np.int16) - 128
        full_scale = 128.0
    else:
        full_scale = -float(np.iinfo(data.dtype).min) if data.dtype.kind == "i" else 1.0
    raw = _rows(data.T if data.ndim == 2 else data, 1 / full_scale)
    return Raw(raw.samples, raw.scale, raw.channels, float(fs_hz), uncalibrated=full_scale != 1.0)


def _read_mat(path: Path) -> Raw:
    """The longest vectors of a MATLAB file (up to version 7.2) are channels; a scalar ...rpm is the speed."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        content = loadmat(path, squeeze_me=True)
    except NotImplementedError as error:
        raise RecordingError(
            "a MATLAB file of version 7.3 can't be read: save it with -v7, or export npz or csv"
        ) from error
    except (MatReadError, TypeError) as error:
        raise RecordingError(f"it is no MATLAB file: {error}") from error
    arrays = {name: v for name, v in content.items() if isinstance(v, np.ndarray) and v.dtype.kind in "iuf"}
    speeds = [float(v) for name, v in content.items() if name.casefold().endswith("rpm") and np.size(v) == 1]
    longest = max((v.size for v in arrays.values() if v.ndim == 1), default=0)
    raw = stack({name: v for name, v in arrays.items() if v.ndim == 1 and v.size == longest})
    return Raw(raw.samples, raw.scale, raw.channels, rpm=speeds[0] if speeds else None)


def _read_parquet(path: Path) -> Raw:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise RecordingError(
            f"Parquet needs pyarrow, which is not installed: {how_to_install('parquet')}"
        ) from error
    try:
        table = pq.read_table(path)
        columns = {
            name: table.column(name).to_numpy()
            for name, kind in zip(table.schema.names, table.schema.types, strict=True)
            if pa.types.is_integer(kind) or pa.types.is_floating(kind)
        }
    except pa.ArrowException as error:
        raise RecordingError(f"it is no Parquet file: {error}") from error
    return _columns(columns)


READERS: Final[Mapping[str, Callable[[Path], Raw]]] = {
    ".npy": _read_npy,
    ".csv": _read_csv,
    ".txt": _read_csv,
    ".wav": _read_wav,
    ".mat": _read_mat,
    ".parquet": _read_parquet,
}
"""Formats of one record a file, by suffix; npz stands apart because it holds many."""


def read_record(path: Path) -> Raw:
    """The one record of a file. RecordingError names the file, whatever went wrong."""
    with _dressed(path):
        return READERS[path.suffix.lower()](path)


class _dressed:  # noqa: N801 - used as a function
    """Whatever a library raises while `path` is read leaves as a RecordingError that names the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        match error:
            case OSError():
                raise RecordingError(f"{self.path}: can't be read: {error.strerror or error}") from error
            case RecordingError():
                raise RecordingError(f"{self.path}: {error}") from error
            case Exception():  # scipy's readers fail on damage with whatever the damage led to
                raise RecordingError(
                    f"{self.path}: is damaged, or holds other things than plain numbers "
                    f"(Python objects are never loaded): {error}"
                ) from error
