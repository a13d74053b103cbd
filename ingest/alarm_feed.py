"""What a batch says of points, machines and gateways, as events for the alarms. Pure.

This is the one place where a judgement becomes evidence of an alarm: what judges a point in another way than
by limits is added here.

Rules
1. Only live frames speak, and only of points that the plant knows.
2. What is known of the shaft comes before what its block says: a machine that stands still suppresses.
3. A machine at rest says nothing of its sensors: they are as quiet as dead ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np

from models.advice import Lasting
from models.detection.measured import feature_of
from models.detection.zones import Judgement, LimitSet, worst_of
from models.features.catalogue import CATALOGUE
from models.types import MachineSpec, PointSpec, State
from palier.alarm_finding import Finding
from palier.alarms import AlarmKey, Cause, Level, Mode
from palier.frames import Readings

from .alarm_evidence import finding_of, of_judgement, of_sensor
from .alarm_life import Evidence
from .alarms import Event, Running
from .batch import WorkFrame
from .judging import Assessed, judge_temperatures
from .knowledge import Knowledge
from .watch import Verdict
from .watch_diagnosis import Examined
from .watch_parts import Place
from .watch_states import BASELINE

VELOCITY: Final = "velocity_rms_mm_s"
"""What a point without limits is shown by."""

TEMPERATURE: Final = "temperature_c"

LOUD: Final = ("danger", "far", "alert")
"""Tests of single columns that alert; what else may be on is a watch, or has no column."""

NO_VERDICTS: Final[Mapping[int, Verdict]] = MappingProxyType({})
NOTHING_LASTS: Final[Mapping[Place, Lasting]] = MappingProxyType({})

Found = Mapping[tuple[Place, int], Finding]
"""What examinations found, by place and time of the block."""

_UNITS: Final = {spec.name: spec.unit for spec in CATALOGUE} | {TEMPERATURE: "°C"}


def events_of(
    assessed: Iterable[Assessed],
    works: Iterable[WorkFrame],
    knowledge: Knowledge,
    examined: Iterable[Examined] = (),
    verdicts: Mapping[int, Verdict] = NO_VERDICTS,
    *,
    lasting: Mapping[Place, Lasting] = NOTHING_LASTS,
) -> tuple[Event, ...]:
    """What the live blocks and the live readings of a batch say, and what was `examined` of them. `verdicts`
    are the detector's, by place in `assessed`; `lasting` is how long points last.
    """
    found = {(one.watched.place, one.ts_ns): finding_of(one) for one in examined}
    events: list[Event] = []
    for i, entry in enumerate(assessed):
        if entry.work.live:
            events += _of_block(entry, knowledge, found, verdicts.get(i), lasting)
    for work in works:
        if work.live and isinstance(work.frame, Readings):
            events += _of_readings(work, work.frame, knowledge)
    return tuple(events)


def _of_block(
    entry: Assessed,
    knowledge: Knowledge,
    found: Found,
    verdict: Verdict | None,
    lasting: Mapping[Place, Lasting],
) -> Iterator[Event]:
    block, site, shaft_hz = entry.scored.block, entry.work.site, entry.scored.shaft_hz
    machine = knowledge.machine(site, block.machine)
    point = knowledge.point(site, block.machine, block.point)
    if machine is None or point is None:
        return
    if shaft_hz is not None:
        yield Running(site, block.machine, shaft_hz != 0, block.start_ns)
    vibration = _of_vibration(entry, machine, point, knowledge.limits(point.limits))
    place = (site, block.machine, block.point)
    mine = found.get((place, block.start_ns))
    by_baseline = verdict is not None and entry.said.limit_name == BASELINE
    causes = _columns(verdict, vibration.level) if verdict is not None and by_baseline else ()
    yield replace(vibration, found=mine, causes=causes or vibration.causes, lasting=lasting.get(place))
    if shaft_hz != 0:
        yield of_sensor(
            AlarmKey(site, block.machine, block.point, Mode.SENSOR),
            tuple(
                (channel, doubt)
                for channel, refusal, doubts in zip(
                    block.channels, entry.scored.refusals, entry.scored.doubts, strict=True
                )
                for doubt in (doubts if refusal is None else (refusal,))
            ),
            block.start_ns,
            frame=entry.work.text,
        )


def _of_vibration(
    entry: Assessed, machine: MachineSpec, point: PointSpec, limits: LimitSet | None
) -> Evidence:
    feature = limits.feature(entry.scored.shaft_hz) if limits else VELOCITY
    return of_judgement(
        AlarmKey(entry.work.site, machine.id, point.id, Mode.VIBRATION),
        entry.said,
        entry.scored.block.start_ns,
        feature=feature,
        unit=_UNITS.get(feature, ""),
        frame=entry.work.text,
        criticality=machine.criticality,
        limits=_bounds(limits),
    )


def _columns(verdict: Verdict, level: Level | None) -> tuple[Cause, ...]:
    """The columns that are above a limit of their own, where it is the baseline that speaks."""
    loud = {name for test in LOUD for name in verdict.tests.get(test, ())}
    one = verdict.watched
    return tuple(
        Cause(
            feature_of(name),
            float(verdict.x[i]),
            _UNITS.get(feature_of(name), ""),
            alert=float(verdict.alert[i]),
            danger=one.danger if name in one.zoned and np.isfinite(one.danger) else None,
            level=level,
            channel=name.partition("/")[0],
        )
        for i, name in enumerate(one.names)
        if level is not None and name in loud and np.isfinite((verdict.x[i], verdict.alert[i])).all()
    )


def _of_readings(work: WorkFrame, readings: Readings, knowledge: Knowledge) -> Iterator[Event]:
    machine = knowledge.machine(work.site, readings.machine)
    if machine is None:
        return
    limits = knowledge.temperature_limits(work.site, readings.machine)
    said: dict[str, list[tuple[int, Judgement]]] = {}
    for point, judgement, ts_ns in judge_temperatures(work.site, readings, knowledge):
        said.setdefault(point, []).append((ts_ns, judgement))
    for point, told in said.items():  # of several sensors in one housing the worst speaks
        yield of_judgement(
            AlarmKey(work.site, machine.id, point, Mode.TEMPERATURE),
            worst_of(judgement for _, judgement in told),
            max(ts_ns for ts_ns, _ in told),
            feature=TEMPERATURE,
            unit=_UNITS[TEMPERATURE],
            frame=work.text,
            criticality=machine.criticality,
            limits=_bounds(limits),
        )


def _bounds(limits: LimitSet | None) -> tuple[float | None, float | None]:
    """Where alert and danger begin."""
    return (None, None) if limits is None else (limits.limit_of(State.ALERT), limits.limit_of(State.DANGER))
