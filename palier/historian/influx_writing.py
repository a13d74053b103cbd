"""How rows get into InfluxDB: who holds a key is looked up first, what is refused is found row by row.

InfluxDB itself overwrites. So a row whose time is not beyond all that its series holds is looked up before it
is written; live rows are newer than all of their series and cost no question. One process writes a database:
what it has seen of a series stays true.
"""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from .base import Rejected, Unavailable, WriteReport
from .checking import REASON_TYPE, Checked
from .holding import gives_way, refusal
from .influx_server import Refused, Server
from .influxql import FIRST_NS, LAST_NS, TAGS, Statement, Values, identifier, select, where
from .line_protocol import encode
from .schema import Measurement
from .shifting import shifts_ns

REASON_RETENTION: Final = "retention"
"""Older than what the server keeps."""

REASON_REFUSED: Final = "refused"
"""The server did not take it and gave another reason, which is in the log of the server."""

LINES_A_REQUEST: Final = 5000
"""More gain nothing (measured), and a body of some megabytes is what proxies still take."""

DAY_NS: Final = 86_400 * 10**9
"""Keys are looked up day by day: of two that lie months apart nothing between them is read."""

_BY: Final = ", ".join(identifier(tag) for tag in TAGS)

Place = tuple[str, str, str, str, str]
"""Measurement and tags of a series."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A line and the row it is: place of its `Rows` in the batch, index in them."""

    text: bytes
    rows: int
    index: int


