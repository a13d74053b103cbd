"""The embedded historian: one SQLite file, one table for each measurement.

Tables are WITHOUT ROWID in the order of their key, so that the rows of one channel lie side by side and the
newest row of a channel is one step from the end of them. Names in SQL come from `schema.py` alone; values
are always parameters.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from . import asking
from .base import Rejected, Rows, SchemaError, Table, WriteReport
from .checking import REASON_CONFLICT, Checked, check
from .database import MEBIBYTE, WAL_LIMIT_BYTES, Database, FileKind, clamp
from .rows import HOUR_NS
from .schema import KEY, LONG_RUN_DAYS, MEASUREMENTS, RAW_DAYS, Field, Measurement

SCHEMA_VERSION: Final = 1
"""Raised by hand when a key or the type of a column changes. A new column needs no new version."""

_SQL_TYPE: Final = {"float": "REAL", "int": "INTEGER", "text": "TEXT"}
_KEY_TYPE: Final = {"ts": "INTEGER"}
_BEFORE_ALL: Final = -(2**63)
_AFTER_ALL: Final = 2**63 - 1
"""With these times one step in the index passes a whole series; else SQLite would walk through its rows."""
_ONE_SERIES: Final = "site=? AND machine=? AND point=? AND channel=?"

EXPIRED_AT_ONCE: Final = 1000
"""Rows deleted in one transaction: some milliseconds, which a commit that comes meanwhile may wait."""

DAY_NS: Final = 86_400 * 10**9

Series = tuple[str, str, str]
"""(machine, point, channel)."""
Wanted = tuple[str | None, str | None, str | None]
"""The same, None for any."""
Outlived = tuple[str, tuple[str, str, str, str], int]
"""(measurement, (site, machine, point, channel), the time before which rows go)."""


class SqliteHistorian:
    """One process writes, any number read meanwhile without waiting.

    An instance may be used from any thread: it holds one connection, and its calls wait for each other.
    The writer (`read_only=False`) makes the file and brings an older one forward; a reader never makes or
    changes anything. Raises Unavailable (a reader: no file yet) or SchemaError.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._database = Database(path, HISTORIAN, read_only=read_only)
        with self._database.snapshot() as connection:
            self._columns = {name: _columns_of(connection, name) for name in MEASUREMENTS}
        self._outlived: list[Outlived] = []  # what is still to delete, found by the first of the steps

    def write(self, batch: Sequence[Rows]) -> list[WriteReport]:
        """See `Historian.write`: one transaction. What is not finite is kept as not known."""
        checked = [check(rows) for rows in batch]
        with self._database.transaction() as connection:
            return [_store(connection, rows) for rows in checked]

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
        order = ", ".join(f"{name} {'DESC' if newest else 'ASC'}" for name in ("ts", *table.key_extra))
        sql = (
            f"SELECT machine, point, channel, ts{self._listed(table, wanted)} FROM {table.name} "  # noqa: S608
            f"WHERE {_ONE_SERIES} AND ts>=? AND ts<=? ORDER BY {order} LIMIT ?"
        )
        bounds = asking.bounds(start_ns, end_ns)
        rows: list[tuple[object, ...]] = []
        with self._database.snapshot() as connection:
            for series in _series(connection, table.name, site, (machine, point, channel)):
                found = connection.execute(sql, (site, *series, *bounds, newest or -1)).fetchall()
                rows.extend(reversed(found) if newest else found)
        answer = _table(rows, wanted)
        return answer if newest is None or len(rows) <= newest else _table(_by_time(rows)[-newest:], wanted)

    def latest(self, measurement: str, fields: Sequence[str], *, site: str) -> Table:
        """See `Historian.latest`. Where the key has more (spectrum lines), all rows of the newest time."""
        table, wanted = asking.fields(measurement, fields)
        listed = self._listed(table, wanted)
        same_time = (
            f"SELECT machine, point, channel, ts{listed} FROM {table.name} "  # noqa: S608
            f"WHERE {_ONE_SERIES} AND ts=? ORDER BY {', '.join(table.key_extra) or 1}"
        )
        rows: list[tuple[object, ...]] = []
        with self._database.snapshot() as connection:
            for row in _newest_rows(connection, table.name, listed, site):
                rows.extend(connection.execute(same_time, (site, *row[:4])) if table.key_extra else [row])
        return _table(rows, wanted)

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
        """See `Historian.trend`: aggregated by SQLite, in buckets of equal whole nanoseconds."""
        table, wanted, asked = asking.trend(measurement, field, start_ns, end_ns, buckets)
        series = {"site": site, "machine": machine, "point": point, "channel": channel}
        column = self._listed(table, [wanted]).removeprefix(", ")
        rows: list[tuple[int, float, float, float]] = []
        for part in asked.parts():
            sql = _trend_sql(table.name, column, single=part.single)
            bounds = {"first": part.first_ns, "last": part.last_ns}
            width = {} if part.single else {"width": part.width_ns}
            rows += [
                (part.first_ns + place * part.width_ns, *values)
                for place, *values in self._database.query(sql, {**series, **bounds, **width})
            ]
        names = ("ts", "mean", "min", "max")
        columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
        starts = np.array(columns.pop("ts"), dtype=np.int64)
        n = len(rows)
        numbers = {name: _numbers(column) for name, column in columns.items()}
        return Table(starts, (machine,) * n, (point,) * n, (channel,) * n, numbers)

    def sites(self) -> tuple[str, ...]:
        """See `Historian.sites`."""
        found: set[str] = set()
        with self._database.snapshot() as connection:
            for name in MEASUREMENTS:
                found.update(_sites(connection, name))
        return tuple(sorted(found))

    def expire(self, now_ns: int) -> int:
        """See `Historian.expire`: at most EXPIRED_AT_ONCE rows in one transaction.

        A clock alone deletes nothing: rows go that are too old both by it and by the newest block or reading
        (which the gateways timed) and a day. A host whose clock jumps years ahead so keeps everything, and a
        plant that stands still keeps its last season. The file does not shrink: new rows take the room, and
        giving it back would mean to write the whole file anew while commits wait.
        """
        if not self._outlived:
            with self._database.snapshot() as connection:
                self._outlived = _find_outlived(connection, now_ns)
        gone = 0
        with self._database.transaction() as connection:
            while self._outlived and gone < EXPIRED_AT_ONCE:
                deleted, more = _delete(connection, self._outlived[-1], EXPIRED_AT_ONCE - gone)
                gone += deleted
                if not more:
                    self._outlived.pop()
        return gone

    def close(self) -> None:
        """See `Historian.close`."""
        self._database.close()

    def _listed(self, table: Measurement, fields: Sequence[Field]) -> str:
        """ ", a, b": what to select. A column that an older writer did not make yet is not known."""
        have = self._columns[table.name]
        return "".join(f", {field.name if field.name in have else 'NULL'}" for field in fields)


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    """Make what is missing: tables, and columns of features that this version adds."""
    for table in MEASUREMENTS.values():
        key = (*KEY, *table.key_extra)
        connection.execute(_create(table, key))
        present = _columns_of(connection, table.name)
        for field in table.fields:
            if field.name not in present:
                connection.execute(
                    f"ALTER TABLE {table.name} ADD COLUMN {field.name} {_SQL_TYPE[field.type]}"
                )
            elif present[field.name] != _SQL_TYPE[field.type]:
                raise SchemaError(
                    f"the column {table.name}.{field.name} must be {_SQL_TYPE[field.type]}, it is "
                    f"{present[field.name]}: this file is of another schema; move it away to begin a new one"
                )


