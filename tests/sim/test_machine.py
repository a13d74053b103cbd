"""The five machines of the sample plant: levels, faults, seeds, counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.features import leading_defect
from models.types import MachineSpec, Quantity
from simulators.draws import key_of
from simulators.faults import Condition, FaultKind, condition_of
from simulators.kinds import anatomy_of
from simulators.machines.duty import Regime
from simulators.machines.machine import Course, Machine
from simulators.machines.thermal import Air
from tests.support.simulated import START_S, build, constant, features, plant

HEALTHY = {  # velocity mm/s RMS, acceleration m/s² RMS, °C: what an analyst expects of such machines
    "P-101": (2.3, 2.2, 52),
    "C-201": (1.2, 2.2, 55),
    "V-301": (2.3, 1.4, 58),
    "L-401": (1.8, 6.0, 60),
    "B-501": (0.6, 3.4, 35),
}
FS_HZ = 25600.0


@pytest.mark.parametrize("machine_id", HEALTHY)
def test_a_sound_machine_has_the_levels_of_its_kind_and_shows_no_defect(machine_id: str) -> None:
    velocity, acceleration, _ = HEALTHY[machine_id]
    found = features(build(machine_id), blocks=5)
    assert np.median(found["velocity_rms_mm_s"]) == pytest.approx(velocity, rel=0.15)
    assert np.median(found["acceleration_rms_m_s2"]) == pytest.approx(acceleration, rel=0.15)
    rows = [{name: float(column[k]) for name, column in found.items()} for k in range(5)]
    assert [leading_defect(row) for row in rows] == [None] * 5


@pytest.mark.parametrize("machine_id", HEALTHY)
def test_a_sound_machine_is_as_warm_as_its_kind(machine_id: str) -> None:
    """Over a year: the air goes up and down with day, weather and season."""
    machine = build(machine_id)
    year = [machine.temperature_c(machine.spec.points[0], START_S + 86400 * 7.23 * k) for k in range(50)]
    assert np.mean(year) == pytest.approx(HEALTHY[machine_id][2], abs=2)


@pytest.mark.parametrize(
    ("place", "defect"), [("outer_ring", "bpfo"), ("inner_ring", "bpfi"), ("rolling_element", "bsf")]
)
def test_damage_shows_its_own_line_and_hardly_any_velocity(place: str, defect: str) -> None:
    sound = features(build("P-101"))
    damaged = features(build("P-101", constant(place, 0.5, "1")))
    rows = [{name: float(column[k]) for name, column in damaged.items()} for k in range(4)]
    assert [leading_defect(row) for row in rows].count(defect) >= 3
    assert np.median(damaged["velocity_rms_mm_s"] / sound["velocity_rms_mm_s"]) < 1.1


def test_a_bearing_at_its_end_is_seen_in_the_velocity() -> None:
    sound, worn = features(build("P-101")), features(build("P-101", constant("outer_ring", 1.0, "1")))
    assert np.median(worn["velocity_rms_mm_s"]) == pytest.approx(8.0, rel=0.2)
    assert np.median(worn["band_250_500_m_s2"] / sound["band_250_500_m_s2"]) > 2


def test_damage_stays_at_its_point() -> None:
    found = features(build("P-101", constant("outer_ring", 0.5, "2")), blocks=1)
    assert leading_defect({name: float(column[0]) for name, column in found.items()}) is None


def test_a_cracked_tooth_strikes_with_the_wheel_that_has_it() -> None:
    spec = plant().machine("C-201")
    assert spec is not None
    slow = replace(spec, gears=(replace(spec.gears[0], shaft_order=0.5),))
    machine = Machine(slow, anatomy_of(slow), seed=1, faults=(constant("tooth_crack", 1.0),))
    wave = machine.felt(slow.points[0], 102_400, FS_HZ, START_S).waves[0].astype(np.float64)
    envelope = np.abs(np.fft.rfft(wave**2 - np.mean(wave**2)))[:400]  # 0.25 Hz apart
    once = round(0.5 * machine.speed_rpm(START_S) / 60 * 4)
    assert envelope[once - 2 : once + 3].max() > 10 * np.median(envelope)


def test_stones_in_the_slurry_shock_and_show_no_defect() -> None:
    found = features(build("P-101", constant("slurry_shocks", 1.0)), blocks=6)
    rows = [{name: float(column[k]) for name, column in found.items()} for k in range(6)]
    assert np.median(found["kurtosis"]) > 4
    assert [leading_defect(row) for row in rows] == [None] * 6


def test_a_deposit_raises_the_speed_line_alone() -> None:
    sound, dirty = features(build("V-301")), features(build("V-301", constant("fan_deposit", 0.5)))
    assert np.median(dirty["order_1x_mm_s"] / sound["order_1x_mm_s"]) == pytest.approx(3.0, rel=0.1)
    assert np.median(dirty["order_2x_mm_s"] / sound["order_2x_mm_s"]) == pytest.approx(1.0, rel=0.3)


def test_a_resonance_is_loud_at_its_speed_and_not_at_another() -> None:
    fan, loud = build("V-301"), build("V-301", constant("resonance", 1.0))

    def rise(course: Course, at_s: float) -> float:
        sound, resonant = (
            Machine(one.spec, one.anatomy, seed=1, faults=one.faults, course=course) for one in (fan, loud)
        )
        return float(
            np.divide(*(m.felt(m.spec.points[0], 51_200, FS_HZ, at_s).waves.std() for m in (resonant, sound)))
        )

    drive = build("V-301").drive
    slow = replace(drive, variable=True)
    at_s = min((START_S + 7200 * k for k in range(50)), key=lambda t: float(slow.set_point(np.array([t]))[0]))
    assert rise(Course(), at_s) > 1.5 * rise(Course(variable=True), at_s)


def test_a_block_of_a_few_samples_can_be_had_of_a_machine_at_its_end() -> None:
    machine = build("P-101", constant("outer_ring", 1.0, "1"))
    assert np.isfinite(machine.felt(machine.spec.points[0], 3, FS_HZ, START_S).waves).all()


def test_misalignment_raises_twice_the_speed() -> None:
    sound, bent = features(build("C-201")), features(build("C-201", constant("misalignment", 0.5)))
    assert np.median(bent["order_2x_mm_s"] / sound["order_2x_mm_s"]) > 3


def test_a_dry_bearing_is_loud_at_high_frequencies_and_warm() -> None:
    sound, dry = build("C-201"), build("C-201", constant("lubrication", 0.5, "1"))
    high = "band_5000_10000_m_s2"
    assert np.median(features(dry)[high] / features(sound)[high]) > 2
    point = sound.spec.points[0]
    assert dry.temperature_c(point, START_S) > sound.temperature_c(point, START_S) + 5


def test_faults_add_up_and_none_goes_beyond_its_worst() -> None:
    faults = (constant("unbalance", 0.2), constant("unbalance", 0.3), constant("gear_wear", 0.7))
    condition = condition_of((*faults, constant("gear_wear", 0.7), constant("cage", 0.0, "1")), START_S)
    assert condition.of(FaultKind.UNBALANCE) == pytest.approx(0.5)
    assert condition.of(FaultKind.GEAR_WEAR) == 1.0
    assert len(condition.active) == 4
    assert Condition().of(FaultKind.GEAR_WEAR) == 0.0


def test_an_instant_is_the_same_whatever_was_asked_before() -> None:
    first, second = build("P-101"), build("P-101")
    point = first.spec.points[0]
    for end_s in (START_S + 500, START_S - 1e6, START_S + 3):
        first.acquire(point, 4096, FS_HZ, end_s)
    np.testing.assert_array_equal(
        first.acquire(point, 4096, FS_HZ, START_S).samples,
        second.acquire(point, 4096, FS_HZ, START_S).samples,
    )
    assert first.temperature_c(point, START_S) == second.temperature_c(point, START_S)


def test_another_seed_machine_point_or_instant_gives_others() -> None:
    machine = build("P-101")
    point = machine.spec.points[0]
    first = machine.acquire(point, 4096, FS_HZ, START_S).samples
    others = (
        machine.acquire(point, 4096, FS_HZ, START_S + 1),
        machine.acquire(machine.spec.points[1], 4096, FS_HZ, START_S),
        build("P-101", seed=2).acquire(point, 4096, FS_HZ, START_S),
        build("V-301").acquire(build("V-301").spec.points[0], 4096, FS_HZ, START_S),
    )
    assert all((first != other.samples).mean() > 0.9 for other in others)


def test_points_of_a_machine_turn_together() -> None:
    """Phases of simultaneous blocks can be compared, as those of a gateway with many inputs."""
    spec = build("V-301").spec
    machine = build("V-301", constant("unbalance", 1.0))
    waves = [machine.felt(p, 25600, FS_HZ, START_S).waves[0] for p in spec.points]
    line = round(machine.speed_rpm(START_S) / 60)
    phases = [np.angle(np.fft.rfft(wave)[line]) for wave in waves]
    assert abs(np.angle(np.exp(1j * (phases[0] - phases[1])))) < 0.1


def test_speed_stays_near_nominal() -> None:
    machine = build("C-201")
    speeds = [machine.speed_rpm(START_S + 10 * k) for k in range(200)]
    assert np.mean(speeds) == pytest.approx(1480, rel=0.005)
    assert np.std(speeds) > 0.5


def test_a_variable_drive_moves_within_its_range() -> None:
    spec = build("V-301").spec
    machine = Machine(spec, anatomy_of(spec), seed=1, course=Course(variable=True))
    speeds = [machine.speed_rpm(START_S + 3600 * k) / 990 for k in range(60)]
    assert 0.68 < min(speeds) < 0.8
    assert 0.9 < max(speeds) < 1.02
    assert Regime.TRANSIENT in {machine.regime(START_S + 5 * k) for k in range(2000)}


def test_a_mill_works_in_passes() -> None:
    machine = build("L-401")
    loads = np.array([machine.load(START_S + k) for k in range(600)])
    assert (loads > 0.7).mean() == pytest.approx(12 / 18, abs=0.1)
    assert (loads < 0.45).mean() > 0.2


def test_a_machine_without_an_anatomy_is_a_motor() -> None:
    assert anatomy_of(MachineSpec(id="X", points=(), kind="compressor")).rpm == 1485


def test_no_shaft_turns_where_its_velocity_band_changes() -> None:
    """Around 600 r/min a wandering speed would be judged from 10 Hz in one block, from 2 Hz in the next."""
    shafts = [(m.speed_rpm or 0.0) * p.shaft_order for m in plant().machines for p in m.points]
    assert [rpm for rpm in shafts if abs(rpm / 600 - 1) < 0.05] == []


def test_slow_values_are_those_of_the_machine() -> None:
    machine = build("V-301")
    point = machine.spec.points[0]
    assert machine.read(point, Quantity.SPEED, START_S) == machine.speed_rpm(START_S)
    assert machine.read(point, Quantity.LOAD, START_S) == 100 * machine.load(START_S)
    told = machine.read(point, Quantity.TEMPERATURE, START_S)
    assert told == pytest.approx(machine.temperature_c(point, START_S), abs=0.2)
    assert np.isnan(machine.read(point, Quantity.ACCELERATION, START_S))


def test_one_sky_stands_over_all_machines() -> None:
    air, key = Air(), key_of(1, "air")
    year = air.at(START_S + np.arange(0, 365 * 86400, 3600.0), key)
    assert 5 < year.min() < 15
    assert 33 < year.max() < 45
