"""A broker of one's own on loopback: Debian's mosquitto where it is installed, else the one from PyPI."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from .extras import how_to_install
from .frames import MAX_FRAME_BYTES

BrokerKind = Literal["auto", "mosquitto", "iotcore"]
BROKER_KINDS: Final[tuple[BrokerKind, ...]] = ("auto", "mosquitto", "iotcore")

MESSAGE_LIMIT: Final = MAX_FRAME_BYTES + 64 * 1024
"""The largest frame, its topic and its header."""

MOSQUITTO: Final = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
set_tcp_nodelay true
max_packet_size {limit}
# A little above the credit that hosts give in all; 0 would be without bound.
max_queued_messages 1000
log_dest stdout
log_type error
log_type warning
log_type notice
"""

# Segments of 10 MB, ten of them: smaller ones lost messages of slow readers without a word, and the shipped
# 100 MB let its memory grow to a gigabyte. This listener speaks MQTT 3.1.1.
IOTCORE: Final = """\
id = 0

[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = 10485760
max_segment_count = 10

[v4.1]
name = "v4-1"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1

[v4.1.connections]
connection_timeout_ms = 60000
max_payload_size = {limit}
max_inflight_count = 100
dynamic_filters = true
"""

# Its own `Broker` would start a grandchild. It logs each packet it routes as an error unless told not to.
IOTCORE_MAIN: Final = """
import logging, sys
logging.getLogger("rumqttd").setLevel(logging.CRITICAL)
from iotcore.iotcore import IotCoreBroker
IotCoreBroker(config_path=sys.argv[1]).run_forever()
"""


class BrokerError(Exception):
    """There is no broker to start: the sentence says how to get one."""


@dataclass(frozen=True, slots=True)
class BrokerPlan:
    """How to start a broker: its name, its configuration (file name, text), and the command that takes it."""

    name: str
    file: str
    text: str
    command: Sequence[str]


def find_mosquitto() -> str | None:
    """The program mosquitto, on PATH or where Debian puts it, which is not on everyone's PATH."""
    return shutil.which("mosquitto", path=os.environ.get("PATH", os.defpath) + os.pathsep + "/usr/sbin")


def plan(kind: BrokerKind, port: int) -> BrokerPlan:
    """How to start a broker of that kind on `port` of loopback. Raises BrokerError when none is there."""
    mosquitto = None if kind == "iotcore" else find_mosquitto()
    if mosquitto:
        # As root it would become the user `mosquitto`: that undoes the death signal of children.py.
        user = "user root\n" if os.geteuid() == 0 else ""
        text = MOSQUITTO.format(port=port, limit=MESSAGE_LIMIT) + user
        return BrokerPlan("mosquitto", "mosquitto.conf", text, (mosquitto, "-c"))
    if kind != "mosquitto" and importlib.util.find_spec("iotcore"):
        text = IOTCORE.format(port=port, limit=MESSAGE_LIMIT)
        return BrokerPlan("iotcore", "iotcore.toml", text, (sys.executable, "-P", "-c", IOTCORE_MAIN))
    raise BrokerError(_remedy(kind))


def write(plan_: BrokerPlan, folder: Path) -> list[str]:
    """Write the configuration into `folder`; the command to run."""
    file = folder / plan_.file
    file.write_text(plan_.text, "utf-8")
    return [*plan_.command, str(file)]


def _remedy(kind: BrokerKind) -> str:
    wanted = {"auto": "no broker is", "mosquitto": "mosquitto is not", "iotcore": "iotcore is not"}[kind]
    ways = {"mosquitto": "apt install mosquitto", "iotcore": how_to_install("demo")}
    how = " or ".join(ways.values()) if kind == "auto" else ways[kind]
    return f"{wanted} installed: {how}"
