"""How `palier analyze` tells its results to programs: one object a record, keys that do not change.

Keys are only ever added; docs/data-scientist.md lists them. What is not known is null, never NaN.
"""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import Any, Final

from models.advice import Advice
from models.detection.sensors import Verdict
from models.diagnosis.bearings import BearingFinding
from models.diagnosis.types import Diagnosis, EvidenceItem
from models.types import Refusal
from palier.analysis import ChannelAnalysis, RecordAnalysis

RPM_PER_HZ: Final = 60.0

_WORST_FIRST: Final = (Verdict.REFUSED, Verdict.DEGRADED, Verdict.OK)


def as_json(record: RecordAnalysis) -> dict[str, Any]:
    """A record: zone, state, faults and reasons by their keys.

    `features` are those of the channel that speaks for the record, whose name is `channel`; `channels` has
    those of each.
    """
    said, worst, leading = record.judgement, record.worst, record.leading
    return {
        "record": record.record,
        "labels": dict(record.labels),
        "unit": record.unit,
        "fs_hz": record.fs_hz,
        "n_samples": record.n_samples,
        "rpm": record.rpm,
        "rpm_sigma": record.rpm_sigma,
        "speed_hz": None if record.rpm is None else record.rpm / RPM_PER_HZ,
        "speed_sigma_hz": None if record.rpm_sigma is None else record.rpm_sigma / RPM_PER_HZ,
        "speed_source": record.speed_source,
        "quality": _quality(*record.channels),
        "state": said.state,
        "zone": said.zone,
        "channel": worst.channel,
        "features": dict(worst.features),
        "diagnosis": [
            _diagnosis(found, advice) for found, advice in zip(record.diagnosis, record.advice, strict=True)
        ],
        "refusal": None if record.refusal is None else asdict(record.refusal),
        "not_judged": [asdict(refusal) for refusal in record.refusals],
        "doubts": [asdict(doubt) for doubt in record.doubts],
        "bearing": _bearing(record.bearing),
        "leading": None if leading is None else leading.defect,
        "channels": [_channel(channel) for channel in record.channels],
    }


def _channel(channel: ChannelAnalysis) -> dict[str, Any]:
    told = asdict(replace(channel, bearing=None))
    del told["sensor"]  # it is the quality's
    return told | {
        "state": channel.judgement.state,
        "zone": channel.judgement.zone,
        "quality": _quality(channel),
        "bearing": _bearing(channel.bearing),
    }


def _quality(*channels: ChannelAnalysis) -> dict[str, Any]:
    """What is the matter with the signals: "ok", "degraded", or "refused" where one of them is not judged."""
    verdicts = {channel.quality for channel in channels}
    reasons = dict.fromkeys(refusal.reason for channel in channels for refusal in channel.sensor)
    return {"verdict": next(v for v in _WORST_FIRST if v in verdicts), "reasons": list(reasons)}


def _diagnosis(found: Diagnosis, advice: Advice) -> dict[str, Any]:
    return {
        "fault": found.fault,
        "confidence": found.confidence,
        "severity": found.severity,
        "evidence": [_evidence(item) for item in found.evidence],
        "not_separated": list(found.not_separated),
        "separate_by": list(found.separate_by),
        "advice": {
            "action": advice.action,
            "deadline_h": advice.deadline_h,
            "task": advice.task,
            "confirm": list(advice.confirm),
        },
    }


def _bearing(found: BearingFinding | Refusal | None) -> dict[str, Any] | None:
    """A finding, named or not, or the refusal in its place."""
    if found is None:
        return None
    if isinstance(found, Refusal):
        return {"fault": None, "refusal": asdict(found)}
    return {
        "fault": found.fault,
        "leading": found.leading,
        "confidence": found.confidence,
        "scores": dict(found.scores),
        "evidence": [_evidence(item) for item in found.evidence],
        "not_separated": list(found.not_separated),
        "speed_hz": _known(found.speed_hz),
        "band_hz": [_known(edge) for edge in found.band_hz],
        "refusal": None,
    }


def _evidence(item: EvidenceItem) -> dict[str, Any]:
    return {
        "key": item.key,
        "weight": item.weight,
        "met": item.met,
        "needed": item.needed,
        "params": {name: _known(value) for name, value in item.params.items()},
        "feature": item.feature,
        "point": item.point,
    }


def _known(value: float | str) -> float | str | None:
    """A value as JSON has it, which knows no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
