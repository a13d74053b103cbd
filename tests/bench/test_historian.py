"""`palier bench historian`: that it measures what it says. How fast anything is, no test asserts."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from benchmarks import historian, historian_writes
from benchmarks.historian_board import Shown, seen_by
from benchmarks.historian_lines import as_rows, point_by_point
from benchmarks.historian_month import SOME, Stretch
from benchmarks.historian_report import AIMS, NO_CLIENT, NO_SERVER, NO_YEAR, Report, goals
from benchmarks.historian_rows import NARROW, feature_rows, narrow_rows, shifted
from benchmarks.historian_tables import show
from palier.historian.checking import check
from palier.historian.line_protocol import encode
from palier.historian.schema import measurement
from palier.historian.sqlite import SqliteHistorian

pytest.importorskip("influxdb_client", reason="needs influxdb-client: pip install '.[influx]'")

TINY = historian.Plan(1, 50_000, 3, Stretch(1, 1), 1)


pytestmark = [pytest.mark.long, pytest.mark.xdist_group("bench_historian")]  # one run for the file


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What programs get, from the command itself, and nothing is left behind."""
    folder = tmp_path_factory.mktemp("bench")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "palier",
            "bench",
            "historian",
            "--quick",
            "--year",
            "--rounds",
            "1",
            "--json",
        ],
        capture_output=True,
        text=True,
        timeout=280,
        check=True,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    assert done.stderr == ""
    assert list(folder.iterdir()) == []
    report: dict[str, Any] = json.loads(done.stdout, parse_constant=refuse)
    return report


def refuse(constant: str) -> float:
    raise AssertionError(f"JSON has no {constant}")


@pytest.fixture(scope="module")
def without_server() -> Report:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "which", lambda *_, **__: None)
        return historian.bench_historian(TINY, quick=True, tell=lambda _: None)


def test_the_json_has_the_keys_that_programs_rely_on(printed: dict[str, Any]) -> None:
    assert (printed["bench"], printed["version"], printed["quick"]) == ("historian", 1, True)
    assert {goal["key"] for goal in printed["goals"]} == {aim.key for aim in AIMS}
    assert all(rate["times"] > 0 and rate["us_per_row"] > 0 for rate in printed["rates"])
    assert all(step["us_per_line"] > 0 for step in printed["steps"])
    assert {load["rows"] for load in printed["loads"]} == {200_000, SOME.rows}
    assert all(0 < query["p50_ms"] <= query["p99_ms"] for query in printed["queries"])
    for goal in printed["goals"]:
        assert goal["met"] is not None or goal["note"]


@pytest.mark.skipif(shutil.which("influxd") is None, reason="influxd is not on PATH: apt install influxdb")
def test_both_historians_are_measured(printed: dict[str, Any]) -> None:
    assert printed["missing"] == []
    assert {query["store"] for query in printed["queries"]} == {"SQLite", "InfluxDB"}
    keys = {rate["key"] for rate in printed["rates"]}
    assert keys >= {"encoder_40", "encoder_feature", "sqlite_1000", "influxdb_1000"}
    assert keys >= {"month_sqlite", "month_all", "month_influx"}


@pytest.mark.skipif(shutil.which("influxd") is None, reason="influxd is not on PATH: apt install influxdb")
def test_the_historians_own_share_stands_beside_the_bare_statement(printed: dict[str, Any]) -> None:
    trends = {query["key"]: query for query in printed["queries"] if query["raw_ms"] is not None}
    assert {key for key, query in trends.items() if query["times"]} == {"trend_influx", "trend_wide_influx"}
    assert all(query["bare_ms"] > 0 for query in trends.values() if query["times"])


@pytest.mark.skipif(shutil.which("influxd") is None, reason="influxd is not on PATH: apt install influxdb")
def test_every_query_of_the_machine_dashboard_is_asked_of_each_period(printed: dict[str, Any]) -> None:
    year = printed["year"]
    assert year["load"]["rows"] > 20_000
    by_period: dict[str, list[dict[str, Any]]] = {}
    for query in year["queries"]:
        by_period.setdefault(query["period"], []).append(query)
    assert list(by_period) == ["6 h", "7 d", "90 d", "1 y"]
    assert len({len(queries) for queries in by_period.values()}) == 1
    for queries in by_period.values():
        # One state of the machine has rows, the looks of the others have none; all its alarms are alerts.
        empty = {query["panel"] for query in queries if not query["rows"]}
        assert empty <= {"État de la machine", "annotation danger", "annotation Interventions"}
    assert all(query["ms"] > 0 for query in year["queries"])


