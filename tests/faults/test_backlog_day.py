"""The uplink was cut for a day: how soon the present is seen again, and how long the past takes to arrive."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from edge_agent.outbox import FILE_NAME
from tests.host.conftest import Ingest
from tests.support.broken_link import BrokenLink
from tests.support.edge_agent import running_agent, stop_agent, write_agent
from tests.support.figures import tell
from tests.support.filled_outbox import SAMPLES, fill
from tests.support.plant_of_processes import SHARE
from tests.support.services import Mosquitto
from tests.support.waiting import eventually

EDGE: Final = "usine/p1"
EPOCH: Final = "00000000000000da"
DAY_S: Final = 86_400.0
POINTS: Final = 20
BLOCKS: Final = 144 * POINTS  # one each ten minutes
LIVE_WITHIN_S: Final = 10.0
TIMES_REAL_TIME: Final = 10.0


@pytest.mark.faults
@pytest.mark.faults_ci
@pytest.mark.timeout(600)
def test_a_day_of_backlog_drains_behind_the_present(
    mosquitto: Mosquitto, ingest: Ingest, tmp_path: Path
) -> None:
    fill(tmp_path / "outbox", EDGE, EPOCH, machine="pompe", blocks=BLOCKS, points=POINTS)
    ingest.start()
    ingest.wait_ready()
    with BrokenLink(mosquitto.port) as link:
        link.cut()
        # A block of 25 kB each second: the recording's 1000 Hz, replayed as fast as that.
        config = write_agent(
            tmp_path, link.port, samples=200 * SAMPLES, block=SAMPLES, rate=str(SAMPLES / 1000)
        )
        with running_agent(config) as agent:
            eventually(lambda: sampled(tmp_path / "outbox") > BLOCKS + 2, 60, "live frames in the outbox")
            link.heal()
            began_s = time.monotonic()
            eventually(lambda: highest(ingest) > BLOCKS, 60, "a live frame in the store")
            live_s = time.monotonic() - began_s
            eventually(lambda: from_the_first_on(ingest) >= BLOCKS, 400, "the whole backlog in the store")
            drained_s = time.monotonic() - began_s
            assert stop_agent(agent) == 0
    tell(
        f"24 h of {POINTS} points, {BLOCKS} blocks of 25 kB: a live frame in the store after {live_s:.1f} s, "
        f"all after {drained_s:.1f} s: {DAY_S / drained_s:.0f} x real time, {BLOCKS / drained_s:.0f}/s "
        "(of the design's prototype, which computed nothing: 0.3 to 2 s, 1,141 to 2,863/s)"
    )
    assert live_s < LIVE_WITHIN_S / SHARE
    assert DAY_S / drained_s >= TIMES_REAL_TIME
    assert ingest.metric("palier_ingest_duplicates_total") == 0
    assert not ingest.labelled("palier_ingest_quarantined_total")


def sampled(folder: Path) -> int:
    """The highest seq in an outbox that an agent is at work on."""
    with closing(sqlite3.connect(f"file:{folder / FILE_NAME}?mode=ro", uri=True)) as outbox:
        found: int = outbox.execute("SELECT max(seq) FROM frame").fetchone()[0]
        return found


def highest(ingest: Ingest) -> int:
    """The highest seq that is stored, 0 for none."""
    return max((hi for _, hi in ingest.ranges(EDGE, EPOCH)), default=0)


def from_the_first_on(ingest: Ingest) -> int:
    """Up to which seq all is stored."""
    return next((hi for lo, hi in ingest.ranges(EDGE, EPOCH) if lo == 1), 0)
