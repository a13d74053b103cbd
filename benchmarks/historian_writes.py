"""Writing feature rows: each historian beside the same rows written barely into a store like its own."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

from palier.historian.base import Historian
from palier.historian.checking import check
from palier.historian.database import prepare_writer
from palier.historian.line_protocol import encode
from palier.historian.schema import KEY
from palier.historian.sqlite import HISTORIAN, SqliteHistorian

from .historian_lines import as_rows
from .historian_report import Rate
from .historian_rows import SECOND_NS, feature_rows, shifted
from .influxd import Influxd
from .rounds import Case, Job, Timing, measure

BATCHES: Final = (100, 500, 1000)
INFLUX_BATCHES: Final = (1000, 5000)


def sqlite_rates(folder: Path, rounds: int) -> Iterator[Rate]:
    """A commit of each size, durable as the historian's are; the bare one into a file with the same table."""
    for n in BATCHES:
        with closing(SqliteHistorian(folder / f"own-{n}.sqlite")) as own, ExitStack() as open_files:
            bare = [_bare(folder / f"bare-{n}-{k}.sqlite", open_files) for k in range(2)]
            us_beside, timed = measure(
                Case(_bare_inserts(bare, n, rounds), n), {"own": Case(_writes(own, n), n)}, rounds
            )
        yield _rate("SQLite", n, "bare executemany", us_beside, timed["own"])


def _bare(file: Path, open_files: ExitStack) -> sqlite3.Connection:
    """A file with the historian's tables and settings, closed with the others."""
    SqliteHistorian(file).close()
    connection = open_files.enter_context(closing(sqlite3.connect(file, isolation_level=None)))
    prepare_writer(connection, HISTORIAN)
    return connection


def influx_rates(server: Influxd, rounds: int) -> Iterator[Rate]:
    """Requests of each size; the bare ones are of lines made before, into databases beside."""
    for n in INFLUX_BATCHES:
        for k in range(2):
            server.make(f"bare-{n}-{k}").close()
        with closing(server.make(f"own-{n}")) as own:
            case = Case(_writes(own, n), n)
            us_beside, timed = measure(Case(_bare_posts(server, n, rounds), n), {"own": case}, rounds)
        yield _rate("InfluxDB", n, "bare POST", us_beside, timed["own"])


def _rate(store: str, n: int, beside: str, us_beside: float, timing: Timing) -> Rate:
    low, high = timing.quartiles
    key, what = f"{store.lower()}_{n}", f"feature rows into {store}"
    return Rate(key, what, n, timing.us_per_window, beside, us_beside, 1 / timing.times, 1 / high, 1 / low)


def _writes(historian: Historian, n: int) -> Job:
    """Each call writes rows of later times, as live ones are."""
    rows = feature_rows(n)
    turns = itertools.count()

    def run() -> None:
        (report,) = historian.write([shifted(rows, next(turns) * n * SECOND_NS)])
        if report.accepted != n:
            raise RuntimeError(f"{report.accepted} of {n} rows were taken: {report.rejected[:3]}")

    return run


def _bare_inserts(connections: Sequence[sqlite3.Connection], n: int, rounds: int) -> Job:
    """One executemany a transaction, of tuples made before.

    The reference runs twice as often as what it is compared with: two files in turns grow as fast as one.
    """
    turns = itertools.cycle(connections)
    rows = feature_rows(n)
    columns = (*KEY, *rows.fields)
    sql = f"INSERT INTO feature ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
    names = tuple(rows.fields)
    values = [(*row.tags.values(), row.ts_ns, *map(row.fields.get, names)) for row in as_rows(rows)]
    made = iter([_later(values, turn * n * SECOND_NS) for turn in range(_calls(rounds))])

    def run() -> None:
        connection = next(turns)
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(sql, next(made))
        connection.execute("COMMIT")

    return run


def _later(values: list[tuple[Any, ...]], by_ns: int) -> list[tuple[Any, ...]]:
    """The same rows at another time; the time is the fifth of their columns."""
    return [(*row[:4], row[4] + by_ns, *row[5:]) for row in values]


def _bare_posts(server: Influxd, n: int, rounds: int) -> Job:
    rows = feature_rows(n)
    bodies = iter(
        [b"\n".join(encode(check(shifted(rows, turn * n * SECOND_NS)))) for turn in range(_calls(rounds))]
    )
    turns = itertools.cycle((f"bare-{n}-0", f"bare-{n}-1"))
    return lambda: server.write(next(turns), next(bodies))


def _calls(rounds: int) -> int:
    """How often `measure` runs the reference of one case."""
    return 1 + 2 * rounds
