"""A host that decides people's commands as the ingest does, against a real broker."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from ingest.alarm_commands import decide
from ingest.alarm_desk import Desk
from palier.operations import Command, Outcome, Reply
from palier.wire.operations import command_topic, decode_command, encode_reply, readable_id, reply_topic
from palier.wire.payload import DecodeError
from tests.support.alarms import PLANT, SITE


class FakeAlarmHost:
    """A context manager. `desk` is what it decides upon; `deaf` lets so many commands go unanswered."""

    def __init__(self, port: int, desk: Desk, now_ns: int) -> None:
        self.desk = desk
        self.commands: list[Command] = []
        self.deaf = 0
        self._now_ns = now_ns
        self._port = port
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe(command_topic(SITE), qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message

    def __enter__(self) -> FakeAlarmHost:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        assert self._subscribed.wait(60), "the fake host was not subscribed"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        data = bytes(message.payload)
        try:
            command = decode_command(data)
        except DecodeError as error:
            if (command_id := readable_id(data)) is not None:
                self._say(Reply(command_id, Outcome.REFUSED, "malformed", {"sentence": str(error)}))
            return
        self.commands.append(command)
        if self.deaf:
            self.deaf -= 1
            return
        decision = decide(self.desk, command, PLANT, self._now_ns)
        self.desk = decision.desk
        self._say(decision.reply)

    def _say(self, reply: Reply) -> None:
        self._client.publish(reply_topic(SITE, reply.id), encode_reply(reply), qos=1)
