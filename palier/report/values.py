"""What a report says, as values: numbers, keys of the locale and names. `--json` prints all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.diagnosis.types import EvidenceItem


@dataclass(frozen=True, slots=True)
class Head:
    """Whom the report is about, and when. Times are ns since 1970 UTC; None is not told in the plant."""

    number: str
    site_id: str
    site: str
    timezone: str
    machine: str
    name: str
    kind: str
    criticality: str
    power_kw: float | None
    nominal_rpm: float | None
    speed_source: str
    start_ns: int
    at_ns: int
    made_ns: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of the machine, or of a point; `value` is its velocity in mm/s RMS."""

    point: str
    ts_ns: int
    state: str
    learning: bool
    severity: int
    zone: str | None
    value: float | None
    reason: str | None
    remedy: str | None


@dataclass(frozen=True, slots=True)
class Sensor:
    """One measured channel of a point."""

    channel: str
    quantity: str
    unit: str
    direction: str
    fs_hz: float | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class PointLine:
    """A point of measurement. `bearing_verified` is who verified the bearing's orders, "none" for nobody."""

    point: str
    name: str
    mounting: str
    shaft_order: float
    sensors: tuple[Sensor, ...]
    bearing: str | None
    bearing_source: str
    bearing_verified: str
    bearing_estimated: bool
    bearing_orders: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Speed:
    """The speed of the machine (r/min) in the last blocks: median, standard deviation, how many they are.

    `measured` is False where it is only what the plant states.
    """

    rpm: float | None
    spread_rpm: float | None
    blocks: int
    measured: bool


@dataclass(frozen=True, slots=True)
class LimitLine:
    """The limits that points are judged by."""

    points: tuple[str, ...]
    id: str
    standard: str
    edition: str
    scope: str
    support: str
    quantity: str
    band_hz: tuple[float, float] | None
    names: tuple[str, ...]
    values: tuple[float, ...]
    verified_by: str
    source: str


@dataclass(frozen=True, slots=True)
class Measure:
    """A level now, in good health, and at the first data of the period; None where it is not known."""

    value: float | None
    baseline: float | None = None
    before: float | None = None

    @property
    def ratio(self) -> float | None:
        """Times its baseline."""
        return None if self.value is None or not self.baseline else self.value / self.baseline

    @property
    def change(self) -> float | None:
        """By what share it changed since the period began."""
        return None if self.value is None or not self.before else self.value / self.before - 1


@dataclass(frozen=True, slots=True)
class LevelLine:
    """The levels of a vibration channel in its newest block; `state` is that of its velocity by limits."""

    point: str
    channel: str
    direction: str
    ts_ns: int
    velocity: Measure
    velocity_feature: str
    zone: str | None
    limit_name: str | None
    state: str | None
    acceleration: Measure
    peak: Measure
    crest: float | None
    envelope: Measure


@dataclass(frozen=True, slots=True)
class ReadingLine:
    """The newest slow value of a channel."""

    point: str
    channel: str
    quantity: str
    ts_ns: int
    value: float
    unit: str
    before: float | None
    limit_name: str | None
    state: str | None


@dataclass(frozen=True, slots=True)
class Marker:
    """A frequency to look for in a spectrum: a multiple of "1×", of a defect ("bpfo"), "mesh", "vanes", …"""

    name: str
    harmonic: int
    frequency_hz: float
    half_width_hz: float


@dataclass(frozen=True, slots=True)
class Peak:
    """One of the highest lines of a spectrum; `near` are the markers within whose tolerance it lies,
    the nearest first.
    """

    frequency_hz: float
    amplitude: float
    order: float | None
    near: tuple[Marker, ...]