def _create(table: Measurement, key: Sequence[str]) -> str:
    tags = [f"{name} {_KEY_TYPE.get(name, 'TEXT')} NOT NULL" for name in KEY]
    fields = [f"{field.name} {_SQL_TYPE[field.type]}" for field in table.fields]
    columns = ", ".join((*tags, *fields, f"PRIMARY KEY ({', '.join(key)})"))
    return f"CREATE TABLE IF NOT EXISTS {table.name} ({columns}) WITHOUT ROWID"


PAGE_BYTES: Final = 16_384
"""A row of more than a quarter of a page takes pages of its own: on 4096 bytes hourly rows (263 columns) took
4.7 kB each, and a trend over them twice as long; here they take 2.3 kB. Larger pages made writing slower."""

CACHE_BYTES: Final = 32 * MEBIBYTE
"""Each row goes into the last page of its channel: those of some thousand channels are kept at hand."""

HISTORIAN: Final = FileKind(
    "historian", 0x50414C48, SCHEMA_VERSION, _migrate, PAGE_BYTES, CACHE_BYTES, WAL_LIMIT_BYTES
)
"""Marked "PALH". A page takes some twenty rows of a channel and is written to the WAL with each commit that
brings one; moved into the file more seldom, it is written there less often. Cache and WAL of these sizes made
writing 1.3 times as fast (measured, 600 channels)."""


