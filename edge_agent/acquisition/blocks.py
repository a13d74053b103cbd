"""The frames of a cut, and the channels that a birth announces: what is stored and sent of a plan."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from palier.frames import QUALITY_BAD, QUALITY_GOOD, Clock, Frame, Readings, Waveform
from palier.source import ChannelBirth
from palier.wire.danger import VELOCITY_UNIT, velocity_channel

from .acquisition import Cut
from .plan import Plan
from .sensor import Sensor

RATE_STEP: Final = 1e-4
"""Of the nominal rate: to so much a measured one is told. Less is the business of clocks (100 ppm), and the
host keeps windows and weights of each rate that it meets."""


def rate_told(measured_hz: float, nominal_hz: float) -> float:
    """A measured rate as frames tell it: the nominal one within 50 ppm, else in steps of 100 ppm."""
    steps = round((measured_hz / nominal_hz - 1) / RATE_STEP)
    return nominal_hz * (1 + steps * RATE_STEP) if steps else nominal_hz


def frames_of(
    cut: Cut,
    sensor: Sensor,
    *,
    start_ns: int,
    fs_hz: float,
    clock: Clock = Clock.SYNCED,
    speed_rpm: float | None = None,
) -> tuple[Frame, ...]:
    """The readings of a danger block, and the waveform of any that has one.

    `start_ns` is the time of the sample `cut.first_sample`, `fs_hz` the sensor's rate as measured. A reading
    is dated to the end of its second: by then it was so.
    """
    found: list[Frame] = []
    if cut.velocity_mm_s is not None:
        end_ns = start_ns + round(cut.n_samples / fs_hz * 1e9)
        found.append(_readings(cut.velocity_mm_s, sensor, end_ns, clock))
    if cut.samples is not None:
        little = np.ascontiguousarray(cut.samples, cut.samples.dtype.newbyteorder("<"))
        found.append(
            Waveform(
                machine=sensor.machine,
                point=sensor.point,
                channels=sensor.channels,
                samples=little,
                scale=sensor.scale,
                unit=(sensor.unit,) * len(sensor.channels),
                fs_hz=rate_told(fs_hz, sensor.fs_hz) / cut.decimation,
                start_ns=start_ns,
                clock=clock,
                speed_rpm=speed_rpm,
                urgent=cut.velocity_mm_s is not None,  # a danger block is kept where it is over its limit
            )
        )
    return tuple(found)


def births_of(plan: Plan, sensor: Sensor) -> tuple[ChannelBirth, ...]:
    """The channels of the sensor, and of its danger readings where the plan has them."""
    return (*_waveforms(sensor), *(_velocities(sensor) if plan.danger else ()))


def _readings(velocity: tuple[float, ...], sensor: Sensor, end_ns: int, clock: Clock) -> Readings:
    return Readings(
        machine=sensor.machine,
        channels=tuple(velocity_channel(sensor.point, channel) for channel in sensor.channels),
        times_ns=np.array([end_ns], "<i8"),
        values=np.array(velocity, "<f8")[:, None],
        unit=(VELOCITY_UNIT,) * len(velocity),
        clock=clock,
        quality=tuple(QUALITY_BAD if math.isnan(value) else QUALITY_GOOD for value in velocity),
    )


def _waveforms(sensor: Sensor) -> Iterator[ChannelBirth]:
    ends = sensor.ends or (None,) * len(sensor.channels)
    for channel, scale, end in zip(sensor.channels, sensor.scale, ends, strict=True):
        yield ChannelBirth(f"{sensor.point}/{channel}", sensor.unit, sensor.dtype, scale, sensor.fs_hz, end)


def _velocities(sensor: Sensor) -> Iterator[ChannelBirth]:
    for channel in sensor.channels:
        yield ChannelBirth(velocity_channel(sensor.point, channel), VELOCITY_UNIT, "float64")
