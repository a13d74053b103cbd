"""What could not be assessed and why, and what holds with a reserve only: as much a part of a report as what
was found. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from models.types import PointSpec, Quantity, State, is_ambient
from palier.operations import BaselineStatus

from .found import ChannelFound, Found
from .values import Gap, LevelLine, LimitLine, Speed

STALE_H: Final = 24.0
"""Older than a day a block says what was, not what is."""

RADIAL_AND_AXIAL: Final = ("H", "V", "A")

WEAK_MOUNTS: Final = ("magnet", "handheld")
"""Mounts whose own resonance narrows the band (ISO 5348)."""

NOBODY: Final = ("none", "two public sources")
"""Of limits: nobody has held the standard against them; of a bearing: nor its maker's data."""


def gaps_of(
    found: Found, *, speed: Speed, limits: Sequence[LimitLine], levels: Sequence[LevelLine]
) -> tuple[Gap, ...]:
    """Everything that is missing, then every reserve; each once."""
    gaps = [
        *_lost(found),
        *_machine(found, speed),
        *(gap for point in found.machine.points for gap in _point(found, point, levels)),
        *(gap for one in found.channels for gap in _channel(found, one)),
        *_answers(found),
        *_reserves(found, speed, limits),
        Gap("phase"),
    ]
    together: dict[tuple[object, ...], list[Gap]] = {}
    for gap in gaps:
        told = tuple(sorted((gap.params or {}).items()))
        together.setdefault((gap.reserve, gap.key, told, gap.reason, gap.remedy), []).append(gap)
    joined = [replace(some[0], place=_places(some)) for some in together.values()]
    return tuple(sorted(joined, key=lambda gap: gap.reserve))


def _places(gaps: Sequence[Gap]) -> str:
    """Where the same is missing."""
    return ", ".join(dict.fromkeys(gap.place for gap in gaps if gap.place))


def _lost(found: Found) -> Iterator[Gap]:
    for one in found.lost:
        yield Gap(f"lost_{one.what}", params={"sentence": one.sentence})


def _machine(found: Found, speed: Speed) -> Iterator[Gap]:
    if not found.states:
        yield Gap("state", reason="no_data", remedy="check_gateway")
    if speed.rpm is None:
        yield Gap("speed", reason="speed_unknown", remedy="give_speed")
    if not _has(found, Quantity.LOAD) and all(one.load_percent is None for one in found.spectra):
        yield Gap("load")
    if found.baseline is None:
        yield Gap("baseline", reason="baseline_too_short", remedy="finish_learning")
    elif found.baseline.status is BaselineStatus.LEARNING:
        told = {"progress": 100 * found.baseline.progress}
        yield Gap("baseline_learning", params=told, reason="baseline_too_short", remedy="finish_learning")
    if _has(found, Quantity.TEMPERATURE) and not any(is_ambient(*one.place) for one in found.readings):
        yield Gap("temperature_rise", reason="ambient_unknown", remedy="give_ambient")


def _has(found: Found, quantity: Quantity) -> bool:
    return any(c.quantity is quantity for p in found.machine.points for c in p.channels)


def _point(found: Found, point: PointSpec, levels: Sequence[LevelLine]) -> Iterator[Gap]:
    vibration = [c for c in point.channels if c.quantity is Quantity.ACCELERATION]
    if not vibration:
        yield Gap("vibration", point.id, reason="no_vibration_channel", remedy="add_to_plant")
        return
    if point.limits is None:
        yield Gap("limits", point.id, reason="limits_not_given", remedy="name_limits")
    if point.bearing is None:
        yield Gap("bearing", point.id, reason="bearing_unknown", remedy="name_bearing")
    if not any(c.quantity is Quantity.TEMPERATURE for c in point.channels):
        yield Gap("temperature", point.id)
    missing = [d for d in RADIAL_AND_AXIAL if d not in {c.direction for c in vibration}]
    if missing:
        yield Gap("directions", point.id, {"directions": ", ".join(missing)})
    if not any(one.place[0] == point.id for one in found.spectra):
        yield Gap("spectrum", point.id)
    yield from _unjudged(found, point, levels)


def _unjudged(found: Found, point: PointSpec, levels: Sequence[LevelLine]) -> Iterator[Gap]:
    for one in found.states:
        if one.point == point.id and one.reason:
            yield Gap("state", point.id, reason=one.reason, remedy=one.remedy or "")
    for line in levels:
        if line.point == point.id and point.limits and line.velocity.value is None:
            yield Gap(
                "level",
                f"{line.point}/{line.channel}",
                reason="band_too_narrow",
                remedy="raise_sampling_rate",
            )


def _channel(found: Found, one: ChannelFound) -> Iterator[Gap]:
    place = "/".join(one.place)
    point = found.machine.point(one.place[0])
    spec = next((c for c in point.channels if c.id == one.place[1]), None) if point else None
    if one.block is None:
        yield Gap("channel", place, reason="no_data", remedy="check_gateway")
    elif (found.at_ns - one.block.ts_ns) / 3.6e12 > STALE_H:
        hours = (found.at_ns - one.block.ts_ns) / 3.6e12
        yield Gap("stale", place, {"hours": hours}, remedy="check_gateway")
    if spec is not None and spec.unit == "unknown":
        yield Gap("unit", place, reason="unit_unknown", remedy="give_unit")


def _answers(found: Found) -> Iterator[Gap]:
    """Refused diagnoses and lives, and lives that nobody asked for."""
    for one in found.diagnoses:
        if one.fault == "refused":
            yield Gap("diagnosis", one.point, reason=one.reason or "", remedy=one.remedy or "")
    for life in found.lives:
        if life.method == "refused":
            yield Gap("life", life.point, reason=life.reason or "", remedy=life.remedy or "")
    told, states = {life.point for life in found.lives}, {one.point: one.state for one in found.states}
    for point in found.machine.points:
        if point.id in told or not any(c.quantity is Quantity.ACCELERATION for c in point.channels):
            continue
        calm = states.get(point.id) == State.NORMAL
        yield Gap("life", point.id, reason="no_degradation") if calm else Gap("life_none", point.id)


def _reserves(found: Found, speed: Speed, limits: Sequence[LimitLine]) -> Iterator[Gap]:
    for line in limits:
        if line.verified_by in NOBODY:
            yield Gap("limits_unverified", ", ".join(line.points), {"limits": line.id}, reserve=True)
    for point in found.machine.points:
        yield from _of_point(found, point)
    if speed.rpm is not None and not speed.measured:
        yield Gap("speed_nominal", reserve=True, remedy="measure_speed")
    for one in found.spectra:
        if not one.of_waveform:
            yield Gap("spectrum_thinned", one.place[0], reserve=True)
    if (found.made_ns - found.at_ns) / 3.6e12 > STALE_H:
        yield Gap("old", params={"hours": (found.made_ns - found.at_ns) / 3.6e12}, reserve=True)


def _of_point(found: Found, point: PointSpec) -> Iterator[Gap]:
    bearing = point.bearing
    if bearing is not None and bearing.estimated:
        told = {"bearing": bearing.designation}
        yield Gap("bearing_estimated", point.id, told, reserve=True)
    elif bearing is not None and found.verified.get(bearing.designation, NOBODY[0]) in NOBODY:
        yield Gap("bearing_unverified", point.id, {"bearing": bearing.designation}, reserve=True)
    if point.mounting in WEAK_MOUNTS:
        yield Gap(f"mounting_{point.mounting}", point.id, reserve=True)