def _columns_of(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    return {row[1]: row[2] for row in connection.execute(f"PRAGMA table_info({table})")}


@lru_cache(maxsize=64)
def _upsert(table: Measurement, names: tuple[str, ...]) -> str:
    """Insert, or write again what the same frame wrote. A row of another frame is left as it is."""
    key = (*KEY, *table.key_extra)
    columns = (*KEY, *names)
    again = [f"{name}=excluded.{name}" for name in names if name not in key]
    same_frame = f" WHERE {table.name}.frame IS excluded.frame" if table.held_by_frame else ""
    return (
        f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) "  # noqa: S608
        f"ON CONFLICT ({', '.join(key)}) DO "
        + (f"UPDATE SET {', '.join(again)}{same_frame}" if again else "NOTHING")
    )


def _store(connection: sqlite3.Connection, rows: Checked) -> WriteReport:
    table = rows.measurement
    key = *rows.key[:4], rows.key[4].tolist()
    written = connection.executemany(_upsert(table, rows.names), zip(*key, *_bound(rows), strict=True))
    conflicts: tuple[Rejected, ...] = ()
    if table.held_by_frame and written.rowcount < len(rows):
        conflicts = tuple(Rejected(i, REASON_CONFLICT) for i in _held_by_others(connection, rows))
    rejected = tuple(sorted((*rows.rejected, *conflicts), key=lambda row: row.index))
    return WriteReport(len(rows) - len(conflicts), rejected)


def _bound(rows: Checked) -> Iterator[Sequence[object]]:
    """The columns as sqlite3 takes them: NaN is bound as NULL, a whole number as it is."""
    for name, column in zip(rows.names, rows.values, strict=True):
        if not isinstance(column, np.ndarray):
            yield column
        elif rows.measurement.field(name).type == "float":
            yield column.tolist()
        else:
            yield [int(number) if number == number else None for number in column.tolist()]  # noqa: PLR0124 - NaN


def _held_by_others(connection: sqlite3.Connection, rows: Checked) -> Iterator[int]:
    """Places of the rows whose key holds another frame than theirs."""
    table, columns = rows.measurement, dict(zip(rows.names, _bound(rows), strict=True))
    frames = columns.get("frame", (None,) * len(rows))
    keys = zip(*rows.key[:4], rows.key[4].tolist(), *(columns[name] for name in table.key_extra), strict=True)
    where = " AND ".join(f"{name}=?" for name in (*KEY, *table.key_extra))
    sql = f"SELECT frame FROM {table.name} WHERE {where}"  # noqa: S608
    for place, key, frame in zip(rows.index, keys, frames, strict=True):
        if connection.execute(sql, key).fetchone() != (frame,):
            yield place


def _series(connection: sqlite3.Connection, table: str, site: str, wanted: Wanted) -> Iterator[Series]:
    """The series of a site that fit, in order: one step in the index for each, never a scan of the rows."""
    machine, point, channel = wanted
    if machine is not None and point is not None and channel is not None:
        yield machine, point, channel
        return
    sql = (
        f"SELECT machine, point, channel FROM {table} "  # noqa: S608
        "WHERE site=? AND (machine, point, channel, ts) > (?, ?, ?, ?) "
        "ORDER BY machine, point, channel LIMIT 1"
    )
    found = connection.execute(sql, (site, machine or "", "", "", _BEFORE_ALL)).fetchone()
    while found is not None and machine in {None, found[0]}:
        if point in {None, found[1]} and channel in {None, found[2]}:
            yield found
        found = connection.execute(sql, (site, *found, _AFTER_ALL)).fetchone()


