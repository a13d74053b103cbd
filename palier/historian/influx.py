"""The historian on InfluxDB, 1.x and 2.x by one path: line protocol in, InfluxQL out.

Tags are site, machine, point and channel; what else a key has moves the time (`shifting.py`). Raw rows live
in the database NAME, hourly rows in NAME_hourly, each kept by the server as long as its retention says.
InfluxDB keeps no "not known": such a number is left out, such a text is written as "", so that every row has
a field that is there, and a row written again replaces what it said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from . import asking
from .asking import Buckets
from .base import Rows, Table, WriteReport
from .checking import check
from .influx_answers import Series, tags_of
from .influx_server import Server
from .influx_writing import DAY_NS, Writing
from .influxql import (
    FIRST_NS,
    LAST_NS,
    TAGS,
    Statement,
    Value,
    Values,
    database_name,
    identifier,
    select,
    where,
)
from .schema import MEASUREMENTS, Field, Measurement
from .shifting import FIELD as SHIFT
from .shifting import SPAN_NS

MOST_QUIET: Final = 200
"""Series that are asked for one by one: each takes milliseconds."""

LOOKED_AT: Final = 5
"""Series that are looked at before all of a site are asked for their newest row."""

_BY: Final = ", ".join(identifier(tag) for tag in TAGS)

_NUMBERS: Final = {float, int, type(None)}

HOURLY: Final = "_hourly"
"""What the name of the database of hourly rows ends with."""


def database_of(table: Measurement, database: str) -> str:
    """The database that a measurement's rows live in."""
    return database + HOURLY if table.long_run else database


def trend_statement(
    values: Values, measurement: str, field: str, *, site: str, tags: Mapping[str, str], asked: Buckets
) -> Statement:
    """Mean, least and greatest of each bucket of a run of them that is not empty.

    The server passes through the rows once for each of the three, which is where the time goes. Nothing else
    that was measured is quicker: subqueries, other forms of answers, the rows themselves, parallel requests.
    """
    name = identifier(field)
    offset_ns = asked.first_ns % asked.width_ns
    return values.statement(
        f"SELECT mean({name}), min({name}), max({name}) FROM {identifier(measurement)}",  # noqa: S608
        *where(site, tags, asked.first_ns, asked.last_ns),
        "" if asked.single else f" GROUP BY time({asked.width_ns}ns, {offset_ns}ns) fill(none)",
    )


