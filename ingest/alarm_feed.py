"""What a batch says of points, machines and gateways, as events for the alarms. Pure.

This is the one place where a judgement becomes evidence of an alarm: what judges a point in another way than
by limits is added here.

Rules
1. Only live frames speak, and only of points that the plant knows.
2. What is known of the shaft comes before what its block says: a machine that stands still suppresses.
3. A machine at rest says nothing of its sensors: they are as quiet as dead ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from models.detection.zones import Judgement, LimitSet, worst_of
from models.features.catalogue import CATALOGUE
from models.types import MachineSpec, PointSpec, State
from palier.alarms import AlarmKey, Mode
from palier.frames import Readings

from .alarm_evidence import of_judgement, of_sensor
from .alarms import Event, Running
from .batch import WorkFrame
from .judging import Assessed, judge_temperatures
from .knowledge import Knowledge

VELOCITY: Final = "velocity_rms_mm_s"
"""What a point without limits is shown by."""

TEMPERATURE: Final = "temperature_c"

_UNITS: Final = {spec.name: spec.unit for spec in CATALOGUE} | {TEMPERATURE: "°C"}


def events_of(
    assessed: Iterable[Assessed], works: Iterable[WorkFrame], knowledge: Knowledge
) -> tuple[Event, ...]:
    """What the live blocks and the live readings of a batch say."""
    found: list[Event] = []
    for entry in assessed:
        if entry.work.live:
            found += _of_block(entry, knowledge)
    for work in works:
        if work.live and isinstance(work.frame, Readings):
            found += _of_readings(work, work.frame, knowledge)
    return tuple(found)


def _of_block(entry: Assessed, knowledge: Knowledge) -> Iterator[Event]:
    block, site, shaft_hz = entry.scored.block, entry.work.site, entry.scored.shaft_hz
    machine = knowledge.machine(site, block.machine)
    point = knowledge.point(site, block.machine, block.point)
    if machine is None or point is None:
        return
    if shaft_hz is not None:
        yield Running(site, block.machine, shaft_hz != 0, block.start_ns)
    yield _of_vibration(entry, machine, point, knowledge.limits(point.limits))
    if shaft_hz != 0:
        yield of_sensor(
            AlarmKey(site, block.machine, block.point, Mode.SENSOR),
            tuple(
                (channel, found)
                for channel, refusal, doubts in zip(
                    block.channels, entry.scored.refusals, entry.scored.doubts, strict=True
                )
                for found in (doubts if refusal is None else (refusal,))
            ),
            block.start_ns,
            frame=entry.work.text,
        )


def _of_vibration(entry: Assessed, machine: MachineSpec, point: PointSpec, limits: LimitSet | None) -> Event:
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
