"""What a batch says, as events for the alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from ingest.alarm_evidence import ACTIONS
from ingest.alarm_feed import events_of
from ingest.alarm_life import Evidence
from ingest.alarms import Event, Running
from ingest.batch import WorkFrame
from ingest.judging import assess
from ingest.knowledge import Knowledge, Speeds
from ingest.scoring import Scorer
from models.detection.zones import LimitKind, LimitSet
from models.types import ChannelSpec, Quantity, State
from palier.alarms import Level, Mode
from palier.frames import Readings
from palier.limits import load_limits
from palier.plant import Plant
from tests.support.committing import T0, work
from tests.support.gateway import readings, waveform


def said(plant: Plant, *works: WorkFrame, heard: Sequence[Readings] = ()) -> tuple[Event, ...]:
    knowledge = Knowledge(plant, load_limits())
    speeds = Speeds(knowledge)
    for one in heard:
        speeds.take("usine", one)
    scored = Scorer(knowledge, speeds).score(works)
    return events_of([assess(entry, knowledge) for entry in scored], works, knowledge)


def evidence(events: tuple[Event, ...], mode: Mode) -> list[Evidence]:
    return [event for event in events if isinstance(event, Evidence) and event.key.mode is mode]


def test_a_block_tells_of_its_shaft_its_vibration_and_its_sensor(plant: Plant) -> None:
    running, vibration, sensor = said(plant, work(1, waveform(T0, velocity_mm_s=12.0)))
    assert running == Running("usine", "pompe", True, T0)
    assert isinstance(vibration, Evidence)
    assert isinstance(sensor, Evidence)
    assert (vibration.key.id, vibration.level, vibration.criticality) == (
        "pompe/p1/vibration",
        Level.DANGER,
        "A",
    )
    assert (vibration.action, vibration.frame) == (ACTIONS[5], "usine/g1:00000000000000e1:1")
    (cause,) = vibration.causes
    assert (cause.feature, cause.unit, cause.alert, cause.danger) == ("velocity_rms_mm_s", "mm/s", 6.1, 9.5)
    assert (sensor.key.id, sensor.level) == ("pompe/p1/sensor", None)


def test_a_slow_signal_that_froze_is_a_sensor_at_fault_and_not_judged_by(plant: Plant) -> None:
    point = plant.machine("pompe").point("p1")  # type: ignore[union-attr]
    channels = (*point.channels, ChannelSpec("c", Quantity.LOAD, "%"))  # type: ignore[union-attr]
    machines = tuple(
        replace(m, points=(replace(m.points[0], channels=channels),)) if m.id == "pompe" else m
        for m in plant.machines
    )
    rng = np.random.default_rng(3)
    lively = rng.normal(70, 5, 300).round(1).tolist()

    def told(values: list[float]) -> list[Readings]:
        return [
            readings(T0 - (len(values) - k) * 60 * 10**9, "p1/c", [value], unit="%")
            for k, value in enumerate(values)
        ]

    loaded = replace(plant, machines=machines)
    (sound,) = evidence(said(loaded, work(1, waveform(T0)), heard=told(lively)), Mode.SENSOR)
    assert sound.level is None
    frozen = told([*lively, *[71.3] * 300])
    (stuck,) = evidence(said(loaded, work(1, waveform(T0)), heard=frozen), Mode.SENSOR)
    assert (stuck.key.id, stuck.level) == ("pompe/p1/sensor", Level.ALERT)
    assert [(cause.feature, cause.channel) for cause in stuck.causes] == [("stuck", "c")]
    speeds = Speeds(Knowledge(loaded, load_limits()))
    for one in frozen[:-290]:
        speeds.take("usine", one)
    assert speeds.load_percent("usine", waveform(frozen[-291].times_ns[-1])) == 71.3
    for one in frozen[-290:]:
        speeds.take("usine", one)
    assert np.isnan(speeds.load_percent("usine", waveform(T0)))


def test_at_rest_neither_vibration_nor_sensor_is_known(plant: Plant) -> None:
    still = said(plant, work(1, waveform(T0, velocity_mm_s=0.0, speed_rpm=0.0)))
    assert still[0] == Running("usine", "pompe", False, T0)
    assert [entry.known for entry in evidence(still, Mode.VIBRATION)] == [False]
    assert evidence(still, Mode.SENSOR) == []


def test_of_an_unknown_speed_nothing_is_said_of_the_shaft(plant: Plant) -> None:
    events = said(plant, work(1, waveform(T0, machine="broche")))
    assert not any(isinstance(event, Running) for event in events)
    (calm,) = evidence(events, Mode.VIBRATION)  # without limits it learns: no alarm
    assert (calm.level, calm.known) == (None, True)


@pytest.mark.parametrize(
    "stranger",
    [
        work(1, waveform(T0, machine="inconnue", velocity_mm_s=50.0)),
        work(1, waveform(T0, point="p9", velocity_mm_s=50.0)),
        replace(work(1, waveform(T0, velocity_mm_s=50.0)), site="ailleurs"),
        work(1, waveform(T0, velocity_mm_s=50.0), live=False),
        work(1, readings(T0, "p1/t", [200.0]), live=False),
        work(1, readings(T0, "p1/t", [200.0], machine="inconnue")),
    ],
)
def test_history_and_what_the_plant_does_not_know_say_nothing(plant: Plant, stranger: WorkFrame) -> None:
    assert said(plant, stranger) == ()


def test_the_last_temperature_of_a_housing_speaks(plant: Plant) -> None:
    (hot,) = said(plant, work(1, readings(T0, "p1/t", [60.0, 150.0])))
    assert isinstance(hot, Evidence)
    assert (hot.key.id, hot.level, hot.ts_ns) == ("pompe/p1/temperature", Level.DANGER, T0 + 10**9)
    assert hot.causes[0].unit == "°C"
    assert said(plant, work(1, readings(T0, "p1/t", [float("nan")]))) == ()


def test_of_two_sensors_in_a_housing_the_worse_speaks(plant: Plant) -> None:
    machine = plant.machines[0]
    point = machine.points[0]
    thermometer = point.channels[-1]
    two = replace(point, channels=(*point.channels, replace(thermometer, id="t2")))
    crowded = replace(plant, machines=(replace(machine, points=(two,)),))
    one = readings(T0, "p1/t", [150.0])
    both = Readings("pompe", ("p1/t", "p1/t2"), one.times_ns, one.values.repeat(2, axis=0), ("°C", "°C"))
    both.values[1] = 40.0
    (hot,) = said(crowded, work(1, both))
    assert isinstance(hot, Evidence)
    assert hot.level is Level.DANGER


@pytest.mark.parametrize(
    ("kind", "values", "alert", "danger"),
    [
        (LimitKind.ZONES, (1.0, 2.0, 3.0), 2.0, 3.0),
        (LimitKind.THREE_VALUES, (1.0, 2.0, 3.0), 2.0, 3.0),
        (LimitKind.THREE_VALUES, (1.0, 2.0), 2.0, None),
        (LimitKind.TWO_VALUES, (1.0, 2.0), 1.0, 2.0),
    ],
)
def test_limits_tell_where_alert_and_danger_begin(
    kind: LimitKind, values: tuple[float, ...], alert: float | None, danger: float | None
) -> None:
    limits = LimitSet("x", "s", "e", "s", "none", "velocity_rms_mm_s", kind, values)
    assert (limits.limit_of(State.ALERT), limits.limit_of(State.DANGER)) == (alert, danger)
    assert limits.limit_of(State.NORMAL) is None
    assert limits.limit_of(State.STOPPED) is None
