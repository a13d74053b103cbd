"""The agent's settings: frozen values read strictly from agent.toml (standard library only).

A running agent may not import pydantic (memory of a small gateway), so these stand apart from the settings
of the other services, under the same key names.
"""

from __future__ import annotations

import ipaddress
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from palier.clock import PlantClock
from palier.frames import FrameError, split_channel
from palier.secret_files import open_to_all
from palier.strict_toml import ConfigError, Document, Mistake, Table, read_toml
from palier.toml_text import HIDDEN, is_secret

from .modes import Mode
from .process_values import DEFAULT_AGE_S, Attachment
from .transmit_settings import TransmitSettings, read_mode, read_transmit
from .trial import TRIAL_S

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
class ConfigurationSettings:
    """Who may configure this gateway from afar: whose public key signs. None: nobody. `trial_s` is how long
    what was sent must prove itself.
    """

    key_file: Path | None = None
    trial_s: float = TRIAL_S


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """One [[source]]: its type is the name of an entry point, its own keys are the source's to judge.

    `timeout_s` is how long it may give nothing before it counts as hanging; None: the agent finds out.
    """

    type: str
    options: Mapping[str, object] = field(default_factory=dict, repr=False)  # they may hold a secret
    name: str = ""  # for people: its type, numbered where there are several of one
    timeout_s: float | None = None
    mode: Mode | None = None  # None: the gateway's

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.type)


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
    attachments: tuple[Attachment, ...] = ()
    configuration: ConfigurationSettings = ConfigurationSettings()
    transmit: TransmitSettings = field(default_factory=TransmitSettings)

    @property
    def mode(self) -> Mode:
        """What the gateway sends; where sources differ, as the one that keeps most back."""
        modes = {one.mode or self.transmit.mode for one in self.sources}
        return max(modes, key=tuple(Mode).index, default=self.transmit.mode)

    @property
    def edge(self) -> str:
        """The edge's part of a frame's identity, "site/node"."""
        return f"{self.site}/{self.node}"

    @property
    def doubts(self) -> tuple[str, ...]:
        """What may be meant so and is a mistake in most plants; a sentence each."""
        account, file = self.broker.username, self.broker.password_file
        found = []
        if account is not None and account != self.node:
            found.append(
                f"the account is {account} and the node {self.node}: the broker's access list lets an "
                "account write only topics of its own name, and all else is dropped without a word; give "
                "both one name"
            )
        if file is not None and (warning := open_to_all(file)):
            found.append(warning)
        return tuple(found)


def load_settings(file: Path, *, insecure: bool = False) -> AgentSettings:
    """Read agent.toml. Raises ConfigError with every mistake and its line. Paths are relative to the file.

    `insecure` is what `--insecure` says: as `insecure = true` in [broker].
    """
    return read_settings(read_toml(file), file.resolve().parent, insecure=insecure)


def read_settings(document: Document, folder: Path, *, insecure: bool = False) -> AgentSettings:
    """The settings in a document; paths in it are relative to `folder`. Raises ConfigError.

    A key that is new here stands in LOCAL_KEYS or REMOTE_KEYS of `remote_settings.py`.
    """
    root = document.root()
    settings = AgentSettings(
        site=root.name("site"),
        node=root.name("node"),
        host_id=root.name("host_id") if "host_id" in root else "palier",
        data=folder / root.text("data"),
        broker=_broker(root.table("broker"), folder, insecure),
        clock=_clock(root.table("clock")),
        health_port=_port(root, "health_port", 0),
        outbox_mb=root.integer("outbox_mb", DEFAULT_OUTBOX_MB, low=SMALLEST_OUTBOX_MB),
        sources=_named([_source(table, folder) for table in root.array("source")]),
        attachments=_attachments(root.array("attach")),
        configuration=_configuration(root.table("configuration"), folder),
        transmit=read_transmit(root.table("transmit")),
    )
    if not settings.sources:
        root.mistake(None, 'at least one [[source]] is needed, e.g. [[source]] with type = "replay"')
    document.refuse()
    return settings


def read_sources(document: Document, folder: Path) -> tuple[SourceSettings, ...]:
    """The sources alone, as far as they name a type: to look at them where the rest of the file is wrong."""
    named = _named([_source(table, folder) for table in document.root().array("source")])
    return tuple(one for one in named if one.type)


def _broker(table: Table, folder: Path, insecure: bool) -> BrokerSettings:
    host = table.text("host", "127.0.0.1")
    settings = BrokerSettings(
        host=host,
        port=_port(table, "port", 1883),
        username=table.text("username") if "username" in table else None,
        password_file=folder / table.text("password_file") if "password_file" in table else None,
        tls_ca=folder / table.text("tls_ca") if "tls_ca" in table else None,
        insecure=table.flag("insecure", False) or insecure,
    )
    if not (is_loopback(host) or settings.insecure):
        _must_be_secure(table, settings)
    return settings


