"""Condition of a rolling bearing by VDI 3832, and where impulsive statistics have something to say at all."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from .gate import DoubleArray

CLASS_LIMITS: Final = (1.0, 0.5, 0.2, 0.02)
"""VDI 3832:2013, falling: 1 as new, above 0.5 good, to 0.2 influences, to 0.02 damage progresses, below it
damaged."""

HIGHEST_DUTY: Final = 0.3
"""Shocks that ring for more than 0.3 of the time between them run into each other: at 0.3 the law of the
kurtosis is 2 % off and gives 5, beyond it the kurtosis of any damage nears that of noise, 3."""


class Condition(IntEnum):
    """Classes of VDI 3832, from the best; UNKNOWN where the condition number is."""

    UNKNOWN = -1
    NEW = 0
    GOOD = 1
    INFLUENCES = 2
    PROGRESSING = 3
    DAMAGED = 4


def condition_number(
    rms: npt.ArrayLike, peak: npt.ArrayLike, *, rms_new: npt.ArrayLike, peak_new: npt.ArrayLike
) -> DoubleArray:
    """K(t) = a_rms(0) a_peak(0) / (a_rms(t) a_peak(t)) of VDI 3832:2013, elementwise.

    `rms` and `peak` are `band_1000_10000_m_s2` and `peak_1000_10000_m_s2` of any shape; `rms_new` and
    `peak_new` those of the same bearing after 24-100 h of running in, in the same regime (both levels follow
    the speed and the load), broadcast against them. 1 as new, and less the more it is damaged: levels k times
    as high give 1/k². NaN where a level is unknown, infinite, 0 or negative.
    """
    now = _level(rms) * _level(peak)
    return _level(rms_new) * _level(peak_new) / now


def condition_class(k: npt.ArrayLike) -> npt.NDArray[np.int8]:
    """The class of each condition number, as `Condition`, in the shape of `k`; UNKNOWN where it is NaN.

    A number that equals a limit belongs to the better class, but for 0.5: only above it is good.
    """
    number = np.asarray(k, dtype=np.float64)
    new, good, influences, progressing = CLASS_LIMITS
    worse = [number < new, number <= good, number < influences, number < progressing]
    return np.where(np.isnan(number), Condition.UNKNOWN, np.sum(worse, axis=0)).astype(np.int8)


def shock_duty(f_d_hz: npt.ArrayLike, f_n_hz: npt.ArrayLike, zeta: npt.ArrayLike) -> DoubleArray:
    """f_d·τ: how much of the time between two shocks the ringing lasts, τ = 1 / (2π f_n ζ), elementwise.

    `f_d_hz` is the frequency of the defect, `f_n_hz` and `zeta` those and the damping ratio of the resonance
    that it excites. NaN where one is unknown, infinite, 0 or negative.
    """
    return _level(f_d_hz) / (2 * math.pi * _level(f_n_hz) * _level(zeta))


def shock_kurtosis(duty: npt.ArrayLike) -> DoubleArray:
    """The kurtosis of equal shocks of that duty, without noise: 1.5 / duty; NaN above `HIGHEST_DUTY`.

    With u² = e^(-2t/τ) sin² the mean square is τ/4 · f_d and the mean fourth power 3/8 · τ/4 · f_d.
    """
    share = _level(duty)
    return np.where(share <= HIGHEST_DUTY, 1.5 / share, np.nan)


def impulsive(f_d_hz: npt.ArrayLike, f_n_hz: npt.ArrayLike, zeta: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Whether kurtosis, crest factor and spectral kurtosis say something of this defect, elementwise.

    True where the duty of its shocks is known to be at most `HIGHEST_DUTY`. Where it is False (fast bearings:
    a spindle's inner ring at 2273 Hz rings into its next shock) look at levels and envelope lines instead.
    Even where it is True a falling kurtosis is no recovery: shocks grow denser with the damage.
    """
    return np.asarray(shock_duty(f_d_hz, f_n_hz, zeta) <= HIGHEST_DUTY)


def _level(value: npt.ArrayLike) -> DoubleArray:
    level = np.asarray(value, dtype=np.float64)
    return np.where((level > 0) & np.isfinite(level), level, np.nan)
