"""A block of vibration at a point: all that turns, strikes, meshes and flows, put together.

What is random or rings is made of spectra and comes down in one inverse FFT; what turns is added in time, as
a function of the angle of every sample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.types import Belt, MachineSpec, PointSpec
from simulators.draws import Floats
from simulators.faults import Condition, FaultKind

from . import bearing, mesh, noise, process, rotor, structure
from .anatomy import Anatomy
from .bearing import Place
from .noise import Band, Rumble
from .shaft import Singles, Turning

FAR_SIDE = 0.9
"""What of the rotor's forces reaches the next housing; the first, at the driven end, carries most."""

STANDING_HZ = 0.2
"""Below this speed nothing turns any more."""

NEIGHBOURS = Rumble(0.03)
"""What a machine at rest feels of the plant around it."""

DRY_BAND = (5_000.0, 20_000.0)
LOOSE_BAND = (200.0, 1_200.0)
SURGE = Band(2.0, 12.0, 1.0, slope=0.0)
"""Flow that finds its way blocked surges below the speed of the wheel."""

STEADY_TORQUE = 0.03
"""A load that moves less than this within a block is taken as steady."""

BEND_AXIAL = 1.2
BEND_RADIAL = 0.5


@dataclass(frozen=True, slots=True)
class Direction:
    """How a direction differs from the horizontal: natural frequency, unbalance, misalignment, phase."""

    stiffer: float
    unbalance: float
    misalignment: float
    phase: float


DIRECTIONS = {
    "H": Direction(1.0, 1.0, 1.0, 0.0),
    "V": Direction(1.3, 1.0, 0.9, math.pi / 2),  # a turning force reaches V a quarter of a turn after H
    "A": Direction(1.6, 0.12, 0.8, 0.4),
}


@dataclass(frozen=True, slots=True, eq=False)
class Situation:
    """One block of a machine at work: its shaft, its load (1 = nominal) at even times through the block."""

    spec: MachineSpec
    anatomy: Anatomy
    condition: Condition
    turning: Turning
    load: Floats
    nominal_hz: float
    rng: np.random.Generator

    @property
    def speed(self) -> float:
        """Speed as a share of the nominal."""
        return self.turning.mean_hz / self.nominal_hz

    @property
    def mean_load(self) -> float:
        """Mean load of the block."""
        return float(self.load.mean())

    def torque(self) -> Singles | float:
        """Load of each sample (n,), or one number where it hardly moves."""
        if float(np.ptp(self.load)) < STEADY_TORQUE:
            return self.mean_load
        n = self.turning.theta.size
        at = np.arange(n) * ((self.load.size - 1) / n)
        moving: Singles = np.interp(at, np.arange(self.load.size), self.load).astype(np.float32)
        return moving


def vibration(now: Situation, point: PointSpec, directions: Sequence[str]) -> Singles:
    """(directions, n) m/s² at a point, before its sensor."""
    n, fs_hz = now.turning.theta.size, now.turning.fs_hz
    if now.turning.mean_hz < STANDING_HZ:
        colours = ((NEIGHBOURS, 1.0),)
        return noise.noise(colours, len(directions), n=n, fs_hz=fs_hz, rng=now.rng)
    lines = noise.lines(_colours(now, point), len(directions), n=n, fs_hz=fs_hz, rng=now.rng)
    forces = _forces(now, point)
    if forces:
        lines += structure.spectrum(forces) * structure.modes(now.anatomy.modes, n, fs_hz)
    lines *= structure.mounted(point.mounting, n, fs_hz)
    felt = np.asarray(np.fft.irfft(lines, n), dtype=np.float32)
    felt += rotor.acceleration(now.turning, [_orders(now, point, d) for d in directions])
    felt += _passing(now)
    return felt


