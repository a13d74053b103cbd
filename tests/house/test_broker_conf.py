"""deploy/mosquitto/mosquitto.conf as it stands, with other paths and another port, in a real mosquitto."""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from palier.brokers import MESSAGE_LIMIT
from palier.provision.making import Wanted, provision
from tests.support.provisioned import ProvisionedBroker, connected
from tests.support.services import answers, free_port, mosquitto_path
from tests.support.waiting import eventually

CONF = Path(__file__).resolve().parents[2] / "deploy" / "mosquitto" / "mosquitto.conf"
OWN = "spBv1.0/usine/DDATA/gw-1/P-101"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("conf") / "made"
    provision(made, Wanted(site="usine", gateways=("gw-1", "gw-2")), datetime.now(UTC))
    return made


@contextmanager
def shipped(folder: Path, tmp_path: Path, **other: str) -> Iterator[ProvisionedBroker]:
    """The shipped configuration; `other` values of its own keys stand in for a machine much larger."""
    port, log, conf = free_port(), tmp_path / "log", tmp_path / "mosquitto.conf"
    text = CONF.read_text().replace("/mosquitto/access", str(folder / "broker"))
    text = text.replace("/mosquitto/data/", f"{tmp_path}/").replace(
        "listener 8883", f"listener {port} 127.0.0.1"
    )
    text = text.replace("log_dest stdout", f"log_dest file {log}")
    for key, value in other.items():
        text, found = re.subn(rf"(?m)^{key} .*$", f"{key} {value}", text)
        assert found == 1, key
    conf.write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
    process = subprocess.Popen([mosquitto_path(), "-c", conf], stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: answers(port), 60, f"mosquitto on port {port}")
        yield ProvisionedBroker(folder, port, log, process)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def password(folder: Path, node: str) -> str:
    return (folder / "gateways" / node / "password").read_text()


def resident_kb(broker: ProvisionedBroker) -> int:
    status = Path(f"/proc/{broker.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def test_mosquitto_knows_every_line_and_every_line_has_its_reason(folder: Path, tmp_path: Path) -> None:
    with shipped(folder, tmp_path) as broker, connected(broker, "gw-1", "wrong"):
        eventually(lambda: "not authorised" in broker.log.read_text(), 60, "a refusal in its log")
        log = broker.log.read_text()
    assert not re.search(r"(?i)unknown config|deprecated|invalid|obsolete", log)
    assert re.search(r"(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d: New connection from 127.0.0.1", log)
    blocks = CONF.read_text().strip().split("\n\n")
    assert all(block.startswith("#") for block in blocks)


@pytest.mark.parametrize("protocol", [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5])
def test_the_largest_frame_passes_and_a_larger_packet_costs_its_sender_alone(
    folder: Path, tmp_path: Path, protocol: MQTTProtocolVersion
) -> None:
    room = MESSAGE_LIMIT - 64
    with (
        shipped(folder, tmp_path) as broker,
        connected(broker, "ingest", (folder / "secrets/mqtt_ingest_password").read_text()) as ingest,
        connected(broker, "gw-1", password(folder, "gw-1"), protocol=protocol) as large,
        connected(broker, "gw-2", password(folder, "gw-2")) as other,
    ):
        ingest.subscribe("spBv1.0/usine/#")
        large.client.publish(OWN, bytes(room), qos=1)
        eventually(lambda: ingest.heard == [OWN], 60, "the largest frame")
        large.client.publish(OWN, bytes(MESSAGE_LIMIT), qos=1)
        eventually(lambda: "oversize packet" in broker.log.read_text(), 60, "the end of who sent too much")
        assert other.may_publish(["spBv1.0/usine/NDATA/gw-2"])
        eventually(lambda: ingest.heard == [OWN, "spBv1.0/usine/NDATA/gw-2"], 60, "the other's message")


def test_a_storm_of_connections_leaves_those_who_are_in_alone(folder: Path, tmp_path: Path) -> None:
    """Forty places, and a hundred who come at once without ever saying who they are."""

    def gone(broker: ProvisionedBroker) -> int:
        return broker.log.read_text().count("Client <unknown> disconnected")

    with (
        shipped(folder, tmp_path, max_connections="40") as broker,
        connected(broker, "gw-1", password(folder, "gw-1")) as inside,
    ):
        before = gone(broker)
        with ExitStack() as stack:
            for _ in range(100):
                stack.enter_context(socket.create_connection(("127.0.0.1", broker.port), 5))
            assert inside.may_publish([OWN])
            refused = 0
            for _ in range(3):
                try:
                    context = ssl.create_default_context(cafile=broker.ca)
                    plain = stack.enter_context(socket.create_connection(("127.0.0.1", broker.port), 5))
                    stack.enter_context(context.wrap_socket(plain, server_hostname="localhost"))
                except OSError:
                    refused += 1
            assert refused == 3
        eventually(lambda: gone(broker) >= before + 39, 60, "the end of all who had a place")
        with connected(broker, "gw-2", password(folder, "gw-2")) as later:
            assert later.may_publish(["spBv1.0/usine/NDATA/gw-2"])
        assert inside.client.is_connected()


def test_a_flood_for_a_reader_that_stands_still_does_not_end_the_broker(folder: Path, tmp_path: Path) -> None:
    limit_mb = 40
    with (
        shipped(folder, tmp_path, memory_limit=str(limit_mb * 1024 * 1024)) as broker,
        connected(broker, "ingest", (folder / "secrets/mqtt_ingest_password").read_text()) as ingest,
        connected(broker, "gw-1", password(folder, "gw-1")) as flood,
    ):
        ingest.subscribe("spBv1.0/usine/#")
        ingest.client.loop_stop()  # it reads no more, and stays connected
        for _ in range(80):
            flood.client.publish(OWN, bytes(1024 * 1024), qos=0)
        eventually(lambda: "out of memory" in broker.log.read_text(), 60, "the end of who floods")
        assert resident_kb(broker) < 3 * limit_mb * 1024
        ingest.client.socket().close()
        with connected(broker, "gw-2", password(folder, "gw-2")) as later:
            assert later.may_publish(["spBv1.0/usine/NDATA/gw-2"])


def test_a_client_is_told_the_longest_silence(folder: Path, tmp_path: Path) -> None:
    with (
        shipped(folder, tmp_path) as broker,
        connected(broker, "gw-1", password(folder, "gw-1"), keepalive=3600) as client,
    ):
        assert client.server_keepalive == 65
        who = re.compile(r"New client connected from 127.0.0.1:\d+ as .*u'gw-1'")
        eventually(lambda: who.search(broker.log.read_text()), 60, "who came, in its log")
