"""What was read for a report: value types between the stores and the content. None is what is not known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.detection.zones import LimitSet
from models.diagnosis.types import EvidenceItem
from models.types import MachineSpec
from palier.historian.rows import InterventionRow, Transition, VerdictRow
from palier.operations import Baseline
from palier.plant import Plant

from .values import Verdict

Place = tuple[str, str]
"""(point, channel)."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """A trend: times (m,) in s since 1970 UTC, rising, and mean, lowest, highest (m,) of each stretch."""

    times_s: Floats
    mean: Floats
    low: Floats
    high: Floats

    def __len__(self) -> int:
        return len(self.times_s)


@dataclass(frozen=True, slots=True)
class Block:
    """The newest block of a channel: its features by name and the speed of its shaft in r/min."""

    ts_ns: int
    frame: str
    features: Mapping[str, float | None]
    shaft_rpm: float | None


@dataclass(frozen=True, slots=True, eq=False)
class ChannelFound:
    """What there is of a vibration channel: trends by feature, and speeds (r/min) of its last blocks."""

    place: Place
    block: Block | None
    courses: Mapping[str, Course]
    rpm: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ReadingFound:
    """The newest slow value of a channel, and its trend."""

    place: Place
    ts_ns: int
    value: float
    unit: str
    course: Course


@dataclass(frozen=True, slots=True, eq=False)
class SpectrumFound:
    """One spectrum: `kind` "velocity_mm_s", "acceleration_m_s2" or "envelope_m_s2"; peak amplitudes (m,).

    `of_waveform` tells whether it is whole, else it is the historian's thinned one. `resolution_hz` is the
    distance of its lines, `shaft_rpm` the speed at its time, None where unknown.
    """

    place: Place
    kind: str
    ts_ns: int
    frequency_hz: Floats
    amplitude: Floats
    of_waveform: bool
    resolution_hz: float | None = None
    shaft_rpm: float | None = None
    load_percent: float | None = None


@dataclass(frozen=True, slots=True)
class DiagnosisFound:
    """One fault as it was told at a point, or that none is named ("none"), or nobody can say ("refused")."""

    point: str
    ts_ns: int
    rank: int
    fault: str
    confidence: float | None
    severity: int
    action: str
    deadline_h: float | None
    at: str
    evidence: tuple[EvidenceItem, ...] = ()
    not_separated: tuple[str, ...] = ()
    separate_by: tuple[str, ...] = ()
    reason: str | None = None
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class LifeFound:
    """A remaining life as it was told at a point, in hours; method "refused" with reason and remedy."""

    point: str
    ts_ns: int
    method: str
    p10_h: float | None
    p50_h: float | None
    p90_h: float | None
    confidence: str | None
    leading: str | None
    threshold: float | None
    assumptions: tuple[tuple[str, Mapping[str, object]], ...] = ()
    reason: str | None = None
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """What could not be read: the key of what (`report.gap_lost_<what>`), and the sentence of the store."""

    what: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Found:
    """Everything about a machine between `start_ns` and `at_ns` (inside), read at `made_ns` of plant time.

    `levels` are medians in good health by place and feature, of the baseline's version; `limits` all limit
    sets by id; `verified` who compared a bearing of the catalogue with its maker's data, by designation.
    """

    plant: Plant
    machine: MachineSpec
    start_ns: int
    at_ns: int
    made_ns: int
    limits: Mapping[str, LimitSet]
    verified: Mapping[str, str]
    channels: tuple[ChannelFound, ...] = ()
    readings: tuple[ReadingFound, ...] = ()
    spectra: tuple[SpectrumFound, ...] = ()
    states: tuple[Verdict, ...] = ()
    diagnoses: tuple[DiagnosisFound, ...] = ()
    lives: tuple[LifeFound, ...] = ()
    baseline: Baseline | None = None
    levels: Mapping[Place, Mapping[str, float]] = field(default_factory=dict)
    alarms: tuple[Transition, ...] = ()
    interventions: tuple[InterventionRow, ...] = ()
    verdicts: tuple[VerdictRow, ...] = ()
    fingerprint: str = ""
    lost: tuple[Lost, ...] = ()
