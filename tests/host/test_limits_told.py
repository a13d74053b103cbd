"""What gateways are told to sample by: after each birth, when it changes, and again."""

from __future__ import annotations

import pytest

from ingest.alarm_life import Evidence
from ingest.alarms import Alarms, step
from ingest.batch import TellLimits
from ingest.knowledge import Knowledge
from ingest.limits_told import AGAIN_S, SETTLE_S, LimitsTold, in_alarm
from palier.alarms import AlarmKey, Cause, Level, Mode
from palier.limits import load_limits
from palier.plant import Plant
from palier.source import ChannelBirth, Device
from palier.wire.messages import DangerLimit

EDGE = "usine/g1"
PUMP = Device(
    "pompe",
    tuple(ChannelBirth(f"p1/{name}", "g", "int16") for name in ("h", "a", "t"))
    + tuple(ChannelBirth(f"p1/{name}_v_rms", "mm/s", "float64") for name in ("h", "a", "t")),
)
LIMIT = DangerLimit("pompe", "p1/h", 9.5)


@pytest.fixture
def told(plant: Plant) -> LimitsTold:
    return LimitsTold(Knowledge(plant, load_limits()))


def born(told: LimitsTold, *devices: Device, at_s: float = 0.0) -> list[TellLimits]:
    told.born(EDGE, at_s)
    for device in devices:
        told.device(EDGE, device)
    assert told.due(at_s) == []  # its machines may still follow
    return told.due(at_s + SETTLE_S)


def test_after_a_birth_come_the_limits_of_the_channels_that_a_point_is_judged_by(told: LimitsTold) -> None:
    assert born(told, PUMP) == [TellLimits(EDGE, (LIMIT,), ())]
    assert told.due(2.0) == []


def test_a_gateway_that_cuts_no_danger_blocks_has_no_limits_and_may_have_machines_in_alarm(
    told: LimitsTold,
) -> None:
    plain = Device("pompe", (ChannelBirth("p1/h", "g", "int16"),))
    assert born(told, plain) == [TellLimits(EDGE, (), ())]
    told.attend(frozenset({("usine", "pompe"), ("usine", "ventilateur"), ("autre", "pompe")}))
    assert told.due(5.0) == [TellLimits(EDGE, (), ("pompe",))]


def test_machines_without_limits_or_outside_the_plant_have_none(told: LimitsTold) -> None:
    strange = Device("inconnue", (ChannelBirth("p1/h_v_rms", "mm/s", "float64"),))
    spindle = Device("broche", (ChannelBirth("p1/h_v_rms", "mm/s", "float64"),))
    assert born(told, strange, spindle) == [TellLimits(EDGE, (), ())]


def test_an_alarm_is_told_when_it_comes_and_when_it_goes(told: LimitsTold) -> None:
    born(told, PUMP)
    told.attend(frozenset({("usine", "pompe")}))
    assert told.due(3.0) == [TellLimits(EDGE, (LIMIT,), ("pompe",))]
    told.attend(frozenset({("usine", "pompe"), ("usine", "ventilateur")}))  # not on this gateway
    assert told.due(4.0) == []
    told.attend(frozenset())
    assert told.due(5.0) == [TellLimits(EDGE, (LIMIT,), ())]


def test_the_same_is_told_again_after_ten_minutes_and_after_each_birth(told: LimitsTold) -> None:
    (word,) = born(told, PUMP)
    assert told.due(AGAIN_S) == []
    assert told.due(SETTLE_S + AGAIN_S) == [word]
    assert born(told, PUMP, at_s=700.0) == [word]


def test_a_machine_of_a_gateway_that_was_not_born_is_passed_over(told: LimitsTold) -> None:
    told.device(EDGE, PUMP)
    assert told.due(100.0) == []


@pytest.mark.parametrize(
    ("mode", "level", "machines"),
    [
        (Mode.VIBRATION, Level.DANGER, {("usine", "pompe")}),
        (Mode.TEMPERATURE, Level.ALERT, {("usine", "pompe")}),
        (Mode.GATEWAY, Level.ALERT, set()),
    ],
)
def test_in_alarm_is_a_machine_whose_condition_stands(
    mode: Mode, level: Level, machines: set[tuple[str, str]]
) -> None:
    key = AlarmKey("usine", "pompe", "p1" if mode is not Mode.GATEWAY else "", mode)
    cause = Cause("velocity_rms_mm_s", 12.0, "mm/s", 6.1, 9.5, level=level)
    alarms, _ = step(Alarms(), (Evidence(key, 1, level, (cause,), action="action.stop"),))
    assert in_alarm(alarms) == machines
    calm = [Evidence(key, 2 + k, None) for k in range(6)]
    gone, _ = step(alarms, calm)
    assert in_alarm(gone) == frozenset()
