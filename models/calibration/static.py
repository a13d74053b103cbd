"""Static calibration against gravity: each axis once up and once down (ISO 16063-16).

An accelerometer that measures down to 0 Hz shows the reaction to gravity, +g on the axis that points up. Six
rests, one for each axis and direction, in any order, give the sensitivities, those across the axes included,
and the offsets. Sensors that block 0 Hz (IEPE) show nothing: they need a reference tone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from .refusal import CalibrationError

STANDARD_G_M_S2: Final = 9.80665
"""Conventional; it varies by ±0.27 % over the earth, less than MEMS sensors promise. Others may be given."""

ALIGNED: Final = 0.9
"""Of a rest on one axis: tilted by more than 25° it is none. Offsets alone (ADXL345, 0.25 g) leave 0.95."""

LEVEL_M_S2: Final = 0.5
"""What one rest may differ from what all say together. Two opposite rests on a slope of 4.4°, or one of 9°,
reach it, and make the gain 0.3 to 0.6 % too high."""

ASKEW_PERCENT: Final = 10.0
"""Of another axis: data sheets give 1 to 2. At 10 it sits 6° askew, and the gain is 0.5 % too high."""

STILL_M_S2: Final = 0.5
"""Largest standard deviation of a rest. Noise of the worst sensor meant for this (ADXL345) is 0.15 m/s² at
its full rate; a hand that holds it makes several times the limit."""

STRANGE: Final = 0.2
"""A sensitivity further than 20 % from the nominal is another range or a defect, not a tolerance: data sheets
give 10 % at most."""


@dataclass(frozen=True, slots=True)
class Pose:
    """One rest: `axis` (index of the channel) points up, or down where `sign` is -1. Means in m/s²."""

    axis: int
    sign: int
    mean_m_s2: tuple[float, ...]
    std_m_s2: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Static:
    """`gain` (n,) multiplies the present scales, `offset_m_s2` (n,) is what rests show too much.

    `cross_percent` (n, n) is what an axis shows of the others, in percent; its diagonal is 0.
    """

    gain: npt.NDArray[np.float64]
    offset_m_s2: npt.NDArray[np.float64]
    cross_percent: npt.NDArray[np.float64]


def pose(samples_m_s2: npt.ArrayLike, *, g_m_s2: float = STANDARD_G_M_S2) -> Pose:
    """Which way up a rest is. `samples_m_s2` (n_channels, n_samples). Raises CalibrationError."""
    x = np.asarray(samples_m_s2, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] < 2 or not np.isfinite(x).all():
        raise CalibrationError(f"a rest must be (channels, samples) of finite numbers, got shape {x.shape}")
    mean, std = x.mean(axis=1), x.std(axis=1)
    if std.max() > STILL_M_S2:
        raise CalibrationError(
            f"the sensor moved: the standard deviation is {std.max():.2f} m/s², at rest it is at most "
            f"{STILL_M_S2}; lay it on a table that does not shake and take this rest again"
        )
    axis = int(np.abs(mean).argmax())
    if abs(mean[axis]) < ALIGNED * g_m_s2 * (1 - STRANGE):
        raise CalibrationError(
            f"no axis points up or down: the largest mean is {abs(mean[axis]):.2f} m/s² of {g_m_s2:.2f}; lay "
            "the sensor on one of its faces (one that blocks 0 Hz, such as IEPE, needs a reference tone)"
        )
    share = abs(mean[axis]) / float(np.linalg.norm(mean))
    if share < ALIGNED:
        raise CalibrationError(
            f"the sensor is tilted by {np.degrees(np.arccos(share)):.0f}°: lay it on one of its faces, on a "
            "level table, and take this rest again"
        )
    return Pose(axis, 1 if mean[axis] > 0 else -1, tuple(mean), tuple(std))


def solve(poses: Sequence[Pose], *, g_m_s2: float = STANDARD_G_M_S2) -> Static:
    """Sensitivities and offsets from one rest or more for each axis and direction. Raises CalibrationError.

    Least squares of mean = M·g·u + offset over all rests, u the direction of gravity's reaction.
    """
    if not poses:
        raise CalibrationError("at least one rest for each axis up and down is needed, got none")
    n = len(poses[0].mean_m_s2)
    missing = [
        f"channel {axis + 1} {'up' if sign > 0 else 'down'}"
        for axis in range(n)
        for sign in (1, -1)
        if not any((one.axis, one.sign) == (axis, sign) for one in poses)
    ]
    if missing:
        raise CalibrationError(f"these rests are missing: {', '.join(missing)}; take them too")
    directions = np.zeros((len(poses), n + 1))
    directions[:, n] = 1.0
    for row, one in enumerate(poses):
        directions[row, one.axis] = one.sign * g_m_s2
    means = np.array([one.mean_m_s2 for one in poses])
    solved = np.linalg.lstsq(directions, means, rcond=None)[0]
    matrix, offset = solved[:n].T, solved[n]
    own = np.diag(matrix)
    wrong = np.flatnonzero(np.abs(own - 1) > STRANGE)
    if wrong.size:
        raise CalibrationError(
            f"channel {wrong[0] + 1} shows {own[wrong[0]]:.2f} times gravity, which is no tolerance: is the "
            "range the one that is set, and the unit right?"
        )
    cross = 100 * (matrix - np.diag(own)) / own[:, None]
    _check_level(np.abs(means - directions @ solved), np.abs(cross), poses)
    return Static(1 / own, offset, cross)


def _check_level(off: npt.NDArray[np.float64], cross: npt.NDArray[np.float64], poses: Sequence[Pose]) -> None:
    """A slope reads as a sensitivity that is too low, and shows on the other axes."""
    worst = poses[int(off.max(axis=1).argmax())]
    if off.max() > LEVEL_M_S2:
        raise CalibrationError(
            f"the rests do not fit together by {off.max():.2f} m/s² (at most {LEVEL_M_S2}), most with "
            f"channel {worst.axis + 1} {'up' if worst.sign > 0 else 'down'}: not level, or not on the table "
            "with its whole face; take all rests again"
        )
    if cross.max() > ASKEW_PERCENT:
        raise CalibrationError(
            f"an axis shows {cross.max():.1f} % of another axis, the most that can be is {ASKEW_PERCENT:g}: "
            "the sensor sits askew in its housing; lay the sensor itself on the table"
        )