class Writing:
    """Writes checked rows. `database_of` says where a measurement's rows live."""

    def __init__(self, server: Server, database_of: Callable[[Measurement], str]) -> None:
        self._server = server
        self._database_of = database_of
        self._lock = threading.Lock()
        self._newest: dict[Place, int] = {}
        self._since: dict[tuple[str, str], int] = {}  # by measurement and site: back to when it was asked

    def write(self, batch: Sequence[Checked]) -> list[WriteReport]:
        """One report for each. Raises Unavailable: nothing may be relied upon."""
        with self._lock:
            try:
                return self._written(batch)
            except Unavailable:
                self._since.clear()  # it may come back with a backup's rows
                raise

    def _written(self, batch: Sequence[Checked]) -> list[WriteReport]:
        refused: list[dict[int, str]] = [{row.index: row.reason for row in rows.rejected} for rows in batch]
        unchecked = [len(found) for found in refused]
        newest: dict[Place, int] = {}
        lines: dict[str, list[_Line]] = defaultdict(list)
        held: dict[tuple[Place, int], str] = {}
        for i, rows in enumerate(batch):
            if not len(rows):
                continue
            places, times = _places(rows)
            left_out: set[int] = set()
            if rows.measurement.held_by_frame:
                refused[i].update(self._conflicts(rows, places, times, held, newest))
                keys = zip(rows.index, places, times, _frames(rows), strict=True)
                left_out = {index for index, place, time, frame in keys if held[place, time] != frame}
            lines[self._database_of(rows.measurement)] += [
                _Line(text, i, index)
                for text, index in zip(encode(rows), rows.index, strict=True)
                if index not in left_out
            ]
        self._newest.update(newest)  # before they are sent: what fails may have been stored nevertheless
        for database, of_database in lines.items():
            for part in _parts(of_database):
                for line, reason in self._send(database, part):
                    refused[line.rows][line.index] = reason
        return [
            WriteReport(
                len(rows) + unchecked[i] - len(refused[i]),
                tuple(Rejected(index, reason) for index, reason in sorted(refused[i].items())),
            )
            for i, rows in enumerate(batch)
        ]

    def _conflicts(
        self,
        rows: Checked,
        places: Sequence[Place],
        times: Sequence[int],
        held: dict[tuple[Place, int], str],
        newest: dict[Place, int],
    ) -> dict[int, str]:
        """Rows whose key another frame holds, in the server or earlier in this batch (`held`)."""
        frames = _frames(rows)
        self._learn(rows.measurement, places, times)
        older = {
            (place, time)
            for place, time in zip(places, times, strict=True)
            if time <= self._newest_of(place) and (place, time) not in held
        }
        held.update(self._held(rows.measurement, older))
        found, given_way = {}, set()
        for index, place, time, frame in zip(rows.index, places, times, frames, strict=True):
            holder = held.setdefault((place, time), frame)
            reason = refusal(holder, frame)
            if reason is not None:
                found[index] = reason
            elif gives_way(holder, frame):
                held[place, time] = frame
                given_way.add((place, time))
            newest[place] = max(time, newest.get(place, self._newest.get(place, time)))
        self._clear(rows.measurement, given_way & older)
        return found

    def _clear(self, table: Measurement, keys: Iterable[tuple[Place, int]]) -> None:
        """Take the rows of these keys away: a field that their successors do not know would stay."""
        values = Values()
        statements = [
            values.statement(
                f"DELETE FROM {identifier(table.name)}",  # noqa: S608 - a name of the schema
                *where(site, dict(zip(TAGS, tags, strict=True)), time, time),
            )
            for (_, site, *tags), time in sorted(keys)
        ]
        self._server.query(self._database_of(table), statements)

    def _newest_of(self, place: Place) -> int:
        """A time that a series does not go beyond: of its newest row, or of all that was not asked for."""
        unknown = self._since[place[:2]] - 1
        return max(self._newest.get(place, unknown), unknown)

    def _learn(self, table: Measurement, places: Sequence[Place], times: Sequence[int]) -> None:
        """The newest times of the series of a site, as far back as their rows are to be written.

        Over all time a server opens each file of each series, seconds for hundreds of them; live rows need
        the last day only. A backlog begins with its oldest rows, so that it is asked for once.
        """
        oldest: dict[tuple[str, str], int] = {}
        for place, time in zip(places, times, strict=True):
            site = place[:2]
            if site not in self._since or place not in self._newest:
                oldest[site] = min(time, oldest.get(site, time))
        for site, time in oldest.items():
            until = self._since.get(site)
            if until is not None and time >= until:
                continue
            since = max(time - DAY_NS, FIRST_NS)
            statement = Values().statement(
                select(["frame"], table.name),
                *where(site[1], {}, since, LAST_NS if until is None else until - 1),
                f" GROUP BY {_BY} ORDER BY time DESC LIMIT 1",
            )
            for series in self._server.query(self._database_of(table), [statement])[0]:
                machine, point, channel = (series.tags[tag] for tag in TAGS)
                place = (*site, machine, point, channel)
                newest = max(series.columns["time"])
                self._newest[place] = max(newest, self._newest.get(place, newest))
            self._since[site] = since

    def _held(self, table: Measurement, keys: set[tuple[Place, int]]) -> dict[tuple[Place, int], str]:
        """The frames that hold these keys in the server."""
        by_day: dict[tuple[Place, int], list[int]] = defaultdict(list)
        for place, time in keys:
            by_day[place, time // DAY_NS].append(time)
        values = Values()
        statements: list[Statement] = []
        for ((_, site, *tags), _), times in by_day.items():
            bounds = min(times), max(times)
            statements.append(
                values.statement(
                    select(["frame"], table.name), *where(site, dict(zip(TAGS, tags, strict=True)), *bounds)
                )
            )
        answers = self._server.query(self._database_of(table), statements)
        return {
            (place, time): frame
            for (place, _), answer in zip(by_day, answers, strict=True)
            for series in answer
            for time, frame in zip(series.columns["time"], series.columns["frame"], strict=True)
            if (place, time) in keys
        }

    def _send(self, database: str, lines: Sequence[_Line]) -> list[tuple[_Line, str]]:
        """The lines that the server did not take, with the reason. They are found by halving."""
        if not lines:
            return []
        try:
            self._server.write(database, [line.text for line in lines])
        except Refused as refused:
            if len(lines) == 1 or (refused.dropped == len(lines) and not refused.too_large):
                return [(line, _reason(str(refused))) for line in lines]
            half = len(lines) // 2
            return self._send(database, lines[:half]) + self._send(database, lines[half:])
        return []


def _places(rows: Checked) -> tuple[list[Place], list[int]]:
    """Series of each row, and its time in the server."""
    site, machine, point, channel, ts = (list(column) for column in rows.key)
    name = itertools.repeat(rows.measurement.name, len(rows))
    columns = dict(zip(rows.names, rows.values, strict=True))
    further = tuple(columns[key] for key in rows.measurement.key_extra)
    times = np.array(ts, dtype=np.int64) + shifts_ns(rows.measurement, further, len(rows))
    return list(zip(name, site, machine, point, channel, strict=True)), times.tolist()


def _frames(rows: Checked) -> list[str]:
    columns = dict(zip(rows.names, rows.values, strict=True))
    found = columns.get("frame")
    return [""] * len(rows) if found is None else [str(frame or "") for frame in found]


def _parts(lines: Sequence[_Line]) -> Iterable[Sequence[_Line]]:
    return (lines[start : start + LINES_A_REQUEST] for start in range(0, len(lines), LINES_A_REQUEST))


def _reason(said: str) -> str:
    if "retention" in said:
        return REASON_RETENTION
    return REASON_TYPE if "field type" in said else REASON_REFUSED
