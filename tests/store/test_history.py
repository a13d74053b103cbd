"""The history as tables: the same of every historian."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from palier.historian import history_reading
from palier.historian.base import Historian
from palier.historian.history import History, HistoryError
from tests.support.stores import SECOND, SITE, Columns, readings, rows

HOUR = 3600 * SECOND
DAY = 24 * HOUR
NOON = 1_780_056_000 * SECOND  # 29 May 2026 12:00 UTC


BOTH = pytest.mark.parametrize("historian", ["sqlite", "influx-1.6"], indirect=True)
ONE = pytest.mark.parametrize("historian", ["sqlite"], indirect=True)
"""For what does not depend on the store."""


@pytest.fixture
def history(historian: Historian) -> History:
    """Two machines: features of two channels each hour, two readings of one, one state of a third."""
    values = np.arange(4.0)
    for machine in ("pompe-2", "pompe-1"):
        for channel in ("x", "y"):
            columns: Columns = {
                "kurtosis": values + 0.1,
                "speed_rpm": np.array([1480.0, np.nan, 1480.0, 1480.0]),
            }
            texts: Columns = {"zone": ["A", None, "B", "C"], "frame": [f"usine/gw:e:{k}" for k in range(4)]}
            times = [NOON + k * HOUR for k in range(4)]
            historian.write([rows("feature", times, {**columns, **texts}, machine=machine, channel=channel)])
    historian.write([readings([NOON, NOON + HOUR], [50.5, 51.5], channel="t")])
    state: Columns = {"state": ["normal"], "severity": np.ones(1, dtype=np.int64)}
    historian.write([rows("state", [NOON], state, machine="motoreducteur", point="", channel="")])
    return History(historian, SITE, plant=None, waveforms=None)


@BOTH
def test_rows_come_machine_by_machine_in_order_of_time(history: History) -> None:
    table = history.features(columns=["kurtosis", "speed_rpm", "zone"])
    assert table.names == ("time", "machine", "point", "channel", "kurtosis", "speed_rpm", "zone")
    assert table["machine"].tolist() == ["pompe-1"] * 8 + ["pompe-2"] * 8
    assert table["time"][:3].tolist() == [NOON, NOON, NOON + HOUR]
    assert table["channel"][:4].tolist() == ["x", "y", "x", "y"]
    assert table["time"].dtype == np.dtype("M8[ns]")


@BOTH
def test_numbers_keep_their_precision_and_what_is_not_known_is_so(history: History) -> None:
    table = history.features("pompe-1", channel="x", columns=["kurtosis", "speed_rpm", "zone"])
    assert table["kurtosis"].dtype == np.float32
    assert table["kurtosis"].tolist() == (np.arange(4.0) + 0.1).astype(np.float32).tolist()
    assert np.isnan(table["speed_rpm"]).tolist() == [False, True, False, False]
    assert table["zone"].tolist() == ["A", None, "B", "C"]
    assert table.units == {"kurtosis": "1", "speed_rpm": "r/min"}


@ONE
def test_a_time_is_asked_for_as_one_has_it(history: History) -> None:
    starts = (
        "2026-05-29T13:00",
        "2026-05-29T15:00+02:00",
        datetime(2026, 5, 29, 15, tzinfo=timezone(timedelta(hours=2))),
        np.datetime64("2026-05-29T13:00"),
        NOON + HOUR,
    )
    for start in starts:
        table = history.features("pompe-1", channel="x", columns=(), start=start, end=NOON + 3 * HOUR)
        assert table["time"].tolist() == [NOON + HOUR, NOON + 2 * HOUR], start


WRONG: list[tuple[dict[str, object], str]] = [
    ({"machine": "pompe-3"}, 'no machine \'pompe-3\' (did you mean "pompe-2" or "pompe-1"?)'),
    ({"machine": "x' OR '1'='1"}, "there are motoreducteur, pompe-1, pompe-2"),
    ({"machine": "pompe-1", "point": "palier-9"}, "no point 'palier-9' (did you mean \"palier-1\""),
    ({"machine": "pompe-1", "channel": "\x00z"}, "no channel '\\x00z'; there are t, x, y"),
    ({"columns": ["kurtosi"]}, "no column 'kurtosi' (did you mean \"kurtosis\""),
    ({"start": NOON, "end": NOON}, "the period is empty"),
    ({"start": "yesterday"}, "start must be a time"),
    ({"end": datetime(2026, 5, 29)}, "end must say its time zone"),
]


@ONE
def test_what_can_t_be_answered_says_what_to_ask(history: History) -> None:
    for asked, told in WRONG:
        with pytest.raises(HistoryError) as refused:
            history.features(**asked)  # type: ignore[arg-type]
        assert told in str(refused.value)
    with pytest.raises(HistoryError, match="there is no measurement 'featur'; there are feature, reading"):
        history.read("featur")


@BOTH
def test_a_machine_without_rows_of_a_kind_has_an_empty_table_of_it(history: History) -> None:
    table = history.features("motoreducteur", columns=["kurtosis", "zone"])
    assert (len(table), table.names) == (0, ("time", "machine", "point", "channel", "kurtosis", "zone"))
    assert history.machines() == ("motoreducteur", "pompe-1", "pompe-2")
    assert len(history.scores()) == 0


@ONE
def test_a_series_tells_its_newest_row(history: History) -> None:
    table = history.series("reading")
    assert [table[name].tolist() for name in table.names] == [
        ["pompe-1"], ["palier-1"], ["t"], [NOON + HOUR],
    ]  # fmt: skip


@ONE
def test_temperatures_are_the_readings_in_degrees(history: History, historian: Historian) -> None:
    load: Columns = {"value": np.array([80.0]), "unit": ["%"], "frame": ["usine/gw:e:9"]}
    historian.write([rows("reading", [NOON], load, channel="load")])
    assert history.temperatures()["value"].tolist() == [50.5, 51.5]
    assert history.readings(columns=["value"])["value"].tolist() == [80.0, 50.5, 51.5]


@BOTH
def test_pieces_are_bounded_and_together_everything(
    historian: Historian, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows long before, a gap of two months, then some weeks of them."""
    monkeypatch.setattr(history_reading, "NUMBERS_AT_ONCE", 500)  # of one number and its key: 100 rows
    times = [NOON - 900 * DAY, NOON - 60 * DAY, *(NOON + k * HOUR // 6 for k in range(3000))]
    historian.write([readings(times, [float(k) for k in range(len(times))])])
    history = History(historian, SITE, plant=None, waveforms=None)
    pieces = list(history.chunks("reading", columns=["value"]))
    assert np.concatenate([piece["time"] for piece in pieces]).tolist() == times
    sizes = list(map(len, pieces))
    assert max(sizes) <= 4 * 144, "the first of them meets the dense rows unprepared"
    assert sorted(sizes)[-2] <= 100
    assert history.readings(columns=["value"])["value"].tolist() == list(map(float, range(len(times))))
    span = history.span_ns("reading")
    assert span is not None
    assert span[0] <= times[0] < span[0] + 2 * DAY
    assert span[1] == times[-1] + 1


@BOTH
def test_what_is_written_meanwhile_waits_for_the_next_question(
    historian: Historian, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_reading, "NUMBERS_AT_ONCE", 50)
    historian.write([readings([NOON + k * SECOND for k in range(100)], [1.0] * 100)])
    history = History(historian, SITE, plant=None, waveforms=None)
    pieces = history.chunks("reading", columns=["value"])
    rows_read = len(next(pieces))
    historian.write([readings([NOON + 200 * SECOND], [2.0], frame="usine/gw:e:2")])
    assert rows_read + sum(map(len, pieces)) == 100
    assert len(history.readings(columns=["value"])) == 101


@ONE
def test_a_table_is_a_data_frame_where_pandas_is(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    table = history.features("pompe-1", columns=["kurtosis", "zone"])
    frame = table.where(table["channel"] == "y").to_pandas()
    assert list(frame.columns) == list(table.names)
    assert frame["time"][0] == datetime(2026, 5, 29, 12, tzinfo=UTC)
    assert frame.attrs["units"] == {"kurtosis": "1"}
    assert frame["machine"].dtype == "category"
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(HistoryError, match=r"needs pandas, .* pip install '\.\[notebook\]'"):
        table.to_pandas()


@ONE
def test_a_column_that_is_not_there_names_those_that_are(history: History) -> None:
    table = history.features("pompe-1", columns=["kurtosis"])
    with pytest.raises(HistoryError, match="no column 'crest'; it has time, machine"):
        table["crest"]
