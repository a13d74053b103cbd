"""The plan's table: what it gives by default, and each mistake with its sentence."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from edge_agent.acquisition.plan import Plan, is_slow, read_plan
from edge_agent.acquisition.schedule import Rhythm, share_of
from edge_agent.acquisition.sensor import Sensor


def _sensor(fs_hz: float = 25_600.0, **other: Any) -> Sensor:
    return Sensor("P-101", "2", ("x", "y", "z"), fs_hz, (1e-3,) * 3, **other)


def test_without_a_table_the_plan_is_the_usual_one() -> None:
    assert read_plan(None, _sensor()) == Plan()
    assert read_plan({}, _sensor(26_667.0)).l_factor == 10  # 2667 Hz: its usable band holds 1000 Hz
    assert read_plan({}, _sensor(4_000.0)).l_factor == 1


def test_a_slow_machine_has_long_blocks() -> None:
    assert read_plan({}, _sensor(), 60.0).l_s == 20.0
    assert read_plan({}, _sensor(), 1_480.0).l_s == 16.0
    assert [is_slow(rpm) for rpm in (None, 599.0, 600.0, -1_480.0)] == [True, True, False, False]


def test_too_slow_a_sensor_has_no_danger_block() -> None:
    assert read_plan({}, _sensor(1_000.0)).danger is False


@pytest.mark.parametrize(
    ("table", "sensor", "speed_rpm", "words"),
    [
        ({"h_s": 700.0}, _sensor(), None, "h_s must not be longer than h_every_s, got 700 s each 600 s"),
        ({"l_every_s": 10.0}, _sensor(), 1_500.0, "l_s must not be longer than l_every_s"),
        ({"h_every_s": 10.0}, _sensor(), None, "must not be longer than h_every_s, got 16 s each 10 s"),
        ({"l_hz": 2_500.0}, _sensor(), None, "a whole number of times, got 2500; 2560 does"),
        ({"h_s": 1.0}, _sensor(), 900.0, "20 revolutions: at 900 r/min h_s must be at least 1.333, got 1"),
        ({"l_s": 16.0}, _sensor(), 30.0, "20 revolutions: at 30 r/min l_s must be at least 40, got 16"),
        ({"h_s": 30.0}, _sensor(), 1_500.0, "h_s must be at most 27 s: 3 channels of 25600 Hz must fit"),
        ({"danger": True}, _sensor(1_000.0), None, "needs a velocity up to 1000 Hz, so at least 2560 Hz"),
        ({"danger": "yes"}, _sensor(), None, "danger must be true or false, got 'yes'"),
        ({"h_every": 600}, _sensor(), None, "unknown key 'h_every' (did you mean \"h_every_s\" or"),
        ({"waveforms": 600}, _sensor(), None, "unknown key 'waveforms' (known: h_every_s"),
        ({"h_every_s": True}, _sensor(), None, "h_every_s must be a number above 0, got True"),
        ({"h_s": 0.1}, _sensor(), None, "h_s must be 0.25 to 86400 seconds, got 0.1"),
        ({"danger_mm_s": -1}, _sensor(), None, "danger_mm_s must be a number above 0, got -1"),
        ([1], _sensor(), None, "plan must be a table, [source.plan], got [1]"),
        ({}, _sensor(unit="unknown"), None, 'unit must be "g" or "m/s²" to be cut into blocks'),
    ],
)
def test_each_mistake_has_its_sentence(
    table: object, sensor: Sensor, speed_rpm: float | None, words: str
) -> None:
    with pytest.raises(ValueError, match="plan") as caught:
        read_plan(table, sensor, speed_rpm)
    assert words in str(caught.value)


def test_machines_are_spread_over_the_period_and_keep_their_place() -> None:
    shares = sorted(share_of(f"P-{i}") for i in range(200))
    assert max(b - a for a, b in itertools.pairwise(shares)) < 0.06
    rhythm = Rhythm(600.0, 0.25)
    assert rhythm.first_s == 15.0
    assert rhythm.after(15.0, 4.0) == 150.0
    assert rhythm.after(150.0, 4.0) == 750.0
    assert rhythm.after(700.0, 4.0) == 750.0
    assert rhythm.after(150.0, 600.0) == 750.0  # one behind the other, without a pause
