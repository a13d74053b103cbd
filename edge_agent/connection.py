"""One MQTT connection, from CONNECT to its end. A new one gets a new client: nothing of the old one is left.

The network loop is the caller's (paho's interface for external loops), so there is one thread and no lock:
callbacks only append to lists that `take_*` empties, and an error ends a connection, never silently a thread.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any, Final

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from palier.strict_toml import ConfigError
from palier.tls import client_context, hung_up, peer_ends, why_not

from .packet import PieceClient, Pieces
from .settings import BrokerSettings

KEEPALIVE_S: Final = 10  # a half-open connection is noticed after 1.5 to 2 times this
HANDSHAKE_S: Final = 5.0  # TCP, CONNACK, SUBACK; a broker that does not know MQTT 5 may answer nothing at all
HEADER_BYTES: Final = 16  # of a PUBLISH beside topic and payload: 10, and what a version may add
BY_OURSELVES: Final = "closed by ourselves"
MAX_ENDING_S: Final = 2.0  # what a clean end may take to write its last messages
_NOT_YET_VALID: Final = 9  # X509_V_ERR_CERT_NOT_YET_VALID
_ACCOUNT_REFUSED: Final = ("Not authorized", "Bad user name or password")


class ConnectionFailedError(Exception):
    """No connection; the sentence says why. `other_protocol`: the broker may speak the other MQTT version.

    `refused`: the broker is there and does not take us as we are.
    """

    def __init__(self, sentence: str, *, other_protocol: bool = False, refused: bool = False) -> None:
        super().__init__(sentence)
        self.other_protocol = other_protocol
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Message:
    """What arrived."""

    topic: str
    payload: bytes
    retained: bool


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says in our name when we are gone."""

    topic: str
    payload: bytes


