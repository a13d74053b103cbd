"""Trends over months: hourly rows where they reach, raw rows for the rest, and no difference between them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palier.historian import long_run
from palier.historian.base import Historian, Rows, SchemaError, Table
from palier.historian.hours import summarize
from palier.historian.rows import HOUR_NS
from palier.historian.sqlite import SqliteHistorian
from tests.support.influxd import Influxd, influx_historian
from tests.support.stores import SITE, Columns, readings, rows

MINUTE = 60 * 10**9
SERIES: dict[str, Any] = {"site": SITE, "machine": "pompe-1", "point": "palier-1", "channel": "x"}


@pytest.fixture
def historian(tmp_path: Path) -> Iterator[SqliteHistorian]:
    store = SqliteHistorian(tmp_path / "historian.sqlite")
    yield store
    store.close()


def hourly(starts_ns: Sequence[int], mean: Sequence[float], machine: str = "pompe-1") -> Rows:
    """Hours whose least is one below the mean, and whose greatest is two above."""
    middle = np.array(mean, dtype=np.float64)
    fields: Columns = {
        "value_mean": middle,
        "value_min": middle - 1,
        "value_max": middle + 2,
        "blocks": np.full(len(middle), 60),
        "unit": ["°C"] * len(middle),
    }
    return rows("reading_hourly", starts_ns, fields, machine=machine)


def trend(historian: Historian, start_ns: int, end_ns: int, buckets: int, **series: str) -> Table:
    return long_run.trend(
        historian,
        "reading",
        "value",
        **{**SERIES, **series},
        start_ns=start_ns,
        end_ns=end_ns,
        buckets=buckets,
    )


def columns(table: Table) -> dict[str, list[float]]:
    return {name: np.asarray(column, dtype=np.float64).tolist() for name, column in table.columns.items()}


def test_a_wide_bucket_is_made_of_its_hours(historian: SqliteHistorian) -> None:
    historian.write([hourly([k * HOUR_NS for k in (0, 1, 2, 5)], [1.0, 4.0, 10.0, 20.0])])
    table = trend(historian, 0, 6 * HOUR_NS, 3)
    assert table.ts_ns.tolist() == [0, 2 * HOUR_NS, 4 * HOUR_NS]
    assert columns(table) == {"mean": [2.5, 10.0, 20.0], "min": [0.0, 9.0, 19.0], "max": [6.0, 12.0, 22.0]}
    assert (table.machine, table.point, table.channel) == (("pompe-1",) * 3, ("palier-1",) * 3, ("x",) * 3)


def test_below_an_hour_the_raw_rows_are_asked(historian: SqliteHistorian) -> None:
    historian.write([hourly([0], [99.0]), readings([10 * MINUTE], [1.0])])
    assert columns(trend(historian, 0, HOUR_NS, 2))["mean"] == [1.0]
    assert columns(trend(historian, 0, HOUR_NS, 1))["mean"] == [99.0]


def test_without_hourly_rows_the_raw_ones_are_asked(historian: SqliteHistorian) -> None:
    historian.write([readings([10 * MINUTE, 70 * MINUTE, 80 * MINUTE], [1.0, 3.0, 8.0])])
    table = trend(historian, 0, 4 * HOUR_NS, 2)
    raw = historian.trend("reading", "value", **SERIES, start_ns=0, end_ns=4 * HOUR_NS, buckets=2)
    assert table.ts_ns.tolist() == raw.ts_ns.tolist() == [0]
    assert columns(table) == columns(raw) == {"mean": [4.0], "min": [1.0], "max": [8.0]}


def test_what_is_newer_or_older_than_the_hourly_rows_is_of_the_raw_ones(historian: SqliteHistorian) -> None:
    historian.write([hourly([2 * HOUR_NS], [10.0])])
    early, late = [HOUR_NS + MINUTE, HOUR_NS + 2 * MINUTE], [3 * HOUR_NS, 4 * HOUR_NS + MINUTE]
    inside = [2 * HOUR_NS + MINUTE]  # spoken for by its hourly row
    historian.write([readings([*early, *inside, *late], [1.0, 3.0, 500.0, 20.0, 40.0])])
    table = trend(historian, 0, 5 * HOUR_NS, 5)
    assert table.ts_ns.tolist() == [k * HOUR_NS for k in (1, 2, 3, 4)]
    assert columns(table)["mean"] == [2.0, 10.0, 20.0, 40.0]
    assert columns(table)["max"] == [3.0, 12.0, 20.0, 40.0]


def test_of_an_hour_cut_by_the_bounds_only_raw_rows_within_count(historian: SqliteHistorian) -> None:
    historian.write([hourly([0, HOUR_NS, 2 * HOUR_NS], [1.0, 2.0, 3.0])])
    historian.write([readings([10 * MINUTE, 40 * MINUTE, 2 * HOUR_NS + MINUTE], [7.0, 9.0, 30.0])])
    table = trend(historian, 30 * MINUTE, 2 * HOUR_NS + 30 * MINUTE, 2)
    assert table.ts_ns.tolist() == [30 * MINUTE, 90 * MINUTE]
    assert columns(table) == {"mean": [5.5, 30.0], "min": [1.0, 30.0], "max": [9.0, 30.0]}


def test_hours_that_a_backlog_filled_are_there_before_they_are_computed(historian: SqliteHistorian) -> None:
    week = long_run.LATE_NS // HOUR_NS
    historian.write([hourly([k * HOUR_NS for k in (0, 3, 100, 100 + week)], [1.0, 2.0, 3.0, 4.0])])
    late = {50: 90.0, 101: 10.0, 102: 20.0, 99 + week: 30.0}  # the first is behind what still is computed
    historian.write([readings([k * HOUR_NS + MINUTE for k in late], list(late.values()))])
    historian.write([readings([100 * HOUR_NS + MINUTE], [500.0])])  # spoken for by its hourly row
    table = trend(historian, 0, (101 + week) * HOUR_NS, 101 + week)
    assert [ts // HOUR_NS for ts in table.ts_ns.tolist()] == [0, 3, 100, 101, 102, 99 + week, 100 + week]
    assert columns(table)["mean"] == [1.0, 2.0, 3.0, 10.0, 20.0, 30.0, 4.0]


def test_raw_rows_are_brought_to_hours_where_they_lie(
    historian: SqliteHistorian, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade a season of them has no hourly rows yet: they must not all come here."""
    historian.write([hourly([1000 * HOUR_NS], [1.0])])
    historian.write([readings([k * 10 * MINUTE for k in range(5900)], [float(k % 6) for k in range(5900)])])
    read, given = historian.read, []

    def noted(*asked: Any, **more: Any) -> Table:
        table = read(*asked, **more)
        given.append(len(table))
        return table

    monkeypatch.setattr(historian, "read", noted)
    table = trend(historian, 5 * MINUTE, 1001 * HOUR_NS, 500)
    assert given == [1]
    assert len(table) == 493
    assert columns(table)["mean"][1:490] == [2.5] * 489


