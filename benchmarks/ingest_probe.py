"""The ingest, taken apart: `python -m benchmarks.ingest_probe CONFIG [--core] [--parts FILE]`.

`--core` computes the 28 features of the core set and those that sensors are judged by, and leaves the rest of
the catalogue not known; `--parts`
writes at the end what each part took. Neither is the ingest as shipped, which is measured by itself.
"""

from __future__ import annotations

import argparse
import functools
import json
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.features import CORE
from models.features.catalogue import NAMES
from models.features.extractor import Extractor
from models.features.gate import FloatArray
from models.features.stages.quality import Quality

PARTS: Final = (
    ("link", "ingest.link", "HostLink._read"),
    ("queue", "ingest.inbox", "Inbox.offer"),
    ("queue", "ingest.inbox", "Inbox.take"),
    ("decode", "ingest.pipeline", "decode"),
    ("session", "ingest.edges", "Edges.heard"),
    ("door", "ingest.admission", "Door.frame"),
    ("decisions", "ingest.pipeline", "Pipeline.step"),
    ("features", "ingest.scoring", "Extractor.extract"),
    ("sensors", "ingest.scoring", "assess"),
    ("sensors", "ingest.scoring", "whole_numbers"),
    ("scoring", "ingest.scoring", "Scorer.score"),
    ("judging", "ingest.commit", "assess"),
    ("states", "ingest.commit", "advance"),
    ("waveforms written", "palier.historian.waveforms", "WaveformStore.append_all"),
    ("waveforms synced", "palier.historian.waveforms", "WaveformStore.sync"),
    ("rows", "ingest.rows", "feature_rows"),
    ("rows", "ingest.rows", "reading_rows"),
    ("rows", "ingest.rows", "state_rows"),
    ("rows", "ingest.rows", "event_rows"),
    ("spectra", "ingest.rows", "spectrum_rows"),
    ("spectra", "ingest.rows", "envelope_rows"),
    ("rows checked", "palier.historian.influx", "check"),
    ("rows checked", "palier.historian.sqlite", "check"),
    ("lines", "palier.historian.influx_writing", "encode"),
    ("posted", "palier.historian.influx_server", "Server.write"),
    ("series", "palier.historian.influx", "InfluxHistorian.write"),
    ("series", "palier.historian.sqlite", "SqliteHistorian.write"),
    ("records", "palier.historian.records", "Records.commit"),
    ("commit", "ingest.commit", "Committer.compute"),
    ("commit", "ingest.commit", "Committer.keep"),
    ("commit", "ingest.commit", "Committer.store"),
    ("acknowledgements", "ingest.service", "Service._command"),
    ("loop", "ingest.service", "Service._turn"),
)
"""(part, module, what in it). What one part calls of another is the other's."""


class Meter:
    """Own time of each part: processor and wall, less what was metered inside."""

    def __init__(
        self,
        wall_ns: Callable[[], int] = time.perf_counter_ns,
        cpu_ns: Callable[[], int] = time.thread_time_ns,
    ) -> None:
        self.cpu: dict[str, int] = {}
        self.wall: dict[str, int] = {}
        self.calls: dict[str, int] = {}
        self._wall_ns = wall_ns
        self._cpu_ns = cpu_ns
        self._of_thread = threading.local()

    def metered(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time added to that of the part."""

        @functools.wraps(function)
        def run(*args: Any, **more: Any) -> Any:
            stack: list[list[int]] = self._of_thread.__dict__.setdefault("stack", [])
            inner = [0, 0]
            stack.append(inner)
            wall, cpu = self._wall_ns(), self._cpu_ns()
            try:
                return function(*args, **more)
            finally:
                cpu = self._cpu_ns() - cpu
                wall = self._wall_ns() - wall
                stack.pop()
                self.cpu[part] = self.cpu.get(part, 0) + cpu - inner[0]
                self.wall[part] = self.wall.get(part, 0) + wall - inner[1]
                self.calls[part] = self.calls.get(part, 0) + 1
                if stack:
                    stack[-1][0] += cpu
                    stack[-1][1] += wall

        return run

    def forget(self) -> None:
        """Begin anew."""
        for what in (self.cpu, self.wall, self.calls):
            what.clear()

    def install(self) -> None:
        """Put the meter around all parts."""
        import importlib

        for part, module, path in PARTS:
            owner: Any = importlib.import_module(module)
            *outer, name = path.split(".")
            for one in outer:
                owner = getattr(owner, one)
            found = owner.__dict__[name]
            if isinstance(found, staticmethod):
                setattr(owner, name, staticmethod(self.metered(part, found.__func__)))
            else:
                setattr(owner, name, self.metered(part, found))


class CoreExtractor(Extractor):
    """Only the core set and what sensors are judged by; what else is in the catalogue is not known."""

    def __init__(self, fs_hz: float, n_samples: int, *, compiled: bool | None = None) -> None:
        super().__init__(fs_hz, n_samples, features=(*CORE, *Quality.names), compiled=compiled)
        self._places = np.array([NAMES.index(name) for name in self.names])

    def extract(self, *args: Any, **more: Any) -> FloatArray:
        """A row of the whole catalogue for each window."""
        found = super().extract(*args, **more)
        table = np.full((len(found), len(NAMES)), np.nan, dtype=np.float32)
        table[:, self._places] = found
        return table


def main() -> None:
    """Run the ingest until it is told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("--core", action="store_true")
    parser.add_argument("--parts", type=Path)
    told = parser.parse_args()
    from ingest import command, scoring

    if told.core:
        scoring.__dict__["Extractor"] = CoreExtractor
    meter = Meter()
    if told.parts:
        meter.install()
        signal.signal(signal.SIGUSR1, lambda *_: meter.forget())  # the publisher's warm-up is over
    command.ingest(told.config, check=False, print_config=False)
    if told.parts:
        told.parts.write_text(json.dumps({"cpu": meter.cpu, "wall": meter.wall, "calls": meter.calls}))


if __name__ == "__main__":
    main()
