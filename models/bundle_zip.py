"""Arrays as an npz, and back: the same arrays give the same bytes, and nothing is unpacked that is not there.

An npz is a zip of npy files. Here its members are stored as they are, in order of their names and with a
fixed date; `numpy.load` reads it. Taken back are stored members only, of numbers and texts: what a member
declares is then what the file holds, and no small file becomes a large one.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]

_DATE: Final = (1980, 1, 1, 0, 0, 0)  # the first that a zip can tell
_KINDS: Final = "fiubU"
_MOST_MEMBERS: Final = 200_000  # 1,000 points of a hundred arrays each, twice over


class Buffer:
    """Bytes in memory that are read and written like a file."""

    def __init__(self, data: bytes = b"") -> None:
        self._data, self._at = bytearray(data), 0

    def read(self, n: int | None = -1) -> bytes:
        """The next `n` bytes, all that is left for -1."""
        end = len(self._data) if n is None or n < 0 else min(len(self._data), self._at + n)
        found, self._at = bytes(self._data[self._at : end]), max(self._at, end)
        return found

    def write(self, data: bytes) -> int:
        """Put these bytes here."""
        self._data[self._at : self._at + len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go there: from the start, from here, from the end."""
        self._at = max(0, offset + (0, self._at, len(self._data))[whence])
        return self._at

    def tell(self) -> int:
        """Where it is."""
        return self._at

    def seekable(self) -> bool:
        """It is."""
        return True

    def flush(self) -> None:
        """There is nothing to wait for."""

    def bytes(self) -> bytes:
        """All of them."""
        return bytes(self._data)


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A zip of stored members, in order of their names: the same members, the same bytes."""
    sink = Buffer()
    with zipfile.ZipFile(sink, "w") as archive:  # type: ignore[call-overload]
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name, _DATE), members[name])
    return sink.bytes()


def unzipped(data: bytes) -> dict[str, bytes]:
    """What `zipped` packed. Raises ValueError for anything else, before it unpacks any of it."""
    try:
        with zipfile.ZipFile(Buffer(data)) as archive:
            infos = archive.infolist()
            if len(infos) > _MOST_MEMBERS:
                raise ValueError(f"it has {len(infos)} members, {_MOST_MEMBERS} at most are believed")
            if any(one.compress_type != zipfile.ZIP_STORED for one in infos):
                raise ValueError("its members are compressed: they must be stored as they are")
            if sum(one.file_size for one in infos) > len(data):
                raise ValueError("its members declare more than the file holds")
            if len({one.filename for one in infos}) != len(infos):
                raise ValueError("two of its members have one name")
            return {one.filename: archive.read(one) for one in infos}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, IndexError) as error:
        raise ValueError(f"it is no zip, or not whole: {error}") from None


def to_npz(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Arrays of numbers and texts by name as an npz. Raises ValueError for arrays of objects."""
    return zipped({f"{name}.npy": _npy(array) for name, array in arrays.items()})


def from_npz(data: bytes) -> Arrays:
    """What `to_npz` wrote, read-only. Raises ValueError for anything else; nothing in it is ever executed."""
    return {name.removesuffix(".npy"): _array(name, body) for name, body in unzipped(data).items()}


def _npy(array: npt.NDArray[Any]) -> bytes:
    if array.dtype.kind not in _KINDS:
        raise ValueError(f"arrays must be of numbers or texts, got {array.dtype}")
    sink = Buffer()
    little = np.asarray(array.astype(array.dtype.newbyteorder("<")), order="C")
    np.lib.format.write_array(sink, little, version=(1, 0), allow_pickle=False)
    return sink.bytes()


def _array(name: str, body: bytes) -> npt.NDArray[Any]:
    source: Any = Buffer(body)
    if np.lib.format.read_magic(source) != (1, 0):
        raise ValueError(f"{name} is of another version of the npy format than 1.0")
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(source)
    if dtype.kind not in _KINDS or by_columns:
        raise ValueError(f"{name} must be an array of numbers or texts, row by row, got {dtype}")
    first, count = source.tell(), int(np.prod(shape, dtype=object)) if shape else 1
    if count * dtype.itemsize != len(body) - first:
        raise ValueError(f"{name} declares {count} values of {dtype} and holds {len(body) - first} bytes")
    if not count or not dtype.itemsize:
        return np.empty(shape, dtype)
    found = np.frombuffer(body, dtype, count, first).reshape(shape)
    return found.astype(dtype.newbyteorder("="), copy=False)
