"""One recording looked at by itself, without history: features, zone, lines of bearing defects, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from models.advice import Advice
from models.detection.sensors import Assessment, Verdict, assess, whole_numbers
from models.detection.zones import (
    BAND_TOO_NARROW,
    BLOCK_TOO_SHORT,
    UNIT_UNKNOWN,
    Judgement,
    LimitSet,
    judge,
    unknown,
    worst_of,
)
from models.diagnosis.bearings import BearingFinding
from models.diagnosis.types import Diagnosis
from models.features import Extractor, leading_defect
from models.features.catalogue import CATALOGUE
from models.features.stages.lines import CYCLES
from models.features.windows import spectral_length
from models.types import BEARING_DEFECTS, M_S2_PER_UNIT, Bearing, Refusal

from .record_diagnosis import RecordDiagnosis, Seen, beside_shaft, diagnose_record
from .record_speed import SPEED_UNKNOWN, RecordSpeed, seems_stopped, speed_of
from .recordings import Recording

LIMITS_NOT_GIVEN: Final = Refusal("limits_not_given", "name_limits")
BEARING_UNKNOWN: Final = Refusal("bearing_unknown", "name_bearing")
LINES_NOT_SEARCHABLE: Final = Refusal("lines_not_searchable", "lengthen_block")

RUNNING_UNKNOWN: Final = Refusal("running_unknown", "tell_running")
"""Zones are those of machines that run. No record tells that nothing turns: good machines are as quiet."""

SEEMS_STOPPED: Final = Refusal("seems_stopped", "check_running")
"""Nothing stands above the noise of a sensor: a machine at rest, or a sensor that hangs beside it."""

BESIDE_SHAFT: Final = Refusal("beside_shaft", "tell_tolerance")
"""Lines of the shaft are taken for those of this part where the speed is wrong by a percent."""

SPEED_REASONS: Final = {"speed_unknown", "speed_not_found", "speed_ambiguous"}
"""What says already that there is no speed, and why."""

REFUSALS: Final = (
    LIMITS_NOT_GIVEN,
    SPEED_UNKNOWN,
    BEARING_UNKNOWN,
    LINES_NOT_SEARCHABLE,
    RUNNING_UNKNOWN,
    SEEMS_STOPPED,
    BESIDE_SHAFT,
)
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
    not forbid to judge it, and what a zone stands on that nobody told. `bearing` is what the bearing rule
    says of this channel, or why it can say nothing; None where there is nothing to ask. `quality` is the
    verdict on the signal itself, `sensor` everything that is the matter with it.
    """

    channel: str
    features: Mapping[str, float | None]
    judgement: Judgement
    lines: tuple[DefectLine, ...]
    leading: DefectLine | None
    refusals: tuple[Refusal, ...]
    doubts: tuple[Refusal, ...] = ()
    unsearched: tuple[UnsearchedLine, ...] = ()
    bearing: BearingFinding | Refusal | None = None
    quality: str = Verdict.OK
    sensor: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordAnalysis:
    """A record and its channels.

    `rpm` is its speed, as it was given or estimated within a range: `speed_source` is "given", "estimated" or
    "unknown". `rpm_sigma` is the standard deviation of an estimate, or of a speed within a tolerance.
    `bearing` is what the bearing rule says of all channels together, `diagnosis` what is named, the surest
    first, `advice` what to do about each. `shaft_judged` is whether limits stood behind it.
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
    bearing: BearingFinding | Refusal | None = None
    diagnosis: tuple[Diagnosis, ...] = ()
    advice: tuple[Advice, ...] = ()
    shaft_judged: bool = False

    @property
    def judgement(self) -> Judgement:
        """That of the record: what is abnormal at one channel is, what is calm must be so at every one."""
        return worst_of(channel.judgement for channel in self.channels)

    @property
    def worst(self) -> ChannelAnalysis:
        """The channel that speaks for the record: the worst off, of equals the one that shakes most."""
        said = self.judgement
        own = [c for c in self.channels if (c.judgement.state, c.judgement.value) == (said.state, said.value)]
        return max(own, key=lambda c: c.features["velocity_rms_mm_s"] or 0.0, default=self.channels[0])

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Everything that could not be judged of any channel, each reason once."""
        return tuple(dict.fromkeys(refusal for c in self.channels for refusal in c.refusals))

    @property
    def doubts(self) -> tuple[Refusal, ...]:
        """Everything that lowers the trust in any channel, each reason once."""
        return tuple(dict.fromkeys(doubt for c in self.channels for doubt in c.doubts))

    @property
    def refusal(self) -> Refusal | None:
        """Why there is no diagnosis; None where there is one, or where the bearing shows nothing to name."""
        if self.diagnosis:
            return None
        by_speed = next((refusal for refusal in self.refusals if refusal.reason in SPEED_REASONS), None)
        if isinstance(self.bearing, Refusal):
            return by_speed if by_speed is not None and self.bearing == SPEED_UNKNOWN else self.bearing
        sick = all(channel.quality == Verdict.REFUSED for channel in self.channels)
        if sick and self.refusals:
            return self.refusals[0]
        told = [refusal for refusal in self.refusals if refusal in (BEARING_UNKNOWN, by_speed)]
        return told[0] if self.bearing is None and told else None

    @property
    def leading(self) -> DefectLine | None:
        """The leading defect of the channel where it stands highest."""
        found = [channel.leading for channel in self.channels if channel.leading is not None]
        return max(found, key=lambda line: line.bits, default=None)


