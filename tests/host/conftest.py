"""A plant of three machines, and an ingest as a process of its own at a real broker."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from palier.historian.folder import DataFolder
from palier.historian.records import RecordsReader
from palier.historian.rows import Verdict
from palier.historian.sqlite import SqliteHistorian
from palier.plant import Plant, load_plant
from palier.ranges import Ranges
from tests.support.forked import Forked
from tests.support.services import Mosquitto, free_port
from tests.support.waiting import eventually

PLANT = """
[site]
id = "usine"
name = "Usine d'essai"
timezone = "Africa/Casablanca"

[[machine]]
id = "pompe"
name = "Pompe"
kind = "pump"
criticality = "A"
power_kw = 250.0
speed = { source = "fixed", rpm = 1500.0 }
limits = "iso10816-7:cat2:over200kw"

[[machine.point]]
id = "p1"
bearing = "22220"

[[machine.point.channel]]
id = "h"
quantity = "acceleration"
unit = "m/s²"
direction = "H"
fs_hz = 4096.0
samples = 4096

[[machine.point.channel]]
id = "a"
quantity = "acceleration"
unit = "m/s²"
direction = "A"
fs_hz = 4096.0
samples = 4096

[[machine.point.channel]]
id = "t"
quantity = "temperature"
unit = "°C"

[[machine]]
id = "ventilateur"
name = "Ventilateur"
kind = "fan"
criticality = "B"
power_kw = 250.0
speed = { source = "fixed", rpm = 990.0 }
limits = "iso10816-7:cat2:over200kw"

[[machine.point]]
id = "p1"

[[machine.point.channel]]
id = "h"
quantity = "acceleration"
unit = "m/s²"
direction = "H"
fs_hz = 4096.0
samples = 4096

[[machine.point]]
id = "p2"

[[machine.point.channel]]
id = "v"
quantity = "acceleration"
unit = "m/s²"
direction = "V"
fs_hz = 4096.0
samples = 4096

[[machine]]
id = "broche"
name = "Broche"
kind = "spindle"
criticality = "B"
limits = "none"
speed = { source = "reading", channel = "p1/n" }

[[machine.point]]
id = "p1"

[[machine.point.channel]]
id = "h"
quantity = "acceleration"
unit = "m/s²"
direction = "H"
fs_hz = 4096.0
samples = 4096

[[machine.point.channel]]
id = "n"
quantity = "speed"
unit = "r/min"
"""


@pytest.fixture
def plant_file(tmp_path: Path) -> Path:
    path = tmp_path / "plant.toml"
    path.write_text(PLANT, encoding="utf-8")
    return path


@pytest.fixture
def plant(plant_file: Path) -> Plant:
    return load_plant(plant_file)


@dataclass
class Ingest:
    """An ingest process on a data folder; started again it goes on where it was."""

    config: Path
    data: DataFolder
    health_port: int
    process: Forked | None = None
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, defect: str = "") -> None:
        """Start it; `defect` is Python that is run before, to break it on purpose."""
        code = f"{defect}\nfrom palier.cli import main\nmain(['ingest', '--config', {str(self.config)!r}])"
        self.process = Forked(code, self.environment, self.data.path.parent / "ingest.log")

    def wait_ready(self) -> None:
        eventually(self.ready, 60, f"readiness of the ingest; see {self.data.path.parent / 'ingest.log'}")

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/readyz", timeout=30) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def detail(self, condition: str) -> str:
        """What /readyz says of a condition."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/readyz", timeout=30) as answer:
                told = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                told = error.read()
        return str(json.loads(told)["conditions"][condition]["detail"])

    def metric(self, name: str) -> float:
        """A value of /metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))

    def labelled(self, name: str) -> dict[str, float]:
        """The values of a metric that has labels, by these, without the zeros."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        found = (line.removeprefix(name).rsplit(" ", 1) for line in lines if line.startswith(f"{name}{{"))
        return {labels: float(value) for labels, value in found if float(value)}

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        self.process = None
        return code

    def ranges(self, edge: str, epoch: str, verdict: Verdict = Verdict.STORED) -> Ranges:
        records = RecordsReader(self.data.records)
        try:
            return records.ranges(edge, epoch, verdict)
        finally:
            records.close()

    @contextmanager
    def records(self) -> Iterator[RecordsReader]:
        reader = RecordsReader(self.data.records)
        try:
            yield reader
        finally:
            reader.close()

    @contextmanager
    def historian(self) -> Iterator[SqliteHistorian]:
        reader = SqliteHistorian(self.data.historian, read_only=True)
        try:
            yield reader
        finally:
            reader.close()


@pytest.fixture
def ingest(mosquitto: Mosquitto, plant_file: Path, tmp_path: Path) -> Iterator[Ingest]:
    """An ingest that is not started yet."""
    port = free_port()
    config = tmp_path / "ingest.toml"
    config.write_text(
        f'plant = "{plant_file}"\ndata = "{tmp_path / "data"}"\nhealth_port = {port}\n'
        f"[broker]\nport = {mosquitto.port}\n",
        encoding="utf-8",
    )
    service = Ingest(config, DataFolder(tmp_path / "data"), port)
    yield service
    if service.process is not None:
        service.stop(signal.SIGKILL)
