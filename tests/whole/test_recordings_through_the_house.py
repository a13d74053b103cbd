"""Real recordings through agent, broker, ingest and historian, with each broker that the house can start."""

from __future__ import annotations

import csv
import json
import subprocess
from collections import Counter
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.types import BEARING_DEFECTS
from palier.brokers import BrokerKind
from palier.embedded import PALIER, EmbeddedPlant
from palier.historian.records import RecordsReader
from palier.historian.rows import Verdict
from palier.historian.sqlite import SqliteHistorian
from tests.support.recordings import data_folder
from tests.support.services import mosquitto_path
from tests.support.waiting import eventually

SITE = "replay"
RINGS = {"IR": "bpfi", "OR": "bpfo"}


def palier(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PALIER, *map(str, arguments)], capture_output=True, text=True, timeout=110, check=False
    )


def plant_of(recordings: list[str | Path], file: Path) -> Path:
    made = palier("replay", *recordings, "--plant-out", file)
    assert made.returncode == 0, made.stderr
    return file


def lines_of(plant: EmbeddedPlant) -> dict[str, dict[str, float]]:
    """Bits of each defect's line by machine; a machine stands for one record here."""
    names = [f"{defect}_{kind}" for defect in BEARING_DEFECTS for kind in ("bits", "harmonics")]
    with closing(SqliteHistorian(plant.data.historian, read_only=True)) as historian:
        table = historian.read("feature", names, site=SITE)
    columns = {name: np.asarray(table.columns[name], dtype=float) for name in names}
    return {machine: {n: float(columns[n][i]) for n in names} for i, machine in enumerate(table.machine)}


def ledger_of(plant: EmbeddedPlant) -> dict[str, Any]:
    ledger = palier("ledger", "--data", plant.data.path, "--json")
    assert ledger.returncode == 0, ledger.stdout + ledger.stderr
    return dict(json.loads(ledger.stdout.splitlines()[0]))


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("broker", ["mosquitto", "iotcore"])
def test_each_damaged_ring_shows_the_lines_of_its_own_defect(broker: BrokerKind, tmp_path: Path) -> None:
    """21 records of a rig go in, 21 are stored and accounted for, and each ring defect's own line leads."""
    if broker == "mosquitto":
        mosquitto_path()
    recordings: list[str | Path] = [
        data_folder("hitsm", "mfs.npz"),
        *("--index", data_folder("hitsm", "index_mfs.csv"), "--bearing", "6205"),
    ]
    plant_file = plant_of(recordings, tmp_path / "plant.toml")
    with EmbeddedPlant(tmp_path / "run", plant_file, broker=broker) as plant:
        replay = palier(
            *("replay", *recordings, "--plant", plant_file, "--broker", f"127.0.0.1:{plant.broker_port}"),
            *("--data", tmp_path / "edge", "--quiet"),
        )
        assert replay.returncode == 0, replay.stdout + replay.stderr
        line = eventually(lambda: adding_up(plant), 90, "a ledger that adds up")
        found = lines_of(plant)

    assert (line["acquired"], line["stored"], line["quarantined"], line["dropped"]) == (21, 21, 0, 0)
    with data_folder("hitsm", "index_mfs.csv").open() as index:
        faults = {row["file"]: row["fault"] for row in csv.DictReader(index)}
    assert found.keys() == faults.keys()
    own: Counter[str] = Counter()
    for machine, fault in faults.items():
        defect = RINGS.get(fault)
        bits = {d: found[machine][f"{d}_bits"] for d in BEARING_DEFECTS}
        if (
            defect
            and found[machine][f"{defect}_harmonics"] >= 3
            and max(bits, key=lambda d: bits[d]) == defect
        ):
            own[fault] += 1
    assert own == {"IR": 9, "OR": 9}


def adding_up(plant: EmbeddedPlant) -> dict[str, Any]:
    """The ledger line once nothing is pending, {} before."""
    line = ledger_of(plant)
    return line if line["adds_up"] and not line["pending"] else {}


@pytest.mark.long
@pytest.mark.timeout(400)
def test_kill_9_of_the_ingest_during_a_replay_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    """60 records play at the pace of the plant; the ingest is killed twice on the way and comes back."""
    mosquitto_path()
    recordings: list[str | Path] = [
        data_folder("cwru", "de12.npz"),
        *("--index", data_folder("cwru", "index.csv"), "--bearing", "6205", "--unit", "g"),
    ]
    plant_file = plant_of(recordings, tmp_path / "plant.toml")
    with EmbeddedPlant(tmp_path / "run", plant_file, broker="mosquitto") as plant:
        arguments = [
            "replay",
            *recordings,
            "--plant",
            plant_file,
            "--broker",
            f"127.0.0.1:{plant.broker_port}",
        ]
        # 10 s of signal every 0.4 s: records are still to be read when the ingest is there again.
        arguments += ["--data", tmp_path / "edge", "--rate", "25", "--quiet"]
        with subprocess.Popen(
            [*PALIER, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as replay:
            for least in (3, 20):
                eventually(partial(has_stored, plant, least), 120, f"{least} stored frames")
                assert replay.poll() is None, "the replay ended before the ingest was killed"
                plant.kill("ingest")
                plant.restart("ingest")
            output = replay.communicate(timeout=200)[0].decode()
        assert replay.returncode == 0, output
        line = eventually(lambda: adding_up(plant), 90, "a ledger that adds up")
        with closing(SqliteHistorian(plant.data.historian, read_only=True)) as historian:
            frames = historian.read("feature", ["frame"], site=SITE, channel="DE").columns["frame"]

    assert (line["acquired"], line["stored"], line["quarantined"], line["dropped"]) == (60, 60, 0, 0)
    assert Counter(Counter(frames).values()) == {1: 60}


def has_stored(plant: EmbeddedPlant, least: int) -> bool:
    return stored_count(plant) >= least


def stored_count(plant: EmbeddedPlant) -> int:
    with closing(RecordsReader(plant.data.records)) as records:
        return sum(
            hi - lo + 1
            for edge, epoch in records.edges()
            for lo, hi in records.ranges(edge, epoch, Verdict.STORED)
        )
