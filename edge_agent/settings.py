"""The agent's settings: frozen values read strictly from agent.toml (standard library only).

A running agent may not import pydantic (memory of a small gateway), so these stand apart from the settings
of the other services, under the same key names.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from palier.clock import PlantClock
from palier.strict_toml import ConfigError, Mistake, Table, read_toml

DEFAULT_OUTBOX_MB: Final = 4096
"""A day of one 25 kB frame a second is 2.2 GB; a day and a half of outage fits, and so does an 8 GB card."""

SMALLEST_OUTBOX_MB: Final = 64  # sixteen frames of the largest size


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """Where the broker is and how to log in; the password stays in its file until it is needed."""

    host: str = "127.0.0.1"
    port: int = 1883
    username: str | None = None
    password_file: Path | None = None
    tls_ca: Path | None = None
    insecure: bool = False

    def password(self) -> str | None:
        """The password, None without a file. Raises ConfigError when the file can't be read."""
        if self.password_file is None:
            return None
        try:
            return self.password_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                self.password_file, (Mistake(None, f"the broker's password can't be read: {error}"),)
            ) from error


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """The plant clock; all services of a demo get the same values."""

    start_ns: int | None = None
    wall_start_ns: int | None = None
    rate: float = 1.0

    def plant_clock(self) -> PlantClock:
        """The clock these settings describe."""
        if self.wall_start_ns is None:
            return PlantClock(start_ns=self.start_ns, rate=self.rate)
        return PlantClock(start_ns=self.start_ns, rate=self.rate, wall_start_ns=self.wall_start_ns)


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """One [[source]]: its type is the name of an entry point, its own keys are the source's to judge."""

    type: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """What an agent runs by. `data` is the folder of the outbox; `health_port` 0 takes a free port."""

    site: str
    node: str
    data: Path
    host_id: str = "palier"
    broker: BrokerSettings = BrokerSettings()
    clock: ClockSettings = ClockSettings()
    health_port: int = 0
    outbox_mb: int = DEFAULT_OUTBOX_MB
    sources: tuple[SourceSettings, ...] = ()

    @property
    def edge(self) -> str:
        """The edge's part of a frame's identity, "site/node"."""
        return f"{self.site}/{self.node}"

    @property
    def doubts(self) -> tuple[str, ...]:
        """What may be meant so and is a mistake in most plants; a sentence each."""
        account = self.broker.username
        if account is None or account == self.node:
            return ()
        return (
            f"the account is {account} and the node {self.node}: the broker's access list lets an account "
            "write only topics of its own name, and all else is dropped without a word; give both one name",
        )


def load_settings(file: Path) -> AgentSettings:
    """Read agent.toml. Raises ConfigError with every mistake and its line. Paths are relative to the file."""
    document = read_toml(file)
    root, folder = document.root(), file.resolve().parent
    settings = AgentSettings(
        site=root.name("site"),
        node=root.name("node"),
        host_id=root.name("host_id") if "host_id" in root else "palier",
        data=folder / root.text("data"),
        broker=_broker(root.table("broker"), folder),
        clock=_clock(root.table("clock")),
        health_port=_port(root, "health_port", 0),
        outbox_mb=root.integer("outbox_mb", DEFAULT_OUTBOX_MB, low=SMALLEST_OUTBOX_MB),
        sources=tuple(_source(table, folder) for table in root.array("source")),
    )
    if not settings.sources:
        root.mistake(None, 'at least one [[source]] is needed, e.g. [[source]] with type = "replay"')
    document.refuse()
    return settings


def _broker(table: Table, folder: Path) -> BrokerSettings:
    host = table.text("host", "127.0.0.1")
    settings = BrokerSettings(
        host=host,
        port=_port(table, "port", 1883),
        username=table.text("username") if "username" in table else None,
        password_file=folder / table.text("password_file") if "password_file" in table else None,
        tls_ca=folder / table.text("tls_ca") if "tls_ca" in table else None,
        insecure=table.flag("insecure", False),
    )
    if not (is_loopback(host) or settings.tls_ca or settings.insecure):
        table.mistake(
            "host" if "host" in table else None,
            f"the broker {host!r} is not on this machine, so tls_ca must name its authority's certificate; "
            "insecure = true sends everything unencrypted",
        )
    return settings


def _clock(table: Table) -> ClockSettings:
    return ClockSettings(
        start_ns=table.integer("start_ns") if "start_ns" in table else None,
        wall_start_ns=table.integer("wall_start_ns") if "wall_start_ns" in table else None,
        rate=table.number("rate", 1.0, above=0) or 1.0,
    )


def _source(table: Table, folder: Path) -> SourceSettings:
    """The type and the source's own keys; a text under `file` or `..._file` is relative to `folder`."""
    kind = table.text("type")
    table.document.tables.remove(table)  # its other keys are the source's to judge
    options = {key: value for key, value in table.data.items() if key != "type"}
    for key, value in options.items():
        if isinstance(value, str) and (key == "file" or key.endswith("_file")):
            options[key] = str(folder / value)
    return SourceSettings(kind, options)


def _port(table: Table, key: str, default: int) -> int:
    port = table.integer(key, default, low=0)
    if port > 65535:
        table.mistake(key, f"{key} must be at most 65535, got {port}")
    return port


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by name or address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def settings_text(settings: AgentSettings) -> str:
    """The settings in force as TOML: what `--print-config` prints. No secret, only the names of files."""
    broker, clock = settings.broker, settings.clock
    top = {
        "site": settings.site,
        "node": settings.node,
        "host_id": settings.host_id,
        "data": settings.data,
        "health_port": settings.health_port,
        "outbox_mb": settings.outbox_mb,
    }
    lines = _toml(top)
    lines += ["", "[broker]", *_toml({name: getattr(broker, name) for name in BrokerSettings.__slots__})]
    lines += ["", "[clock]", *_toml({name: getattr(clock, name) for name in ClockSettings.__slots__})]
    for source in settings.sources:
        lines += ["", "[[source]]", *_toml({"type": source.type, **source.options})]
    return "\n".join(lines)


def _toml(values: Mapping[str, object]) -> list[str]:
    return [f"{key} = {_toml_value(value)}" for key, value in values.items() if value is not None]


def _toml_value(value: object) -> str:
    """JSON and TOML write flags, numbers, texts and lists alike; tables become inline tables."""
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"{json.dumps(key)} = {_toml_value(item)}" for key, item in value.items()) + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return json.dumps(str(value), ensure_ascii=False)
