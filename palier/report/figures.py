"""Spectra with their markers and main lines, and trends, from what was found. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from models.features.bands import SEARCH, SLOW_BELOW_HZ, VELOCITY_BAND_HZ, VELOCITY_LOW_BAND_HZ
from models.features.catalogue import CATALOGUE
from models.types import BEARING_DEFECTS, MachineSpec, PointSpec, Quantity, is_ambient

from .found import ChannelFound, Course, Floats, Found, SpectrumFound
from .plots import thinned
from .values import Line, Marker, Peak, SpectrumFigure, TrendFigure

MOST_PEAKS: Final = 6
MOST_LOOKED_AT: Final = 40
FLOOR_BINS: Final = 50
FALSE_ALARM: Final = 0.05
"""How often noise alone may give a spectrum one line that is told of. Amplitudes of noise are of Rayleigh's
distribution: one exceeds their median by the factor √(ln(1/p) / ln 2) with probability p."""

ENVELOPE_HARMONICS: Final = 5
"""As many as the bearing rule looks for."""

SHAFT_HARMONICS: Final = 3
PEAK_BINS: Final = 3
PEAK_SHARE: Final = 0.02
"""A line of a Hann window is three bins wide, slip broadens those of bearings: nearer ones are the same."""

NEAR_SHAFT: Final = 0.01
"""How far a line may lie from a multiple of the shaft, as a share, to be called that: a speed that is told to
1 % has it there."""

TEMPERATURE_LIMITS: Final = "temperature:bearing:grease"
SPINDLE_LIMITS: Final = "temperature:spindle:grease"
"""What bearing housings are judged by, of any machine and of a spindle."""

UNITS: Final = {spec.name: spec.unit for spec in CATALOGUE}
_KINDS: Final = ("velocity_mm_s", "acceleration_m_s2", "envelope_m_s2")


def spectrum_figures(found: Found) -> tuple[SpectrumFigure, ...]:
    """Every spectrum: of each point its channels, of each channel velocity, acceleration, envelope."""
    figures = []
    for one in sorted(found.spectra, key=lambda s: _KINDS.index(s.kind) if s.kind in _KINDS else len(_KINDS)):
        point = found.machine.point(one.place[0])
        if point is not None and np.isfinite(one.amplitude).all() and len(one.amplitude):
            figures.append(spectrum_figure(one, found.machine, point, _shaft_rpm(one, found, point)))
    order = {
        (p.id, c.id): i for i, (p, c) in enumerate((p, c) for p in found.machine.points for c in p.channels)
    }
    return tuple(sorted(figures, key=lambda f: order.get((f.point, f.channel), 0)))


def _shaft_rpm(one: SpectrumFound, found: Found, point: PointSpec) -> float | None:
    """The speed at the time of a spectrum: its own, that of the block it is of, or the only one there is."""
    machine = found.machine
    blocks = [b.block for b in found.channels if b.place == one.place and b.block is not None]
    told = [one.shaft_rpm, *(b.shaft_rpm for b in blocks if b.ts_ns == one.ts_ns)]
    if machine.speed_source == "fixed" and machine.speed_rpm is not None:
        told.append(machine.speed_rpm * point.shaft_order)
    return next((rpm for rpm in told if rpm is not None), None)


def spectrum_figure(
    one: SpectrumFound, machine: MachineSpec, point: PointSpec, rpm: float | None
) -> SpectrumFigure:
    """One spectrum of a point whose shaft turns at `rpm`, None where nobody knows."""
    marks = tuple(markers_of(one.kind, machine, point, rpm, float(one.frequency_hz[-1])))
    frequency, amplitude = thinned(one.frequency_hz, one.amplitude)
    return SpectrumFigure(
        point=one.place[0],
        channel=one.place[1],
        kind=one.kind,
        ts_ns=one.ts_ns,
        of_waveform=one.of_waveform,
        resolution_hz=one.resolution_hz,
        shaft_rpm=rpm,
        frequency_hz=tuple(frequency.tolist()),
        amplitude=tuple(amplitude.tolist()),
        markers=marks,
        peaks=_peaks(one, rpm, marks),
    )


def markers_of(
    kind: str, machine: MachineSpec, point: PointSpec, rpm: float | None, top_hz: float
) -> Iterator[Marker]:
    """What turns at a point, in Hz up to `top_hz`: nothing at standstill or without a speed."""
    if not rpm or rpm <= 0:
        return
    for name, order, harmonics, share in _sought(kind, machine, point):
        for k in range(1, harmonics + 1):
            at = k * order * rpm / 60
            if at <= top_hz:
                yield Marker(name, k, at, share * at)


def _sought(kind: str, machine: MachineSpec, point: PointSpec) -> Iterator[tuple[str, float, int, float]]:
    """(name, order of the point's shaft, harmonics, tolerance as a share) of what a spectrum may show:
    defects in the envelope, of rings and elements in the velocity too; shaft and driveline in what they move.
    """
    yield "1×", 1.0, SHAFT_HARMONICS, 0.0
    if point.bearing is not None and kind != "acceleration_m_s2":
        harmonics = ENVELOPE_HARMONICS if kind == "envelope_m_s2" else 1
        for name, order in zip(BEARING_DEFECTS, point.bearing.orders, strict=True):
            if kind == "envelope_m_s2" or name != "ftf":
                yield name, order, harmonics, SEARCH
    if kind != "envelope_m_s2":
        for name, order in _driveline(machine, point):
            yield name, order / point.shaft_order, SHAFT_HARMONICS if name == "mesh" else 1, 0.0


def _driveline(machine: MachineSpec, point: PointSpec) -> Iterator[tuple[str, float]]:
    """Names and orders, in multiples of the machine's speed, of what else turns."""
    order = point.shaft_order
    for gear in machine.gears:  # their casing carries each mesh to every point
        yield "mesh", gear.mesh_order
    if machine.impeller is not None and np.isclose(order, machine.impeller.shaft_order, rtol=1e-3):
        yield "vanes", machine.impeller.vane_order
    if machine.belt is not None:
        yield "belt", machine.belt.belt_order


def _peaks(one: SpectrumFound, rpm: float | None, marks: Sequence[Marker]) -> tuple[Peak, ...]:
    """The highest lines that stand above what lies around them, each with what it lies at."""
    amplitude = one.amplitude.copy()
    found: list[Peak] = []
    over = float(np.sqrt(np.log(len(amplitude) / FALSE_ALARM) / np.log(2)))
    step = one.resolution_hz or float(np.median(np.diff(one.frequency_hz))) if len(amplitude) > 1 else 0.0
    amplitude[one.frequency_hz < _least_hz(one.kind, rpm)] = 0.0
    for _ in range(MOST_LOOKED_AT):
        place = int(np.argmax(amplitude))
        if amplitude[place] <= 0 or len(found) == MOST_PEAKS:
            break
        at, height = float(one.frequency_hz[place]), float(amplitude[place])
        order = at / (rpm / 60) if rpm else None
        if height >= over * _floor(one.amplitude, place):
            found.append(Peak(at, height, order, _near(at, step, marks)))
        amplitude[np.abs(one.frequency_hz - at) <= max(PEAK_BINS * step, PEAK_SHARE * at)] = 0.0
    return tuple(found)


def _least_hz(kind: str, rpm: float | None) -> float:
    """Below the band of the velocity its integration lifts the noise: no line there is the machine's."""
    if kind != "velocity_mm_s":
        return 0.0
    slow = rpm is not None and 0 < rpm / 60 < SLOW_BELOW_HZ
    return (VELOCITY_LOW_BAND_HZ if slow else VELOCITY_BAND_HZ)[0]


def _floor(amplitude: Floats, place: int) -> float:
    """The median around a line."""
    return float(np.median(amplitude[max(place - FLOOR_BINS, 0) : place + FLOOR_BINS + 1]))


def _near(at: float, step: float, marks: Sequence[Marker]) -> tuple[Marker, ...]:
    """The markers a line lies at, the nearest first: where several claim it, the reader decides."""
    reach = [(m, m.half_width_hz or max(step, NEAR_SHAFT * m.frequency_hz)) for m in marks]
    inside = [m for m, r in reach if abs(m.frequency_hz - at) <= r]
    return tuple(sorted(inside, key=lambda m: (abs(m.frequency_hz - at), m.half_width_hz)))


def trend_figures(found: Found) -> tuple[TrendFigure, ...]:
    """Of each point: the velocity that is judged, the acceleration, the temperature."""
    figures = []
    for point in found.machine.points:
        channels = [one for one in found.channels if one.place[0] == point.id and one.block is not None]
        limits = found.limits.get(point.limits or "")
        rpm = next((one.block.shaft_rpm for one in channels if one.block and one.block.shaft_rpm), None)
        feature = limits.feature(rpm / 60 if rpm else None) if limits else "velocity_rms_mm_s"
        for name, judged in ((feature, limits.id if limits else ""), ("acceleration_rms_m_s2", "")):
            lines = tuple(_line(found, one, name) for one in channels if name in one.courses)
            if lines:
                figures.append(TrendFigure(point.id, name, UNITS.get(name, ""), judged, lines))
        figures += _temperature(found, point)
    return tuple(figures)


def _temperature(found: Found, point: PointSpec) -> list[TrendFigure]:
    housings = {
        c.id for c in point.channels if c.quantity is Quantity.TEMPERATURE and not is_ambient(point.id, c.id)
    }
    lines = tuple(
        _course(one.place[1], one.course, None)
        for one in found.readings
        if one.place[0] == point.id and one.place[1] in housings and len(one.course)
    )
    limits = temperature_limits(found.machine) if point.bearing is not None else ""
    return [TrendFigure(point.id, "temperature_c", "°C", limits, lines)] if lines else []


def temperature_limits(machine: MachineSpec) -> str:
    """The id of the limits that the bearing housings of a machine are judged by."""
    return SPINDLE_LIMITS if machine.kind == "spindle" else TEMPERATURE_LIMITS


def _line(found: Found, channel: ChannelFound, feature: str) -> Line:
    healthy = found.levels.get(channel.place, {}).get(feature)
    return _course(channel.place[1], channel.courses[feature], healthy)


def _course(name: str, course: Course, healthy: float | None) -> Line:
    times, mean, low, high = (
        tuple(array.tolist()) for array in (course.times_s, course.mean, course.low, course.high)
    )
    return Line(name, times, mean, low, high, healthy)
