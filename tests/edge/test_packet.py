"""A PUBLISH in pieces is, byte for byte, the one that paho writes."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge_agent.packet import Packet, PieceClient, publish_head
from palier.tls import client_context
from tests.support.bad_certificates import authority

TOPIC = "spBv1.0/usine/DDATA/p1/P-101"


class Caught(Client):
    """Paho's client; what it would queue for the socket."""

    packets: list[bytes]

    def _packet_queue(self, command: int, packet: Any, *_: Any, **__: Any) -> Any:
        self.packets.append(bytes(packet))


def of_paho(protocol: MQTTProtocolVersion, payload: bytes) -> bytes:
    client = Caught(CallbackAPIVersion.VERSION2, protocol=protocol)
    client.packets = []
    client._sock = object()  # type: ignore[assignment]  # it queues nothing without one
    client._send_publish(1, TOPIC.encode(), payload)
    client._sock = None
    return client.packets[0]


@pytest.mark.parametrize("protocol", [MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311])
@pytest.mark.parametrize("size", [1, 90, 100, 127, 128, 16_000, 16_383, 16_384, 2_100_000, 4_194_304])
def test_the_head_is_the_one_that_paho_writes(protocol: MQTTProtocolVersion, size: int) -> None:
    payload = bytes(size)
    v5 = protocol is MQTTProtocolVersion.MQTTv5
    assert publish_head(TOPIC, size, v5=v5) + payload == of_paho(protocol, payload)


@given(st.lists(st.binary(max_size=20), max_size=6), st.data())
def test_what_is_left_of_a_packet_comes_piece_by_piece(pieces: list[bytes], data: st.DataObject) -> None:
    packet, whole = Packet(tuple(pieces)), b"".join(pieces)
    assert len(packet) == len(whole)
    written = b""
    while len(written) < len(whole):
        left = packet[len(written) :]
        taken = data.draw(st.integers(1, len(left)))  # what a socket takes at once
        written += left[:taken]
    assert written == whole
    assert bytes(packet[len(whole) :]) == b""


def test_paho_still_queues_packets_as_it_did() -> None:
    """Where it no longer does, messages go out as one piece and cost more memory."""
    assert hasattr(Client, "_packet_queue")
    client = PieceClient(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_socket_register_write = lambda *_: None
    client._sock = object()  # type: ignore[assignment]
    mids = [client.publish_pieces(TOPIC, pieces) for pieces in ((b"one",), (b"two", memoryview(b"three")))]
    first, second = list(client._out_packet)
    client._sock = None
    assert [first["mid"], second["mid"]] == mids
    assert bytes(first["packet"]).endswith(b"one")
    assert isinstance(second["packet"], Packet)
    assert second["to_process"] == len(second["packet"]) == len(publish_head(TOPIC, 8, v5=True)) + 8


@contextmanager
def plain(_folder: Path) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection that holds little on its way."""
    near, far = socket.socketpair()
    for end in (near, far):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with near, far:
        yield near, far


@contextmanager
def encrypted(folder: Path) -> Iterator[tuple[socket.socket, socket.socket]]:
    """The same under TLS."""
    trusted = authority(folder / "ca")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*trusted.issue())
    with plain(folder) as (near, far):
        ours = client_context(trusted.ca).wrap_socket(
            near, server_hostname="localhost", do_handshake_on_connect=False
        )
        theirs = context.wrap_socket(far, server_side=True, do_handshake_on_connect=False)
        server = threading.Thread(target=theirs.do_handshake)
        server.start()
        ours.do_handshake()
        server.join()
        with ours, theirs:
            yield ours, theirs


@pytest.mark.parametrize("connection", [plain, encrypted])
def test_a_socket_that_takes_little_at_a_time_gets_every_byte_once(tmp_path: Path, connection: Any) -> None:
    """Short writes, and writes that would block and are tried again, with a ping between two frames."""
    pieces = (b"head" * 10, memoryview(bytes(range(256)) * 2000), b"tail", memoryview(b"x" * 70_000), b"end")
    head = publish_head(TOPIC, sum(map(len, pieces)), v5=True)
    expected = (head + b"".join(pieces) + b"\xc0\x00") * 2
    client = PieceClient(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_socket_register_write = lambda *_: None
    written: list[int] = []
    client.on_publish = lambda _c, _u, mid, _r, _p: written.append(mid)
    with connection(tmp_path) as (near, far):
        near.setblocking(False)
        far.setblocking(False)
        client._sock = near
        mids: list[int] = []
        for _ in range(2):
            mids.append(client.publish_pieces(TOPIC, pieces))
            client._send_pingreq()
        received, blocked, deadline = bytearray(), 0, time.monotonic() + 100
        while len(received) < len(expected) and time.monotonic() < deadline:
            client.loop_write()
            blocked += client.want_write()
            with suppress(BlockingIOError, ssl.SSLWantReadError):  # half a record of TLS is there
                received += far.recv(3000)
        assert received == expected
        assert (written, client.want_write()) == (mids, False)
        assert blocked > 10
        client._sock = None
