"""The host's connection: STATE by the rules, and what happens when the broker, or a callback, misbehaves."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from ingest.inbox import Arrived, Inbox
from ingest.link import HostLink
from palier.settings import BrokerSettings
from palier.wire.state import HostState, decode_state, encode_state
from palier.wire.topics import state_topic
from tests.support.services import Mosquitto, free_port
from tests.support.waiting import eventually

STATE = state_topic("palier")
Ms = Callable[[], int]


@contextmanager
def linked(
    port: int,
    *,
    wall_ms: Ms | None = None,
    inbox: Inbox | None = None,
    asked: dict[str, Callable[[bytes], None]] | None = None,
) -> Iterator[HostLink]:
    link = HostLink(
        "palier",
        ("usine",),
        BrokerSettings(port=port),
        Inbox() if inbox is None else inbox,
        wall_ms=wall_ms or (lambda: time.time_ns() // 1_000_000),
        monotonic_s=time.monotonic,
        jitter=lambda: 0.0,
        asked=asked,
    )
    link.start()
    try:
        yield link
    finally:
        link.stop()


@contextmanager
def listening(port: int) -> Iterator[tuple[Client, list[HostState]]]:
    """Somebody else at the broker, who remembers every STATE of the host."""
    heard: list[HostState] = []
    hears = threading.Event()
    client = Client(CallbackAPIVersion.VERSION2, client_id="listener")

    def on_message(_client: Client, _userdata: Any, message: MQTTMessage) -> None:
        heard.append(decode_state(bytes(message.payload)))

    client.on_connect = lambda c, *_: c.subscribe(STATE, qos=1)
    client.on_subscribe = lambda *_: hears.set()
    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        assert hears.wait(60), "the broker did not confirm the subscription to STATE"
        yield client, heard
    finally:
        client.disconnect()
        client.loop_stop()


def cut(link: HostLink) -> None:
    """End the link's connection from below, as a broken cable does."""
    assert link._connection is not None
    sock = link._connection.client.socket()
    assert sock is not None
    sock.shutdown(socket.SHUT_RDWR)


def test_the_host_is_online_after_its_subscription_and_says_so_when_it_leaves(mosquitto: Mosquitto) -> None:
    with listening(mosquitto.port) as (_, heard):
        with linked(mosquitto.port) as link:
            eventually(lambda: link.status.online, 60, "the link online")
            eventually(lambda: heard, 60, "STATE")
            assert heard[-1].online
        eventually(lambda: not heard[-1].online, 60, "STATE offline")
        assert heard[-1].timestamp_ms >= heard[0].timestamp_ms


def test_the_will_carries_the_time_of_its_own_birth(mosquitto: Mosquitto) -> None:
    """tck-id-host-topic-phid-death-payload-timestamp-connect: both carry one timestamp."""
    with listening(mosquitto.port) as (_, heard), linked(mosquitto.port) as link:
        eventually(lambda: heard and heard[-1].online, 60, "STATE online")
        born = heard[-1].timestamp_ms
        cut(link)
        eventually(lambda: HostState(online=False, timestamp_ms=born) in heard, 60, "the will")


def test_each_connection_has_a_later_time_though_the_clock_steps_back(mosquitto: Mosquitto) -> None:
    clock = itertools.count(1_000_000, -1000)
    with listening(mosquitto.port) as (_, heard), linked(mosquitto.port, wall_ms=lambda: next(clock)) as link:

        def births() -> list[int]:
            return [state.timestamp_ms for state in heard if state.online]

        for connection in range(1, 4):  # heard before it is cut: what is not sent yet is lost with it
            eventually(lambda n=connection: len(set(births())) >= n, 60, "another birth")  # type: ignore[misc]
            cut(link)
            eventually(lambda n=connection: link.status.generation > n, 60, "the next connection")  # type: ignore[misc]
        assert births() == sorted(births())


