"""The fleet that the ingest is benched with: its plant, its births, and its frames as bytes.

Frames are Palier's own DDATA of three channels of 4,096 int16. What differs from frame to frame (times and
seqs) is set into a template: encoding is the gateways' work, and the publisher must not be what is measured.
"""

from __future__ import annotations

import time
from typing import Final, NamedTuple

import numpy as np

from palier.frames import FrameId, Waveform
from palier.source import ChannelBirth, Device
from palier.wire.messages import NodeBirth, device_birth, frame_payload, node_birth
from palier.wire.payload import WIRE_VERSION, Payload, decode, encode
from palier.wire.topics import Kind, Topic

from .subjects import FS_HZ, SCALE, SPINDLE, Counts, blocks, counts

SITE: Final = "bench"
HOST: Final = "palier"
EPOCH: Final = "00000000000000be"
CHANNELS: Final = ("H", "V", "A")
N_SAMPLES: Final = 4096
SAMPLE_BYTES: Final = 2 * N_SAMPLES * len(CHANNELS)
BLOCK_NS: Final = round(N_SAMPLES / FS_HZ * 1e9)

BODIES: Final = 16
"""Different blocks of samples: more than a core's cache keeps on the way through three programs."""

FIRST_SEQ: Final = 1 << 14
"""From here to 2^21 a seq takes three bytes, so that it can be set into the template."""

_POINTS: Final = ("1", "2")

_MACHINE: Final = """
[[machine]]
id = "{id}"
name = "{id}"
kind = "spindle"
criticality = "B"
power_kw = 30.0
speed = {{ source = "fixed", rpm = {rpm:.0f} }}
limits = "iso20816-3:g2:rigid"
"""

_POINT: Final = """
[[machine.point]]
id = "{point}"
bearing = "6205"
"""

_CHANNEL: Final = """
[[machine.point.channel]]
id = "{id}"
quantity = "acceleration"
unit = "m/s²"
direction = "{id}"
fs_hz = {fs_hz}
samples = {samples}
"""


class Fleet(NamedTuple):
    """So many gateways with so many machines each, of two points with three channels each."""

    gateways: int
    machines: int

    @property
    def points(self) -> int:
        """Of the whole fleet."""
        return self.gateways * self.machines * len(_POINTS)

    def plant(self) -> str:
        """Its plant.toml."""
        parts = [f'[site]\nid = "{SITE}"\nname = "Bench"\ntimezone = "UTC"\n']
        for gateway in range(self.gateways):
            for machine in self.machines_of(gateway):
                parts.append(_MACHINE.format(id=machine, rpm=60 * SPINDLE.speed_hz))
                for point in _POINTS:
                    parts.append(_POINT.format(point=point))
                    parts += [_CHANNEL.format(id=c, fs_hz=FS_HZ, samples=N_SAMPLES) for c in CHANNELS]
        return "".join(parts)

    def machines_of(self, gateway: int) -> list[str]:
        """The machines of a gateway."""
        return [f"M{gateway:03}-{i:02}" for i in range(self.machines)]


class Message(NamedTuple):
    """What is published. `parts` are its payload, to be written one behind the other."""

    topic: bytes
    parts: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """Bytes of the payload."""
        return sum(map(len, self.parts))


