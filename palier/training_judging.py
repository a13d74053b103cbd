"""What Palier's own rules say of the machine of an exercise: its last blocks against its first weeks. Pure.

A plant's machine learns a baseline of a thousand blocks; an exercise has some eighty, so that the reference
here is the median of its first two weeks. The rules, their evidence and their severity are those of `models`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.advice import Advice, advise_all
from models.detection.sensors import Verdict, assess
from models.detection.zones import LimitSet
from models.diagnosis import (
    ChannelEvidence,
    Diagnosis,
    Evidence,
    PointEvidence,
    diagnose,
    indicators,
    severity,
    views_of,
)
from models.diagnosis.bearings import BearingFinding
from models.features.catalogue import NAMES
from models.types import MachineSpec, PointSpec, Refusal

from .training import NOTHING, SENSOR

RECENT: Final = 5
"""Blocks that are judged: as many as the judgement of a plant's machine takes."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """The blocks of one channel, oldest first: hours (m,), features (m, n_features) in the catalogue's order,
    speed of the shaft in Hz (m,), temperature of the housing in °C (m,), all NaN where unknown. `finding` is
    what the bearing rule says of the last one. The first `healthy` blocks are the reference."""

    point: PointSpec
    channel: str
    hours: Floats
    table: Floats
    shaft_hz: Floats
    temperature_c: Floats
    healthy: int
    finding: BearingFinding | Refusal | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """Named faults, the surest first, with their advice; the severity 1..5 of the worst point; what is wrong
    with sensors, by point."""

    found: tuple[Diagnosis, ...]
    advice: tuple[Advice, ...]
    severity: int
    sensors: tuple[tuple[str, Refusal], ...]
    refusal: Refusal | None = None

    @property
    def name(self) -> str:
        """What a pupil would have to answer to say the same."""
        if self.sensors:
            return SENSOR
        return self.found[0].fault.value if self.found else NOTHING


def judged(machine: MachineSpec, measured: Sequence[Measured], limits: Mapping[str, LimitSet]) -> Judged:
    """What the rules say of a machine from its channels, at least one."""
    sensors = tuple((one.point.id, refusal) for one in measured for refusal in _sensor(one))
    good = [one for one in measured if not any(point == one.point.id for point, _ in sensors)]
    if not good:
        return Judged((), (), 1, sensors)
    evidence = _evidence(machine, good, limits)
    told = diagnose(machine, evidence)
    found = () if isinstance(told, Refusal) else told
    levels = [severity(indicators(view)).level for view in views_of(machine, evidence)]
    return Judged(
        found,
        advise_all(found, machine),
        max((*levels, *(one.severity for one in found)), default=1),
        sensors,
        told if isinstance(told, Refusal) else None,
    )


def _sensor(one: Measured) -> list[Refusal]:
    """What is wrong with a sensor in most of the last blocks."""
    channel = next(c for c in one.point.channels if c.id == one.channel)
    table = one.table[-RECENT:]
    told = assess(
        dict(zip(NAMES, table.T, strict=True)),
        n_samples=channel.n_samples,
        fs_hz=channel.fs_hz,
        speed_hz=one.shaft_hz[-RECENT:],
        reference={
            name: np.full(len(table), value) for name, value in zip(NAMES, _reference(one), strict=True)
        },
    )
    seen = told.found.sum(axis=0) > len(table) / 2
    rules = [
        rule
        for (rule, verdict), is_seen in zip(told.rules, seen, strict=True)
        if is_seen and verdict != Verdict.OK
    ]
    return list(dict.fromkeys(rules))


def _reference(one: Measured) -> Floats:
    """Medians of the healthy blocks (n_features,), NaN where nothing is known."""
    table = one.table[: one.healthy]
    known = np.isfinite(table).any(axis=0)
    out = np.full(table.shape[1], np.nan)
    out[known] = np.nanmedian(table[:, known], axis=0)
    return out


def _evidence(machine: MachineSpec, good: Sequence[Measured], limits: Mapping[str, LimitSet]) -> Evidence:
    n = min(RECENT, *(len(one.hours) for one in good))
    points = tuple(
        _point(point, [one for one in good if one.point is point], limits, n)
        for point in machine.points
        if any(one.point is point for one in good)
    )
    first = good[0]
    return Evidence(points, n, hours=first.hours[-n:], speed_hz=first.shaft_hz[-n:] / first.point.shaft_order)


def _point(
    point: PointSpec, channels: Sequence[Measured], limits: Mapping[str, LimitSet], n: int
) -> PointEvidence:
    directions = {channel.id: channel.direction for channel in point.channels}
    warm = channels[0].temperature_c
    usual = warm[: channels[0].healthy]
    expected_c = float(np.nanmedian(usual)) if np.isfinite(usual).any() else np.nan
    known = bool(np.isfinite(warm[-n:]).any())
    return PointEvidence(
        point.id,
        tuple(
            ChannelEvidence.of_table(
                one.channel,
                NAMES,
                one.table[-n:],
                direction=directions[one.channel],
                expected=_reference(one),
                limits=limits.get(point.limits or ""),
            )
            for one in channels
        ),
        temperature_c=warm[-n:] if known else None,
        residual_k=warm[-n:] - expected_c if known else None,
        findings=tuple(one.finding for one in channels if one.finding is not None),
    )
