"""Somebody who asks the ingest, by the command line as a process, or by a message of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.waiting import eventually


def palier(port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`palier ARGUMENTS` as a process, of an operator of the site "usine" at the broker on that port."""
    environment = os.environ | {
        "PALIER_OPERATOR_SITE": "usine",
        "PALIER_OPERATOR_USER": "h.alami",
        "PALIER_OPERATOR_BROKER__PORT": str(port),
    }
    return subprocess.run(
        [sys.executable, "-P", "-m", "palier", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


class Asker:
    """Writes any bytes as a command, and remembers the replies."""

    def __init__(self, client: Client) -> None:
        self.replies: list[dict[str, Any]] = []
        self._client = client

    def write(self, told: object, *, retain: bool = False) -> None:
        """One message on the topic of commands: JSON, or bytes as they are."""
        data = told if isinstance(told, bytes) else json.dumps(told).encode()
        self._client.publish("palier/v1/usine/command", data, qos=1, retain=retain).wait_for_publish(30)

    def ask(self, told: object) -> dict[str, Any]:
        """The reply to this command."""
        n = len(self.replies)
        self.write(told)
        eventually(lambda: len(self.replies) > n, 30, "a reply")
        return self.replies[n]


@contextmanager
def asking(port: int) -> Iterator[Asker]:
    """Somebody at the broker on that port who hears all replies."""
    client = Client(CallbackAPIVersion.VERSION2, client_id="asker")
    asker, listening = Asker(client), threading.Event()

    def heard(_client: Client, _data: Any, message: MQTTMessage) -> None:
        asker.replies.append(json.loads(message.payload))

    client.on_message = heard
    client.on_connect = lambda c, *_: c.subscribe("palier/v1/usine/reply/#", qos=1)
    client.on_subscribe = lambda *_: listening.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        assert listening.wait(60)
        yield asker
    finally:
        client.disconnect()
        client.loop_stop()
