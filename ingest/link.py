"""The Sparkplug host application's connection to the broker. A thread of its own; it only moves bytes.

Rules (Sparkplug 3.0, host application):
1. CONNECT carries the will STATE offline (QoS 1, retained) with a timestamp Tc, drawn anew for every
   CONNECT and strictly rising, also when the clock steps back.
2. Subscribe to the own STATE topic and the groups, wait for SUBACK, then publish STATE online with the same
   Tc. Only now do gateways send (tck-id-host-topic-phid-birth-message).
3. The own STATE seen offline while connected is a late will of an earlier connection: publish online again,
   with the *same* Tc. A fresh one would outrank this connection's own will, and no gateway would believe
   our next death.
4. Each connection has a client of its own: what an earlier one still reports is ignored.
5. The network loop is ours (the client's external-loop interface): an error ends a connection, never
   silently a thread."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from palier.settings import BrokerSettings
from palier.tls import client_context, hung_up, why_not
from palier.wire.payload import DecodeError
from palier.wire.state import HostState, decode_state, encode_state
from palier.wire.topics import foreign_group_filter, state_topic

from .buffered import BufferedClient
from .inbox import Inbox
from .rival import Rival

KEEPALIVE_S: Final = 10  # a half-open connection is noticed after 1.5-2 times this
HANDSHAKE_S: Final = 5.0  # CONNACK and SUBACK; a broker that ignores MQTT 5 answers nothing at all
BACKOFF_S: Final = (0.2, 2.0)  # first and longest pause between connections; jitter comes on top
DROPPED_TOPIC: Final = "$SYS/broker/publish/messages/dropped"
"""Where Mosquitto counts messages that found no room in a client's queue (mosquitto(8), broker status)."""

MAX_DIGITS: Final = 18  # of a count that can be one
POLL_S: Final = 0.5  # how often the loop looks at timers when nothing arrives

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """What the link knows of itself. `online` is true once STATE online was handed to the broker; `rival`
    where another ingest uses the same host_id, None as long as nothing tells.
    """

    online: bool = False
    generation: int = 0
    detail: str = "not connected yet"
    rival: bool | None = None


@dataclass(slots=True)
class _Connection:
    """One CONNECT: its client, its Tc and what became of it."""

    client: Client
    generation: int
    connected_ms: int  # Tc
    ended: str = ""  # why, once it is known
    deadline_s: float = 0.0  # of the handshake
    acknowledged: bool = False  # CONNACK with success came
    online: bool = False
    refused_for_identity: bool = False
    thrown_out: bool = False  # the broker said that another connection took this one over
    subscriptions: list[str] = field(default_factory=list)


