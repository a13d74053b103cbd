"""The five machines of the sample plant: levels, faults, seeds, counts, speed."""

from __future__ import annotations

import math
import time

import numpy as np
import numpy.typing as npt
import pytest

from models.features import Extractor, leading_defect
from models.types import MachineSpec, Quantity
from palier.plant import Plant, load_sample_plant
from simulators.faults import BearingDamage, Deposit, Fault, GearWear, Misaligned, condition_of
from simulators.kinds import anatomy_of
from simulators.machines.bearing import Place
from simulators.machines.machine import Machine
from simulators.sensors import FULL_SCALE_COUNTS, Accelerometer

START_S = 1.7e9
SECONDS = 2.5

HEALTHY = {  # velocity mm/s RMS, acceleration m/s² RMS, °C: what an analyst expects of such machines
    "P-101": (2.3, 2.2, 52),
    "C-201": (1.2, 2.2, 55),
    "V-301": (2.3, 1.4, 58),
    "L-401": (1.8, 6.0, 60),
    "B-501": (0.6, 3.4, 35),
}


@pytest.fixture(scope="module")
def plant() -> Plant:
    return load_sample_plant()


def build(plant: Plant, machine_id: str, *, faults: tuple[Fault, ...] = (), seed: int = 1) -> Machine:
    spec = plant.machine(machine_id)
    assert spec is not None
    return Machine(spec, anatomy_of(spec), seed=seed, start_s=START_S, faults=faults)


