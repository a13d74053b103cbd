"""Severity 1 to 5: zone, ratios, trend, temperature, and what the envelope may not say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.detection.zones import LimitKind, LimitSet
from models.diagnosis import Evidence, Fault, Indicators, diagnose, indicators, severity, views_of
from models.diagnosis.severity import ACTIONS, Action, hard
from tests.support.sick_cases import case, everywhere, finding, with_findings
from tests.support.sick_machines import Signal, machine, observed, shaft


@pytest.mark.parametrize(
    ("seen", "level"),
    [
        (Indicators(), 1),
        (Indicators(zone=1), 1),
        (Indicators(zone=1, grown_in_zone=0.3), 2),
        (Indicators(zone=1, grown_in_zone=0.2), 1),
        (Indicators(zone=3), 3),
        (Indicators(zone=3, rising=True), 4),
        (Indicators(zone=5), 5),
        (Indicators(acceleration_ratio=1.9), 1),
        (Indicators(acceleration_ratio=2.0), 2),
        (Indicators(acceleration_ratio=4.0), 3),
        (Indicators(acceleration_ratio=8.0), 4),
        (Indicators(acceleration_ratio=16.0), 5),
        (Indicators(velocity_ratio=2.0), 2),
        (Indicators(velocity_ratio=4.0), 3),
        (Indicators(velocity_ratio=16.0), 3),
        (Indicators(velocity_ratio=8.0, acceleration_ratio=4.0), 4),
        (Indicators(velocity_ratio=16.0, stage_3=True), 5),
        (Indicators(envelope=2.0), 2),
        (Indicators(envelope=4.0), 3),
        (Indicators(envelope=40.0), 3),
        (Indicators(envelope=40.0, doubling_days=5.0), 3),
        (Indicators(envelope=40.0, stage_3=True), 3),
        (Indicators(acceleration_ratio=2.0, doubling_days=20.0), 3),
        (Indicators(acceleration_ratio=4.0, doubling_days=20.0), 4),
        (Indicators(acceleration_ratio=4.0, doubling_days=5.0), 5),
        (Indicators(doubling_days=31.0), 1),
        (Indicators(doubling_days=20.0), 2),
        (Indicators(doubling_days=5.0), 3),
        (Indicators(zone=3, doubling_days=20.0), 3),
        (Indicators(temperature=3), 3),
        (Indicators(temperature=5), 5),
        (Indicators(temperature=3, doubling_days=5.0), 3),
    ],
)
def test_the_severity_is_that_of_the_worst_indicator(seen: Indicators, level: int) -> None:
    assert severity(seen).level == level


def test_a_named_bearing_is_watched_or_planned_but_not_stopped() -> None:
    assert severity(Indicators(), named_bearing=2).level == 2
    assert severity(Indicators(), named_bearing=3).level == 3
    assert severity(Indicators(envelope=100.0), named_bearing=3).level == 3


ratios = st.one_of(st.just(float("nan")), st.floats(0.1, 40))
seen = st.builds(
    Indicators,
    zone=st.sampled_from([0, 1, 2, 3, 5]),
    grown_in_zone=st.one_of(st.just(float("nan")), st.floats(-1, 2)),
    rising=st.booleans(),
    velocity_ratio=ratios,
    acceleration_ratio=ratios,
    envelope=ratios,
    doubling_days=st.one_of(st.just(float("inf")), st.floats(1, 100)),
    stage_3=st.booleans(),
    temperature=st.sampled_from([0, 1, 3, 5]),
)


@given(seen)
def test_four_and_five_need_more_than_an_envelope(state: Indicators) -> None:
    found = severity(state, named_bearing=3)
    assert 1 <= found.level <= 5
    assert found.level <= 3 or hard(state)


@given(seen, st.floats(1, 1000))
def test_no_envelope_raises_a_severity_above_three(state: Indicators, envelope: float) -> None:
    without = severity(replace(state, envelope=float("nan"))).level
    assert severity(replace(state, envelope=envelope, doubling_days=np.inf)).level <= max(3, without)


@given(seen)
def test_what_is_unknown_never_makes_it_worse(state: Indicators) -> None:
    unknown = replace(state, velocity_ratio=float("nan"), acceleration_ratio=float("nan"), zone=0)
    assert severity(unknown).level <= severity(state).level


def test_severities_ask_for_actions_with_deadlines_that_shorten() -> None:
    assert [ACTIONS[level][0] for level in range(1, 6)] == list(Action)
    hours = [ACTIONS[level][1] for level in range(2, 6)]
    assert hours == [720.0, 672.0, 168.0, 0.0]


def of(evidence: Evidence) -> Indicators:
    return indicators(views_of(machine(), evidence)[0])


def test_indicators_are_read_from_the_evidence() -> None:
    state = of(observed({"H": shaft(3.0), "V": shaft(0.7), "A": shaft(0.2)}))
    assert state.zone == 3
    assert state.velocity_ratio == pytest.approx(3.0 / 0.8, rel=0.1)
    assert not state.rising


def test_a_rise_within_zone_b_is_measured_by_the_boundary() -> None:
    state = of(observed({"H": shaft(2.0), "V": shaft(0.7), "A": shaft(0.2)}))
    assert state.zone == 1
    assert state.grown_in_zone == pytest.approx((2.0 - 0.8) / 2.8, rel=0.1)


def test_the_same_rise_within_zone_a_is_none() -> None:
    state = of(observed({"H": shaft(1.3), "V": shaft(0.3), "A": shaft(0.2)}))
    assert np.isnan(state.grown_in_zone)


def test_a_doubling_time_is_the_shortest_and_makes_it_rise() -> None:
    evidence = observed({"H": shaft(3.0)}, {"H": shaft(0.8)})
    channel = replace(evidence.points[0].channels[0], doubling_days={"velocity_rms_mm_s": 20.0, "x": 1.0})
    state = of(replace(evidence, points=(replace(evidence.points[0], channels=(channel,)),)))
    assert state.rising
    assert state.doubling_days == 20.0
    assert severity(state).level == 4  # zone C and rising: the rise counts once


def test_an_early_bearing_is_planned_for_whatever_its_envelope() -> None:
    found = diagnose(*case(Fault.OUTER_RING))
    assert isinstance(found, tuple)
    assert found[0].severity <= 3


def test_lines_over_a_raised_floor_are_stage_three() -> None:
    spall = everywhere(Signal(shocks=(88.5, 60.0), bands=((200.0, 9000.0, 1.0),)))
    spec, evidence = machine(), observed(spall)
    found = diagnose(spec, with_findings(evidence, *[finding(Fault.OUTER_RING)] * 3))
    assert isinstance(found, tuple)
    stages = [item.params["value"] for item in found[0].evidence if item.key == "bearing_stage"]
    assert of(evidence).stage_3
    assert stages[0] in (3.0, 4.0)


GREASE = LimitSet(
    id="temperature:bearing:grease",
    standard="practice",
    edition="none",
    source="test",
    verified_by="none",
    quantity="temperature_c",
    kind=LimitKind.TWO_VALUES,
    values=(80.0, 95.0),
)


@pytest.mark.parametrize(("celsius", "level"), [(60.0, 1), (85.0, 3), (97.0, 5)])
def test_the_temperature_of_the_housing_has_its_own_limits(celsius: float, level: int) -> None:
    evidence = observed({"H": shaft(0.5)}, {"H": shaft(0.5)})
    point = replace(evidence.points[0], temperature_c=np.full(3, celsius), temperature_limits=GREASE)
    assert of(replace(evidence, points=(point,))).temperature == level


@pytest.mark.parametrize(("residual", "level"), [(3.0, 1), (12.0, 3), (25.0, 5)])
def test_so_has_what_load_and_weather_do_not_explain(residual: float, level: int) -> None:
    assert of(observed({"H": shaft(0.5)}, {"H": shaft(0.5)}, residual_k=residual)).temperature == level


def test_a_housing_that_varies_more_by_itself_is_judged_by_its_own_limits() -> None:
    seen = observed({"H": shaft(0.5)}, {"H": shaft(0.5)}, residual_k=22.0)
    wide = replace(seen, points=tuple(replace(p, residual_limits=(20.0, 28.0)) for p in seen.points))
    assert of(seen).temperature == 5
    assert of(wide).temperature == 3
