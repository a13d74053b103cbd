"""How the SQLite historian lets go of rows: which have outlived their time, or stand over the budget, and
their deletion in bounded steps."""

from __future__ import annotations

import sqlite3
from typing import Final

from .database import clamp, used_bytes
from .rows import HOUR_NS
from .schema import LONG_RUN_DAYS, MEASUREMENTS, RAW_DAYS
from .sqlite_series import ONE_SERIES, newest_rows, series_of, sites_of

DAY_NS: Final = 86_400 * 10**9

Outlived = tuple[str, tuple[str, str, str, str], int]
"""(measurement, (site, machine, point, channel), the time before which rows go)."""


def find_outlived(connection: sqlite3.Connection, now_ns: int) -> list[Outlived]:
    """The series that have rows older than they are kept, by a time that host and gateways agree on."""
    newest = [
        int(str(row[3]))
        for name in ("feature", "reading")
        for site in sites_of(connection, name)
        for row in newest_rows(connection, name, "", site)
    ]
    if not newest:
        return []
    now_ns = min(now_ns, max(newest) + DAY_NS)
    found: list[Outlived] = []
    for table in MEASUREMENTS.values():
        kept_ns = (LONG_RUN_DAYS if table.long_run else RAW_DAYS) * DAY_NS
        before_ns = clamp((now_ns - kept_ns) // HOUR_NS * HOUR_NS)  # an hour is there, or it is not
        old = f"SELECT 1 FROM {table.name} WHERE {ONE_SERIES} AND ts<? LIMIT 1"  # noqa: S608
        found += [
            (table.name, (site, *series), before_ns)
            for site in sites_of(connection, table.name)
            for series in series_of(connection, table.name, site, (None, None, None))
            if connection.execute(old, (site, *series, before_ns)).fetchone()
        ]
    return found


def delete(connection: sqlite3.Connection, outlived: Outlived, n: int) -> tuple[int, bool]:
    """(rows deleted, whether more may go): the n oldest of a series, and what has the last one's time."""
    name, series, before_ns = outlived
    nth = connection.execute(
        f"SELECT ts FROM {name} WHERE {ONE_SERIES} AND ts<? ORDER BY ts LIMIT 1 OFFSET ?",  # noqa: S608
        (*series, before_ns, n - 1),
    ).fetchone()
    last_ns = before_ns - 1 if nth is None else nth[0]
    gone = connection.execute(f"DELETE FROM {name} WHERE {ONE_SERIES} AND ts<=?", (*series, last_ns))  # noqa: S608
    return gone.rowcount, nth is not None


SHOWN: Final = ("spectrum", "envelope")
"""Lines for display: a full spectrum is computed from the waveform, where that is kept."""

RAW: Final = ("feature", "reading", "score", "health")
"""Rows of each block. What the long run needs of them stands in the hourly rows."""

LEFT_DAYS: Final = 7
"""A week of them stays whatever the budget says: what a baseline and a diagnosis of today look back on."""

TARGET: Final = 0.95
"""Rows go down to this part of the budget, so that it is done seldom."""


class Budget:
    """Holds the file's used pages to a number of bytes, day by day: `SHOWN` goes first, the oldest day of it,
    then the oldest of `RAW`. Events, states, diagnoses, ledgers and hourly rows stay.

    What is freed the next rows take: the file itself keeps its greatest size.
    """

    def __init__(self) -> None:
        self._outlived: list[Outlived] = []
        self._presses = False

    def step(self, connection: sqlite3.Connection, budget_bytes: int, n: int) -> int:
        """Delete up to so many rows of what is to go; how many went. 0: it is within the budget, or nothing
        more may go.
        """
        used = used_bytes(connection)
        self._presses = used > budget_bytes * (TARGET if self._presses else 1)
        if not self._presses:
            self._outlived.clear()
            return 0
        if not self._outlived:
            self._outlived = _oldest_day(connection, SHOWN) or _oldest_day(connection, RAW)
        gone = 0
        while self._outlived and gone < n:
            deleted, more = delete(connection, self._outlived[-1], n - gone)
            gone += deleted
            if not more:
                self._outlived.pop()
        return gone


def _oldest_day(connection: sqlite3.Connection, tables: tuple[str, ...]) -> list[Outlived]:
    """The rows of the oldest day that these tables hold; none where only the last week is left."""
    firsts: list[tuple[int, str, tuple[str, str, str, str]]] = []
    newest_ns = 0
    for name in tables:
        for site in sites_of(connection, name):
            for series in series_of(connection, name, site, (None, None, None)):
                where = f"FROM {name} WHERE {ONE_SERIES}"
                first, last = connection.execute(
                    f"SELECT (SELECT min(ts) {where}), (SELECT max(ts) {where})",
                    (site, *series, site, *series),
                ).fetchone()
                firsts.append((first, name, (site, *series)))
                newest_ns = max(newest_ns, last)
    end_ns = (min((first for first, *_ in firsts), default=0) // DAY_NS + 1) * DAY_NS
    if not firsts or end_ns > newest_ns - LEFT_DAYS * DAY_NS:
        return []
    return [(name, series, end_ns) for first, name, series in firsts if first < end_ns]
