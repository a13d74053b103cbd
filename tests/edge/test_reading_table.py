"""Rows [[source.value]]: read strictly, and made frames of."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.sources.reading_pace import Pace
from edge_agent.sources.reading_table import ReadingTable, Told
from palier.frames import QUALITY_BAD, QUALITY_GOOD

ROW: Mapping[str, object] = {"machine": "P-101", "point": "2", "channel": "T", "unit": "°C"}
SPEED: Mapping[str, object] = {
    "machine": "P-101",
    "point": "1",
    "channel": "n",
    "unit": "r/min",
    "scale": 0.1,
}
OTHER: Mapping[str, object] = {
    "machine": "B-501",
    "point": "1",
    "channel": "T",
    "unit": "°C",
    "offset": -273.15,
}


def table(*rows: Mapping[str, object]) -> ReadingTable:
    return ReadingTable.read(
        {"value": list(rows)}, ("register",), address=lambda row: row.own.get("register", row.place)
    )


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], r"at least one \[\[source\.value\]\] is needed"),
        (["T"], "value 1 must be a table"),
        ([{**ROW, "unti": "K"}], r"value 1: unknown key 'unti' \(did you mean \"unit\"\?\)"),
        ([{k: v for k, v in ROW.items() if k != "unit"}], r"value 1 \(P-101 2/T\): unit is missing"),
        ([{k: v for k, v in ROW.items() if k != "channel"}], "value 1: channel is missing"),
        ([{**ROW, "machine": "P 101"}], "value 1: machine: a name must match"),
        ([{**ROW, "unit": "x" * 17}], "unit must be 1 to 16 printable characters"),
        ([{**ROW, "scale": 0}], "scale must not be 0"),
        ([{**ROW, "scale": "0.1"}], "scale must be a number, got '0.1'"),
        ([{**ROW, "offset": 10**400}], "offset must be a number"),
        ([{**ROW, "low": 5, "high": 5}], "low must be below high, got 5 and 5"),
        ([ROW, OTHER, ROW], r"value 3 \(P-101 2/T\): is channel P-101 2/T, and so is value 1"),
        (
            [{**ROW, "register": 4}, {**OTHER, "register": 4}],
            r"value 2 \(B-501 1/T\): is read from 4, and so is value 1 \(P-101 2/T\)",
        ),
    ],
)
def test_a_mistake_has_its_sentence(rows: list[object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        ReadingTable.read(
            {"value": rows}, ("register",), address=lambda row: row.own.get("register", row.place)
        )


def test_a_row_that_counts_in_steps_needs_a_scale() -> None:
    with pytest.raises(ValueError, match=r"value 1 \(P-101 2/T\): scale is missing: how many °C one count"):
        ReadingTable.read({"value": [ROW]}, scale_needed=lambda _fields: True)


def test_machine_and_point_may_stand_in_the_source() -> None:
    rows = ReadingTable.read(
        {"machine": "P-101", "point": "2", "value": [{"channel": "T", "unit": "°C"}]}
    ).rows
    assert (rows[0].machine, rows[0].name) == ("P-101", "2/T")


def test_a_frame_for_each_machine_with_what_was_told() -> None:
    both = table(ROW, SPEED, OTHER).frames([Told(0, 61.5, 10), Told(1, 14_850, 20), Told(2, 300, 10)])
    pump, spindle = both
    assert (pump.machine, pump.channels, pump.unit) == ("P-101", ("2/T", "1/n"), ("°C", "r/min"))
    assert pump.times_ns.tolist() == [10, 20]
    np.testing.assert_array_equal(pump.values, [[61.5, math.nan], [math.nan, 1485]])
    assert (spindle.machine, spindle.channels) == ("B-501", ("1/T",))
    assert spindle.values[0, 0] == pytest.approx(26.85)


def test_what_is_outside_its_range_is_bad_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    rows = table({**ROW, "low": -40, "high": 150})
    with caplog.at_level(logging.ERROR):
        frames = [rows.frames([Told(0, value, at)])[0] for at, value in enumerate((20, 999, 20, 999))]
    assert [frame.quality for frame in frames] == [(QUALITY_GOOD,), (QUALITY_BAD,)] * 2
    assert math.isnan(frames[1].values[0, 0])
    (line,) = caplog.messages
    assert "value 1 (P-101 2/T) must be from -40 to 150 °C, got 999" in line


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_a_device_does_not_know_is_bad(value: float | None) -> None:
    (frame,) = table(ROW).frames([Told(0, value, 1)])
    assert frame.quality == (QUALITY_BAD,)
    assert math.isnan(frame.values[0, 0])


def test_devices_are_what_the_frames_will_be() -> None:
    rows = table(ROW, SPEED, OTHER)
    announced = {device.machine: [channel.name for channel in device.channels] for device in rows.devices()}
    assert announced == {"P-101": ["2/T", "1/n"], "B-501": ["1/T"]}


S = 1_000_000_000


def test_the_newest_of_each_half_minute_goes_once() -> None:
    pace = Pace(30)
    sent = []
    for second in range(0, 121, 10):
        pace.take([Told(0, second, second * S)])
        sent += pace.due(second * S)
    assert [one.value for one in sent] == [0, 30, 60, 90, 120]
    assert pace.due(10_000 * S) == []  # a device that is away: nothing is said again


def test_a_value_that_turns_bad_goes_at_once() -> None:
    pace = Pace(30)
    for second, value in ((0, 1.0), (1, None), (2, None), (3, 1.0)):
        pace.take([Told(0, value, second * S)])
        assert len(pace.due(second * S)) == (second != 2)


@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=60))
def test_no_clock_makes_it_silent_or_talkative(steps_ms: list[int]) -> None:
    pace, now_ns, sent = Pace(10), 0, []
    for step in steps_ms:
        now_ns += step * 1_000_000
        pace.take([Told(0, 1.0, now_ns)])
        sent += [one.time_ns for one in pace.due(now_ns)]
    assert len(sent) <= now_ns / (9.9 * S) + 1
    assert now_ns - sent[-1] <= 30 * S


def test_a_clock_that_was_set_back_makes_no_silence() -> None:
    pace = Pace(30)
    for at in (10_000, 10_030, 100, 130):
        pace.take([Told(0, 1.0, at * S)])
        assert pace.due(at * S)
