"""A month of a plant's features read as arrays, beside what somebody would write who has only the store.

A block of each channel every ten minutes. In SQLite rows are whole, for a row is read as it lies there; in
InfluxDB only what is asked for is written, for what a query reads there depends on its own fields.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from models.features.catalogue import NAMES
from palier import historian
from palier.historian.base import Rows
from palier.historian.history import History
from palier.historian.influx import HOURLY
from palier.historian.schema import KEY, measurement
from palier.historian.sqlite import SqliteHistorian

from .historian_report import Load, Rate
from .historian_rows import SECOND_NS, SITE, machine
from .historian_year_rows import BLOCK_NS, CHANNELS, DAY_NS, POINTS, frames, rows_of, scatter
from .influxd import Influxd
from .rounds import Case, measure

FEW: Final = ("velocity_rms_mm_s", "acceleration_rms_m_s2", "kurtosis", "crest_factor", "speed_rpm")
END_NS: Final = 1_750_000_000 * SECOND_NS
DATABASE: Final = "month"


class Stretch(NamedTuple):
    """How much is made: machines and days."""

    machines: int
    days: int

    @property
    def rows(self) -> int:
        """Rows of `feature`."""
        return self.machines * self.days * len(POINTS) * len(CHANNELS) * (DAY_NS // BLOCK_NS)

    @property
    def told(self) -> str:
        """What was made, for people."""
        return f"{self.days} days of {self.machines} machines"


MONTH: Final = Stretch(50, 30)
SOME: Final = Stretch(2, 2)


def sqlite_rates(folder: Path, stretch: Stretch, rounds: int) -> tuple[Load, list[Rate]]:
    """How it was made, and the rates of reading FEW columns as one table, and all of them in pieces."""
    file = folder / "month.sqlite"
    load = _fill_sqlite(file, stretch)
    every = measurement("feature").names
    with historian.open(file) as history, closing(sqlite3.connect(file)) as bare:
        few = _measured(
            Case(lambda: _bare_rows(bare, FEW), stretch.rows),
            Case(lambda: _read(history, stretch), stretch.rows),
            rounds,
        )
        whole = _measured(
            Case(lambda: _bare_rows(bare, every), stretch.rows),
            Case(lambda: _read_all(history, stretch), stretch.rows),
            rounds,
        )
    file.unlink()
    name = f"{stretch.told} out of SQLite"
    return load, [
        Rate("month_sqlite", f"{name}, {len(FEW)} columns", stretch.rows, few[0], "bare fetchall", *few[1:]),
        Rate(
            "month_all", f"{name}, {len(every)} columns", stretch.rows, whole[0], "bare fetchall", *whole[1:]
        ),
    ]


def influx_rates(server: Influxd, stretch: Stretch, rounds: int) -> tuple[Load, list[Rate]]:
    """How it was made, and the rate of reading FEW columns as one table."""
    load = _fill_influx(server, stretch)
    with historian.open(server.url, database=DATABASE) as history:
        few = _measured(
            Case(lambda: _bare_answers(server, stretch), stretch.rows),
            Case(lambda: _read(history, stretch), stretch.rows),
            rounds,
        )
    what = f"{stretch.told} out of InfluxDB, {len(FEW)} columns"
    return load, [Rate("month_influx", what, stretch.rows, few[0], "bare POST, json", *few[1:])]


def _measured(reference: Case, own: Case, rounds: int) -> tuple[float, float, float, float, float]:
    """µs a row of ours and of the reference, and how many times as fast, with its quartiles."""
    us_beside, timed = measure(reference, {"own": own}, rounds)
    timing = timed["own"]
    low, high = timing.quartiles
    return timing.us_per_window, us_beside, 1 / timing.times, 1 / high, 1 / low


def _read(history: History, stretch: Stretch) -> None:
    _check(len(history.features(columns=FEW)), stretch)


def _read_all(history: History, stretch: Stretch) -> None:
    _check(sum(map(len, history.chunks("feature"))), stretch)


def _check(rows: int, stretch: Stretch) -> None:
    if rows != stretch.rows:
        raise RuntimeError(f"{rows} rows were read, expected {stretch.rows}")


def _bare_rows(connection: sqlite3.Connection, columns: tuple[str, ...]) -> None:
    """Machine by machine fetched and turned into arrays."""
    wanted = ", ".join(("point", "channel", "ts", *columns))
    for (name,) in connection.execute("SELECT DISTINCT machine FROM feature").fetchall():
        found = connection.execute(
            f"SELECT {wanted} FROM feature WHERE site=? AND machine=? ORDER BY ts",  # noqa: S608 - our names
            (SITE, name),
        ).fetchall()
        for column in zip(*found, strict=True):
            np.array(column, dtype=object if isinstance(column[0], str) else np.float64)


def _bare_answers(server: Influxd, stretch: Stretch) -> None:
    """Machine by machine asked for in one statement, read by json and turned into arrays."""
    fields = ", ".join(f'"{name}"' for name in (*FEW, "machine", "point", "channel"))
    form = {"epoch": "ns"}
    for i in range(stretch.machines):
        statement = f'SELECT {fields} FROM "feature" WHERE "machine" = \'{machine(i)}\''  # noqa: S608 - our names
        answer = json.loads(server.query(DATABASE, statement, form))
        for column in zip(*answer["results"][0]["series"][0]["values"], strict=True):
            np.array(column, dtype=object if isinstance(column[0], str) else np.float64)


def _places(name: str) -> list[tuple[str, str, str]]:
    return [(name, point, channel) for point in POINTS for channel in CHANNELS]


def _days(stretch: Stretch, names: tuple[str, ...], of: str) -> Iterator[Rows]:
    random = np.random.default_rng(0)
    for day in range(stretch.days):
        times = END_NS - (stretch.days - day) * DAY_NS + np.arange(0, DAY_NS, BLOCK_NS)
        n = len(POINTS) * len(CHANNELS) * len(times)
        columns = {name: scatter(random, n) for name in names}
        texts = {"zone": ["A"] * n, "frame": frames(len(POINTS) * len(CHANNELS), times)}
        yield rows_of("feature", _places(of), times, {**columns, **texts})


def _fill_sqlite(file: Path, stretch: Stretch) -> Load:
    """One machine written by the historian, the others copied by SQLite: how fast rows come in is measured
    elsewhere."""
    started = time.perf_counter()
    with closing(SqliteHistorian(file)) as store:
        for rows in _days(stretch, (*NAMES, "speed_rpm", "load_percent"), machine(0)):
            store.write([rows])
    columns = [name for name in (*KEY, *measurement("feature").names) if name != "machine"]
    listed = ", ".join(columns)
    copied = (
        f"INSERT INTO feature (machine, {listed}) "  # noqa: S608 - our names
        f"SELECT ?, {listed} FROM feature WHERE site=? AND machine=?"
    )
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        for i in range(1, stretch.machines):
            connection.execute(copied, (machine(i), SITE, machine(0)))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Load("SQLite", stretch.rows, time.perf_counter() - started, file.stat().st_size)


def _fill_influx(server: Influxd, stretch: Stretch) -> Load:
    started = time.perf_counter()
    server.make(f"{DATABASE}{HOURLY}").close()
    with closing(server.make(DATABASE)) as store:
        for i in range(stretch.machines):
            for rows in _days(stretch, FEW, machine(i)):
                store.write([rows])
    server.settle()
    return Load("InfluxDB", stretch.rows, time.perf_counter() - started, server.size())
