"""What is wrong with the machine of one recording, as far as a single record can tell.

The one place where `palier analyze` asks for a diagnosis. The channels of a record are those of one point:
the bearing rule is asked of each, and its answers join the other evidence for the faults of
`models.diagnosis`. A record has no history, so that what needs a baseline, a trend, a temperature or another
point is without evidence; faults of the shaft need a zone, and thereby a unit and limits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.advice import Advice, advise
from models.detection.zones import LimitSet
from models.diagnosis import BEARING_FAULTS, ChannelEvidence, Diagnosis, Evidence, PointEvidence, diagnose
from models.diagnosis.bearings import BearingFinding, diagnose_bearings, join_findings
from models.features.bands import SEARCH
from models.types import Bearing, ChannelSpec, MachineSpec, PointSpec, Quantity, Refusal

from .record_speed import RecordSpeed
from .recordings import Recording

POINT: Final = ""
"""A record says nothing of where it was taken: its evidence is that of the machine as a whole."""

_DIRECTION: Final = re.compile(r"(?:.*[^a-z])?(h|v|a)(?:orizontale?|erticale?|xiale?|xial)?", re.IGNORECASE)
"""H, V or A, in full or not, alone or behind a digit or a sign: "1H", "P2_V", "axial"; not "BA" nor "a1"."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one channel: features by name (None: unknown), and why it can't be judged, if so.

    `limits` are those that judged it, None where none did. `doubts` lower the trust in it.
    """

    channel: str
    features: Mapping[str, float | None]
    refusal: Refusal | None
    limits: LimitSet | None
    doubts: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class RecordDiagnosis:
    """What channels say, and all of them together.

    `channels` are the findings or refusals of the bearing rule for each, `bearing` those of all together,
    None where nobody asked (no bearing was told, or the shaft stands). `named` is at most three diagnoses,
    the surest first, empty where nothing is named; `advice` goes with each. `judged` is whether anything but
    the bearing was held against limits.
    """

    channels: tuple[BearingFinding | Refusal | None, ...]
    bearing: BearingFinding | Refusal | None
    named: tuple[Diagnosis, ...] = ()
    advice: tuple[Advice, ...] = ()
    judged: bool = False


def diagnose_record(
    recording: Recording, bearing: Bearing | None, speed: RecordSpeed, seen: Sequence[Seen]
) -> RecordDiagnosis:
    """Diagnoses a record, all of whose channels (`seen`) are of one point."""
    n = len(recording.samples)
    if speed.stands:
        return RecordDiagnosis((None,) * n, None)
    told: tuple[BearingFinding | Refusal | None, ...] = (None,) * n
    joined = None
    if bearing is not None:
        found = diagnose_bearings(
            recording.samples,
            recording.fs_hz,
            speed_hz=speed.hz,
            orders=bearing.orders,
            speed_sigma_hz=speed.sigma_hz,
        )
        answers = tuple(one.refusal or said for one, said in zip(seen, found, strict=True))
        told, joined = answers, join_findings(answers)
    machine = _machine(recording, bearing, speed)
    good = [one for one in seen if one.refusal is None]
    judged = any(one.limits is not None for one in good)
    named = diagnose(machine, _evidence(good, joined, speed)) if good else ()
    if isinstance(named, Refusal):  # that of a part, which the record's own refusals tell in full
        return RecordDiagnosis(told, joined, judged=judged)
    return RecordDiagnosis(told, joined, named, tuple(advise(one, machine) for one in named), judged)


def direction_of(channel: str) -> str:
    """The direction that the name of a channel tells: "H", "V", "A", or "" where it tells none."""
    found = _DIRECTION.fullmatch(channel.strip())
    return found[1].upper() if found else ""


def beside_shaft(named: Sequence[Diagnosis], bearing: Bearing | None) -> bool:
    """Whether a part of the bearing is named whose lines are looked for where the shaft's are."""
    if bearing is None:
        return False
    order_of = dict(zip(BEARING_FAULTS, bearing.orders, strict=True))
    orders = [order_of[one.fault] for one in named if one.fault in order_of]
    return any(abs(order / max(1, round(order)) - 1) <= SEARCH for order in orders)


def _machine(recording: Recording, bearing: Bearing | None, speed: RecordSpeed) -> MachineSpec:
    """A machine of which nobody said more than the record does."""
    channels = tuple(
        ChannelSpec(
            name,
            Quantity.ACCELERATION,
            recording.unit,
            direction_of(name),
            recording.fs_hz,
            recording.samples.shape[1],
        )
        for name in recording.channels
    )
    return MachineSpec(recording.name, (PointSpec(POINT, channels, bearing=bearing),), speed_rpm=speed.rpm)


def _evidence(good: Sequence[Seen], finding: BearingFinding | Refusal | None, speed: RecordSpeed) -> Evidence:
    """One block of one point."""
    channels = tuple(
        ChannelEvidence(
            one.channel,
            direction_of(one.channel),
            {name: _one(value) for name, value in one.features.items()},
            limits=one.limits,
            doubts=one.doubts,
        )
        for one in good
    )
    findings = () if finding is None else (finding,)
    return Evidence(
        (PointEvidence(POINT, channels, findings=findings),),
        1,
        speed_hz=_one(speed.hz),
        speed_sigma_hz=_one(speed.sigma_hz),
    )


def _one(value: float | None) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A series of one block."""
    return np.array([np.nan if value is None else value])
