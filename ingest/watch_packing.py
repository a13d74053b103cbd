"""The states of points as one text each, many at once: what a commit keeps of those that had a block. Pure.

A text is the layout's mark, then the bytes of every array's row, packed: it keeps every bit, and one of
another layout (other columns, another version) is not read.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Arrays = Mapping[str, npt.NDArray[Any]]
"""Arrays (n, ...) by name: a row of each is a point's."""

_QUICK: Final = 1  # zlib's level: a state is packed with each block, and higher levels gain a few percent


def pack(arrays: Arrays, points: Sequence[int]) -> list[str]:
    """A text for each of these points."""
    mark = _mark(arrays)
    rows = np.concatenate([_bytes(array[list(points)]) for array in arrays.values()], axis=1)
    return [f"{mark}{base64.b64encode(zlib.compress(row.tobytes(), _QUICK)).decode('ascii')}" for row in rows]


def unpack(text: str, like: Arrays) -> dict[str, npt.NDArray[Any]] | None:
    """The arrays (1, ...) of a point, laid out as those of `like`; None for any other text."""
    mark = _mark(like)
    if not text.startswith(mark):
        return None
    try:
        body = zlib.decompress(base64.b64decode(text[len(mark) :], validate=True))
    except (ValueError, zlib.error):
        return None
    found, first = {}, 0
    for name, array in like.items():
        shape = (1, *array.shape[1:])
        size = math.prod(shape) * array.itemsize
        if first + size > len(body):
            return None
        found[name] = (
            np.frombuffer(body[first : first + size], _little(array)).reshape(shape).astype(array.dtype)
        )
        first += size
    return found if first == len(body) else None


def _mark(arrays: Arrays) -> str:
    """What tells one layout from another."""
    layout = repr([(name, _little(a).str, a.shape[1:]) for name, a in arrays.items()])
    return f"1:{zlib.crc32(layout.encode()):08x}:"


def _bytes(rows: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    flat = np.ascontiguousarray(rows.astype(_little(rows), copy=False)).reshape(len(rows), -1)
    return flat.view(np.uint8) if flat.size else np.empty((len(rows), 0), np.uint8)


def _little(array: npt.NDArray[Any]) -> np.dtype[Any]:
    return array.dtype.newbyteorder("<")