def test_hours_in_which_nothing_was_known_are_left_out(historian: SqliteHistorian) -> None:
    historian.write([hourly([0, HOUR_NS], [np.nan, 5.0])])
    assert trend(historian, 0, 2 * HOUR_NS, 2).ts_ns.tolist() == [HOUR_NS]
    assert len(trend(historian, 0, HOUR_NS, 1)) == 0


def test_fields_without_hours_are_asked_as_ever(historian: SqliteHistorian) -> None:
    def ask(measurement: str, field: str, buckets: int = 1) -> Table:
        return long_run.trend(
            historian, measurement, field, **SERIES, start_ns=0, end_ns=9 * HOUR_NS, buckets=buckets
        )

    historian.write([rows("state", [5], {"value": np.array([2.0])})])
    assert columns(ask("state", "value"))["mean"] == [2.0]
    with pytest.raises(SchemaError, match="is text"):
        ask("reading", "unit")
    with pytest.raises(SchemaError, match="no measurement"):
        ask("absent", "value")
    with pytest.raises(ValueError, match="got 0"):
        ask("reading", "value", buckets=0)


@pytest.mark.parametrize("bounds", [(0, 0), (HOUR_NS, 0), (-(2**70), 2**70)])
def test_odd_bounds_are_no_error(historian: SqliteHistorian, bounds: tuple[int, int]) -> None:
    historian.write([hourly([0, HOUR_NS], [1.0, 3.0])])
    found = columns(trend(historian, *bounds, 3))["mean"]
    assert found == ([] if bounds[1] <= bounds[0] else [2.0])


