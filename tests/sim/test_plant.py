"""A simulated plant: frames and truth of any instant, machines that know nothing of each other."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from palier.frames import Frame, Readings, Waveform
from simulators.faults import FaultKind
from simulators.impairments import ImpairmentKind
from simulators.plans import (
    Growing,
    Intervention,
    Level,
    PlannedFault,
    PlannedImpairment,
    Sawtooth,
    Scenario,
    Settings,
)
from simulators.plant import SimulatedPlant
from simulators.scenario import shipped_scenario
from simulators.tasks import Options, Task
from tests.support.simulated import plant

ORIGIN_S = 1_792_000_000.0
HOUR_S = 3600.0
SHORT = Options(interval_s=600.0, block_s=0.1)

DYING = PlannedFault("P-101", FaultKind.OUTER_RING, Growing(life_h=50, onset_h=10), "2")


def simulated(scenario: Scenario | None = None, *, machines: int = 5, **changes: float) -> SimulatedPlant:
    kept = {"seed": 1, "origin_s": ORIGIN_S, **changes}
    return SimulatedPlant.of(plant().machines[:machines], scenario or Scenario(), **kept)  # type: ignore[arg-type]


def task_of(sim: SimulatedPlant, machine: str, point: str | None = None) -> Task:
    return next(
        t for t in sim.tasks(SHORT) if t.machine == machine and (t.point.id if t.point else None) == point
    )


def same(first: Frame | None, second: Frame | None) -> bool:
    if isinstance(first, Waveform) and isinstance(second, Waveform):
        return np.array_equal(first.samples, second.samples) and first.start_ns == second.start_ns
    if isinstance(first, Readings) and isinstance(second, Readings):
        return np.array_equal(first.values, second.values)
    return first is second is None


def test_frames_come_in_any_order_and_from_any_copy() -> None:
    sim, scenario = simulated(shipped_scenario("demo", plant())), shipped_scenario("demo", plant())
    copy = pickle.loads(pickle.dumps(simulated(scenario)))
    ends = [ORIGIN_S + h * HOUR_S for h in (-500.0, 60.0, -1.0)]
    for task in sim.tasks(SHORT):
        ahead = [sim.frame_at(task, end) for end in ends]
        back = [copy.frame_at(task, end) for end in reversed(ends)]
        assert all(same(a, b) for a, b in zip(ahead, reversed(back), strict=True))


def test_a_machine_more_changes_nothing_in_another() -> None:
    alone, among = simulated(machines=1), simulated(shipped_scenario("degradation", plant()))
    sound = replace(shipped_scenario("degradation", plant()), faults=())
    for task in alone.tasks(SHORT):
        assert same(alone.frame_at(task, ORIGIN_S), simulated(sound).frame_at(task, ORIGIN_S))
    assert set(among.machines) > set(alone.machines)


def test_a_fault_more_changes_no_course_of_another() -> None:
    growing = replace(DYING, plan=Growing(life_h=50, onset_scale_h=100, life_spread=0.4))
    other = PlannedFault("P-101", FaultKind.UNBALANCE, Level(0.2, 0.8))
    ends = [
        simulated(Scenario(faults=faults)).truth("P-101", ORIGIN_S + 400 * HOUR_S).faults[-1]
        for faults in ((growing,), (other, growing))
    ]
    assert ends[0].severity == ends[1].severity


def test_truth_tells_fault_onset_end_and_what_is_left() -> None:
    sim = simulated(Scenario(faults=(DYING,)))
    before, truth = (sim.truth("P-101", ORIGIN_S + h * HOUR_S) for h in (5, 40))
    assert (before.worst, before.remaining_s) == (None, None)
    worst = truth.worst
    assert worst is not None
    assert (worst.kind, worst.point, worst.onset_s) == ("outer_ring", "2", ORIGIN_S + 10 * HOUR_S)
    assert truth.remaining_s == pytest.approx(20 * HOUR_S, abs=600)
    assert 0.05 < worst.severity < 0.3
    fields = json.loads(truth.to_json())
    assert fields["faults"][0]["kind"] == "outer_ring"
    assert fields["regime"] == "running"


def test_an_intervention_repairs_what_it_treats() -> None:
    repair = Intervention("P-101", 40, (FaultKind.OUTER_RING,))
    perfect = replace(DYING, plan=Growing(life_h=50, onset_h=10, imperfect=0.0))
    sim = simulated(Scenario(faults=(perfect,), interventions=(repair,)))
    assert sim.truth("P-101", ORIGIN_S + 41 * HOUR_S).worst is None
    assert sim.truth("P-101", ORIGIN_S + 55 * HOUR_S).worst is not None


def test_a_wheel_that_was_cleaned_gathers_dust_again() -> None:
    dust = PlannedFault("V-301", FaultKind.FAN_DEPOSIT, Sawtooth(0.0, 100.0, 0.0, 0.5))
    sim = simulated(Scenario(faults=(dust,), interventions=(Intervention("V-301", 60),)))
    levels = [
        worst.severity if (worst := sim.truth("V-301", ORIGIN_S + h * HOUR_S).worst) else 0.0
        for h in (59.9, 60.1, 100.0)
    ]
    assert levels == pytest.approx([0.3, 0.0, 0.2], abs=0.05)


def test_time_can_be_stretched_without_touching_history() -> None:
    fast = simulated(Scenario(faults=(DYING,)), time_scale=0.1)
    assert fast.truth("P-101", ORIGIN_S + 5.9 * HOUR_S).remaining_s == pytest.approx(0.1 * HOUR_S, abs=60)
    earlier = replace(DYING, plan=Growing(life_h=50, onset_h=10, from_h=-100))
    stretched = simulated(Scenario(faults=(earlier,)), time_scale=0.1)
    worst = stretched.truth("P-101", ORIGIN_S - 50 * HOUR_S).worst
    assert worst is not None
    assert worst.onset_s == ORIGIN_S - 90 * HOUR_S


def test_a_stopped_machine_is_still_cold_and_says_so() -> None:
    sim = simulated(Scenario(machines={"B-501": Settings(stopped=((-48.0, float("inf")),))}))
    frame = sim.frame_at(task_of(sim, "B-501", "1"), ORIGIN_S)
    assert isinstance(frame, Waveform)
    assert (frame.speed_rpm, frame.load_percent) == (0.0, 0.0)
    assert frame.samples.astype(np.float64).std() * frame.scale[0] < 0.2
    truth = sim.truth("B-501", ORIGIN_S)
    assert truth.regime == "stopped"
    assert truth.temperature_c["1"] < 35


def test_the_sensor_lies_while_the_machine_is_well() -> None:
    trouble = PlannedImpairment("C-201", ImpairmentKind.STUCK, from_h=0, point="1", channel="H")
    sim = simulated(Scenario(impairments=(trouble,)))
    sound, stuck, other = (
        sim.frame_at(task_of(sim, "C-201", point), ORIGIN_S + h * HOUR_S)
        for point, h in (("1", -1), ("1", 1), ("2", 1))
    )
    assert isinstance(sound, Waveform)
    assert isinstance(stuck, Waveform)
    assert isinstance(other, Waveform)
    assert np.ptp(sound.samples) > 100 < np.ptp(other.samples)
    assert np.ptp(stuck.samples) == 0
    truth = sim.truth("C-201", ORIGIN_S + HOUR_S)
    assert truth.worst is None
    assert [(i.kind, i.point, i.since_s) for i in truth.impairments] == [("stuck", "1", ORIGIN_S)]


def test_harmless_shocks_are_no_fault() -> None:
    stones = PlannedFault("P-101", FaultKind.SLURRY_SHOCKS, Growing(life_h=50, onset_h=0))
    truth = simulated(Scenario(faults=(stones,))).truth("P-101", ORIGIN_S + 40 * HOUR_S)
    assert truth.faults[0].harmless
    assert truth.worst is None
    assert truth.remaining_s is None


def test_a_clock_that_several_channels_share_drifts_once() -> None:
    spec = plant().machines[0]
    point = spec.points[0]
    channels = tuple(replace(point.channels[0], id=d, direction=d) for d in "HVA")
    three = replace(spec, points=(replace(point, channels=channels),))

    def field_hz(ppm: float) -> float:
        fast = PlannedImpairment(spec.id, ImpairmentKind.CLOCK_DRIFT, ppm)
        scenario = Scenario(impairments=(fast,))
        sim = SimulatedPlant.of([three], scenario, seed=1, origin_s=ORIGIN_S)
        frame = sim.frame_at(sim.tasks(Options(interval_s=600, block_s=4.0))[0], ORIGIN_S)
        assert isinstance(frame, Waveform)
        lines = np.abs(np.fft.rfft(frame.samples[0] * np.hanning(frame.samples.shape[1]), 1 << 21))
        f = np.fft.rfftfreq(1 << 21, 1 / frame.fs_hz)
        near = (f > 97) & (f < 103)  # the pull of the motor's field stands at 100 Hz
        return float(f[near][np.argmax(lines[near])])

    assert field_hz(10_000) / field_hz(0) == pytest.approx(1 / 1.01, rel=2e-3)


def test_what_a_power_cut_takes_never_comes() -> None:
    cut = PlannedImpairment("V-301", ImpairmentKind.POWER_CUT, from_h=0, to_h=3)
    sim = simulated(Scenario(impairments=(cut,)))
    tasks = [task_of(sim, "V-301", point) for point in ("1", None)]
    assert [sim.frame_at(task, ORIGIN_S + HOUR_S) for task in tasks] == [None, None]
    assert all(sim.frame_at(task, ORIGIN_S + 4 * HOUR_S) is not None for task in tasks)


def test_a_reversing_stand_is_seen_turning_and_standing() -> None:
    sim = simulated(Scenario(machines={"L-401": Settings(reversing=True)}))
    regimes = {sim.truth("L-401", ORIGIN_S + k).regime for k in range(40)}
    assert {"running", "transient", "stopped"} >= regimes
    assert len(regimes) >= 2
