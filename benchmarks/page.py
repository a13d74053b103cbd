"""The page under many viewers: what it costs, how soon a commit is on it, and how much it weighs.

`palier console` runs as a process of its own over a plant that goes on being written, as an ingest writes it:
series first, then the records. Viewers are streams of the overview, as open pages are. Beside them stands
what pages without a stream would do: as many viewers that ask for the overview again each second.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple
from urllib.request import Request
from urllib.request import urlopen as _urlopen

import numpy as np

from palier.frames import FrameId
from palier.historian.base import Rows
from palier.historian.folder import DataFolder
from palier.historian.records import Records
from palier.historian.rows import RecordsBatch
from palier.historian.sqlite import SqliteHistorian

from . import page_spectra
from .goals import MEGABYTE
from .machine import Machine, cpu_seconds, look

SITE: Final = "usine"
EVERY_S: Final = 0.5
"""How often the plant commits: each machine in its turn, so that something is always new."""

PAGES: Final = ("/", "/alarms", "/machine/M-000")
MOST_CORE: Final = 0.5
MOST_MB: Final = 120.0
MOST_KB: Final = 300.0
MOST_LATENCY_S: Final = 1.0
MOST_PAINT_S: Final = 1.0
READY_S: Final = 60.0

_PAINTED: Final = "performance.getEntriesByName('first-contentful-paint')[0].startTime"

_PLANT: Final = '[site]\nid = "usine"\nname = "Usine"\ntimezone = "Africa/Casablanca"\n'
_MACHINE: Final = """
[[machine]]
id = "{id}"
name = "Pompe {id}"
kind = "pump"
criticality = "B"
power_kw = 250.0
speed = {{ source = "fixed", rpm = 1490.0 }}
limits = "iso10816-7:cat2:over200kw"
[[machine.point]]
id = "1"
bearing = "22220"
[[machine.point.channel]]
id = "H"
quantity = "acceleration"
unit = "m/s²"
direction = "H"
fs_hz = 25600.0
samples = 4096
"""


def urlopen(url: str, timeout: float) -> Any:
    """An answer of the console that runs here, as a browser asks for it."""
    asked = Request(url, headers={"Accept-Encoding": "gzip"})  # noqa: S310 - an address of ours
    return _urlopen(asked, timeout=timeout)  # noqa: S310


def _body(url: str) -> tuple[bytes, int]:
    """What an answer says, and the bytes that it took on the wire."""
    with urlopen(url, timeout=10) as answer:
        sent: bytes = answer.read()
        packed = answer.headers.get("content-encoding") == "gzip"
    return gzip.decompress(sent) if packed else sent, len(sent)


class Plan(NamedTuple):
    """How much is measured: machines of the plant, viewers, and for how many seconds."""

    machines: int
    viewers: int
    seconds: float


FULL: Final = (Plan(5, 50, 30.0), Plan(500, 50, 30.0))
QUICK: Final = (Plan(5, 50, 6.0),)


class Aim(NamedTuple):
    """What must be reached: at most `most`, in `unit`."""

    key: str
    what: str
    figure: float
    most: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether it is."""
        return self.figure <= self.most


@dataclass(frozen=True)
class Load:
    """What a plan cost. `core` is the share of one core that the console took with its viewers, `core_asking`
    with as many that ask each second; latencies are from the commit to the viewer, in seconds.
    `spectra_peak_mb` is the peak after `spectra_asked` questions for spectra, waveforms, cascades and work
    orders of many machines.
    """

    machines: int
    viewers: int
    core: float
    core_asking: float
    latency_median_s: float
    latency_p95_s: float
    peak_mb: float
    spectra_peak_mb: float
    spectra_asked: int
    first_byte_s: float
    kb: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PageReport:
    """What `palier bench page` found. `first_paint_s` is None where no browser could be asked."""

    machine: Machine
    loads: tuple[Load, ...]
    first_paint_s: float | None

    @property
    def aims(self) -> tuple[Aim, ...]:
        """What must be reached, by the first plan (a plant as small as the demo's); memory by all of them."""
        load, paint = self.loads[0], self.first_paint_s
        peak_mb = max(one.spectra_peak_mb for one in self.loads)
        found = [
            Aim("core", f"share of a core with {load.viewers} viewers", load.core, MOST_CORE, ""),
            Aim("memory", "peak memory of the console, spectra asked for", peak_mb, MOST_MB, "MB"),
            Aim("latency", "from commit to viewer, 95 %", load.latency_p95_s, MOST_LATENCY_S, "s"),
            Aim("weight", "heaviest page with its files", max(load.kb.values()), MOST_KB, "kB"),
        ]
        if paint is not None:
            found.append(Aim("paint", "first paint", paint, MOST_PAINT_S, "s"))
        return tuple(found)

    def as_json(self) -> dict[str, Any]:
        """As programs read it."""
        return {
            "machine": asdict(self.machine),
            "loads": [asdict(load) for load in self.loads],
            "first_paint_s": self.first_paint_s,
            "aims": [{**aim._asdict(), "met": aim.met} for aim in self.aims],
        }


