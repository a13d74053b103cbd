"""Gateways and hosts of this version and of the one before on one wire: both ways, and changed in between.

The version before knows neither `highest` in the answer to a birth nor the replay. Here it is what it was on
the wire: the golden birth of it says which metrics it had, and what it did not know is taken away.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from palier.wire import messages
from palier.wire.payload import Payload, decode
from palier.wire.sparkplug_pb2 import Payload as Wire
from palier.wire.sparkplug_pb2 import PropertySet
from palier.wire.topics import Kind
from tests.host.conftest import Ingest
from tests.support import wire_examples as examples
from tests.support.figures import tell
from tests.support.sensors_inside import EPOCH, Sensor, SensorAgent
from tests.support.services import Mosquitto
from tests.support.waiting import eventually

RATE_HZ: Final = 40.0
SECONDS: Final = 4.0
FRAMES: Final = round(RATE_HZ * SECONDS)
STAYS_S: Final = 2.0  # each host, while all gateways sample

HOST_BEFORE: Final = """
from dataclasses import replace
from ingest import service
told = service.stored_payload
service.stored_payload = lambda stored, now_ms: told(replace(stored, highest=None), now_ms)
"""

KNOWN_BEFORE: Final = frozenset(
    metric.name for metric in Wire.FromString((examples.GOLDEN / "palier-1-nbirth.bin").read_bytes()).metrics
)


def as_before(agent: SensorAgent) -> SensorAgent:
    """The same agent with what the version before said and heard."""
    link: Any = agent.link
    publish, heard = link.speaker.publish, link._read_command

    def said(kind: Kind, payload: bytes, *args: Any, **more: Any) -> None:
        if kind is Kind.NBIRTH:
            wire = Wire.FromString(payload)
            known = [metric for metric in wire.metrics if metric.name in KNOWN_BEFORE]
            del wire.metrics[:]
            wire.metrics.extend(known)
            payload = wire.SerializeToString()
        publish(kind, payload, *args, **more)

    def understood(data: bytes) -> Any:
        stored = messages.read_stored(decode(data))
        if stored is None:
            return heard(data)
        known = messages.Stored(*(getattr(stored, name) for name in _STORED_BEFORE))
        return heard(messages.stored_payload(known, 1))

    link.speaker.publish, link._read_command = said, understood
    return agent


_STORED_BEFORE: Final = ("epoch", "ranges", "credit_frames", "credit_bytes", "sync")


def change_host(ingest: Ingest, number: signal.Signals, defect: str = "") -> None:
    """Another version of the host on the same stores."""
    ingest.stop(number)
    ingest.start(defect)
    ingest.wait_ready()
    time.sleep(STAYS_S)


@pytest.mark.faults
@pytest.mark.faults_ci
@pytest.mark.timeout(300)
def test_versions_mixed_and_changed_lose_and_double_nothing(
    mosquitto: Mosquitto, ingest: Ingest, tmp_path: Path
) -> None:
    def agent(number: int) -> SensorAgent:
        return SensorAgent(tmp_path, mosquitto.port, number, Sensor(number, RATE_HZ, SECONDS))

    ingest.start(HOST_BEFORE)
    ingest.wait_ready()
    agents = [agent(0), as_before(agent(1))]
    try:
        for one in agents:
            one.start()
        change_host(ingest, signal.SIGTERM)  # the upgrade
        change_host(ingest, signal.SIGKILL, HOST_BEFORE)  # and back
        eventually(lambda: all(one.sampled_all for one in agents), 60, "the first half")
        for one in agents:
            one.stop()
        agents = [as_before(agent(0)), agent(1)]  # each on the outbox of the other version
        for one in agents:
            one.start()
        change_host(ingest, signal.SIGKILL)
        eventually(lambda: all(one.sampled_all for one in agents), 60, "the second half")
        eventually(lambda: not any(one.behind for one in agents), 120, "empty outboxes")
    finally:
        for one in agents:
            one.stop()
    for number in range(2):
        assert ingest.ranges(f"usine/g{number}", EPOCH) == ((1, 2 * FRAMES),)
        with ingest.historian() as historian:
            frames = historian.read("feature", ("frame",), site="usine", machine=f"m{number}").columns[
                "frame"
            ]
        assert len(frames) == len(set(frames)) == 2 * FRAMES
    with ingest.records() as records:
        assert not [t for t in records.transitions() if t.kind == "ledger"]
    tell(f"versions mixed: {4 * FRAMES} frames, 0 lost, 0 doubled over 3 changes of host and 2 of gateways")


READ: Final[dict[str, Callable[[Payload], object]]] = {
    "nbirth": messages.read_node_birth,
    "dbirth": lambda payload: messages.read_device_birth(payload, "pompe-3"),
    "ddata-waveform": lambda payload: _told(messages.read_frame(payload, edge="s/n", machine="pompe-3")),
    "ddata-readings": lambda payload: _told(messages.read_frame(payload, edge="s/n", machine="pompe-3")),
    "ndata-ledger": messages.read_ledger,
    "ncmd-stored": messages.read_stored,
    "ncmd-limits": messages.read_limits,
    "ndeath": messages.read_bd_seq,
}


def _told(read: tuple[object, ...]) -> str:
    """Frames hold arrays, which are not equal or unequal as a whole; these are short."""
    return repr(read)


@pytest.mark.parametrize("name", READ)
def test_what_a_later_version_adds_is_passed_over(name: str) -> None:
    """So a host or gateway that is not upgraded yet reads what one says that is."""
    data = examples.examples()[name]
    wire = Wire.FromString(data)
    for metric in wire.metrics:
        properties = PropertySet.FromString(metric.properties)
        properties.keys.append("of a later version")
        properties.values.add(type=12, string_value="anything")
        metric.properties = properties.SerializeToString()
    wire.metrics.add(name="Palier/OfALaterVersion", datatype=12, string_value="anything")
    later = wire.SerializeToString()
    assert READ[name](decode(later)) == READ[name](decode(data))
