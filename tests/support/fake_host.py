"""A host that stores by identity and acknowledges: just enough to test an agent against a real broker."""

from __future__ import annotations

import threading
import time
from collections import Counter
from types import TracebackType
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from palier import ranges
from palier.frames import Frame, FrameId
from palier.ranges import Ranges
from palier.source import Device
from palier.wire import messages
from palier.wire.payload import decode
from palier.wire.state import HostState, encode_state
from palier.wire.topics import Kind, Topic, group_filter, parse, state_topic


class FakeHost:
    """A context manager. `stored` holds every frame once; `received` counts how often each came."""

    def __init__(
        self,
        port: int,
        *,
        group: str = "usine",
        host_id: str = "palier",
        credit: int = 100,
        protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5,
    ) -> None:
        self.credit = credit
        self.acknowledging = True
        self.tells_highest = True  # hosts from before did not
        self.stored: dict[FrameId, Frame] = {}
        self.historical: dict[FrameId, bool] = {}
        self.received: Counter[FrameId] = Counter()
        self.births: list[messages.NodeBirth] = []
        self.devices: dict[str, Device] = {}
        self.reports: list[messages.LedgerReport] = []
        self.replayed: list[messages.Replayed] = []
        self.kinds: list[Kind] = []
        self.seqs: list[int | None] = []
        self.errors: list[BaseException] = []
        self._group = group
        self._host_id = host_id
        self._since_ms = 0
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"host-{id(self)}", protocol=protocol)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda c, *_: c.subscribe(group_filter(group), qos=0)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._port = port

    def __enter__(self) -> FakeHost:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        assert self._subscribed.wait(30), "the fake host was not subscribed"
        self.say(online=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, *, online: bool, new_session: bool = False) -> None:
        """Publish STATE, retained."""
        if online and (new_session or not self._since_ms):
            self._since_ms = max(time.time_ns() // 1_000_000, self._since_ms + 1)
        state = encode_state(HostState(online, self._since_ms))
        self._client.publish(state_topic(self._host_id), state, qos=1, retain=True).wait_for_publish(30)

    def command(self, payload: bytes, node: str = "p1") -> None:
        """Send an NCMD."""
        self._client.publish(str(Topic(self._group, Kind.NCMD, node)), payload)

    def seqs_of(self, epoch: str) -> Ranges:
        """The stored seqs of an epoch."""
        return ranges.of(frame_id.seq for frame_id in list(self.stored) if frame_id.epoch == epoch)

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            topic = parse(message.topic)
            if topic.kind is not Kind.NCMD:
                self._take(topic, bytes(message.payload))
        except Exception as error:  # the test looks at them  # noqa: BLE001
            self.errors.append(error)

    def _take(self, topic: Topic, data: bytes) -> None:
        payload = decode(data)
        self.kinds.append(topic.kind)
        self.seqs.append(payload.seq)
        match topic.kind:
            case Kind.NBIRTH:
                birth = messages.read_node_birth(payload)
                self.births.append(birth)
                self._answer_birth(topic, birth)
            case Kind.DBIRTH:
                assert topic.device is not None
                self.devices[topic.device] = messages.read_device_birth(payload, topic.device)
            case Kind.NDATA:
                report = messages.read_ledger(payload)
                if report is not None:
                    self.reports.append(report)
                replayed = messages.read_replayed(payload)
                if replayed is not None:
                    self.replayed.append(replayed)
            case Kind.DDATA:
                assert topic.device is not None
                frame_id, frame, late = messages.read_frame(payload, edge=topic.edge, machine=topic.device)
                self.received[frame_id] += 1
                self.stored.setdefault(frame_id, frame)
                self.historical.setdefault(frame_id, late)
                self.acknowledge(topic.node, frame_id.epoch, ((frame_id.seq, frame_id.seq),))

    def _answer_birth(self, topic: Topic, birth: messages.NodeBirth) -> None:
        assert birth.epoch is not None
        seqs = self.seqs_of(birth.epoch)
        highest = seqs[-1][1] if seqs else 0
        have = ranges.intersect(seqs, birth.in_flight)
        self.acknowledge(
            topic.node, birth.epoch, have, sync=True, highest=highest if self.tells_highest else None
        )

    def acknowledge(
        self, node: str, epoch: str, stored: Ranges, *, sync: bool = False, highest: int | None = None
    ) -> None:
        """Send Palier/Stored, unless `acknowledging` is off."""
        if self.acknowledging:
            now_ms = time.time_ns() // 1_000_000
            answer = messages.Stored(epoch, stored, self.credit, 8_000_000, sync, highest)
            self.command(messages.stored_payload(answer, now_ms), node)
