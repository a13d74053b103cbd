"""How the SQLite historian lets go of old rows: in bounded steps, each series by its measurement's time, and
never by a clock alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from palier.historian import sqlite
from palier.historian.base import Rows, Unavailable
from palier.historian.rows import HOUR_NS
from palier.historian.schema import LONG_RUN_DAYS, MEASUREMENTS, RAW_DAYS
from palier.historian.sqlite import SqliteHistorian
from tests.support.stores import SECOND, SITE, Columns, readings, rows

DAY = 24 * HOUR_NS
NOW = 1_800_000_000 * SECOND // HOUR_NS * HOUR_NS + HOUR_NS // 2


@pytest.fixture
def historian(tmp_path: Path) -> Iterator[SqliteHistorian]:
    store = SqliteHistorian(tmp_path / "historian.sqlite")
    yield store
    store.close()


def expire(historian: SqliteHistorian, now_ns: int = NOW) -> int:
    """All that is to go; how many rows that were."""
    total = 0
    while gone := historian.expire(now_ns):
        total += gone
    return total


def ages(historian: SqliteHistorian, measurement: str = "reading", **where: str) -> list[int]:
    """Ages of the rows, in whole days."""
    times = historian.read(measurement, [], site=SITE, **where).ts_ns  # type: ignore[arg-type]
    return [(NOW - ts) // DAY for ts in times.tolist()]


def aged(days: Sequence[float], machine: str = "pompe-1") -> Rows:
    times = sorted(NOW - round(d * DAY) for d in days)
    return readings(times, [1.0] * len(times), machine=machine)


def test_raw_rows_go_after_a_season_and_hours_after_years(historian: SqliteHistorian) -> None:
    hours: Columns = {"value_mean": np.ones(3), "blocks": np.full(3, 60)}
    times = [NOW - days * DAY for days in (LONG_RUN_DAYS + 1, LONG_RUN_DAYS - 1, RAW_DAYS + 1)]
    historian.write([aged([0, RAW_DAYS - 1, RAW_DAYS + 1, 4000]), rows("reading_hourly", times, hours)])
    assert expire(historian) == 3
    assert ages(historian) == [RAW_DAYS - 1, 0]
    assert ages(historian, "reading_hourly") == [LONG_RUN_DAYS - 1, RAW_DAYS + 1]
    assert expire(historian) == 0


def test_every_measurement_lets_go(historian: SqliteHistorian) -> None:
    old = NOW - 6 * 365 * DAY
    for table in MEASUREMENTS.values():
        key: Columns = {
            name: ["x"] * 2 if table.field(name).type == "text" else np.arange(2) for name in table.key_extra
        }
        historian.write([rows(table.name, [old, old + 1], key)])
    historian.write([aged([0])])
    assert expire(historian) == 2 * len(MEASUREMENTS)


def test_hours_go_whole(historian: SqliteHistorian) -> None:
    """Of an hour that is computed anew all rows are there, or none is."""
    edge = (NOW - RAW_DAYS * DAY) // HOUR_NS * HOUR_NS
    times = [edge - 1, edge, edge + HOUR_NS // 2, NOW]
    historian.write([readings(times, [1.0] * 4)])
    assert expire(historian) == 1
    assert historian.read("reading", [], site=SITE).ts_ns.tolist() == times[1:]


def test_a_step_is_bounded_and_takes_lines_of_one_moment_together(
    historian: SqliteHistorian, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "EXPIRED_AT_ONCE", 4)
    lines: Columns = {"line": np.arange(5), "amplitude": np.ones(5), "frame": ["a/b:e:1"] * 5}
    historian.write([rows("spectrum", [NOW - 100 * DAY] * 5, lines), aged([0])])
    historian.write([aged([100 + k for k in range(6)], "a"), aged([100 + k for k in range(3)], "b")])
    steps = []
    while gone := historian.expire(NOW):
        steps.append(gone)
        historian.write([aged([1])])  # a commit in between
    assert sum(steps) == 14
    assert max(steps) <= 5
    assert ages(historian) == [1, 0]


def test_a_clock_that_jumped_ahead_takes_nothing(historian: SqliteHistorian) -> None:
    historian.write([aged([0, 30, RAW_DAYS - 2])])
    assert expire(historian, NOW + 10 * 365 * DAY) == 0
    assert ages(historian) == [RAW_DAYS - 2, 30, 0]


def test_a_row_of_the_future_takes_nothing_while_the_clock_is_right(historian: SqliteHistorian) -> None:
    historian.write([aged([-3000, 0, RAW_DAYS - 2])])
    assert expire(historian) == 0


def test_rows_of_the_host_s_own_clock_are_no_witness(historian: SqliteHistorian) -> None:
    """Ledger lines and events are timed by the very clock that is in question."""
    ahead = NOW + 3000 * DAY
    lines: Columns = {"epoch": ["e"], "acquired": np.array([1])}
    historian.write([aged([0, 10]), rows("ledger", [ahead], lines, point="", channel="")])
    assert expire(historian, ahead) == 0
    assert ages(historian) == [10, 0]


def test_without_any_block_or_reading_nothing_goes(historian: SqliteHistorian) -> None:
    historian.write([rows("event", [1], {"event_id": ["e"]})])
    assert expire(historian) == 0
    assert len(historian.read("event", [], site=SITE)) == 1


def test_the_room_is_used_again(historian: SqliteHistorian, tmp_path: Path) -> None:
    def season(start_day: int) -> None:
        times = [NOW + start_day * DAY + k * 600 * SECOND for k in range(20_000)]
        historian.write([readings(times, [1.0] * len(times))])

    def pages() -> int:
        with closing(sqlite3.connect(tmp_path / "historian.sqlite")) as connection:
            return int(connection.execute("PRAGMA page_count").fetchone()[0])

    season(-400)
    season(0)
    before = pages()
    assert expire(historian, NOW + 139 * DAY) >= 20_000
    season(150)
    assert pages() <= before * 1.02


def test_a_reader_lets_go_of_nothing(historian: SqliteHistorian, tmp_path: Path) -> None:
    historian.write([aged([0, 100])])
    with (
        closing(SqliteHistorian(tmp_path / "historian.sqlite", read_only=True)) as reader,
        pytest.raises(Unavailable, match="readonly"),
    ):
        reader.expire(NOW)
