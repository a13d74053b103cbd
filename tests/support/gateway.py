"""A gateway for tests of the host: births, frames one asks for, and a memory of what was acknowledged."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

import numpy as np
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from palier.frames import Frame, FrameId, Readings, Waveform
from palier.source import ChannelBirth, Device
from palier.wire.messages import (
    LedgerReport,
    NodeBirth,
    Replay,
    Replayed,
    Stored,
    device_birth,
    frame_payload,
    is_rebirth,
    ledger_payload,
    node_birth,
    node_death,
    read_replay,
    read_stored,
    replayed_payload,
)
from palier.wire.payload import decode
from palier.wire.state import HostState, decode_state
from palier.wire.topics import Kind, Topic, state_topic
from tests.support.waiting import eventually

EPOCH = "00000000000000e1"


def waveform(
    start_ns: int,
    *,
    machine: str = "pompe",
    point: str = "p1",
    channels: tuple[str, ...] = ("h",),
    velocity_mm_s: float = 1.0,
    unit: str = "m/s²",
    fs_hz: float = 4096.0,
    n: int = 4096,
    speed_rpm: float | None = None,
) -> Waveform:
    """A block with a sine of 100 Hz whose RMS velocity is `velocity_mm_s`."""
    peak = velocity_mm_s * np.sqrt(2) * 2 * np.pi * 100 / 1000
    one = peak * np.sin(2 * np.pi * 100 * np.arange(n) / fs_hz)
    samples = np.tile((one / 0.001).astype("<i2"), (len(channels), 1))
    return Waveform(
        machine=machine,
        point=point,
        channels=channels,
        samples=samples,
        scale=(0.001,) * len(channels),
        unit=(unit,) * len(channels),
        fs_hz=fs_hz,
        start_ns=start_ns,
        speed_rpm=speed_rpm,
    )


def readings(
    start_ns: int, channel: str, values: list[float], *, machine: str = "pompe", unit: str = "°C"
) -> Readings:
    """Values of one channel, a second apart."""
    times = start_ns + np.arange(len(values), dtype=np.int64) * 10**9
    return Readings(machine, (channel,), times, np.array([values], dtype=np.float64), (unit,))


class Gateway:
    """An edge node at a broker, entered to connect. `acked` are the seqs the host acknowledged, in order.

    `sent_s` and `acked_s` say when a seq was first handed over, and first acknowledged: monotonic seconds.
    """

    def __init__(self, port: int, *, site: str = "usine", node: str = "g1", epoch: str = EPOCH) -> None:
        self.edge = f"{site}/{node}"
        self.epoch = epoch
        self.site, self.node, self._port = site, node, port
        self.acked: list[int] = []
        self.sent_s: dict[int, float] = {}
        self.acked_s: dict[int, float] = {}
        self.answers: list[Stored] = []
        self.rebirths = 0
        self.replays: list[Replay] = []
        self.host = HostState(online=False, timestamp_ms=0)
        self.states: list[HostState] = []
        self._lock = threading.Lock()
        self._seq = 0  # Sparkplug's
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"test-{site}-{node}")
        self._client.will_set(self._topic(Kind.NDEATH), node_death(0))
        self._hears = threading.Event()  # what is said before is lost: it is said once, at QoS 0
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._hears.set()
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        assert self._hears.wait(30), "the broker did not confirm what the gateway wants to hear"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def wait_for_host(self, seconds: float = 45.0) -> Self:
        """Return once the host said that it is online."""
        eventually(lambda: self.host.online, seconds, "STATE online of the host")
        return self

    def born(
        self,
        in_flight: Iterable[tuple[int, int]] = (),
        machines: tuple[str, ...] = ("pompe",),
        transmit: str = "waveform",
    ) -> Self:
        """NBIRTH and a DBIRTH for each machine."""
        birth = NodeBirth(0, self.epoch, tuple(in_flight), "cafe", transmit)
        self._publish(self._topic(Kind.NBIRTH), node_birth(birth, timestamp_ms=_ms()))
        self._seq = 0
        for machine in machines:
            device = Device(machine, (ChannelBirth("p1/h", "m/s²", "int16", scale=0.001, fs_hz=4096.0),))
            self._publish(
                self._topic(Kind.DBIRTH, machine), device_birth(device, seq=self._next(), timestamp_ms=_ms())
            )
        return self

    def send(self, seq: int, frame: Frame, *, historical: bool = False) -> None:
        """One frame under that seq of the epoch."""
        data = frame_payload(
            frame,
            FrameId(self.edge, self.epoch, seq),
            seq=self._next(),
            timestamp_ms=_ms(),
            historical=historical,
        )
        self.sent_s.setdefault(seq, time.monotonic())
        self._publish(self._topic(Kind.DDATA, frame.machine), data)

    def report(self, seq: int, *, acquired: int, oldest: int | None = None, pending: int = 0) -> None:
        """The ledger report of the epoch at a seq."""
        told = LedgerReport(self.epoch, seq, acquired, (), oldest, pending)
        self._publish(self._topic(Kind.NDATA), ledger_payload(told, seq=self._next(), timestamp_ms=_ms()))

    def answer(self, request: str, frames: int) -> None:
        """Replayed: what was asked for is on its way."""
        told = Replayed(request, self.epoch, frames)
        self._publish(self._topic(Kind.NDATA), replayed_payload(told, seq=self._next(), timestamp_ms=_ms()))

    def raw(self, data: bytes, *, machine: str = "pompe", kind: Kind = Kind.DDATA) -> None:
        """Any bytes on a topic of this node."""
        self._publish(self._topic(kind, machine if kind.of_device else None), data)

    def die(self) -> None:
        """NDEATH."""
        self._publish(self._topic(Kind.NDEATH), node_death(0))

    def wait_acked(self, seqs: Iterable[int], seconds: float = 45.0) -> None:
        """Return once all these seqs were acknowledged."""
        wanted = set(seqs)
        eventually(lambda: wanted <= set(self.acked), seconds, f"acknowledgement of {sorted(wanted)}")

    def _next(self) -> int:
        self._seq = (self._seq + 1) % 256
        return self._seq

    def _topic(self, kind: Kind, device: str | None = None) -> str:
        return str(Topic(self.site, kind, self.node, device))

    def _publish(self, topic: str, data: bytes) -> None:
        self._client.publish(topic, data, qos=0)

    def _on_connect(self, client: Client, *_: Any) -> None:
        client.subscribe([(state_topic("palier"), 1), (self._topic(Kind.NCMD), 0)])

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        if message.topic == state_topic("palier"):
            self.host = decode_state(bytes(message.payload))
            self.states.append(self.host)
            return
        payload = decode(bytes(message.payload))
        self.rebirths += is_rebirth(payload)
        replay = read_replay(payload)
        self.replays += [] if replay is None else [replay]
        stored = read_stored(payload)
        if stored is not None:
            self.answers.append(stored)
            if stored.epoch == self.epoch:
                told = [seq for lo, hi in stored.ranges for seq in range(lo, hi + 1)]
                self.acked += told
                for seq in told:
                    self.acked_s.setdefault(seq, time.monotonic())


def _ms() -> int:
    return time.time_ns() // 1_000_000
