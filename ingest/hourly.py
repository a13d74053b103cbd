"""What stays of an hour when its rows are gone: mean, least and greatest of each number, of each channel.

Each commit marks the hours that its rows fall in. An hour is computed anew from all of its rows as long as
they are kept, so it may be done again at any time, and a backlog that comes days later is right too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from palier.frames import Readings
from palier.historian.base import Rows, Table
from palier.historian.hours import summarize
from palier.historian.rows import HOUR_NS, DirtyHour
from palier.historian.schema import measurement

from .batch import WorkFrame

HOURLY: Final = ("feature", "reading")
"""Measurements that have an hourly one, named NAME_hourly."""

_TEXT: Final[Mapping[str, str]] = MappingProxyType({"feature": "zone", "reading": "unit"})
"""The text that an hour keeps of each."""


def dirty_hours(works: Sequence[WorkFrame]) -> tuple[DirtyHour, ...]:
    """The hours that rows of these frames fall in, each once."""
    hours: dict[DirtyHour, None] = {}
    for work in works:
        frame = work.frame
        starts = (
            np.unique(frame.times_ns // HOUR_NS).tolist()
            if isinstance(frame, Readings)
            else [frame.start_ns // HOUR_NS]
        )
        hours.update({DirtyHour(work.site, frame.machine, hour * HOUR_NS): None for hour in starts})
    return tuple(hours)


def numbers_of(name: str) -> tuple[str, ...]:
    """The numbers of a measurement, of which an hour keeps mean, least and greatest."""
    return tuple(field.name for field in measurement(name).fields if field.type == "float")


def fields_of(name: str) -> tuple[str, ...]:
    """What `hour_rows` has to be given of a measurement."""
    return (*numbers_of(name), _TEXT[name])


def hour_rows(name: str, raw: Table, *, site: str, hour_ns: int) -> Rows:
    """The hourly rows of one hour of one measurement: one for each series in `raw`.

    `raw` holds all its rows in order of time, with `fields_of(name)` as columns. Of a number only known
    values count; it is not known where none is. Of the zones the worst is kept, of the units the last.
    """
    series = list(zip(raw.machine, raw.point, raw.channel, strict=True))
    place = {one: i for i, one in enumerate(dict.fromkeys(series))}
    label = np.array([place[one] for one in series], dtype=np.intp)
    blocks = np.bincount(label, minlength=len(place))
    names = numbers_of(name)
    values = np.column_stack([np.asarray(raw.columns[field], dtype=np.float64) for field in names])
    hour = summarize(values[np.argsort(label, kind="stable")], blocks)
    fields: dict[str, npt.NDArray[np.generic] | Sequence[str | None]] = {}
    for what, found in hour._asdict().items():
        fields |= {f"{field}_{what}": found[:, i] for i, field in enumerate(names)}
    fields["blocks"] = blocks.astype(np.int64)
    text = _TEXT[name]
    fields[text] = _texts(raw.columns[text], label.tolist(), len(place), worst=text == "zone")
    machine, point, channel = ([one[k] for one in place] for k in range(3))
    times = np.full(len(place), hour_ns, dtype=np.int64)
    return Rows(f"{name}_hourly", [site] * len(place), machine, point, channel, times, fields)


def worth_writing(rows: Rows, kept: Table, *, raw_may_be_gone: bool) -> Rows:
    """The hourly rows that say no less than those kept of the same hour (with `blocks` as column).

    Raw rows never become fewer but by going with age: an hour of fewer blocks is one that lost some. Where
    they may be gone already, as many can be others: then only more of them replace what is kept.
    """
    blocks, had = (np.asarray(of["blocks"], dtype=np.float64).tolist() for of in (rows.fields, kept.columns))
    before = dict(zip(zip(kept.machine, kept.point, kept.channel, strict=True), had, strict=True))
    series = zip(rows.machine, rows.point, rows.channel, strict=True)
    good = [
        i
        for i, one in enumerate(series)
        if one not in before or blocks[i] > before[one] - (not raw_may_be_gone)
    ]
    return rows if len(good) == len(rows) else _some(rows, good)


def _texts(
    column: Sequence[str | None] | npt.NDArray[np.generic], label: Sequence[int], n: int, *, worst: bool
) -> list[str | None]:
    """The worst (letters rise), or the last, known text of each of n groups."""
    found: list[str | None] = [None] * n
    for text, i in zip(column, label, strict=True):
        if text is not None and not (worst and str(text) < (found[i] or "")):
            found[i] = str(text)
    return found


def _some(rows: Rows, places: Sequence[int]) -> Rows:
    """The rows at these places."""
    site, machine, point, channel = (
        [tags[i] for i in places] for tags in (rows.site, rows.machine, rows.point, rows.channel)
    )
    fields = {
        name: column[np.array(places, dtype=np.intp)]
        if isinstance(column, np.ndarray)
        else [column[i] for i in places]
        for name, column in rows.fields.items()
    }
    times = rows.ts_ns[np.array(places, dtype=np.intp)]
    return Rows(rows.measurement, site, machine, point, channel, times, fields)
