"""One recording looked at by itself, without history: features, zone, lines of bearing defects, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from models.detection.sensors import Assessment, assess, whole_numbers
from models.detection.zones import (
    BAND_TOO_NARROW,
    BLOCK_TOO_SHORT,
    UNIT_UNKNOWN,
    Judgement,
    LimitSet,
    judge,
    unknown,
)
from models.features import Extractor, leading_defect
from models.features.catalogue import CATALOGUE
from models.features.stages.lines import CYCLES
from models.features.windows import spectral_length
from models.types import BEARING_DEFECTS, M_S2_PER_UNIT, Bearing, Refusal

from .record_speed import SPEED_UNKNOWN, RecordSpeed, speed_of
from .recordings import Recording

LIMITS_NOT_GIVEN: Final = Refusal("limits_not_given", "name_limits")
BEARING_UNKNOWN: Final = Refusal("bearing_unknown", "name_bearing")
LINES_NOT_SEARCHABLE: Final = Refusal("lines_not_searchable", "lengthen_block")

RUNNING_UNKNOWN: Final = Refusal("running_unknown", "tell_running")
"""Zones are those of machines that run. No record tells that nothing turns: good machines are as quiet."""

REFUSALS: Final = (LIMITS_NOT_GIVEN, SPEED_UNKNOWN, BEARING_UNKNOWN, LINES_NOT_SEARCHABLE, RUNNING_UNKNOWN)
"""Every refusal that this module gives besides those of `models.detection.zones` and `.sensors`."""


@dataclass(frozen=True, slots=True)
class DefectLine:
    """The lines of one defect in the envelope: score in bits over the local floor, harmonics that count."""

    defect: str
    order: float
    frequency_hz: float
    bits: float
    harmonics: int
    band_hz: float


@dataclass(frozen=True, slots=True)
class UnsearchedLine:
    """A defect whose lines could not be searched beside those of others.

    `reason` is "block_too_short" for its ten periods, or "band_too_narrow" for three harmonics.
    """

    defect: str
    order: float
    frequency_hz: float
    reason: str


@dataclass(frozen=True, slots=True)
class ChannelAnalysis:
    """What one channel shows. A feature that is not known is None; so is every level while the unit is not.

    `leading` is the defect whose lines stand highest, of those with enough harmonics: no diagnosis.
    `unsearched` are the defects that `lines` lacks, where it has any. `doubts` is what a sensor has that does
    not forbid to judge it, and what a zone stands on that nobody told.
    """

    channel: str
    features: Mapping[str, float | None]
    judgement: Judgement
    lines: tuple[DefectLine, ...]
    leading: DefectLine | None
    refusals: tuple[Refusal, ...]
    doubts: tuple[Refusal, ...] = ()
    unsearched: tuple[UnsearchedLine, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordAnalysis:
    """A record and its channels.

    `rpm` is its speed, as it was given or estimated within a range: `speed_source` is "given", "estimated" or
    "unknown". `rpm_sigma` is the standard deviation of an estimate.
    """

    record: str
    unit: str
    fs_hz: float
    n_samples: int
    rpm: float | None
    rpm_sigma: float | None
    speed_source: str
    labels: Mapping[str, str]
    channels: tuple[ChannelAnalysis, ...]

    @property
    def leading(self) -> DefectLine | None:
        """The leading defect of the channel where it stands highest."""
        found = [channel.leading for channel in self.channels if channel.leading is not None]
        return max(found, key=lambda line: line.bits, default=None)


@dataclass(slots=True)
class Analyzer:
    """Looks at records, each by itself; the bearing and the limits are those of all of them.

    `speed_range_hz` is where the speed of those that come without one is looked for.

    It keeps extractors between records of one length and rate, which changes no result.
    """

    bearing: Bearing | None = None
    limits: LimitSet | None = None
    speed_range_hz: tuple[float, float] | None = None
    _extractors: dict[tuple[float, int], Extractor] = field(default_factory=dict)

    def analyze(self, recording: Recording) -> RecordAnalysis:
        """Raises ValueError where a record is no signal, e.g. a few samples."""
        n_samples = recording.samples.shape[1]
        speed = speed_of(recording, self.speed_range_hz)
        factor = M_S2_PER_UNIT.get(recording.unit, 1.0)
        scale = np.array(recording.scale) * factor
        rows = self._extractor(recording.fs_hz, n_samples).extract(
            recording.samples,
            scale,
            speed_hz=speed.hz or None,  # at rest there is no order to look at
            speed_sigma_hz=speed.sigma_hz,
            orders=None if self.bearing is None else self.bearing.orders,
        )
        levels = recording.unit in M_S2_PER_UNIT
        by_name = {spec.name: rows[:, i] for i, spec in enumerate(CATALOGUE)}
        health = assess(
            {spec.name: by_name[spec.name] for spec in CATALOGUE if levels or not spec.degree},
            n_samples=n_samples,
            fs_hz=recording.fs_hz,
            speed_hz=speed.hz,
            step_m_s2=scale if recording.samples.dtype.kind == "i" else None,
            whole=whole_numbers(
                recording.samples,
                recording.scale,
                by_name["mean_m_s2"],
                by_name["acceleration_peak_m_s2"],
            ),
        )
        return RecordAnalysis(
            record=recording.name,
            unit=recording.unit,
            fs_hz=recording.fs_hz,
            n_samples=n_samples,
            rpm=speed.rpm,
            rpm_sigma=speed.sigma_rpm,
            speed_source=speed.source,
            labels=recording.labels,
            channels=tuple(
                self._channel(recording, i, row.tolist(), speed, health) for i, row in enumerate(rows)
            ),
        )

    def _extractor(self, fs_hz: float, n_samples: int) -> Extractor:
        key = (fs_hz, n_samples)
        if key not in self._extractors:
            self._extractors.clear()  # records of one file are mostly alike; scratch memory is large
            # For a few records: loading compiled passes takes a second, more than they save.
            self._extractors[key] = Extractor(fs_hz, n_samples, compiled=False)
        return self._extractors[key]

    def _channel(
        self, recording: Recording, i: int, row: list[float], speed: RecordSpeed, health: Assessment
    ) -> ChannelAnalysis:
        has_unit = recording.unit in M_S2_PER_UNIT
        raw = {spec.name: value for spec, value in zip(CATALOGUE, row, strict=True)}
        features = {
            spec.name: raw[spec.name]
            if np.isfinite(raw[spec.name]) and (has_unit or not spec.degree)
            else None
            for spec in CATALOGUE
        }
        refusal = None if speed.stands else health.refusals[i]  # at rest there is nothing to refuse
        judgement = (
            self._judgement(recording, raw, speed.hz) if refusal is None else unknown(refusal, self.limits)
        )
        lines = self._lines(features, speed.hz)
        first = leading_defect({k: np.nan if v is None else v for k, v in features.items()})
        doubts = health.reasons(i) if refusal is None else ()
        if speed.hz is None and judgement.judged is not None:
            doubts = (*doubts, RUNNING_UNKNOWN)
        return ChannelAnalysis(
            channel=recording.channels[i],
            features=features,
            judgement=judgement,
            lines=lines,
            leading=next((line for line in lines if line.defect == first), None),
            refusals=self._refusals(judgement, has_unit, speed, bool(lines) or refusal is not None),
            doubts=doubts,
            unsearched=self._unsearched(recording, lines, speed.hz),
        )

    def _judgement(self, recording: Recording, raw: Mapping[str, float], speed_hz: float | None) -> Judgement:
        return judge(
            None if self.limits is None else raw.get(self.limits.feature(speed_hz)),
            self.limits,
            unit=recording.unit,
            fs_hz=recording.fs_hz,
            n_samples=recording.samples.shape[1],
            speed_hz=speed_hz,
        )

    def _lines(self, features: Mapping[str, float | None], speed_hz: float | None) -> tuple[DefectLine, ...]:
        if self.bearing is None or not speed_hz:
            return ()
        lines = []
        for defect, order in zip(BEARING_DEFECTS, self.bearing.orders, strict=True):
            bits, count = features[f"{defect}_bits"], features[f"{defect}_harmonics"]
            band = features[f"{defect}_band_hz"]
            if bits is not None and count is not None and band is not None:
                lines.append(DefectLine(defect, order, order * speed_hz, bits, round(count), band))
        return tuple(lines)

    def _unsearched(
        self, recording: Recording, lines: tuple[DefectLine, ...], speed_hz: float | None
    ) -> tuple[UnsearchedLine, ...]:
        """The defects that are not among the lines, where any is: without one a refusal says it of all."""
        if self.bearing is None or not speed_hz or not lines:
            return ()
        seconds = spectral_length(recording.samples.shape[1]) / recording.fs_hz
        there = {line.defect for line in lines}
        orders = zip(BEARING_DEFECTS, self.bearing.orders, strict=True)
        missing = [(defect, order, order * speed_hz) for defect, order in orders if defect not in there]
        return tuple(
            UnsearchedLine(*line, (BLOCK_TOO_SHORT if line[2] * seconds < CYCLES else BAND_TOO_NARROW).reason)
            for line in missing
        )

    def _refusals(
        self, judgement: Judgement, has_unit: bool, speed: RecordSpeed, lines_told: bool
    ) -> tuple[Refusal, ...]:
        found = []
        if judgement.reason is not None and judgement.remedy is not None:
            found.append(Refusal(judgement.reason, judgement.remedy))
        if not has_unit:
            found.append(UNIT_UNKNOWN)
        if speed.stands:  # what is missing besides would change nothing
            return tuple(found)
        if has_unit and self.limits is None:
            found.append(LIMITS_NOT_GIVEN)
        if self.bearing is None:
            found.append(BEARING_UNKNOWN)
        if speed.refusal is not None:
            found.append(speed.refusal)
        if self.bearing is not None and speed.hz is not None and not lines_told:
            found.append(LINES_NOT_SEARCHABLE)
        return tuple(dict.fromkeys(found))
