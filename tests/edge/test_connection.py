"""One connection: what its socket is told, and what comes out at the other end."""

from __future__ import annotations

import socket
import threading

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge_agent.connection import Connection, Will
from edge_agent.settings import BrokerSettings
from tests.support.services import Mosquitto
from tests.support.waiting import eventually


def opened(port: int, protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5) -> Connection:
    connection = Connection(
        BrokerSettings(port=port),
        client_id="p1",
        protocol=protocol,
        will=Will("gone", b""),
        subscriptions=("palier/v1/usine/check",),
    )
    connection.open()
    return connection


def test_the_end_of_a_frame_does_not_wait_for_a_round_trip(mosquitto: Mosquitto) -> None:
    connection = opened(mosquitto.port)
    assert connection._client is not None
    sock = connection._client.socket()
    assert isinstance(sock, socket.socket)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    connection.close()


def test_a_message_in_pieces_arrives_whole_and_is_counted_once_it_is_written(mosquitto: Mosquitto) -> None:
    """4 MB, more than a socket takes at once, by both versions of MQTT."""
    pieces = (b"head", memoryview(bytes(range(256)) * 16_000), b"", b"tail")
    arrived: list[bytes] = []
    subscribed = threading.Event()
    listener = Client(CallbackAPIVersion.VERSION2)
    listener.on_subscribe = lambda *_: subscribed.set()
    listener.on_message = lambda _client, _data, message: arrived.append(bytes(message.payload))
    listener.connect("127.0.0.1", mosquitto.port)
    listener.subscribe("frames")
    listener.loop_start()
    assert subscribed.wait(30)
    for protocol in (MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311):
        connection = opened(mosquitto.port, protocol)
        connection.publish_frame("frames", pieces)
        assert connection.take_written() == 0
        written = 0
        while not written and not connection.ended:
            connection.wait(1.0)
            written += connection.take_written()
        assert written == 1
        connection.close()
    eventually(lambda: len(arrived) == 2, 30, "both messages")
    listener.disconnect()
    listener.loop_stop()
    assert arrived == [b"".join(pieces)] * 2
