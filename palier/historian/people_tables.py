"""The tables between machines and people: alarms, commands, interventions, verdicts, baselines, messages.

Each function works inside a transaction that `records.py` began.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import asdict
from typing import Final

from .rows import AlarmRow, BaselineRow, CommandRow, InterventionRow, NoticeRow, RecordsBatch, VerdictRow

MAX_COMMANDS: Final = 10_000
"""Answers kept so that a command sent again is not done again: months of a plant's own, and a bound."""

MAX_NOTICES: Final = 1_000
"""Messages that wait for a mail server: nobody reads more when it is back. The oldest give way."""

TABLES: Final = (
    """CREATE TABLE alarm (
        site TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (site, id)) WITHOUT ROWID""",
    """CREATE TABLE command (
        n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, site TEXT NOT NULL,
        at_ns INTEGER NOT NULL, digest TEXT NOT NULL, reply TEXT NOT NULL)""",
    """CREATE TABLE intervention (
        id TEXT NOT NULL PRIMARY KEY, site TEXT NOT NULL, machine TEXT NOT NULL, point TEXT NOT NULL,
        kind TEXT NOT NULL, at_ns INTEGER NOT NULL, recorded_ns INTEGER NOT NULL, user TEXT NOT NULL,
        text TEXT NOT NULL, cause TEXT NOT NULL) WITHOUT ROWID""",
    "CREATE INDEX intervention_by_machine ON intervention (site, machine, at_ns)",
    """CREATE TABLE verdict (
        id TEXT NOT NULL PRIMARY KEY, site TEXT NOT NULL, alarm TEXT NOT NULL, raised_ns INTEGER NOT NULL,
        fault TEXT NOT NULL, verdict TEXT NOT NULL, found TEXT NOT NULL, cause TEXT NOT NULL,
        text TEXT NOT NULL, user TEXT NOT NULL, ts_ns INTEGER NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE baseline (
        site TEXT NOT NULL, machine TEXT NOT NULL, version INTEGER NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (site, machine, version)) WITHOUT ROWID""",
    """CREATE TABLE notice (
        n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, value TEXT NOT NULL)""",
)


def write(connection: sqlite3.Connection, batch: RecordsBatch) -> None:
    """What of a batch is between machines and people. The same again changes nothing."""
    _write_alarms(connection, batch.alarms)
    _write_baselines(connection, batch.baselines)
    _add(connection, "intervention", batch.interventions)
    _add(connection, "verdict", batch.verdicts)
    _write_commands(connection, batch.commands)
    _write_notices(connection, batch.notices)


def _write_alarms(connection: sqlite3.Connection, rows: Iterable[AlarmRow]) -> None:
    connection.executemany(
        "INSERT INTO alarm VALUES (?, ?, ?) ON CONFLICT (site, id) DO UPDATE SET value=excluded.value",
        [(row.site, row.id, row.value) for row in rows],
    )


def _write_baselines(connection: sqlite3.Connection, rows: Iterable[BaselineRow]) -> None:
    connection.executemany(
        "INSERT INTO baseline VALUES (?, ?, ?, ?) "
        "ON CONFLICT (site, machine, version) DO UPDATE SET value=excluded.value",
        [(row.site, row.machine, row.version, row.value) for row in rows],
    )


def _add(
    connection: sqlite3.Connection, table: str, rows: Iterable[InterventionRow] | Iterable[VerdictRow]
) -> None:
    """Rows by their names; one whose id is there already was told before."""
    for row in rows:
        fields = asdict(row)
        columns, places = ", ".join(fields), ", ".join(f":{name}" for name in fields)
        connection.execute(
            f"INSERT INTO {table} ({columns}) VALUES ({places}) ON CONFLICT (id) DO NOTHING",  # noqa: S608 - our names
            fields,
        )


def _write_commands(connection: sqlite3.Connection, rows: tuple[CommandRow, ...]) -> None:
    if not rows:
        return
    connection.executemany(
        "INSERT INTO command (id, site, at_ns, digest, reply) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO NOTHING",
        [(row.id, row.site, row.at_ns, row.digest, row.reply) for row in rows],
    )
    connection.execute("DELETE FROM command WHERE n <= (SELECT max(n) FROM command) - ?", (MAX_COMMANDS,))


def _write_notices(connection: sqlite3.Connection, rows: tuple[NoticeRow, ...]) -> None:
    if not rows:
        return
    connection.executemany("DELETE FROM notice WHERE id=?", [(r.id,) for r in rows if r.value is None])
    connection.executemany(
        "INSERT INTO notice (id, value) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET value=excluded.value",
        [(row.id, row.value) for row in rows if row.value is not None],
    )
    connection.execute(
        "DELETE FROM notice WHERE n <= coalesce((SELECT n FROM notice ORDER BY n DESC LIMIT 1 OFFSET ?), 0)",
        (MAX_NOTICES,),
    )
