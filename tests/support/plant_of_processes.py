"""A plant of real processes: a broker, an ingest, and agents with counting sources, each behind a link that
may break, each to be killed, stopped and started; at the end its stores are counted.

    with ProcessPlant(folder) as plant:
        plant.settle()                        # frames flow from source to store
        with plant.fault():                   # its end is where recovery begins
            plant.links["gw-1"].cut()
            time.sleep(8)
            plant.links["gw-1"].heal()
        plant.recovered()                     # seconds; see `flow.py` for what that means
        counted = plant.count("link cut")     # ends sampling, waits for the last frame, reads the stores

The broker is Debian's mosquitto or the one from PyPI, with the configuration that `palier demo` gives them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

from palier import brokers
from palier.children import Child, accepts, is_ready, start, wait_until
from palier.embedded import toml_text
from palier.historian.folder import DataFolder
from tests.support.broken_link import BrokenLink
from tests.support.counted import REDATED_NS, Counted, ReadsFeatures, count, sqlite_features
from tests.support.flow import Flow
from tests.support.plant_files import (
    AGENT,
    INGEST,
    OURS,
    SITE,
    GatewayFiles,
    agent_text,
    drivers,
    pace_of,
    plant_text,
)
from tests.support.services import free_port, mosquitto_path
from tests.support.waiting import eventually

SHARE: Final = float(os.environ.get("PALIER_FAULTS_SHARE", "1"))
"""Of the frames a second, for a machine that can't carry them beside what else it does: 0.1."""

READY_S: Final = 120.0
DRAINED_S: Final = 90.0
"""What a full outbox may take at the end; a loaded machine included."""

MakesBroker = Callable[[int, Path], Sequence[str]]
"""Takes the port and a folder for its configuration; the command."""

BEGIN_IN_S: Final = 2.0  # block 0 begins so long after the plant was made: by then the agents are there


@dataclass
class Part:
    """One process of the plant. `start` brings it up, with what it kept; `kill` is kill -9."""

    name: str
    command: Sequence[str | Path]
    log: Path
    ready: Callable[[], bool]
    environment: dict[str, str] = field(default_factory=dict)
    child: Child | None = None

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self.child is not None, f"{self.name} does not run"
        return self.child.process.pid

    @property
    def running(self) -> bool:
        """Whether it is there, stopped or not."""
        return self.child is not None and self.child.running

    def launch(self) -> None:
        """Start it and do not wait."""
        self.child = start(self.name, self.command, self.log, env=self.environment)

    def wait(self) -> None:
        """Until it is ready."""
        assert self.child is not None
        wait_until(self.child, self.ready, READY_S)

    def start(self) -> float:
        """Start it and wait until it is ready; the seconds that took."""
        began_s = time.monotonic()
        self.launch()
        self.wait()
        return time.monotonic() - began_s

    def kill(self) -> None:
        """kill -9. AssertionError where it had ended by itself before: then this is not what ended it."""
        assert self.child is not None, f"{self.name} does not run"
        code = self._end(signal.SIGKILL)
        assert code == -signal.SIGKILL, f"{self.name} had ended by itself with {code}"

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        return self._end(signal.SIGTERM)

    def send(self, number: signal.Signals) -> None:
        """SIGSTOP, SIGCONT, SIGHUP."""
        assert self.running, f"{self.name} had ended by itself: {number.name} comes too late"
        assert self.child is not None
        self.child.process.send_signal(number)

    def died(self, seconds: float = 30.0) -> int:
        """Wait until it has ended by itself; its exit code."""
        assert self.child is not None
        child, self.child = self.child, None
        return child.process.wait(seconds)

    def _end(self, number: signal.Signals) -> int:
        if self.child is None:
            return 0
        child, self.child = self.child, None
        child.process.send_signal(number)
        child.process.send_signal(signal.SIGCONT)
        try:
            return child.process.wait(40)
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
            raise AssertionError(f"{self.name} did not end within 40 s of its {number.name}") from None


