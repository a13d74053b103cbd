"""Twenty thousand damaged messages to a whole ingest, and a good gateway beside them that notices nothing."""

from __future__ import annotations

import itertools
import time
from typing import Final

import pytest

from ingest.quarantine import CONFLICT, SCORING_FAILED, TOO_MANY_NEW, TOPIC
from palier.wire.payload import Reason
from tests.host.conftest import Ingest
from tests.support.figures import most_memory_mb, percentile, tell
from tests.support.flood import of_edge_nodes, running_flood
from tests.support.gateway import Gateway
from tests.support.pulse import Pulse, latencies
from tests.support.services import Mosquitto
from tests.support.waiting import eventually

BAD: Final = 20_000
PHASES: Final = 5
RATE: Final = 800.0  # damaged messages a second: five seconds of flood in each phase
GOOD_RATE: Final = 20.0

MEMORY_MB: Final = 200.0
NOISE_S: Final = 0.05
"""What two cores that others use as well add to a p99 of some 500 frames."""

BUSY_S: Final = 0.1
"""Where half of the good frames take longer even without the flood, the machine is at its end: what the flood
costs is then not to be told from what everything costs, and only the bound for live frames is asked for."""

LIVE_P99_S: Final = 5.0

REASONS: Final = {
    *map(str, Reason),
    *(TOPIC, CONFLICT, SCORING_FAILED, TOO_MANY_NEW),
    *("retention", "refused", "time"),
}
"""Why a message may be put aside. `unexpected` is a defect of ours: it is not among them."""


@pytest.mark.faults
@pytest.mark.timeout(240)
def test_a_flood_of_damaged_messages_stops_nothing_and_slows_nothing(
    mosquitto: Mosquitto, ingest: Ingest
) -> None:
    ingest.start()
    ingest.wait_ready()
    assert ingest.process is not None
    pid, quiet, flooded = ingest.process.pid, [], []
    with (
        running_flood(mosquitto.port, 20_261_122, BAD) as flood,
        Gateway(mosquitto.port) as gateway,
    ):
        gateway.wait_for_host().born()
        with Pulse(gateway, GOOD_RATE) as pulse:
            eventually(lambda: pulse.sent >= 2 * GOOD_RATE, 10, "the first frames")
            marks = [pulse.sent]
            for _ in range(PHASES):
                time.sleep(BAD / PHASES / RATE)  # as long as the flood that follows
                marks.append(pulse.sent)
                flood.begin(BAD // PHASES, RATE)
                flood.wait()
                marks.append(pulse.sent)
        gateway.wait_acked(range(1, pulse.sent + 1), 30)
        for n, (before, after) in enumerate(itertools.pairwise(marks)):
            (flooded if n % 2 else quiet).extend(latencies(gateway, before + 1, after))

        eventually(lambda: counted(ingest) >= of_edge_nodes(BAD) + pulse.sent, 10, "a count of every message")
        reasons = ingest.labelled("palier_ingest_quarantined_total")
        assert ingest.ranges(gateway.edge, gateway.epoch) == ((1, pulse.sent),)
        assert ingest.process.pid == pid
        assert ingest.metric("palier_ingest_callback_errors_total") == 0
        memory_mb = most_memory_mb(pid)
        assert memory_mb < MEMORY_MB
    calm, wild = (percentile(values, 0.99) for values in (quiet, flooded))
    p50 = [round(percentile(values, 0.5) * 1e3) for values in (quiet, flooded)]
    tell(
        f"{BAD} damaged messages at {RATE:g}/s, 0 restarts, {memory_mb:.0f} MB; put aside: {reasons}; "
        f"good frames: p50 {p50[0]} -> {p50[1]} ms, p99 {calm * 1e3:.0f} -> {wild * 1e3:.0f} ms, "
        f"of {len(quiet)} and {len(flooded)}"
    )
    assert {label.split('"')[1] for label in reasons} <= REASONS
    assert wild <= (LIVE_P99_S if percentile(quiet, 0.5) > BUSY_S else 1.2 * calm + NOISE_S)
    assert ingest.stop() == 0


def counted(ingest: Ingest) -> float:
    """Messages that the ingest says it has met."""
    return ingest.metric("palier_ingest_received_total") + ingest.metric("palier_ingest_refused_total")