def _newest_rows(
    connection: sqlite3.Connection, table: str, listed: str, site: str
) -> list[tuple[object, ...]]:
    """The newest row of each series: from the end of the index, each step jumps over a whole series."""
    select = f"SELECT machine, point, channel, ts{listed} FROM {table} WHERE site=?"  # noqa: S608
    order = "ORDER BY machine DESC, point DESC, channel DESC, ts DESC LIMIT 1"
    rows: list[tuple[object, ...]] = []
    row = connection.execute(f"{select} {order}", (site,)).fetchone()
    before = f"{select} AND (machine, point, channel, ts) < (?, ?, ?, ?) {order}"
    while row is not None:
        rows.append(row)
        row = connection.execute(before, (site, *row[:3], _BEFORE_ALL)).fetchone()
    return rows[::-1]


def _sites(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    last = ""
    sql = f"SELECT site FROM {table} WHERE site > ? ORDER BY site LIMIT 1"  # noqa: S608
    while (found := connection.execute(sql, (last,)).fetchone()) is not None:
        last = found[0]
        yield last


def _find_outlived(connection: sqlite3.Connection, now_ns: int) -> list[Outlived]:
    """The series that have rows older than they are kept, by a time that host and gateways agree on."""
    newest = [
        int(str(row[3]))
        for name in ("feature", "reading")
        for site in _sites(connection, name)
        for row in _newest_rows(connection, name, "", site)
    ]
    if not newest:
        return []
    now_ns = min(now_ns, max(newest) + DAY_NS)
    found: list[Outlived] = []
    for table in MEASUREMENTS.values():
        kept_ns = (LONG_RUN_DAYS if table.long_run else RAW_DAYS) * DAY_NS
        before_ns = clamp((now_ns - kept_ns) // HOUR_NS * HOUR_NS)  # an hour is there, or it is not
        old = f"SELECT 1 FROM {table.name} WHERE {_ONE_SERIES} AND ts<? LIMIT 1"  # noqa: S608
        found += [
            (table.name, (site, *series), before_ns)
            for site in _sites(connection, table.name)
            for series in _series(connection, table.name, site, (None, None, None))
            if connection.execute(old, (site, *series, before_ns)).fetchone()
        ]
    return found


def _delete(connection: sqlite3.Connection, outlived: Outlived, n: int) -> tuple[int, bool]:
    """(rows deleted, whether more may go): the n oldest of a series, and what has the last one's time."""
    name, series, before_ns = outlived
    nth = connection.execute(
        f"SELECT ts FROM {name} WHERE {_ONE_SERIES} AND ts<? ORDER BY ts LIMIT 1 OFFSET ?",  # noqa: S608
        (*series, before_ns, n - 1),
    ).fetchone()
    last_ns = before_ns - 1 if nth is None else nth[0]
    gone = connection.execute(f"DELETE FROM {name} WHERE {_ONE_SERIES} AND ts<=?", (*series, last_ns))  # noqa: S608
    return gone.rowcount, nth is not None


def _trend_sql(table: str, column: str, *, single: bool) -> str:
    """Place, mean, least and greatest of each bucket that is not empty; all in one where it is `single`."""
    place = "0" if single else "(ts - :first) / :width"
    return (
        f"SELECT {place}, avg({column}), min({column}), max({column}) FROM {table} "  # noqa: S608
        "WHERE site=:site AND machine=:machine AND point=:point AND channel=:channel "
        f"AND ts>=:first AND ts<=:last AND {column} IS NOT NULL GROUP BY 1 ORDER BY 1"
    )


def _by_time(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return sorted(rows, key=lambda row: int(row[3]))  # type: ignore[call-overload]


def _table(rows: list[tuple[object, ...]], fields: Sequence[Field]) -> Table:
    rows = _by_time(rows)
    machine, point, channel, ts, *columns = zip(*rows, strict=True) if rows else ((),) * (4 + len(fields))
    return Table(
        np.array(ts, dtype=np.int64),
        machine,
        point,
        channel,
        {
            field.name: column if field.type == "text" else _numbers(column)
            for field, column in zip(fields, columns, strict=True)
        },
    )


def _numbers(column: Sequence[object]) -> npt.NDArray[np.float64]:
    """float64, NaN where nothing is known."""
    return np.array(column, dtype=np.float64)
