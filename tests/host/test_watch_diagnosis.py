"""What a diagnosis is given beside the blocks: load, temperature, what people did, what grows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ingest.alarm_commands import decide
from ingest.alarm_desk import Desk
from ingest.knowledge import SPEED_AGE_S, Knowledge, Speeds
from ingest.watch import Watch
from ingest.watch_diagnosis import Around, Ring, events_of, evidence_of, remember
from ingest.watch_parts import Watched
from models.diagnosis import Evidence
from models.types import ChannelSpec, Quantity, Refusal
from palier.frames import QUALITY_GOOD, Readings, Waveform
from palier.limits import load_limits
from palier.operations import Command, Intervene, InterventionKind
from tests.support import watched_pump as pump
from tests.support.watched_pump import PLACE, PUMP

HOUR_NS = 3_600 * 10**9


def the_pump() -> Watched:
    one = Watch.of(pump.knowledge()).watched(PLACE)
    assert one is not None
    return one


def evidence(around: Around, *, load: float = np.nan, warm: float = np.nan) -> Evidence:
    one, ring = the_pump(), Ring()
    for k in range(3):
        entry = replace(pump.healthy(k).scored, load_percent=load + k, temperature_c=warm + k)
        ring = remember(ring, entry, one)
    return evidence_of([(one, ring)], one, None, pump.knowledge(), around)


def test_load_and_temperature_of_each_block_are_told() -> None:
    found = evidence(Around(), load=70.0, warm=60.0)
    assert found.load is not None
    assert found.load.tolist() == [70, 71, 72]
    (point,) = found.points
    assert point.temperature_c is not None
    assert point.temperature_c.tolist() == [60, 61, 62]
    assert point.temperature_limits is not None


def test_what_nobody_measured_is_not_told() -> None:
    found = evidence(Around())
    assert found.load is None
    assert found.points[0].temperature_c is None


def test_what_people_did_is_told_by_kind() -> None:
    plant = pump.knowledge().plant
    desk = Desk()
    for k, kind in enumerate(("greasing", "tightening", "other", "greasing")):
        at_ns = pump.LEARNED_NS + k * HOUR_NS
        ask = Intervene(PUMP, InterventionKind(kind), at_ns)
        desk = decide(desk, Command(str(k), "marie", ask), plant, pump.LEARNED_NS + 9 * HOUR_NS).desk
    events = events_of(desk.work, PUMP)
    first_h = pump.LEARNED_NS / HOUR_NS
    assert events.greased_h == pytest.approx(first_h + 3)
    assert events.tightened_h == pytest.approx(first_h + 1)
    assert np.isnan(events.tool_changed_h)
    assert np.isnan(events_of(desk.work, "another").greased_h)
    assert evidence(Around(events)).events == events


def test_what_grows_is_told_of_its_channel() -> None:
    grows = {PLACE: {"H/velocity_rms_mm_s": 5.0, "X/velocity_rms_mm_s": 3.0}}
    (channel,) = evidence(Around(doubling_days=grows)).points[0].channels
    assert channel.doubling_days == {"velocity_rms_mm_s": 5.0}


def test_the_work_of_a_machine_reaches_its_diagnosis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def examine(*told: object, **more: object) -> None:
        seen.append(told[-1])
        raise ValueError("this test wants no diagnosis")

    monkeypatch.setattr("ingest.watch_step.examine", examine)
    host = pump.learned_host(tmp_path)
    host.historian.close()
    sound = pump.sound()[0]
    loud = pump.at(replace(sound, features=sound.features * np.float32(9)), 1010)
    host.watching.grows(PLACE, {"H/velocity_rms_mm_s": 5.0}).step([loud], work={(PUMP, "greasing"): HOUR_NS})
    (around,) = seen
    assert isinstance(around, Around)
    assert around.events.greased_h == 1
    assert around.doubling_days[PLACE] == {"H/velocity_rms_mm_s": 5.0}


def test_a_block_finds_the_load_and_the_temperature_of_its_time() -> None:
    plant = pump.knowledge().plant
    machine = plant.machines[0]
    point = next(p for p in machine.points if p.bearing and any(c.unit == "°C" for c in p.channels))
    loaded = replace(point, channels=(*point.channels, ChannelSpec("L", Quantity.LOAD, "%")))
    machine = replace(machine, points=(loaded,))
    load, warm = f"{point.id}/L", f"{point.id}/{next(c.id for c in point.channels if c.unit == '°C')}"
    speeds = Speeds(Knowledge(replace(plant, machines=(machine,)), load_limits()))
    readings = Readings(
        machine.id,
        (load, warm),
        np.array([10**9]),
        np.array([[80.0], [61.0]]),
        ("%", "K"),
        quality=(QUALITY_GOOD,) * 2,
    )
    speeds.take(plant.site_id, readings)
    speeds.take(plant.site_id, replace(readings, unit=("unknown", "°C"), values=np.array([[90.0], [62.0]])))
    block = Waveform(machine.id, point.id, ("H",), np.zeros((1, 8), np.int16), (1.0,), ("g",), 1e3, 2 * 10**9)
    assert speeds.load_percent(plant.site_id, block) == 80
    assert speeds.temperature_c(plant.site_id, block) == 62
    assert speeds.load_percent(plant.site_id, replace(block, load_percent=55.0)) == 55
    late = replace(block, start_ns=round((SPEED_AGE_S + 2) * 1e9))
    assert np.isnan(speeds.load_percent(plant.site_id, late))


def test_a_bearing_at_its_end_is_not_a_belt_or_a_misaligned_shaft_as_well(tmp_path: Path) -> None:
    """Its shaft moves in the clearance: 2x, 3x and the floor under the belt's lines rise with it."""
    host = pump.learned_host(tmp_path)
    sick = pump.simulated([0.85] * 3, 700)
    host.commit([pump.at(sick[k % 3], pump.LEARNED + k) for k in range(8)])
    host.historian.close()
    assert host.examined
    for one in host.examined:
        assert not isinstance(one.found, Refusal)
        named = [str(diagnosis.fault) for diagnosis in one.found]
        assert named[:1] == ["outer_ring"]
        assert not {"belt", "misalignment"} & set(named)