@dataclass(frozen=True, slots=True)
class SpectrumFigure:
    """A spectrum with its markers; peak amplitudes, thinned for display."""

    point: str
    channel: str
    kind: str
    ts_ns: int
    of_waveform: bool
    resolution_hz: float | None
    shaft_rpm: float | None
    frequency_hz: tuple[float, ...]
    amplitude: tuple[float, ...]
    markers: tuple[Marker, ...]
    peaks: tuple[Peak, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A course: times in s since 1970 UTC; mean, lowest and highest of each stretch."""

    channel: str
    times_s: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    baseline: float | None = None


@dataclass(frozen=True, slots=True)
class TrendFigure:
    """Trends of a point's channels; `limits` is the id of those that judge it, "" where none do."""

    point: str
    feature: str
    unit: str
    limits: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class DiagnosisLine:
    """A fault that is named, or that none is ("none"), or that nobody can say ("refused").

    `current` is False where the point is no longer judged abnormal since.
    """

    point: str
    at: str
    ts_ns: int
    fault: str
    confidence: float | None
    severity: int
    evidence: tuple[EvidenceItem, ...]
    not_separated: tuple[str, ...]
    separate_by: tuple[str, ...]
    reason: str | None
    remedy: str | None
    current: bool


@dataclass(frozen=True, slots=True)
class LifeLine:
    """A remaining life in hours from `ts_ns` on, or its refusal (method "refused").

    `current` is as of a diagnosis.
    """

    point: str
    ts_ns: int
    method: str
    p10_h: float | None
    p50_h: float | None
    p90_h: float | None
    confidence: str | None
    leading: str | None
    threshold: float | None
    assumptions: tuple[tuple[str, Mapping[str, object]], ...]
    reason: str | None
    remedy: str | None
    current: bool = True


@dataclass(frozen=True, slots=True)
class Criterion:
    """What must hold after the work: a key of the locale (`report.accept_<key>`) with its numbers."""

    key: str
    params: Mapping[str, float | str]


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to do, by when (`due_ns` None: no deadline), how to confirm it, what must hold afterwards.

    `plan_ns` is when the remaining life says to be done: what nine of ten machines outlast (P10).
    `raised_by` is the state of the point where that asks for more than the diagnosis did.
    """

    point: str
    fault: str
    severity: int
    action: str
    deadline_h: float | None
    due_ns: int | None
    task: str
    confirm: tuple[str, ...]
    acceptance: tuple[Criterion, ...]
    plan_ns: int | None = None
    raised_by: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something of the period: an alarm's transition, an intervention, or what was found behind an alarm.

    `what` is a key of the locale within its kind; `text`, `by` and `cause` are as people wrote them.
    """

    kind: str
    ts_ns: int
    point: str
    what: str
    level: str = ""
    mode: str = ""
    text: str = ""
    by: str = ""
    cause: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """What could not be assessed, or holds with a `reserve`: a key (`report.gap_<key>`), where, why.

    `reason` and `remedy` are keys of `refusal` and `remedy`, "" where the sentence of the key says it all.
    """

    key: str
    place: str = ""
    params: Mapping[str, float | str] | None = None
    reason: str = ""
    remedy: str = ""
    reserve: bool = False


@dataclass(frozen=True, slots=True)
class BaselineLine:
    """The machine's baseline: version, how far it has come (0..1), who confirmed it."""

    version: int
    status: str
    opened_ns: int
    since_ns: int
    progress: float
    by: str


@dataclass(frozen=True, slots=True)
class Report:
    """A vibration analysis report."""

    head: Head
    verdict: Verdict | None
    points: tuple[PointLine, ...]
    point_verdicts: tuple[Verdict, ...]
    speed: Speed
    loads: tuple[ReadingLine, ...]
    limits: tuple[LimitLine, ...]
    levels: tuple[LevelLine, ...]
    temperatures: tuple[ReadingLine, ...]
    spectra: tuple[SpectrumFigure, ...]
    trends: tuple[TrendFigure, ...]
    diagnoses: tuple[DiagnosisLine, ...]
    lives: tuple[LifeLine, ...]
    recommendations: tuple[Recommendation, ...]
    events: tuple[Event, ...]
    gaps: tuple[Gap, ...]
    baseline: BaselineLine | None
    version: str
    fingerprint: str
