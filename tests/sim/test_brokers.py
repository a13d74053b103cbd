"""The brokers that can be started: found, configured, and able to carry the largest frame."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from palier import brokers
from palier.brokers import BrokerError, BrokerKind
from palier.children import accepts, start, stop, wait_until
from palier.frames import MAX_FRAME_BYTES
from tests.support.services import free_port, mosquitto_path
from tests.support.waiting import eventually


def require(kind: BrokerKind) -> None:
    if kind == "mosquitto":
        mosquitto_path()
    elif importlib.util.find_spec("iotcore") is None:
        pytest.skip("iotcore is not installed: pip install '.[demo]'")


@contextmanager
def running(kind: BrokerKind, folder: Path) -> Iterator[int]:
    require(kind)
    port = free_port()
    child = start("broker", brokers.write(brokers.plan(kind, port), folder), folder / "log")
    try:
        wait_until(child, lambda: accepts(port), 15)
        yield port
    finally:
        stop([child], 5)


@pytest.mark.parametrize("kind", ["mosquitto", "iotcore"])
def test_the_largest_frame_passes(kind: BrokerKind, tmp_path: Path) -> None:
    got: list[int] = []
    subscribed = threading.Event()

    def on_message(_client: Client, _data: object, message: MQTTMessage) -> None:
        got.append(len(message.payload))

    with running(kind, tmp_path) as port:
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
        client.on_message = on_message
        client.on_subscribe = lambda *_: subscribed.set()
        client.connect("127.0.0.1", port)
        client.loop_start()
        try:
            client.subscribe("spBv1.0/#", 0)
            assert subscribed.wait(5)
            for _ in range(3):
                client.publish("spBv1.0/site/DDATA/node/machine", bytes(MAX_FRAME_BYTES))
            eventually(lambda: len(got) == 3, 15, "three frames of the largest size")
        finally:
            client.disconnect()
            client.loop_stop()
    assert got == [MAX_FRAME_BYTES] * 3


@pytest.mark.parametrize("kind", ["mosquitto", "iotcore"])
def test_it_listens_on_loopback_alone(kind: BrokerKind, tmp_path: Path) -> None:
    with running(kind, tmp_path) as port:
        listening = [
            line.split()[1]
            for file in (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
            if file.exists()
            for line in file.read_text().splitlines()[1:]
            if line.split()[3] == "0A" and line.split()[1].endswith(f":{port:04X}")
        ]
    assert listening == [f"0100007F:{port:04X}"]


def test_mosquitto_is_found_beside_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    mosquitto_path()
    monkeypatch.setenv("PATH", "/nowhere")
    assert brokers.find_mosquitto() == "/usr/sbin/mosquitto"


def test_auto_falls_back_on_the_one_from_pypi(monkeypatch: pytest.MonkeyPatch) -> None:
    require("iotcore")
    monkeypatch.setattr(brokers, "find_mosquitto", lambda: None)
    assert brokers.plan("auto", 1883).name == "iotcore"


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("auto", "apt install mosquitto or pip install"),
        ("mosquitto", "apt install mosquitto"),
        ("iotcore", "pip install"),
    ],
)
def test_without_any_it_says_how_to_get_one(
    kind: BrokerKind, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "find_mosquitto", lambda: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BrokerError, match=remedy):
        brokers.plan(kind, 1883)
