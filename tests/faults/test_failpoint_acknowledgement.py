"""The ingest is killed in the middle of a commit: what was acknowledged is stored, and these tests can tell.

An ingest that acknowledges 30 ms before its commit survives most kills: the moment is too short to be hit.
So it is held there, and then killed; the same is done to an ingest with that very defect, which must be found
out twice: by what is missing, and by the ledger.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.host.conftest import Ingest
from tests.support.sensors_inside import EPOCH, Sensor, SensorAgent
from tests.support.services import Mosquitto
from tests.support.waiting import eventually

FRAMES: Final = 40
EDGE: Final = "usine/g0"
HELD_S: Final = 1.5  # an acknowledgement sent too early is there by then

ONLY_WITH_FRAMES: Final = """
from ingest import worker
from ingest.failpoints import Failpoints
all_stored = worker.Worker._stored
def held_with_frames(self, attempt, begun_s):
    committer = self._committer
    failpoints = committer._failpoints
    if not attempt.batch.frames:
        committer._failpoints = Failpoints()
    try:
        return all_stored(self, attempt, begun_s)
    finally:
        committer._failpoints = failpoints
worker.Worker._stored = held_with_frames
"""
"""A birth makes a commit of its own, without a frame: to be held there would prove nothing."""

ACKNOWLEDGES_30_MS_EARLY: Final = """
import time
from ingest import worker
from ingest.batch import Committed
stored = worker.Worker._stored
def early(self, attempt, begun_s):
    tell = self._tell
    tell(Committed(attempt.batch, 0.01))
    time.sleep(0.03)
    self._tell = lambda outcome: None if isinstance(outcome, Committed) else tell(outcome)
    try:
        return stored(self, attempt, begun_s)
    finally:
        self._tell = tell
worker.Worker._stored = early
"""


@dataclass(frozen=True)
class Found:
    """Seqs acknowledged to the gateway, those stored at the kill, and in the end; what the ledger says."""

    acknowledged: set[int]
    stored: set[int]
    in_the_end: set[int]
    adds_up: bool

    @property
    def lost(self) -> set[int]:
        """Frames that are nowhere any more."""
        return set(range(1, FRAMES + 1)) - self.in_the_end


def stored(ingest: Ingest) -> set[int]:
    """The seqs that the records know as stored."""
    return {seq for lo, hi in ingest.ranges(EDGE, EPOCH) for seq in range(lo, hi + 1)}


def killed_at(ingest: Ingest, port: int, folder: Path, place: str, defect: str = "") -> Found:
    """A whole agent, an ingest that is held at `place` and killed there, and a sound one after it."""
    ingest.environment["PALIER_FAILPOINT"] = f"{place}:sleep=60"
    ingest.start(ONLY_WITH_FRAMES + defect)
    ingest.wait_ready()
    agent = SensorAgent(folder, port, 0, Sensor(0, rate_hz=100.0, seconds=FRAMES / 100.0))
    agent.start()
    try:
        eventually(
            lambda: agent.sampled_all and ingest.metric("palier_ingest_frames_waiting"), 60, "the hold"
        )
        if defect:
            eventually(lambda: agent.acked_s, 60, "the acknowledgement that was sent too early")
        time.sleep(HELD_S)
        ingest.stop(signal.SIGKILL)
        acknowledged, at_the_kill = set(agent.acked_s), stored(ingest)
        ingest.environment.clear()
        ingest.start()
        ingest.wait_ready()
        eventually(lambda: not agent.behind, 120, "an empty outbox")
        eventually(lambda: balance(ingest)[:2] == (FRAMES, 0), 60, "the ledger of all frames")
    finally:
        agent.stop()
    return Found(acknowledged, at_the_kill, stored(ingest), bool(balance(ingest)[2]))


def balance(ingest: Ingest) -> tuple[float, ...]:
    """Acquired, pending, and whether it adds up, of the newest ledger line; () where there is none."""
    names = ("acquired", "pending", "adds_up")
    with ingest.historian() as historian:
        table = historian.read("ledger", names, site="usine", newest=1)
    return tuple(float(table.columns[name][0]) for name in names) if len(table) else ()


@pytest.mark.faults
@pytest.mark.timeout(300)
@pytest.mark.parametrize("place", ["before_waveforms", "before_series", "before_records"])
def test_what_was_acknowledged_is_stored(
    mosquitto: Mosquitto, ingest: Ingest, tmp_path: Path, place: str
) -> None:
    found = killed_at(ingest, mosquitto.port, tmp_path, place)
    assert found.acknowledged <= found.stored
    assert found.lost == set()
    assert found.adds_up


@pytest.mark.faults
@pytest.mark.faults_ci
@pytest.mark.timeout(300)
def test_an_acknowledgement_30_ms_before_the_commit_is_found_out(
    mosquitto: Mosquitto, ingest: Ingest, tmp_path: Path
) -> None:
    found = killed_at(ingest, mosquitto.port, tmp_path, "before_records", ACKNOWLEDGES_30_MS_EARLY)
    assert found.acknowledged
    assert not found.acknowledged <= found.stored
    assert found.lost == found.acknowledged - found.stored
    assert not found.adds_up
