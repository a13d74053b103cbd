"""Months of a fleet's past: what the ingest would have stored, the same each time, with people in it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ingest.batch import WorkFrame
from ingest.knowledge import Knowledge, Speeds
from ingest.scoring import Scorer
from ingest.watch_parts import watched_points
from models.features.catalogue import NAMES
from palier.frames import Waveform
from palier.historian.folder import DataFolder
from palier.historian.records import RecordsReader
from palier.historian.sqlite import SqliteHistorian
from palier.limits import load_limits
from palier.plant import load_plant
from simulators.faults import FaultKind
from simulators.fleet_blocks import Stretch, past_of
from simulators.fleet_history import END_S, Exists, Made, make_history
from simulators.fleet_judged import columns, judged
from simulators.fleet_people import lives, people
from simulators.fleet_plan import DAY_S, FS_HZ, POINT, PUMP_FAULTS, SAMPLES, SITE, fleet
from simulators.simulate_command import simulation

DAYS = 40.0
PARK = fleet(8, seed=7, start_s=END_S - DAYS * DAY_S, end_s=END_S)


def _made(folder: Path, **more: float) -> Made:
    return make_history(folder, machines=1, days=more.get("days", 1.0), seed=5, every_s=7200.0)


def test_features_are_those_that_the_ingest_computes_of_the_same_samples() -> None:
    member = PARK.members[0]
    past = past_of(Stretch(member, END_S - 4 * 3600, END_S, 7200.0))
    knowledge = Knowledge(PARK.plant, load_limits())
    machine, point = member.machine_at(END_S), member.spec.points[0]
    works = []
    for k, ts_ns in enumerate(past.ts_ns.tolist()):
        block = machine.acquire(point, SAMPLES, FS_HZ, END_S - 4 * 3600 + 7200.0 * (k + 1))
        frame = Waveform(
            member.spec.id, POINT, ("H",), block.samples, (machine.sensor.scale("m/s²"),), ("m/s²",),
            FS_HZ, ts_ns, speed_rpm=block.speed_rpm, load_percent=block.load_percent,
        )  # fmt: skip
        works.append(WorkFrame(None, SITE, frame, live=True, topic="", payload=b""))
    scored = Scorer(knowledge, Speeds(knowledge)).score(works)
    np.testing.assert_array_equal(past.features, np.concatenate([entry.features for entry in scored]))


def test_what_is_watched_is_what_the_ingest_watches() -> None:
    knowledge = Knowledge(PARK.plant, load_limits())
    ours = {m.spec.id: tuple(f"H/{name}" for name in columns(m)) for m in PARK.members}
    assert ours == {one.place[1]: one.names for one in watched_points(knowledge, {})}


def test_the_same_seed_makes_the_same_rows(tmp_path: Path) -> None:
    tables = []
    for name in ("one", "two"):
        _made(tmp_path / name)
        historian = SqliteHistorian(tmp_path / name / "historian.sqlite", read_only=True)
        tables.append(historian.read("feature", [*NAMES, "frame"], site=SITE))
        historian.close()
    for name, column in tables[0].columns.items():
        np.testing.assert_array_equal(np.asarray(column), np.asarray(tables[1].columns[name]))


def test_the_folder_holds_what_an_ingest_leaves_and_the_truth(tmp_path: Path) -> None:
    made = _made(tmp_path / "past")
    assert made.blocks == 12
    data = DataFolder(tmp_path / "past")
    historian = SqliteHistorian(data.historian, read_only=True)
    rows = {name: len(historian.read(name, [field], site=SITE)) for name, field in
            (("feature", "kurtosis"), ("reading", "value"), ("state", "state"))}  # fmt: skip
    historian.close()
    assert rows == {"feature": 12, "reading": 12, "state": 24}
    assert load_plant(tmp_path / "past" / "plant.toml").machines[0].id == "P-101"
    assert json.loads((tmp_path / "past" / "truth.json").read_text())[0]["fault"] == "outer_ring"
    records = RecordsReader(data.records)
    assert [row.kind for row in records.interventions()] == ["bearing_changed"]
    assert records.dirty_hours(10**19, 100)
    records.close()


def test_a_folder_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    with pytest.raises(Exists, match="is there already"):
        _made(tmp_path)
    result = CliRunner().invoke(simulation, ["history", str(tmp_path)])
    assert "is there already: name another folder, or remove it" in str(result.exception)


def test_machines_of_a_kind_are_no_twins_and_faults_come_on_several() -> None:
    pumps = [m for m in fleet(21, seed=7, start_s=0.0, end_s=1e6).members if m.spec.kind == "pump"]
    assert len({m.anatomy.unbalance_kg_m for m in pumps}) == len(pumps)
    faults = [m.story.fault for m in pumps]
    assert min(faults.count(kind) for kind in PUMP_FAULTS) == 5


@pytest.mark.long
@pytest.mark.parametrize(
    ("fault", "verdicts"),
    [(FaultKind.OUTER_RING, ["confirmed"]), (None, []), (FaultKind.SLURRY_SHOCKS, [])],
)
def test_people_confirm_faults_and_nothing_else(fault: FaultKind | None, verdicts: list[str]) -> None:
    park = fleet(21, seed=7, start_s=PARK.start_s, end_s=PARK.end_s)
    member = next(m for m in park.members if m.story.fault is fault)
    past = past_of(Stretch(member, PARK.start_s, PARK.end_s, 2400.0))
    told = judged(member, past, load_limits()[member.spec.points[0].limits or ""])
    assert told.learned is not None
    batch = people(SITE, member, past, told, round(END_S * 1e9))
    assert len(batch.verdicts) == len(list(lives(told)))
    assert [row.verdict for row in batch.verdicts if row.verdict == "confirmed"] == verdicts
