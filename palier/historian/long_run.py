"""Trends over months: of the hourly rows where a bucket is an hour or wider, so that a year is quick.

What the hourly rows do not reach, the hour that is not closed yet above all, is taken from the raw rows and
brought to hours first: the answer is the same whether an hour was computed already or not. An hour in the
midst that got late rows shows them once it is computed anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt

from .base import Historian, Table
from .database import clamp
from .hours import summarize
from .rows import HOUR_NS
from .schema import MEASUREMENTS

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
    first_ns, stop_ns = clamp(start_ns), clamp(end_ns)
    width_ns = -(-(stop_ns - first_ns) // buckets) if buckets >= 1 else 0
    if width_ns >= HOUR_NS and _has_hours(measurement, field):
        hours = _Trended(historian, measurement, field, series).hours(first_ns, stop_ns)
        if len(hours.start_ns):
            return _bucketed(hours, first_ns, width_ns, series)
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
        columns = [np.asarray(table.columns[name], dtype=np.float64) for name in names]
        hourly = _Hours(table.ts_ns, np.column_stack(columns))
        if not len(table):
            return hourly
        older = self._of_raw(start_ns, int(table.ts_ns[0]))
        newer = self._of_raw(int(table.ts_ns[-1]) + HOUR_NS, end_ns)
        starts, values = zip(older, hourly, newer, strict=True)
        return _Hours(np.concatenate(starts), np.concatenate(values))

    def _of_raw(self, start_ns: int, end_ns: int) -> _Hours:
        """Hours of the raw rows; the first and the last are what is within the bounds."""
        table = self.historian.read(
            self.measurement, [self.field], **self.series, start_ns=start_ns, end_ns=end_ns
        )
        hours, blocks = np.unique(table.ts_ns // HOUR_NS, return_counts=True)
        values = np.asarray(table.columns[self.field], dtype=np.float64)[:, None]
        return _Hours(np.maximum(hours * HOUR_NS, start_ns), np.hstack(summarize(values, blocks)))


def _has_hours(measurement: str, field: str) -> bool:
    hourly = MEASUREMENTS.get(f"{measurement}_hourly")
    return hourly is not None and f"{field}_mean" in hourly.names


def _bucketed(hours: _Hours, first_ns: int, width_ns: int, series: Series) -> Table:
    known = ~np.isnan(hours.values[:, 0])
    place = [(ts - first_ns) // width_ns for ts in hours.start_ns[known].tolist()]  # beyond int64 in between
    places, counts = np.unique(np.array(place, dtype=np.int64), return_counts=True)
    found = summarize(hours.values[known], counts)
    times = np.array([first_ns + k * width_ns for k in places.tolist()], dtype=np.int64)
    machine, point, channel = (
        (tag,) * len(times) for tag in (series["machine"], series["point"], series["channel"])
    )
    columns = {"mean": found.mean[:, 0], "min": found.min[:, 1], "max": found.max[:, 2]}
    return Table(times, machine, point, channel, columns)
