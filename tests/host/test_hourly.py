"""What stays of an hour: computed from all its rows, once it is closed, and again whenever rows came late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.batch import WorkFrame
from ingest.hourly import dirty_hours, fields_of, hour_rows, numbers_of, worth_writing
from palier.frames import Frame, Readings
from palier.historian.base import Rows, Table
from palier.historian.rows import HOUR_NS, DirtyHour
from palier.historian.schema import MEASUREMENTS
from palier.historian.sqlite import SqliteHistorian
from tests.support.gateway import readings, waveform

T0 = 1_790_000_000 * 10**9 // HOUR_NS * HOUR_NS
SECOND = 10**9


def work(frame: Frame, site: str = "usine") -> WorkFrame:
    return WorkFrame(None, site, frame, False, "topic", b"raw")


def test_the_hours_of_frames_are_each_marked_once() -> None:
    table = readings(T0 + HOUR_NS - 2 * SECOND, "p1/t", [1.0, 2.0, 3.0, 4.0])
    frames: list[Frame] = [
        waveform(T0),
        waveform(T0 + HOUR_NS - 1),
        waveform(T0, machine="b", point="p2"),
        table,
    ]
    marks = dirty_hours([*(work(frame) for frame in frames), work(waveform(T0), site="autre")])
    assert sorted(marks, key=str) == sorted(
        [
            DirtyHour("usine", "pompe", T0),
            DirtyHour("usine", "pompe", T0 + HOUR_NS),
            DirtyHour("usine", "b", T0),
            DirtyHour("autre", "pompe", T0),
        ],
        key=str,
    )
    assert dirty_hours([]) == ()


def test_a_table_that_spans_days_marks_only_hours_it_has_times_in() -> None:
    times = np.array([T0, T0 + 50 * HOUR_NS], dtype=np.int64)
    table = Readings("pompe", ("p1/t",), times, np.array([[1.0, 2.0]]), ("°C",))
    assert [mark.start_ns for mark in dirty_hours([work(table)])] == [T0, T0 + 50 * HOUR_NS]


# One hour ---------------------------------------------------------------------------------------------------

Row = tuple[str, str, float, str | None]
"""(point, channel, value, text)."""


def raw(name: str, found: Sequence[Row], machine: str = "m") -> Table:
    """Rows a second apart; each number is the value plus its place among the numbers."""
    point, channel, values, texts = zip(*found, strict=True) if found else ((),) * 4
    numbers = np.array(values, dtype=np.float64)
    columns: dict[str, object] = {field: numbers + i for i, field in enumerate(numbers_of(name))}
    columns[fields_of(name)[-1]] = tuple(texts)
    times = T0 + np.arange(len(found), dtype=np.int64) * SECOND
    return Table(times, (machine,) * len(found), point, channel, columns)  # type: ignore[arg-type]


def as_dicts(rows: Rows) -> dict[tuple[str, str, str], dict[str, object]]:
    series = zip(rows.machine, rows.point, rows.channel, strict=True)
    return {one: {name: column[i] for name, column in rows.fields.items()} for i, one in enumerate(series)}


_value = st.one_of(st.just(np.nan), st.floats(-1e6, 1e6, allow_subnormal=False))
_row = st.tuples(
    st.sampled_from(["p1", "p2", ""]),
    st.sampled_from(["h", "v"]),
    _value,
    st.sampled_from(["A", "B", "C", "D", None]),
)


@pytest.mark.parametrize("name", ["feature", "reading"])
@given(found=st.lists(_row, max_size=30))
def test_an_hour_is_what_a_loop_finds(name: str, found: list[Row]) -> None:
    rows = hour_rows(name, raw(name, found), site="usine", hour_ns=T0)
    hours = as_dicts(rows)
    assert set(hours) == {("m", point, channel) for point, channel, _, _ in found}
    assert set(rows.fields) == set(MEASUREMENTS[f"{name}_hourly"].names)
    assert (set(rows.site), set(rows.ts_ns.tolist())) == (({"usine"}, {T0}) if found else (set(), set()))
    for (_, point, channel), hour in hours.items():
        mine = [row for row in found if row[:2] == (point, channel)]
        texts = [text for _, _, _, text in mine if text is not None]
        assert hour["blocks"] == len(mine)
        if name == "feature":
            assert hour["zone"] == (max(texts) if texts else None)
        else:
            assert hour["unit"] == (texts[-1] if texts else None)
        for i, field in enumerate(numbers_of(name)):
            known = [value + i for _, _, value, _ in mine if not np.isnan(value)]
            got = [float(str(hour[f"{field}_{what}"])) for what in ("mean", "min", "max")]
            if not known:
                assert np.isnan(got).all()
            else:
                assert got[1:] == [min(known), max(known)]
                assert got[0] == pytest.approx(sum(known) / len(known), rel=1e-9, abs=1e-6)


def test_the_historian_takes_an_hour_and_gives_it_back(tmp_path: Path) -> None:
    historian = SqliteHistorian(tmp_path / "h.sqlite")
    for name in ("feature", "reading"):
        hour = hour_rows(
            name,
            raw(name, [("p", "h", 2.0, "B"), ("p", "h", 4.0, "A"), ("p", "v", np.nan, None)]),
            site="usine",
            hour_ns=T0,
        )
        for _ in range(2):
            (report,) = historian.write([hour])
            assert (report.accepted, report.rejected) == (2, ())
        first = numbers_of(name)[0]
        table = historian.read(f"{name}_hourly", [f"{first}_mean", "blocks"], site="usine", machine="m")
        assert table.channel == ("h", "v")
        np.testing.assert_array_equal(table.columns[f"{first}_mean"], [3.0, np.nan])
        np.testing.assert_array_equal(table.columns["blocks"], [2.0, 1.0])
    historian.close()


def test_rows_of_two_machines_are_not_mixed() -> None:
    one, other = raw("reading", [("p", "t", 1.0, "°C")], "a"), raw("reading", [("p", "t", 9.0, "°C")], "b")
    both = Table(
        np.concatenate([one.ts_ns, other.ts_ns]),
        one.machine + other.machine,
        one.point + other.point,
        one.channel + other.channel,
        {"value": np.array([1.0, 9.0]), "unit": ("°C", "°C")},
    )
    hours = as_dicts(hour_rows("reading", both, site="usine", hour_ns=T0))
    assert {machine: hour["value_mean"] for (machine, _, _), hour in hours.items()} == {"a": 1.0, "b": 9.0}


# What is worth writing --------------------------------------------------------------------------------------


def kept(*blocks: tuple[str, float]) -> Table:
    n = len(blocks)
    channels = tuple(channel for channel, _ in blocks)
    counts = np.array([count for _, count in blocks])
    return Table(np.full(n, T0), ("m",) * n, ("p",) * n, channels, {"blocks": counts})


def hour(*blocks: tuple[str, int]) -> Rows:
    found: list[Row] = [("p", channel, 1.0, "A") for channel, count in blocks for _ in range(count)]
    return hour_rows("feature", raw("feature", found), site="usine", hour_ns=T0)


@pytest.mark.parametrize("gone", [False, True])
def test_an_hour_that_is_not_kept_yet_is_written(gone: bool) -> None:
    rows = hour(("h", 2), ("v", 1))
    assert worth_writing(rows, kept(), raw_may_be_gone=gone) is rows


def test_an_hour_is_replaced_by_as_much_or_more_and_never_by_less() -> None:
    rows = hour(("h", 2), ("v", 3), ("w", 4))
    good = worth_writing(rows, kept(("h", 3.0), ("v", 3.0), ("w", 1.0)), raw_may_be_gone=False)
    assert good.channel == ["v", "w"]
    assert {len(column) for column in good.fields.values()} == {2}
    assert len(worth_writing(hour(("h", 2)), kept(("h", 3.0)), raw_may_be_gone=False)) == 0


def test_where_raw_rows_may_be_gone_only_more_of_them_replace_what_is_kept() -> None:
    rows = hour(("h", 3), ("v", 4), ("w", 1))
    assert worth_writing(rows, kept(("h", 3.0), ("v", 3.0)), raw_may_be_gone=True).channel == ["v", "w"]


def test_a_frame_with_the_latest_time_there_can_be_has_its_hour() -> None:
    latest_ns = 2**63 - 60 * 10**9  # a block must end before 2^63
    frame = replace(waveform(T0), start_ns=latest_ns)
    assert dirty_hours([work(frame)])[0].start_ns == latest_ns // HOUR_NS * HOUR_NS
