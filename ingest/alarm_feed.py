"""What a batch says of points, machines and gateways, as events for the alarms. Pure.

This is the one place where a judgement becomes evidence of an alarm: what judges a point in another way than
by limits is added here.

Rules
1. Only live frames speak, and only of points that the plant knows.
2. What is known of the shaft comes before what its block says: a machine that stands still suppresses.
3. A machine at rest says nothing of its sensors: they are as quiet as dead ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np

from models.advice import Lasting
from models.detection.measured import feature_of
from models.detection.zones import Judgement, LimitSet, worst_of
from models.features.catalogue import CATALOGUE
from models.types import MachineSpec, PointSpec, Quantity, Refusal, State
from palier.alarm_finding import Finding
from palier.alarms import AlarmKey, Cause, Level, Mode
from palier.frames import Readings, split_channel

from .alarm_evidence import finding_of, of_judgement, of_sensor
from .alarm_life import Evidence
from .alarm_rapid import Rapid
from .alarms import Diagnosed, Event, Running
from .batch import WorkFrame
from .judging import Assessed, judge_temperatures, judge_velocities
from .knowledge import Knowledge
from .watch import Verdict
from .watch_diagnosis import Examined
from .watch_parts import Place
from .watch_states import BASELINE

VELOCITY: Final = "velocity_rms_mm_s"
"""What a point without limits is shown by."""

TEMPERATURE: Final = "temperature_c"
RESIDUAL: Final = "temperature_residual_k"
"""A housing beside what ambient, load and speed explain: the detector's word, and so of its point's alarm."""

LOUD: Final = ("danger", "far", "alert")
"""Tests of single columns that alert; what else may be on is a watch, or has no column."""

NO_VERDICTS: Final[Mapping[int, Verdict]] = MappingProxyType({})
NOTHING_LASTS: Final[Mapping[Place, Lasting]] = MappingProxyType({})

Doubts = tuple[tuple[str, Refusal], ...]
"""(channel, why it is doubted)."""

Found = Mapping[tuple[Place, int], Finding]
"""What examinations found, by place and time of the block."""

_UNITS: Final = {spec.name: spec.unit for spec in CATALOGUE} | {TEMPERATURE: "°C", RESIDUAL: "K"}


def events_of(
    assessed: Iterable[Assessed],
    works: Iterable[WorkFrame],
    knowledge: Knowledge,
    examined: Sequence[Examined] = (),
    verdicts: Mapping[int, Verdict] = NO_VERDICTS,
    *,
    lasting: Mapping[Place, Lasting] = NOTHING_LASTS,
) -> tuple[Event, ...]:
    """What the live blocks and the live readings of a batch say, and what was `examined` of them. `verdicts`
    are the detector's, by place in `assessed`; `lasting` is how long points last.
    """
    found = {(one.watched.place, one.ts_ns): finding_of(one) for one in examined if not one.late}
    events: list[Event] = [_of_late(one, lasting) for one in examined if one.late]
    for i, entry in enumerate(assessed):
        if entry.work.live:
            events += _of_block(entry, knowledge, found, verdicts.get(i), lasting)
    for work in works:
        if work.live and isinstance(work.frame, Readings):
            events += _of_readings(work, work.frame, knowledge)
    return tuple(events)


def _of_late(one: Examined, lasting: Mapping[Place, Lasting]) -> Diagnosed:
    site, machine, point = one.watched.place
    key = AlarmKey(site, machine, point, Mode.VIBRATION)
    return Diagnosed(key, one.ts_ns, finding_of(one), lasting.get(one.watched.place))


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
    warm = _warmth(verdict)
    if not causes and not (warm and entry.said.limit_name is None):  # the limits speak
        causes = vibration.causes
    yield replace(vibration, found=mine, causes=causes + warm, lasting=lasting.get(place))
    if shaft_hz != 0:
        for at, doubts in _of_sensors(entry, machine).items():
            key = AlarmKey(site, block.machine, at, Mode.SENSOR)
            yield of_sensor(key, doubts, block.start_ns, frame=entry.work.text)


def _of_sensors(entry: Assessed, machine: MachineSpec) -> dict[str, Doubts]:
    """By point what is doubted of its sensors: of the block's own, and of one that has a load and no
    vibration, of which no block of its own would tell.
    """
    block, scored = entry.scored.block, entry.scored
    found: dict[str, Doubts] = {p.id: () for p in machine.points if _is_slow(p)}
    found[block.point] = tuple(
        (channel, doubt)
        for channel, refusal, doubts in zip(block.channels, scored.refusals, scored.doubts, strict=True)
        for doubt in (doubts if refusal is None else (refusal,))
    )
    for name, refusal in scored.stuck:
        point, channel = split_channel(name)
        if point in found:
            found[point] = (*found[point], (channel, refusal))
    return found


def _is_slow(point: PointSpec) -> bool:
    """Whether it has a load and no vibration."""
    quantities = {channel.quantity for channel in point.channels}
    return Quantity.LOAD in quantities and Quantity.ACCELERATION not in quantities


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


def _warmth(verdict: Verdict | None) -> tuple[Cause, ...]:
    """A housing that is warmer than expected, where the detector says so; without a value once it can't be
    told any more: the alert stands until it is known to be over.
    """
    danger = verdict is not None and "residual_danger" in verdict.tests
    if verdict is None or not (danger or "residual" in verdict.tests):
        return ()
    value = None if np.isnan(verdict.residual_k) else verdict.residual_k
    part, level = verdict.watched.part, Level.DANGER if danger else Level.ALERT
    alert, above = part.residual_alert, part.residual_danger
    return (Cause(RESIDUAL, value, _UNITS[RESIDUAL], alert, above, level=level),)


def _of_readings(work: WorkFrame, readings: Readings, knowledge: Knowledge) -> Iterator[Event]:
    machine = knowledge.machine(work.site, readings.machine)
    if machine is None:
        return
    limits = knowledge.temperature_limits(work.site, readings.machine)
    said: dict[str, list[tuple[int, Judgement]]] = {}
    for point, judgement, ts_ns in judge_temperatures(work.site, readings, knowledge):
        said.setdefault(point, []).append((ts_ns, judgement))
    yield from _of_velocities(work, readings, machine, knowledge)
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


def _of_velocities(
    work: WorkFrame, readings: Readings, machine: MachineSpec, knowledge: Knowledge
) -> Iterator[Event]:
    """Danger readings: evidence of the same alarm as the blocks of their point. No gateway's make those of
    another late.
    """
    edge = work.id.edge if work.id is not None else ""
    for point_id, said, ts_ns, sensor in judge_velocities(work.site, readings, knowledge):
        point = knowledge.point(work.site, machine.id, point_id)
        limits = None if point is None else knowledge.limits(point.limits)
        yield Rapid(
            of_judgement(
                AlarmKey(work.site, machine.id, point_id, Mode.VIBRATION),
                said,
                ts_ns,
                feature=VELOCITY,
                unit=_UNITS[VELOCITY],
                frame=work.text,
                criticality=machine.criticality,
                limits=_bounds(limits),
            ),
            f"{edge}/{sensor}",
        )


def _bounds(limits: LimitSet | None) -> tuple[float | None, float | None]:
    """Where alert and danger begin."""
    return (None, None) if limits is None else (limits.limit_of(State.ALERT), limits.limit_of(State.DANGER))
