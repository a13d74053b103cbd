"""How a key of more than tags and time fits InfluxDB, whose rows are told apart by tags and time alone.

A tag for each line of a spectrum or each event would make a series of each. Instead the key moves the time by
some nanoseconds: an integer by its value, a text by its checksum, less than a millisecond. The field
`shift_ns` says how far, so that a reader has the time back.
"""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np
import numpy.typing as npt

from .schema import Measurement

FIELD: Final = "shift_ns"
"""The field beside the others of a measurement whose key has more."""

SPAN_NS: Final = 1_000_000
"""A shift is less than this: no chart shows it, and texts of one moment rarely meet."""


def shifts_ns(table: Measurement, keys: tuple[object, ...], n: int) -> npt.NDArray[np.int64]:
    """Shift (n,) of rows whose further key columns, in the order of `table.key_extra`, are `keys`."""
    shift = np.zeros(n, dtype=np.int64)
    for name, column in zip(table.key_extra, keys, strict=True):
        if table.field(name).type == "text":
            texts = np.asarray(column, dtype=object).tolist()
            shift += np.array([zlib.crc32(text.encode()) % SPAN_NS for text in texts], dtype=np.int64)
        else:
            shift += np.asarray(column, dtype=np.int64)
    return shift if len(keys) == 1 else shift % SPAN_NS  # of several texts the sum may be more
