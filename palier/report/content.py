"""From what was found to what the report says. Pure: the same values lead to the same report."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Final

import numpy as np

from models.detection.zones import LimitSet, judge
from models.types import PointSpec, Quantity, State, is_ambient
from palier.local_time import local

from .advised import diagnoses_of, is_current, recommendations_of
from .figures import spectrum_figures, temperature_limits, trend_figures
from .found import ChannelFound, Course, Found, LifeFound, ReadingFound
from .gaps import gaps_of
from .values import (
    BaselineLine,
    Event,
    Head,
    LevelLine,
    LifeLine,
    LimitLine,
    Measure,
    PointLine,
    ReadingLine,
    Report,
    Sensor,
    Speed,
)

_DATA: Final = (
    *("machine", "start_ns", "at_ns", "channels", "readings", "spectra", "states", "diagnoses", "lives"),
    *("baseline", "levels", "alarms", "interventions", "verdicts"),
)

BEGINNING: Final = 0.05
"""Share of a trend that is "the first data of the period": their median is compared with what is now."""


def report_of(found: Found, *, version: str) -> Report:
    """The report on what was found, by Palier of this version."""
    machine = found.machine
    diagnoses = diagnoses_of(found)
    levels = tuple(line for one in found.channels if (line := _level(found, one)) is not None)
    temperatures = _readings(found, Quantity.TEMPERATURE)
    speed = _speed(found)
    limits = _limits(found, temperatures)
    return Report(
        head=_head(found),
        verdict=next((one for one in found.states if not one.point), None),
        points=tuple(_point(found, point) for point in machine.points),
        point_verdicts=tuple(one for one in found.states if one.point),
        speed=speed,
        loads=(*_readings(found, Quantity.LOAD), *_loads(found)),
        limits=limits,
        levels=levels,
        temperatures=temperatures,
        spectra=spectrum_figures(found),
        trends=trend_figures(found),
        diagnoses=diagnoses,
        lives=tuple(_life(found, one) for one in found.lives),
        recommendations=recommendations_of(found, diagnoses),
        events=tuple(sorted(_events(found), key=lambda event: event.ts_ns)),
        gaps=gaps_of(found, speed=speed, limits=limits, levels=levels),
        baseline=_baseline(found),
        version=version,
        fingerprint=fingerprint_of(found),
    )


def fingerprint_of(found: Found) -> str:
    """SHA-256 of what was read of the machine: the same data give the same text, whenever they are read."""
    told = {name: _plain(getattr(found, name)) for name in _DATA}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def plain(report: Report) -> dict[str, Any]:
    """The report for programs: what JSON holds, None for a number that is not known."""
    return dict(_plain(report))


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, np.ndarray):
        return hashlib.sha256(value.tobytes()).hexdigest()  # of a fingerprint: a report has none
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if hasattr(value, "items"):
        return {_name(key): _plain(one) for key, one in value.items()}
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _name(key: object) -> str:
    return "/".join(key) if isinstance(key, tuple) else str(key)


def _head(found: Found) -> Head:
    plant, machine = found.plant, found.machine
    at = local(found.at_ns, plant.timezone)
    return Head(
        number=f"{machine.id}-{at:%Y%m%d-%H%M}",
        site_id=plant.site_id,
        site=plant.site_name,
        timezone=plant.timezone,
        machine=machine.id,
        name=machine.name,
        kind=machine.kind,
        criticality=machine.criticality,
        power_kw=machine.power_kw,
        nominal_rpm=machine.speed_rpm,
        speed_source=machine.speed_source,
        start_ns=found.start_ns,
        at_ns=found.at_ns,
        made_ns=found.made_ns,
    )


def _point(found: Found, point: PointSpec) -> PointLine:
    bearing = point.bearing
    lasting = {
        one.place[1]: 1 / one.resolution_hz
        for one in found.spectra
        if one.place[0] == point.id and one.of_waveform and one.resolution_hz
    }  # of the blocks that came; before the first what the plant announces
    sensors = tuple(
        Sensor(
            c.id,
            str(c.quantity),
            c.unit,
            c.direction,
            c.fs_hz,
            lasting.get(c.id, c.n_samples / c.fs_hz if c.n_samples and c.fs_hz else None),
        )
        for c in point.channels
    )
    return PointLine(
        point=point.id,
        name=point.name,
        mounting=point.mounting,
        shaft_order=point.shaft_order,
        sensors=sensors,
        bearing=bearing.designation if bearing else None,
        bearing_source=bearing.source if bearing else "",
        bearing_verified=found.verified.get(bearing.designation, "none") if bearing else "none",
        bearing_estimated=bearing.estimated if bearing else False,
        bearing_orders=bearing.orders if bearing else (),
    )


def _speed(found: Found) -> Speed:
    """That of the machine: of each channel's shaft by its order, the channel with most blocks speaks."""
    machine = found.machine
    orders = {point.id: point.shaft_order for point in machine.points}
    speeds = max((one.rpm for one in found.channels), key=len, default=())
    place = next((one.place for one in found.channels if one.rpm == speeds), ("", ""))
    if not speeds:
        return Speed(None, None, 0, measured=False)
    rpm = np.array(speeds) / orders.get(place[0], 1.0)
    nominal = machine.speed_source == "fixed" and machine.speed_rpm is not None
    stated = nominal and bool(np.allclose(rpm, machine.speed_rpm or 0.0, rtol=1e-6))
    spread = None if stated or len(rpm) < 2 else float(rpm.std(ddof=1))
    return Speed(float(np.median(rpm)), spread, len(rpm), measured=not stated)