class Gateway:
    """One edge node: `births`, then one frame after the other, each a block later than the last of its
    point."""

    def __init__(self, fleet: Fleet, number: int, templates: Templates, start_ns: int) -> None:
        self.node = f"g{number:03}"
        self._templates = templates
        self._machines = fleet.machines_of(number)
        self._places = [(machine, point) for machine in self._machines for point in _POINTS]
        self._topics = {m: str(Topic(SITE, Kind.DDATA, self.node, m)).encode() for m in self._machines}
        self._start_ns = start_ns
        self._count = 0
        self._sparkplug_seq = 0

    def births(self) -> list[Message]:
        """NBIRTH and a DBIRTH for each machine; Sparkplug's seq begins anew."""
        now_ms = time.time_ns() // 1_000_000
        node = node_birth(NodeBirth(0, EPOCH, (), "be"), timestamp_ms=now_ms)
        found = [Message(str(Topic(SITE, Kind.NBIRTH, self.node)).encode(), (node,))]
        self._sparkplug_seq = 0
        for machine in self._machines:
            channels = (
                ChannelBirth(f"{point}/{channel}", "m/s²", "int16", scale=SCALE, fs_hz=FS_HZ)
                for point in _POINTS
                for channel in CHANNELS
            )
            born = device_birth(Device(machine, tuple(channels)), seq=self._next(), timestamp_ms=now_ms)
            found.append(Message(str(Topic(SITE, Kind.DBIRTH, self.node, machine)).encode(), (born,)))
        return found

    def next_frame(self) -> tuple[int, Message]:
        """(seq of the epoch, DDATA) of the next block."""
        seq = FIRST_SEQ + self._count
        round_, place = divmod(self._count, len(self._places))
        machine, point = self._places[place]
        start_ns = self._start_ns + round_ * BLOCK_NS
        self._count += 1
        parts = self._templates.fill(point, seq, start_ns, self._next(), body=self._count % BODIES)
        return seq, Message(self._topics[machine], parts)

    def _next(self) -> int:
        self._sparkplug_seq = (self._sparkplug_seq + 1) % 256
        return self._sparkplug_seq


class Templates:
    """Frames whose times and seqs are to be set. Protobuf joins what stands one behind the other."""

    def __init__(self) -> None:
        x = counts(blocks(BODIES * len(CHANNELS), N_SAMPLES, SPINDLE)).reshape(BODIES, len(CHANNELS), -1)
        self._start_ns = time.time_ns()
        # Sparkplug's seq is appended: a later value of a field replaces an earlier one.
        self._heads = {point: self._head(point, x[0]) for point in _POINTS}
        self._bodies = {point: [self._body(point, samples) for samples in x] for point in _POINTS}

    def fill(self, point: str, seq: int, start_ns: int, sparkplug_seq: int, body: int) -> tuple[bytes, ...]:
        """The payload of a frame. The channels' own times, that nobody reads, are those of the template."""
        head = self._heads[point].replace(varint(self._start_ns), varint(start_ns), 1)
        head = head.replace(varint(self._start_ns // 1_000_000), varint(start_ns // 1_000_000))
        head = head.replace(b"X" + varint(FIRST_SEQ), b"X" + varint(seq), 1)  # X: the tag of a long_value
        return head, self._bodies[point][body], b"\x18" + varint(sparkplug_seq)

    def _payload(self, point: str, samples: Counts) -> Payload:
        return decode(
            frame_payload(
                frame(point, samples, self._start_ns),
                FrameId(f"{SITE}/g000", EPOCH, FIRST_SEQ),
                seq=0,
                timestamp_ms=self._start_ns // 1_000_000,
                historical=False,
            )
        )

    def _head(self, point: str, samples: Counts) -> bytes:
        payload = self._payload(point, samples)
        about = tuple(m for m in payload.metrics if m.name.startswith("Palier/"))
        return encode(Payload(payload.timestamp_ms, about, None, WIRE_VERSION))

    def _body(self, point: str, samples: Counts) -> bytes:
        channels = self._payload(point, samples).metrics
        return encode(Payload(None, tuple(m for m in channels if isinstance(m.value, np.ndarray)), None))


def frame(point: str, samples: Counts, start_ns: int) -> Waveform:
    """The block of a point as its gateway has it."""
    n = len(CHANNELS)
    return Waveform("M", point, CHANNELS, samples, (SCALE,) * n, ("m/s²",) * n, FS_HZ, start_ns)


def varint(number: int) -> bytes:
    """As protobuf and MQTT write it: seven bits a byte, the lowest first."""
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)
