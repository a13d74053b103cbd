"""What every historian does. An implementation joins by a line in conftest.py."""

from __future__ import annotations

from typing import TypedDict, Unpack

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.watch_diagnosis import LATER_NS
from palier.historian.base import Historian, Rejected, SchemaError, Table
from tests.support.stores import SECOND, SITE, Columns, readings, rows


class Where(TypedDict):
    site: str
    machine: str
    point: str
    channel: str


class Asked(TypedDict, total=False):
    machine: str
    point: str
    channel: str


SERIES: Where = {"site": SITE, "machine": "pompe-1", "point": "palier-1", "channel": "x"}


def values(historian: Historian, **series: Unpack[Asked]) -> list[float]:
    column = historian.read("reading", ["value"], site=SITE, **series).columns["value"]
    return [float(value) for value in np.asarray(column, dtype=np.float64)]


def test_what_is_written_is_read_in_order_of_time(historian: Historian) -> None:
    (report,) = historian.write([readings([30, 10, 20], [3.5, 1.5, 2.5])])
    assert (report.accepted, report.rejected) == (3, ())
    table = historian.read("reading", ["value", "unit", "frame"], **SERIES)
    assert table.ts_ns.tolist() == [10, 20, 30]
    assert table.machine == ("pompe-1",) * 3
    assert (table.point, table.channel) == (("palier-1",) * 3, ("x",) * 3)
    assert table.columns["value"].tolist() == [1.5, 2.5, 3.5]  # type: ignore[union-attr]
    assert table.columns["unit"] == ("°C",) * 3
    assert table.columns["frame"] == ("usine/gw:e:1",) * 3


def test_the_same_rows_again_change_nothing(historian: Historian) -> None:
    batch = [readings([10, 20], [1.0, 2.0])]
    first, again = historian.write(batch), historian.write(batch)
    assert first[0].accepted == again[0].accepted == 2
    assert values(historian) == [1.0, 2.0]


def test_a_key_held_by_another_frame_is_a_conflict_and_the_older_stays(historian: Historian) -> None:
    historian.write([readings([10], [1.0], frame="usine/gw:e:1")])
    (report,) = historian.write([readings([5, 10, 15], [4.0, 9.0, 6.0], frame="usine/gw:e:2")])
    assert (report.accepted, report.rejected) == (2, (Rejected(1, "conflict"),))
    assert values(historian) == [4.0, 1.0, 6.0]


def test_a_conflict_within_one_write_is_found_too(historian: Historian) -> None:
    reports = historian.write(
        [readings([10], [1.0], frame="a/b:e:1"), readings([10], [9.0], frame="a/b:e:2")]
    )
    assert [report.accepted for report in reports] == [1, 0]
    assert values(historian) == [1.0]


def test_features_alone_give_way_to_their_block_s_own_samples(historian: Historian) -> None:
    historian.write([readings([10, 20], [1.0, 2.0], frame="features:usine/gw:e:1")])
    (report,) = historian.write([readings([10], [9.0], frame="usine/gw:e:2")])
    assert (report.accepted, report.rejected) == (1, ())
    assert values(historian) == [9.0, 2.0]
    (report,) = historian.write([readings([10, 20], [1.0, 2.0], frame="features:usine/gw:e:1")])
    assert (report.accepted, report.rejected) == (1, (Rejected(0, "superseded"),))
    (report,) = historian.write([readings([20], [7.0], frame="features:usine/gw:e:3")])
    assert report.rejected == (Rejected(0, "conflict"),)  # of two blocks' features none is the better
    assert values(historian) == [9.0, 2.0]
    assert historian.read("reading", ["frame"], site=SITE).columns["frame"] == (
        "usine/gw:e:2",
        "features:usine/gw:e:1",
    )


def test_both_in_one_write_are_the_samples(historian: Historian) -> None:
    frames = ("features:a/b:e:1", "a/b:e:2", "features:a/b:e:1", "a/b:e:3")
    reports = historian.write([readings([10], [float(k)], frame=one) for k, one in enumerate(frames)])
    assert [r.reason for report in reports for r in report.rejected] == ["superseded", "conflict"]
    assert values(historian) == [1.0]


def test_where_no_frame_holds_the_key_the_last_row_wins(historian: Historian) -> None:
    for name, frame in (("watch", "a/b:e:1"), ("alert", "a/b:e:2")):
        (report,) = historian.write(
            [rows("state", [10], {"state": [name], "frame": [frame]}, point="", channel="")]
        )
        assert report.accepted == 1
    assert historian.read("state", ["state"], site=SITE).columns["state"] == ("alert",)


