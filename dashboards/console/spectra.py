"""Spectra as a chart takes them: so many lines as it has pixels, with markers to compare them with. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.bands import SEARCH
from models.types import BEARING_DEFECTS, MachineSpec, PointSpec

MOST_ROWS: Final = 1200
"""Lines of an answer: about two for each pixel of a chart on a laptop."""

SHAFT_HARMONICS: Final = 5
DEFECT_HARMONICS: Final = 4
MESH_HARMONICS: Final = 3
"""Multiples that are marked; more would hide the lines they point at."""

SHAFT_TOLERANCE: Final = 0.005
"""How far a line of shaft, gear or supply may be from its place: the slip between two blocks."""

BELT_TOLERANCE: Final = 0.02
"""Belts creep and stretch by one or two percent under load."""

PEAKS: Final = 8
"""Highest lines that are told in words beside a spectrum."""

APART: Final = 3
"""Lines nearer than so many are the flanks of one line (Hann window)."""

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line is looked for, and how far around. `name` is its family: "1×", a defect, "mesh", "vane",
    "belt", "supply"."""

    name: str
    harmonic: int
    hz: float
    half_hz: float


def thinned(
    step_hz: float, amplitude: Floats, low_hz: float, high_hz: float, rows: int = MOST_ROWS
) -> tuple[list[float], list[float | None]]:
    """(frequency, amplitude) of at most `rows` lines between two frequencies: all of them, or the highest of
    each bin of equal width at its own frequency, so that none is lost. What is not finite is None."""
    first = max(0, int(np.ceil(low_hz / step_hz - 1e-9)))
    stop = min(len(amplitude), int(np.floor(high_hz / step_hz + 1e-9)) + 1)
    if stop <= first:
        return [], []
    part = np.asarray(amplitude[first:stop], dtype=np.float64)
    chosen = np.arange(len(part))
    if len(part) > rows:
        edges = np.linspace(0, len(part), rows + 1).astype(int)[:-1]
        known = np.nan_to_num(part, nan=-np.inf)
        chosen = np.array(
            [a + int(np.argmax(known[a:b])) for a, b in zip(edges, [*edges[1:], len(part)], strict=True)]
        )
    frequency = (first + chosen) * step_hz
    values = [float(v) if np.isfinite(v) else None for v in part[chosen]]
    return [round(float(f), 4) for f in frequency], values


def peaks(frequency: Sequence[float], amplitude: Sequence[float | None], most: int = PEAKS) -> list[int]:
    """Places of the highest lines, the highest first, none on the flank of another."""
    heights = np.array([-np.inf if v is None else v for v in amplitude])
    found: list[int] = []
    for i in np.argsort(-heights):
        if len(found) == most or not np.isfinite(heights[i]) or heights[i] <= 0:
            break
        if all(abs(int(i) - other) >= APART for other in found):
            found.append(int(i))
    return found


def places(
    speed_rpm: float | None,
    spec: MachineSpec | None,
    point: PointSpec | None,
    top_hz: float,
    step_hz: float = 0.0,
) -> list[Place]:
    """Where to look, of a point whose shaft turns at `speed_rpm`; without a speed what the supply gives.

    No search is narrower than a line of the spectrum, `step_hz`.
    """
    found: list[Place] = []
    if spec is not None and spec.motor is not None:
        found.append(_place("supply", 1, 2 * spec.motor.supply_hz, SHAFT_TOLERANCE))
    if speed_rpm:
        shaft_hz = speed_rpm / 60
        found += [_place("1×", k, k * shaft_hz, SHAFT_TOLERANCE) for k in range(1, SHAFT_HARMONICS + 1)]
        found += _of_bearing(shaft_hz, point) + _of_machine(shaft_hz, spec, point)
    return [replace(p, half_hz=max(p.half_hz, step_hz)) for p in found if 0 < p.hz <= top_hz]


def _of_bearing(shaft_hz: float, point: PointSpec | None) -> list[Place]:
    if point is None or point.bearing is None:
        return []
    return [
        _place(name, k, k * order * shaft_hz, SEARCH)
        for name, order in zip(BEARING_DEFECTS, point.bearing.orders, strict=True)
        for k in range(1, DEFECT_HARMONICS + 1)
    ]


def _of_machine(shaft_hz: float, spec: MachineSpec | None, point: PointSpec | None) -> list[Place]:
    """Gears, vanes and belts, whose orders are those of the machine and not of the point's shaft."""
    if spec is None:
        return []
    machine_hz = shaft_hz / (point.shaft_order if point and point.shaft_order else 1.0)
    found = [
        _place("mesh", k, k * gear.mesh_order * machine_hz, SHAFT_TOLERANCE)
        for gear in spec.gears
        for k in range(1, MESH_HARMONICS + 1)
    ]
    if spec.impeller is not None:
        found.append(_place("vane", 1, spec.impeller.vane_order * machine_hz, SHAFT_TOLERANCE))
    if spec.belt is not None:
        found += [_place("belt", k, k * spec.belt.belt_order * machine_hz, BELT_TOLERANCE) for k in (1, 2)]
    return found


def _place(name: str, harmonic: int, hz: float, tolerance: float) -> Place:
    return Place(name, harmonic, hz, hz * tolerance)
