"""A gateway configured over a real broker by the command line: tried, kept, taken back, killed meanwhile;
and no block of the source that stays is lost or doubled."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palier.historian.records import RecordsReader
from tests.support.configuring import write_keys
from tests.support.counted import sqlite_features
from tests.support.counting_source import journal_numbers
from tests.support.operator import palier
from tests.support.plant_of_processes import ProcessPlant
from tests.support.waiting import eventually

pytestmark = pytest.mark.long

TRIAL_S = 10
"""A command of the engineer's, its end as a process included, and a kill -9 have room in it."""
REPLAY = '\n[[source]]\ntype = "replay"\nfile = "rec.npz"\nfs_hz = 1000\nunit = "g"\nmachine = "extra"\n'
PACE = "block_samples = 200\nrepeat = true\n"


class Engineer:
    """Somebody at another computer, with the private key."""

    def __init__(self, plant: ProcessPlant, key: Path) -> None:
        self._plant = plant
        self._key = key
        self._file = plant.folder / "sent.toml"
        text = (plant.folder / "gw-1.toml").read_text("utf-8")
        own = text[text.index("[[source]]") :]
        self.own = own.replace(f"{plant.folder}/", "")  # files beside agent.toml, as it must be when sent

    def configure(
        self, text: str, *options: str, key: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        self._file.write_text(text, "utf-8")
        shared = ("--key", str(key or self._key), "--why", "essai", "--yes", "--lang", "en")
        port = self._plant.broker_port
        return palier(port, "gateway", "configure", "gw-1", str(self._file), *shared, *options)

    def show(self) -> dict[str, Any]:
        data = str(self._plant.data.path)
        said = palier(self._plant.broker_port, "gateway", "show", "usine/gw-1", "--data", data, "--json")
        found: dict[str, Any] = json.loads(said.stdout)["status"]
        return found


def test_configure_lose_kill_and_replay(tmp_path: Path) -> None:
    np.savez(tmp_path / "rec.npz", r1=(np.arange(2000) % 1000).astype("<i2"), r1__scale=0.01)
    key = write_keys(tmp_path)
    (tmp_path / "other").mkdir()
    stranger = write_keys(tmp_path / "other")
    agent = {"configuration": {"key_file": "configuration.pub", "trial_s": TRIAL_S}}
    with ProcessPlant(tmp_path, rate=20.0, samples=1000, agent=agent) as plant:
        engineer = Engineer(plant, key)
        plant.settle(0.5)
        eventually(lambda: engineer.show()["version"], 60, "the gateway's word of itself")
        told = engineer.show()
        assert (told["origin"], told["state"], told["sources"]) == ("agent.toml", "local", ["counting"])
        assert told["card_free"] > 0

        kept = engineer.configure(engineer.own + REPLAY + PACE, "--wait", "--json")
        assert json.loads(kept.stdout)["answer"] == "kept", kept.stderr
        assert (kept.returncode, engineer.show()["sources"]) == (0, ["counting", "replay"])

        same = engineer.configure(engineer.own + REPLAY + PACE)
        assert "Nothing to send" in same.stdout

        forged = engineer.configure(engineer.own, key=stranger)
        assert forged.returncode == 1
        assert "the signature is not that of the key of this gateway" in forged.stderr

        broken = engineer.own.replace('"gw-1.journal"', '"nowhere/gw-1.journal"') + REPLAY + PACE
        lost = engineer.configure(broken, "--wait")
        assert lost.returncode == 1
        assert "went back by itself: a source that worked before fails" in lost.stderr
        assert engineer.show()["state"] == "kept"
        eventually(plant.flow.fresh, 60, "blocks of the source that was lost")

        taken = engineer.configure(engineer.own + REPLAY + PACE + "timeout_s = 60\n")
        assert (taken.returncode, "taken, on trial" in taken.stdout) == (0, True), taken.stderr
        agent_part = plant.agents["gw-1"]
        agent_part.kill()
        before_kill = set(journal_numbers(plant.files["gw-1"].journal)[-20:])
        assert b'"trial": {' in (plant.files["gw-1"].outbox / "configuration.toml").read_bytes()
        agent_part.start()
        eventually(lambda: engineer.show()["answer"] == "kept", 60, "the trial over a kill -9")
        assert engineer.show()["configuration_highest"] == 3

        begin, end = (
            f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(time.time() + s))}" for s in (-600, 1)
        )
        asked = palier(
            plant.broker_port,
            *("gateway", "replay", "gw-1", "--from", begin, "--to", end, "--why", "essai", "--lang", "en"),
        )
        assert (asked.returncode, "will be sent again" in asked.stdout) == (0, True), asked.stderr
        eventually(lambda: "answered" in events(plant, "replay"), 60, "the gateway's answer to the replay")
        assert events(plant, "configuration") == [
            *("sent", "taken", "kept", "sent", "refused", "sent", "taken", "went_back"),
            *("sent", "taken", "kept"),
        ]

        less = engineer.configure(engineer.own, "--wait", "--quiet")
        assert (less.returncode, engineer.show()["sources"]) == (0, ["counting"]), less.stderr
        plant.drain()
        plant.end()
        stored = stored_numbers(plant)
        handed = set(journal_numbers(plant.files["gw-1"].journal))
        assert len(stored) == len(set(stored)), "a block is stored twice"
        assert set(stored) <= handed
        assert handed - set(stored) <= before_kill, "only what was in memory at the kill -9 may be gone"


def stored_numbers(plant: ProcessPlant) -> list[int]:
    """The blocks of the counting source whose features are stored, by their number."""
    pace = plant.pace
    rows = [row for row in sqlite_features(plant.data) if row.machine.startswith("gw-1")]
    return [round((row.ts_ns - pace.begin_ns) / 1e9 * pace.rate) for row in rows]


def events(plant: ProcessPlant, kind: str) -> list[str]:
    """What the records hold of a kind, in its order."""
    records = RecordsReader(plant.data.records)
    try:
        return [t.state for t in records.transitions(0, kind)]
    finally:
        records.close()
