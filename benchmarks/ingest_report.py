"""What `palier bench ingest` found, as values, and what it must reach."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from .goals import Found, judge
from .ingest_fleet import CHANNELS, SAMPLE_BYTES
from .ingest_naive import NO_CLIENT
from .machine import Machine
from .report import Aim, Goal, flat

VERSION: Final = 1
"""Of the JSON: it rises when a key changes its meaning or goes."""

SHIPPED: Final = "whole catalogue"
CORE: Final = "core set"


class Run(NamedTuple):
    """One house at work: as fast as its credit lets the gateways send, then at a third of that.

    `features` is "whole catalogue", which is the ingest as shipped, or "core set". `cpu_us` is processor time
    by process, a frame. Latencies are from the publisher's write of a frame to the arrival of its
    acknowledgement, of all frames of the third.
    """

    store: str
    features: str
    frames_per_s: float
    cpu_us: dict[str, float]
    full_p50_ms: float
    rate: float
    third_per_s: float
    p50_ms: float
    p99_ms: float
    frames: int
    frame_bytes: float
    rebirths: int

    @property
    def windows_per_s(self) -> float:
        """Blocks of one channel stored a second."""
        return self.frames_per_s * len(CHANNELS)


class Part(NamedTuple):
    """What a part of the ingest takes of a frame, without what it calls of other parts."""

    part: str
    cpu_us: float
    wall_us: float


class Apart(NamedTuple):
    """The ingest taken apart, under full load. The meter itself adds some µs to each part."""

    store: str
    features: str
    parts: tuple[Part, ...]


def _aims() -> tuple[Aim, ...]:
    aims: list[Aim] = []
    for store, name in (("influxdb", "InfluxDB"), ("sqlite", "SQLite")):
        for features, key in ((SHIPPED, store), (CORE, f"{store}_core")):
            what = f"{name}, {features}"
            aims.append(Aim(f"windows_{key}", f"windows stored a second, {what}", "k/s", "", ">=", 15.0))
            aims.append(Aim(f"naive_{key}", f"time of a message, {what}", "µs", "naive path", ">=", 50.0))
            aims.append(Aim(f"p50_{key}", f"published to stored, p50, {what}", "ms", "", "<=", 5.0))
            aims.append(Aim(f"p99_{key}", f"published to stored, p99, {what}", "ms", "", "<=", 50.0))
    aims.append(Aim("bytes", "bytes of a message as published", "B", "samples", "<=", 1.01))
    return tuple(aims)


AIMS: Final = _aims()


@dataclass(frozen=True)
class Report:
    """All of it. `naive_us` is None where it could not be measured; `missing` says what was not and why."""

    machine: Machine
    quick: bool
    gateways: int
    points: int
    naive_us: float | None
    runs: tuple[Run, ...]
    apart: tuple[Apart, ...]
    missing: dict[str, str]
    goals: tuple[Goal, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """For programs; the keys are stable within a `version`."""
        return {
            "bench": "ingest",
            "version": VERSION,
            "machine": {**vars(self.machine), "busy": self.machine.busy},
            "quick": self.quick,
            "gateways": self.gateways,
            "points": self.points,
            "goals": [flat(goal) for goal in self.goals],
            "naive_us_per_message": self.naive_us,
            "runs": [{**run._asdict(), "windows_per_s": run.windows_per_s} for run in self.runs],
            "apart": [
                {**apart._asdict(), "parts": [part._asdict() for part in apart.parts]} for apart in self.apart
            ],
            "missing": self.missing,
        }

    def run(self, store: str, features: str) -> Run | None:
        """The run of that kind, None where there was none."""
        return next((run for run in self.runs if (run.store, run.features) == (store, features)), None)


def goals(report: Report) -> tuple[Goal, ...]:
    """Every goal: met, or not, or not measured and why."""
    found: dict[str, Found | str] = {"bytes": _bytes(report)}
    for store in ("influxdb", "sqlite"):
        for features, key in ((SHIPPED, store), (CORE, f"{store}_core")):
            found |= _of_run(report, store, features, key)
    return tuple(judge(aim, found[aim.key]) for aim in AIMS)


def _of_run(report: Report, store: str, features: str, key: str) -> dict[str, Found | str]:
    run = report.run(store, features)
    if run is None:
        why = report.missing.get(store, "not part of this run")
        return {f"{what}_{key}": why for what in ("windows", "naive", "p50", "p99")}
    thousand = run.windows_per_s / 1e3
    message_us = 1e6 / run.frames_per_s
    naive: Found | str = NO_CLIENT
    if report.naive_us is not None:
        naive = Found(message_us, report.naive_us, report.naive_us / message_us)
    return {
        f"windows_{key}": Found(thousand, None, thousand),
        f"naive_{key}": naive,
        f"p50_{key}": Found(run.p50_ms, None, run.p50_ms, f"at {run.third_per_s:,.0f} frames a second"),
        f"p99_{key}": Found(run.p99_ms, None, run.p99_ms),
    }


def _bytes(report: Report) -> Found | str:
    if not report.runs:
        return "; ".join(report.missing.values())
    size = report.runs[0].frame_bytes
    return Found(size, SAMPLE_BYTES, size / SAMPLE_BYTES, "topic and MQTT's own bytes included")
