"""A running machine: its slow state (speed, load, temperatures), and the blocks its points vibrate with."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from models.types import MachineSpec, PointSpec, Quantity
from simulators.faults import Condition, Fault, condition_of
from simulators.sensors import Accelerometer

from . import bearing, mesh, noise, rotor
from .anatomy import Anatomy, Duty
from .shaft import Floats, Turning, turn
from .thermal import Air

FAR_SIDE = 0.85
"""What of the rotor's forces reaches the next housing; the first, at the driven end, carries most."""

LONGEST_STEP_S = 60.0
"""Load and speed are carried over a longer pause in one step of this length: they remember no more."""


@dataclass(frozen=True, slots=True)
class Direction:
    """How a direction differs from the horizontal: natural frequency, unbalance and misalignment felt."""

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
class Block:
    """What a point's channels gave: `samples` (n_channels, n) int16 counts; speed and load meanwhile."""

    samples: npt.NDArray[np.int16]
    speed_rpm: float
    load_percent: float


@dataclass(frozen=True, slots=True)
class Slow:
    """What changes from block to block. Deviations are relative to nominal, `seconds` since 1970 UTC."""

    seconds: float
    speed_deviation: float
    load_deviation: float
    on_pass: bool
    switch_s: float
    housing_c: tuple[float, ...]  # one for each point


def waveform_channels(point: PointSpec) -> tuple[int, ...]:
    """Indices of the channels that a block of this point holds: those with a sample rate."""
    return tuple(k for k, c in enumerate(point.channels) if c.quantity is Quantity.ACCELERATION and c.fs_hz)


