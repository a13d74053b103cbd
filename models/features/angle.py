"""Where the shaft stands at every moment of a block, and when it stands at equal angles.

The speed is taken as linear between the moments it is known at, so the angle is a parabola there and its
inverse has a closed form; nothing is iterated, and the whole batch is done at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .gate import DoubleArray, per_window


@dataclass(frozen=True, slots=True)
class Profile:
    """Speed of the shaft over each block: `speed_hz` (n, k) at `at_s` (n, k), linear in between.

    The first moment is no later than the block's first sample, the last no earlier than its last.
    """

    at_s: DoubleArray
    speed_hz: DoubleArray

    def __getitem__(self, rows: slice | npt.NDArray[np.intp]) -> Profile:
        return Profile(self.at_s[rows], self.speed_hz[rows])

    def angles(self) -> DoubleArray:
        """Turns (n, k) since the first moment."""
        steps = (self.speed_hz[:, 1:] + self.speed_hz[:, :-1]) / 2 * np.diff(self.at_s, axis=1)
        return np.concatenate((np.zeros((len(steps), 1)), np.cumsum(steps, axis=1)), axis=1)

    def slopes(self) -> DoubleArray:
        """Change of the speed (n, k - 1) in Hz a second; 0 between two moments that are one."""
        length = np.diff(self.at_s, axis=1)
        change = np.diff(self.speed_hz, axis=1)
        slopes: DoubleArray = np.divide(change, length, out=np.zeros_like(change), where=length > 0)
        return slopes

    def angle_at(self, moment_s: DoubleArray) -> DoubleArray:
        """Turns (n,) at one moment of each block."""
        last = self.at_s.shape[1] - 2
        piece = np.clip((self.at_s <= moment_s[:, None]).sum(axis=1) - 1, 0, last)
        each = np.arange(len(moment_s))
        since = moment_s - self.at_s[each, piece]
        turns: DoubleArray = self.angles()[each, piece] + since * (
            self.speed_hz[each, piece] + self.slopes()[each, piece] * since / 2
        )
        return turns

    def moments(self, start: DoubleArray, per_turn: int, count: int) -> DoubleArray:
        """Seconds (n, count) at which the shaft stands at `start` + 0, 1, 2 … / `per_turn` turns."""
        n, k = self.at_s.shape
        angles = self.angles()
        # Angles are equally far apart, so counting where pieces begin is all the searching there is.
        begins = np.clip(np.ceil((angles - start[:, None]) * per_turn), 0, count).astype(np.intp)
        row = np.arange(n)[:, None]
        begun = np.bincount((row * (count + 1) + begins).ravel(), minlength=n * (count + 1))
        piece = np.cumsum(begun.reshape(n, count + 1)[:, :count], axis=1) - 1
        np.clip(piece, 0, k - 2, out=piece)
        since = (start[:, None] + np.arange(count) / per_turn) - np.take_along_axis(angles, piece, axis=1)
        speed = np.take_along_axis(self.speed_hz, piece, axis=1)
        slope = np.take_along_axis(self.slopes(), piece, axis=1)
        # The root of slope/2·t² + speed·t = since that stays exact where the slope is 0.
        root = np.sqrt(np.maximum(speed * speed + 2 * slope * since, 0))
        moments: DoubleArray = np.take_along_axis(self.at_s, piece, axis=1) + 2 * since / (speed + root)
        return moments


def check_profile(speed_hz: npt.ArrayLike, at_s: npt.ArrayLike | None, n: int, last_s: float) -> Profile:
    """The speed over blocks that last `last_s`, or ValueError; NaN where it is not known.

    `speed_hz` is one number, (n,) for speeds that are constant, or (n, k) at `at_s`, (k,) or (n, k) seconds
    after the first sample; without `at_s` they are equally spaced from the first to the last sample. Before
    the first and after the last moment the speed is held.
    """
    speed = np.asarray(speed_hz, dtype=np.float64)
    if speed.ndim < 2:
        speed = np.repeat(per_window("speed_hz", speed, n)[:, None], 2, axis=1)
        if at_s is not None:
            raise ValueError(
                "at_s goes with speeds of shape (n, k): leave it out where the speed is constant"
            )
    if speed.ndim != 2 or len(speed) != n or speed.shape[1] < 2:
        raise ValueError(
            f"speed_hz must be one number, ({n},), or ({n}, k) with at least 2 speeds over each block, "
            f"got shape {speed.shape}"
        )
    wrong = np.isinf(speed) | (speed < 0)
    if wrong.any():
        raise ValueError(
            f"speed_hz must be 0 or more, and NaN where it is unknown, got {speed[wrong][0]:g}: "
            "a direction has no meaning"
        )
    moments = _check_moments(np.linspace(0, last_s, speed.shape[1]) if at_s is None else at_s, speed.shape)
    ends = np.minimum(moments[:, :1], 0), np.maximum(moments[:, -1:], last_s)
    return Profile(
        np.concatenate((ends[0], moments, ends[1]), axis=1),
        np.concatenate((speed[:, :1], speed, speed[:, -1:]), axis=1),
    )


def _check_moments(at_s: npt.ArrayLike, shape: tuple[int, ...]) -> DoubleArray:
    moments = np.asarray(at_s, dtype=np.float64)
    if moments.shape not in (shape, shape[1:]):
        raise ValueError(
            f"at_s must be the moments of the speeds, of shape {shape[1:]} or {shape}, got {moments.shape}"
        )
    moments = np.broadcast_to(moments, shape)
    wrong = ~np.isfinite(moments)
    wrong[:, 1:] |= moments[:, 1:] <= moments[:, :-1]
    if wrong.any():
        raise ValueError(
            f"at_s must be finite and rise, got {moments[wrong][0]:g} where it does not: seconds after the "
            "first sample of the block"
        )
    return moments
