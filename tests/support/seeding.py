"""Rows for the page's tests: a historian filled as the ingest would fill it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.detection.zones import Judgement, LimitSet, judge
from models.features.catalogue import NAMES
from models.types import BEARING_DEFECTS, MachineSpec, PointSpec, Quantity, State, is_ambient
from palier.historian.base import Historian, Rows
from palier.historian.sqlite import SqliteHistorian
from palier.limits import load_limits
from palier.plant import Plant, load_sample_plant

NS = 1_000_000_000
NOW_NS = 1_795_000_000 * NS  # a day of November 2026
EVERY_NS = 5 * NS

Column = npt.NDArray[np.generic] | Sequence[str | None]
Times = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

CLIPPED = Judgement(State.UNKNOWN, reason="clipped", remedy="widen_range", limits_id="iso20816-3:g1:rigid")


@dataclass(frozen=True)
class Course:
    """How a machine goes: its velocity at the end, the part of it that it rose by, and its temperature.

    `judgement` is said of it whatever its velocity; `ends_before_ns` is how long it has been silent;
    `defect` ("bpfo", ...) has visible lines at its last point.
    """

    machine: str
    velocity_mm_s: float
    rise: float = 0.0
    temperature_c: float = 52.0
    judgement: Judgement | None = None
    ends_before_ns: int = 0
    defect: str | None = None


SAMPLE_COURSES = (
    Course("P-101", 7.2, rise=0.55, temperature_c=71.4),  # zone C
    Course("C-201", 1.0, temperature_c=48.2),  # zone A, and a shaft without limits: learning
    Course("V-301", 9.9, rise=0.3, temperature_c=83.0),  # above the shutdown limit
    Course("L-401", 2.0, temperature_c=55.1),  # zone A
    Course("B-501", 0.7, temperature_c=38.6),  # no limits
)


@dataclass(frozen=True)
class Series:
    """Rows of one machine, point and channel at the same times."""

    site: str
    machine: str
    point: str
    channel: str
    ts_ns: Times

    def rows(self, measurement: str, fields: Mapping[str, Column]) -> Rows:
        """The rows, each of a frame of its own."""
        n = len(self.ts_ns)
        frames = [f"{self.site}/edge:{measurement}:{ts}" for ts in self.ts_ns]
        return Rows(
            measurement,
            [self.site] * n,
            [self.machine] * n,
            [self.point] * n,
            [self.channel] * n,
            self.ts_ns,
            {**fields, "frame": frames},
        )

    def states(self, judgements: Sequence[Judgement]) -> Rows:
        """States as the ingest writes them."""
        return self.rows(
            "state",
            {
                "state": [str(j.state) for j in judgements],
                "judged": [None if j.judged is None else str(j.judged) for j in judgements],
                "learning": np.array([j.learning for j in judgements], dtype=np.int64),
                "severity": np.array([j.severity for j in judgements], dtype=np.int64),
                "zone": [j.zone for j in judgements],
                "value": np.array([np.nan if j.value is None else j.value for j in judgements]),
                "limit_name": [j.limits_id for j in judgements],
                "reason": [j.reason for j in judgements],
                "remedy": [j.remedy for j in judgements],
                "live": np.ones(len(judgements), dtype=np.int64),
            },
        )

    def features(self, velocity_mm_s: Values, speed_rpm: float = np.nan, defect: str | None = None) -> Rows:
        """Features: both velocities as given, the others in proportion; harmonics only of `defect`."""
        columns: dict[str, Column] = dict.fromkeys(NAMES, velocity_mm_s * 0.37)
        columns |= {
            f"{name}_harmonics": np.full(len(velocity_mm_s), 4.0 if name == defect else 1.0)
            for name in BEARING_DEFECTS
        }
        columns |= {"velocity_rms_mm_s": velocity_mm_s, "velocity_rms_low_mm_s": velocity_mm_s}
        columns |= {"speed_rpm": np.full(len(velocity_mm_s), speed_rpm), "zone": [None] * len(velocity_mm_s)}
        return self.rows("feature", columns)

    def readings(self, values: Values, unit: str = "°C") -> Rows:
        """Slow values."""
        return self.rows("reading", {"value": values, "unit": [unit] * len(values)})

    def spectrum(self, speed_rpm: float, seed: int = 5, n: int = 400) -> Rows:
        """A velocity spectrum at the last time: lines at multiples of the speed over a falling floor."""
        frequency = np.concatenate((np.linspace(0, 1000, n - n // 4), np.geomspace(1010, 10_000, n // 4)))
        floor = np.abs(np.random.default_rng(seed).standard_normal(n))
        amplitude = 0.02 * floor * np.exp(-frequency / 500)
        shaft_hz = (speed_rpm if speed_rpm > 0 else 1500.0) / 60
        for order, level in ((1, 2.1), (2, 0.8), (3, 0.3), (8.2, 0.25)):
            amplitude[np.argmin(np.abs(frequency - order * shaft_hz))] += level
        at = Series(self.site, self.machine, self.point, self.channel, np.full(n, self.ts_ns[-1]))
        lines = np.arange(n, dtype=np.int64)
        return at.rows(
            "spectrum",
            {
                "line": lines,
                "frequency_hz": frequency,
                "amplitude": amplitude,
                "kind": ["velocity_mm_s"] * n,
            },
        )


def seed(
    historian: Historian, plant: Plant, courses: Sequence[Course], *, now_ns: int, blocks: int = 120
) -> None:
    """`blocks` blocks of each channel of each machine, one each EVERY_NS, the last at `now_ns`."""
    for course in courses:
        end_ns = now_ns - course.ends_before_ns
        ts = end_ns - EVERY_NS * np.arange(blocks - 1, -1, -1, dtype=np.int64)
        grow = 1 - course.rise * np.linspace(1, 0, blocks) ** 2
        ripple = 1 + 0.02 * np.sin(np.arange(blocks) * 1.7)
        add_blocks(historian, plant, course, ts, course.velocity_mm_s * grow * ripple)


def add_blocks(historian: Historian, plant: Plant, course: Course, ts: Times, velocity: Values) -> None:
    """One block of each channel of a machine at each of these times."""
    spec = plant.machine(course.machine)
    assert spec is not None
    reports = historian.write(rows_of(plant.site_id, spec, course, ts, velocity))
    assert not any(report.rejected for report in reports), reports


def rows_of(site: str, spec: MachineSpec, course: Course, ts: Times, velocity: Values) -> list[Rows]:
    """States, features, readings and one spectrum of a machine; its first point speaks for it."""
    limits = load_limits()
    batch: list[Rows] = []
    for k, point in enumerate(spec.points):
        level = velocity * (1 - 0.25 * k)
        judgements = judged(course, level, limits.get(point.limits or ""))
        if k == 0:
            batch.append(Series(site, spec.id, "", "", ts).states(judgements))
        batch.append(Series(site, spec.id, point.id, "", ts).states(judgements))
        defect = course.defect if point is spec.points[-1] else None
        warm_c = course.temperature_c - 4 * k
        batch += channel_rows(site, spec, point, ts, level=level, warm_c=warm_c, defect=defect)
    return batch


def judged(course: Course, level: Values, limits: LimitSet | None) -> list[Judgement]:
    """What is said of each block."""
    return [course.judgement or judge(float(value), limits) for value in level]


def channel_rows(
    site: str,
    spec: MachineSpec,
    point: PointSpec,
    ts: Times,
    *,
    level: Values,
    warm_c: float,
    defect: str | None,
) -> list[Rows]:
    """The measurements of one point's channels."""
    batch = []
    for channel in point.channels:
        series = Series(site, spec.id, point.id, channel.id, ts)
        if channel.quantity is Quantity.ACCELERATION:
            speed = (spec.speed_rpm or np.nan) * point.shaft_order
            batch += [series.features(level, speed, defect), series.spectrum(speed)]
        elif channel.quantity is Quantity.TEMPERATURE and not is_ambient(point.id, channel.id):
            batch.append(series.readings(warm_c + np.sin(np.arange(len(ts)) / 9)))
    return batch


def seeded_plant(
    folder: Path, *, now_ns: int = NOW_NS, courses: Sequence[Course] = SAMPLE_COURSES, blocks: int = 120
) -> tuple[Plant, Path]:
    """The sample plant and the path of a filled historian in `folder`."""
    plant, path = load_sample_plant(), folder / "historian.sqlite"
    historian = SqliteHistorian(path)
    try:
        seed(historian, plant, courses, now_ns=now_ns, blocks=blocks)
    finally:
        historian.close()
    return plant, path
