"""The link: one thread that owns the machine's state and the connection, and performs what `step` says.

It alone publishes, so the Sparkplug seq, the births and the frames can't get out of order. Other threads only
append to its inbox. An unexpected error ends the connection, is logged and counted, and the next one begins.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from paho.mqtt.enums import MQTTProtocolVersion

from palier import ranges
from palier.clock import PlantClock
from palier.frames import FrameError, FrameId
from palier.ranges import Ranges
from palier.source import Device
from palier.wire import messages
from palier.wire.payload import DecodeError, decode
from palier.wire.session import NodeSession
from palier.wire.state import decode_state
from palier.wire.topics import Kind, Topic, state_topic

from . import events as ev
from .connection import Connection, ConnectionFailedError, Message, Waker, Will
from .devices import device_of, merge_devices
from .machine import LIVE_WITHIN_S, begin, step
from .outbox import Outbox, OutboxFullError
from .settings import AgentSettings
from .window import Link, Phase

TICK_S: Final = 0.25
STEADY_S: Final = 5.0  # a connection that lasted so long was a good one: the next pause is a short one
BACKOFF_S: Final = (0.25, 10.0)
"""First and longest pause between connections, half to one and a half times as long: a plant's gateways come
back within seconds of their broker, and not all at once."""

ANSWER_S: Final = 60.0
"""Frames that wait so long for a word of the host: by then three probes went unanswered too."""
UNANSWERED: Final = "the host answers nothing: do site and node fit the broker's access list?"
OPEN: Final = "open: the host is online"

_VERSIONS: Final = {MQTTProtocolVersion.MQTTv5: "5", MQTTProtocolVersion.MQTTv311: "3.1.1"}

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counters:
    """What the link did since it was made."""

    connections: int = 0
    sent: Counter[ev.Cause] = field(default_factory=Counter)
    acknowledged: int = 0
    ignored: int = 0  # messages that can't be read, or are not for us
    errors: int = 0


class LinkThread:
    """`start`, tell it of frames by `kept`, `stop`. Reading its attributes from other threads is safe."""

    def __init__(
        self,
        settings: AgentSettings,
        outbox: Outbox,
        devices: Iterable[Device],
        *,
        clock: PlantClock,
        monotonic_s: Callable[[], float],
        jitter: Callable[[], float],
    ) -> None:
        """`jitter` draws from [0, 1)."""
        self.counters = Counters()
        self.beat_s = monotonic_s()  # when the loop last came round: what /healthz looks at
        self.detail = "not connected yet"
        self._answered_s = monotonic_s()  # the host's last word to us, or when nothing waited for one
        self._settings = settings
        self._outbox = outbox
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._jitter = jitter
        self._devices = merge_devices(devices)
        self._link = begin(outbox.epoch, outbox.last_seq, outbox.pending())
        self._connection: Connection | None = None
        self._was_accepted = False
        self._protocol = MQTTProtocolVersion.MQTTv5
        self._session = NodeSession()
        self._unreleased: Ranges = ()
        self._inbox: queue.SimpleQueue[ev.Event] = queue.SimpleQueue()
        self._todo: deque[ev.Event] = deque()
        self._waker = Waker()
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def tell(self, *events: ev.Event) -> None:
        """Pass events in from another thread."""
        for event in events:
            self._inbox.put(event)
        self._waker.wake()

    def stop(self, timeout_s: float = 15.0) -> None:
        """Report the ledger, say NDEATH, disconnect, end the thread."""
        self.tell(ev.Stop())
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        self._waker.close()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def unanswered(self) -> bool:
        """Whether frames have waited for a word of the host for `ANSWER_S`, though it is online."""
        return self._monotonic_s() - self._answered_s > ANSWER_S

    @property
    def state(self) -> Link:
        """The machine's state at this moment."""
        return self._link

    def _run(self) -> None:
        pause_s = BACKOFF_S[0]
        while self._link.phase is not Phase.CLOSED:
            began_s = self._monotonic_s()
            self._one_connection()
            steady = self._monotonic_s() - began_s >= STEADY_S and self._was_accepted
            pause_s = BACKOFF_S[0] if steady else min(2 * pause_s, BACKOFF_S[1])
            self._pause(pause_s * (0.5 + self._jitter()))

    def _one_connection(self) -> None:
        """From CONNECT to the end."""
        self._was_accepted = False
        try:
            self._connection = self._connect()
            self._was_accepted = True
            self._serve(self._connection)
        except ConnectionFailedError as error:
            if error.other_protocol:
                self._protocol = _other(self._protocol)
            self._note(str(error))
        except Exception:
            self.counters.errors += 1
            log.exception("unexpected error on the link; connecting again")
        finally:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.abandon()
            self._todo.appendleft(ev.Disconnected())  # before what an error left undone: it can't be sent
            self._feed()

    def _connect(self) -> Connection:
        self._session = NodeSession(self._next_bd_seq())
        connection = Connection(
            self._settings.broker,
            client_id=f"palier-{self._settings.site}-{self._settings.node}",
            protocol=self._protocol,
            will=Will(self._topic(Kind.NDEATH), messages.node_death(self._session.bd_seq)),
            subscriptions=(self._topic(Kind.NCMD), state_topic(self._settings.host_id)),
        )
        connection.open()
        self.counters.connections += 1
        self._note(f"connected to the broker (MQTT {_VERSIONS[self._protocol]}), waiting for the host")
        return connection

    def _serve(self, connection: Connection) -> None:
        self._feed(ev.Connected())
        while not connection.ended:
            self._feed(*self._arrived(connection))
            if connection.ended:
                break
            connection.wait(TICK_S, self._waker)
        self._note(f"the connection ended: {connection.ended}")

    def _arrived(self, connection: Connection) -> list[ev.Event]:
        """Everything that happened since the last round, in the order in which it matters."""
        arrived: list[ev.Event] = []
        for message in connection.take_messages():
            arrived += self._read(message)
        if written := connection.take_written():
            arrived.append(ev.Written(written))
        return [*arrived, *self._told(), ev.Tick()]

    def _told(self) -> list[ev.Event]:
        told: list[ev.Event] = []
        while not self._inbox.empty():
            told.append(self._inbox.get_nowait())
        return told

    def _pause(self, seconds: float) -> None:
        """Wait before the next connection; the machine goes on hearing of frames."""
        until = self._monotonic_s() + seconds
        while self._link.phase is not Phase.CLOSED and (left := until - self._monotonic_s()) > 0:
            self._feed(*self._told())
            self._waker.wait(min(left, TICK_S))
            self.beat_s = self._monotonic_s()

    def _read(self, message: Message) -> list[ev.Event]:
        """The events in a message; one that can't be read is counted and left."""
        try:
            if message.topic == state_topic(self._settings.host_id):
                return [decode_state(message.payload)]
            if not message.retained:  # a retained command would act again at each connection
                return self._read_command(message.payload)
        except DecodeError as error:
            log.warning("a message on %s can't be read: %s", message.topic, error)
        self.counters.ignored += 1
        return []

    @staticmethod
    def _read_command(data: bytes) -> list[ev.Event]:
        payload = decode(data)
        found: list[ev.Event] = []
        stored = messages.read_stored(payload)
        if stored is not None:
            found.append(
                ev.StoredReceived(
                    stored.epoch, stored.ranges, stored.credit_frames, stored.credit_bytes, stored.sync
                )
            )
        if messages.is_rebirth(payload):
            found.append(ev.RebirthRequested())
        return found

    def _feed(self, *new: ev.Event) -> None:
        """Step through events, performing what follows from each before the next."""
        self.beat_s = self._monotonic_s()
        self._todo.extend(new)
        while self._todo:
            before, event = self._link.phase, self._todo.popleft()
            self._link, effects = step(self._link, event, self._monotonic_s())
            if isinstance(event, ev.StoredReceived):
                self._answered_s = self._monotonic_s()
            for effect in effects:
                self._perform(effect)
            if self._link.phase is not before and self._link.phase is Phase.OPEN:
                self._note(OPEN)
        self._release()
        self._watch()

    def _watch(self) -> None:
        """The host's STATE says online, and that can be all we are let to hear: say so after a while."""
        if self._link.phase is not Phase.OPEN or not self._link.in_flight:
            self._answered_s = self._monotonic_s()
        if self.unanswered:
            self._note(UNANSWERED)
        elif self.detail == UNANSWERED:
            self._note(OPEN)

    def _perform(self, effect: ev.Effect) -> None:
        match effect:
            case ev.SendFrame():
                self._send_frame(effect)
            case ev.Release(stored):
                self._unreleased = ranges.merge((*self._unreleased, *stored))
            case ev.Measure(seqs):
                self._todo.appendleft(self._measure(seqs))
            case ev.SendBirth(in_flight):
                self._send_births(in_flight)
            case ev.SendLedger():
                self._send_ledger()
            case ev.SendDeath():
                self._publish(Kind.NDEATH, messages.node_death(self._session.bd_seq), qos=1)
            case ev.Disconnect():
                if self._connection is not None:
                    self._connection.close()

    def _send_births(self, in_flight: Ranges) -> None:
        devices = tuple(self._devices.values())
        birth = messages.NodeBirth(
            self._session.bd_seq, self._outbox.epoch, in_flight, messages.config_hash(devices)
        )
        self._publish(Kind.NBIRTH, messages.node_birth(birth, timestamp_ms=self._now_ms()))
        self._session = self._session.born()
        for device in devices:
            self._send_device_birth(device)

    def _send_device_birth(self, device: Device) -> None:
        payload = messages.device_birth(device, seq=self._next_seq(), timestamp_ms=self._now_ms())
        self._publish(Kind.DBIRTH, payload, device.machine)

    def _send_frame(self, effect: ev.SendFrame) -> None:
        """A new message with a new seq, written from the stored fields at this moment."""
        try:
            frame = self._outbox.load(effect.seq)
            if frame is None:
                self._todo.extend((ev.FramesDropped(((effect.seq, effect.seq),)), ev.Written(1)))
                return
            if frame.machine not in self._devices:  # a backlog of a machine that has left agent.toml
                self._devices[frame.machine] = device_of(frame)
                self._send_device_birth(self._devices[frame.machine])
            payload = messages.frame_payload(
                frame,
                FrameId(self._outbox.edge, self._outbox.epoch, effect.seq),
                seq=self._next_seq(),
                timestamp_ms=self._now_ms(),
                historical=effect.historical,
            )
        except FrameError as error:
            log.error("frame %d is given up: %s", effect.seq, error)
            self._outbox.give_up(effect.seq, "unreadable")
            self._todo.extend((ev.FramesDropped(((effect.seq, effect.seq),)), ev.Written(1)))
            return
        self.counters.sent[effect.cause] += 1
        self._publish(Kind.DDATA, payload, frame.machine, counted=True)

    def _send_ledger(self) -> None:
        report = self._outbox.report()
        payload = messages.ledger_payload(report, seq=self._next_seq(), timestamp_ms=self._now_ms())
        self._publish(Kind.NDATA, payload)

    def _release(self) -> None:
        """One commit for all acknowledgements of a round; a full disk does not make us forget them."""
        if not self._unreleased:
            return
        try:
            self.counters.acknowledged += self._outbox.acknowledge(self._unreleased)
            self._unreleased = ()
        except OutboxFullError as error:
            log.error("%s", error)

    def _measure(self, seqs: tuple[int, ...]) -> ev.Measured:
        now_s, now_ns = self._monotonic_s(), self._clock.now_ns()
        rows = tuple(
            ev.Candidate(row.seq, row.size, now_s + LIVE_WITHIN_S - self._age_s(now_ns - row.end_ns))
            for row in self._outbox.rows(seqs)
        )
        return ev.Measured(seqs, rows)

    def _age_s(self, plant_ns: int) -> float:
        """How old in link time: a demo's fast plant clock makes no frame late."""
        return self._clock.real_seconds(plant_ns / 1e9)

    def _next_bd_seq(self) -> int:
        """From the outbox; a full disk must not keep us from sending what is on it."""
        try:
            return self._outbox.next_bd_seq()
        except OutboxFullError:
            return self._session.connecting().bd_seq

    def _next_seq(self) -> int:
        self._session, seq = self._session.sent()
        return seq

    def _publish(
        self, kind: Kind, payload: bytes, device: str | None = None, *, qos: int = 0, counted: bool = False
    ) -> None:
        if self._connection is not None:
            self._connection.publish(self._topic(kind, device), payload, qos=qos, counted=counted)

    def _topic(self, kind: Kind, device: str | None = None) -> str:
        return str(Topic(self._settings.site, kind, self._settings.node, device))

    def _now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000

    def _note(self, detail: str) -> None:
        """Log a change of what people should know; not the same sentence again and again."""
        if detail != self.detail:
            self.detail = detail
            log.info("%s", detail)


def _other(protocol: MQTTProtocolVersion) -> MQTTProtocolVersion:
    if protocol == MQTTProtocolVersion.MQTTv5:
        return MQTTProtocolVersion.MQTTv311
    return MQTTProtocolVersion.MQTTv5
