"""What turns at the points of a plant, in multiples of their own shafts."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ingest.batch import WorkFrame
from ingest.knowledge import Knowledge, Speeds
from ingest.scoring import Scorer
from ingest.turning import gear_of, kinematics_of, together
from models.features.catalogue import NAMES
from models.features.kinematics import Kinematics
from models.types import Belt, Gear, Impeller, MachineSpec, Motor, PointSpec
from palier.frames import Waveform
from palier.limits import load_limits
from palier.plant import Plant, load_sample_plant

FIRST, SECOND = Gear("first", 23, 91), Gear("second", 21, 85, shaft_order=0.252747)
T0 = 1_790_000_000 * 10**9


def point(order: float) -> PointSpec:
    return PointSpec("p", (), shaft_order=order)


@pytest.mark.parametrize(
    ("order", "gear"),
    [
        (1.0, FIRST),  # its driving shaft
        (23 / 91, FIRST),  # driven by the first and driving the second: the first in the file
        (0.25, FIRST),  # nobody's: the first of all
        (0.06244, SECOND),  # driven by the second, with four digits
    ],
)
def test_a_point_is_given_the_first_gear_that_sits_on_its_shaft(order: float, gear: Gear) -> None:
    assert gear_of((FIRST, SECOND), point(order)) is gear


def test_a_machine_without_gears_gives_none() -> None:
    assert gear_of((), point(1.0)) is None
    bare = kinematics_of(MachineSpec("m", (point(1.0),)), point(1.0), 24.0)
    assert (bare.mesh_order, bare.driven_order) == (None, None)
    assert bare.driving_order == 1.0  # the cepstrum needs no mesh


def test_orders_are_multiples_of_the_points_own_shaft() -> None:
    """At the intermediate shaft the mesh of the first stage is its own 91 teeth, and the input is 91/23."""
    machine = MachineSpec(
        "m", (), gears=(FIRST, SECOND), impeller=Impeller(4), belt=Belt(500, 4000), motor=Motor(50.0)
    )
    turning = kinematics_of(machine, point(23 / 91), None)
    assert turning.mesh_order == pytest.approx(91)
    assert turning.driving_order == pytest.approx(91 / 23)
    assert turning.driven_order == pytest.approx(1)
    assert turning.vane_order == pytest.approx(4 * 91 / 23)
    assert turning.belt_order == pytest.approx(np.pi / 8 * 91 / 23)
    assert (turning.supply_hz, turning.pole_pass_hz) == (50.0, None)


def test_the_slip_needs_a_speed_that_was_measured() -> None:
    """Four poles at 50 Hz: 25 Hz without slip; at 24.7 Hz the slip is 0.3 Hz and the poles pass at 1.2 Hz."""
    machine = MachineSpec("m", (), motor=Motor(50.0, poles=4))
    assert kinematics_of(machine, point(1.0), 24.7).pole_pass_hz == pytest.approx(1.2)
    assert kinematics_of(machine, point(1.0), None).pole_pass_hz is None
    assert kinematics_of(machine, point(0.5), 24.7).pole_pass_hz is None  # not the motor's shaft
    for starting_or_odd in (0.0, 12.0, 22.0, 25.0, 26.0):
        assert kinematics_of(machine, point(1.0), starting_or_odd).pole_pass_hz is None


def test_what_is_unknown_of_a_window_is_nan_among_others() -> None:
    both = together([Kinematics(vane_order=4.0), Kinematics(driving_order=2.0)], np.array([1, 1]))
    np.testing.assert_array_equal(both.vane_order, [4.0, np.nan])
    np.testing.assert_array_equal(both.driving_order, [1.0, 2.0])


# At work ------------------------------------------------------------------------------------------------


def noise(machine: str, point_id: str, *, fs_hz: float = 25600.0, rpm: float | None = None) -> Waveform:
    """A block of 4 s of noise."""
    samples = np.random.default_rng(5).normal(0, 3000, (1, round(4 * fs_hz))).astype("<i2")
    return Waveform(machine, point_id, ("H",), samples, (0.001,), ("m/s²",), fs_hz, T0, speed_rpm=rpm)


def scored(plant: Plant, *frames: Waveform) -> list[dict[str, float]]:
    knowledge = Knowledge(plant, load_limits())
    works = [WorkFrame(None, plant.site_id, frame, live=True, topic="t", payload=b"p") for frame in frames]
    entries = Scorer(knowledge, Speeds(knowledge)).score(works)
    return [dict(zip(NAMES, entry.features[0].tolist(), strict=True)) for entry in entries]


def test_the_samples_machines_have_their_lines() -> None:
    """In one batch: each point by what its own machine has, and nothing else."""
    frames = (
        noise("P-101", "1"),
        noise("C-201", "2", rpm=1480.0),
        noise("V-301", "1", rpm=990.0),
        noise("L-401", "2", rpm=750.0),
        noise("Z-999", "1", rpm=750.0),
    )
    columns = ("vane_pass_mm_s", "belt_mm_s", "twice_supply_mm_s", "mesh_1x_m_s2", "sidebands_driven_m_s2")
    known = [
        tuple(math.isfinite(row[name]) for name in columns) for row in scored(load_sample_plant(), *frames)
    ]
    assert known == [
        (True, True, True, False, False),
        (False, False, False, True, True),
        (True, False, False, False, False),
        (False, False, False, True, True),
        (False, False, False, False, False),
    ]


def test_the_vanes_of_a_tone_are_where_the_plant_says() -> None:
    """1 mm/s at 4·890/60 Hz."""
    block = noise("P-101", "1")
    hz = 4 * 890 / 60
    peak = 1e-3 * np.sqrt(2) * 2 * np.pi * hz
    samples = np.rint(peak * np.sin(2 * np.pi * hz * np.arange(102_400) / 25_600) / 1e-4).astype("<i2")[None]
    (row,) = scored(load_sample_plant(), replace(block, samples=samples, scale=(1e-4,)))
    assert row["vane_pass_mm_s"] == pytest.approx(1.0, rel=5e-3)


def test_a_batch_is_as_each_alone() -> None:
    plant = load_sample_plant()
    frames = (noise("P-101", "1"), noise("L-401", "1", rpm=750.0), noise("C-201", "3", rpm=1480.0))
    for frame, row in zip(frames, scored(plant, *frames), strict=True):
        (alone,) = scored(plant, frame)
        np.testing.assert_allclose(list(row.values()), list(alone.values()), rtol=1e-4, equal_nan=True)
