"""Many edge nodes at once: births over one connection, and connections by the hundred."""

from __future__ import annotations

import select
import socket
import struct
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from palier.frames import FrameId
from palier.source import ChannelBirth, Device
from palier.wire import messages
from palier.wire.topics import Kind, Topic
from tests.support.gateway import waveform

EPOCH: Final = "00000000000000c0"
MACHINE: Final = "ventilateur"  # of the tests' plant
DEVICE: Final = Device(MACHINE, (ChannelBirth("p1/h", "m/s²", "int16", scale=0.001, fs_hz=4096.0),))
HANDSHAKE_S: Final = 20.0


def births(node: str) -> tuple[tuple[str, bytes], ...]:
    """(topic, payload) of the NBIRTH and the DBIRTH of a node with one machine."""
    now_ms = time.time_ns() // 1_000_000
    birth = messages.NodeBirth(0, EPOCH, ((1, 1),), "cafe")
    return (
        (str(Topic("usine", Kind.NBIRTH, node)), messages.node_birth(birth, timestamp_ms=now_ms)),
        (
            str(Topic("usine", Kind.DBIRTH, node, MACHINE)),
            messages.device_birth(DEVICE, seq=1, timestamp_ms=now_ms),
        ),
    )


def first_frame(node: str) -> tuple[str, bytes]:
    """Frame 1 of the node, of a second of its own."""
    start_ns = time.time_ns() - (1 + sum(node.encode())) * 10**9
    frame_id = FrameId(f"usine/{node}", EPOCH, 1)
    now_ms = time.time_ns() // 1_000_000
    data = messages.frame_payload(
        waveform(start_ns, machine=f"m-{node}", n=512), frame_id, seq=2, timestamp_ms=now_ms, historical=True
    )
    return str(Topic("usine", Kind.DDATA, node, f"m-{node}")), data


class Crowd:
    """So many MQTT 3.1.1 connections, each with the will of its node; entered, all are there at once."""

    def __init__(self, port: int, nodes: int) -> None:
        self.nodes = tuple(f"c{number}" for number in range(nodes))
        self.seconds = 0.0  # from the first CONNECT to the last CONNACK
        self._port = port
        self._sockets: dict[str, socket.socket] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        began = time.monotonic()
        for node in self.nodes:  # the kernel takes them all; the broker answers as it can
            one = socket.socket()
            self._stack.callback(one.close)
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", self._port))
            self._sockets[node] = one
        for node, one in self._sockets.items():
            select.select((), (one,), (), HANDSHAKE_S)
            one.setblocking(True)
            one.settimeout(HANDSHAKE_S)
            one.sendall(_connect(node))
        for one in self._sockets.values():
            assert one.recv(4, socket.MSG_WAITALL) == b"\x20\x02\0\0", "the broker refused a connection"
        self.seconds = time.monotonic() - began
        return self

    def say(self, node: str, topic: str, payload: bytes) -> None:
        """Publish at QoS 0."""
        body = _text(topic.encode()) + payload
        self._sockets[node].sendall(b"\x30" + _varint(len(body)) + body)

    def vanish(self) -> None:
        """All connections end without a word: the broker sends the wills."""
        self._stack.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


def _connect(node: str) -> bytes:
    will = _text(str(Topic("usine", Kind.NDEATH, node)).encode()) + _text(messages.node_death(0))
    body = b"\0\4MQTT\4" + bytes((0b0000_0110,)) + struct.pack(">H", 60) + _text(node.encode()) + will
    return b"\x10" + _varint(len(body)) + body


def _text(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data


def _varint(number: int) -> bytes:
    out = bytearray()
    while True:
        number, low = divmod(number, 128)
        out.append(low | (128 if number else 0))
        if not number:
            return bytes(out)
