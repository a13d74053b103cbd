"""One machine for each fault that shows exactly it, and what its evidence is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from models.diagnosis import Events, Evidence, EvidenceItem, Fault
from models.features.kinematics import Kinematics
from models.types import Belt, Gear, Impeller, MachineSpec, Motor
from tests.support.sick_machines import (
    BEARING,
    SOUND,
    SPEED_HZ,
    Floats,
    Signal,
    history,
    machine,
    observed,
    of_1x,
    shaft,
)

BELT_ORDER = 0.31
SHARP_HZ = 24.3  # four of its turns are far enough from 100 Hz
OUTER_HZ = BEARING.bpfo * SPEED_HZ
HF = Signal(bands=((5000.0, 10_000.0, 1.5),))
FROM_1_KHZ = Signal(bands=((500.0, 9900.0, 2.0),))


@dataclass(frozen=True)
class Finding:
    """What a bearing rule might say."""

    fault: Fault | None
    confidence: float
    evidence: tuple[EvidenceItem, ...] = ()
    not_separated: tuple[Fault, ...] = ()


def finding(fault: Fault, confidence: float = 0.85) -> Finding:
    """A finding with the evidence that such a rule gives."""
    params = {"defect": "bpfo", "count": 4, "of": 5, "frequency_hz": 88.5, "order": 3.585}
    lines = EvidenceItem(
        "bearing_lines", 0.4, 1.0, True, params | {"low_hz": 2500.0, "high_hz": 5000.0}, "bpfo_harmonics"
    )
    contrast = EvidenceItem(
        "bearing_contrast", 0.2, 1.0, params={"value": 9.0, "limit": 5.0}, feature="bpfo_bits"
    )
    return Finding(fault, confidence, (lines, contrast))


def with_findings(evidence: Evidence, *findings: Finding) -> Evidence:
    """The same, with what the bearing rule said of its blocks."""
    return replace(evidence, points=(replace(evidence.points[0], findings=findings),))


def everywhere(signal: Signal) -> dict[str, Signal]:
    """A sound machine with something more in all directions."""
    return {direction: sound + signal for direction, sound in SOUND.items()}


def _bearing(fault: Fault) -> tuple[MachineSpec, Evidence]:
    shocks = observed(everywhere(Signal(bands=((2500.0, 5000.0, 0.5),))))
    return machine(), with_findings(shocks, *[finding(fault)] * 3)


def _shaft(h: Signal, v: Signal, a: Signal) -> tuple[MachineSpec, Evidence]:
    return machine(), observed({"H": h, "V": v, "A": a})


def _loose() -> tuple[MachineSpec, Evidence]:
    rattle = Signal({SPEED_HZ * k: 2.5 / k**0.5 for k in range(1, 8)} | {SPEED_HZ * 0.5: 0.9})
    return _shaft(rattle, rattle, shaft(0.4))


def _sweep(peak: bool) -> Evidence:
    """Speed moves by a tenth around SPEED_HZ, where a resonance lies or does not."""
    n = 40
    speed = SPEED_HZ * (1 + 0.1 * np.sin(0.7 * np.arange(n)))
    r = speed / SPEED_HZ
    answer = 1 / np.hypot(1 - r**2, 0.04 * r) if peak else 20 * r**2
    return history(np.arange(n) / 6, of_1x(1.5 * answer / answer.min()), speed_hz=speed)


def _stepped(factor: float, **events: float) -> Evidence:
    hours = np.arange(40) / 6
    return history(hours, of_1x(np.where(np.arange(40) >= 33, factor, 1.0)), events=Events(**events))


CHANGED_H = 33 / 6 - 0.01


def ramp(days: float = 10.0, times: float = 5.0) -> tuple[Floats, Floats]:
    """Hours, and a factor that grows exponentially over them."""
    return np.linspace(0, 24 * days, 40), np.exp(np.linspace(0, np.log(times), 40))


def _geared(signal: Signal) -> tuple[MachineSpec, Evidence]:
    before = everywhere(Signal(mesh=(23 * SPEED_HZ, 1.0, 0.1)))
    turning = Kinematics(mesh_order=23.0, driven_order=23 / 91)
    return (
        machine("gearbox", gears=(Gear("g", 23, 91),)),
        observed(everywhere(signal), before, kinematics=turning),
    )


def _acceleration(hz: float, m_s2: float) -> Signal:
    return Signal({hz: 1e3 * m_s2 / (2 * np.pi * hz)})


def motor(
    speed_hz: float, signal: Signal, *, poles: int = 4, seconds: float = 4.0
) -> tuple[MachineSpec, Evidence]:
    """A motor at 50 Hz whose radial directions feel something more; blocks that resolve its lines."""
    sound = {d: shaft(0.8, speed_hz=speed_hz) for d in "HV"}
    turning = Kinematics(supply_hz=50.0, pole_pass_hz=2.4)
    evidence = observed(
        {d: s + signal for d, s in sound.items()},
        sound,
        seconds=seconds,
        kinematics=turning,
        speed_hz=speed_hz,
        load=90.0,
    )
    return machine("motor", motor=Motor(50.0, poles)), evidence


def _fluted() -> tuple[MachineSpec, Evidence]:
    evidence = observed(everywhere(Signal(hum=(2.0, OUTER_HZ))), seconds=3.0)
    found = with_findings(evidence, *[finding(Fault.OUTER_RING)] * 3)
    return machine("motor", motor=Motor(50.0, 4)), found


def _blocked() -> tuple[MachineSpec, Evidence]:
    vanes, turning = Signal({4 * SPEED_HZ: 0.6}), Kinematics(vane_order=4.0)
    swirl = Signal({4 * SPEED_HZ: 3.0}) + Signal(bands=((2.0, 10.0, 0.1),))
    return (
        machine("pump", impeller=Impeller(4)),
        observed(everywhere(swirl), everywhere(vanes), kinematics=turning),
    )


def _belt() -> tuple[MachineSpec, Evidence]:
    flaps = Signal({BELT_ORDER * SPEED_HZ: 2.5, 2 * BELT_ORDER * SPEED_HZ: 2.0})
    return (
        machine("fan", belt=Belt(500.0, 500.0 * np.pi / BELT_ORDER)),
        observed(everywhere(flaps), kinematics=Kinematics(belt_order=BELT_ORDER)),
    )


CASES: dict[Fault, Callable[[], tuple[MachineSpec, Evidence]]] = {
    Fault.OUTER_RING: lambda: _bearing(Fault.OUTER_RING),
    Fault.INNER_RING: lambda: _bearing(Fault.INNER_RING),
    Fault.ROLLING_ELEMENT: lambda: _bearing(Fault.ROLLING_ELEMENT),
    Fault.CAGE: lambda: _bearing(Fault.CAGE),
    Fault.UNBALANCE: lambda: _shaft(shaft(4.0), shaft(3.6), shaft(0.4)),
    Fault.MISALIGNMENT: lambda: _shaft(shaft(2.0, 2.2, 0.9), shaft(1.8, 2.0, 0.8), shaft(1.5, 1.0, 0.3)),
    Fault.BENT_SHAFT: lambda: _shaft(shaft(3.0, 0.4), shaft(2.8, 0.4), shaft(3.4, 1.6)),
    Fault.RESONANCE: lambda: (machine(), _sweep(peak=True)),
    Fault.STRUCTURAL_LOOSENESS: lambda: _shaft(shaft(1.0, 0.2), shaft(6.0, 0.2), shaft(0.4)),
    Fault.ROTATING_LOOSENESS: _loose,
    Fault.ELECTRICAL_EROSION: _fluted,
    Fault.LUBRICATION: lambda: (machine(), observed(everywhere(HF), residual_k=8.0)),
    Fault.GEAR_WEAR: lambda: _geared(Signal(mesh=(23 * SPEED_HZ, 3.0, 0.8))),
    Fault.TOOTH_CRACK: lambda: _geared(Signal(mesh=(23 * SPEED_HZ, 1.0, 0.1), shocks=(SPEED_HZ, 80.0))),
    Fault.GEAR_MISALIGNMENT: lambda: _geared(
        Signal(mesh=(23 * SPEED_HZ, 1.0, 0.1)) + _acceleration(46 * SPEED_HZ, 2.5)
    ),
    Fault.CAVITATION: lambda: (machine("pump"), observed(everywhere(FROM_1_KHZ), residual_k=0.0)),
    Fault.BLOCKED_VANE: _blocked,
    Fault.BELT: _belt,
    Fault.STATOR: lambda: motor(SHARP_HZ, Signal({100.0: 2.5})),
    Fault.ROTOR_BARS: lambda: motor(SPEED_HZ, Signal({SPEED_HZ - 2.4: 0.25, SPEED_HZ + 2.4: 0.25})),
    Fault.FAN_DEPOSIT: lambda: (machine("fan"), history(ramp()[0], of_1x(ramp()[1]))),
    Fault.TOOL: lambda: (machine("spindle"), _stepped(4.0, tool_changed_h=CHANGED_H)),
}


@cache
def case(fault: Fault) -> tuple[MachineSpec, Evidence]:
    """The machine that shows exactly this fault, and its evidence."""
    return CASES[fault]()


@cache
def centrifugal() -> Evidence:
    """1x that follows the square of a speed that moves by a tenth."""
    return _sweep(peak=False)


@cache
def tightened() -> Evidence:
    """1x six times what it was, half of that since the feet were tightened."""
    hours = np.arange(40) / 6
    return history(
        hours, of_1x(np.where(np.arange(40) >= 33, 3.0, 6.0)), events=Events(tightened_h=CHANGED_H)
    )


@cache
def clogged() -> Evidence:
    """1x four times what it was, from one block to the next."""
    return _stepped(4.0)
