"""What every historian does at the edges: of all time, of a bound, of the newest rows, of what was before."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palier.historian.base import Historian
from tests.support.stores import SECOND, SITE, Columns, readings, rows

SERIES = {"site": SITE, "machine": "pompe-1", "point": "palier-1", "channel": "x"}


def test_of_rows_of_one_moment_the_newest_are_the_last_by_name(historian: Historian) -> None:
    historian.write([readings([10, 20], [1.0, 2.0], machine=machine) for machine in ("a", "b", "c", "d")])
    for newest, machines in ((1, "d"), (2, "cd"), (4, "abcd"), (5, "dabcd"), (9, "abcdabcd")):
        assert "".join(historian.read("reading", ["value"], site=SITE, newest=newest).machine) == machines


FIRST_NS, LAST_NS = -(2**63) + 2, 2**63 - 2 - 1_000_000


def test_the_first_and_the_last_time_are_kept_and_found(historian: Historian) -> None:
    historian.write([readings([FIRST_NS, 0, LAST_NS], [1.0, 2.0, 3.0])])

    def times(start_ns: int | None, end_ns: int | None) -> list[int]:
        table = historian.read("reading", ["value"], site=SITE, start_ns=start_ns, end_ns=end_ns)
        return [int(ts) for ts in table.ts_ns]

    assert times(None, None) == times(-(2**70), 2**70) == [FIRST_NS, 0, LAST_NS]
    assert (
        times(None, FIRST_NS) == times(-(2**71), -(2**70)) == times(2**70, None) == times(2**70, 2**71) == []
    )
    assert times(FIRST_NS, FIRST_NS + 1) == [FIRST_NS]
    assert times(LAST_NS, LAST_NS + 1) == times(LAST_NS, None) == [LAST_NS]
    assert historian.latest("reading", ["value"], site=SITE).ts_ns.tolist() == [LAST_NS]
    (again,) = historian.write([readings([FIRST_NS, LAST_NS], [5.0, 5.0], frame="usine/gw:e:2")])
    assert again.accepted == 0


@pytest.mark.parametrize("buckets", [1, 2, 3, 10, 1000])
def test_a_trend_over_all_time_has_each_row_in_its_bucket(historian: Historian, buckets: int) -> None:
    times = [FIRST_NS, -SECOND, 0, 1_900_000_000 * SECOND, 7_000_000_000 * SECOND, LAST_NS]
    historian.write([readings(times, [float(i) for i in range(len(times))])])
    table = historian.trend("reading", "value", **SERIES, start_ns=-(2**70), end_ns=2**70, buckets=buckets)
    width = -(-(LAST_NS + 1 - FIRST_NS) // buckets)
    place = [(ts - FIRST_NS) // width for ts in times]
    starts = sorted(set(place))
    assert table.ts_ns.tolist() == [FIRST_NS + k * width for k in starts]
    assert np.asarray(table.columns["min"]).tolist() == [place.index(k) for k in starts]
    assert np.asarray(table.columns["max"]).tolist() == [
        len(place) - 1 - place[::-1].index(k) for k in starts
    ]


def test_buckets_before_1970_start_where_they_are_told(historian: Historian) -> None:
    historian.write([readings([-100, -51, -50, -1, 0, 49], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])])
    table = historian.trend("reading", "value", **SERIES, start_ns=-100, end_ns=50, buckets=3)
    assert table.ts_ns.tolist() == [-100, -50, 0]
    np.testing.assert_array_equal(table.columns["mean"], [1.5, 3.5, 5.5])


@pytest.mark.parametrize("newest", [None, 2])
def test_shifted_rows_at_a_bound_are_taken_by_their_own_time(
    historian: Historian, newest: int | None
) -> None:
    n = 400
    for ts in (10_000, 20_000, 30_000):
        fields: Columns = {"line": np.arange(n), "amplitude": np.full(n, 1.0), "frame": [f"a/b:e:{ts}"] * n}
        historian.write([rows("spectrum", [ts] * n, fields)])
    table = historian.read("spectrum", ["line"], site=SITE, start_ns=10_001, end_ns=20_001, newest=newest)
    assert set(table.ts_ns.tolist()) == {20_000}
    assert len(table) == (newest or n)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 12), st.integers(0, 400)), max_size=25), min_size=1, max_size=4
    )
)
@pytest.mark.long
def test_latest_stays_right_whatever_is_written_later(
    historian: Historian, story: list[list[tuple[int, int]]]
) -> None:
    """A backlog of a series that was quiet, one that is new, one that is far ahead."""
    site = f"s{abs(hash(str(story)))}"
    day = 86_400 * SECOND
    expected: dict[str, int] = {}
    for step in story:
        for series, days in step:
            expected[f"m{series}"] = max(days * day, expected.get(f"m{series}", 0))
            fields: Columns = {"state": [f"d{days}"]}
            historian.write(
                [rows("state", [days * day], fields, site=site, machine=f"m{series}", channel="")]
            )
        table = historian.latest("state", ["state"], site=site)
        assert dict(zip(table.machine, table.ts_ns.tolist(), strict=True)) == expected
        assert table.columns["state"] == tuple(f"d{ts // day}" for ts in table.ts_ns.tolist())


@pytest.mark.parametrize("n", [1, 5])
def test_the_newest_before_a_bound_are_not_hidden_by_what_begins_there(historian: Historian, n: int) -> None:
    for ts in (0, SECOND):
        fields: Columns = {"line": np.arange(n), "amplitude": np.full(n, 1.0), "frame": [f"a/b:e:{ts}"] * n}
        historian.write([rows("spectrum", [ts] * n, fields)])
    for newest in (1, n, n + 1):
        table = historian.read("spectrum", ["line"], site=SITE, end_ns=SECOND, newest=newest)
        assert table.ts_ns.tolist() == [0] * min(n, newest)
