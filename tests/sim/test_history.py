"""The past of a simulated plant: its instants, their order, and how it joins the present."""

from __future__ import annotations

import threading
import time
from itertools import islice

import numpy as np
import pytest

from models.detection.baseline import LEAST_BLOCKS, LEAST_DAYS, PACE_S
from palier.clock import PlantClock
from palier.frames import QUALITY_BAD, Readings, Waveform
from palier.plant import load_sample_plant
from palier.source import PatientSource
from simulators.history import (
    DAY_S,
    DENSE_DAYS,
    DENSE_EVERY_S,
    blocks_of,
    days_of,
    joined,
    open_source,
)
from simulators.source import open_source as open_live

ORIGIN_S = 1_793_606_400.0
MACHINES = ("P-101", "C-201", "V-301")
FAST = PlantClock(start_ns=round(ORIGIN_S * 1e9), rate=1e9, wall_start_ns=time.time_ns())
OPTIONS = {"origin_s": ORIGIN_S, "scenario": "demo", "seed": 1, "block_s": 0.1}


def test_the_dense_days_are_enough_for_a_baseline() -> None:
    (ends,) = [d.ends_s for d in days_of(("P-101",), ORIGIN_S)[:1]]
    assert len(ends) * DENSE_DAYS >= LEAST_BLOCKS
    assert DENSE_DAYS >= LEAST_DAYS
    assert PACE_S <= DENSE_EVERY_S


def test_the_past_is_newest_first_and_ends_before_the_origin() -> None:
    days = days_of(MACHINES, ORIGIN_S)
    for machine in MACHINES:
        ends = [end for day in days if day.machine == machine for end in day.ends_s]
        assert ends == sorted(set(ends), reverse=True)
        assert max(ends) < ORIGIN_S
        assert min(ends) == ORIGIN_S - 30 * DAY_S
    assert [day.machine for day in days[:3]] == list(MACHINES)


def test_machines_that_come_first_have_their_dense_days_before_all_others() -> None:
    days = days_of(MACHINES, ORIGIN_S, ("C-201",))
    assert {day.machine for day in days[:DENSE_DAYS]} == {"C-201"}
    assert sorted(days, key=lambda d: (d.machine, -d.ends_s[0])) == sorted(
        days_of(MACHINES, ORIGIN_S), key=lambda d: (d.machine, -d.ends_s[0])
    )


def test_it_waits_for_its_host_and_its_readings_go_a_day_ahead() -> None:
    source = open_source({**OPTIONS, "machines": ["V-301"]}, FAST)
    assert isinstance(source, PatientSource)
    frames = list(islice(source.frames(threading.Event()), 150))
    tables = [k for k, frame in enumerate(frames) if isinstance(frame, Readings)]
    assert tables == [0, 1, 2 + 2 * 72]  # of the first day and of the next, then a day of two points' blocks
    first = frames[0]
    assert isinstance(first, Readings)
    assert first.times_ns.size == 72
    blocks = [frame for frame in frames if isinstance(frame, Waveform)]
    read = np.concatenate([frames[k].times_ns for k in (0, 1)])  # type: ignore[union-attr]
    for block in blocks:
        assert np.abs(read - block.start_ns).min() < 180e9  # what a speed that was read is believed for


def test_the_past_is_of_the_same_plant_as_the_present() -> None:
    past = open_source({**OPTIONS, "machines": ["P-101"]}, FAST)
    block = next(f for f in past.frames(threading.Event()) if isinstance(f, Waveform))
    live = open_live({**OPTIONS, "machines": ["P-101"], "interval_s": DENSE_EVERY_S}, FAST)
    sim = live.plant(ORIGIN_S)
    task = next(t for t in sim.tasks(live.options) if t.point is not None and t.point.id == block.point)
    again = sim.frame_at(task, ORIGIN_S - DENSE_EVERY_S)
    assert isinstance(again, Waveform)
    assert again.start_ns == block.start_ns
    assert np.array_equal(again.samples, block.samples)
    assert past.devices() == live.devices()


def test_it_ends_when_it_is_told_to() -> None:
    stop = threading.Event()
    source = open_source({**OPTIONS, "machines": ["P-101"]}, FAST)
    frames = source.frames(stop)
    next(frames)
    stop.set()
    assert len(list(frames)) <= 1


def test_it_has_as_many_frames_as_are_told() -> None:
    plant = load_sample_plant()
    pump = next(machine for machine in plant.machines if machine.id == "P-101")
    assert len(pump.points) == 2
    per_point = DENSE_DAYS * 72 + 15 * 4
    assert blocks_of(plant) == 10 * per_point + 5 * 30


def test_what_was_of_bad_quality_is_missing_in_a_table() -> None:
    def table(minute: int, value: float, quality: int) -> Readings:
        times = np.array([minute * 60 * 10**9], dtype="<i8")
        return Readings("P-101", ("1/T",), times, np.array([[value]]), ("°C",), quality=(quality,))

    whole = joined([table(1, 40.0, 192), table(2, 850.0, QUALITY_BAD), table(3, 41.0, 192)])
    assert np.array_equal(whole.values, [[40.0, np.nan, 41.0]], equal_nan=True)
    assert whole.quality == (192,)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"origin_s": None}, "origin_s must say where the past ends"),
        ({"first": "P-101"}, "first must be a list of machine ids"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_what_can_not_be_is_refused(options: dict[str, object], sentence: str) -> None:
    table = {key: value for key, value in {**OPTIONS, **options}.items() if value is not None}
    with pytest.raises(ValueError, match=sentence):
        open_source(table, FAST)