def _colours(now: Situation, point: PointSpec) -> tuple[tuple[noise.Colour, float], ...]:
    """What is random and steady, with its gains."""
    anatomy, condition, worst = now.anatomy, now.condition, now.anatomy.worst
    dry = condition.at(FaultKind.LUBRICATION, point.id)
    loose = condition.of(FaultKind.ROTATING_LOOSENESS)
    blocked = condition.of(FaultKind.BLOCKED_VANE)
    worn = process.flank_wear(condition.of(FaultKind.TOOL))
    cutting = now.mean_load / anatomy.duty.mean if anatomy.cutting else 0.0
    return (
        *anatomy.colours(speed=now.speed, load=now.mean_load),
        (Band(*DRY_BAND, 1.0), worst.dry * dry * anatomy.rolling_m_s2 * now.speed),
        (Band(*LOOSE_BAND, 1.0), 0.15 * worst.loose_mm_s * loose),
        (SURGE, 0.15 * blocked),
        (Band(1000.0, 10_000.0, 1.0), worst.tool * worn * anatomy.rolling_m_s2 * cutting),
        (Rumble(1.0), 0.55 * worst.late_mm_s * _late(now, point) * now.speed),
    )


def _late(now: Situation, point: PointSpec) -> float:
    """How far the bearing of a point is in its last stage, 0..1: the shaft moves in its clearance."""
    worst = max((now.condition.at(FaultKind(place), point.id) for place in Place), default=0.0)
    return max(0.0, (worst - 0.5) / 0.5) ** 2


def _forces(now: Situation, point: PointSpec) -> list[Singles]:
    """What makes the structure ring, as forces on the grid of samples."""
    n, fs_hz, rng = now.turning.theta.size, now.turning.fs_hz, now.rng
    forces = _bearing_forces(now, point)
    anatomy, worst = now.anatomy, now.anatomy.worst
    shocks = now.condition.of(FaultKind.SLURRY_SHOCKS)
    rate = anatomy.particles_hz * now.mean_load + worst.particles_hz * shocks
    if rate > 0:
        height = worst.particles_m_s2 * (0.25 + 0.75 * shocks)
        stones = process.particles(rate, height, now.turning, rng)
        forces.append(structure.deposit(stones, n=n, fs_hz=fs_hz))
    crack = now.condition.of(FaultKind.TOOTH_CRACK)
    if crack and anatomy.mesh is not None:
        height = worst.tooth_m_s2 * crack * max(now.mean_load, 0.0) * now.speed
        strikes = mesh.tooth_strikes(height, now.turning.geared(_pairs(now)[0][1]), rng)
        forces.append(structure.deposit(strikes, n=n, fs_hz=fs_hz))
    return forces


def _bearing_forces(now: Situation, point: PointSpec) -> list[Singles]:
    n, fs_hz, rng, part = now.turning.theta.size, now.turning.fs_hz, now.rng, point.bearing
    if part is None:
        return []
    shaft, spall = now.turning.geared(point.shaft_order), now.anatomy.spall
    hard = now.speed * (0.4 + 0.6 * now.mean_load / now.anatomy.duty.mean)
    ringing = structure.ringing(now.anatomy.modes, n, fs_hz)
    forces = []
    for place in Place:
        severity = now.condition.at(FaultKind(place), point.id)
        if not severity:
            continue
        if place is Place.CAGE:
            level = 3.0 * severity * now.anatomy.rolling_m_s2 * hard / ringing
            forces.append(bearing.cage_rub(part, shaft, rng) * np.float32(level))
            continue
        struck = bearing.impulses(place, part, spall, shaft, severity=severity, rng=rng)
        force = structure.deposit(struck, n=n, fs_hz=fs_hz)
        if spall.rumble(severity) > 0.02 * now.anatomy.rolling_m_s2:
            order = bearing.defect_order(place, part)
            force += bearing.rumble(order, shaft, rng) * np.float32(spall.rumble(severity) / ringing)
        forces.append(force * np.float32(hard))
    return forces