def _must_be_secure(table: Table, settings: BrokerSettings) -> None:
    """Outside this machine: encrypted, the broker proven by its certificate, ourselves by an account."""
    where = "host" if "host" in table else None
    if settings.tls_ca is None:
        table.mistake(
            where,
            f"the broker {settings.host!r} is not on this machine, so tls_ca must name its authority's "
            "certificate; insecure = true sends everything unencrypted",
        )
    if settings.username is None or settings.password_file is None:
        table.mistake(
            where,
            f"the broker {settings.host!r} is not on this machine, so username and password_file must name "
            "this gateway's account (`palier provision` makes it); insecure = true does without",
        )


def _clock(table: Table) -> ClockSettings:
    return ClockSettings(
        start_ns=table.integer("start_ns") if "start_ns" in table else None,
        wall_start_ns=table.integer("wall_start_ns") if "wall_start_ns" in table else None,
        rate=table.number("rate", 1.0, above=0) or 1.0,
    )


def _configuration(table: Table, folder: Path) -> ConfigurationSettings:
    trial_s = table.number("trial_s", TRIAL_S, above=0)
    return ConfigurationSettings(
        key_file=folder / table.text("key_file") if "key_file" in table else None,
        trial_s=trial_s or TRIAL_S,
    )


def _source(table: Table, folder: Path) -> SourceSettings:
    """The type and the source's own keys; a text under `file` or `..._file` is relative to `folder`."""
    kind = table.text("type")
    timeout_s = table.number("timeout_s", 0.0, above=0) if "timeout_s" in table else None
    mode = read_mode(table)
    table.document.tables.remove(table)  # its other keys are the source's to judge
    options = {key: value for key, value in table.data.items() if key not in ("type", "timeout_s", "mode")}
    for key, value in options.items():
        if isinstance(value, str) and (key == "file" or key.endswith("_file")):
            options[key] = str(folder / value)
    return SourceSettings(kind, options, timeout_s=timeout_s, mode=mode)


def _attachments(tables: list[Table]) -> tuple[Attachment, ...]:
    """Each [[attach]], one for a machine."""
    found: dict[str, Attachment] = {}
    for table in tables:
        one = _attachment(table)
        if one.machine in found:
            table.mistake(
                "machine", f"machine {one.machine!r} has an [[attach]] already: make one of the two"
            )
        found[one.machine] = one
    return tuple(found.values())


def _attachment(table: Table) -> Attachment:
    machine = table.name("machine")
    speed, load = (_channel(table, key) for key in ("speed", "load"))
    if speed is None and load is None:
        table.mistake(None, '[[attach]] needs a speed or a load, "POINT/CHANNEL" of a source of readings')
    load_full = table.number("load_full", None, above=0)
    if load_full is not None and load is None:
        table.mistake("load_full", "load_full says what 100 % of a load is, and no load is given")
    max_age_s = table.number("max_age_s", DEFAULT_AGE_S, above=0)
    return Attachment(machine, speed, load, load_full, max_age_s or DEFAULT_AGE_S)


def _channel(table: Table, key: str) -> str | None:
    if key not in table:
        return None
    name = table.text(key)
    try:
        split_channel(name)
    except FrameError as error:
        table.mistake(key, f"{key}: {error}")
    return name


def _named(sources: list[SourceSettings]) -> tuple[SourceSettings, ...]:
    """Each with a name of its own: i2c, i2c-2, i2c-3."""
    met: Counter[str] = Counter()
    named: list[SourceSettings] = []
    for one in sources:
        met[one.type] += 1
        named.append(one if met[one.type] == 1 else replace(one, name=f"{one.type}-{met[one.type]}"))
    return tuple(named)


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
    told = {name: getattr(settings.configuration, name) for name in ConfigurationSettings.__slots__}
    lines += ["", "[configuration]", *_toml(told), *sent_text(settings)]
    return "\n".join(lines)


def sent_text(settings: AgentSettings) -> list[str]:
    """The lines of what may also be sent from the host. No secret."""
    told = {name: getattr(settings.transmit, name) for name in TransmitSettings.__slots__}
    lines = ["", "[transmit]", *_toml(told)]
    for one in settings.attachments:
        lines += ["", "[[attach]]", *_toml({name: getattr(one, name) for name in Attachment.__slots__})]
    for source in settings.sources:
        shown = {key: HIDDEN if is_secret(key) else value for key, value in source.options.items()}
        own = {"type": source.type, "timeout_s": source.timeout_s, "mode": source.mode}
        lines += ["", "[[source]]", *_toml({**own, **shown})]
    return lines


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
