"""One recording looked at by itself, without history: features, zone, lines of bearing defects, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from models.detection.zones import UNIT_UNKNOWN, Judgement, LimitSet, judge, unknown
from models.features import Extractor, leading_defect
from models.features.catalogue import CATALOGUE
from models.types import BEARING_DEFECTS, M_S2_PER_UNIT, Bearing, Refusal

from .recordings import Recording

LIMITS_NOT_GIVEN: Final = Refusal("limits_not_given", "name_limits")
SPEED_UNKNOWN: Final = Refusal("speed_unknown", "give_speed")
BEARING_UNKNOWN: Final = Refusal("bearing_unknown", "name_bearing")
LINES_NOT_SEARCHABLE: Final = Refusal("lines_not_searchable", "lengthen_block")
STUCK: Final = Refusal("stuck", "check_sensor")

REFUSALS: Final = (LIMITS_NOT_GIVEN, SPEED_UNKNOWN, BEARING_UNKNOWN, LINES_NOT_SEARCHABLE, STUCK)
"""Every refusal that this module gives besides those of `models.detection.zones`."""


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
class ChannelAnalysis:
    """What one channel shows. A feature that is not known is None; so is every level while the unit is not.

    `leading` is the defect whose lines stand highest, of those with enough harmonics: no diagnosis.
    """

    channel: str
    features: Mapping[str, float | None]
    judgement: Judgement
    lines: tuple[DefectLine, ...]
    leading: DefectLine | None
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class RecordAnalysis:
    """A record and its channels."""

    record: str
    unit: str
    fs_hz: float
    n_samples: int
    rpm: float | None
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

    It keeps extractors between records of one length and rate, which changes no result.
    """

    bearing: Bearing | None = None
    limits: LimitSet | None = None
    _extractors: dict[tuple[float, int], Extractor] = field(default_factory=dict)

    def analyze(self, recording: Recording) -> RecordAnalysis:
        """Raises ValueError where a record is no signal, e.g. a few samples."""
        n_samples = recording.samples.shape[1]
        speed_hz = None if recording.rpm is None else recording.rpm / 60
        factor = M_S2_PER_UNIT.get(recording.unit, 1.0)
        rows = self._extractor(recording.fs_hz, n_samples).extract(
            recording.samples,
            np.array(recording.scale) * factor,
            speed_hz=speed_hz,
            orders=None if self.bearing is None else self.bearing.orders,
        )
        return RecordAnalysis(
            record=recording.name,
            unit=recording.unit,
            fs_hz=recording.fs_hz,
            n_samples=n_samples,
            rpm=recording.rpm,
            labels=recording.labels,
            channels=tuple(
                self._channel(recording, name, row.tolist(), speed_hz)
                for name, row in zip(recording.channels, rows, strict=True)
            ),
        )

    def _extractor(self, fs_hz: float, n_samples: int) -> Extractor:
        key = (fs_hz, n_samples)
        if key not in self._extractors:
            self._extractors.clear()  # records of one file are mostly alike; scratch memory is large
            self._extractors[key] = Extractor(fs_hz, n_samples)
        return self._extractors[key]

    def _channel(
        self, recording: Recording, name: str, row: list[float], speed_hz: float | None
    ) -> ChannelAnalysis:
        has_unit = recording.unit in M_S2_PER_UNIT
        raw = {spec.name: value for spec, value in zip(CATALOGUE, row, strict=True)}
        features = {
            spec.name: raw[spec.name]
            if np.isfinite(raw[spec.name]) and (has_unit or not spec.degree)
            else None
            for spec in CATALOGUE
        }
        judgement = self._judgement(recording, raw, speed_hz)
        lines = self._lines(features, speed_hz)
        first = leading_defect({k: np.nan if v is None else v for k, v in features.items()})
        return ChannelAnalysis(
            channel=name,
            features=features,
            judgement=judgement,
            lines=lines,
            leading=next((line for line in lines if line.defect == first), None),
            refusals=self._refusals(judgement, has_unit, speed_hz, bool(lines)),
        )

    def _judgement(self, recording: Recording, raw: Mapping[str, float], speed_hz: float | None) -> Judgement:
        if raw["acceleration_rms_m_s2"] == 0:  # nothing that is bolted to a machine is that still
            return unknown(STUCK, self.limits)
        return judge(
            None if self.limits is None else raw.get(self.limits.feature(speed_hz)),
            self.limits,
            unit=recording.unit,
            fs_hz=recording.fs_hz,
            n_samples=recording.samples.shape[1],
            speed_hz=speed_hz,
        )

    def _lines(self, features: Mapping[str, float | None], speed_hz: float | None) -> tuple[DefectLine, ...]:
        if self.bearing is None or speed_hz is None:
            return ()
        lines = []
        for defect, order in zip(BEARING_DEFECTS, self.bearing.orders, strict=True):
            bits, count = features[f"{defect}_bits"], features[f"{defect}_harmonics"]
            band = features[f"{defect}_band_hz"]
            if bits is not None and count is not None and band is not None:
                lines.append(DefectLine(defect, order, order * speed_hz, bits, round(count), band))
        return tuple(lines)

    def _refusals(
        self, judgement: Judgement, has_unit: bool, speed_hz: float | None, has_lines: bool
    ) -> tuple[Refusal, ...]:
        found = []
        if judgement.reason is not None and judgement.remedy is not None:
            found.append(Refusal(judgement.reason, judgement.remedy))
        if not has_unit:
            found.append(UNIT_UNKNOWN)
        elif self.limits is None:
            found.append(LIMITS_NOT_GIVEN)
        if self.bearing is None:
            found.append(BEARING_UNKNOWN)
        if speed_hz is None:
            found.append(SPEED_UNKNOWN)
        if self.bearing is not None and speed_hz is not None and not has_lines:
            found.append(LINES_NOT_SEARCHABLE)
        return tuple(dict.fromkeys(found))