def bench_page(plans: tuple[Plan, ...], *, tell: Callable[[str], None]) -> PageReport:
    """Measure. Raises OSError where the console can't be started."""
    loads, paint = [], None
    for plan in plans:
        tell(f"{plan.viewers} viewers of {plan.machines} machines")
        with TemporaryDirectory(prefix="palier-bench-") as folder, _Plant(Path(folder), plan) as plant:
            loads.append(asyncio.run(_load(plant, plan)))
            if paint is None:
                tell("the first paint")
                paint = first_paint_s(plant.port)
    return PageReport(look(), tuple(loads), paint)


class _Plant:
    """A data folder that is written, and a console that reads it."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._folder = folder
        self.names = [f"M-{k:03d}" for k in range(plan.machines)]
        self._stack = ExitStack()
        self._seq = 0
        self.port = 0
        self.pid = 0

    def __enter__(self) -> _Plant:
        plant = self._folder / "plant.toml"
        plant.write_text(_PLANT + "".join(_MACHINE.format(id=name) for name in self.names), "utf-8")
        data = DataFolder(self._folder / "data").create()
        self._historian = SqliteHistorian(data.historian)
        self._stack.callback(self._historian.close)
        self._records = Records(data.records)
        self._stack.callback(self._records.close)
        for _ in range(20):
            self.commit(self.names)
        page_spectra.keep(data, self._historian, self._records, SITE, self.names)
        self._stack.enter_context(self._console(plant, data.path))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def commit(self, names: list[str] | None = None) -> tuple[str, float]:
        """A block of the next machine (or of these): whose it is, and when it was committed."""
        self._seq += 1
        chosen = names or [self.names[self._seq % len(self.names)]]
        value = 1.0 + (self._seq % 30) / 10
        self._historian.write(_rows(chosen, value, f"{SITE}/gw:bench:{self._seq}"))
        self._records.commit(RecordsBatch(stored=(FrameId(f"{SITE}/gw", "0" * 16, self._seq),)))
        return chosen[0], time.monotonic()

    @contextmanager
    def _console(self, plant: Path, data: Path) -> Iterator[None]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        config = self._folder / "console.toml"
        config.write_text(f'plant = "{plant}"\ndata = "{data}"\nport = {self.port}\n', "utf-8")
        command = [sys.executable, "-P", "-m", "palier", "console", "--config", str(config)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            self.pid = process.pid
            try:
                self._wait(process)
                yield
            finally:
                process.terminate()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        end_s = time.monotonic() + READY_S
        while time.monotonic() < end_s and process.poll() is None:
            with suppress(OSError), urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
            time.sleep(0.1)
        raise OSError("the console did not become ready")


def _rows(names: list[str], value: float, frame: str) -> list[Rows]:
    n, now_ns = len(names), time.time_ns()
    ts = np.full(n, now_ns, dtype=np.int64)

    def rows(measurement: str, point: str, channel: str, fields: dict[str, Any]) -> Rows:
        given = {**fields, "frame": [f"{frame}:{name}" for name in names]}
        return Rows(measurement, [SITE] * n, names, [point] * n, [channel] * n, ts, given)

    state = {
        "state": ["normal"] * n,
        "judged": ["normal"] * n,
        "learning": np.zeros(n, dtype=np.int64),
        "severity": np.ones(n, dtype=np.int64),
        "zone": ["A"] * n,
        "value": np.full(n, value),
        "limit_name": ["iso10816-7:cat2:over200kw"] * n,
        "live": np.ones(n, dtype=np.int64),
    }
    feature = {"velocity_rms_mm_s": np.full(n, value), "zone": ["A"] * n, "speed_rpm": np.full(n, 1490.0)}
    return [rows("state", "", "", state), rows("state", "1", "", state), rows("feature", "1", "H", feature)]


async def _load(plant: _Plant, plan: Plan) -> Load:
    kb, first_byte_s = await asyncio.to_thread(_weights, plant.port)
    heard: dict[str, list[float]] = {}
    viewers = [asyncio.create_task(_view(plant.port, heard)) for _ in range(plan.viewers)]
    await asyncio.sleep(2.0)  # all of them have their first picture
    before, began = cpu_seconds(plant.pid), time.monotonic()
    latencies: list[float] = []
    while time.monotonic() - began < plan.seconds:
        machine, committed_s = await asyncio.to_thread(plant.commit)
        await asyncio.sleep(EVERY_S * 2)
        found = [at for at in heard.get(machine, ()) if at >= committed_s]
        latencies.extend(at - committed_s for at in found[: plan.viewers])
    core = (cpu_seconds(plant.pid) - before) / (time.monotonic() - began)
    for viewer in viewers:
        viewer.cancel()
    await asyncio.gather(*viewers, return_exceptions=True)
    asking = await _asking(plant, plan)
    peak_mb, base = _peak_mb(plant.pid), f"http://127.0.0.1:{plant.port}"
    asked = await asyncio.to_thread(page_spectra.ask_all, plant.names, lambda path: _body(base + path))
    ordered = sorted(latencies) or [float("inf")]
    return Load(
        plan.machines,
        plan.viewers,
        core,
        asking,
        statistics.median(ordered),
        ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))],
        peak_mb,
        _peak_mb(plant.pid),
        asked,
        first_byte_s,
        kb,
    )


async def _view(port: int, heard: dict[str, list[float]]) -> None:
    """One open page: notes when it was told of each machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    try:
        writer.write(b"GET /events?lang=fr&page=overview HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await writer.drain()
        while line := await reader.readline():
            if b'"tiles":' in line:
                now_s = time.monotonic()
                for part in line.split(b'data-machine=\\"')[1:]:
                    heard.setdefault(part.split(b'\\"', 1)[0].decode(), []).append(now_s)
    finally:
        writer.close()


async def _asking(plant: _Plant, plan: Plan) -> float:
    """The share of a core where each viewer asks for the overview again each second."""

    async def ask() -> None:
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", plant.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            while await reader.read(65_536):
                pass
            writer.close()
            await asyncio.sleep(1.0)

    viewers = [asyncio.create_task(ask()) for _ in range(plan.viewers)]
    seconds = plan.seconds / 3
    before, began = cpu_seconds(plant.pid), time.monotonic()
    while time.monotonic() - began < seconds:
        await asyncio.to_thread(plant.commit)
        await asyncio.sleep(EVERY_S * 2)
    core = (cpu_seconds(plant.pid) - before) / (time.monotonic() - began)
    for viewer in viewers:
        viewer.cancel()
    await asyncio.gather(*viewers, return_exceptions=True)
    return core


def _weights(port: int) -> tuple[dict[str, float], float]:
    """Kilobytes of each page with all that it loads, and how soon its first byte comes (s, median of 5)."""
    base = f"http://127.0.0.1:{port}"
    took = []
    for _ in range(5):
        began = time.monotonic()
        with urlopen(base + "/", timeout=10) as answer:
            answer.read(1)
        took.append(time.monotonic() - began)
    return {path: _weight(base, path) for path in PAGES}, statistics.median(took)


def _weight(base: str, path: str) -> float:
    html, total = _body(base + path)
    wanted = set(re.findall(rb'(?:src|href)="(/static/[^"]+)"', html))
    seen = set[bytes]()
    while wanted - seen:
        one = (wanted - seen).pop()
        seen.add(one)
        body, size = _body(base + one.decode())
        total += size
        if one.endswith(b".js"):
            wanted |= {b"/static/" + name for name in re.findall(rb'(?:from|import) "\./([^"]+)"', body)}
    return total / 1000


def first_paint_s(port: int) -> float | None:
    """When a browser that has never been here paints the overview first; None without one."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        return None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        try:
            took = []
            for _ in range(3):
                context = browser.new_context()
                page = context.new_page()
                page.goto(f"http://127.0.0.1:{port}/")
                page.wait_for_function("performance.getEntriesByType('paint').length > 0")
                took.append(page.evaluate(_PAINTED))
                context.close()
            return float(statistics.median(took)) / 1000
        finally:
            browser.close()


def _peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    kb = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return kb * 1024 / MEGABYTE
