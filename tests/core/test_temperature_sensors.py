"""Which temperatures may be judged."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.detection.sensors import Assessment
from models.detection.temperature_sensors import TEMPERATURE_RULES, assess_temperatures

MINUTES = np.arange(0.0, 3 * 3600 + 1, 60.0)
AMBIENT = 24 + 2 * np.sin(MINUTES / 5000)


def told(assessment: Assessment, row: int = 0) -> tuple[str, list[str]]:
    return str(assessment.verdict[row]), [refusal.reason for refusal in assessment.reasons(row)]


def warm(**changes: float) -> np.ndarray:
    """A bearing at 55 °C; `changes` are {"m90": value} at the minutes of that number and after."""
    values = np.full(MINUTES.size, 55.0) + 0.1 * np.sin(np.arange(MINUTES.size))
    for name, value in changes.items():
        values[int(name[1:]) :] = value
    return values


def one(values: np.ndarray, **known: object) -> tuple[str, list[str]]:
    return told(assess_temperatures(values[None, :], MINUTES, **known))  # type: ignore[arg-type]


OK = ("ok", [])


def test_a_warm_bearing_is_judged() -> None:
    assert one(warm(), ambient_c=AMBIENT, running_s=1e6, vibration_change=1.0) == OK
    assert one(warm()) == OK


@pytest.mark.parametrize(
    ("value", "reason"), [(249.0, None), (850.0, "open_circuit"), (-49.0, None), (-200.0, "short_circuit")]
)
def test_broken_wires_are_seen_in_the_last_value_that_is_known(value: float, reason: str | None) -> None:
    values = warm(m178=value, m179=math.nan)
    assert one(values) == (OK if reason is None else ("refused", [reason]))
    assert one(warm(m90=value, m91=55.0)) == OK


@pytest.mark.parametrize(("value", "reason"), [(math.inf, "open_circuit"), (-math.inf, "short_circuit")])
def test_a_wire_that_is_broken_for_good_or_for_now_reads_beyond_all_bounds(value: float, reason: str) -> None:
    for minute in ("m0", "m178", "m180"):
        assert one(warm(**{minute: value}), ambient_c=AMBIENT, vibration_change=1.0)[1][:1] == [reason]


@pytest.mark.parametrize(
    ("rise", "change", "jumps"), [(9.8, 1.0, False), (10.2, 1.0, True), (30.0, 2.0, False)]
)
def test_a_housing_warms_slowly_unless_it_shakes(rise: float, change: float, jumps: bool) -> None:
    values = np.full(MINUTES.size, 50.0)
    values[90:] += rise
    expected = ("refused", ["temperature_jump"]) if jumps else OK
    assert one(values, vibration_change=change) == expected
    assert one(values) == OK  # whether it shakes is not known


def test_a_jump_behind_a_gap_is_a_jump() -> None:
    """40 K in two minutes, the reading between them missing: a loose wire loses some before it jumps."""
    values = np.full(MINUTES.size, 50.0)
    values[90:] += 40
    values[89] = np.nan
    assert one(values, vibration_change=1.0) == ("refused", ["temperature_jump"])
    values[60:90] = np.nan  # 40 K in half an hour
    assert one(values, vibration_change=1.0) == OK


def test_the_last_digit_of_readings_a_second_apart_is_no_jump() -> None:
    times = np.arange(600.0)
    values = 50 + 0.5 * (times % 2)
    assert told(assess_temperatures(values[None, :], times, vibration_change=1.0)) == OK


@pytest.mark.parametrize(
    ("aside", "running_s", "off"), [(0.4, 7300.0, True), (0.6, 7300.0, False), (0.4, 7100.0, False)]
)
def test_a_sensor_that_came_off_follows_the_air(aside: float, running_s: float, off: bool) -> None:
    values = AMBIENT + aside
    expected = ("refused", ["sensor_off"]) if off else OK
    assert one(values, ambient_c=AMBIENT, running_s=running_s) == expected
    assert one(values, running_s=running_s) == one(values, ambient_c=AMBIENT) == OK


def test_two_hours_must_have_been_seen() -> None:
    short = slice(0, 115)
    found = assess_temperatures(AMBIENT[None, short], MINUTES[short], ambient_c=AMBIENT[short], running_s=1e6)
    assert told(found) == OK


def test_each_sensor_of_a_batch_stands_for_itself() -> None:
    values = np.stack([warm(), warm(m100=900.0), AMBIENT, np.full(MINUTES.size, math.nan)])
    found = assess_temperatures(
        values, MINUTES, ambient_c=AMBIENT, running_s=[1e6, 1e6, 1e6, 1e6], vibration_change=[1, 2, 1, 1]
    )
    assert [told(found, row)[1] for row in range(4)] == [[], ["open_circuit"], ["sensor_off"], []]
    assert found.found.shape == (4, len(TEMPERATURE_RULES))


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="with a time each"):
        assess_temperatures(np.zeros(5), np.arange(5.0))
    with pytest.raises(ValueError, match="with a time each"):
        assess_temperatures(np.zeros((1, 5)), np.arange(4.0))
    for times in ([1.0, 1.0], [0.0, math.nan]):
        with pytest.raises(ValueError, match="times_s must be finite and rise, got"):
            assess_temperatures(np.zeros((1, 2)), np.array(times))
    with pytest.raises(ValueError, match="times_s must be finite"):
        assess_temperatures(np.zeros((1, 1)), np.array([math.nan]))
    for name, sentence in (("running_s", "one for each of the 3"), ("ambient_c", r"\(2,\) or \(3, 2\), got")):
        with pytest.raises(ValueError, match=f"{name} must be .*{sentence}"):
            assess_temperatures(np.zeros((3, 2)), np.arange(2.0), **{name: np.zeros(4)})