def features(machine: Machine, blocks: int = 4, point: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    """Features of blocks 5 s apart at one point."""
    place = machine.spec.points[point]
    fs_hz = place.channels[0].fs_hz or 0.0
    n = round(SECONDS * fs_hz)
    extractor = Extractor(fs_hz, n)
    rows = []
    for k in range(blocks):
        machine.advance(START_S + 5 * (k + 1))
        block = machine.acquire(place, n, fs_hz)
        rows.append(
            extractor.extract(
                block.samples[:1],
                machine.sensor.scale("m/s²"),
                speed_hz=block.speed_rpm / 60 * place.shaft_order,
                orders=None if place.bearing is None else place.bearing.orders,
            )[0]
        )
    return dict(zip(extractor.names, np.array(rows).T, strict=True))


@pytest.mark.parametrize("machine_id", HEALTHY)
def test_a_sound_machine_has_the_levels_of_its_kind(plant: Plant, machine_id: str) -> None:
    velocity, acceleration, temperature = HEALTHY[machine_id]
    machine = build(plant, machine_id)
    found = features(machine, blocks=8)
    assert np.median(found["velocity_rms_mm_s"]) == pytest.approx(velocity, rel=0.3)
    assert np.median(found["acceleration_rms_m_s2"]) == pytest.approx(acceleration, rel=0.3)
    assert machine.read(machine.spec.points[0], Quantity.TEMPERATURE) == pytest.approx(temperature, abs=7)


@pytest.mark.parametrize("machine_id", HEALTHY)
def test_a_sound_bearing_shows_no_defect(plant: Plant, machine_id: str) -> None:
    found = features(build(plant, machine_id), blocks=6)
    rows = [{name: float(column[k]) for name, column in found.items()} for k in range(6)]
    assert [leading_defect(row) for row in rows] == [None] * 6


@pytest.mark.parametrize(
    ("place", "defect"), [(Place.OUTER, "bpfo"), (Place.INNER, "bpfi"), (Place.ROLLING, "bsf")]
)
def test_damage_shows_its_own_line_and_hardly_any_velocity(plant: Plant, place: Place, defect: str) -> None:
    sound = features(build(plant, "P-101"))
    damaged = features(build(plant, "P-101", faults=(BearingDamage("1", place, 0.5),)))
    rows = [{name: float(column[k]) for name, column in damaged.items()} for k in range(4)]
    assert [leading_defect(row) for row in rows].count(defect) >= 3
    assert np.median(damaged["velocity_rms_mm_s"] / sound["velocity_rms_mm_s"]) < 1.1


def test_damage_stays_at_its_point(plant: Plant) -> None:
    machine = build(plant, "P-101", faults=(BearingDamage("2", Place.OUTER, 0.5),))
    found = features(machine, point=0)
    assert leading_defect({name: float(column[0]) for name, column in found.items()}) is None


def test_a_deposit_raises_the_speed_line_alone(plant: Plant) -> None:
    sound = features(build(plant, "V-301"))
    dirty = features(build(plant, "V-301", faults=(Deposit(start=2.0, growth_per_hour=0, limit=3),)))
    ratio = np.median(dirty["order_1x_mm_s"] / sound["order_1x_mm_s"])
    assert ratio == pytest.approx(3.0, rel=0.1)
    assert np.median(dirty["order_2x_mm_s"] / sound["order_2x_mm_s"]) == pytest.approx(1.0, rel=0.3)


def test_misalignment_raises_twice_the_speed(plant: Plant) -> None:
    sound, bent = features(build(plant, "C-201")), features(build(plant, "C-201", faults=(Misaligned(4.0),)))
    assert np.median(bent["order_2x_mm_s"] / sound["order_2x_mm_s"]) > 3


def test_a_deposit_grows_and_falls_off() -> None:
    deposit = Deposit(start=1.0, growth_per_hour=2.0, limit=2.0)
    grown = [condition_of((deposit,), hours).unbalance for hours in (0.0, 0.25, 0.49, 0.51)]
    assert grown == pytest.approx([1.0, 1.5, 1.98, 1.02])


def test_faults_add_up() -> None:
    condition = condition_of(
        (
            Deposit(1, 0, 2),
            Deposit(0.5, 0, 2),
            GearWear(0.7),
            GearWear(0.7),
            BearingDamage("1", Place.OUTER, 0.9, 1),
        ),
        hours=2,
    )
    assert condition.unbalance == 1.5
    assert condition.gear_wear == 1.0
    assert condition.bearing == (("1", Place.OUTER, 1.0),)


def blocks(machine: Machine, count: int = 3) -> npt.NDArray[np.int16]:
    point = machine.spec.points[0]
    out = []
    for k in range(count):
        machine.advance(START_S + 5 * k + 5)
        out.append(machine.acquire(point, 4096, 25600.0).samples)
    return np.array(out)


def test_the_same_seed_gives_the_same_samples(plant: Plant) -> None:
    np.testing.assert_array_equal(blocks(build(plant, "P-101")), blocks(build(plant, "P-101")))


def test_another_seed_or_machine_gives_others(plant: Plant) -> None:
    first = blocks(build(plant, "P-101"))
    assert (first != blocks(build(plant, "P-101", seed=2))).mean() > 0.9
    assert (first != blocks(build(plant, "V-301"))).mean() > 0.9


def test_counts_are_int16_and_use_the_sensor_range(plant: Plant) -> None:
    samples = blocks(build(plant, "L-401"))
    assert samples.dtype == np.dtype("<i2")
    sensor = Accelerometer()
    assert sensor.scale("g") * FULL_SCALE_COUNTS == pytest.approx(50)
    assert sensor.scale("m/s²") * FULL_SCALE_COUNTS == pytest.approx(490.33, abs=0.01)


def test_what_lies_beyond_the_range_is_clipped() -> None:
    loud = np.array([[-1e6, 0.0, 1e6]])
    counts = Accelerometer().sample(loud, 25600.0, np.random.default_rng(0))
    assert counts[0, 0] == -FULL_SCALE_COUNTS
    assert counts[0, 2] == FULL_SCALE_COUNTS


def test_the_sensor_has_its_noise_floor() -> None:
    counts = Accelerometer(noise_ug=50).sample(np.zeros((1, 200_000)), 25600.0, np.random.default_rng(0))
    rms_g = float(counts.std()) * Accelerometer().scale("g")
    assert rms_g == pytest.approx(50e-6 * math.sqrt(12800), rel=0.03)


def test_a_warm_machine_follows_its_load_slowly(plant: Plant) -> None:
    machine = build(plant, "L-401")
    point = machine.spec.points[0]
    before = machine.read(point, Quantity.TEMPERATURE)
    machine.advance(START_S + 60)
    assert abs(machine.read(point, Quantity.TEMPERATURE) - before) < 1.0


def test_time_never_runs_backwards(plant: Plant) -> None:
    machine = build(plant, "P-101")
    machine.advance(START_S + 100)
    speed = machine.speed_rpm
    machine.advance(START_S + 50)
    assert machine.speed_rpm == speed


def test_speed_stays_near_nominal(plant: Plant) -> None:
    machine = build(plant, "C-201")
    speeds = []
    for k in range(200):
        machine.advance(START_S + 10 * k + 10)
        speeds.append(machine.speed_rpm)
    assert np.mean(speeds) == pytest.approx(1480, rel=0.005)
    assert np.std(speeds) > 0.5


def test_no_shaft_turns_where_its_velocity_band_changes(plant: Plant) -> None:
    """Around 600 r/min a wandering speed would be judged from 10 Hz in one block, from 2 Hz in the next."""
    shafts = [(m.speed_rpm or 0.0) * p.shaft_order for m in plant.machines for p in m.points]
    assert [rpm for rpm in shafts if abs(rpm / 600 - 1) < 0.05] == []


def test_a_machine_without_an_anatomy_is_a_motor() -> None:
    spec = MachineSpec(id="X", points=(), kind="compressor")
    assert anatomy_of(spec).rpm == 1485


def test_simulating_is_much_faster_than_real_time(plant: Plant) -> None:
    machine = build(plant, "P-101", faults=(BearingDamage("1", Place.OUTER, 0.5),))
    point = machine.spec.points[0]
    machine.acquire(point, 102_400, 25600.0)
    began = time.process_time()
    for _ in range(3):
        machine.acquire(point, 102_400, 25600.0)
    assert 12.0 / (time.process_time() - began) > 20