class HostLink:
    """Keeps the host online at the broker and puts what arrives into the inbox. `start`, then `stop`."""

    def __init__(
        self,
        host_id: str,
        groups: tuple[str, ...],
        broker: BrokerSettings,
        inbox: Inbox,
        *,
        wall_ms: Callable[[], int],
        monotonic_s: Callable[[], float],
        jitter: Callable[[], float],
        asked: Mapping[str, Callable[[bytes], None]] | None = None,
        broker_dropped: Callable[[int], object] | None = None,
    ) -> None:
        """`jitter` draws from [0, 1): it spreads the reconnections of several services. `asked` are topics
        beside Sparkplug's, heard at QoS 1, and who takes what is written there; never what is retained.
        `broker_dropped` hears the broker's own count of messages that it threw away, where it has one and the
        account may read it.
        """
        self.host_id = host_id
        self.groups = groups
        self.status = LinkStatus()
        self.callback_errors = 0
        self.failure: BaseException | None = None
        self._broker = broker
        self._inbox = inbox
        self._asked = dict(asked or {})
        self._broker_dropped = broker_dropped
        self._wall_ms = wall_ms
        self._monotonic_s = monotonic_s
        self._jitter = jitter
        self._state_topic = state_topic(host_id)
        self._protocol = MQTTProtocolVersion.MQTTv5
        self._last_ms = 0  # the last Tc, or the latest one seen on our topic
        self._connection: _Connection | None = None
        self._rival = Rival()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest-link", daemon=True)
        self._wake_read, self._wake_write = socket.socketpair()

    def start(self) -> None:
        """Begin to connect, and to connect again whenever the connection ends."""
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._thread.start()

    def stop(self) -> None:
        """Say STATE offline, disconnect, and end the thread."""
        self._stop.set()
        self._wake()
        if self._thread.ident is not None:
            self._thread.join(timeout=2 * HANDSHAKE_S)
        self._wake_read.close()
        self._wake_write.close()

    @property
    def alive(self) -> bool:
        """Whether the thread still does its work; a dead one can't be revived: leave the process."""
        return self._thread.is_alive() and self.failure is None

    def publish(self, topic: str, payload: bytes, *, qos: int = 0) -> bool:
        """Hand a message to the connection; False when there is none, and nobody was told."""
        connection = self._connection
        if connection is None or not connection.online:
            return False
        sent = connection.client.publish(topic, payload, qos=qos).rc == MQTTErrorCode.MQTT_ERR_SUCCESS
        self._wake()
        return sent

    def _run(self) -> None:
        pause_s = BACKOFF_S[0]
        try:
            while not self._stop.is_set():
                went_online = self._connect_once()
                pause_s = BACKOFF_S[0] if went_online else min(2 * pause_s, BACKOFF_S[1])
                self._stop.wait(pause_s * (1 + self._jitter()))
        except BaseException as error:
            self.failure = error
            raise

    def _connect_once(self) -> bool:
        """One connection from CONNECT to its end. True when it came as far as online."""
        connection = self._open()
        try:
            self._present_ourselves(connection.client)
            connection.client.connect(self._broker.host, self._broker.port, keepalive=KEEPALIVE_S)
            connection.deadline_s = self._monotonic_s() + HANDSHAKE_S
            self._connection = connection
            self._serve(connection)
        except OSError as error:
            connection.ended = connection.ended or (
                f"{type(error).__name__}: {error}"
                if connection.acknowledged
                else f"the broker can't be reached: {why_not(error, self._broker)}"
            )
        except Exception as error:  # noqa: BLE001 - the client's parser may raise anything on a broker's odd answer
            self.callback_errors += 1
            connection.ended = f"{type(error).__name__}: {error}"
        finally:
            self._close(connection)
        return connection.online

    def _open(self) -> _Connection:
        self._last_ms = max(self._wall_ms(), self._last_ms + 1)
        self._rival.connecting(self._last_ms)
        client = BufferedClient(
            CallbackAPIVersion.VERSION2,
            client_id=f"palier-host-{self.host_id}",
            protocol=self._protocol,
            clean_session=None if self._protocol == MQTTProtocolVersion.MQTTv5 else True,
            reconnect_on_failure=False,
        )
        connection = _Connection(client, self.status.generation + 1, self._last_ms)
        client.will_set(self._state_topic, encode_state(HostState(False, self._last_ms)), qos=1, retain=True)
        client.on_connect = self._guard(connection, self._on_connect)
        client.on_subscribe = self._guard(connection, self._on_subscribe)
        client.on_message = self._guard(connection, self._on_message)
        client.on_disconnect = self._guard(connection, self._on_disconnect)
        client.on_socket_register_write = lambda *_: None  # tells the client that the loop is ours
        return connection

    def _present_ourselves(self, client: Client) -> None:
        """Credentials are read for each connection, so that they can be changed while we run."""
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._broker.password_text())
        if self._broker.tls_ca is not None:
            client.tls_set_context(client_context(self._broker.tls_ca))

    def _guard(self, connection: _Connection, callback: Callable[..., None]) -> Callable[..., None]:
        """The callback for one connection; what it raises is counted and never reaches the client."""

        def guarded(_client: Client, _userdata: Any, *args: Any) -> None:
            try:
                callback(connection, *args)
            except Exception as error:  # noqa: BLE001 - rule: nothing escapes a callback
                self.callback_errors += 1
                log.warning("link_callback_failed", callback=callback.__name__, error=repr(error))

        return guarded

    def _serve(self, connection: _Connection) -> None:
        client = connection.client
        while not connection.ended and (sock := client.socket()) is not None:
            if self._stop.is_set():
                self._say_goodbye(connection)
                return
            readable, writable, _ = select.select(
                (sock, self._wake_read), (sock,) if client.want_write() else (), (), POLL_S
            )
            if self._wake_read in readable:
                self._drain_wake()
            if sock in readable:
                self._read(client)
            if writable:
                client.loop_write()
            client.loop_misc()
            self._rival.turn(self._monotonic_s())
            if self.status.rival is not self._rival.there:
                detail = "alone again" if self.status.rival else self.status.detail
                self._set_status(connection, online=True, detail=detail)
            if not connection.online and self._monotonic_s() > connection.deadline_s:
                connection.ended = f"no answer to CONNECT or SUBSCRIBE within {HANDSHAKE_S:g} s"

    @staticmethod
    def _read(client: Client) -> None:
        """Read one packet, and all that was already read ahead: select knows nothing of that."""
        client.loop_read()
        while (sock := client.socket()) is not None and getattr(sock, "pending", int)() > 0:
            client.loop_read()

    def _say_goodbye(self, connection: _Connection) -> None:
        """STATE offline, then DISCONNECT: the will of a connection that ends well is never sent."""
        connection.ended = "stopped"
        client = connection.client
        if connection.online:
            offline = HostState(False, max(self._wall_ms(), connection.connected_ms))
            client.publish(self._state_topic, encode_state(offline), qos=1, retain=True)
        client.disconnect()
        deadline_s = self._monotonic_s() + 1.0
        while client.want_write() and client.socket() is not None and self._monotonic_s() < deadline_s:
            client.loop_write()

    def _close(self, connection: _Connection) -> None:
        self._connection = None
        reason = connection.ended or "the broker closed the connection"
        if not connection.acknowledged and not connection.refused_for_identity and connection.deadline_s:
            self._protocol = _other_protocol(self._protocol)
        had_one = self._rival.there
        self._rival.ended(self._monotonic_s(), thrown_out=connection.thrown_out)
        if self._rival.there and not had_one:
            log.error("host_id_taken", host_id=self.host_id, what=self._says_rival())
        self._set_status(connection, online=False, detail=reason)
        if (sock := connection.client.socket()) is not None:
            sock.close()

    def _on_connect(self, connection: _Connection, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            connection.refused_for_identity = reason.getName() != "Unsupported protocol version"
            connection.ended = f"the broker refused the connection: {reason}"
            return
        connection.acknowledged = True
        connection.deadline_s = self._monotonic_s() + HANDSHAKE_S
        groups = [(foreign_group_filter(group), 0) for group in self.groups]
        wanted = [(self._state_topic, 1), *groups, *((topic, 1) for topic in self._asked)]
        new = self._protocol == MQTTProtocolVersion.MQTTv5
        # Brokers that speak 3.1.1 alone are not Mosquitto, and rumqttd ends a connection that asks for $SYS.
        wanted += [(DROPPED_TOPIC, 0)] if self._broker_dropped is not None and new else []
        connection.subscriptions = [topic for topic, _ in wanted]
        if new:
            connection.client.subscribe([(topic, SubscribeOptions(qos=qos)) for topic, qos in wanted])
        else:
            connection.client.subscribe(wanted)

    def _on_subscribe(
        self, connection: _Connection, _mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        denied = [t for t, r in zip(connection.subscriptions, reasons, strict=True) if r.is_failure]
        refused = [topic for topic in denied if topic != DROPPED_TOPIC]  # not every broker counts
        if unheard := [topic for topic in refused if topic in self._asked]:
            log.warning("link_may_not_hear", topics=unheard, remedy="grant them to the ingest's account")
        if refused := [topic for topic in refused if topic not in unheard]:
            connection.ended = f"the broker refused the subscription to {', '.join(refused)}"
            return
        self._publish_online(connection)
        connection.online = True
        self._rival.online(self._monotonic_s())
        self._set_status(connection, online=True, detail=f"MQTT {'5' if self._protocol == 5 else '3.1.1'}")

    def _on_message(self, connection: _Connection, message: MQTTMessage) -> None:
        if message.topic == self._state_topic:
            self._on_own_state(connection, bytes(message.payload))
        elif message.topic == DROPPED_TOPIC:  # retained by the broker itself, and true as long as it runs
            self._on_dropped(bytes(message.payload))
        elif message.retain:  # Sparkplug data are never retained: an old one must not pass for a new one
            return
        elif (take := self._asked.get(message.topic)) is not None:
            take(bytes(message.payload))
        else:
            self._inbox.offer(message.topic, bytes(message.payload), self._monotonic_s())

    def _on_dropped(self, payload: bytes) -> None:
        text = payload.decode("ascii", "replace").strip()
        if self._broker_dropped is not None and text.isdecimal() and len(text) <= MAX_DIGITS:
            self._broker_dropped(int(text))

    def _on_own_state(self, connection: _Connection, payload: bytes) -> None:
        try:
            state = decode_state(payload)
        except DecodeError:
            self._publish_online(connection)
            return
        self._rival.saw(state.timestamp_ms)
        if state.timestamp_ms > connection.connected_ms:
            self._last_ms = max(self._last_ms, state.timestamp_ms)
            connection.ended = (
                "our STATE carries a later time than this connection: connecting again above it"
            )
        elif not state.online and not self._stop.is_set():
            self._publish_online(connection)

    def _on_disconnect(
        self, connection: _Connection, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        connection.thrown_out = reason.getName() == "Session taken over"
        said = f"disconnected: {reason}" if connection.acknowledged else hung_up(self._broker)
        connection.ended = connection.ended or said

    def _publish_online(self, connection: _Connection) -> None:
        online = encode_state(HostState(True, connection.connected_ms))
        connection.client.publish(self._state_topic, online, qos=1, retain=True)

    def _set_status(self, connection: _Connection, *, online: bool, detail: str) -> None:
        changed = online != self.status.online or (not online and detail != self.status.detail)
        rival = self._rival.there
        said = f"{self._says_rival()} ({detail})" if rival else detail
        self.status = LinkStatus(online, connection.generation, said, rival)
        if changed:
            log.info("link_online" if online else "link_offline", detail=detail)

    def _says_rival(self) -> str:
        return (
            f"another ingest is connected with the host_id {self.host_id!r}: stop one of the two, or give it "
            "a host_id of its own, with the agents that it serves"
        )

    def _wake(self) -> None:
        with suppress(OSError):  # already full of wake-ups, or closed: either way there is nothing to wake
            self._wake_write.send(b"\0")

    def _drain_wake(self) -> None:
        with suppress(BlockingIOError):
            while self._wake_read.recv(4096):
                pass


def _other_protocol(protocol: MQTTProtocolVersion) -> MQTTProtocolVersion:
    """A broker that can't speak MQTT 5 often closes or stays silent instead of saying so: try the other
    one.
    """
    if protocol == MQTTProtocolVersion.MQTTv5:
        return MQTTProtocolVersion.MQTTv311
    return MQTTProtocolVersion.MQTTv5