def test_what_is_not_known_comes_back_as_not_known(historian: Historian) -> None:
    fields: Columns = {"value": np.array([np.nan, np.inf, -np.inf, 0.0]), "frame": [None] * 4}
    historian.write([rows("reading", [1, 2, 3, 4], fields)])
    table = historian.read("reading", ["value", "unit", "frame"], site=SITE)
    assert np.isnan(np.asarray(table.columns["value"], dtype=float)).tolist() == [True, True, True, False]
    assert table.columns["unit"] == (None,) * 4
    assert table.columns["frame"] == (None,) * 4


def test_a_number_of_single_precision_comes_back_as_it_was(historian: Historian) -> None:
    written = np.array([0.1, 1 / 3, 1e-30, 12345.678], dtype=np.float32)
    historian.write([rows("feature", [1, 2, 3, 4], {"velocity_rms_mm_s": written})])
    table = historian.read("feature", ["velocity_rms_mm_s"], site=SITE)
    np.testing.assert_array_equal(table.columns["velocity_rms_mm_s"], written.astype(np.float64))


def test_numbers_of_an_int_field_come_as_float_with_nan(historian: Historian) -> None:
    fields: Columns = {
        "state": ["normal", "unknown"],
        "severity": np.array([1.0, np.nan]),
        "live": np.array([1, 0]),
    }
    historian.write([rows("state", [1, 2], fields)])
    table = historian.read("state", ["severity", "live"], site=SITE)
    np.testing.assert_array_equal(table.columns["severity"], [1.0, np.nan])
    np.testing.assert_array_equal(table.columns["live"], [1.0, 0.0])


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"severity": np.array([1.0, 1.5, 2.0])}, 1),
        ({"state": ["normal", "\ud800", None]}, 1),
        ({"state": ["normal", 7, None]}, 1),
        ({"value": ["1", None, None]}, 0),
        ({"value": [1.0, 2.0, 10**400]}, 2),
    ],
    ids=[
        "a fraction in an int",
        "a lone surrogate",
        "a number for text",
        "text for a number",
        "beyond a float",
    ],
)
def test_a_row_of_the_wrong_type_is_refused_alone(
    historian: Historian, fields: dict[str, object], wrong: int
) -> None:
    (report,) = historian.write([rows("state", [1, 2, 3], fields)])  # type: ignore[arg-type]
    assert (report.accepted, report.rejected) == (2, (Rejected(wrong, "type"),))
    assert len(historian.read("state", ["state"], site=SITE)) == 2


@pytest.mark.parametrize("name", ["", "a b", "a,b", "a\nb", "../x", "é", "n" * 65])
def test_a_row_with_a_name_outside_the_allowed_is_refused_alone(historian: Historian, name: str) -> None:
    bad, good = readings([1], [1.0], machine=name), readings([2], [2.0])
    reports = historian.write([bad, good])
    assert [report.accepted for report in reports] == [0, 1]
    assert reports[0].rejected == (Rejected(0, "name"),)


def test_an_unknown_name_or_a_short_column_refuses_the_whole_write(historian: Historian) -> None:
    good = readings([1], [1.0])
    for bad, sentence in (
        (rows("vibration", [1], {}), "vibration"),
        (rows("reading", [1], {"volume": np.zeros(1)}), "volume"),
        (rows("reading", [1], {"value": np.zeros(2)}), "must have 1 rows like ts_ns, got 2"),
        (rows("spectrum", [1], {"amplitude": np.zeros(1)}), "'line'"),
    ):
        with pytest.raises(SchemaError, match=sentence):
            historian.write([good, bad])
    assert values(historian) == []


def test_bounds_take_the_start_and_leave_the_end(historian: Historian) -> None:
    historian.write([readings([10, 20, 30], [1.0, 2.0, 3.0])])
    table = historian.read("reading", ["value"], site=SITE, start_ns=10, end_ns=30)
    assert table.ts_ns.tolist() == [10, 20]
    assert len(historian.read("reading", ["value"], site=SITE, start_ns=30, end_ns=10)) == 0
    assert len(historian.read("reading", ["value"], site=SITE, start_ns=-(2**70), end_ns=2**70)) == 3


def test_newest_keeps_the_last_rows_of_all_that_fit(historian: Historian) -> None:
    historian.write(
        [readings([10, 30, 50], [1.0, 3.0, 5.0], channel="x"), readings([20, 40], [2.0, 4.0], channel="y")]
    )
    table = historian.read("reading", ["value"], site=SITE, machine="pompe-1", newest=3)
    assert table.ts_ns.tolist() == [30, 40, 50]
    assert table.channel == ("x", "y", "x")
    assert historian.read("reading", ["value"], **SERIES, newest=1).ts_ns.tolist() == [50]