class ProcessPlant:
    """See the module. `links` are the gateways' by node, and "ingest"; `agents` by node."""

    def __init__(
        self,
        folder: Path,
        *,
        nodes: tuple[str, ...] = ("gw-1",),
        rate: float = 150.0,
        samples: int = 12_500,
        broker: Literal["mosquitto", "iotcore"] | MakesBroker = "mosquitto",
        ingest: Mapping[str, object] | None = None,
        agent: Mapping[str, object] | None = None,
        source: Mapping[str, object] | None = None,
        login: Mapping[str, Mapping[str, object]] | None = None,
        features: ReadsFeatures = sqlite_features,
    ) -> None:
        """`rate` is of each gateway. `ingest` and `agent` are further settings, `source` further options,
        `login` further keys of [broker] by node and "ingest". `features` reads the stored features.
        """
        if broker != "iotcore":
            mosquitto_path()  # or the test is skipped
        self.folder = folder
        self.data = DataFolder(folder / "data")
        self.files = {node: GatewayFiles(folder, node) for node in nodes}
        self.pace = pace_of(
            rate,
            samples,
            time.monotonic_ns() + round(BEGIN_IN_S * 1e9),
            time.time_ns() + round(BEGIN_IN_S * 1e9),
        )
        self.broker_port = free_port()
        self.links: dict[str, BrokenLink] = {}
        self.fault_ended_s: float | None = None
        self.restart_s: float | None = None
        self._ingest = dict(ingest or {})
        self._agent = dict(agent or {})
        self._source = dict(source or {})
        self._login = {name: dict(keys) for name, keys in (login or {}).items()}
        self._features = features
        self._stack = ExitStack()
        self.broker = self._broker(broker)
        self.ingest: Part
        self.agents: dict[str, Part] = {}

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "plant.toml").write_text(plant_text(tuple(self.files), self.pace), "utf-8")
        try:
            for name in (*self.files, "ingest"):
                self.links[name] = self._stack.enter_context(BrokenLink(self.broker_port))
            self._stack.callback(self._end_all)
            self.broker.start()
            self.ingest = self._make_ingest()
            self.agents = {node: self._make_agent(node) for node in self.files}
            for part in (self.ingest, *self.agents.values()):
                part.launch()
            self.flow = self._stack.enter_context(Flow(self.files, self.pace.rate))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def parts(self) -> tuple[Part, ...]:
        """All of them."""
        return (self.broker, self.ingest, *self.agents.values())

    def settle(self, seconds: float = 1.5) -> None:
        """Wait until frames flow from the sources into the store, and so for some seconds."""
        self.ingest.wait()
        self.flow.settle(READY_S)
        self.flow.watch(seconds)

    @contextmanager
    def fault(self, *, felt_s: float = 0.0) -> Iterator[None]:
        """What is wrong, from its beginning to the moment when it is right again. Meanwhile some frame must
        have waited `felt_s` for its acknowledgement, or nothing was wrong and the scenario shows nothing.
        """
        began_s = time.monotonic()
        yield
        self.fault_ended_s = time.monotonic()
        if felt_s:
            waited_s = self.flow.longest_age_s(began_s)
            assert waited_s >= felt_s, f"no fault: the longest wait was {waited_s:.1f} s, not {felt_s:g} s"

    def recovered(self, within_s: float = 120.0) -> float:
        """Seconds from the end of the fault to a fresh store; see `flow.py`."""
        assert self.fault_ended_s is not None, "there was no fault"
        return self.flow.recovered(self.fault_ended_s, within_s)

    def drain(self) -> None:
        """End the sources, and wait until the host has all that was sampled."""
        for files in self.files.values():
            files.end.touch()
        eventually(
            self.flow.at_rest,
            DRAINED_S,
            "the host's acknowledgement of every frame of every outbox",
        )

    def end(self) -> None:
        """Ask every process to end, gateways first; a bad exit is an error."""
        gone = [part.name for part in self.parts if not part.running]
        assert not gone, f"{gone} ended by themselves; see the logs in {self.folder}"
        codes = {part.name: part.stop() for part in (*self.agents.values(), self.ingest)}
        self.flow.stop()
        self.broker.stop()
        assert not any(codes.values()), f"exit codes {codes}; see the logs in {self.folder}"

    def count(self, scenario: str, *, redated_ns: int = REDATED_NS) -> Counted:
        """Drain, end, and count what the stores hold; `redated_ns` as in `counted.py`."""
        self.drain()
        sent = sum(self.links[node].passed for node in self.files)
        self.end()
        counted = count(
            scenario, self.files.values(), self.pace, self.data, self._features, redated_ns=redated_ns
        )
        return counted.with_times(
            self.flow.recovery_s, self.restart_s, sent / max(1, counted.useful_bytes), self.flow.steady_s
        )

    def restart_ingest(self) -> float:
        """Start the ingest again; the longest start of this plant is kept for its row."""
        took_s = self.ingest.start()
        self.restart_s = max(self.restart_s or 0.0, took_s)
        return took_s

    def second_ingest(self) -> Part:
        """Another one with the same settings, but for its health; not started."""
        config = self.folder / "ingest-2.toml"
        text = (self.folder / "ingest.toml").read_text("utf-8")
        port = free_port()
        config.write_text(text.replace(f"health_port = {self.health_port}", f"health_port = {port}"), "utf-8")
        return Part(
            "ingest 2", [*INGEST, config], self.folder / "ingest-2.log", lambda: is_ready(port), dict(OURS)
        )

    def metric(self, name: str) -> float:
        """A value of the ingest's /metrics."""
        import urllib.request

        with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))

    def log_of(self, part: Part) -> str:
        """All that a part has said."""
        return part.log.read_text("utf-8", "replace")

    def _broker(self, kind: Literal["mosquitto", "iotcore"] | MakesBroker) -> Part:
        self.folder.mkdir(parents=True, exist_ok=True)
        if callable(kind):
            command = kind(self.broker_port, self.folder)
        else:
            command = brokers.write(brokers.plan(kind, self.broker_port), self.folder)
        return Part("broker", command, self.folder / "broker.log", lambda: accepts(self.broker_port))

    def _make_ingest(self) -> Part:
        self.health_port = free_port()
        config = self.folder / "ingest.toml"
        settings: dict[str, Any] = {
            **self._ingest,
            "plant": str(self.folder / "plant.toml"),
            "data": str(self.data.path),
            "health_port": self.health_port,
            "broker": self._broker_table("ingest"),
        }
        config.write_text(toml_text(settings), "utf-8")
        log, ready = self.folder / "ingest.log", lambda: is_ready(self.health_port)
        return Part("ingest", [*INGEST, config], log, ready, dict(OURS))

    def _make_agent(self, node: str) -> Part:
        port, config = free_port(), self.folder / f"{node}.toml"
        config.write_text(
            agent_text(
                self.files[node],
                self.pace,
                health_port=port,
                broker=self._broker_table(node),
                source=self._source,
                more=self._agent,
            ),
            "utf-8",
        )
        log, ready = self.folder / f"{node}.log", lambda: is_ready(port)
        return Part(f"agent {node}", [*AGENT, config], log, ready, drivers(self.folder))

    def _broker_table(self, name: str) -> dict[str, object]:
        return {"host": "127.0.0.1", "port": self.links[name].port, **self._login.get(name, {})}

    def _end_all(self) -> None:
        for part in (*self.agents.values(), getattr(self, "ingest", None), self.broker):
            if part is not None and part.running:
                with suppress(AssertionError):
                    part.kill()


__all__ = ["SHARE", "SITE", "Part", "ProcessPlant"]
