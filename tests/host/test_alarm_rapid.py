"""Danger readings raise the alarm of their point: two in a row, and never a second one."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.alarm_feed import events_of
from ingest.alarm_life import Evidence
from ingest.alarm_rapid import Rapid
from ingest.alarms import Alarms, Announce, Event, Keep, restore, step
from ingest.judging import assess
from ingest.knowledge import Knowledge, Speeds
from ingest.scoring import Scorer
from palier.alarms import Alarm, AlarmKey, Level, Life, Mode, What
from palier.frames import QUALITY_BAD, QUALITY_GOOD, Readings
from palier.historian.rows import AlarmRow
from palier.limits import load_limits
from palier.plant import Plant
from tests.support.committing import T0, work
from tests.support.gateway import readings, waveform

S = 10**9
MM_S = ("mm/s", "mm/s")
KEY = AlarmKey("usine", "pompe", "p1", Mode.VIBRATION)  # alert above 6.1 mm/s, danger above 9.5


def reading(at_s: float, mm_s: float, **changes: Any) -> Readings:
    return replace(readings(T0 + round(at_s * S), "p1/h_v_rms", [mm_s], unit="mm/s"), **changes)


def events(plant: Plant, *frames: object, live: bool = True) -> tuple[Event, ...]:
    knowledge = Knowledge(plant, load_limits())
    works = [replace(work(i + 1, frame), live=live) for i, frame in enumerate(frames)]  # type: ignore[arg-type]
    scored = Scorer(knowledge, Speeds(knowledge)).score(works)
    return events_of([assess(entry, knowledge) for entry in scored], works, knowledge)


def after(plant: Plant, *frames: object, alarms: Alarms | None = None) -> Alarms:
    """The alarms after these, each in a batch of its own."""
    alarms = alarms or Alarms()
    for frame in frames:
        alarms, _ = step(alarms, events(plant, frame))
    return alarms


def test_the_plant_has_the_channel_that_is_spoken_of(plant: Plant) -> None:
    assert [e for e in events(plant, reading(0, 12.0)) if isinstance(e, Rapid)]


def test_two_in_a_row_are_a_danger_and_one_is_a_knock(plant: Plant) -> None:
    one = after(plant, reading(0, 12.0))
    assert one.get(KEY).life is Life.NORMAL
    two = after(plant, reading(30, 12.5), alarms=one).get(KEY)
    assert (two.life, two.level, two.standing, two.severity) == (
        Life.UNACKNOWLEDGED,
        Level.DANGER,
        Level.DANGER,
        5,
    )
    assert two.action == "action.stop"
    (cause,) = two.causes
    assert (cause.feature, cause.value, cause.danger, cause.unit) == ("velocity_rms_mm_s", 12.5, 9.5, "mm/s")
    assert after(plant, reading(0, 12.0), reading(30, 3.0), reading(60, 12.0)).get(KEY).level is None


@pytest.mark.parametrize(
    ("apart_s", "raised"), [(2, False), (14, False), (29, True), (150, True), (151, False)]
)
def test_they_must_be_half_a_minute_apart_and_belong_together(
    plant: Plant, apart_s: float, raised: bool
) -> None:
    alarm = after(plant, reading(0, 12.0), reading(apart_s, 12.0)).get(KEY)
    assert (alarm.level is Level.DANGER) is raised


def test_the_row_goes_on_over_a_restart_of_the_host(plant: Plant) -> None:
    alarms, effects = step(Alarms(), events(plant, reading(0, 12.0)))
    (kept,) = [effect.alarm for effect in effects if isinstance(effect, Keep)]
    rows = [AlarmRow("usine", kept.key.id, kept.to_json())]
    restored, strange = restore(rows)
    assert not strange
    assert restored.get(KEY) == alarms.get(KEY)
    assert after(plant, reading(30, 12.0), alarms=restored).get(KEY).level is Level.DANGER


def test_a_dead_second_is_no_verdict_and_breaks_no_row(plant: Plant) -> None:
    dead = reading(30, math.nan, quality=(QUALITY_BAD,))
    alarm = after(plant, reading(0, 12.0), dead, reading(60, 12.0)).get(KEY)
    assert alarm.level is Level.DANGER
    assert after(plant, dead, reading(60, 50.0, quality=(QUALITY_BAD,))).known == {}


@pytest.mark.parametrize("frame", [reading(0, 50.0, unit=("g",)), reading(0, 50.0, machine="inconnue")])
def test_another_unit_or_machine_says_nothing(plant: Plant, frame: Readings) -> None:
    assert not [e for e in events(plant, frame) if isinstance(e, Rapid)]


def test_late_readings_say_nothing(plant: Plant) -> None:
    assert not events(plant, reading(0, 12.0), reading(30, 12.0), live=False)
    alarms = after(plant, reading(60, 12.0), reading(30, 12.0), reading(0, 12.0))
    assert alarms.get(KEY).level is None


def test_block_and_readings_are_one_alarm_told_once(plant: Plant) -> None:
    block = waveform(T0 + 40 * S, velocity_mm_s=12.0)
    alarms, told = Alarms(), []
    for frame in (reading(0, 12.0), reading(30, 12.0), block, reading(60, 12.0), reading(90, 13.0)):
        alarms, effects = step(alarms, events(plant, frame))
        told += [effect.what for effect in effects if isinstance(effect, Announce)]
    assert told == [What.RAISED]
    raised = [a for a in alarms.known.values() if a.level]
    assert [(a.key, a.raises) for a in raised] == [(KEY, 1)]


def test_a_block_that_began_before_the_reading_is_heard(plant: Plant) -> None:
    alarms = after(plant, reading(2, 3.0), waveform(T0, velocity_mm_s=12.0))
    assert alarms.get(KEY).level is Level.DANGER


def test_calm_readings_end_no_alert_and_no_danger(plant: Plant) -> None:
    alarms = after(plant, waveform(T0, velocity_mm_s=8.0))
    assert alarms.get(KEY).standing is Level.ALERT
    calm = after(plant, *(reading(30 * k, 0.5) for k in range(1, 20)), alarms=alarms)
    assert calm.get(KEY).standing is Level.ALERT


def test_readings_above_hold_a_danger_that_blocks_let_go(plant: Plant) -> None:
    alarms = after(plant, reading(0, 12.0), reading(30, 12.0))
    quiet = [waveform(T0 + (60 + 60 * k) * S, velocity_mm_s=1.0) for k in range(12)]
    held = after(plant, *quiet[:5], reading(330, 12.0), *quiet[5:10], alarms=alarms)
    assert held.get(KEY).standing is Level.DANGER
    gone = after(plant, quiet[10], quiet[11], alarms=held).get(KEY)
    assert gone.standing is None
    assert gone.life is Life.UNACKNOWLEDGED  # latched


def test_an_alert_becomes_a_danger_and_keeps_its_other_causes(plant: Plant) -> None:
    alert = after(plant, waveform(T0, velocity_mm_s=8.0))
    worse = after(plant, reading(30, 12.0), reading(60, 12.0), alarms=alert).get(KEY)
    assert worse.level is Level.DANGER
    assert worse.raises == 1


def test_of_several_channels_the_worst_speaks_and_an_axial_one_does_not(plant: Plant) -> None:
    point = plant.machine("pompe").point("p1")  # type: ignore[union-attr]
    (spec,) = [c for c in point.channels if c.id == "h"]  # type: ignore[union-attr]
    more = (*point.channels, replace(spec, id="b"), replace(spec, id="ax", direction="A"))  # type: ignore[union-attr]
    machines = tuple(
        replace(m, points=(replace(m.points[0], channels=more),)) if m.id == "pompe" else m
        for m in plant.machines
    )
    told = Readings(
        "pompe",
        ("p1/h_v_rms", "p1/b_v_rms", "p1/ax_v_rms"),
        np.array([T0], "<i8"),
        np.array([[3.0], [12.0], [99.0]]),
        ("mm/s",) * 3,
    )
    (rapid,) = [e for e in events(replace(plant, machines=machines), told) if isinstance(e, Rapid)]
    assert rapid.evidence.causes[0].value == 12.0


def _two_radial(plant: Plant) -> Plant:
    """The pump with two radial channels at its point."""
    pump, *others = plant.machines
    point = pump.points[0]
    (spec,) = [c for c in point.channels if c.id == "h"]
    more = replace(point, channels=(*point.channels, replace(spec, id="b")))
    return replace(plant, machines=(replace(pump, points=(more, *pump.points[1:])), *others))


@pytest.mark.parametrize("shift_s", [-0.3, 0.0, 0.3])
def test_the_calm_sensor_beside_it_breaks_no_row_and_makes_none_late(plant: Plant, shift_s: float) -> None:
    """A point of two sensors, each with readings of its own: only one of them turns towards the danger."""
    both = _two_radial(plant)
    calm = [reading(30 * k, 2.0, channels=("p1/b_v_rms",)) for k in range(2)]
    loud = [reading(30 * k + shift_s, 12.0) for k in range(2)]
    alarm = after(both, calm[0], loud[0], calm[1], loud[1]).get(KEY)
    assert alarm.level is Level.DANGER
    one_each = after(both, loud[0], reading(30, 12.0, channels=("p1/b_v_rms",)))
    assert one_each.get(KEY).level is None


def test_another_gateway_that_speaks_of_the_same_channel_silences_nothing(plant: Plant) -> None:
    """Its calm readings, dated ahead of the true ones: they make none late and break no row."""
    alarms = Alarms()
    for at_s, mm_s, edge in ((0, 12.0, "g1"), (200, 1.0, "g2"), (30, 12.0, "g1")):
        told = work(1, reading(at_s, mm_s))
        assert told.id is not None
        told = replace(told, id=replace(told.id, edge=f"usine/{edge}"))
        alarms, _ = step(alarms, events_of([], [told], Knowledge(plant, load_limits())))
    assert alarms.get(KEY).level is Level.DANGER


def test_a_channel_without_verdict_leaves_the_row_to_the_other(plant: Plant) -> None:
    both = _two_radial(plant)
    both_over = Readings(
        "pompe", ("p1/h_v_rms", "p1/b_v_rms"), np.array([T0], "<i8"), np.array([[12.0], [12.0]]), MM_S
    )
    one_clipped = replace(
        both_over,
        times_ns=both_over.times_ns + 30 * S,
        values=np.array([[math.nan], [12.0]]),
        quality=(QUALITY_BAD, QUALITY_GOOD),
    )
    assert after(both, both_over, one_clipped).get(KEY).level is Level.DANGER


@given(st.lists(st.tuples(st.floats(1, 60), st.booleans(), st.booleans()), max_size=30))
def test_no_danger_without_two_over_in_a_row(rows: list[tuple[float, bool, bool]]) -> None:
    """Against a plain second implementation."""
    alarms, at, over, expected = Alarms(), 0.0, None, False
    for gap, is_over, known in rows:
        at = round(at + gap, 3)
        alarms, _ = step(alarms, (Rapid(_evidence(at, is_over, known)),))
        if not known:
            continue
        if not is_over:
            over = None
        elif over is None or at - over > 150:
            over = at
        elif at - over >= 15:
            over, expected = at, True
    assert (alarms.get(KEY).level is Level.DANGER) is expected


def _evidence(at_s: float, over: bool, known: bool) -> Evidence:
    ts_ns = round(at_s * 1000) * 10**6
    return Evidence(KEY, ts_ns, Level.DANGER if over else None, action="action.stop", known=known, severity=5)


def test_an_alarm_of_an_older_version_has_no_danger_readings() -> None:
    text = Alarm(KEY).to_json().replace('"rapid_ns":[],', "").replace(',"over_ns":[]', "")
    assert "over_ns" not in text
    assert Alarm.from_json(text) == Alarm(KEY)
