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
from palier.source import Device
from palier.wire import messages
from palier.wire.payload import DecodeError, Payload, decode
from palier.wire.state import decode_state
from palier.wire.topics import Kind, state_topic

from . import events as ev
from .backoff import FIRST_PAUSE_S, STEADY_S, next_pause_s
from .connection import BY_OURSELVES, Connection, ConnectionFailedError, Message, Waker
from .counters import Counters
from .host_word import HostWord
from .link_outbox import LinkOutbox
from .machine import begin, step
from .orders import read_events
from .outbox import Outbox
from .protocols import VERSIONS, other
from .replays import Replays
from .settings import AgentSettings
from .speaking import Speaker
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
        self._settings = settings
        self._outbox = outbox
        self._monotonic_s = monotonic_s
        self._jitter = jitter
        self.speaker = Speaker(settings, devices, clock)
        pending = outbox.pending()  # before its epoch is asked: a damage found here makes a new one
        self._link = begin(outbox.epoch, outbox.last_seq, pending, outbox.sure)
        self._was_accepted = False
        self._was_refused = False
        self._was_lost = False
        self._protocol = MQTTProtocolVersion.MQTTv5
        self._shelf = LinkOutbox(outbox, clock, monotonic_s, self.counters)
        self.replays = Replays(outbox, clock.now_ns)
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
            connection = self.speaker.connection = self._connect()
            self._was_accepted = True
            self.counters.broker_expires_s = connection.expires_s
            self._serve(connection)
        except ConnectionFailedError as error:
            self._was_refused = error.refused
            if error.other_protocol:
                self._protocol = other(self._protocol)
            self._note(str(error))
        except Exception:
            self.counters.errors += 1
            log.exception("unexpected error on the link; connecting again")
        finally:
            ended, self.speaker.connection = self.speaker.connection, None
            if ended is not None:
                ended.abandon()
            self._todo.appendleft(ev.Disconnected())  # before what an error left undone: it can't be sent
            self._feed()

    def _connect(self) -> Connection:
        connection = Connection(
            self._settings.broker,
            client_id=f"palier-{self._settings.site}-{self._settings.node}",
            protocol=self._protocol,
            will=self.speaker.next_will(self._shelf.next_bd_seq),
            subscriptions=(self.speaker.topic(Kind.NCMD), state_topic(self._settings.host_id)),
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
            if self._link.phase is Phase.OPEN:
                self.speaker.status()
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
            self.speaker.report(messages.replayed_payload, answer)

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
                self.speaker.births(self._link.epoch, in_flight)
            case ev.SendLedger():
                self.speaker.report(messages.ledger_payload, self._outbox.report())
            case ev.SendDeath():
                self.speaker.death()
            case ev.Disconnect():
                if self.speaker.connection is not None:
                    self.speaker.connection.close()

    def _send_frame(self, effect: ev.SendFrame) -> None:
        try:
            found = self._outbox.load(effect.seq)
            if found is None:
                self._forget(effect.seq)
                return
            frame_id, frame = found
            said = self.speaker.frame(frame, frame_id, historical=effect.historical)
        except FrameError as error:
            log.error("frame %d is given up: %s", effect.seq, error)
            self._outbox.give_up(FrameId(self._outbox.edge, self._link.epoch, effect.seq), "unreadable")
            self._forget(effect.seq)
            return
        if said:
            self.counters.sent[effect.cause] += 1
        else:
            self.too_large.add(effect.seq)
            self._forget(effect.seq)

    def _forget(self, seq: int) -> None:
        """What was to be sent is not there to be sent."""
        self._todo.extend((ev.FramesDropped(self._link.epoch, ((seq, seq),)), ev.Written(1)))

    def _note(self, detail: str) -> None:
        """Log a change of what people should know; not the same sentence again and again."""
        if detail != self.detail:
            self.detail = detail
            log.info("%s", detail)