def test_an_old_will_is_answered_with_the_same_time(mosquitto: Mosquitto) -> None:
    with listening(mosquitto.port) as (other, heard), linked(mosquitto.port):
        eventually(lambda: heard and heard[-1].online, 60, "STATE online")
        born = heard[-1]
        old = encode_state(HostState(online=False, timestamp_ms=born.timestamp_ms - 5000))
        other.publish(STATE, old, qos=1, retain=True)
        eventually(lambda: len(heard) >= 3 and heard[-1] == born, 60, "STATE online again with its own time")


def test_above_a_state_of_the_future_the_host_connects_anew(mosquitto: Mosquitto) -> None:
    future = time.time_ns() // 1_000_000 + 3_600_000
    with listening(mosquitto.port) as (other, heard):
        retained = encode_state(HostState(online=False, timestamp_ms=future))
        other.publish(STATE, retained, qos=1, retain=True).wait_for_publish(5)
        with linked(mosquitto.port):
            eventually(lambda: heard and heard[-1] == HostState(True, future + 1), 60, "STATE above it")


def test_the_broker_may_die_and_come_back(mosquitto: Mosquitto) -> None:
    with linked(mosquitto.port) as link:
        eventually(lambda: link.status.online, 60, "online")
        mosquitto.kill()
        eventually(lambda: not link.status.online, 60, "offline")
        assert not link.publish("spBv1.0/usine/NCMD/g1", b"x")
        mosquitto.start()
        eventually(lambda: link.status.online, 60, "online again")
        assert link.alive


def test_an_exception_in_a_callback_is_counted_and_the_link_goes_on(mosquitto: Mosquitto) -> None:
    class Broken(Inbox):
        def offer(self, topic: str, payload: bytes, at_s: float) -> None:
            if payload == b"break":
                raise RuntimeError("of this test")
            super().offer(topic, payload, at_s)

    inbox = Broken()
    with listening(mosquitto.port) as (other, _), linked(mosquitto.port, inbox=inbox) as link:
        eventually(lambda: link.status.online, 60, "online")
        for payload in (b"break", b"good"):
            other.publish("spBv1.0/usine/DDATA/g1/pompe", payload)
        eventually(lambda: len(inbox), 60, "the message after it")
        assert link.callback_errors == 1
        assert link.alive
        arrived = inbox.take(0)
        assert isinstance(arrived, Arrived)
        assert arrived.payload == b"good"


def test_retained_data_are_not_taken_for_new_ones(mosquitto: Mosquitto) -> None:
    inbox = Inbox()
    with listening(mosquitto.port) as (other, _):
        other.publish("spBv1.0/usine/DDATA/g1/old", b"old", qos=1, retain=True).wait_for_publish(5)
        with linked(mosquitto.port, inbox=inbox) as link:
            eventually(lambda: link.status.online, 60, "online")
            other.publish("spBv1.0/usine/DDATA/g1/new", b"new")
            eventually(lambda: len(inbox), 60, "the new message")
    items = [item for item in iter(lambda: inbox.take(0), None) if isinstance(item, Arrived)]
    assert [item.payload for item in items] == [b"new"]


def test_what_is_asked_goes_to_its_taker_and_what_is_answered_to_the_broker(mosquitto: Mosquitto) -> None:
    inbox = Inbox()
    taken: list[bytes] = []
    with listening(mosquitto.port) as (client, _):
        client.publish("house/command", b"old", qos=1, retain=True).wait_for_publish(10)
        answers: list[tuple[bytes, int]] = []
        client.on_message = lambda _c, _d, message: answers.append((bytes(message.payload), message.qos))
        client.subscribe("house/reply", qos=1)
        with linked(mosquitto.port, inbox=inbox, asked={"house/command": taken.append}) as link:
            eventually(lambda: link.status.online, 60, "the link online")
            client.publish("house/command", b"new", qos=1)
            eventually(lambda: taken, 60, "what was asked")
            assert (taken, len(inbox)) == ([b"new"], 0)
            assert link.publish("house/reply", b"done", qos=1)
            eventually(lambda: (b"done", 1) in answers, 60, "the answer")


