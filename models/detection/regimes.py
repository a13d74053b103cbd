"""What a machine is doing while a block is measured: stopped, transient, running, or nothing that tells.

Rules, elementwise over any batch of blocks:
1. A measured speed or, without one, a motor current says whether the machine turns, and outranks its
   vibration: a slow kiln turns in silence, and a standing pump shakes beside a running one. A nominal speed
   says nothing: NaN. No speed of a motor that draws current is a dead pick-up, a slipped belt or a blocked
   rotor: then nothing tells.
2. Without them a machine is stopped when it shakes less than any machine that runs and no more than its
   sensor does by itself; it runs when either is exceeded.
3. Turning, it is transient while its speed changes by more than 1 %, or while its bearings still warm up
   after a start. Heat that comes long after the start is no settling but a fault, and must be judged.
4. Where nothing tells, the regime is unknown.

Running blocks are binned by speed (5 % apart) and load (thirds of the range that was learned).
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray

from .zones import STANDSTILL_RPM

STOPPED_VELOCITY_MM_S: Final = 0.15
"""A fifth of the best zone limit of the smallest machines (0.71 mm/s, ISO 10816-1 class I)."""

STOPPED_FLOORS: Final = 3.0
"""Acceleration below so many times the sensor's own noise is not told from it."""

SENSOR_FLOOR_M_S2: Final = 0.007
"""Broadband noise of a common industrial accelerometer (100 mV/g, 700 µg from 2.5 Hz to 25 kHz)."""

STOPPED_CURRENT: Final = 0.05
"""Share of its nominal current below which a motor is off: without load it still draws 0.25 or more."""

SPEED_CHANGE: Final = 0.01
"""A change of speed within a block that smears the tenth order of a 1 s block over more than its line."""

NEAR_S: Final = 60.0
"""Two blocks closer than this tell of a change of speed; a fan that runs faster ten minutes later has not
been caught on its way."""

SETTLING_K_PER_H: Final = 6.0
"""A housing that still warms by 0.1 K a minute after a start: two time constants of 40 min after it began to
rise by 30 K."""

SETTLING_H: Final = 4.0
"""Four to six time constants of a bearing housing: by then a start is over, whatever the slope."""

SPEED_STEP: Final = 0.05
"""Width of a bin of speed."""

LOAD_BINS: Final = 3
"""Bins of load: low, middle, high third of the range that was learned."""

Kinds = npt.NDArray[np.int8]


class Regime(IntEnum):
    """What a machine is doing."""

    UNKNOWN = -1
    STOPPED = 0
    TRANSIENT = 1
    RUNNING = 2


_UNKNOWN, _STOPPED, _TRANSIENT, _RUNNING = (np.int8(regime) for regime in Regime)


def classify(
    velocity_mm_s: npt.ArrayLike = math.nan,
    acceleration_m_s2: npt.ArrayLike = math.nan,
    *,
    speed_hz: npt.ArrayLike = math.nan,
    speed_change: npt.ArrayLike = math.nan,
    current_share: npt.ArrayLike = math.nan,
    temperature_slope_k_per_h: npt.ArrayLike = math.nan,
    since_start_h: npt.ArrayLike = math.nan,
    floor_m_s2: npt.ArrayLike = SENSOR_FLOOR_M_S2,
) -> Kinds:
    """The `Regime` of each block, elementwise with broadcasting, NaN where a value is not known.

    `velocity_mm_s` and `acceleration_m_s2` are RMS levels, `speed_hz` a measured speed (sign ignored),
    `speed_change` its relative change over the block (`relative_change`), `current_share` the motor's current
    over its nominal one, `since_start_h` hours since it last stood still, `floor_m_s2` the sensor's noise.
    """
    velocity, acceleration, speed, current = (
        np.asarray(v, dtype=np.float64) for v in (velocity_mm_s, acceleration_m_s2, speed_hz, current_share)
    )
    floor = STOPPED_FLOORS * np.asarray(floor_m_s2, dtype=np.float64)
    hz, no_speed, drawing = np.abs(speed), np.isnan(speed), current >= STOPPED_CURRENT
    stopped = (hz <= STANDSTILL_RPM / 60) & ~drawing
    running = hz > STANDSTILL_RPM / 60
    if no_speed.any():
        neither = no_speed & np.isnan(current)
        quiet = (velocity < STOPPED_VELOCITY_MM_S) & (acceleration < floor)
        loud = (velocity >= STOPPED_VELOCITY_MM_S) | (acceleration >= floor)
        stopped = stopped | (no_speed & (current < STOPPED_CURRENT)) | (neither & quiet)
        running = running | (no_speed & drawing) | (neither & loud)
    settling = (np.abs(temperature_slope_k_per_h) > SETTLING_K_PER_H) & (
        np.asarray(since_start_h) < SETTLING_H
    )
    transient = running & ((np.abs(speed_change) > SPEED_CHANGE) | settling)
    kind = np.where(running, _RUNNING, _UNKNOWN)
    return np.where(stopped, _STOPPED, np.where(transient, _TRANSIENT, kind))


def relative_change(
    speed_hz: npt.ArrayLike, previous_hz: npt.ArrayLike, apart_s: npt.ArrayLike
) -> DoubleArray:
    """The change of speed since the block before, relative to the higher of both, elementwise.

    NaN where either speed is unknown or the blocks are more than `NEAR_S` apart; 0 where both stand.
    """
    now, before = np.abs(np.asarray(speed_hz, dtype=np.float64)), np.abs(np.asarray(previous_hz))
    higher = np.maximum(now, before)
    change = (now - before) / np.where(higher > 0, higher, 1.0)
    return np.asarray(np.where(np.abs(apart_s) <= NEAR_S, change, np.nan), dtype=np.float64)


def bin_codes(
    speed_hz: DoubleArray,
    load: DoubleArray,
    *,
    reference_hz: npt.ArrayLike,
    load_low: npt.ArrayLike,
    load_high: npt.ArrayLike,
) -> npt.NDArray[np.int32]:
    """The bin of each running block: one whole number for its bin of speed and of load.

    Elementwise with broadcasting. Speeds are binned by ratio to `reference_hz`, which stands in the middle of
    its bin, so that a machine of one speed is in one bin. A speed, a load, a reference or a range that is not
    known makes one bin of all.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.log(np.abs(speed_hz) / reference_hz) / math.log1p(SPEED_STEP)
        speed_bin = np.rint(np.minimum(np.maximum(np.where(np.isfinite(steps), steps, 0.0), -1000), 1000))
        if np.isnan(load).all():
            return np.asarray(speed_bin * LOAD_BINS, dtype=np.int32)
        share = (load - np.asarray(load_low)) / (np.asarray(load_high) - np.asarray(load_low))
    load_bin = np.clip(np.floor(np.where(np.isfinite(share), share, 0.0) * LOAD_BINS), 0, LOAD_BINS - 1)
    return np.asarray(speed_bin * LOAD_BINS + load_bin, dtype=np.int32)