def test_a_filter_left_out_means_any_and_an_empty_one_means_the_whole(historian: Historian) -> None:
    historian.write(
        [
            rows("state", [1], {"state": ["normal"]}, machine="m", point="", channel=""),
            rows("state", [2], {"state": ["watch"]}, machine="m", point="p", channel=""),
            rows("state", [3], {"state": ["alert"]}, machine="m2", point="p", channel=""),
            rows("state", [4], {"state": ["danger"]}, machine="m", point="p", channel="", site="autre"),
        ]
    )

    def states(**where: Unpack[Asked]) -> object:
        return historian.read("state", ["state"], site=SITE, **where).columns["state"]

    assert states() == ("normal", "watch", "alert")
    assert states(machine="m") == ("normal", "watch")
    assert states(machine="m", point="") == ("normal",)
    assert states(point="p") == ("watch", "alert")
    assert states(machine="m", point="p", channel="") == ("watch",)
    assert states(machine="absent") == ()


def test_latest_is_the_newest_row_of_each_series(historian: Historian) -> None:
    historian.write(
        [
            readings([10, 40], [1.0, 4.0], machine="a"),
            readings([30, 20], [3.0, 2.0], machine="b"),
            readings([15], [1.5], machine="a", point="", channel=""),
            readings([99], [9.0], site="autre"),
        ]
    )
    table = historian.latest("reading", ["value", "unit"], site=SITE)
    found = list(zip(table.machine, table.point, table.ts_ns.tolist(), strict=True))
    assert found == [("a", "", 15), ("b", "palier-1", 30), ("a", "palier-1", 40)]
    assert len(historian.latest("reading", ["value"], site="absent")) == 0


def test_latest_of_a_spectrum_is_all_its_lines(historian: Historian) -> None:
    for ts, n in ((10, 5), (20, 3)):
        fields: Columns = {
            "line": np.arange(n),
            "amplitude": np.full(n, float(ts)),
            "frame": [f"a/b:e:{ts}"] * n,
        }
        historian.write([rows("spectrum", [ts] * n, fields)])
    table = historian.latest("spectrum", ["line", "amplitude"], site=SITE)
    np.testing.assert_array_equal(table.columns["line"], [0, 1, 2])
    np.testing.assert_array_equal(table.columns["amplitude"], [20.0, 20.0, 20.0])


def test_events_of_one_moment_are_kept_apart_by_their_id(historian: Historian) -> None:
    fields: Columns = {"event_id": ["e1", "e2"], "kind": ["alarm", "alarm"]}
    for _ in range(2):
        historian.write([rows("event", [10, 10], fields)])
    assert historian.read("event", ["event_id"], site=SITE).columns["event_id"] == ("e1", "e2")


def test_a_trend_has_mean_min_and_max_of_each_bucket_that_has_rows(historian: Historian) -> None:
    historian.write([readings([100, 110, 160, 290], [1.0, 3.0, 7.0, np.nan])])
    table = historian.trend("reading", "value", **SERIES, start_ns=100, end_ns=300, buckets=4)
    assert table.ts_ns.tolist() == [100, 150]
    np.testing.assert_array_equal(table.columns["mean"], [2.0, 7.0])
    np.testing.assert_array_equal(table.columns["min"], [1.0, 7.0])
    np.testing.assert_array_equal(table.columns["max"], [3.0, 7.0])
    assert table.channel == ("x", "x")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sets(st.integers(0, 10_000), max_size=60),
    st.integers(1, 50),
    st.integers(0, 5000),
    st.integers(1, 9000),
)
def test_a_trend_agrees_with_the_rows(
    historian: Historian, times: set[int], buckets: int, start: int, length: int
) -> None:
    machine = f"m{abs(hash((frozenset(times), buckets, start, length)))}"
    historian.write([readings(sorted(times), [float(t) for t in sorted(times)], machine=machine)])
    table = historian.trend(
        "reading",
        "value",
        site=SITE,
        machine=machine,
        point="palier-1",
        channel="x",
        start_ns=start,
        end_ns=start + length,
        buckets=buckets,
    )
    inside = [t for t in times if start <= t < start + length]
    assert len(table) <= buckets
    assert (len(table) == 0) == (not inside)
    if inside:
        assert min(np.asarray(table.columns["min"], dtype=float)) == min(inside)
        assert max(np.asarray(table.columns["max"], dtype=float)) == max(inside)
    assert np.all(np.asarray(table.columns["min"], dtype=float) >= table.ts_ns)


