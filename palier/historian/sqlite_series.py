"""Walking through the tables of the SQLite historian: one step in the index for each series, never a scan."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

_BEFORE_ALL: Final = -(2**63)
_AFTER_ALL: Final = 2**63 - 1
"""With these times one step in the index passes a whole series; else SQLite would walk through its rows."""
ONE_SERIES: Final = "site=? AND machine=? AND point=? AND channel=?"

Series = tuple[str, str, str]
"""(machine, point, channel)."""
Wanted = tuple[str | None, str | None, str | None]
"""The same, None for any."""


def series_of(connection: sqlite3.Connection, table: str, site: str, wanted: Wanted) -> Iterator[Series]:
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


def newest_rows(
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


def sites_of(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    """The sites that have a row in this table."""
    last = ""
    sql = f"SELECT site FROM {table} WHERE site > ? ORDER BY site LIMIT 1"  # noqa: S608
    while (found := connection.execute(sql, (last,)).fetchone()) is not None:
        last = found[0]
        yield last