@dataclass(slots=True)
class Analyzer:
    """Looks at records, each by itself; the bearing and the limits are those of all of them.

    `speed_range_hz` is where the speed of those that come without one is looked for, `speed_tolerance` (a
    share) how near to the one they come with, where that is no more than nominal.

    It keeps extractors between records of one length and rate, which changes no result.
    """

    bearing: Bearing | None = None
    limits: LimitSet | None = None
    speed_range_hz: tuple[float, float] | None = None
    speed_tolerance: float | None = None
    _extractors: dict[tuple[float, int], Extractor] = field(default_factory=dict)

    def analyze(self, recording: Recording) -> RecordAnalysis:
        """Raises ValueError where a record is no signal, e.g. a few samples."""
        n_samples = recording.samples.shape[1]
        speed = speed_of(recording, self.speed_range_hz, self.speed_tolerance)
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
        good = [i for i, refused in enumerate(health.refusals) if refused is None and levels]
        quiet = seems_stopped(
            recording,
            speed,
            *(by_name[name][good].tolist() for name in ("velocity_rms_mm_s", "acceleration_rms_m_s2")),
        )
        channels, said = self._look(recording, rows, speed, health)
        if quiet and not said.named:
            channels, said = self._look(recording, rows, RecordSpeed(0.0, speed.source), health)
            channels = _doubted(channels, SEEMS_STOPPED)
        if speed.source == "given" and speed.sigma_rpm is None and beside_shaft(said.named, self.bearing):
            channels = _doubted(channels, BESIDE_SHAFT)
        return _told(recording, speed, channels, said)

    def _look(
        self,
        recording: Recording,
        rows: npt.NDArray[np.float32],
        speed: RecordSpeed,
        health: Assessment,
    ) -> tuple[list[ChannelAnalysis], RecordDiagnosis]:
        """The channels of a shaft that turns, or stands, at `speed`, and what they say together."""
        channels = [self._channel(recording, i, row.tolist(), speed, health) for i, row in enumerate(rows)]
        return channels, diagnose_record(recording, self.bearing, speed, self._seen(channels, health))

    def _seen(self, channels: list[ChannelAnalysis], health: Assessment) -> list[Seen]:
        """What the diagnosis sees of the channels; limits only where they could judge."""
        return [
            Seen(
                channel.channel,
                channel.features,
                refusal,
                None if channel.judgement.judged is None else self.limits,
                channel.doubts,
            )
            for channel, refusal in zip(channels, health.refusals, strict=True)
        ]

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
            quality=str(health.verdict[i]),
            sensor=health.reasons(i),
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
        if self.limits is None:
            found.append(LIMITS_NOT_GIVEN)
        if self.bearing is None:
            found.append(BEARING_UNKNOWN)
        if speed.refusal is not None:
            found.append(speed.refusal)
        if self.bearing is not None and speed.hz is not None and not lines_told:
            found.append(LINES_NOT_SEARCHABLE)
        return tuple(dict.fromkeys(found))


def _doubted(channels: list[ChannelAnalysis], doubt: Refusal) -> list[ChannelAnalysis]:
    return [replace(channel, doubts=(doubt, *channel.doubts)) for channel in channels]


def _told(
    recording: Recording, speed: RecordSpeed, channels: list[ChannelAnalysis], said: RecordDiagnosis
) -> RecordAnalysis:
    return RecordAnalysis(
        record=recording.name,
        unit=recording.unit,
        fs_hz=recording.fs_hz,
        n_samples=recording.samples.shape[1],
        rpm=speed.rpm,
        rpm_sigma=speed.sigma_rpm,
        speed_source=speed.source,
        labels=recording.labels,
        channels=tuple(
            replace(channel, bearing=bearing, refusals=_with(channel.refusals, bearing))
            for channel, bearing in zip(channels, said.channels, strict=True)
        ),
        bearing=said.bearing,
        diagnosis=said.named,
        advice=said.advice,
        shaft_judged=said.judged,
    )


def _with(refusals: tuple[Refusal, ...], bearing: BearingFinding | Refusal | None) -> tuple[Refusal, ...]:
    """The refusals of a channel with that of the bearing rule, which says why lines could not be searched."""
    if not isinstance(bearing, Refusal) or bearing in refusals:
        return refusals
    reasons = {refusal.reason for refusal in refusals}
    told = tuple(refusal for refusal in refusals if refusal != LINES_NOT_SEARCHABLE)
    return told if bearing.reason in reasons or SPEED_REASONS & reasons else (*told, bearing)
