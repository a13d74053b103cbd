"""The link: one thread that owns the machine's state and the connection, and performs what `step` says.

It alone publishes, so the Sparkplug seq, the births and the frames can't get out of order. Other threads only
append to its inbox. An unexpected error ends the connection, is logged and counted, and the next one begins.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from paho.mqtt.enums import MQTTProtocolVersion

from palier.clock import PlantClock
from palier.frames import FrameError, FrameId
from palier.ranges import Ranges
from palier.source import Device
from palier.wire import messages
from palier.wire.payload import DecodeError, Payload, decode
from palier.wire.session import NodeSession
from palier.wire.state import decode_state
from palier.wire.topics import Kind, Topic, state_topic

from . import events as ev
from .backoff import FIRST_PAUSE_S, STEADY_S, next_pause_s
from .connection import BY_OURSELVES, Connection, ConnectionFailedError, Message, Waker, Will
from .counters import Counters
from .devices import Devices, device_of
from .host_word import HostWord
from .link_outbox import LinkOutbox
from .machine import begin, step
from .orders import read_events
from .outbox import Outbox
from .protocols import VERSIONS, other
from .replays import Replays
from .settings import AgentSettings
from .telling import Telling
from .window import Link, Phase

TICK_S: Final = 0.25
ANSWER_S: Final = 60.0
"""Frames that wait so long for a word of the host: by then three probes went unanswered too."""
UNANSWERED: Final = "the host answers nothing: do site and node fit the broker's access list?"
OPEN: Final = "open: the host is online"

log = logging.getLogger(__name__)


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
        word: HostWord | None = None,
    ) -> None:
        """`jitter` draws from [0, 1); `word` takes what the host says of machines."""
        self.counters = Counters()
        self.beat_s = monotonic_s()  # when the loop last came round: what /healthz looks at
        self.detail = "not connected yet"
        self.too_large: set[int] = set()  # frames that wait for a broker that takes messages of their size
        self._answered_s = monotonic_s()  # the host's last word to us, or when nothing waited for one
        self.mode, self.compress = settings.mode, settings.transmit.compress
        self._settings = settings
        self._outbox = outbox
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._jitter = jitter
        self.devices = Devices(devices)
        pending = outbox.pending()  # before its epoch is asked: a damage found here makes a new one
        self._link = begin(outbox.epoch, outbox.last_seq, pending, outbox.sure)
        self._connection: Connection | None = None
        self._was_accepted = False
        self._was_refused = False
        self._was_lost = False
        self._protocol = MQTTProtocolVersion.MQTTv5
        self._session = NodeSession()
        self._shelf = LinkOutbox(outbox, clock, monotonic_s, self.counters)
        self.replays = Replays(outbox, clock.now_ns)
        self.telling: Telling | None = None  # what the gateway tells of itself
        self.configured: Callable[[Payload], None] = lambda _payload: None  # takes configurations
        self.word = HostWord(outbox) if word is None else word
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
    def connected(self) -> bool:
        """Whether a broker has taken us and has not let go yet, as far as we know. No measure of health."""
        return self._link.phase in (Phase.WAITING, Phase.SYNCING, Phase.OPEN)

    @property
    def unanswered(self) -> bool:
        """Whether frames have waited for a word of the host for `ANSWER_S`, though it is online."""
        return self._monotonic_s() - self._answered_s > ANSWER_S

    @property
    def state(self) -> Link:
        """The machine's state at this moment."""
        return self._link

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while self._link.phase is not Phase.CLOSED:
            began_s = self._monotonic_s()
            self._one_connection()
            ended_s = self._monotonic_s()
            steady = ended_s - began_s >= STEADY_S and self._was_accepted
            if self._was_accepted and self._was_lost:
                self.counters.note_end(began_s, ended_s)
            pause_s = next_pause_s(pause_s, steady=steady, refused=self._was_refused)
            self._pause(pause_s * (0.5 + self._jitter()))

    def _one_connection(self) -> None:
        """From CONNECT to the end."""
        self._was_accepted = self._was_refused = self._was_lost = False
        try:
            self._connection = self._connect()
            self._was_accepted = True
            self.counters.broker_expires_s = self._connection.expires_s
            self._serve(self._connection)
        except ConnectionFailedError as error:
            self._was_refused = error.refused
            if error.other_protocol:
                self._protocol = other(self._protocol)
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
        self._session = NodeSession(self._shelf.next_bd_seq(self._session.connecting().bd_seq))
        connection = Connection(
            self._settings.broker,
            client_id=f"palier-{self._settings.site}-{self._settings.node}",
            protocol=self._protocol,
            will=Will(self._topic(Kind.NDEATH), messages.node_death(self._session.bd_seq)),
            subscriptions=(self._topic(Kind.NCMD), state_topic(self._settings.host_id)),
        )
        connection.open()
        self.counters.connections += 1
        self._note(f"connected to the broker (MQTT {VERSIONS[self._protocol]}), waiting for the host")
        return connection

    def _serve(self, connection: Connection) -> None:
        again, self.too_large = self.too_large, set()  # this broker may take them
        self._feed(*[ev.FramesAdded(self._link.epoch, seq, seq) for seq in sorted(again)], ev.Connected())
        while not connection.ended:
            self._feed(*self._arrived(connection))
            if connection.ended:
                break
            self._replay()
            self._tell_of_ourselves()
            connection.wait(TICK_S, self._waker)
        self._was_lost = connection.ended != BY_OURSELVES
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

    def _read_command(self, data: bytes) -> list[ev.Event]:
        payload = decode(data)
        self.configured(payload)
        replay, limits = messages.read_replay(payload), messages.read_limits(payload)
        if replay is not None:
            self.replays.ask(replay)
        if limits is not None:
            self.word.take(limits, messages.read_attention(payload))
        return read_events(payload, self._link)

    def _replay(self) -> None:
        """A piece of what the host asked for again, once frames may be sent at all."""
        if self._link.phase is not Phase.OPEN:
            return
        epoch = self._link.epoch
        again, answer = self.replays.work()
        self._feed(*[ev.FramesAdded(epoch, lo, hi) for lo, hi in again])
        if answer is not None:
            self._report(messages.replayed_payload, answer)

    def _tell_of_ourselves(self) -> None:
        """How the gateway is, each minute and when it changed."""
        if self.telling is None or self._link.phase is not Phase.OPEN:
            return
        if (status := self.telling.due()) is not None:
            self._report(messages.status_payload, status)

    def _feed(self, *new: ev.Event) -> None:
        """Step through events, performing what follows from each before the next."""
        self.beat_s = self._monotonic_s()
        self._todo.extend(new)
        while self._todo:
            before, event = self._link.phase, self._todo.popleft()
            self._link, effects = step(self._link, event, self._monotonic_s())
            if isinstance(event, ev.StoredReceived):
                self._answered_s = self._monotonic_s()
            if isinstance(event, ev.OutboxReplaced):
                self.too_large.clear()
                self._shelf.forget_stored()
                self.counters.replaced += 1
            for effect in effects:
                self._perform(effect)
            if self._link.phase is not before and self._link.phase is Phase.OPEN:
                self._note(OPEN)
        self._shelf.release(self._link.epoch)
        self._watch()

    def _watch(self) -> None:
        """The host's STATE says online, and that can be all we are let to hear: say so after a while."""
        opened = self._link.phase is Phase.OPEN and bool(self._link.in_flight)
        if not opened and self._link.phase is not Phase.SYNCING:
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
                self._shelf.note_stored(stored)
            case ev.Settle():
                self._todo.extendleft(self._shelf.settle(effect, self._link.epoch))
            case ev.Measure(seqs):
                self._todo.appendleft(self._shelf.measure(seqs))
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
        gone = self.devices.take_over()
        devices = tuple(self.devices.known.values())
        birth = messages.NodeBirth(
            self._session.bd_seq,
            self._link.epoch,
            in_flight,
            messages.config_hash(devices),
            transmit=self.mode,
        )
        status = None if self.telling is None else self.telling.status(full=True)
        self._publish(Kind.NBIRTH, messages.node_birth(birth, timestamp_ms=self._now_ms(), status=status))
        self._session = self._session.born()
        if self.telling is not None and status is not None:
            self.telling.told(status)
        for device in devices:
            self._send_device_birth(device)
        for device in gone:  # born for the last time, so that the host believes the death
            self._send_device_birth(device)
            died = messages.device_death(seq=self._next_seq(), timestamp_ms=self._now_ms())
            self._publish(Kind.DDEATH, died, device.machine)

    def _send_device_birth(self, device: Device) -> None:
        payload = messages.device_birth(device, seq=self._next_seq(), timestamp_ms=self._now_ms())
        self._publish(Kind.DBIRTH, payload, device.machine)

    def _send_frame(self, effect: ev.SendFrame) -> None:
        """A new message with a new seq, written from the stored fields at this moment."""
        try:
            found = self._outbox.load(effect.seq)
            if found is None:
                self._forget(effect.seq)
                return
            frame_id, frame = found
            if frame.machine not in self.devices.known:  # a backlog of a machine that has left agent.toml
                self.devices.known[frame.machine] = device_of(frame)
                self._send_device_birth(self.devices.known[frame.machine])
            session, seq = self._session.sent()
            pieces = messages.frame_pieces(
                frame,
                frame_id,
                seq=seq,
                timestamp_ms=self._now_ms(),
                historical=effect.historical,
                compress=self.compress,
            )
        except FrameError as error:
            log.error("frame %d is given up: %s", effect.seq, error)
            self._outbox.give_up(FrameId(self._outbox.edge, self._link.epoch, effect.seq), "unreadable")
            self._forget(effect.seq)
            return
        connection, topic = self._connection, self._topic(Kind.DDATA, frame.machine)
        if connection is not None and not connection.takes(topic, pieces):
            self.too_large.add(effect.seq)
            self._forget(effect.seq)
            return
        self._session = session
        self.counters.sent[effect.cause] += 1
        if connection is not None:
            connection.publish_frame(topic, pieces)

    def _forget(self, seq: int) -> None:
        """What was to be sent is not there to be sent."""
        self._todo.extend((ev.FramesDropped(self._link.epoch, ((seq, seq),)), ev.Written(1)))

    def _send_ledger(self) -> None:
        self._report(messages.ledger_payload, self._outbox.report())

    def _report(self, payload_of: Callable[..., bytes], what: object) -> None:
        """One NDATA."""
        told = payload_of(what, seq=self._next_seq(), timestamp_ms=self._now_ms())
        self._publish(Kind.NDATA, told)

    def _next_seq(self) -> int:
        self._session, seq = self._session.sent()
        return seq

    def _publish(self, kind: Kind, payload: bytes, device: str | None = None, *, qos: int = 0) -> None:
        if self._connection is not None:
            self._connection.publish(self._topic(kind, device), payload, qos=qos)

    def _topic(self, kind: Kind, device: str | None = None) -> str:
        return str(Topic(self._settings.site, kind, self._settings.node, device))

    def _now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000

    def _note(self, detail: str) -> None:
        """Log a change of what people should know; not the same sentence again and again."""
        if detail != self.detail:
            self.detail = detail
            log.info("%s", detail)
