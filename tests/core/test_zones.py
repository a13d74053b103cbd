"""From a value and its limits to a state; and from points to their machine."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.detection.zones import (
    Judgement,
    LimitKind,
    LimitSet,
    intervals,
    judge,
    rank,
    severities,
    unknown,
    worst,
    worst_of,
)
from models.types import Refusal, State


def _limits(kind: LimitKind, *values: float, **more: object) -> LimitSet:
    fields: dict[str, object] = {"quantity": "velocity_rms_mm_s", "band_hz": (10.0, 1000.0), **more}
    return LimitSet("id", "standard", "2022", "source", "none", kind=kind, values=values, **fields)  # type: ignore[arg-type]


ZONES = _limits(LimitKind.ZONES, 1.4, 2.8, 4.5, slow_band_hz=(2.0, 1000.0))
THREE = _limits(LimitKind.THREE_VALUES, 4.5, 7.1, 9.0)
THREE_WITHOUT_SHUTDOWN = _limits(LimitKind.THREE_VALUES, 10.0, 10.6)
TWO = _limits(LimitKind.TWO_VALUES, 80.0, 95.0, quantity="temperature_c", band_hz=None)


@pytest.mark.parametrize(
    ("limits", "value", "state", "severity", "zone", "limit_name"),
    [
        (ZONES, 0.0, State.NORMAL, 1, "A", None),
        (ZONES, 1.4, State.NORMAL, 1, "A", None),  # a value that equals a limit belongs to the better zone
        (ZONES, 1.41, State.NORMAL, 1, "B", "A/B"),
        (ZONES, 2.8, State.NORMAL, 1, "B", "A/B"),
        (ZONES, 2.81, State.ALERT, 3, "C", "B/C"),
        (ZONES, 4.5, State.ALERT, 3, "C", "B/C"),
        (ZONES, 4.51, State.DANGER, 5, "D", "C/D"),
        (THREE, 4.5, State.NORMAL, 1, None, None),
        (THREE, 4.6, State.WATCH, 2, None, "startup"),
        (THREE, 7.1, State.WATCH, 2, None, "startup"),
        (THREE, 7.2, State.ALERT, 3, None, "alarm"),
        (THREE, 9.0, State.ALERT, 3, None, "alarm"),
        (THREE, 9.1, State.DANGER, 5, None, "shutdown"),
        (THREE_WITHOUT_SHUTDOWN, 50.0, State.ALERT, 3, None, "alarm"),
        (TWO, 80.0, State.NORMAL, 1, None, None),
        (TWO, 81.0, State.ALERT, 3, None, "alert"),
        (TWO, 96.0, State.DANGER, 5, None, "danger"),
    ],
)
def test_the_map(
    limits: LimitSet, value: float, *, state: State, severity: int, zone: str | None, limit_name: str | None
) -> None:
    judgement = judge(value, limits)
    assert (judgement.state, judgement.judged, judgement.severity) == (state, state, severity)
    assert (judgement.zone, judgement.limit_name) == (zone, limit_name)
    assert judgement.learning  # only the standard has judged
    assert judgement.limits_id == "id"


def test_what_has_no_limits_is_learning_never_normal() -> None:
    judgement = judge(0.1, None, unit="unknown")
    assert judgement.state is State.LEARNING
    assert judgement.judged is None
    assert judgement.severity == 0


@pytest.mark.parametrize(
    ("value", "known", "reason", "remedy"),
    [
        (1.0, {"unit": "unknown"}, "unit_unknown", "give_unit"),
        (math.nan, {"fs_hz": 2000.0}, "band_too_narrow", "raise_sampling_rate"),
        (None, {"fs_hz": 25_600.0, "n_samples": 2048}, "block_too_short", "lengthen_block"),
        (math.nan, {}, "not_finite", "check_sensor"),
        (math.inf, {}, "not_finite", "check_sensor"),
        (None, {}, "no_data", "check_gateway"),
    ],
)
def test_what_can_not_be_judged_is_unknown_with_reason_and_remedy(
    value: float | None, known: dict[str, object], reason: str, remedy: str
) -> None:
    judgement = judge(value, ZONES, **known)  # type: ignore[arg-type]
    assert judgement.state is State.UNKNOWN
    assert (judgement.reason, judgement.remedy) == (reason, remedy)
    assert judgement.severity == 0


def test_a_machine_known_to_stand_still_is_stopped_whatever_its_value() -> None:
    assert judge(9.9, ZONES, speed_hz=0.0).state is State.STOPPED
    assert judge(None, None, speed_hz=0.0).state is State.STOPPED
    assert judge(9.9, ZONES, speed_hz=None).state is State.DANGER  # an unknown speed is not 0


def test_below_600_r_min_the_band_starts_at_2_hz_where_the_standard_says_so() -> None:
    assert ZONES.feature(9.9) == "velocity_rms_low_mm_s"
    assert ZONES.feature(10.0) == ZONES.feature(None) == ZONES.feature(0.0) == "velocity_rms_mm_s"
    assert THREE.feature(9.9) == "velocity_rms_mm_s"


def test_a_rate_just_wide_enough_is_judged() -> None:
    assert judge(1.0, ZONES, fs_hz=2560.0).state is State.NORMAL
    assert judge(20.0, TWO, fs_hz=1.0, unit="°C").state is State.NORMAL  # a temperature has no band


@given(st.lists(st.floats(0, 20), max_size=20))
def test_the_whole_array_is_judged_as_each_of_its_values(values: list[float]) -> None:
    assert severities(values, ZONES).tolist() == [judge(v, ZONES).severity for v in values]


def test_what_is_no_number_has_no_severity() -> None:
    assert severities([np.nan, np.inf, 1.0], ZONES).tolist() == [0, 0, 1]
    assert intervals([np.nan, 100.0], ZONES).tolist() == [-1, 3]


@given(st.floats(0, 100), st.floats(0, 100), st.sampled_from([ZONES, THREE, THREE_WITHOUT_SHUTDOWN, TWO]))
def test_a_higher_value_is_never_judged_better(a: float, b: float, limits: LimitSet) -> None:
    low, high = sorted((a, b))
    assert judge(low, limits).severity <= judge(high, limits).severity
    assert rank(judge(low, limits).state) <= rank(judge(high, limits).state)


@pytest.mark.parametrize(
    ("values", "more"),
    [((1.0, 2.0), {}), ((2.0, 1.0, 3.0), {}), ((0.0, 1.0, 2.0), {}), ((1.0, 2.0, math.inf), {}),
     ((1.0, 2.0, 3.0), {"band_hz": (10.0, 5.0)}), ((1.0, 2.0, 3.0), {"displacement_um": (3.0, 2.0, 1.0)})],
)  # fmt: skip
def test_limits_that_can_not_be_are_refused(values: tuple[float, ...], more: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="limits id"):
        _limits(LimitKind.ZONES, *values, **more)


def test_an_abnormal_point_speaks_for_its_machine_even_beside_an_unknown_one() -> None:
    assert worst([State.UNKNOWN, State.NORMAL, State.ALERT]) is State.ALERT
    assert worst([State.WATCH, State.UNKNOWN]) is State.WATCH


def test_a_calm_state_holds_only_if_it_holds_at_every_point() -> None:
    assert worst([State.NORMAL, State.UNKNOWN]) is State.UNKNOWN
    assert worst([State.NORMAL, State.LEARNING]) is State.LEARNING
    assert worst([State.STOPPED, State.NORMAL]) is State.NORMAL
    assert worst([State.STOPPED, State.STOPPED]) is State.STOPPED
    assert worst([]) is State.UNKNOWN


@given(st.lists(st.sampled_from(State), min_size=1))
def test_the_order_of_the_points_does_not_matter_and_no_state_is_invented(states: list[State]) -> None:
    assert worst(states) is worst(states[::-1])
    assert worst(states) in states


def test_the_judgement_that_speaks_is_the_one_furthest_over_its_limit() -> None:
    a, b = judge(3.0, ZONES), judge(4.0, ZONES)
    assert worst_of([a, b, judge(0.1, ZONES)]) == b


def test_of_equally_normal_judgements_the_first_speaks() -> None:
    vibration, temperature = judge(1.0, ZONES), Judgement(State.NORMAL, judged=State.NORMAL, severity=1)
    assert worst_of([replace(vibration, learning=False), temperature]).zone == "A"
    assert worst_of([temperature, vibration]).zone is None


def test_a_machine_is_learning_as_long_as_one_of_its_points_is() -> None:
    settled = Judgement(State.ALERT, judged=State.ALERT, severity=3, value=3.0, limit=2.8)
    assert worst_of([settled]).learning is False
    assert worst_of([settled, judge(1.0, ZONES)]).learning is True


def test_no_judgement_at_all_is_no_data() -> None:
    assert worst_of([]) == unknown(Refusal("no_data", "check_gateway"))
