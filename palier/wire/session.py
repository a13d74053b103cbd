"""The Sparkplug session of an edge node, from the host (`step`) and from the node (`NodeSession`). Pure.

Rules of the host, one `HostSession` for each edge node, Palier's or a third party's
1. NBIRTH opens a session: it replaces all births and sets the next seq to its own + 1.
2. NDEATH ends it only with the bdSeq of the NBIRTH in force: the will of an earlier connection may come
   late (tck-id-payloads-ndeath-bdseq).
3. The seq of DBIRTH, DDEATH, NDATA and DDATA is the one before + 1, modulo 256
   (tck-id-payloads-sequence-num-incrementing). Another one is a gap: messages are missing. MQTT over one
   connection keeps order, so there is no waiting for a late one; go on from the seq that came.
4. After a gap, and after anything before the births or that no birth explains, births are *needed*. A need
   lasts until the next NBIRTH; while it lasts and the node is heard, a rebirth is requested, at most once
   in 5 s (tck-id-operational-behavior-host-reordering-rebirth).
5. A gap loses no frame of Palier's: a frame is readable without a birth, and stays in its outbox until it
   is acknowledged. So the session never decides whether a frame is stored.

| event | offline or never heard | online, seq as expected | online, another seq |
|---|---|---|---|
| NodeBorn | online; NodeOnline | NodeOnline | NodeOnline |
| NodeDied, same bdSeq | - | offline; NodeOffline | offline; NodeOffline |
| NodeDied, other bdSeq | - | - | - |
| DeviceBorn | need before_birth | DeviceOnline | Gap, DeviceOnline, need gap |
| DeviceDied | need before_birth | DeviceOffline | Gap, DeviceOffline, need gap |
| Data of a born device | need before_birth | - | Gap, need gap |
| Data of another device | need before_birth | need before_birth | Gap, need gap |
| Unreadable | need before_birth | need unreadable | need unreadable |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from .births import read_bd_seq
from .payload import DataType, DecodeError, Metric, Payload, Reason, retype
from .topics import Kind, Topic

SEQ_MODULUS: Final = 256
REBIRTH_INTERVAL_S: Final = 5.0
"""A node must not be driven to do nothing but births; one takes well under a second."""

MAX_DEVICES: Final = 1000
"""Devices of one node. A gateway carries some tens; names without end would fill the host's memory."""

NODE: Final = ""
"""The key of the node's own birth among those of its devices."""


@dataclass(frozen=True, slots=True, eq=False)
class Birth:
    """What a birth gave: the datatype of each name, and the name behind each alias."""

    datatypes: Mapping[str, DataType]
    names: Mapping[int, str]


@dataclass(frozen=True, slots=True, eq=False)
class HostSession:
    """What a host knows of an edge node. `births` are by device, `NODE` for the node's own.

    `need` is why births are needed, None while they are not; `asked_s` is when they were last requested.
    """

    online: bool = False
    bd_seq: int | None = None
    next_seq: int | None = None
    births: Mapping[str, Birth] = field(default_factory=dict)
    need: str | None = None
    asked_s: float | None = None


@dataclass(frozen=True, slots=True)
class NodeBorn:
    """NBIRTH."""

    at_s: float
    bd_seq: int | None
    seq: int | None
    metrics: tuple[Metric, ...]


@dataclass(frozen=True, slots=True)
class NodeDied:
    """NDEATH, from the node or as its will."""

    at_s: float
    bd_seq: int | None


@dataclass(frozen=True, slots=True)
class DeviceBorn:
    """DBIRTH."""

    at_s: float
    device: str
    seq: int | None
    metrics: tuple[Metric, ...]


@dataclass(frozen=True, slots=True)
class DeviceDied:
    """DDEATH."""

    at_s: float
    device: str
    seq: int | None


@dataclass(frozen=True, slots=True)
class Data:
    """NDATA (device `NODE`) or DDATA."""

    at_s: float
    device: str
    seq: int | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A payload that `decode` refused, or a metric that no birth explains (`resolve` refused it)."""

    at_s: float


Event = NodeBorn | NodeDied | DeviceBorn | DeviceDied | Data | Unreadable


@dataclass(frozen=True, slots=True)
class RequestRebirth:
    """Send the node an NCMD for its births; `why` is gap, before_birth, unreadable."""

    why: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages are missing before this one; count them."""

    expected: int
    got: int | None


@dataclass(frozen=True, slots=True)
class NodeOnline:
    """A node's births are there, `rebirth` when it was online already in the same session."""

    bd_seq: int | None
    rebirth: bool


@dataclass(frozen=True, slots=True)
class NodeOffline:
    """A node is gone, and these devices with it: their last values are stale."""

    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeviceOnline:
    """A device was announced."""

    device: str


@dataclass(frozen=True, slots=True)
class DeviceOffline:
    """A device is gone: its last values are stale."""

    device: str


@dataclass(frozen=True, slots=True)
class DeviceRefused:
    """One device more than MAX_DEVICES: not taken."""

    device: str


Effect = RequestRebirth | Gap | NodeOnline | NodeOffline | DeviceOnline | DeviceOffline | DeviceRefused
Step = tuple[HostSession, tuple[Effect, ...]]


def event_of(topic: Topic, payload: Payload, at_s: float) -> Event | None:
    """The event that a message is, heard at `at_s` (monotonic seconds); None for commands, the host's own."""
    device = topic.device or NODE
    match topic.kind:
        case Kind.NBIRTH:
            return NodeBorn(at_s, read_bd_seq(payload), payload.seq, payload.metrics)
        case Kind.NDEATH:
            return NodeDied(at_s, read_bd_seq(payload))
        case Kind.DBIRTH:
            return DeviceBorn(at_s, device, payload.seq, payload.metrics)
        case Kind.DDEATH:
            return DeviceDied(at_s, device, payload.seq)
        case Kind.NDATA | Kind.DDATA:
            return Data(at_s, device, payload.seq)
    return None