def test_a_panel_asks_for_a_point_a_pixel() -> None:
    day = Shown(0, 86_400_000)
    panel = {"gridPos": {"w": 24}}
    assert seen_by(panel, day).interval == "60s"  # 48 s for each of 1,800 points
    assert seen_by({**panel, "interval": "10m"}, day).interval == "600s"
    assert seen_by({**panel, "maxDataPoints": 24}, day).interval == "3600s"
    assert seen_by({**panel, "timeFrom": "1y"}, day) == Shown(86_400_000 * -364, 86_400_000, "21600s")


def test_without_the_year_the_goal_says_how_to_have_it(without_server: Report) -> None:
    (goal,) = [goal for goal in without_server.goals if goal.aim.key == "dashboard"]
    assert (goal.met, goal.note) == (None, NO_YEAR)


def test_without_a_server_the_rest_is_measured_and_it_says_why(without_server: Report) -> None:
    assert without_server.missing == (NO_SERVER,)
    found = {goal.aim.key: goal for goal in without_server.goals}
    unmeasured = {key for key, goal in found.items() if goal.met is None}
    assert unmeasured == {"influx_write", "trend_influx", "trend_own", "month_influx", "dashboard"}
    assert found["trend_influx"].note == NO_SERVER


def test_without_the_client_it_says_what_to_install(
    without_server: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(historian, "find_spec", lambda _: None)
    assert list(historian._missing()) == [NO_CLIENT]
    none = goals(replace(without_server, rates=(), missing=(NO_CLIENT,)))
    assert {goal.note for goal in none if goal.aim.key.startswith("encoder")} == {NO_CLIENT}


def test_goals_are_limits_from_above_and_from_below(without_server: Report) -> None:
    slow = tuple(rate._replace(times=9.0, us_per_row=10.0) for rate in without_server.rates)
    late = tuple(query._replace(p50_ms=10.1) for query in without_server.queries)
    found = {goal.aim.key: goal.met for goal in goals(replace(without_server, rates=slow, queries=late))}
    assert found["encoder_40"] is False
    assert found["encoder_rate"] is False
    assert found["sqlite_write"] is True
    assert found["trend_sqlite"] is False


def test_people_see_goals_steps_and_what_was_not_measured(without_server: Report) -> None:
    paper = io.StringIO()
    show(without_server, Console(file=paper, width=120))
    text = paper.getvalue()
    assert "lines of 40 fields" in text
    assert "digits (orjson)" in text
    assert f"Not measured: {NO_SERVER}" in text


def test_the_reference_says_the_same_fields_of_the_same_rows() -> None:
    rows = narrow_rows(7)
    ours = [line.decode() for line in encode(check(rows))]
    theirs = point_by_point(rows)()
    for own, other in zip(ours, theirs, strict=True):
        head, fields, time = own.split(" ")
        their_head, their_fields, their_time = other.split(" ")
        assert sorted(head.split(",")) == sorted(their_head.split(","))
        assert time == their_time
        own_values = dict(field.split("=") for field in fields.split(","))
        assert own_values.pop("frame") == '""'  # the field that is always there
        their_values = dict(field.split("=") for field in their_fields.split(","))
        assert own_values.keys() == their_values.keys()
        assert all(np.float32(own_values[name]) == np.float32(their_values[name]) for name in own_values)


def test_the_benched_rows_are_those_of_a_plant() -> None:
    narrow, whole = narrow_rows(3), feature_rows(1300)
    assert all(len(row.fields) == NARROW for row in as_rows(narrow))
    assert tuple(whole.fields) == measurement("feature").names
    known = {len(row.fields) for row in as_rows(whole)}
    assert len(known) > 1  # not all rows know the same
    places = set(zip(whole.machine, whole.point, whole.channel, whole.ts_ns.tolist(), strict=True))
    assert len(places) == len(whole)
    assert check(whole).rejected == ()
    assert shifted(whole, 5).ts_ns[0] == whole.ts_ns[0] + 5


def test_the_bare_inserts_leave_the_rows_that_the_historian_does(tmp_path: Path) -> None:
    with ExitStack() as open_files:
        bare = [historian_writes._bare(tmp_path / f"{k}.sqlite", open_files) for k in range(2)]
        run = historian_writes._bare_inserts(bare, 20, rounds=1)
        for _ in range(3):
            run()
    own = SqliteHistorian(tmp_path / "own.sqlite")
    write = historian_writes._writes(own, 20)
    write()
    own.close()
    first = "SELECT * FROM feature ORDER BY ts, machine, point, channel LIMIT 20"
    found = [sqlite3.connect(tmp_path / f"{name}.sqlite") for name in ("own", "0")]
    tables = [connection.execute(first).fetchall() for connection in found]
    for connection in found:
        connection.close()
    assert tables[0] == tables[1]
    assert len(tables[0]) == 20
