"""Trends over months: of the hourly rows where a bucket is an hour or wider, so that a year is quick.

What the hourly rows do not reach, the hour that is not closed yet above all, is taken from the raw rows,
which the historian itself brings to hours: it costs what a trend of them costs, of a season at most, and the
answer is the same whether an hour was computed already or not. So are hours of the last days that a backlog
filled and nobody computed yet. An hour that was computed before late rows came shows them once it is computed
anew, which the ingest does when nothing else waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt

from . import asking
from .asking import Buckets
from .base import Historian, Table
from .hours import summarize
from .rows import HOUR_NS
from .schema import MEASUREMENTS

LATE_NS: Final = 7 * 24 * HOUR_NS
"""How far back from the newest hourly row hours without one are asked of the raw rows: a backlog is drained,
and its hours computed, from the oldest on, so that behind it a hole means that nothing was measured."""

_WHAT: Final = ("mean", "min", "max")


def trend(
    historian: Historian,
    measurement: str,
    field: str,
    *,
    site: str,
    machine: str,
    point: str,
    channel: str,
    start_ns: int,
    end_ns: int,
    buckets: int,
) -> Table:
    """As `Historian.trend`. From an hour on, a bucket holds the hours that start in it, and its mean is that
    of their means; of the hourly rows only hours that are whole within the bounds are taken.
    """
    series = Series(site=site, machine=machine, point=point, channel=channel)
    _, _, asked = asking.trend(measurement, field, start_ns, end_ns, buckets)
    if asked.width_ns >= HOUR_NS and _has_hours(measurement, field):
        hours = _Trended(historian, measurement, field, series).hours(asked.first_ns, asked.last_ns + 1)
        if len(hours.start_ns):
            return _bucketed(hours, asked, series)
    return historian.trend(measurement, field, **series, start_ns=start_ns, end_ns=end_ns, buckets=buckets)


class Series(TypedDict):
    """Which series."""

    site: str
    machine: str
    point: str
    channel: str


class _Hours(NamedTuple):
    """Starts of hours (ns), rising, and mean, least and greatest of each (n, 3)."""

    start_ns: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Trended:
    """One field of one series."""

    historian: Historian
    measurement: str
    field: str
    series: Series

    def hours(self, start_ns: int, end_ns: int) -> _Hours:
        """All hours; none where no hourly row is within the bounds: then the raw rows say it all."""
        names = [f"{self.field}_{what}" for what in _WHAT]
        whole_ns = end_ns // HOUR_NS * HOUR_NS
        table = self.historian.read(
            f"{self.measurement}_hourly", names, **self.series, start_ns=start_ns, end_ns=whole_ns
        )
        hourly = _Hours(table.ts_ns, _stacked(table, names))
        if not len(table):
            return hourly
        older = self._of_raw(start_ns, int(table.ts_ns[0]))
        newer = self._of_raw(int(table.ts_ns[-1]) + HOUR_NS, end_ns)
        starts, values = zip(older, hourly, self._late(table.ts_ns), newer, strict=True)
        start_ns_of = np.concatenate(starts)
        order = np.argsort(start_ns_of, kind="stable")
        return _Hours(start_ns_of[order], np.concatenate(values)[order])

    def _late(self, hourly_ns: npt.NDArray[np.int64]) -> _Hours:
        """Hours of raw rows between the newest of the hourly rows that start at `hourly_ns`."""
        first_ns, last_ns = int(hourly_ns[0]), int(hourly_ns[-1])
        every = np.arange(max(first_ns, last_ns - LATE_NS), last_ns, HOUR_NS, dtype=np.int64)
        missing = np.setdiff1d(every, hourly_ns)
        if not len(missing):
            return self._of_raw(0, 0)
        found = self._of_raw(int(missing[0]), int(missing[-1]) + HOUR_NS)
        late = np.isin(found.start_ns, missing)
        return _Hours(found.start_ns[late], found.values[late])

    def _of_raw(self, start_ns: int, end_ns: int) -> _Hours:
        """Hours of the raw rows; the first and the last are what is within the bounds."""
        first_ns = min(end_ns, -(-start_ns // HOUR_NS) * HOUR_NS)
        edges = (start_ns, first_ns, max(first_ns, end_ns // HOUR_NS * HOUR_NS), end_ns)
        tables = [
            self.historian.trend(
                self.measurement,
                self.field,
                **self.series,
                start_ns=first,
                end_ns=last,
                buckets=-(-(last - first) // HOUR_NS),
            )
            for first, last in pairwise(edges)
            if first < last
        ]
        nothing = _Hours(np.empty(0, dtype=np.int64), np.empty((0, len(_WHAT))))
        starts, values = zip(nothing, *((one.ts_ns, _stacked(one, _WHAT)) for one in tables), strict=True)
        return _Hours(np.concatenate(starts), np.concatenate(values))


def _stacked(table: Table, names: Sequence[str]) -> npt.NDArray[np.float64]:
    return np.column_stack([np.asarray(table.columns[name], dtype=np.float64) for name in names])


def _has_hours(measurement: str, field: str) -> bool:
    hourly = MEASUREMENTS.get(f"{measurement}_hourly")
    return hourly is not None and f"{field}_mean" in hourly.names


def _bucketed(hours: _Hours, asked: Buckets, series: Series) -> Table:
    known = ~np.isnan(hours.values[:, 0])
    first_ns, width_ns = asked.first_ns, asked.width_ns
    place = [(ts - first_ns) // width_ns for ts in hours.start_ns[known].tolist()]  # beyond int64 in between
    places, counts = np.unique(np.array(place, dtype=np.int64), return_counts=True)
    found = summarize(hours.values[known], counts)
    times = np.array([first_ns + k * width_ns for k in places.tolist()], dtype=np.int64)
    machine, point, channel = (
        (tag,) * len(times) for tag in (series["machine"], series["point"], series["channel"])
    )
    columns = {"mean": found.mean[:, 0], "min": found.min[:, 1], "max": found.max[:, 2]}
    return Table(times, machine, point, channel, columns)
