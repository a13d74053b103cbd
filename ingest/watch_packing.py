"""What is remembered of a point as one row of bytes in memory, and as texts in the records. Pure.

A row holds every array of the point, so that a batch joins the rows of the points it has blocks of, and of no
others. Kept are two texts: what every block changes, and what changes a few times a day, with a tag that
tells which of the first it belongs to. A text is the layout's mark, then the bytes: it keeps every bit, and
one of another layout (other columns, another version) is not read.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Arrays = Mapping[str, npt.NDArray[Any]]
"""Arrays (n, ...) by name: a row of each is a point's."""

_QUICK: Final = 1  # zlib's level: a state is packed with each block, and higher levels gain a few percent
_VERSION: Final = 2


class Layout:
    """Where each array of a point stands in its row: first what changes seldom, then what does not pack
    (`noisy`: charts, means), then all else, which is packed.
    """

    def __init__(self, like: Arrays, *, seldom: str, tag: str, noisy: Collection[str]) -> None:
        """`like` are the arrays (1, ...) of a point. The text of the `seldom` one goes with that of which
        the `tag`, an array of 8 bytes a point, is the same.
        """
        order = sorted(like, key=lambda name: (name != seldom, name not in noisy))  # stable
        formats = [(_little(like[name]), like[name].shape[1:]) for name in order]
        sizes = [kind.itemsize * math.prod(shape) for kind, shape in formats]
        offsets = np.concatenate(([0], np.cumsum([-(-size // 8) * 8 for size in sizes])))
        layout: Any = {"names": order, "formats": formats, "offsets": offsets[:-1], "itemsize": offsets[-1]}
        self._kind: np.dtype[Any] = np.dtype(layout)
        self._names = tuple(order)
        self._size = int(offsets[-1])
        self._often = int(offsets[1])  # here begins what every block changes
        self._packed = int(offsets[1 + sum(name in noisy and name != seldom for name in order)])
        self._tag = slice(int(offsets[order.index(tag)]), int(offsets[order.index(tag)]) + 8)
        self._mark = f"{_VERSION}:{zlib.crc32(repr(self._kind).encode()):08x}:"

    def arrays(self, rows: Sequence[bytes]) -> dict[str, npt.NDArray[Any]]:
        """The arrays (n, ...) of some points; they may not be written to."""
        table = np.frombuffer(b"".join(rows), self._kind)
        return {name: table[name] for name in self._names}

    def rows(self, arrays: Arrays) -> list[bytes]:
        """A row for each point."""
        table = np.zeros(len(arrays[self._names[0]]), self._kind)
        for name in self._names:
            table[name] = arrays[name]
        whole, size = table.tobytes(), self._size
        return [whole[first : first + size] for first in range(0, len(whole), size)]

    def often(self, row: bytes) -> str:
        """The text of what every block changes."""
        packed = zlib.compress(row[self._packed :], _QUICK)
        return self._mark + base64.b64encode(row[self._often : self._packed] + packed).decode("ascii")

    def seldom(self, row: bytes) -> str:
        """The text of what changes seldom."""
        packed = zlib.compress(row[: self._often], _QUICK)
        return self._mark + base64.b64encode(row[self._tag] + packed).decode("ascii")

    def has_turned(self, before: bytes, after: bytes) -> bool:
        """Whether what changes seldom has: its tag is another."""
        return before[self._tag] != after[self._tag]

    def read(self, often: str, seldom: str, fresh: bytes) -> bytes | None:
        """The row of these texts, None where the first is of another layout. A second one that is, or belongs
        to another, is as in the `fresh` row.
        """
        body = self._body(often)
        noisy = self._packed - self._often
        packed = None if body is None else _unpacked(body[noisy:], self._size - self._packed)
        if body is None or packed is None:
            return None
        row = fresh[: self._often] + body[:noisy] + packed
        tagged = self._body(seldom)
        slow = None if tagged is None else _unpacked(tagged[8:], self._often)
        if tagged is None or slow is None or tagged[:8] != row[self._tag]:
            return row
        return slow + row[self._often :]

    def _body(self, text: str) -> bytes | None:
        if not text.startswith(self._mark):
            return None
        try:
            return base64.b64decode(text[len(self._mark) :], validate=True)
        except ValueError:
            return None


def _unpacked(data: bytes, size: int) -> bytes | None:
    try:
        found = zlib.decompress(data)
    except zlib.error:
        return None
    return found if len(found) == size else None


def _little(array: npt.NDArray[Any]) -> np.dtype[Any]:
    return array.dtype.newbyteorder("<")
