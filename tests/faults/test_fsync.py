"""Nothing is promised before it is on the disk: the calls of gateway and host, as the kernel saw them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import pytest

from tests.host.conftest import Ingest
from tests.support.edge_agent import running_agent, write_agent
from tests.support.fake_host import FakeHost
from tests.support.figures import tell
from tests.support.gateway import Gateway, waveform
from tests.support.services import Mosquitto
from tests.support.traced import Call, calls, traced
from tests.support.waiting import eventually

FRAMES: Final = 12
STORES: Final = ("records.sqlite-wal", "historian.sqlite-wal", ".wave")
SECOND: Final = 10**9


def between(told: list[Call], message: str) -> list[set[str]]:
    """The files synced before each message whose bytes hold that, and after the one before it."""
    found: list[set[str]] = []
    synced: set[str] = set()
    for call in told:
        if call.syncs:
            synced.add(call.file)
        elif message in call.line:
            found.append(synced)
            synced = set()
    return found


@pytest.mark.faults
@pytest.mark.faults_ci
def test_the_host_acknowledges_what_all_its_stores_have_on_the_disk(
    mosquitto: Mosquitto, ingest: Ingest, tmp_path: Path
) -> None:
    trace = tmp_path / "strace.txt"
    ingest.start()
    ingest.wait_ready()
    assert ingest.process is not None
    with Gateway(mosquitto.port) as gateway:
        gateway.wait_for_host().born()
        gateway.send(1, waveform(time.time_ns() - 1000 * SECOND))
        gateway.wait_acked([1])
        with traced(ingest.process.pid, trace):
            for seq in range(2, FRAMES + 2):  # one by one: each is a commit of its own
                gateway.send(seq, waveform(time.time_ns() - (1000 - seq) * SECOND))
                gateway.wait_acked([seq])
    told = list(calls(trace))
    batches = between(told, "Palier/Stored")  # limits go to gateways by the same topic
    syncs = sum(call.syncs for call in told)
    tell(f"{len(batches)} acknowledgements of the host, {syncs} syncs, {syncs / len(batches):.1f} for each")
    assert len(batches) == FRAMES
    for synced in batches:
        for store in STORES:
            assert any(file.endswith(store) for file in synced), (store, sorted(synced))


@pytest.mark.faults
@pytest.mark.faults_ci
def test_the_gateway_sends_what_its_outbox_has_on_the_disk(mosquitto: Mosquitto, tmp_path: Path) -> None:
    trace = tmp_path / "strace.txt"
    config = write_agent(tmp_path, mosquitto.port, samples=64 * 200, rate="0.32")  # a block each 0.2 s
    with FakeHost(mosquitto.port) as host, running_agent(config) as agent:
        eventually(lambda: len(host.stored) > 2, 60, "the first frames")
        with traced(agent.pid, trace):
            already = len(host.stored)
            eventually(lambda: len(host.stored) > already + FRAMES, 60, "some frames more")
    told = list(calls(trace))
    batches = between(told, "/DDATA/")
    syncs = sum(call.syncs and call.file.endswith("outbox.sqlite-wal") for call in told)
    tell(f"{len(batches)} frames of a gateway, {syncs} syncs of its outbox (of frame and of acknowledgement)")
    assert len(batches) >= FRAMES
    for synced in batches[1:]:
        assert any(file.endswith("outbox.sqlite-wal") for file in synced), sorted(synced)
    assert syncs >= len(batches)
