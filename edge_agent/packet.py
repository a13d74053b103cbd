"""A PUBLISH in pieces, so that a message of 4 MB stands in memory once, as the samples it is made of.

paho keeps a packet as one piece of its own and copies what is left of it at each write: 8 MB beside the
samples where a gateway has 60. All it does with a packet is to ask for its length and for the bytes from a
position on; what it gets here answers both.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTProtocolVersion

Pieces = tuple[bytes | memoryview, ...]

_PUBLISH_QOS_0 = b"\x30"


class Packet:
    """The bytes of a packet, one piece after the other. `packet[begin:]` is what is left of one piece."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = [memoryview(piece) for piece in pieces if len(piece)]
        self._begins = [0, *accumulate(map(len, self._pieces))]

    def __len__(self) -> int:
        return self._begins[-1]

    def __getitem__(self, left: slice) -> memoryview:
        begin = left.start or 0
        if begin >= len(self):
            return memoryview(b"")
        number = bisect_right(self._begins, begin) - 1
        return self._pieces[number][begin - self._begins[number] :]


class PieceClient(Client):
    """Paho's client, which `publish_pieces` gives a message without copying it."""

    _instead: Packet | None = None

    def publish_pieces(self, topic: str, pieces: Pieces) -> int:
        """Queue a message of QoS 0; its mid."""
        if len(pieces) == 1 or not hasattr(Client, "_packet_queue"):  # small, or a paho that queues otherwise
            return self.publish(topic, b"".join(pieces)).mid
        v5 = self.protocol is MQTTProtocolVersion.MQTTv5
        self._instead = Packet((publish_head(topic, sum(map(len, pieces)), v5=v5), *pieces))
        try:
            return self.publish(topic).mid
        finally:
            self._instead = None

    def _packet_queue(self, command: int, packet: Any, *others: Any, **named: Any) -> Any:
        queued = memoryview(packet) if self._instead is None else self._instead
        return super()._packet_queue(command, queued, *others, **named)  # type: ignore[arg-type]


def publish_head(topic: str, size: int, *, v5: bool) -> bytes:
    """What stands before a payload of that size in a PUBLISH of QoS 0 (MQTT 3.1.1 and 5, section 3.3)."""
    name = topic.encode()
    variable = len(name).to_bytes(2, "big") + name + b"\0" * v5  # no properties
    left, length = len(variable) + size, bytearray()
    while left > 0x7F:
        length.append(left & 0x7F | 0x80)
        left >>= 7
    return _PUBLISH_QOS_0 + bytes((*length, left)) + variable