def test_nobody_there_is_no_reason_to_die() -> None:
    with linked(free_port()) as link:
        eventually(lambda: link.status.generation >= 3, 60, "several attempts")
        assert link.alive
        assert not link.status.online
        assert "refused" in link.status.detail.lower()


def test_a_thread_that_dies_is_seen() -> None:
    def dies() -> float:
        raise RuntimeError("of this test")

    link = HostLink(
        "palier",
        ("usine",),
        BrokerSettings(port=free_port()),
        Inbox(),
        wall_ms=lambda: 1,
        monotonic_s=time.monotonic,
        jitter=dies,
    )
    link._thread = threading.Thread(target=_quietly, args=(link._run,), daemon=True)
    link.start()
    eventually(lambda: not link.alive, 60, "the death of the thread to be seen")
    assert isinstance(link.failure, RuntimeError)
    link.stop()


def _quietly(run: Callable[[], None]) -> None:
    with suppress(RuntimeError):
        run()


# A broker of the year 2014 ---------------------------------------------------------------------------------


class OldBroker:
    """Speaks just enough MQTT 3.1.1 to be connected to; hangs up on any other version. `grants` is what it
    answers to a subscription.
    """

    def __init__(self, grants: bytes = b"\x01\x00") -> None:
        self.grants = grants
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.server.getsockname()[1])
        self.levels: list[int] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> OldBroker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self._thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.server.accept()
                with client, suppress(OSError):
                    self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        _, connect = self._packet(client)
        level = connect[2 + int.from_bytes(connect[:2], "big")]
        self.levels.append(level)
        if level != 4:
            return
        client.sendall(b"\x20\x02\x00\x00")
        while True:
            kind, body = self._packet(client)
            if kind >> 4 == 8:
                client.sendall(bytes([0x90, 2 + len(self.grants)]) + body[:2] + self.grants)
            elif kind >> 4 == 14:
                return

    def _packet(self, client: socket.socket) -> tuple[int, bytes]:
        kind, length, shift = self._read(client, 1)[0], 0, 0
        while True:
            byte = self._read(client, 1)[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return kind, self._read(client, length)

    def _read(self, client: socket.socket, n: int) -> bytes:
        data = b""
        while len(data) < n:
            more = client.recv(n - len(data))
            if not more:
                raise OSError("the client went away")
            data += more
        return data


def test_a_broker_that_hangs_up_on_mqtt_5_is_spoken_to_in_3_1_1() -> None:
    with OldBroker() as broker, linked(broker.port) as link:
        eventually(lambda: link.status.online, 60, "online with the old version")
        assert broker.levels == [5, 4]
        assert link.status.detail == "MQTT 3.1.1"


def test_who_may_not_hear_commands_is_online_for_frames() -> None:
    """A broker whose access list is older than the commands refuses their topic alone."""
    with (
        OldBroker(b"\x01\x00\x80") as broker,
        linked(broker.port, asked={"commands": lambda _: None}) as link,
    ):
        eventually(lambda: link.status.online, 60, "online without commands")


def test_who_may_not_hear_frames_is_not_online() -> None:
    with OldBroker(b"\x01\x80\x01") as broker, linked(broker.port, asked={"c": lambda _: None}) as link:
        eventually(lambda: "refused the subscription" in link.status.detail, 60, "the reason")
        assert not link.status.online


@pytest.mark.parametrize("host", ["10.0.0.5", "broker.usine.example"])
def test_another_machine_needs_tls_or_a_decision(host: str) -> None:
    with pytest.raises(ValueError, match="another machine"):
        BrokerSettings(host=host)
    assert BrokerSettings(host=host, insecure=True).host == host
