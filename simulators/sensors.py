"""An accelerometer and its converter: noise floor, range, counts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.types import STANDARD_GRAVITY_M_S2

FULL_SCALE_COUNTS = 32767  # int16, kept symmetric


@dataclass(frozen=True, slots=True)
class Accelerometer:
    """A MEMS or IEPE sensor of ±`range_g` on a 16-bit converter; `noise_ug` is its floor in µg/√Hz.

    A floor must be there: without one, a band in which nothing happens looks impulsive to every detector.
    50 µg/√Hz lies between piezoelectric sensors (a few) and cheap MEMS (100 and more).
    """

    range_g: float = 50.0
    noise_ug: float = 50.0

    def full_scale(self, unit: str) -> float:
        """The range in `unit`, "g" or "m/s²"."""
        return self.range_g if unit == "g" else self.range_g * STANDARD_GRAVITY_M_S2

    def scale(self, unit: str) -> float:
        """What one count is, in `unit`."""
        return self.full_scale(unit) / FULL_SCALE_COUNTS

    def sample(
        self, acceleration_m_s2: npt.NDArray[np.floating], fs_hz: float, rng: np.random.Generator
    ) -> npt.NDArray[np.int16]:
        """Counts of an acceleration in m/s², any shape; what lies beyond the range is clipped."""
        sigma = self.noise_ug * 1e-6 * STANDARD_GRAVITY_M_S2 * math.sqrt(fs_hz / 2)
        counts = rng.standard_normal(acceleration_m_s2.shape, dtype=np.float32)
        counts *= np.float32(sigma)
        counts += acceleration_m_s2
        counts *= np.float32(1 / self.scale("m/s²"))
        np.rint(counts, out=counts)
        np.clip(counts, -FULL_SCALE_COUNTS, FULL_SCALE_COUNTS, out=counts)
        return counts.astype("<i2")