def step(state: HostSession, event: Event) -> Step:
    """What a host makes of an event; see the rules and the table above."""
    if isinstance(event, NodeBorn):
        return _node_born(state, event)
    if isinstance(event, NodeDied):
        return _node_died(state, event)
    if not state.online or state.next_seq is None:
        return _ask(_needing(state, "before_birth"), event.at_s, ())
    if isinstance(event, Unreadable):
        return _ask(_needing(state, "unreadable"), event.at_s, ())
    state, effects = _follow(state, state.next_seq, event.seq)
    if isinstance(event, DeviceBorn):
        state, more = _device_born(state, event)
    elif isinstance(event, DeviceDied):
        state, more = _device_died(state, event)
    else:
        state, more = state if event.device in state.births else _needing(state, "before_birth"), ()
    return _ask(state, event.at_s, effects + more)


def _node_born(state: HostSession, event: NodeBorn) -> Step:
    rebirth = state.online and state.bd_seq == event.bd_seq
    born = HostSession(
        online=True,
        bd_seq=event.bd_seq,
        next_seq=((event.seq or 0) + 1) % SEQ_MODULUS,
        births=MappingProxyType({NODE: _birth(event.metrics)}),
        asked_s=state.asked_s,
    )
    return born, (NodeOnline(event.bd_seq, rebirth),)


def _node_died(state: HostSession, event: NodeDied) -> Step:
    if not state.online or event.bd_seq != state.bd_seq:
        return state, ()
    devices = tuple(device for device in state.births if device != NODE)
    return HostSession(asked_s=state.asked_s), (NodeOffline(devices),)


def _follow(state: HostSession, expected: int, seq: int | None) -> Step:
    if seq == expected:
        return replace(state, next_seq=(seq + 1) % SEQ_MODULUS), ()
    gone_on = replace(state, next_seq=((expected if seq is None else seq) + 1) % SEQ_MODULUS)
    return _needing(gone_on, "gap"), (Gap(expected, seq),)


def _device_born(state: HostSession, event: DeviceBorn) -> Step:
    if event.device not in state.births and len(state.births) > MAX_DEVICES:
        return state, (DeviceRefused(event.device),)
    births = MappingProxyType({**state.births, event.device: _birth(event.metrics)})
    return replace(state, births=births), (DeviceOnline(event.device),)


def _device_died(state: HostSession, event: DeviceDied) -> Step:
    if event.device not in state.births:
        return state, ()
    births = {device: birth for device, birth in state.births.items() if device != event.device}
    return replace(state, births=MappingProxyType(births)), (DeviceOffline(event.device),)


def _birth(metrics: tuple[Metric, ...]) -> Birth:
    return Birth(
        datatypes=MappingProxyType({metric.name: metric.datatype for metric in metrics}),
        names=MappingProxyType({metric.alias: metric.name for metric in metrics if metric.alias is not None}),
    )


def _needing(state: HostSession, why: str) -> HostSession:
    return state if state.need is not None else replace(state, need=why)


def _ask(state: HostSession, at_s: float, effects: tuple[Effect, ...]) -> Step:
    if state.need is None or (state.asked_s is not None and at_s - state.asked_s < REBIRTH_INTERVAL_S):
        return state, effects
    return replace(state, asked_s=at_s), (*effects, RequestRebirth(state.need))


def resolve(state: HostSession, device: str, metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
    """The metrics of a third-party node's DATA with the names and datatypes of its births.

    DecodeError (schema) where no birth gave an alias or a name: then step with `Unreadable`.
    """
    birth = state.births.get(device)
    if birth is None:
        raise DecodeError(
            Reason.SCHEMA, f"{device or 'the node'} must be born before it sends data, it is not"
        )
    return tuple(_resolve(birth, metric) for metric in metrics)


def _resolve(birth: Birth, metric: Metric) -> Metric:
    name = metric.name if metric.alias is None or metric.name else birth.names.get(metric.alias, "")
    datatype = birth.datatypes.get(name)
    if not name or datatype is None:
        told = f"alias {metric.alias}" if metric.alias is not None else repr(metric.name[:80])
        raise DecodeError(Reason.SCHEMA, f"a metric must be in the birth, {told} is not")
    return retype(replace(metric, name=name), datatype)


@dataclass(frozen=True, slots=True)
class NodeSession:
    """An edge node's own numbers: `bd_seq` of its connection (0..255), `next_seq` of its next message.

    A message takes its seq under the lock under which it is written: births, data and resends alike.
    """

    bd_seq: int = SEQ_MODULUS - 1
    next_seq: int = 0

    def connecting(self) -> NodeSession:
        """Before each CONNECT: the next bdSeq, for the will and for all births of that connection."""
        return NodeSession((self.bd_seq + 1) % SEQ_MODULUS, 0)

    def born(self) -> NodeSession:
        """NBIRTH was written, with seq 0 whatever came before (tck-id-payloads-sequence-num-zero-nbirth)."""
        return replace(self, next_seq=1)

    def sent(self) -> tuple[NodeSession, int]:
        """(afterwards, the seq to write) of any message but NBIRTH and NDEATH."""
        return replace(self, next_seq=(self.next_seq + 1) % SEQ_MODULUS), self.next_seq