def _orders(now: Situation, point: PointSpec, direction: str) -> dict[float, complex]:
    """Phasors of what turns, by the order of the machine's speed."""
    d = DIRECTIONS.get(direction, DIRECTIONS["H"])
    condition = now.condition
    order, hz = point.shaft_order, now.turning.mean_hz * point.shaft_order
    far = FAR_SIDE ** now.spec.points.index(point)
    forces = [
        replace(f, newtons=f.newtons * far, phase=f.phase + d.phase) for f in _rotor_forces(now, point, d)
    ]
    # A frame has its frequency whatever the speed: a drive that moves goes through it.
    support = _support(now, d, now.nominal_hz * order)
    found = rotor.phasors(hz, forces, _motions(now, point), support)
    loose = condition.of(FaultKind.STRUCTURAL_LOOSENESS)
    if loose and 1.0 in found:
        found[1.0] *= 1 + (6.0 if direction == "V" else 1.0) * loose
    out = {k * order: phasor for k, phasor in found.items()}
    for k, phasor in _belt(now, now.spec.belt).items() if now.spec.belt is not None else ():
        out[k] = out.get(k, 0j) + phasor * far
    return out


def _rotor_forces(now: Situation, point: PointSpec, d: Direction) -> list[rotor.OrderForce]:
    anatomy, condition, worst = now.anatomy, now.condition, now.anatomy.worst
    hz = now.turning.mean_hz * point.shaft_order
    out_of_balance = (
        1
        + worst.unbalance * condition.of(FaultKind.UNBALANCE)
        + worst.deposit * condition.of(FaultKind.FAN_DEPOSIT)
        + worst.clogged * condition.of(FaultKind.BLOCKED_VANE)
    )
    # Shafts of one machine are balanced to one grade G = e·w (ISO 21940-11): the faster, the finer.
    residual = rotor.unbalance(anatomy.unbalance_kg_m * out_of_balance / point.shaft_order, hz)
    coupling = anatomy.misalignment_n * (1 + worst.misalignment * condition.of(FaultKind.MISALIGNMENT))
    forces = [replace(residual, newtons=residual.newtons * d.unbalance)]
    forces += [
        replace(f, newtons=f.newtons * d.misalignment) for f in rotor.misalignment(coupling, now.mean_load)
    ]
    bent = condition.of(FaultKind.BENT_SHAFT) * worst.bent
    if bent:
        share = BEND_AXIAL if d is DIRECTIONS["A"] else BEND_RADIAL
        sound = anatomy.unbalance_kg_m / point.shaft_order * (2 * math.pi * hz) ** 2
        forces += [
            rotor.OrderForce(1.0, bent * share * sound),
            rotor.OrderForce(2.0, 0.25 * bent * share * sound),
        ]
    return forces


def _support(now: Situation, d: Direction, nominal_hz: float) -> rotor.Support:
    """The support of a direction; a resonance is the same mass, horizontally, on another spring."""
    support = replace(now.anatomy.support, natural_hz=now.anatomy.support.natural_hz * d.stiffer)
    severity = now.condition.of(FaultKind.RESONANCE)
    if severity and d is DIRECTIONS["H"]:
        worst_hz = rotor.tuned_hz(support, nominal_hz, now.anatomy.worst.resonance)
        support = replace(support, natural_hz=support.natural_hz + severity * (worst_hz - support.natural_hz))
    return support


def _motions(now: Situation, point: PointSpec) -> list[rotor.OrderMotion]:
    """Motions of the shaft of a point that are told by their velocity."""
    worst, speed = now.anatomy.worst, now.speed
    loose = now.condition.of(FaultKind.ROTATING_LOOSENESS)
    motions = list(rotor.looseness(worst.loose_mm_s * loose * speed)) if loose else []
    late = _late(now, point)
    if late:
        level = worst.late_mm_s * late * speed
        motions += [
            rotor.OrderMotion(float(k), level * share) for k, share in ((1, 0.6), (2, 0.35), (3, 0.25))
        ]
    return motions + _defect_lines(now, point)


def _defect_lines(now: Situation, point: PointSpec) -> list[rotor.OrderMotion]:
    """A visible spall pushes the shaft: lines of the defect in the velocity, from severity 0.3 on."""
    if point.bearing is None:
        return []
    motions = []
    for place in (Place.OUTER, Place.INNER, Place.ROLLING):
        severity = now.condition.at(FaultKind(place), point.id)
        level = now.anatomy.worst.late_mm_s * 0.45 * max(0.0, (severity - 0.3) / 0.7) ** 2 * now.speed
        order = bearing.defect_order(place, point.bearing) / (1 + bearing.SLIP)
        if level:
            motions += [
                rotor.OrderMotion(k * order, level * share) for k, share in ((1, 0.8), (2, 0.5), (3, 0.3))
            ]
    return motions