MACHINES = itertools.count()
_times = st.sets(st.integers(0, 40 * 60), max_size=80)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_times, st.integers(0, 40), st.integers(1, 9), st.tuples(st.integers(0, 600), st.integers(60, 2400)))
def test_it_makes_no_difference_how_many_hours_are_written_already(
    historian: SqliteHistorian, minutes: set[int], written: int, buckets: int, bounds: tuple[int, int]
) -> None:
    machine, (start, length) = f"m{next(MACHINES)}", bounds  # the store is shared by all examples
    times = [minute * MINUTE for minute in sorted(minutes)]
    values = [float(k % 17) for k in range(len(times))]
    historian.write([readings(times, values, machine=machine)])
    starts = sorted({ts // HOUR_NS * HOUR_NS for ts in times})
    first, last = start * MINUTE, (start + length) * MINUTE
    _write_hours(historian, machine, times, values, starts[:written])
    some = trend(historian, first, last, buckets, machine=machine)
    _write_hours(historian, machine, times, values, starts)
    every = trend(historian, first, last, buckets, machine=machine)
    inside = [v for ts, v in zip(times, values, strict=True) if first <= ts < last]
    for table in (some, every):
        assert len(table) <= buckets
        if inside:
            assert min(columns(table)["min"]) == min(inside)
            assert max(columns(table)["max"]) == max(inside)
        assert (len(table) == 0) == (not inside)
    if written and length * MINUTE >= buckets * HOUR_NS and any(first <= s < last for s in starts[:written]):
        assert some.ts_ns.tolist() == every.ts_ns.tolist()
        assert columns(some)["min"] == columns(every)["min"]


def _write_hours(
    historian: SqliteHistorian,
    machine: str,
    times: Sequence[int],
    values: Sequence[float],
    starts: Sequence[int],
) -> None:
    for start in starts:
        hour = [v for ts, v in zip(times, values, strict=True) if ts // HOUR_NS * HOUR_NS == start]
        fields: Columns = {
            "value_mean": np.array([np.mean(hour)]),
            "value_min": np.array([min(hour)]),
            "value_max": np.array([max(hour)]),
            "blocks": np.array([len(hour)]),
        }
        historian.write([rows("reading_hourly", [start], fields, machine=machine)])


def test_over_influxdb_it_is_the_same(historian: SqliteHistorian, influxd: Influxd) -> None:
    batch = [
        hourly([k * HOUR_NS for k in (2, 3, 7)], [1.0, np.nan, 3.0]),
        readings([k * 25 * MINUTE for k in range(30)], [float(k % 7) for k in range(30)]),
    ]
    historian.write(batch)
    bounds = (40 * MINUTE, 12 * HOUR_NS - 5 * MINUTE)
    with influx_historian(influxd, influxd.url) as other:
        other.write(batch)
        for buckets in (1, 4, 11, 100):
            one, same = trend(historian, *bounds, buckets), trend(other, *bounds, buckets)
            assert one.ts_ns.tolist() == same.ts_ns.tolist()
            assert columns(one) == columns(same)


_groups = st.lists(
    st.lists(st.one_of(st.just(np.nan), st.floats(allow_infinity=False)), min_size=1, max_size=6), max_size=6
)


@given(_groups)
def test_a_group_is_summed_up_as_a_loop_would(groups: list[list[float]]) -> None:
    values = np.array([[x, -x] for group in groups for x in group]).reshape(-1, 2)
    found = summarize(values, np.array([len(group) for group in groups], dtype=np.intp))
    for i, group in enumerate(groups):
        known = [x for x in group if not np.isnan(x)]
        if not known:
            assert np.isnan([found.mean[i], found.min[i], found.max[i]]).all()
            continue
        assert (found.min[i, 0], found.max[i, 0]) == (min(known), max(known))
        assert (found.min[i, 1], found.max[i, 1]) == (-max(known), -min(known))
        share = sum(x / len(known) for x in known)
        assert found.mean[i, 0] == pytest.approx(share, rel=1e-9, abs=1e-9 * max(map(abs, known)))
        assert min(known) <= found.mean[i, 0] <= max(known)
