"""What the process does: cavitation, particles of a slurry, a cutter in the metal."""

from __future__ import annotations

import math

import numpy as np

from .noise import Band, noise
from .shaft import Singles, Turning
from .structure import Impulses

CAVITATION_BAND = (1_000.0, 15_000.0)
COLLAPSE_MODULATION = 0.4
"""Bubbles collapse where a vane passes: the noise comes and goes with the vanes."""


def cavitation(rms_m_s2: float, vanes: float, turning: Turning, rng: np.random.Generator) -> Singles:
    """Noise of collapsing bubbles, 1-15 kHz, (n,) m/s²; its power follows the lack of suction head."""
    n = turning.theta.size
    band = Band(*CAVITATION_BAND, acceleration_m_s2=1.0)
    out: Singles = noise(((band, rms_m_s2),), 1, n=n, fs_hz=turning.fs_hz, rng=rng)[0]
    out *= 1 + np.float32(COLLAPSE_MODULATION) * turning.cos(vanes)
    out *= np.float32(1 / math.sqrt(1 + COLLAPSE_MODULATION**2 / 2))
    return out


def particles(rate_hz: float, height_m_s2: float, turning: Turning, rng: np.random.Generator) -> Impulses:
    """Stones in a slurry: shocks at random times (Poisson), of lognormal heights.

    They ring in the structure as a bearing does, without any order: what a detector must not be taken in by.
    """
    count = int(rng.poisson(rate_hz * turning.seconds))
    times = rng.uniform(0, turning.seconds, count)
    return Impulses(times, height_m_s2 * np.exp(0.5 * rng.standard_normal(count) - 0.125))


TAYLOR = (0.15, 0.75)
"""Shares of a tool's life at which wear slows after running-in, and accelerates again (ISO 8688)."""


def flank_wear(life: float) -> float:
    """Flank wear of a tool over its life (both 0..1): fast at first, steady, then fast again (Taylor)."""
    first, last = TAYLOR
    if life < first:
        return 0.25 * life / first
    if life < last:
        return 0.25 + 0.3 * (life - first) / (last - first)
    return 0.55 + 0.45 * math.pow((life - last) / (1 - last), 1.5)
