"""What is particular to the SQLite files: versions, processes, errors, and how queries find their rows."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from palier.historian import schema, sqlite
from palier.historian.base import HistorianError, SchemaError, Unavailable
from palier.historian.database import RETRY, WAL_LIMIT_BYTES, dress
from palier.historian.schema import Field, measurement
from palier.historian.sqlite import CACHE_BYTES, PAGE_BYTES, SqliteHistorian
from tests.support.stores import SITE, readings, rows
from tests.support.waiting import eventually

PRIMARY_CODES = {
    name: code
    for name, code in vars(sqlite3).items()
    if name.startswith("SQLITE_") and isinstance(code, int) and type(code) is int
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "historian.sqlite"


def fill(path: Path) -> None:
    with closing(SqliteHistorian(path)) as historian:
        historian.write([readings([1, 2], [1.0, 2.0])])


def alter(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_reader_makes_no_file(path: Path) -> None:
    with pytest.raises(Unavailable, match="the ingest makes it"):
        SqliteHistorian(path, read_only=True)
    assert not path.exists()


def test_a_reader_of_a_file_not_filled_yet_is_told_to_wait(path: Path) -> None:
    path.touch()
    with pytest.raises(Unavailable, match="still empty"):
        SqliteHistorian(path, read_only=True)


def test_a_reader_can_not_write(path: Path) -> None:
    fill(path)
    with (
        closing(SqliteHistorian(path, read_only=True)) as reader,
        pytest.raises(Unavailable, match="readonly"),
    ):
        reader.write([readings([3], [3.0])])


def test_every_commit_is_on_disk_before_write_returns(path: Path) -> None:
    with closing(SqliteHistorian(path)) as historian, historian._database.snapshot() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


@pytest.mark.parametrize("name", ["with space", "é#?%"])
def test_any_path_is_taken_as_it_is(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    fill(folder / "historian.sqlite")
    assert (folder / "historian.sqlite").exists()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_file_is_refused(path: Path, read_only: bool) -> None:
    fill(path)
    alter(path, f"PRAGMA user_version={sqlite.SCHEMA_VERSION + 1}")
    with pytest.raises(SchemaError, match=f"it is of schema {sqlite.SCHEMA_VERSION + 1}"):
        SqliteHistorian(path, read_only=read_only)


@pytest.mark.parametrize("read_only", [False, True])
def test_another_sqlite_file_is_refused_and_left_alone(path: Path, read_only: bool) -> None:
    alter(path, "CREATE TABLE notes (text)", "PRAGMA user_version=1")
    with pytest.raises(SchemaError, match="another SQLite file"):
        SqliteHistorian(path, read_only=read_only)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("notes",)]


def test_what_is_no_database_at_all_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(SchemaError, match="not a database"):
        SqliteHistorian(path)


def test_a_new_feature_becomes_a_column_and_old_rows_do_not_know_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(path)
    table = schema.MEASUREMENTS["reading"]
    wider = replace(
        table, fields=(*table.fields, Field("torque", "N·m", "float", "a field of a later version"))
    )
    measurements = {**schema.MEASUREMENTS, "reading": wider}
    monkeypatch.setattr(schema, "MEASUREMENTS", measurements)
    monkeypatch.setattr(sqlite, "MEASUREMENTS", measurements)
    with closing(SqliteHistorian(path, read_only=True)) as reader:  # the writer was not started yet
        assert np.isnan(np.asarray(reader.read("reading", ["torque"], site=SITE).columns["torque"])).all()
    with closing(SqliteHistorian(path)) as historian:
        historian.write([rows("reading", [3], {"value": np.ones(1), "torque": np.ones(1)})])
        table_read = historian.read("reading", ["value", "torque"], site=SITE)
    np.testing.assert_array_equal(table_read.columns["value"], [1.0, 2.0, 1.0])
    np.testing.assert_array_equal(table_read.columns["torque"], [np.nan, np.nan, 1.0])


def test_a_file_with_columns_of_a_later_version_still_serves(path: Path) -> None:
    fill(path)
    alter(path, "ALTER TABLE reading ADD COLUMN torque REAL")
    with closing(SqliteHistorian(path)) as historian:
        assert historian.write([readings([3], [3.0])])[0].accepted == 1


def test_a_column_of_another_type_is_refused(path: Path) -> None:
    fill(path)
    alter(path, "ALTER TABLE reading DROP COLUMN unit", "ALTER TABLE reading ADD COLUMN unit REAL")
    with pytest.raises(SchemaError, match=r"reading.unit must be TEXT, it is REAL"):
        SqliteHistorian(path)


def test_every_sqlite_error_becomes_one_of_ours() -> None:
    for name, code in PRIMARY_CODES.items():
        error = sqlite3.OperationalError("told by SQLite")
        error.sqlite_errorcode = code
        dressed = dress(error, "historian", Path("h.sqlite"))
        assert isinstance(dressed, Unavailable if code & 0xFF in RETRY else SchemaError), name
        assert "h.sqlite" in str(dressed), name


@pytest.mark.parametrize(
    "name", ["SQLITE_BUSY", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY"]
)
def test_what_passes_by_itself_is_unavailable(name: str) -> None:
    assert PRIMARY_CODES[name] in RETRY


def test_an_error_without_a_code_is_not_retried() -> None:
    assert isinstance(dress(sqlite3.ProgrammingError("odd"), "historian", Path("h")), SchemaError)


def test_a_full_disk_is_unavailable_nothing_is_half_written_and_it_goes_on_after(path: Path) -> None:
    with closing(SqliteHistorian(path)) as historian:
        historian.write([readings([1], [1.0])])
        limit_pages(historian, to=1)  # not below the present size: not a page more
        many = [readings(range(2, 5000), np.arange(4998.0).tolist())]
        with pytest.raises(Unavailable, match="full"):
            historian.write(many)
        assert len(historian.read("reading", ["value"], site=SITE)) == 1
        limit_pages(historian, to=2**30)
        assert historian.write(many)[0].accepted == 4998


def limit_pages(historian: SqliteHistorian, to: int) -> None:
    historian._database.query(f"PRAGMA max_page_count={to}")


def test_a_locked_file_is_unavailable(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palier.historian.database.BUSY_TIMEOUT_S", 0.01)
    fill(path)
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as other,
        closing(SqliteHistorian(path)) as historian,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked"):
            historian.write([readings([3], [3.0])])
        other.execute("ROLLBACK")
        assert historian.write([readings([3], [3.0])])[0].accepted == 1


def test_after_close_all_is_unavailable(path: Path) -> None:
    historian = SqliteHistorian(path)
    historian.close()
    with pytest.raises(HistorianError, match="closed"):
        historian.sites()


def test_an_instance_serves_several_threads(path: Path) -> None:
    with closing(SqliteHistorian(path)) as historian:
        threads = [
            threading.Thread(target=historian.write, args=([readings([k], [1.0], machine=f"m{k}")],))
            for k in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(historian.latest("reading", ["value"], site=SITE)) == 8


def test_queries_step_through_the_index_and_never_scan(path: Path) -> None:
    seen: list[str] = []
    with closing(SqliteHistorian(path)) as historian:
        historian.write([readings([1, 2], [1.0, 2.0]), readings([1], [1.0], machine="b")])
        with historian._database.snapshot() as connection:
            connection.set_trace_callback(seen.append)
        historian.latest("reading", ["value"], site=SITE)
        historian.read("reading", ["value"], site=SITE, machine="b", newest=5)
        historian.sites()
        where = {"site": SITE, "machine": "b", "point": "palier-1", "channel": "x"}
        historian.trend("reading", "value", **where, start_ns=0, end_ns=9, buckets=3)
        selects = [statement for statement in seen if statement.startswith("SELECT")]
        assert len(selects) >= 8
        with historian._database.snapshot() as connection:
            connection.set_trace_callback(None)
            plans = [str(connection.execute(f"EXPLAIN QUERY PLAN {select}").fetchall()) for select in selects]
    assert all("SEARCH" in plan and "SCAN" not in plan for plan in plans), plans
    stepping = [plan for select, plan in zip(selects, plans, strict=True) if "LIMIT 1" in select]
    assert all("TEMP B-TREE" not in plan for plan in stepping), stepping


@pytest.mark.parametrize("ask", ["latest", "newest", "sites"])
def test_the_work_of_a_query_does_not_grow_with_the_rows_of_a_series(path: Path, ask: str) -> None:
    def steps(historian: SqliteHistorian) -> int:
        counted = 0

        def count() -> int:
            nonlocal counted
            counted += 1
            return 0

        with historian._database.snapshot() as connection:
            connection.set_progress_handler(count, 1)
        if ask == "latest":
            assert len(historian.latest("reading", ["value"], site=SITE)) == 3
        elif ask == "newest":
            assert len(historian.read("reading", ["value"], site=SITE, newest=1)) == 1
        else:
            assert historian.sites() == (SITE,)
        with historian._database.snapshot() as connection:
            connection.set_progress_handler(None, 0)
        return counted

    with closing(SqliteHistorian(path)) as historian:
        historian.write([readings([1, 2], [1.0, 2.0], machine=name) for name in "abc"])
        few = steps(historian)
        times = np.arange(3, 3000)
        historian.write([readings(times.tolist(), times.tolist(), machine=name) for name in "abc"])
        assert steps(historian) == few


WRITER = """
import sys
from pathlib import Path
from palier.historian.sqlite import SqliteHistorian
from tests.support.stores import readings

