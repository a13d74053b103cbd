"""The embedded historian: one SQLite file, one table for each measurement.

Tables are WITHOUT ROWID in the order of their key, so that the rows of one channel lie side by side and the
newest row of a channel is one step from the end of them. Names in SQL come from `schema.py` alone; values
are always parameters.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from . import asking, sqlite_columns
from .base import Rejected, Rows, SchemaError, Table, WriteReport
from .checking import Checked, check
from .database import MEBIBYTE, WAL_LIMIT_BYTES, Database, FileKind, used_bytes
from .holding import FEATURES_MARK, REASON_CONFLICT, refusal
from .schema import KEY, MEASUREMENTS, Field, Measurement
from .sqlite_expiry import Budget, Outlived, delete, find_outlived
from .sqlite_series import ONE_SERIES, newest_rows, series_of, sites_of

SCHEMA_VERSION: Final = 1
"""Raised by hand when a key or the type of a column changes. A new column needs no new version."""

_SQL_TYPE: Final = {"float": "REAL", "int": "INTEGER", "text": "TEXT"}
_KEY_TYPE: Final = {"ts": "INTEGER"}
EXPIRED_AT_ONCE: Final = 1000
"""Rows deleted in one transaction: some milliseconds, which a commit that comes meanwhile may wait."""


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
        self._budget = Budget()
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
        where = f"FROM {table.name} WHERE {ONE_SERIES} AND ts>=? AND ts<=? ORDER BY {order} LIMIT ?"
        bounds = (*asking.bounds(start_ns, end_ns), newest or -1)
        parts = []
        with self._database.snapshot() as connection:
            have = self._have(connection, table.name)
            listed = [(field, field.name if field.name in have else "NULL") for field in wanted]
            for series in series_of(connection, table.name, site, (machine, point, channel)) if have else ():
                found = sqlite_columns.read(connection, where, (site, *series, *bounds), listed)
                parts.append((series, sqlite_columns.turned(found) if newest else found))
        answer = sqlite_columns.together(parts, wanted)
        return answer if newest is None else sqlite_columns.newest(answer, newest)

    def latest(self, measurement: str, fields: Sequence[str], *, site: str) -> Table:
        """See `Historian.latest`. Where the key has more (spectrum lines), all rows of the newest time."""
        table, wanted = asking.fields(measurement, fields)
        listed = self._listed(table, wanted)
        same_time = (
            f"SELECT machine, point, channel, ts{listed} FROM {table.name} "  # noqa: S608
            f"WHERE {ONE_SERIES} AND ts=? ORDER BY {', '.join(table.key_extra) or 1}"
        )
        rows: list[tuple[object, ...]] = []
        with self._database.snapshot() as connection:
            have = self._have(connection, table.name)
            for row in newest_rows(connection, table.name, listed, site) if have else ():
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
        with self._database.snapshot() as connection:
            parts = tuple(asked.parts()) if self._have(connection, table.name) else ()
        for part in parts:
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
                if self._have(connection, name):
                    found.update(sites_of(connection, name))
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
                self._outlived = find_outlived(connection, now_ns)
        gone = 0
        with self._database.transaction() as connection:
            while self._outlived and gone < EXPIRED_AT_ONCE:
                deleted, more = delete(connection, self._outlived[-1], EXPIRED_AT_ONCE - gone)
                gone += deleted
                if not more:
                    self._outlived.pop()
        return gone

    def make_room(self, budget_bytes: int) -> int:
        """Delete some of the rows that stand over a byte budget, as `expire` does; how many went."""
        with self._database.transaction() as connection:
            return self._budget.step(connection, budget_bytes, EXPIRED_AT_ONCE)

    def used_bytes(self) -> int:
        """Bytes of the file that hold something; the file itself never becomes smaller."""
        with self._database.snapshot() as connection:
            return used_bytes(connection)

    def close(self) -> None:
        """See `Historian.close`."""
        self._database.close()

    def _have(self, connection: sqlite3.Connection, name: str) -> Mapping[str, str]:
        """The columns of a table with their types; none where an older writer did not make the table yet."""
        if not self._columns[name]:
            self._columns[name] = _columns_of(connection, name)
        return self._columns[name]

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
    """Insert, or write again what the same frame wrote, or what gives way. All else is left as it is."""
    key = (*KEY, *table.key_extra)
    columns = (*KEY, *names)
    again = [f"{name}=excluded.{name}" for name in names if name not in key]
    ours = f" WHERE {table.name}.frame IS excluded.frame OR ({_gives_way(table.name)})"
    same_frame = ours if table.held_by_frame else ""
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
        conflicts = tuple(Rejected(i, reason) for i, reason in _held_by_others(connection, rows))
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


def _gives_way(table: str) -> str:
    """`holding.gives_way` of a row that is there and the one that comes."""
    marked = f"substr({{}}.frame, 1, {len(FEATURES_MARK)}) = '{FEATURES_MARK}'"
    return f"{marked.format(table)} AND NOT {marked.format('excluded')}"


def _held_by_others(connection: sqlite3.Connection, rows: Checked) -> Iterator[tuple[int, str]]:
    """Places of the rows whose key holds another frame than theirs, and why they were not taken."""
    table, columns = rows.measurement, dict(zip(rows.names, _bound(rows), strict=True))
    frames = columns.get("frame", (None,) * len(rows))
    keys = zip(*rows.key[:4], rows.key[4].tolist(), *(columns[name] for name in table.key_extra), strict=True)
    where = " AND ".join(f"{name}=?" for name in (*KEY, *table.key_extra))
    sql = f"SELECT frame FROM {table.name} WHERE {where}"  # noqa: S608
    for place, key, frame in zip(rows.index, keys, frames, strict=True):
        held = connection.execute(sql, key).fetchone()
        reason = REASON_CONFLICT if held is None else refusal(held[0], frame)
        if reason is not None:
            yield place, reason


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
