"""What the node says over its connection: births, deaths, reports and frames, each with its Sparkplug seq.

Of the link's thread alone: a seq is taken where its message is written, so the two never part. Without a
connection nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from palier.clock import PlantClock
from palier.frames import Frame, FrameId
from palier.ranges import Ranges
from palier.source import Device
from palier.wire import messages
from palier.wire.session import NodeSession
from palier.wire.topics import Kind, Topic

from .connection import Connection, Will
from .devices import Devices, device_of
from .settings import AgentSettings
from .telling import Telling


class Speaker:
    """`connection` and `telling` (what the gateway tells of itself) are set from outside."""

    def __init__(self, settings: AgentSettings, devices: Iterable[Device], clock: PlantClock) -> None:
        self.devices = Devices(devices)
        self.mode, self.compress = settings.mode, settings.transmit.compress
        self.telling: Telling | None = None
        self.connection: Connection | None = None
        self._site, self._node = settings.site, settings.node
        self._clock = clock
        self._session = NodeSession()

    def next_will(self, bd_seq_of: Callable[[int], int]) -> Will:
        """Of the next connection. `bd_seq_of` gives its bdSeq; it is handed the one that would be next."""
        self._session = NodeSession(bd_seq_of(self._session.connecting().bd_seq))
        return Will(self.topic(Kind.NDEATH), messages.node_death(self._session.bd_seq))

    def births(self, epoch: str, in_flight: Ranges) -> None:
        """The node's, and those of its machines; the deaths of machines that left."""
        gone = self.devices.take_over()
        devices = tuple(self.devices.known.values())
        birth = messages.NodeBirth(
            self._session.bd_seq, epoch, in_flight, messages.config_hash(devices), transmit=self.mode
        )
        status = None if self.telling is None else self.telling.status(full=True)
        self.publish(Kind.NBIRTH, messages.node_birth(birth, timestamp_ms=self._now_ms(), status=status))
        self._session = self._session.born()
        if self.telling is not None and status is not None:
            self.telling.told(status)
        for device in devices:
            self._device_birth(device)
        for device in gone:  # born for the last time, so that the host believes the death
            self._device_birth(device)
            died = messages.device_death(seq=self._next_seq(), timestamp_ms=self._now_ms())
            self.publish(Kind.DDEATH, died, device.machine)

    def frame(self, frame: Frame, frame_id: FrameId, *, historical: bool) -> bool:
        """A new message, written from the stored fields at this moment; False where the broker takes none of
        its size. Raises FrameError.
        """
        if frame.machine not in self.devices.known:  # a backlog of a machine that has left agent.toml
            self.devices.known[frame.machine] = device_of(frame)
            self._device_birth(self.devices.known[frame.machine])
        session, seq = self._session.sent()
        pieces = messages.frame_pieces(
            frame,
            frame_id,
            seq=seq,
            timestamp_ms=self._now_ms(),
            historical=historical,
            compress=self.compress,
        )
        topic = self.topic(Kind.DDATA, frame.machine)
        if self.connection is not None and not self.connection.takes(topic, pieces):
            return False
        self._session = session
        if self.connection is not None:
            self.connection.publish_frame(topic, pieces)
        return True

    def report(self, payload_of: Callable[..., bytes], what: object) -> None:
        """One NDATA."""
        told = payload_of(what, seq=self._next_seq(), timestamp_ms=self._now_ms())
        self.publish(Kind.NDATA, told)

    def status(self) -> None:
        """How the gateway is, each minute and when it changed."""
        if self.telling is not None and (status := self.telling.due()) is not None:
            self.report(messages.status_payload, status)

    def death(self) -> None:
        """The node's, before it disconnects by itself."""
        self.publish(Kind.NDEATH, messages.node_death(self._session.bd_seq), qos=1)

    def publish(self, kind: Kind, payload: bytes, device: str | None = None, *, qos: int = 0) -> None:
        """One message that is no frame."""
        if self.connection is not None:
            self.connection.publish(self.topic(kind, device), payload, qos=qos)

    def topic(self, kind: Kind, device: str | None = None) -> str:
        """The node's own, or one of its machines'."""
        return str(Topic(self._site, kind, self._node, device))

    def _device_birth(self, device: Device) -> None:
        payload = messages.device_birth(device, seq=self._next_seq(), timestamp_ms=self._now_ms())
        self.publish(Kind.DBIRTH, payload, device.machine)

    def _next_seq(self) -> int:
        self._session, seq = self._session.sent()
        return seq

    def _now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000