def test_a_trend_over_nothing_is_empty_and_over_text_is_refused(historian: Historian) -> None:
    def trend(field: str, end_ns: int, buckets: int) -> Table:
        return historian.trend("reading", field, **SERIES, start_ns=0, end_ns=end_ns, buckets=buckets)

    assert len(trend("value", SECOND, 10)) == 0
    assert len(trend("value", 0, 10)) == 0
    with pytest.raises(SchemaError, match="is text"):
        trend("unit", SECOND, 10)
    with pytest.raises(ValueError, match="got 0"):
        trend("value", SECOND, 0)


def test_sites_are_those_with_rows(historian: Historian) -> None:
    assert historian.sites() == ()
    historian.write([readings([1], [1.0], site="b"), rows("state", [1], {"state": ["normal"]}, site="a")])
    assert historian.sites() == ("a", "b")


def test_letting_go_of_old_rows_ends_and_takes_none_that_is_still_kept(historian: Historian) -> None:
    now = 1_800_000_000 * SECOND
    day = 86_400 * SECOND
    times = [now - 89 * day, now - day, now]
    historian.write([readings(times, [1.0, 2.0, 3.0])])
    steps = 0
    while historian.expire(now):
        steps += 1
        assert steps < 10
    assert values(historian) == [1.0, 2.0, 3.0]


def test_unknown_fields_are_refused_on_reading(historian: Historian) -> None:
    with pytest.raises(SchemaError, match="volume"):
        historian.read("reading", ["volume"], site=SITE)
    with pytest.raises(SchemaError, match="no measurement"):
        historian.latest("absent; DROP TABLE reading", [], site=SITE)


def test_the_callers_columns_are_left_as_they_are(historian: Historian) -> None:
    column = np.array([np.inf, 1.0])
    historian.write([rows("reading", [1, 2], {"value": column})])
    assert column.tolist() == [np.inf, 1.0]


def test_an_empty_write_is_no_error(historian: Historian) -> None:
    assert historian.write([]) == []
    assert historian.write([readings([], [])])[0].accepted == 0


def test_closing_twice_is_allowed(historian: Historian) -> None:
    historian.close()
    historian.close()


def test_a_diagnosis_by_a_late_waveform_leaves_the_one_before_it_as_it_was(historian: Historian) -> None:
    def diagnosed(ts_ns: int, *faults: str) -> None:
        ranks = np.arange(1, len(faults) + 1)
        hours = np.where(ranks > 1, 24.0, np.nan)
        columns = {"rank": ranks, "fault": faults, "deadline_h": hours, "frame": ["a/b:e:1"] * len(faults)}
        historian.write([rows("diagnosis", [ts_ns] * len(faults), columns, channel="")])

    diagnosed(SECOND, "imbalance", "looseness", "misalignment")
    diagnosed(SECOND + LATER_NS, "outer_ring", "imbalance")
    table = historian.read("diagnosis", ["rank", "fault", "deadline_h"], site=SITE)
    assert table.columns["fault"] == ("imbalance", "looseness", "misalignment", "outer_ring", "imbalance")
    assert np.isnan(np.asarray(table.columns["deadline_h"], dtype=np.float64)).tolist() == [1, 0, 0, 1, 0]


@pytest.mark.parametrize("at_once", [False, True])
def test_of_features_that_gave_way_nothing_is_left(historian: Historian, at_once: bool) -> None:
    frames, zones, kurtosis = ["features:usine/gw:e:1", "usine/gw:e:2"], ["B", None], [3.0, np.nan]
    for some in [slice(0, 2)] if at_once else [slice(0, 1), slice(1, 2)]:
        n = len(frames[some])
        told = {"zone": zones[some], "frame": frames[some], "velocity_rms_mm_s": np.full(n, 2.5)}
        columns: Columns = {**told, "kurtosis": np.array(kurtosis[some])}
        (report,) = historian.write([rows("feature", [SECOND] * n, columns)])
        assert (report.accepted, report.rejected) == (n, ())
    table = historian.read("feature", ["velocity_rms_mm_s", "kurtosis", "zone"], site=SITE)
    assert (table.columns["velocity_rms_mm_s"], table.columns["zone"]) == ([2.5], (None,))
    assert np.isnan(np.asarray(table.columns["kurtosis"], dtype=np.float64)).all()
