"""What `palier ingest --check` tries. Each answers None when all is well, or a sentence with the remedy."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from palier.historian.base import HistorianError
from palier.historian.opening import HistorianSettings, open_influx
from palier.registry import Registry, RegistryError
from palier.settings import BrokerSettings
from palier.tls import client_context, hung_up, why_not

from .model_opening import loader_of
from .settings import ModelsSettings

ANSWER_S: Final = 5.0


def data_folder_works(path: Path) -> str | None:
    """Whether the data folder, or the nearest one above it that exists, can be written. Makes nothing."""
    nearest = next(p for p in (path, *path.resolve().parents) if p.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        return (
            f"{nearest} must be a folder that this user may write: choose another one, or change its rights"
        )
    return None


def historian_answers(settings: HistorianSettings) -> str | None:
    """Whether the InfluxDB of these settings lets our account read and write; None too where there is none.

    Nothing is written.
    Raises ConfigError when the file of the account can't be read.
    """
    if settings.url is None:
        return None
    try:
        with closing(open_influx(settings, settings.url)) as historian:
            historian.sites()
            if not historian.may_write():
                return "this account can only read; the ingest needs the writer's"
    except HistorianError as error:
        return str(error)
    return None


def models_are_there(settings: ModelsSettings) -> str | None:
    """Whether the registry of models can be read, and each of its journals; None too where there is none.

    Raises ConfigError when the public key can't be used.
    """
    if settings.folder is None:
        return None
    loader_of(settings)
    try:
        registry = Registry(settings.folder)
        problems = [str(problem) for name in registry.names() for problem in registry.line(name).problems]
    except RegistryError as error:
        return str(error)
    return "; ".join(problems) or None


def broker_answers(broker: BrokerSettings) -> str | None:
    """Whether the broker takes our connection, under a client id of its own: a running ingest is not
    disturbed.

    Raises ConfigError when the password file can't be read.
    """
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=f"palier-check-{os.getpid()}",
        protocol=MQTTProtocolVersion.MQTTv311,  # every broker speaks it
        reconnect_on_failure=False,
    )
    if broker.username is not None:
        client.username_pw_set(broker.username, broker.password_text())
    answers: list[ReasonCode] = []

    def on_connect(
        _client: Client, _userdata: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        answers.append(reason)

    client.on_connect = on_connect
    try:
        if broker.tls_ca is not None:
            client.tls_set_context(client_context(broker.tls_ca))
        client.connect(broker.host, broker.port)
        deadline_s = time.monotonic() + ANSWER_S
        while not answers and time.monotonic() < deadline_s and client.socket() is not None:
            client.loop(0.1)
        client.disconnect()
    except OSError as error:
        return why_not(error, broker)
    finally:
        if (sock := client.socket()) is not None:
            sock.close()
    if not answers and time.monotonic() < deadline_s:
        return hung_up(broker)
    if not answers:
        return f"it did not answer within {ANSWER_S:g} s: is something else listening there?"
    return f"it refused us: {answers[0]}; check username and password" if answers[0].is_failure else None
