"""Which plots convince of a fault: one spectrum where its lines stand, and the trends it raises. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from models.diagnosis.types import BEARING_FAULTS, Fault
from models.types import MachineSpec, PointSpec

from .figures import markers_of
from .found import SpectrumFound

VELOCITY: Final = "velocity_rms_mm_s"
ACCELERATION: Final = "acceleration_rms_m_s2"
ENVELOPE: Final = "envelope_rms_m_s2"
TEMPERATURE: Final = "temperature_c"

BESIDE: Final = 1.15
"""How far beyond its last marker a spectrum is drawn."""

LEAST_ORDERS: Final = 20
"""Multiples of the shaft that are drawn in any case: looseness has ten and more."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is drawn: the kind of the spectrum, whether to its last marker only, and features of trends."""

    spectrum: str
    trends: tuple[str, str]
    to_markers: bool = True


IMPACTS: Final = Evidence("envelope_m_s2", (ENVELOPE, VELOCITY))
NOISE: Final = Evidence("acceleration_m_s2", (ACCELERATION, VELOCITY), to_markers=False)
WARMTH: Final = Evidence("acceleration_m_s2", (ACCELERATION, TEMPERATURE), to_markers=False)
TURNS: Final = Evidence("velocity_mm_s", (VELOCITY, ACCELERATION))

_OF_FAULT: Final = {
    **dict.fromkeys((*BEARING_FAULTS, Fault.ELECTRICAL_EROSION), IMPACTS),
    Fault.CAVITATION: NOISE,
    Fault.LUBRICATION: WARMTH,
}
_OF_MODE: Final = {"temperature": WARMTH, "sensor": NOISE}


def evidence_of(fault: str, mode: str = "") -> Evidence:
    """What to draw of a fault; without one of an alarm's mode; of a machine as a whole what turns in it."""
    known = Fault(fault) if fault in set(Fault) else Fault.UNIDENTIFIED
    return _OF_FAULT.get(known) or (_OF_MODE.get(mode, TURNS) if known is Fault.UNIDENTIFIED else TURNS)


def to_last_marker(
    one: SpectrumFound, machine: MachineSpec, point: PointSpec, rpm: float | None
) -> SpectrumFound:
    """The spectrum as far as anything of this point is marked in it; all of it without a speed."""
    if not rpm or not len(one.frequency_hz):
        return one
    marks = markers_of(one.kind, machine, point, rpm, float(one.frequency_hz[-1]))
    top_hz = max(LEAST_ORDERS * rpm / 60, *(BESIDE * mark.frequency_hz for mark in marks), 0.0)
    kept = one.frequency_hz <= top_hz
    return replace(one, frequency_hz=one.frequency_hz[kept], amplitude=one.amplitude[kept])
