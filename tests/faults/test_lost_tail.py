"""The end of a burst is lost on the way, and nothing follows that would show the gap."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import pytest

from edge_agent.events import Cause
from edge_agent.window import STALL_S
from tests.host.conftest import Ingest
from tests.support.figures import tell
from tests.support.lossy_link import LossyLink
from tests.support.sensors_inside import EPOCH, Sensor, SensorAgent
from tests.support.services import Mosquitto
from tests.support.waiting import eventually

BURST: Final = 30
LOST: Final = range(20, BURST)


@pytest.mark.faults
@pytest.mark.faults_ci
@pytest.mark.timeout(300)
def test_the_lost_tail_of_a_burst_costs_one_probe_and_no_frame(
    mosquitto: Mosquitto, ingest: Ingest, tmp_path: Path
) -> None:
    ingest.start()
    ingest.wait_ready()
    with LossyLink(mosquitto.port, LOST) as link:
        agent = SensorAgent(tmp_path, link.port, 0, Sensor(0, rate_hz=200.0, seconds=BURST / 200.0))
        agent.start()
        try:
            eventually(lambda: link.seen == BURST, 60, "the whole burst on the way")
            began_s = time.monotonic()
            eventually(
                lambda: agent.outbox.totals().acquired == BURST and not agent.behind, 120, "all of it stored"
            )
            seconds = time.monotonic() - began_s
        finally:
            agent.stop()
        sent = agent.link.counters.sent
    tell(f"{len(LOST)} lost at the end of {BURST}: stored after {seconds:.1f} s, sent {dict(sent)}")
    assert ingest.ranges("usine/g0", EPOCH) == ((1, BURST),)
    assert (sent[Cause.PROBE], sent[Cause.GAP], sent.total()) == (1, len(LOST) - 1, BURST + len(LOST))
    assert seconds < 3 * STALL_S  # by the first probe, not the next: that comes no sooner
    assert ingest.metric("palier_ingest_duplicates_total") == 0
