"""Asks the ingest something for a person: a command over the broker, and the reply that comes back.

site = "khouribga"           # operator.toml; the environment (PALIER_OPERATOR_...) wins over it
user = "h.alami"

[broker]
host = "broker.example.org"
port = 8883
tls_ca = "ca.crt"
username = "operator"
password_file = "operator"
"""

from __future__ import annotations

import getpass
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from pydantic import AfterValidator, Field
from pydantic_settings import SettingsConfigDict

from .frames import check_name
from .operations import Command, Reply
from .settings import BrokerSettings, ServiceSettings
from .tls import client_context, hung_up, why_not
from .wire.operations import command_topic, decode_reply, encode_command, reply_topic
from .wire.payload import DecodeError

if TYPE_CHECKING:
    from paho.mqtt.reasoncodes import ReasonCode

RESEND_S: Final = 3.0
"""Without a reply the command is sent again: by its id the ingest knows that it is the same."""


def _name(text: str) -> str:
    check_name(text)
    return text


class OperatorSettings(ServiceSettings):
    """Who asks, of which site, over which broker."""

    model_config = SettingsConfigDict(env_prefix="PALIER_OPERATOR_")

    site: Annotated[str, AfterValidator(_name)]
    user: str = Field(default_factory=getpass.getuser, min_length=1)
    broker: BrokerSettings = BrokerSettings()
    answer_s: float = Field(default=10.0, gt=0, le=600, description="how long a reply is waited for")


@dataclass(frozen=True, slots=True)
class Way:
    """How a command reaches the ingest of a site: what `ask` needs of `OperatorSettings`, for a program that
    has the broker in settings of its own."""

    site: str
    broker: BrokerSettings
    answer_s: float = 10.0


class AskError(Exception):
    """No reply came: the sentence says what to look at."""


def ask(settings: OperatorSettings | Way, command: Command) -> Reply:
    """The ingest's reply to a command.

    Raises DecodeError for a command that no host would take, ConfigError for a password file that can't be
    read, AskError where no reply came.
    """
    payload = encode_command(command)
    with _Line(settings, reply_topic(settings.site, command.id)) as line:
        return line.ask(payload)


class _Line:
    """One connection, for one reply."""

    def __init__(self, settings: OperatorSettings | Way, answered_on: str) -> None:
        self._settings = settings
        self._answered_on = answered_on
        self._changed = threading.Condition()
        self._accepted = False
        self._listening = False
        self._refusal = ""
        self._reply: Reply | None = None
        # 3.1.1 is spoken by every broker, also by the embedded one.
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect

    def __enter__(self) -> _Line:
        broker = self._settings.broker
        if broker.username is not None:
            self._client.username_pw_set(broker.username, broker.password_text())
        try:
            if broker.tls_ca is not None:
                self._client.tls_set_context(client_context(broker.tls_ca))
            self._client.connect(broker.host, broker.port)
        except OSError as error:
            raise AskError(
                f"the broker at {broker.host}:{broker.port} can't be reached: {why_not(error, broker)}; see "
                "[broker], and `palier doctor --broker`"
            ) from error
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def ask(self, payload: bytes) -> Reply:
        """Send until a reply comes. Raises AskError."""
        end_s = time.monotonic() + self._settings.answer_s
        with self._changed:
            self._wait(lambda: self._listening, end_s)
            while self._reply is None:
                self._refuse_late(end_s)
                self._client.publish(command_topic(self._settings.site), payload, qos=1)
                self._wait(lambda: self._reply is not None, min(end_s, time.monotonic() + RESEND_S))
            return self._reply

    def _wait(self, awaited: Callable[[], bool], end_s: float) -> None:
        self._changed.wait_for(
            lambda: awaited() or bool(self._refusal), timeout=max(0.0, end_s - time.monotonic())
        )
        if self._refusal:
            raise AskError(self._refusal)

    def _refuse_late(self, end_s: float) -> None:
        if time.monotonic() < end_s and self._listening:
            return
        site, broker = self._settings.site, self._settings.broker
        raise AskError(
            f"no reply within {self._settings.answer_s:g} s. Check that the ingest of site {site!r} runs and "
            f"is connected to {broker.host}:{broker.port}, that plant.toml spells the site so, and that the "
            f"account {broker.username or '(none)'!r} may write {command_topic(site)}. "
            "It may have been done nevertheless: look at what is now before you ask again"
        )

    def _on_connect(self, client: Client, _data: Any, _flags: Any, reason: ReasonCode, _more: Any) -> None:
        if reason.is_failure:
            broker = self._settings.broker
            self._tell(
                f"the broker at {broker.host}:{broker.port} refuses the account "
                f"{broker.username or '(none)'!r}: {reason}; check username and password_file in [broker]"
            )
        else:
            self._accepted = True
            client.subscribe(self._answered_on, qos=1)

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: Any, reason: ReasonCode, _more: Any
    ) -> None:
        if reason.is_failure and not self._accepted:
            self._tell(f"{hung_up(self._settings.broker)} ({self._settings.broker.host})")

    def _on_subscribe(
        self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _more: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._tell(
                f"the broker does not let this account read {self._answered_on}: use an operator's account"
            )
            return
        with self._changed:
            self._listening = True
            self._changed.notify_all()

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            reply = decode_reply(bytes(message.payload))
        except DecodeError:
            return  # not the ingest's: wait on
        with self._changed:
            self._reply = reply
            self._changed.notify_all()

    def _tell(self, refusal: str) -> None:
        with self._changed:
            self._refusal = self._refusal or refusal  # the first says why, what follows from it does not
            self._changed.notify_all()
