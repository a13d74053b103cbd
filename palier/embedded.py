"""A whole plant on one machine: broker, ingest, page and agents as child processes of this one.

    with EmbeddedPlant(folder, plant_file) as plant:
        plant.add_agent("atelier", [{"type": "simulated"}])
        ...                       # plant.broker_port, plant.page_url, plant.data
    # all of them have ended

What they are configured with, keep and log lies in `folder`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from . import brokers
from .brokers import BrokerError, BrokerKind
from .children import Child, ChildError, Family, accepts, free_port, is_ready, start, wait_until
from .clock import PlantClock
from .historian.folder import DataFolder

BROKER_READY_S: Final = 60.0
SERVICE_READY_S: Final = 180.0
"""A small gateway with a cold disk takes half a minute to import everything."""

PALIER: Final = (sys.executable, "-P", "-m", "palier")
"""The command without its script: it need not be on PATH, and no folder of the caller can shadow it."""

HOST_ID: Final = "palier"


class EmbeddedError(Exception):
    """The plant could not be started, or a part of it ended: the sentence names it and shows its log."""


@dataclass(frozen=True, slots=True)
class Agent:
    """A gateway of an embedded plant: its site and node, its [[source]] tables, and further settings."""

    site: str
    node: str
    sources: Sequence[Mapping[str, object]]
    settings: Mapping[str, object] = field(default_factory=dict)


class EmbeddedPlant:
    """Broker, ingest, (with `console_port`) the page and `agents`, started side by side by `with`; more
    agents come with `add_agent`.

    `console_port` None: no page; 0: on a free port. `ingest` and `page` hold further settings of these two.
    Use it from the main thread (see children.py). Raises EmbeddedError.
    """

    def __init__(
        self,
        folder: Path,
        plant_file: Path,
        *,
        broker: BrokerKind = "auto",
        console_port: int | None = None,
        lang: str = "fr",
        groups: Sequence[str] = (),
        clock: PlantClock | None = None,
        ingest: Mapping[str, object] | None = None,
        page: Mapping[str, object] | None = None,
        agents: Sequence[Agent] = (),
    ) -> None:
        self.folder = folder
        self.plant_file = plant_file.resolve()
        self.data = DataFolder(folder / "data")
        self.broker_port = 0
        self.broker_name = ""
        self.console_port = console_port
        self._broker = broker
        self._lang = lang
        self._groups = tuple(groups)
        self._clock = clock
        self._ingest = dict(ingest or {})
        self._page = dict(page or {})
        self._agents = tuple(agents)
        self._family = Family()
        self._health: dict[str, int] = {}

    @property
    def page_url(self) -> str:
        """The address of the page."""
        return f"http://127.0.0.1:{self.console_port}/"

    @property
    def processes(self) -> Mapping[str, int]:
        """Process id of each running part, by name."""
        return {child.name: child.process.pid for child in self._family.members}

    @property
    def health_ports(self) -> Mapping[str, int]:
        """The port of /readyz and /metrics of each service, by name."""
        return dict(self._health)

    def __enter__(self) -> Self:
        try:
            self._start()
        except (ChildError, BrokerError, OSError) as error:
            self._family.stop()
            raise EmbeddedError(_sentence(error, self.folder)) from error
        except BaseException:
            self._family.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._family.stop()

    def add_agent(
        self, site: str, node: str, sources: Sequence[Mapping[str, object]], **settings: object
    ) -> None:
        """Start an agent with those [[source]] tables and further settings, and wait until it is linked.

        Raises EmbeddedError.
        """
        try:
            self._ready(self._agent(Agent(site, node, sources, settings)))
        except (ChildError, OSError) as error:
            raise EmbeddedError(_sentence(error, self.folder)) from error

    def check(self) -> None:
        """Raises EmbeddedError when a part has ended by itself."""
        try:
            self._family.check()
        except ChildError as error:
            raise EmbeddedError(str(error)) from error

    def kill(self, name: str) -> None:
        """kill -9 of one part, for tests of what survives; `restart` brings it back."""
        child = next(c for c in self._family.members if c.name == name)
        child.process.kill()
        child.process.wait()
        self._family.members.remove(child)

    def restart(self, name: str) -> None:
        """Start a killed service again with the configuration it had, and wait until it is ready."""
        child = _launch(self.folder, name)
        self._family.members.append(child)
        self._ready(child)

    def _start(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._start_broker()
        host: dict[str, object] = {
            "host_id": HOST_ID,
            "plant": str(self.plant_file),
            "data": str(self.data.path),
            "broker": {"host": "127.0.0.1", "port": self.broker_port},
        }
        if self._groups:
            host["groups"] = list(self._groups)
        starting = [self._service("ingest", {**self._ingest, **host})]
        if self.console_port is not None:
            self.console_port = self.console_port or free_port()
            page = {
                **self._page,
                "plant": str(self.plant_file),
                "data": str(self.data.path),
                "host": "127.0.0.1",
                "port": self.console_port,
                "lang": self._lang,
                "broker": {"host": "127.0.0.1", "port": self.broker_port},
            }
            starting.append(self._service("console", page, health_port=self.console_port))
        starting += [self._agent(agent) for agent in self._agents]
        for child in starting:  # they import side by side
            self._ready(child)

    def _start_broker(self) -> None:
        self.broker_port = free_port()
        plan = brokers.plan(self._broker, self.broker_port)
        self.broker_name = plan.name
        child = start(
            f"broker {plan.name}", brokers.write(plan, self.folder), _file(self.folder, "broker", "log")
        )
        self._family.members.append(child)
        wait_until(child, lambda: accepts(self.broker_port), BROKER_READY_S)

    def _service(self, name: str, settings: Mapping[str, object], *, health_port: int | None = None) -> Child:
        """Start a service with those settings; it may not be ready yet."""
        if health_port is None:
            health_port = free_port()
            settings = {**settings, "health_port": health_port}
        self._health[name] = health_port
        child = start_service(self.folder, name, settings, clock=self._clock)
        self._family.members.append(child)
        return child

    def _agent(self, agent: Agent) -> Child:
        """Start an agent; it may not be linked yet."""
        child, port = start_agent(
            self.folder,
            agent.site,
            agent.node,
            broker={"host": "127.0.0.1", "port": self.broker_port},
            sources=agent.sources,
            more=agent.settings,
            clock=self._clock,
        )
        self._health[child.name] = port
        self._family.members.append(child)
        return child

    def _ready(self, child: Child) -> None:
        port = self._health[child.name]
        wait_until(child, lambda: is_ready(port), SERVICE_READY_S)


def start_service(
    folder: Path, name: str, settings: Mapping[str, object], *, clock: PlantClock | None = None
) -> Child:
    """Start `palier NAME` (the first word of `name`) with those settings, written into `folder`.

    Raises ChildError, OSError.
    """
    if clock is not None:
        settings = {**settings, "clock": asdict(clock)}
    _file(folder, name, "toml").write_text(toml_text(settings), "utf-8")
    return _launch(folder, name)


def start_agent(
    folder: Path,
    site: str,
    node: str,
    *,
    broker: Mapping[str, object],
    sources: Sequence[Mapping[str, object]],
    more: Mapping[str, object] | None = None,
    clock: PlantClock | None = None,
) -> tuple[Child, int]:
    """An agent with its outbox in `folder`, and the port of its health; `more` are further settings.

    Raises ChildError, OSError.
    """
    port = free_port()
    settings = {
        **(more or {}),
        "site": site,
        "node": node,
        "host_id": HOST_ID,
        "data": str(folder / "outbox" / node),
        "health_port": port,
        "broker": broker,
        "source": list(sources),
    }
    return start_service(folder, f"agent {node}", settings, clock=clock), port


def _launch(folder: Path, name: str) -> Child:
    command = [*PALIER, name.split(maxsplit=1)[0], "--config", str(_file(folder, name, "toml"))]
    return start(name, command, _file(folder, name, "log"))


def _file(folder: Path, name: str, suffix: str) -> Path:
    return folder / f"{name.replace(' ', '-')}.{suffix}"


def state_folder() -> Path:
    """Where embedded plants keep their data: $PALIER_HOME, else palier/ in the user's XDG state folder."""
    home, state = os.environ.get("PALIER_HOME"), os.environ.get("XDG_STATE_HOME")
    if home:
        return Path(home)
    return (Path(state) if state else Path.home() / ".local" / "state") / "palier"


def toml_text(table: Mapping[str, object]) -> str:
    """TOML of a table of texts, numbers, truths, lists of these, tables, lists of tables, without None."""
    lines = [f"{key} = {_value(value)}" for key, value in table.items() if _is_plain(value)]
    for key, value in table.items():
        if isinstance(value, Mapping):
            lines += ["", f"[{key}]", toml_text(value)]
        elif isinstance(value, list) and not _is_plain(value):
            for entry in value:
                lines += ["", f"[[{key}]]", toml_text(entry)]
    return "\n".join(lines) + "\n"


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(entry) for entry in value)
    return value is not None and not isinstance(value, Mapping)


def _value(value: object) -> str:
    """A JSON text, number, truth or list of them is a TOML one too."""
    return json.dumps(value, ensure_ascii=False)


def _sentence(error: Exception, folder: Path) -> str:
    if isinstance(error, OSError):
        return f"the folder {folder} can't be written: {error.strerror}; name another one"
    return str(error)
