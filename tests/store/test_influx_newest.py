"""What InfluxDB is asked before rows are written and for the newest of all: no more than the last days."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palier.historian.base import Unavailable
from palier.historian.influx import InfluxHistorian
from palier.historian.influx_server import Account, Server
from palier.historian.influxql import Statement
from palier.historian.sqlite import SqliteHistorian
from tests.support.influxd import ADMIN, Influxd, influx_historian
from tests.support.stores import SECOND, SITE, readings, rows

DAY = 86_400 * SECOND
NOW = 1_795_000_000 * SECOND


@pytest.fixture
def historian(influxd: Influxd) -> Iterator[InfluxHistorian]:
    with influx_historian(influxd, influxd.url) as store:
        yield store


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that are sent, values put in."""
    sent: list[str] = []
    query = Server.query

    def noted(self: Server, database: str, statements: Sequence[Statement]) -> object:
        sent.extend(statement.rendered() for statement in statements)
        return query(self, database, statements)

    monkeypatch.setattr(Server, "query", noted)
    return sent


def anew(historian: InfluxHistorian, influxd: Influxd) -> InfluxHistorian:
    """The historian of a process that starts on the same rows."""
    return InfluxHistorian(Server(influxd.url, Account(*ADMIN)), historian._database)


def since(asked: Sequence[str]) -> list[float]:
    """How many days before NOW the questions for all series of a site begin."""
    grouped = [statement for statement in asked if "GROUP BY" in statement]
    return [(NOW - int(re.findall(r"time >= (-?\d+)", one)[0])) / DAY for one in grouped]


def test_live_rows_after_a_start_are_asked_for_by_the_day(
    historian: InfluxHistorian, influxd: Influxd, asked: list[str]
) -> None:
    historian.write([readings([NOW - 40 * DAY, NOW - DAY // 2], [1.0, 2.0])])
    again = anew(historian, influxd)
    asked.clear()
    reports = again.write([readings([NOW], [3.0]), readings([NOW - DAY // 2], [9.0], frame="usine/gw:e:2")])
    assert [report.accepted for report in reports] == [1, 0]
    (days,) = since(asked)
    assert days < 2
    asked.clear()
    assert again.write([readings([NOW + SECOND], [3.0])])[0].accepted == 1
    assert asked == []
    again.close()


def test_a_backlog_is_asked_for_from_its_oldest_rows_on_and_once(
    historian: InfluxHistorian, influxd: Influxd, asked: list[str]
) -> None:
    historian.write([readings([NOW - 30 * DAY], [1.0])])
    again = anew(historian, influxd)
    again.write([readings([NOW], [1.0], machine="live")])
    asked.clear()
    held = readings([NOW - 30 * DAY, NOW - 30 * DAY + 1], [7.0, 8.0], frame="usine/gw:e:2")
    assert again.write([held])[0].accepted == 1
    (days,) = since(asked)
    assert 30 < days < 32
    asked.clear()
    for k in range(2, 5):
        assert again.write([readings([NOW - 30 * DAY + k], [8.0], frame=f"usine/gw:e:{k}")])[0].accepted == 1
    assert asked == []
    again.close()


def test_rows_from_the_future_do_not_slow_the_others(
    historian: InfluxHistorian, influxd: Influxd, asked: list[str]
) -> None:
    again = anew(historian, influxd)
    again.write([readings([NOW + 1000 * DAY], [1.0], machine="ahead")])
    again.write([readings([NOW], [1.0])])
    asked.clear()
    again.write([readings([NOW + 1], [1.0])])
    assert asked == []
    again.close()


def test_after_an_outage_what_the_server_holds_is_asked_anew(
    historian: InfluxHistorian, influxd: Influxd, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = anew(historian, influxd)
    again.write([readings([NOW - 3 * DAY], [1.0])])
    with monkeypatch.context() as patch:
        patch.setattr(Server, "write", lambda *_: (_ for _ in ()).throw(Unavailable("away")))
        with pytest.raises(Unavailable):
            again.write([readings([NOW - 2 * DAY], [1.0])])
    # Meanwhile a backup came back that holds a row which this process never saw.
    held = NOW - 3 * DAY // 2
    historian.write([readings([held], [5.0], frame="usine/gw:e:9")])
    again.write([readings([NOW], [1.0], machine="live")])
    (report,) = again.write([readings([held, NOW], [6.0, 7.0])])
    assert [row.index for row in report.rejected] == [0]
    again.close()


_row = st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(1, 2))
_step = st.tuples(st.booleans(), st.lists(_row, min_size=1, max_size=6, unique_by=lambda row: row[:2]))
SITES = itertools.count()


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_step, min_size=1, max_size=5))
def test_whoever_starts_when_the_first_frame_keeps_its_rows(
    historian: InfluxHistorian,
    influxd: Influxd,
    tmp_path: Path,
    story: list[tuple[bool, list[tuple[int, int, int]]]],
) -> None:
    """The same rows are refused as SQLite refuses, whose keys decide by themselves."""
    site, writer = f"s{next(SITES)}", anew(historian, influxd)
    plain = SqliteHistorian(tmp_path / "plain.sqlite")
    for starts, step in story:
        if starts:
            writer.close()
            writer = anew(historian, influxd)
        batch = [
            readings([NOW + days * DAY // 2], [1.0], machine=f"m{k}", frame=f"a/b:e:{frame}", site=site)
            for k, days, frame in step
        ]
        assert writer.write(batch) == plain.write(batch)
    writer.close()
    plain.close()


def test_the_first_look_at_the_newest_rows_is_one_at_the_last_days(
    historian: InfluxHistorian, influxd: Influxd, asked: list[str]
) -> None:
    historian.write(
        [rows("state", [NOW - 60 * DAY, NOW - k], {"state": ["a", "b"]}, machine=f"m{k}") for k in range(9)]
    )
    historian.write([rows("state", [NOW - 50 * DAY], {"state": ["c"]}, machine="quiet")])
    reader = anew(historian, influxd)
    asked.clear()
    table = reader.latest("state", ["state"], site=SITE)
    assert dict(zip(table.machine, table.columns["state"], strict=True)) == {
        **{f"m{k}": "b" for k in range(9)},
        "quiet": "c",
    }
    every = [days for days in since(asked) if days < 10_000]
    assert every
    assert max(every) < 2
    reader.close()
