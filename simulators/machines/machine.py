"""A machine of a plant as a function of time: speed, load, temperatures, and what its points vibrate with.

Nothing is remembered between two questions: any instant may be asked, in any order, and the answer depends on
the seed, the machine and the instant alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.types import MachineSpec, PointSpec, Quantity
from simulators.draws import Floats, generator, key_of, normal, uniform
from simulators.faults import Condition, Fault, condition_of, friction
from simulators.sensors import Accelerometer

from .anatomy import Anatomy
from .duty import Drive, Regime, Stops
from .shaft import KNOTS, Singles, turn
from .thermal import Air
from .vibration import Situation, vibration

COOLER_K = 2.0
"""By which each further housing runs cooler than the first."""

PT100_NOISE_K = 0.03
"""Noise of a Pt100 of class A: a tenth of its tolerance at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Felt:
    """What a point's waveform channels feel: `waves` (n_channels, n) m/s²; speed and load meanwhile."""

    waves: Singles
    speed_rpm: float
    load_percent: float


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """What a point's channels gave: `samples` (n_channels, n) int16 counts; speed and load meanwhile."""

    samples: npt.NDArray[np.int16]
    speed_rpm: float
    load_percent: float


@dataclass(frozen=True, slots=True)
class Course:
    """How a scenario drives a machine: when it stands, whether its drive moves, how hard it works."""

    stops: Stops = field(default_factory=Stops)
    variable: bool = False
    load_factor: float = 1.0


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
        faults: Sequence[Fault] = (),
        sensor: Accelerometer | None = None,
        air: Air | None = None,
        course: Course | None = None,
    ) -> None:
        course = course or Course()
        self.spec = spec
        self.anatomy = anatomy
        self.faults = tuple(faults)
        self.sensor = sensor or Accelerometer()
        self._air = air or Air()
        self._air_key = key_of(seed, "air")  # one sky over all machines
        self.key = key_of(seed, "machine", spec.id)
        self.drive = Drive(
            duty=anatomy.duty,
            nominal_hz=(spec.speed_rpm or anatomy.rpm) / 60,
            droop=anatomy.speed_droop,
            wander=anatomy.speed,
            key=self.key,
            stops=course.stops,
            variable=course.variable,
            load_factor=course.load_factor,
        )

    def load(self, seconds: float) -> float:
        """Load at an instant, 1 = nominal."""
        return float(self.drive.load(np.array([seconds]))[0])

    def speed_rpm(self, seconds: float) -> float:
        """Speed of the machine's shaft at an instant, r/min."""
        return 60 * float(self.drive.speed_hz(np.array([seconds]))[0])

    def regime(self, seconds: float) -> Regime:
        """What it does at an instant."""
        return self.drive.regime(seconds)

    def condition(self, seconds: float) -> Condition:
        """What is wrong at an instant."""
        return condition_of(self.faults, seconds)

    def temperature_c(self, point: PointSpec, seconds: float) -> float:
        """Temperature of a point's housing at an instant, °C, without the noise of its sensor."""
        cooler = COOLER_K * self.spec.points.index(point)

        def settled(times_s: Floats) -> Floats:
            air = self._air.at(times_s, self._air_key)
            drive, stops = self.drive, self.drive.stops.share(times_s)
            hot = self.anatomy.housing.settled(
                air,
                speed=drive.set_point(times_s) * stops,
                load=drive.average_load(times_s),
                friction=friction(self.faults, point.id, times_s),
            )
            return np.asarray(hot - cooler * stops)

        return self.anatomy.housing.at(seconds, settled)

    def felt(self, point: PointSpec, n: int, fs_hz: float, end_s: float) -> Felt:
        """What the point's waveform channels feel in the `n` samples at `fs_hz` that end at `end_s`."""
        times = np.linspace(end_s - n / fs_hz, end_s, KNOTS)
        load = self.drive.load(times)
        at = round(end_s * 1e6)
        phase = uniform(key_of(self.key, "phase", at), 0, 2 * math.pi)
        turning = turn(self.drive.speed_hz(times, load), phase=phase, n=n, fs_hz=fs_hz)
        now = Situation(
            self.spec,
            self.anatomy,
            self.condition(end_s),
            turning,
            load,
            self.drive.nominal_hz,
            generator(self.key, "block", point.id, at),
        )
        directions = [point.channels[k].direction for k in waveform_channels(point)]
        return Felt(vibration(now, point, directions), turning.mean_hz * 60, 100 * now.mean_load)

    def acquire(self, point: PointSpec, n: int, fs_hz: float, end_s: float) -> Block:
        """The same as the sound sensor gives it: counts."""
        felt = self.felt(point, n, fs_hz, end_s)
        rng = self.sensor_noise(point, end_s)
        return Block(self.sensor.sample(felt.waves, fs_hz, rng), felt.speed_rpm, felt.load_percent)

    def sensor_noise(self, point: PointSpec, end_s: float) -> np.random.Generator:
        """The noise of a point's sensors in the block that ends then."""
        return generator(self.key, "sensor", point.id, round(end_s * 1e6))

    def ambient_c(self, seconds: float) -> float:
        """Temperature of the air beside the machine at an instant, °C, as a Pt100 gives it."""
        noise = normal(key_of(self.key, "pt100 of the air", round(seconds * 1e6)))
        return float(self._air.at(np.array([seconds]), self._air_key)[0]) + PT100_NOISE_K * noise

    def read(self, point: PointSpec, quantity: Quantity, seconds: float) -> float:
        """A slow value at an instant: °C of the housing, r/min or %, as its transmitter gives it; NaN for
        others.
        """
        if quantity is Quantity.TEMPERATURE:
            noise = normal(key_of(self.key, "pt100", point.id, round(seconds * 1e6)))
            return self.temperature_c(point, seconds) + PT100_NOISE_K * noise
        if quantity is Quantity.SPEED:
            return self.speed_rpm(seconds) * point.shaft_order
        return 100 * self.load(seconds) if quantity is Quantity.LOAD else math.nan