class Connection:
    """`open`, then `wait` again and again; ends when `ended` holds a reason. Used by one thread only."""

    def __init__(
        self,
        broker: BrokerSettings,
        *,
        client_id: str,
        protocol: MQTTProtocolVersion,
        will: Will | None,
        subscriptions: tuple[str, ...],
        largest_taken: int | None = None,
    ) -> None:
        """`largest_taken`: bytes of a packet beyond which the broker keeps it (MQTT 5), or we hang up."""
        self.ended = ""
        self.largest: int | None = None  # bytes of a packet that the broker takes, where it says so
        self.expires_s: float | None = None  # when its certificate ends, s since 1970; None without TLS
        self._broker = broker
        self._protocol = protocol
        self._will = will
        self._subscriptions = subscriptions
        self._client_id = client_id
        self._largest_taken = largest_taken
        self._accepted = False
        self._subscribed = False
        self._refusal = ""
        self._messages: list[Message] = []
        self._written: list[int] = []
        self._counted: set[int] = set()
        self._client: PieceClient | None = None

    def open(self) -> None:
        """Connect and subscribe. Raises ConnectionFailedError."""
        client = self._make_client()
        self._client = client
        try:
            client.connect(
                self._broker.host, self._broker.port, keepalive=KEEPALIVE_S, properties=self._properties()
            )
        except (OSError, ssl.SSLError, ValueError) as error:
            raise _unreached(error, self._broker) from error
        if isinstance(sock := client.socket(), socket.socket):  # else the end of a frame waits a round trip
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        deadline = time.monotonic() + HANDSHAKE_S
        while not self._subscribed and not self.ended and time.monotonic() < deadline:
            self.wait(0.1)
        if self._subscribed and not self.ended:
            self.expires_s = _expires_s(client.socket())
            return
        reason = self._refusal or self.ended or f"no answer within {HANDSHAKE_S:g} s"
        # Unsaid, the reason may be the protocol: brokers that do not know MQTT 5 close, or stay silent.
        unsaid = not self._accepted and self._refusal in ("", "Unsupported protocol version")
        remedy = "; check username and password_file in [broker]" if self._refusal in _ACCOUNT_REFUSED else ""
        self.abandon()
        raise ConnectionFailedError(
            f"the broker did not accept the connection: {reason}{remedy}",
            other_protocol=unsaid,
            refused=bool(self._refusal) and not unsaid,
        )

    def wait(self, timeout_s: float, waker: Waker | None = None) -> None:
        """Move bytes until something happened or the time is over; notices the end of the connection."""
        client = self._client
        sock = client.socket() if client is not None else None
        if client is None or sock is None:
            self.ended = self.ended or "the connection is closed"
            return
        readers: list[Any] = [sock] if waker is None else [sock, waker]
        readable, writable, _ = select.select(readers, [sock] if client.want_write() else [], [], timeout_s)
        if waker is not None and waker in readable:
            waker.drain()
        if sock in readable:
            _read(client)
            self._hang_up_at_a_giant(client)
        if writable:
            client.loop_write()
        client.loop_misc()
        if client.socket() is None:
            self.ended = self.ended or "the connection was lost"

    def _properties(self) -> Properties | None:
        if self._largest_taken is None or self._protocol != MQTTProtocolVersion.MQTTv5:
            return None
        told = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        told.MaximumPacketSize = self._largest_taken
        return told

    def _hang_up_at_a_giant(self, client: Client) -> None:
        """paho keeps a packet until all of it is there: one of 256 MB would end the whole agent."""
        size = client._in_packet["remaining_length"]
        if self._largest_taken is not None and size > self._largest_taken:
            self.ended = (
                self.ended or f"a message of {size} bytes was on its way, {self._largest_taken} are taken"
            )

    def publish(self, topic: str, payload: bytes, *, qos: int = 0) -> None:
        """Queue a message for the socket."""
        if self._client is not None:
            self._client.publish(topic, payload, qos=qos)

    def publish_frame(self, topic: str, pieces: Pieces) -> None:
        """Queue a message of QoS 0 that shows up in `take_written` once it is written."""
        if self._client is not None:
            self._counted.add(self._client.publish_pieces(topic, pieces))

    def takes(self, topic: str, pieces: Pieces) -> bool:
        """Whether the broker takes a message so large; a larger one would end connection after connection."""
        size = len(topic) + sum(map(len, pieces)) + HEADER_BYTES
        return self.largest is None or size <= self.largest

    def take_messages(self) -> list[Message]:
        """What arrived since the last call."""
        messages, self._messages = self._messages, []
        return messages

    def take_written(self) -> int:
        """How many counted messages were completely written since the last call."""
        written, self._written = self._written, []
        done = self._counted.intersection(written)
        self._counted -= done
        return len(done)

    def close(self) -> None:
        """Write what is queued, say DISCONNECT (the broker then forgets the will), and close."""
        client = self._client
        if client is None:
            return
        self.ended = self.ended or BY_OURSELVES
        client.disconnect()
        deadline = time.monotonic() + MAX_ENDING_S
        while client.want_write() and client.socket() is not None and time.monotonic() < deadline:
            self.wait(0.1)
        self.abandon()

    def abandon(self) -> None:
        """Drop the socket without a word."""
        client, self._client = self._client, None
        if client is not None and (sock := client.socket()) is not None:
            client.on_disconnect = None
            sock.close()

    def _make_client(self) -> PieceClient:
        v5 = self._protocol == MQTTProtocolVersion.MQTTv5
        client = PieceClient(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=self._protocol,
            clean_session=None
            if v5
            else True,  # MQTT 5: clean start and session expiry 0 are what paho sends
            reconnect_on_failure=False,
        )
        client.connect_timeout = HANDSHAKE_S
        if self._will is not None:
            client.will_set(self._will.topic, self._will.payload, qos=1, retain=False)
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, _password(self._broker))
        _set_tls(client, self._broker)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = lambda _c, _u, mid, _r, _p: self._written.append(mid)
        client.on_disconnect = self._on_disconnect
        client.on_socket_register_write = lambda *_: None  # says that the loop is ours: publish only queues
        return client

    def _on_connect(
        self, client: Client, _data: Any, _flags: Any, reason: ReasonCode, properties: Any
    ) -> None:
        self.largest = getattr(properties, "MaximumPacketSize", None)
        if reason.is_failure:
            self._refusal = reason.getName()
            return
        self._accepted = True
        if self._protocol == MQTTProtocolVersion.MQTTv5:
            client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in self._subscriptions])
        else:
            client.subscribe([(topic, 1) for topic in self._subscriptions])

    def _on_subscribe(
        self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._refusal = f"it refused a subscription to {' or '.join(self._subscriptions)}"
            self.ended = self._refusal
        else:
            self._subscribed = True

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self._messages.append(Message(message.topic, bytes(message.payload), message.retain))

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        self.ended = self.ended or (str(reason) if self._accepted else hung_up(self._broker))


class Waker:
    """Lets another thread end a `Connection.wait` early."""

    def __init__(self) -> None:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)

    def fileno(self) -> int:
        """For select."""
        return self._read.fileno()

    def wake(self) -> None:
        """End the wait, now or the next one."""
        with contextlib.suppress(OSError):  # full of wake-ups, or closed: nothing to wake either way
            self._write.send(b"\0")

    def wait(self, timeout_s: float) -> None:
        """Wait without a connection."""
        select.select([self], [], [], timeout_s)
        self.drain()

    def drain(self) -> None:
        """Forget the wake-ups so far."""
        with contextlib.suppress(BlockingIOError):
            while self._read.recv(4096):
                pass

    def close(self) -> None:
        """Close both ends."""
        self._read.close()
        self._write.close()


def _read(client: Client) -> None:
    """Read one packet, and what TLS has decrypted already: select knows nothing of that."""
    client.loop_read()
    while (sock := client.socket()) is not None and getattr(sock, "pending", int)() > 0:
        client.loop_read()


def _unreached(error: Exception, broker: BrokerSettings) -> ConnectionFailedError:
    """A broker that does not answer, or one that is there and one of us does not trust the other."""
    early = isinstance(error, ssl.SSLCertVerificationError) and error.verify_code == _NOT_YET_VALID
    refused = isinstance(error, ssl.SSLError) and not early  # a clock comes right without a human
    return ConnectionFailedError(f"the broker can't be reached: {why_not(error, broker)}", refused=refused)


def _password(broker: BrokerSettings) -> str | None:
    try:
        return broker.password()
    except ConfigError as error:
        raise ConnectionFailedError(str(error)) from error


def _expires_s(sock: object) -> float | None:
    """When the certificate of the other end, or of its authority, is no longer valid."""
    ends = peer_ends(sock)
    return None if ends is None else ends.timestamp()


def _set_tls(client: Client, broker: BrokerSettings) -> None:
    if broker.tls_ca is None:
        return
    try:
        client.tls_set_context(client_context(broker.tls_ca))
    except OSError as error:
        raise ConnectionFailedError(f"the broker can't be reached: {why_not(error, broker)}") from error
