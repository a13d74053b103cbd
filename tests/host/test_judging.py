"""Zones, states and transitions of scored blocks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ingest.batch import Silence, WorkFrame
from ingest.board import Advance, InForce, Key, advance
from ingest.judging import assess
from ingest.knowledge import Knowledge, Speeds
from ingest.scoring import Scorer
from models.detection.zones import Judgement
from models.types import State
from palier.frames import QUALITY_BAD, Frame, FrameId
from palier.limits import load_limits
from palier.plant import Plant
from tests.support.gateway import readings, waveform

T0 = 1_790_000_000 * 10**9
SECOND = 10**9
POMPE = ("usine", "pompe")


class Judge:
    """Judges batch after batch, keeping the states in force."""

    def __init__(self, plant: Plant) -> None:
        self.knowledge = Knowledge(plant, load_limits())
        self.scorer = Scorer(self.knowledge, Speeds(self.knowledge))
        self.in_force: dict[Key, InForce] = {}

    def zones(self, frame: Frame) -> tuple[str | None, ...]:
        (entry,) = self.scorer.score([WorkFrame(None, "usine", frame, live=False, topic="t", payload=b"p")])
        return assess(entry, self.knowledge).zones

    def batch(self, *frames: Frame, live: bool = True, silences: tuple[Silence, ...] = ()) -> Advance:
        works = [
            WorkFrame(FrameId("usine/g1", "e", i), "usine", frame, live, "t", b"p")
            for i, frame in enumerate(frames)
        ]
        assessed = [assess(entry, self.knowledge) for entry in self.scorer.score(works)]
        judged = advance(assessed, works, silences, self.in_force, self.knowledge)
        self.in_force.update(judged.in_force)
        return judged

    def state(self, key: str) -> State:
        return self.in_force["usine", key].judgement.state


@pytest.fixture
def judge(plant: Plant) -> Judge:
    return Judge(plant)


@pytest.mark.parametrize(
    ("velocity", "zone", "state"),
    [(1.0, "A", State.NORMAL), (5.0, "B", State.NORMAL), (8.0, "C", State.ALERT), (12.0, "D", State.DANGER)],
)
def test_a_velocity_is_a_zone_and_a_state(judge: Judge, velocity: float, zone: str, state: State) -> None:
    block = waveform(T0, velocity_mm_s=velocity)
    judge.batch(block)
    assert judge.zones(block) == (zone,)
    assert judge.state("pompe/p1") is state
    assert judge.state("pompe") is state


def test_the_highest_radial_channel_speaks_and_an_axial_one_does_not(judge: Judge) -> None:
    block = waveform(T0, velocity_mm_s=1.0, channels=("h", "a"))
    block = replace(block, scale=(0.001, 0.010))
    judge.batch(block)
    assert judge.zones(block) == ("A", "D")
    assert judge.state("pompe/p1") is State.NORMAL


def test_without_a_radial_channel_the_axial_one_speaks(judge: Judge) -> None:
    judge.batch(waveform(T0, velocity_mm_s=12.0, channels=("a",)))
    assert judge.state("pompe/p1") is State.DANGER


def test_without_limits_a_machine_is_learning_and_never_normal(judge: Judge) -> None:
    block = waveform(T0, machine="broche", velocity_mm_s=0.1)
    judge.batch(block)
    assert judge.zones(block) == (None,)
    assert judge.state("broche") is State.LEARNING


def test_a_machine_the_plant_does_not_know_is_not_judged(judge: Judge) -> None:
    block = waveform(T0, machine="autre", velocity_mm_s=50.0)
    judge.batch(block)
    assert judge.zones(block) == (None,)
    assert judge.state("autre") is State.UNCONFIGURED


def test_a_dead_sensor_is_unknown_with_reason_and_remedy(judge: Judge) -> None:
    block = waveform(T0)
    judge.batch(replace(block, samples=np.zeros_like(block.samples)))
    said = judge.in_force["usine", "pompe/p1"].judgement
    assert (said.state, said.reason, said.remedy) == (State.UNKNOWN, "stuck", "check_sensor")


def test_a_good_channel_speaks_for_a_bad_one(judge: Judge) -> None:
    block = waveform(T0, velocity_mm_s=1.0, channels=("h", "x"))
    judge.batch(block)
    assert judge.state("pompe/p1") is State.NORMAL


def test_a_machine_at_rest_is_stopped_and_not_stuck(judge: Judge) -> None:
    block = waveform(T0, speed_rpm=0.0)
    judge.batch(replace(block, samples=np.zeros_like(block.samples)))
    assert judge.state("pompe") is State.STOPPED


def fan(point: str, second: float, velocity_mm_s: float = 1.0) -> Frame:
    channel = {"p1": "h", "p2": "v"}[point]
    return waveform(
        T0 + round(second * SECOND),
        machine="ventilateur",
        point=point,
        channels=(channel,),
        velocity_mm_s=velocity_mm_s,
    )


def test_a_machine_is_as_bad_as_its_worst_point(judge: Judge) -> None:
    judge.batch(fan("p1", 0, 1.0), fan("p2", 0, 12.0))
    assert (judge.state("ventilateur/p1"), judge.state("ventilateur")) == (State.NORMAL, State.DANGER)
    judge.batch(fan("p1", 1, 1.0))
    assert judge.state("ventilateur") is State.DANGER


def test_of_points_that_are_equally_bad_the_highest_speaks(judge: Judge) -> None:
    judge.batch(fan("p1", 0, 1.0), fan("p2", 0, 2.0))
    value = judge.in_force["usine", "ventilateur"].judgement.value
    assert value == pytest.approx(2.0, rel=0.01)


def test_a_machine_is_not_normal_before_all_its_points_were_heard(judge: Judge) -> None:
    judge.batch(fan("p1", 0))
    said = judge.in_force["usine", "ventilateur"].judgement
    assert (said.state, said.reason) == (State.UNKNOWN, "no_data")
    judge.batch(fan("p2", 1))
    assert judge.state("ventilateur") is State.NORMAL


def test_a_point_that_falls_silent_does_not_hide_behind_the_others(judge: Judge) -> None:
    for second in range(0, 50, 10):
        judge.batch(fan("p1", second), fan("p2", second + 1))
    for second in range(50, 100, 10):
        judge.batch(fan("p1", second))
        assert judge.state("ventilateur") is State.NORMAL
    judge.batch(fan("p1", 110))
    said = judge.in_force["usine", "ventilateur"].judgement
    assert (said.state, said.reason, said.remedy) == (State.UNKNOWN, "no_data", "check_sensor")
    judge.batch(fan("p2", 111))
    assert judge.state("ventilateur") is State.NORMAL


def test_a_silent_point_hides_no_alert(judge: Judge) -> None:
    judge.batch(fan("p2", 0), fan("p2", 5), fan("p1", 0))
    judge.batch(fan("p1", 1000, 12.0))
    assert judge.state("ventilateur") is State.DANGER


def test_only_live_frames_advance_a_state(judge: Judge) -> None:
    judged = judge.batch(waveform(T0, velocity_mm_s=12.0), live=False)
    assert judged.lines == ()
    assert judged.transitions == ()
    assert judge.in_force == {}


def test_states_advance_in_order_of_acquisition_whatever_the_order_of_the_batch(judge: Judge) -> None:
    judge.batch(waveform(T0 + SECOND, velocity_mm_s=1.0), waveform(T0, velocity_mm_s=12.0))
    assert judge.state("pompe") is State.NORMAL


def test_a_change_is_an_event_and_sameness_is_not(judge: Judge) -> None:
    first = judge.batch(waveform(T0, velocity_mm_s=1.0))
    same = judge.batch(waveform(T0 + SECOND, velocity_mm_s=1.1))
    worse = judge.batch(waveform(T0 + 2 * SECOND, velocity_mm_s=8.0))
    assert [(t.point, t.previous, t.state) for t in first.transitions] == [
        ("p1", "", "normal"),
        ("", "", "normal"),
    ]
    assert same.transitions == ()
    assert [(t.point, t.previous, t.state) for t in worse.transitions] == [
        ("p1", "normal", "alert"),
        ("", "normal", "alert"),
    ]
    assert judge.in_force["usine", "pompe"].since_ns == T0 + 2 * SECOND


def test_the_same_batch_again_writes_the_same_events(judge: Judge, plant: Plant) -> None:
    frames = (waveform(T0, velocity_mm_s=1.0), waveform(T0 + SECOND, velocity_mm_s=8.0))
    assert judge.batch(*frames).transitions == Judge(plant).batch(*frames).transitions


def test_a_silent_gateway_makes_its_machine_unknown_until_a_live_frame_comes(judge: Judge) -> None:
    judge.batch(waveform(T0, velocity_mm_s=1.0))
    judged = judge.batch(silences=(Silence("usine/g1", ("pompe",), T0 + 60 * SECOND),))
    said = judge.in_force["usine", "pompe"].judgement
    assert (said.state, said.reason) == (State.UNKNOWN, "gateway_offline")
    assert [(t.previous, t.state) for t in judged.transitions] == [("normal", "unknown")]
    assert judge.state("pompe/p1") is State.NORMAL
    judge.batch(waveform(T0 + 59 * SECOND, velocity_mm_s=1.0))
    assert judge.state("pompe") is State.NORMAL
    assert judge.in_force["usine", "pompe"].ts_ns == T0 + 60 * SECOND


# Temperature --------------------------------------------------------------------------------------------


def test_a_hot_bearing_alerts_whatever_its_vibration(judge: Judge) -> None:
    judge.batch(waveform(T0, velocity_mm_s=1.0), readings(T0, "p1/t", [60.0, 97.0]))
    assert judge.state("pompe/p1") is State.DANGER
    assert judge.state("pompe") is State.DANGER
    judge.batch(readings(T0 + 60 * SECOND, "p1/t", [70.0]))
    assert judge.state("pompe") is State.NORMAL


def test_a_temperature_is_not_told_as_a_velocity(judge: Judge) -> None:
    judged = judge.batch(waveform(T0, velocity_mm_s=1.0), readings(T0, "p1/t", [97.0]))
    spoken = [
        line.in_force.judgement for line in judged.lines if line.in_force.judgement.state is State.DANGER
    ]
    assert spoken
    assert all(said.value is None for said in spoken)


@pytest.mark.parametrize(("velocity", "temperature", "zone"), [(8.0, 85.0, "C"), (12.0, 97.0, "D")])
def test_of_two_that_are_equally_urgent_the_vibration_speaks(
    judge: Judge, velocity: float, temperature: float, zone: str
) -> None:
    judge.batch(waveform(T0, velocity_mm_s=velocity), readings(T0, "p1/t", [temperature]))
    for key in ("pompe", "pompe/p1"):
        said = judge.in_force["usine", key].judgement
        assert (said.zone, said.limits_id) == (zone, "iso10816-7:cat2:over200kw")
        assert said.value == pytest.approx(velocity, rel=0.01)


@pytest.mark.parametrize("together", [True, False])
def test_a_reading_that_was_overtaken_does_not_take_the_state_back(judge: Judge, together: bool) -> None:
    """After a short outage the newest goes first, and what follows is live by its age alone."""
    hot, before = readings(T0 + 20 * SECOND, "p1/t", [97.0]), readings(T0, "p1/t", [60.0])
    judge.batch(waveform(T0))
    for frames in [(hot, before)] if together else [(hot,), (before,)]:
        judge.batch(*frames)
    assert judge.state("pompe") is State.DANGER
    judge.batch(readings(T0 + 40 * SECOND, "p1/t", [70.0]))
    assert judge.state("pompe") is State.NORMAL


def test_a_machine_at_rest_is_not_normal_for_being_cool(judge: Judge) -> None:
    judge.batch(waveform(T0, speed_rpm=0.0), readings(T0, "p1/t", [30.0]))
    assert judge.state("pompe") is State.STOPPED
    assert judge.state("pompe/p1") is State.STOPPED
    judge.batch(readings(T0 + SECOND, "p1/t", [97.0]))
    assert judge.state("pompe") is State.DANGER


def test_kelvin_are_not_taken_for_degrees(judge: Judge) -> None:
    judge.batch(waveform(T0), readings(T0, "p1/t", [313.0], unit="K"))
    said = judge.in_force["usine", "pompe"].judgement
    assert (said.state, said.reason) == (State.UNKNOWN, "unit_unknown")


def test_the_plant_knows_the_unit_of_a_temperature_too(judge: Judge) -> None:
    judge.batch(waveform(T0), readings(T0, "p1/t", [97.0], unit="unknown"))
    assert judge.state("pompe") is State.DANGER


def test_a_temperature_of_bad_quality_says_nothing(judge: Judge) -> None:
    judge.batch(waveform(T0), replace(readings(T0, "p1/t", [200.0]), quality=(QUALITY_BAD,)))
    assert judge.state("pompe") is State.NORMAL


def test_a_cool_bearing_alone_is_not_called_normal(judge: Judge) -> None:
    judged = judge.batch(readings(T0, "p1/t", [40.0]))
    assert judged.lines == ()
    assert POMPE not in judge.in_force


def test_a_temperature_that_is_missing_says_nothing(judge: Judge) -> None:
    assert judge.batch(readings(T0, "p1/t", [float("nan")])).in_force == {}


@pytest.mark.parametrize(("celsius", "reason"), [(850.0, "open_circuit"), (-242.0, "short_circuit")])
def test_a_broken_wire_is_no_hot_bearing(judge: Judge, celsius: float, reason: str) -> None:
    judge.batch(readings(T0, "p1/t", [celsius]))
    said = judge.in_force["usine", "pompe/p1#temperature"].judgement
    assert (said.state, said.reason) == (State.UNKNOWN, reason)


# What is kept -------------------------------------------------------------------------------------------


def test_a_state_comes_back_from_the_records_as_it_was(judge: Judge) -> None:
    judged = judge.batch(waveform(T0, velocity_mm_s=8.0))
    assert {(row.site, row.key) for row in judged.state_rows} == set(judge.in_force)
    for row in judged.state_rows:
        assert row.value is not None
        assert InForce.from_json(row.value) == judge.in_force[row.site, row.key]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"judgement": {"state": "gone"}}', "null"])
def test_a_state_of_another_version_is_made_anew(text: str) -> None:
    assert InForce.from_json(text) is None


def test_a_refused_state_survives_too() -> None:
    state = InForce(Judgement(State.UNKNOWN, reason="stuck", remedy="check_sensor"), 1, 1, None)
    assert InForce.from_json(state.to_json()) == state