class InfluxHistorian:
    """One process writes, any number read. Any thread may call.

    Nothing is connected by the constructor: a server that is away is Unavailable when it is needed, and the
    caller waits for it. Raises Unavailable, SchemaError.
    """

    def __init__(self, server: Server, database: str = "palier") -> None:
        database_name(database)
        self._server = server
        self._database = database
        self._writing = Writing(server, lambda table: database_of(table, database))
        self._reached: dict[tuple[str, str], int] = {}  # by measurement and site

    def write(self, batch: Sequence[Rows]) -> list[WriteReport]:
        """See `Historian.write`. What the server refuses is found row by row."""
        return self._writing.write([check(rows) for rows in batch])

    def read(
        self,
        measurement: str,
        fields: Sequence[str],
        *,
        site: str,
        machine: str | None = None,
        point: str | None = None,
        channel: str | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
        newest: int | None = None,
    ) -> Table:
        """See `Historian.read`. Numbers come as float64 (NaN = not known), texts as tuples."""
        if newest is not None:
            asking.at_least_one("newest", newest)
        table, wanted = asking.fields(measurement, fields)
        first, last = asking.bounds(start_ns, end_ns)
        if first > last:
            return _table(table, _gather(table, []), np.arange(0), wanted)
        tags = dict(zip(TAGS, (machine, point, channel), strict=True))
        values = Values()
        names = self._names(table, wanted)
        if newest is None:  # tags once a series in place of once a row: half of what the server has to write
            head, order = select([name for name in names if name not in TAGS], table.name), f" GROUP BY {_BY}"
        else:
            head, order = select(names, table.name), f" ORDER BY time DESC LIMIT {newest + 1}"
        oldest = first
        if newest and table.key_extra:
            # So many more are there by the server's time; by their own, others behind them may be newer.
            probe = self._found(table, values.statement(head, *where(site, tags, first, last), order))
            if len(probe.ts_ns) > newest:
                oldest = max(first, int(probe.time_ns.min()) - SPAN_NS)
            order = ""
        # A shifted row may lie behind the end of what is asked for; its true time decides.
        reach = last + SPAN_NS if table.key_extra else last
        found = self._found(table, values.statement(head, *where(site, tags, oldest, reach), order))
        inside = np.flatnonzero((found.ts_ns >= first) & (found.ts_ns <= last))
        answer = _table(table, found, inside, wanted)
        return answer if newest is None else _last(answer, newest)

    def latest(self, measurement: str, fields: Sequence[str], *, site: str) -> Table:
        """See `Historian.latest`. Where the key has more (spectrum lines), all rows of the newest time."""
        table, wanted = asking.fields(measurement, fields)
        newest = self._newest(table, [name for name in self._names(table, wanted) if name not in TAGS], site)
        n = len(newest.ts_ns)
        if not table.key_extra or not n:
            return _table(table, newest, np.arange(n), wanted)
        head = select(self._names(table, wanted), table.name)
        values = Values()
        around = [
            values.statement(
                head, *where(site, dict(zip(TAGS, tags, strict=True)), time - SPAN_NS, time + SPAN_NS)
            )
            for *tags, time in zip(
                *(newest.columns[tag] for tag in TAGS), newest.time_ns.tolist(), strict=True
            )
        ]
        answers = self._server.query(self._where(table), around)
        found = _gather(table, [series for answer in answers for series in answer])
        last: dict[tuple[str, ...], int] = {}
        series = list(zip(*(found.columns[tag] for tag in TAGS), strict=True))
        for one, ts in zip(series, found.ts_ns.tolist(), strict=True):
            last[one] = max(ts, last.get(one, ts))
        of_last = found.ts_ns == np.array([last[one] for one in series], dtype=np.int64)
        return _table(table, found, np.flatnonzero(of_last), wanted)

    def trend(
        self,
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
        """See `Historian.trend`: aggregated by the server, in buckets of equal whole nanoseconds."""
        table, wanted, asked = asking.trend(measurement, field, start_ns, end_ns, buckets)
        tags = dict(zip(TAGS, (machine, point, channel), strict=True))
        values, parts = Values(), list(asked.parts())
        statements = [
            trend_statement(values, table.name, wanted.name, site=site, tags=tags, asked=part)
            for part in parts
        ]
        rows: list[tuple[Any, ...]] = []
        for part, answer in zip(parts, self._server.query(self._where(table), statements), strict=True):
            for series in answer:
                found = series.columns
                times = [part.first_ns] if part.single else found["time"]
                rows += zip(times, found["mean"], found["min"], found["max"], strict=True)
        n = len(rows)
        columns = {
            name: np.array([row[i] for row in rows], dtype=np.float64)
            for i, name in enumerate(("mean", "min", "max"), start=1)
        }
        starts = np.array([row[0] for row in rows], dtype=np.int64)
        return Table(starts, (machine,) * n, (point,) * n, (channel,) * n, columns)

    def sites(self) -> tuple[str, ...]:
        """See `Historian.sites`."""
        found: set[str] = set()
        for database in dict.fromkeys(self._where(table) for table in MEASUREMENTS.values()):
            statement = Statement('SHOW TAG VALUES WITH KEY = "site"')
            for series in self._server.query(database, [statement])[0]:
                found.update(series.columns["value"])
        return tuple(sorted(found))

    def may_write(self) -> bool:
        """Whether the account may write into both databases; nothing is written. Raises Unavailable."""
        databases = dict.fromkeys(self._where(table) for table in MEASUREMENTS.values())
        return all(self._server.may_write(database) for database in databases)

    def expire(self, now_ns: int) -> int:
        """See `Historian.expire`."""
        return 0

    def close(self) -> None:
        """See `Historian.close`."""
        self._server.close()

    def _where(self, table: Measurement) -> str:
        return database_of(table, self._database)

    def _found(self, table: Measurement, statement: Statement) -> _Found:
        (answer,) = self._server.query(self._where(table), [statement])
        return _gather(table, answer)

    def _newest(self, table: Measurement, names: Sequence[str], site: str) -> _Found:
        """The newest row of each series.

        Over all time a server opens each file of each series, seconds for hundreds of them. So it is asked
        for the rows since a time that nine series of ten had reached, and for the quiet ones apart.
        """
        head, last = select(names, table.name), f" GROUP BY {_BY} ORDER BY time DESC LIMIT 1"
        values = Values()
        since = self._reached.get((table.name, site))
        if since is None:
            since = self._looked(table, site)
        asked = values.statement(head, *where(site, {}, since, LAST_NS), last)
        recent, listed = self._server.query(self._where(table), [asked, _all_series(values, table, site)])
        quiet = set(tags_of(listed, TAGS)) - {tuple(series.tags[tag] for tag in TAGS) for series in recent}
        if len(quiet) > MOST_QUIET and since > FIRST_NS:
            self._reached[table.name, site] = FIRST_NS
            return self._newest(table, names, site)
        older = [
            values.statement(
                head, *where(site, dict(zip(TAGS, tags, strict=True)), FIRST_NS, since - 1), last
            )
            for tags in sorted(quiet)
            if since > FIRST_NS
        ]
        answers = self._server.query(self._where(table), older)
        found = _gather(table, [series for each in (recent, *answers) for series in each])
        if n := len(found.time_ns):
            self._reached[table.name, site] = int(np.sort(found.time_ns)[n // 10]) - DAY_NS
        return found

    def _looked(self, table: Measurement, site: str) -> int:
        """A time that many series may have reached: the middle one of the newest of some, less a day."""
        values = Values()
        (listed,) = self._server.query(self._where(table), [_all_series(values, table, site)])
        known = sorted(tags_of(listed, TAGS))
        newest = " ORDER BY time DESC LIMIT 1"
        asked = [
            values.statement(
                select([table.always], table.name),
                *where(site, dict(zip(TAGS, tags, strict=True)), FIRST_NS, LAST_NS),
                newest,
            )
            for tags in known[:: -(-len(known) // LOOKED_AT) or 1]
        ]
        answers = self._server.query(self._where(table), asked)
        times = sorted(series.columns["time"][0] for answer in answers for series in answer)
        return max(times[len(times) // 2] - DAY_NS, FIRST_NS) if times else FIRST_NS

    def _names(self, table: Measurement, wanted: Sequence[Field]) -> list[str]:
        """What is selected: what is wanted, a field that every row has, what the key needs, the tags."""
        further = [*table.key_extra, SHIFT] if table.key_extra else []
        return list(dict.fromkeys([*(field.name for field in wanted), table.always, *further, *TAGS]))


def _all_series(values: Values, table: Measurement, site: str) -> Statement:
    return values.statement(f"SHOW SERIES FROM {identifier(table.name)}", ' WHERE "site" = ', Value(site))


class _Found(NamedTuple):
    """Rows as the server gave them: all columns, its time, and the time that was written."""

    columns: Mapping[str, Sequence[Any]]
    time_ns: npt.NDArray[np.int64]
    ts_ns: npt.NDArray[np.int64]


def _gather(table: Measurement, answer: Sequence[Series]) -> _Found:
    """The rows of all series of an answer, one after the other."""
    columns: dict[str, list[Any]] = {}
    for series in answer:
        n = len(series.columns["time"])
        for name, column in {
            **{tag: [value] * n for tag, value in series.tags.items()},
            **series.columns,
        }.items():
            columns.setdefault(name, []).extend(column)
    for tag in TAGS:
        columns[tag] = [value or "" for value in columns.get(tag, ())]
    time_ns = np.array(columns.get("time", ()), dtype=np.int64)
    if not table.key_extra:
        return _Found(columns, time_ns, time_ns)
    shift = np.array([value or 0 for value in columns.get(SHIFT, ())], dtype=np.int64)
    return _Found(columns, time_ns, time_ns - shift)


def _table(table: Measurement, found: _Found, chosen: npt.NDArray[np.intp], wanted: Sequence[Field]) -> Table:
    """The chosen rows in the order of time, then of their series and of what else their key has."""
    if len(chosen) > 1 and not np.all(np.diff(found.ts_ns[chosen]) > 0):
        ranks = [_ranks(found.columns[name], chosen) for name in (*TAGS, *table.key_extra)]
        chosen = chosen[np.lexsort((*reversed(ranks), found.ts_ns[chosen]))]
    rows = chosen.tolist()
    machine, point, channel = (tuple(found.columns[tag][row] for row in rows) for tag in TAGS)
    columns = {field.name: _column(found.columns.get(field.name, ()), rows, field) for field in wanted}
    return Table(found.ts_ns[chosen], machine, point, channel, columns)


def _ranks(column: Sequence[Any], chosen: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """The place of each value among the different ones: numbers to sort by, whatever they are."""
    values = [column[row] for row in chosen.tolist()]
    rank = {value: i for i, value in enumerate(sorted(set(values) - {None}))}
    return np.array([rank.get(value, -1) for value in values], dtype=np.intp)


def _column(
    column: Sequence[Any], rows: Sequence[int], field: Field
) -> npt.NDArray[np.float64] | tuple[str | None, ...]:
    """What a stranger wrote in another type is not known."""
    values = [column[row] for row in rows]
    if field.type == "text":
        return tuple(value if value and isinstance(value, str) else None for value in values)
    if not set(map(type, values)) <= _NUMBERS:
        values = [value if type(value) in _NUMBERS else None for value in values]
    numbers = np.array(values, dtype=np.float64)
    # What was written with float32's digits is that float32, not the decimal that stands for it.
    return numbers.astype(np.float32).astype(np.float64) if field.single else numbers


def _last(table: Table, n: int) -> Table:
    """The last n rows."""
    if len(table) <= n:
        return table
    columns = {name: column[-n:] for name, column in table.columns.items()}
    return Table(table.ts_ns[-n:], table.machine[-n:], table.point[-n:], table.channel[-n:], columns)
