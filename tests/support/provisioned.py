"""A mosquitto that runs with what `palier provision` made, and clients that tell what it let them do."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from palier.provision.layout import ACL, AUTHORITY_CERTIFICATE, PASSWORDS, SERVER_CERTIFICATE, SERVER_KEY
from tests.support.services import answers, free_port, mosquitto_path
from tests.support.waiting import eventually


@dataclass
class ProvisionedBroker:
    """TLS on loopback only, accounts and access list of `folder`; `extra` may stand in for either file."""

    folder: Path
    port: int
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def ca(self) -> Path:
        return self.folder / AUTHORITY_CERTIFICATE

    def reload(self) -> None:
        """SIGHUP, and wait until it has read its files again."""
        before = self._reloads()
        self.process.send_signal(signal.SIGHUP)
        eventually(lambda: self._reloads() > before, 60, "mosquitto's reload")

    def _reloads(self) -> int:
        return self.log.read_text().count("Reloading config")


@contextmanager
def provisioned_broker(
    folder: Path, workspace: Path, *, acl: Path | None = None, passwords: Path | None = None
) -> Iterator[ProvisionedBroker]:
    """A broker on what is in `folder`; the other access list or passwords in its place where given."""
    port, log, conf = free_port(), workspace / "mosquitto.log", workspace / "mosquitto.conf"
    conf.write_text(
        f"listener {port} 127.0.0.1\n"
        f"certfile {folder / SERVER_CERTIFICATE}\n"
        f"keyfile {folder / SERVER_KEY}\n"
        "tls_version tlsv1.2\n"
        "allow_anonymous false\n"
        f"password_file {passwords or folder / PASSWORDS}\n"
        f"acl_file {acl or folder / ACL}\n"
        "sys_interval 1\n"
        f"log_dest file {log}\n"
        + ("user root\n" if os.geteuid() == 0 else "")  # `mosquitto` can't read a 0700 folder of root's
    )
    process = subprocess.Popen([mosquitto_path(), "-c", conf], stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: answers(port), 60, f"mosquitto on port {port}")
        yield ProvisionedBroker(folder, port, log, process)
    finally:
        process.kill()
        process.wait()


@dataclass
class Account:
    """One account's connection; `heard` is what the broker delivered."""

    client: Client
    refusal: ReasonCode | None = None
    connected: bool = False
    server_keepalive: int | None = None
    subscribed: bool = False
    heard: list[str] = field(default_factory=list)
    acks: dict[int, ReasonCode] = field(default_factory=dict)

    def may_publish(self, topics: Iterable[str]) -> set[str]:
        """The topics that the broker did not refuse (MQTT 5 tells; 3.1.1 drops without a word)."""
        sent = {self.client.publish(topic, b"x", qos=1).mid: topic for topic in topics}
        eventually(lambda: self.acks.keys() >= sent.keys(), 60, "every PUBACK")
        return {topic for mid, topic in sent.items() if not self.acks[mid].is_failure}

    def subscribe(self, *topics: str, qos: int = 1) -> None:
        """Subscribe and wait for the answer: mosquitto grants it, and filters what it delivers."""
        self.subscribed = False
        self.client.subscribe([(topic, qos) for topic in topics])
        eventually(lambda: self.subscribed, 60, "SUBACK")


@contextmanager
def connected(
    broker: ProvisionedBroker,
    username: str | None,
    password: str | None,
    *,
    protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5,
    will: str | None = None,
    keepalive: int = 60,
    client_id: str = "",
) -> Iterator[Account]:
    """A connection; `refusal` is set where the broker did not want it."""
    client = Client(CallbackAPIVersion.VERSION2, client_id, protocol=protocol, reconnect_on_failure=False)
    account = Account(client)
    client.username_pw_set(username, password)
    client.tls_set(ca_certs=str(broker.ca))
    if will is not None:
        client.will_set(will, b"will", qos=1)
    client.on_connect = lambda *a: _on_connect(account, a[3], a[4])
    client.on_subscribe = lambda *_: setattr(account, "subscribed", True)
    client.on_message = lambda _c, _u, message: _on_message(account, message)
    client.on_publish = lambda _c, _u, mid, reason, _p: account.acks.__setitem__(mid, reason)
    with ExitStack() as stack:
        client.connect("localhost", broker.port, keepalive)
        stack.callback(_stop, client)
        client.loop_start()
        eventually(lambda: account.connected or account.refusal, 60, "CONNACK")
        yield account


def _on_connect(account: Account, reason: ReasonCode, properties: Any) -> None:
    account.server_keepalive = getattr(properties, "ServerKeepAlive", None)
    if reason.is_failure:
        account.refusal = reason
    account.connected = not reason.is_failure


def _on_message(account: Account, message: MQTTMessage) -> None:
    account.heard.append(message.topic)


def _stop(client: Any) -> None:
    client.disconnect()
    client.loop_stop()
    client._reset_sockets()  # its pair for waking up too, which it would leave to the garbage collector