class Machine:
    """A machine of a plant with an anatomy, faults and a sensor. All draws come from `seed` and its id."""

    def __init__(
        self,
        spec: MachineSpec,
        anatomy: Anatomy,
        *,
        seed: int,
        start_s: float,
        faults: Sequence[Fault] = (),
        sensor: Accelerometer | None = None,
        air: Air | None = None,
    ) -> None:
        self.spec = spec
        self.sensor = sensor or Accelerometer()
        self._anatomy = anatomy
        self._faults = tuple(faults)
        self._air = air or Air()
        self._start_s = start_s
        self._rng = np.random.default_rng([seed, zlib.crc32(spec.id.encode())])
        self._nominal_hz = (spec.speed_rpm or anatomy.rpm) / 60
        self._slow = self._begin()

    @property
    def load(self) -> float:
        """Load now, 1 = nominal."""
        duty = self._anatomy.duty
        return max(0.0, (duty.mean if self._slow.on_pass else duty.idle) + self._slow.load_deviation)

    @property
    def speed_rpm(self) -> float:
        """Speed of the machine's shaft now, r/min."""
        return self._loaded_hz * (1 + self._slow.speed_deviation) * 60

    def advance(self, seconds: float) -> None:
        """Carry the slow state to `seconds` since 1970 UTC; a time that lies behind changes nothing."""
        past = seconds - self._slow.seconds
        if past <= 0:
            return
        step = min(past, LONGEST_STEP_S)
        self._slow = replace(
            self._slow,
            seconds=seconds,
            speed_deviation=self._anatomy.speed.step(self._slow.speed_deviation, step, self._rng),
            load_deviation=self._anatomy.duty.wander.step(self._slow.load_deviation, step, self._rng),
            housing_c=self._warmed(past),
        )
        self._switch_passes()

    def acquire(self, point: PointSpec, n: int, fs_hz: float) -> Block:
        """A block of the point's waveform channels that ends now: their counts, `n` samples at `fs_hz`."""
        condition = condition_of(self._faults, self._hours)
        turning, deviation = turn(
            self._loaded_hz,
            self._anatomy.speed,
            self._slow.speed_deviation,
            n=n,
            fs_hz=fs_hz,
            rng=self._rng,
        )
        self._slow = replace(self._slow, speed_deviation=deviation)
        felt = self._vibration(point, turning, condition)
        return Block(self.sensor.sample(felt, fs_hz, self._rng), turning.mean_hz * 60, 100 * self.load)

    def read(self, point: PointSpec, quantity: Quantity) -> float:
        """A slow value now: °C, r/min or %, as its transmitter gives it. NaN for any other quantity."""
        if quantity is Quantity.TEMPERATURE:
            # Pt100 class A: 0.15 K at 0 °C; its noise is a tenth of that at most
            return self._slow.housing_c[self.spec.points.index(point)] + 0.03 * float(
                self._rng.standard_normal()
            )
        if quantity is Quantity.SPEED:
            return self.speed_rpm * point.shaft_order
        return 100 * self.load if quantity is Quantity.LOAD else math.nan

    @property
    def _hours(self) -> float:
        return (self._slow.seconds - self._start_s) / 3600

    @property
    def _loaded_hz(self) -> float:
        """Nominal speed is that at the mean load; more load slows it by its slip."""
        return self._nominal_hz * (1 - self._anatomy.speed_droop * (self.load - self._anatomy.duty.mean))

    def _begin(self) -> Slow:
        anatomy, rng = self._anatomy, self._rng
        settled = self._settled(self._start_s, anatomy.duty.mean)  # it has been running for hours
        return Slow(
            seconds=self._start_s,
            speed_deviation=anatomy.speed.sd * float(rng.standard_normal()),
            load_deviation=anatomy.duty.wander.sd * float(rng.standard_normal()),
            on_pass=True,
            switch_s=self._start_s + _dwell(anatomy.duty, on=True, rng=rng),
            housing_c=settled,
        )

    def _settled(self, seconds: float, load: float) -> tuple[float, ...]:
        """Where each housing's temperature is heading, °C. The second housing runs 2 K cooler, and so on."""
        condition = condition_of(self._faults, (seconds - self._start_s) / 3600)
        damaged = {point for point, _, _ in condition.bearing}
        air_c = self._air.at(seconds)
        return tuple(
            self._anatomy.housing.settled(
                air_c, speed=1.0, load=load, friction=condition.friction if point.id in damaged else 1.0
            )
            - 2.0 * k
            for k, point in enumerate(self.spec.points)
        )

    def _warmed(self, seconds: float) -> tuple[float, ...]:
        settled = self._settled(self._slow.seconds, self.load)
        step = self._anatomy.housing.step
        return tuple(step(now, to, seconds) for now, to in zip(self._slow.housing_c, settled, strict=True))

    def _switch_passes(self) -> None:
        duty = self._anatomy.duty
        if duty.on_s and self._slow.seconds >= self._slow.switch_s:
            on = not self._slow.on_pass
            until = self._slow.seconds + _dwell(duty, on=on, rng=self._rng)
            self._slow = replace(self._slow, on_pass=on, switch_s=until)

    def _vibration(self, point: PointSpec, turning: Turning, condition: Condition) -> Floats:
        """(channels, n) m/s² at the point's waveform channels."""
        directions = [
            DIRECTIONS.get(point.channels[k].direction, DIRECTIONS["H"]) for k in waveform_channels(point)
        ]
        shaft = turning.geared(point.shaft_order)
        felt = self._turning_forces(point, shaft, condition, directions)
        felt += self._common(point, turning, shaft, condition)
        speed = turning.mean_hz / self._nominal_hz
        colours = self._anatomy.colours(speed=speed, load=self.load)
        felt += noise.noise(
            colours, len(directions), n=turning.theta.size, fs_hz=turning.fs_hz, rng=self._rng
        )
        return felt

    def _turning_forces(
        self, point: PointSpec, shaft: Turning, condition: Condition, directions: Sequence[Direction]
    ) -> Floats:
        anatomy = self._anatomy
        far = FAR_SIDE ** self.spec.points.index(point)
        # Shafts of one machine are balanced to one grade G = e·w (ISO 21940-11): the faster, the finer.
        residual = anatomy.unbalance_kg_m * (1 + condition.unbalance) / point.shaft_order
        coupling = anatomy.misalignment_n * (1 + condition.misalignment)
        forces = [
            (
                _scaled(rotor.unbalance(residual, shaft.mean_hz), far * d.unbalance, d.phase),
                *(_scaled(f, far * d.misalignment, d.phase) for f in rotor.misalignment(coupling, self.load)),
            )
            for d in directions
        ]
        supports = [
            replace(anatomy.support, natural_hz=anatomy.support.natural_hz * d.stiffer) for d in directions
        ]
        return rotor.acceleration(shaft, forces, supports)

    def _common(self, point: PointSpec, turning: Turning, shaft: Turning, condition: Condition) -> Floats:
        """What all directions of a point feel alike: blades, gears, damage of its bearing, (n,) m/s²."""
        anatomy = self._anatomy
        out = np.zeros_like(turning.theta)
        if anatomy.blades:
            out += mesh.passing(anatomy.blade_velocity_mm_s * self.load, anatomy.blades, turning)
        if anatomy.mesh is not None:
            orders = tuple(g.mesh_order for g in self.spec.gears) or anatomy.mesh_orders
            for order in orders:
                out += mesh.gear_mesh(
                    anatomy.mesh, order, turning, torque=self.load, wear=condition.gear_wear
                )
        for at, place, severity in condition.bearing:
            if at == point.id and point.bearing is not None and severity > 0:
                peak = anatomy.defect_m_s2 * severity
                out += bearing.damage(place, point.bearing, peak, shaft, mode=anatomy.mode, rng=self._rng)
        return out


def _scaled(force: rotor.OrderForce, gain: float, phase: float) -> rotor.OrderForce:
    return rotor.OrderForce(force.order, force.newtons * gain, force.phase + phase)


def _dwell(duty: Duty, *, on: bool, rng: np.random.Generator) -> float:
    mean = duty.on_s if on else duty.off_s
    return mean * float(rng.uniform(0.5, 1.5)) if duty.on_s else math.inf