def _belt(now: Situation, belt: Belt) -> dict[float, complex]:
    """A belt's own turns: a joint, a worn spot."""
    anatomy = now.anatomy
    level = anatomy.belt_mm_s + anatomy.worst.belt_mm_s * now.condition.of(FaultKind.BELT)
    motions = [
        rotor.OrderMotion(k * belt.belt_order, level * share * now.speed, 0.9 * k)
        for k, share in ((1, 0.6), (2, 0.7), (3, 0.35), (4, 0.2))
    ]
    return rotor.phasors(now.turning.mean_hz, (), motions, anatomy.support)


def _passing(now: Situation) -> Singles:
    """What all directions of a point feel alike: blades, gears, the magnetic field, cavitation, (n,) m/s²."""
    anatomy, condition, worst, turning = now.anatomy, now.condition, now.anatomy.worst, now.turning
    out = np.zeros(turning.theta.size, dtype=np.float32)
    if anatomy.blades:
        blocked = worst.vane_mm_s * condition.of(FaultKind.BLOCKED_VANE)
        worn = process.flank_wear(condition.of(FaultKind.TOOL))
        level = (anatomy.blade_velocity_mm_s * (1 + worst.tool * worn) + blocked) * now.mean_load * now.speed
        shares = (1.0, 0.4, 0.2) if anatomy.cutting else (1.0,)
        out += mesh.passing(level, _blade_order(now), turning, shares)
    if anatomy.mesh is not None:
        out += _gears(now, anatomy.mesh)
    if now.spec.motor is not None:
        level = anatomy.supply_mm_s + worst.supply_mm_s * condition.of(FaultKind.STATOR)
        out += _supply(level, 2 * now.spec.motor.supply_hz, turning, float(now.rng.uniform(0, 2 * math.pi)))
    starved = condition.of(FaultKind.CAVITATION)
    if starved:
        # Power follows the lack of suction head (NPSHr/NPSHa - 1): the level its root.
        level = worst.cavitation_m_s2 * math.sqrt(starved) * now.speed**2
        out += process.cavitation(level, _blade_order(now), turning, now.rng)
    return out


def _blade_order(now: Situation) -> float:
    return now.spec.impeller.vane_order if now.spec.impeller is not None else float(now.anatomy.blades)


def _pairs(now: Situation) -> list[tuple[float, float, float]]:
    """Teeth and order of each driving wheel, and the speed of the driven one over it (0: not known)."""
    told = [(float(g.driving_teeth), g.shaft_order, g.driving_teeth / g.driven_teeth) for g in now.spec.gears]
    return told or [(order, 1.0, 0.0) for order in now.anatomy.mesh_orders]


def _gears(now: Situation, sound: mesh.Mesh) -> Singles:
    condition = mesh.Teeth(
        now.condition.of(FaultKind.GEAR_WEAR),
        now.condition.of(FaultKind.TOOTH_CRACK),
        now.condition.of(FaultKind.GEAR_MISALIGNMENT),
    )
    torque = now.torque()
    out = np.zeros(now.turning.theta.size, dtype=np.float32)
    for k, (teeth, order, ratio) in enumerate(_pairs(now)):
        # What is wrong is wrong with the first pair, the fastest.
        state = condition if k == 0 else mesh.SOUND
        shaft = now.turning.geared(order)
        out += mesh.gear_mesh(sound, teeth, shaft, torque=torque, condition=state, ratio=ratio)
    return out


def _supply(velocity_mm_s: float, hz: float, turning: Turning, phase: float) -> Singles:
    """The pull of the magnetic field at twice the supply, whatever the shaft does."""
    peak = velocity_mm_s * 1e-3 * math.sqrt(2) * 2 * math.pi * hz
    turns = np.arange(turning.theta.size) * (hz / turning.fs_hz)
    turns -= np.floor(turns)
    angle = turns.astype(np.float32) * np.float32(2 * math.pi) + np.float32(phase)
    return np.asarray(np.float32(peak) * np.cos(angle))
