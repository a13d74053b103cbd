"""What the broker says of itself: the messages that it threw away."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from ingest.inbox import Inbox
from ingest.link import HostLink
from palier.settings import BrokerSettings
from tests.support.services import answers, free_port, mosquitto_path
from tests.support.waiting import eventually

CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x00\x00\x04deaf"
SUBSCRIBE = b"\x82\x0a\x00\x01\x00\x05flood\x00"


@pytest.fixture
def small_broker(tmp_path: Path) -> Iterator[int]:
    """A broker that keeps one message for a client, and tells its counts each second."""
    port, conf = free_port(), tmp_path / "mosquitto.conf"
    text = f"listener {port} 127.0.0.1\nallow_anonymous true\nsys_interval 1\nmax_queued_messages 1\n"
    conf.write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
    with subprocess.Popen(
        [mosquitto_path(), "-c", conf], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            eventually(lambda: answers(port), 60, f"mosquitto on port {port}")
            yield port
        finally:
            process.kill()


@contextmanager
def linked(port: int, dropped: list[int]) -> Iterator[HostLink]:
    link = HostLink(
        "palier",
        ("usine",),
        BrokerSettings(port=port),
        Inbox(),
        wall_ms=lambda: time.time_ns() // 1_000_000,
        monotonic_s=time.monotonic,
        jitter=lambda: 0.0,
        broker_dropped=dropped.append,
    )
    link.start()
    try:
        yield link
    finally:
        link.stop()


def flood(port: int) -> None:
    """Send to a client that reads nothing until the broker must throw messages away."""
    with socket.create_connection(("127.0.0.1", port)) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(CONNECT)
        assert deaf.recv(4)[:1] == b"\x20"
        deaf.sendall(SUBSCRIBE)
        assert deaf.recv(5)[:1] == b"\x90"
        client = Client(CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", port)
        client.loop_start()
        for _ in range(200):
            client.publish("flood", b"x" * 65_536)
        last = client.publish("done", b"", qos=1)
        last.wait_for_publish(60)
        client.disconnect()
        client.loop_stop()


def test_messages_that_the_broker_drops_are_told(small_broker: int) -> None:
    dropped: list[int] = []
    with linked(small_broker, dropped) as link:
        eventually(lambda: link.status.online, 60, "a link that is online")
        flood(small_broker)
        eventually(lambda: dropped and dropped[-1] > 0, 60, "the broker's count")
        assert link.callback_errors == 0


@pytest.mark.parametrize("told", [b"", b"many", b"-3", b"1.5", b"9" * 40, b"\xff"])
def test_what_is_no_count_is_left(told: bytes) -> None:
    dropped: list[int] = []
    with linked(free_port(), dropped) as link:
        link._on_dropped(told)
        link._on_dropped(b"7")
    assert dropped == [7]
