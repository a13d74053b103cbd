"""A thousand births within a second, two hundred gateways that connect at once: a good gateway goes on."""

from __future__ import annotations

import time
from typing import Final

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from palier.historian.rows import Verdict
from tests.host.conftest import Ingest
from tests.support.crowd import EPOCH, Crowd, births, first_frame
from tests.support.figures import most_memory_mb, percentile, tell
from tests.support.gateway import Gateway
from tests.support.pulse import Pulse, latencies
from tests.support.services import Mosquitto
from tests.support.waiting import eventually

BORN: Final = 1_000
CONNECTIONS: Final = 200
RATE_HZ: Final = 10.0
LIVE_P99_S: Final = 5.0
MEMORY_MB: Final = 200.0


def counted(ingest: Ingest) -> float:
    """Messages that the ingest met: taken, or left for want of room."""
    return ingest.metric("palier_ingest_received_total") + ingest.metric("palier_ingest_refused_total")


def judge(ingest: Ingest, gateway: Gateway, pulse: Pulse, what: str) -> None:
    """Every good frame stored, within the time; memory within its bound."""
    gateway.wait_acked(range(1, pulse.sent + 1), 30)
    assert ingest.process is not None
    ages, memory_mb = latencies(gateway, 1, pulse.sent), most_memory_mb(ingest.process.pid)
    p50, p99, longest = (1e3 * percentile(ages, share) for share in (0.5, 0.99, 1.0))
    tell(
        f"{what}: {len(ages)} good frames acknowledged after p50 {p50:.0f} ms, p99 {p99:.0f} ms, "
        f"longest {longest:.0f} ms; ingest {memory_mb:.0f} MB at most"
    )
    assert percentile(ages, 0.99) < LIVE_P99_S
    assert memory_mb < MEMORY_MB
    assert ingest.ranges(gateway.edge, gateway.epoch) == ((1, pulse.sent),)


@pytest.mark.faults
def test_a_thousand_gateways_are_born_within_a_second(mosquitto: Mosquitto, ingest: Ingest) -> None:
    ingest.start()
    ingest.wait_ready()
    storm = [message for number in range(BORN) for message in births(f"b{number}")]
    client = Client(CallbackAPIVersion.VERSION2, client_id="storm")
    client.connect("127.0.0.1", mosquitto.port)
    client.loop_start()
    with Gateway(mosquitto.port) as gateway:
        gateway.wait_for_host().born()
        with Pulse(gateway, RATE_HZ) as pulse:
            eventually(lambda: pulse.sent > RATE_HZ, 10, "the first frames")
            before, began = counted(ingest) - pulse.sent, time.monotonic()
            for topic, payload in storm:
                info = client.publish(topic, payload)
            info.wait_for_publish(30)
            seconds = time.monotonic() - began
            eventually(lambda: counted(ingest) - pulse.sent >= before + len(storm), 30, "every birth counted")
            eventually(lambda: pulse.sent > 8 * RATE_HZ, 30, "some seconds more")
        client.disconnect()
        client.loop_stop()
        judge(ingest, gateway, pulse, f"{BORN} births within {seconds:.1f} s")
    assert ingest.metric("palier_ingest_edges") == BORN + 1
    assert ingest.metric("palier_ingest_edges_refused_total") == 0
    assert ingest.stop() == 0


@pytest.mark.faults
def test_two_hundred_gateways_connect_at_once(mosquitto: Mosquitto, ingest: Ingest) -> None:
    ingest.start()
    ingest.wait_ready()
    with Gateway(mosquitto.port) as gateway:
        gateway.wait_for_host().born()
        with Pulse(gateway, RATE_HZ) as pulse:
            eventually(lambda: pulse.sent > RATE_HZ, 10, "the first frames")
            with Crowd(mosquitto.port, CONNECTIONS) as crowd:
                for node in crowd.nodes:
                    for message in (*births(node), first_frame(node)):
                        crowd.say(node, *message)
                eventually(lambda: len(stored(ingest, crowd)) == CONNECTIONS, 30, "a frame of each")
                crowd.vanish()  # two hundred wills
            eventually(lambda: pulse.sent > 8 * RATE_HZ, 30, "some seconds more")
        judge(ingest, gateway, pulse, f"{CONNECTIONS} connections within {crowd.seconds:.1f} s")
    assert ingest.metric("palier_ingest_gaps_total") == 0
    assert ingest.stop() == 0


def stored(ingest: Ingest, crowd: Crowd) -> list[str]:
    """The nodes whose first frame is stored."""
    with ingest.records() as records:
        edges = {edge for edge, epoch in records.edges() if epoch == EPOCH}
        return [
            node
            for node in crowd.nodes
            if f"usine/{node}" in edges
            and records.ranges(f"usine/{node}", EPOCH, Verdict.STORED) == ((1, 1),)
        ]