historian = SqliteHistorian(Path(sys.argv[1]))
k = int(sys.argv[2])
while True:
    assert historian.write([readings([10 * k + j for j in range(10)], [float(k)] * 10)])[0].accepted == 10
    print(k, flush=True)
    k += 1
"""


def writer(path: Path, first: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), str(first)]
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_what_was_acknowledged_survives_kill_9_and_is_read_while_written(path: Path) -> None:
    acknowledged = -1
    for _ in range(3):
        with writer(path, acknowledged + 1) as child:
            assert child.stdout is not None
            told = [int(child.stdout.readline()) for _ in range(20)]
            with closing(SqliteHistorian(path, read_only=True)) as reader:  # while the writer goes on
                before = len(reader.read("reading", ["value"], site=SITE))
                assert before >= 10 * (told[-1] + 1)
                eventually(lambda: len(reader.read("reading", ["value"], site=SITE)) > before)  # noqa: B023
            child.send_signal(signal.SIGKILL)
            told += [int(line) for line in child.stdout.read().splitlines()]
            acknowledged = told[-1]
        with closing(SqliteHistorian(path)) as historian:
            found = historian.read("reading", ["value"], site=SITE).ts_ns
        assert len(found) % 10 == 0  # a commit is whole or absent
        assert found.tolist()[: 10 * (acknowledged + 1)] == list(range(10 * (acknowledged + 1)))


def test_an_hourly_row_needs_no_page_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "historian.sqlite"
    historian = SqliteHistorian(path)
    numbers = [field.name for field in measurement("feature_hourly").fields if field.type == "float"]
    n = 500
    fields = {name: np.random.default_rng(0).standard_normal(n) for name in numbers}
    historian.write([rows("feature_hourly", list(range(n)), fields)])
    historian.close()  # the log is worked into the file
    assert path.stat().st_size / n < 1.5 * 9 * len(numbers)  # nine bytes a number, and the rest of pages


def test_the_writer_keeps_the_last_pages_of_many_channels_at_hand(tmp_path: Path) -> None:
    """Without it each commit of six hundred channels reads and moves their pages again."""
    store = SqliteHistorian(tmp_path / "historian.sqlite")
    with store._database.snapshot() as connection:
        (kibibytes,) = connection.execute("PRAGMA cache_size").fetchone()
        (pages,) = connection.execute("PRAGMA wal_autocheckpoint").fetchone()
    store.close()
    assert (-kibibytes * 1024, pages * PAGE_BYTES) == (CACHE_BYTES, WAL_LIMIT_BYTES)


def test_a_table_that_an_older_writer_did_not_make_has_no_rows_until_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "historian.sqlite"
    SqliteHistorian(path).close()
    with closing(sqlite3.connect(path)) as older, older:
        older.execute("DROP TABLE health")
    reader = SqliteHistorian(path, read_only=True)
    asked = {"site": SITE, "machine": "pompe-1", "point": "", "channel": ""}
    assert reader.sites() == ()
    assert len(reader.read("health", ["health_index"], site=SITE)) == 0
    assert len(reader.latest("health", ["health_index"], site=SITE)) == 0
    assert len(reader.trend("health", "health_index", **asked, start_ns=0, end_ns=9, buckets=3)) == 0
    writer = SqliteHistorian(path)
    writer.write([rows("health", [5], {"health_index": np.array([80.0])}, point="", channel="")])
    writer.close()
    assert len(reader.read("health", ["health_index"], site=SITE)) == 1
    reader.close()
