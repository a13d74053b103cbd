"""Many gateways at once, each with more than its share: what is on the wire beyond what is stored.

One gateway never shows an overload: its window bounds it. With many, only the credit in the acknowledgements
keeps what they send together within what the host can commit.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.host.conftest import Ingest
from tests.support.sensors_inside import Sensor, SensorAgent
from tests.support.services import Mosquitto
from tests.support.waiting import eventually

EDGES = 6
COMMIT_S = 0.6
"""Each commit is made to last so long: with 50 frames in one, as at the start, 83 frames a second are the
most; with 200, the most there can be once the credit has grown, 333."""

RATE_HZ = 400 / EDGES  # more than both
SECONDS = 3.0


@pytest.mark.long
def test_above_the_commit_rate_hardly_a_frame_is_sent_in_vain(
    mosquitto: Mosquitto, ingest: Ingest, tmp_path: Path
) -> None:
    ingest.environment["PALIER_FAILPOINT"] = f"before_records:sleep={COMMIT_S}"
    with ExitStack() as stack:
        agents = [
            SensorAgent(tmp_path, mosquitto.port, number, Sensor(number, RATE_HZ, SECONDS))
            for number in range(EDGES)
        ]
        for one in agents:
            one.start()
            stack.callback(one.stop)
        useful = EDGES * round(RATE_HZ * SECONDS)
        # All of them have a backlog when the host comes, however fast this machine samples and commits.
        eventually(lambda: all(one.sampled_all for one in agents), 60, "the end of the sampling")
        assert sum(one.behind for one in agents) == useful
        ingest.start()
        eventually(lambda: not any(one.behind for one in agents), 200, "empty outboxes")
        wire = sum(one.link.counters.sent.total() for one in agents)

        assert ingest.metric("palier_ingest_stored_total") == useful
        assert wire / useful <= 1.1
        assert ingest.metric("palier_ingest_refused_total") == 0