def _limits(found: Found, temperatures: Sequence[ReadingLine]) -> tuple[LimitLine, ...]:
    by_id: dict[str, list[str]] = {}
    for point in found.machine.points:
        if point.limits is not None and point.limits in found.limits:
            by_id.setdefault(point.limits, []).append(point.id)
    housings = [line.point for line in temperatures if line.state is not None]
    if housings:
        by_id[temperature_limits(found.machine)] = housings
    return tuple(_limit(found.limits[name], points) for name, points in by_id.items())


def _limit(row: LimitSet, points: Sequence[str]) -> LimitLine:
    return LimitLine(
        points=tuple(points),
        id=row.id,
        standard=row.standard,
        edition=row.edition,
        scope=row.scope,
        support=row.support,
        quantity=row.quantity,
        band_hz=row.band_hz,
        names=row.names,
        values=row.values,
        verified_by=row.verified_by,
        source=row.source,
    )


def _level(found: Found, channel: ChannelFound) -> LevelLine | None:
    """The levels of a channel, None where no block of it came in the period."""
    block, (point_id, channel_id) = channel.block, channel.place
    point = found.machine.point(point_id)
    if block is None or point is None:
        return None
    spec = next(c for c in point.channels if c.id == channel_id)
    limits = found.limits.get(point.limits or "")
    shaft_hz = None if block.shaft_rpm is None else block.shaft_rpm / 60
    feature = limits.feature(shaft_hz) if limits else "velocity_rms_mm_s"
    said = judge(block.features.get(feature), limits, unit=spec.unit, fs_hz=spec.fs_hz, speed_hz=shaft_hz)
    measures = {
        name: _measure(found, channel, name)
        for name in (feature, "acceleration_rms_m_s2", "acceleration_peak_m_s2", "envelope_rms_m_s2")
    }
    return LevelLine(
        point=point_id,
        channel=channel_id,
        direction=spec.direction,
        ts_ns=block.ts_ns,
        velocity=measures[feature],
        velocity_feature=feature,
        zone=said.zone,
        limit_name=said.limit_name,
        state=None if said.judged is None and said.state is not State.STOPPED else str(said.state),
        acceleration=measures["acceleration_rms_m_s2"],
        peak=measures["acceleration_peak_m_s2"],
        crest=block.features.get("crest_factor"),
        envelope=measures["envelope_rms_m_s2"],
    )


def _measure(found: Found, channel: ChannelFound, feature: str) -> Measure:
    value = channel.block.features.get(feature) if channel.block else None
    healthy = found.levels.get(channel.place, {}).get(feature)
    return Measure(value, healthy, _beginning(channel.courses.get(feature)))


def _beginning(course: Course | None) -> float | None:
    """The median of the first stretches of a course; None where all of it is but a moment."""
    if course is None or len(course) < 2:
        return None
    first = course.times_s <= course.times_s[0] + BEGINNING * (course.times_s[-1] - course.times_s[0])
    return float(np.median(course.mean[first]))


def _readings(found: Found, quantity: Quantity) -> tuple[ReadingLine, ...]:
    kind = {(p.id, c.id): c for p in found.machine.points for c in p.channels}
    return tuple(
        _reading(found, one, quantity) for one in found.readings if kind[one.place].quantity is quantity
    )


def _reading(found: Found, one: ReadingFound, quantity: Quantity) -> ReadingLine:
    point = found.machine.point(one.place[0])
    limits = found.limits.get(temperature_limits(found.machine)) if quantity is Quantity.TEMPERATURE else None
    housing = point is not None and point.bearing is not None and not is_ambient(*one.place)
    said = judge(one.value, limits) if limits and housing else None
    return ReadingLine(
        point=one.place[0],
        channel=one.place[1],
        quantity=str(quantity),
        ts_ns=one.ts_ns,
        value=one.value,
        unit=one.unit,
        before=_beginning(one.course),
        limit_name=said.limit_name if said else None,
        state=str(said.judged) if said else None,
    )


def _loads(found: Found) -> list[ReadingLine]:
    """The load that came with the blocks whose spectra are shown, once each."""
    told = {(one.place[0], one.ts_ns): one.load_percent for one in found.spectra}
    return [
        ReadingLine(point, "", str(Quantity.LOAD), ts_ns, percent, "%", None, None, None)
        for (point, ts_ns), percent in told.items()
        if percent is not None
    ]


def _life(found: Found, one: LifeFound) -> LifeLine:
    told = {f.name: getattr(one, f.name) for f in fields(LifeFound)}
    return LifeLine(**told, current=is_current(found, one.point, one.ts_ns))


def _baseline(found: Found) -> BaselineLine | None:
    one = found.baseline
    if one is None:
        return None
    return BaselineLine(one.version, str(one.status), one.opened_ns, one.since_ns, one.progress, one.by)


def _events(found: Found) -> Iterator[Event]:
    for alarm in found.alarms:
        detail = _detail(alarm.detail)
        yield Event(
            "alarm",
            alarm.ts_ns,
            alarm.point,
            str(detail.get("what") or alarm.state),
            level=str(detail.get("level") or ""),
            mode=str(detail.get("mode") or ""),
            by=str(detail.get("who") or ""),
            text=str(detail.get("why") or ""),
            fault=str(detail.get("fault") or ""),
        )
    for done in found.interventions:
        yield Event(
            "intervention", done.at_ns, done.point, done.kind, text=done.text, by=done.user, cause=done.cause
        )
    for said in found.verdicts:
        parts = said.alarm.split("/")
        point = parts[1] if len(parts) == 3 else ""
        yield Event(
            "verdict",
            said.ts_ns,
            point,
            said.verdict,
            text=said.text,
            by=said.user,
            cause=said.cause,
            fault=said.found or said.fault,
        )


def _detail(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
