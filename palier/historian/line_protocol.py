"""InfluxDB's line protocol of checked rows: a line is measurement, tags, fields and time, as bytes.

Encoded by the batch. orjson writes the numbers of all rows in one call, each with its shortest digits; cut at
the commas they are set between the names of the fields, which are the same for all rows that know the same
fields. Names need no escaping: tags are [A-Za-z0-9_.-] by `checking.py`, fields are those of `schema.py`. A
text may hold anything, line breaks and NUL too: inside quotes only the quote and the backslash are escaped,
and the server gives back what was written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import compress, repeat
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from palier.extras import how_to_install

from .base import SchemaError
from .checking import Checked, Column, Texts
from .schema import Field, Measurement
from .shifting import FIELD as SHIFT
from .shifting import shifts_ns

WIDE: Final = 8
"""From so many fields on a row is put together at once; of fewer, column by column is faster (measured)."""

NUMBERS_AT_ONCE: Final = 8000
"""Numbers cut apart before they are used: as Python's objects that many stay in a core's cache (measured)."""

SERIES_KEPT: Final = 65_536
"""Series whose measurement and tags are kept encoded, some 200 bytes each: of thousands of machines."""

_INT: Final = b"i"
"""What an integer ends with; without it it would be a float."""

_TAGS: Final = (b",site=", b",machine=", b",point=", b",channel=")


def encode(checked: Checked) -> list[bytes]:
    """One line for each row in the order of `checked.index`, without a line break at its end.

    Tags that are empty and numbers that are not known are left out, a text that is not known is "". Every
    line has the field `Measurement.always`. Keys beyond the tags are fields, and move the time as
    `shifting.py` says. Raises SchemaError where orjson is not installed.
    """
    n = len(checked)
    if not n:
        return []
    table = checked.measurement
    columns = dict(zip(checked.names, checked.values, strict=True))
    further = tuple(columns[name] for name in table.key_extra)
    shift = shifts_ns(table, further, n)
    parts: list[Iterable[bytes]] = [
        map(_head, repeat(table.name), *checked.key[:4]),
        *_texts(table, columns, n),
        *_numbers(table, columns, shift),
        _cut(b" ", checked.key[4] + shift),
    ]
    return list(map(b"".join, zip(*parts, strict=True)))


@lru_cache(maxsize=SERIES_KEPT)
def _head(measurement: str, *tags: str) -> bytes:
    """Measurement and tags, with the blank behind them."""
    known = (name + tag.encode() for name, tag in zip(_TAGS, tags, strict=True) if tag)
    return measurement.encode() + b"".join(known) + b" "


def _texts(table: Measurement, columns: dict[str, Column], n: int) -> Iterable[Iterable[bytes]]:
    """The text fields of each row, one column after the other; the one that is always there comes first."""
    always = table.always
    if always in columns:
        yield _quoted(f"{always}=", columns[always])  # type: ignore[arg-type]  # it is a text field
    else:
        yield [f'{always}=""'.encode()] * n
    for field in table.fields:
        if field.type == "text" and field.name != always and field.name in columns:
            yield _quoted(f",{field.name}=", columns[field.name])  # type: ignore[arg-type]


def _quoted(name: str, texts: Texts) -> list[bytes]:
    made = {text: name.encode() + _quote(text or "") for text in set(texts)}
    return [made[text] for text in texts]


def _quote(text: str) -> bytes:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'.encode()


def _numbers(
    table: Measurement, columns: dict[str, Column], shift: npt.NDArray[np.int64]
) -> Iterable[list[bytes]]:
    """The number fields of each row, each with a comma before it."""
    numbers = [field for field in table.fields if field.type != "text" and field.name in columns]
    wide = [field.name for field in numbers if field.single]
    if len(wide) >= WIDE:
        block = np.empty((len(shift), len(wide)), np.float32)
        for i, name in enumerate(wide):
            block[:, i] = columns[name]
        yield _wide(wide, block)
    for field in numbers:
        if len(wide) < WIDE or not field.single:
            yield _column(field, np.asarray(columns[field.name]))
    if table.key_extra:
        yield _cut(f",{SHIFT}=".encode(), shift, _INT)


def _column(field: Field, values: npt.NDArray[np.floating[Any]]) -> list[bytes]:
    """One field of each row, nothing where it is not known."""
    name = f",{field.name}=".encode()
    known = np.flatnonzero(~np.isnan(values))
    if field.type == "int":
        found = _cut(name, values[known].astype(np.int64), _INT)
    else:
        found = _cut(name, values[known])
    if len(found) == len(values):
        return found
    given = [b""] * len(values)
    for i, text in zip(known.tolist(), found, strict=True):
        given[i] = text
    return given


def _wide(names: Sequence[str], block: npt.NDArray[np.floating[Any]]) -> list[bytes]:
    """Many floats of each row: `block` (n, names), NaN for what is not known.

    In a list of names and numbers in turn the numbers of one row after the other are set between the names of
    what the row knows. There is one such list for each set of known fields; a batch has few of these.
    """
    known = ~np.isnan(block)
    counts = np.count_nonzero(known, axis=1).tolist()
    packed = np.packbits(known, axis=1)
    sets, size = packed.tobytes(), packed.shape[1]
    before = [f",{name}=".encode() for name in names]
    lists: dict[bytes, list[bytes]] = {}
    lines: list[bytes] = []
    at_once = max(1, NUMBERS_AT_ONCE // len(names))
    for first in range(0, len(block), at_once):
        part = slice(first, first + at_once)
        numbers = _written(block[part][known[part]]).split(b",")
        start = 0
        for row, count in enumerate(counts[part], first):
            which = sets[row * size : (row + 1) * size]
            pieces = lists.get(which)
            if pieces is None:
                pieces = lists[which] = [b""] * (2 * count)
                pieces[::2] = compress(before, known[row].tolist())
            pieces[1::2] = numbers[start : start + count]
            lines.append(b"".join(pieces))
            start += count
    return lines


def _cut(before: bytes, numbers: npt.NDArray[np.generic], behind: bytes = b"") -> list[bytes]:
    """Each number with what stands before and behind it."""
    if not len(numbers):
        return []
    return (before + _written(numbers).replace(b",", behind + b"\n" + before) + behind).split(b"\n")


def _written(numbers: npt.NDArray[np.generic]) -> bytes:
    """Shortest digits of each that give it back in its type, with commas between them."""
    try:
        import orjson
    except ImportError as error:
        raise SchemaError(
            f"InfluxDB needs orjson, which is not installed: {how_to_install('influx')}"
        ) from error
    return orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
