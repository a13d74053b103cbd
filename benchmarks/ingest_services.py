"""Broker, series store and ingest as processes of a bench's own, on free ports of loopback."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from palier import brokers
from palier.children import Child, Family, accepts, free_port, is_ready, start, wait_until
from palier.historian.influx import HOURLY

from . import influxd
from .historian_report import NO_SERVER
from .ingest_fleet import HOST, Fleet

START_S: Final = 60.0
STORES: Final = ("influxdb", "sqlite")
DATABASE: Final = "palier"


@dataclass(frozen=True, slots=True)
class House:
    """What runs: the broker's port, and process ids by name."""

    port: int
    pids: dict[str, int]
    ingest: Child

    def check(self) -> None:
        """Raises ChildError where the ingest has ended."""
        if not self.ingest.running:
            raise self.ingest.explain(f"ended with exit code {self.ingest.process.returncode}")


def missing(store: str) -> str:
    """Why the store can't be measured here; "" where it can."""
    if brokers.find_mosquitto() is None:
        return "mosquitto is not installed: apt install mosquitto"
    return NO_SERVER if store == "influxdb" and influxd.found() is None else ""


@contextmanager
def running(
    folder: Path, store: str, fleet: Fleet, more: Sequence[str] = (), *, settings: str = ""
) -> Iterator[House]:
    """A house that works, and has ended behind the block.

    With `more` it is not `palier ingest` that is run but `ingest_probe`, which is told that. `settings` are
    added to the ingest's own. Raises ChildError, RuntimeError.
    """
    with ExitStack() as stack:
        family = Family()
        pids, config = {}, _config(folder, broker_port := free_port(), health_port := free_port(), fleet)
        if store == "influxdb":
            server = stack.enter_context(influxd.running(folder / "influxd"))
            for database in (DATABASE, DATABASE + HOURLY):
                server.make(database).close()
            pids["influxd"] = server.process.pid
            with config.open("a") as file:
                file.write(f'\n[historian]\nurl = "{server.url}"\ndatabase = "{DATABASE}"\n')
        with config.open("a") as file:
            file.write(settings)
        stack.callback(family.stop)
        plan = brokers.plan("mosquitto", broker_port)
        broker = start("mosquitto", brokers.write(plan, folder), folder / "mosquitto.log")
        family.members.append(broker)
        wait_until(broker, lambda: accepts(broker_port), START_S)
        ingest = start("ingest", _command(config, more), folder / "ingest.log")
        family.members.append(ingest)
        wait_until(ingest, lambda: is_ready(health_port), START_S)
        pids = {"ingest": ingest.process.pid, **pids, "mosquitto": broker.process.pid}
        yield House(broker_port, pids, ingest)


def _command(config: Path, more: Sequence[str]) -> list[str]:
    if more:
        return [sys.executable, "-P", "-m", "benchmarks.ingest_probe", str(config), *more]
    return [sys.executable, "-P", "-m", "palier", "ingest", "--config", str(config)]


def _config(folder: Path, broker_port: int, health_port: int, fleet: Fleet) -> Path:
    plant, config = folder / "plant.toml", folder / "ingest.toml"
    plant.write_text(fleet.plant())
    config.write_text(
        f'host_id = "{HOST}"\nplant = {json.dumps(str(plant))}\ndata = {json.dumps(str(folder / "data"))}\n'
        f"health_port = {health_port}\n\n[broker]\nport = {broker_port}\n"
    )
    return config
