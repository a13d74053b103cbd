"""Twenty gateways, each with more than its share, at a host that commits half of what they sample.

One gateway never shows an overload: its window bounds it. The reference is the same load where each gateway
has a fixed window and a timer for each frame: 4.3 times what is useful on the wire.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.host.conftest import Ingest
from tests.support.figures import percentile, tell
from tests.support.sensors_inside import EPOCH, Sensor, SensorAgent
from tests.support.services import Mosquitto
from tests.support.waiting import eventually

EDGES: Final = 20
RATE_HZ: Final = 20.0
SECONDS: Final = 15.0
COMMITTED_PER_S: Final = 200.0  # half of what they sample

COMMITS_SLOWLY: Final = f"""
import time
from ingest import commit
store = commit.Committer.store
def slow(self, attempt):
    time.sleep(len(attempt.batch.frames) / {COMMITTED_PER_S})
    return store(self, attempt)
commit.Committer.store = slow
"""

FRESH_S: Final = 3.0
"""The credit lets 2 s of work be on its way, and a batch is committed in a second."""


@pytest.mark.faults
@pytest.mark.timeout(240)
def test_twenty_gateways_at_twice_the_commit_rate(
    mosquitto: Mosquitto, ingest: Ingest, tmp_path: Path
) -> None:
    ingest.start(COMMITS_SLOWLY)
    ingest.wait_ready()
    useful = EDGES * round(RATE_HZ * SECONDS)
    with ExitStack() as stack:
        agents = [
            SensorAgent(tmp_path, mosquitto.port, number, Sensor(number, RATE_HZ, SECONDS))
            for number in range(EDGES)
        ]
        for one in agents:
            one.start()
            stack.callback(one.stop)
        eventually(lambda: all(one.sampled_all for one in agents), 60, "the end of the sampling")
        sampled_s = time.monotonic()
        behind = sum(one.behind for one in agents)
        assert behind > useful / 4, "there was no overload"
        eventually(lambda: not any(one.behind for one in agents), 120, "empty outboxes")
        drained_s = time.monotonic() - sampled_s
        wire = sum(one.link.counters.sent.total() for one in agents)
        ages = [age for one in agents for age in one.ages_s(until_s=sampled_s)]
    tell(
        f"{EDGES} gateways x {RATE_HZ:g}/s at {COMMITTED_PER_S:g}/s for {SECONDS:g} s: wire/useful "
        f"{wire / useful:.3f}, p50 age when acknowledged {percentile(ages, 0.5):.1f} s (p90 "
        f"{percentile(ages, 0.9):.1f} s), {behind} behind at the end, drained in {drained_s:.0f} s"
    )
    assert wire / useful <= 1.1
    assert percentile(ages, 0.5) < FRESH_S
    assert ingest.metric("palier_ingest_refused_total") == 0
    assert ingest.metric("palier_ingest_stored_total") == useful
    for number in range(EDGES):
        assert ingest.ranges(f"usine/g{number}", EPOCH) == ((1, useful // EDGES),)
