"""When the extractor agrees with the oracle.

Both must be NaN together. Numbers agree to 1e-3 of the oracle's, ratios near 0 such as the skewness to 1e-5,
counts of equal samples exactly.

What is left beyond that is rounding: the extractor computes in float32. So a feature may be off by four times
what the oracle itself moves when every sample is moved by a few such rounding errors: 2⁻²¹ of the largest
deviation from the mean (the FFT), and 2⁻²⁴ of the largest sample (its conversion). That needs no exception
for any feature: it is wide for a level far below the strongest, and vanishes where the number is well
founded. A ratio that moves by more than 0.25 % stands on nothing but rounding (the kurtosis of a band without
signal); what the rounding of another FFT makes of it is not comparable at all.

Moves of single samples cancel in a mean. The rounding of a sum need not: partial sums of a tone in step with
the lanes of a processor grow before they cancel, and how many lanes there are is its own. So the mean may be
off by four times the move itself.
"""

from __future__ import annotations

import math
import re

import numpy as np

from models.features.catalogue import CATALOGUE
from tests.support import naive
from tests.support.rows import COMPILED, extracted

ALLOWED = 1e-3
NEAR_ZERO = 1e-5
UNFOUNDED = 0.0025
OF_DEVIATION, OF_SAMPLE = 2.0**-21, 2.0**-24
DRAWS = 2
OF_SAMPLES = ("clipped_fraction", "longest_hold", "spikes")
"""They count equal samples: what moves the samples ends them."""

MEAN = "mean_m_s2"

RATIOS = {spec.name for spec in CATALOGUE if spec.degree == 0}


def disagreements(
    block: np.ndarray,
    fs_hz: float,
    *,
    scale: float = 1.0,
    full_scale: float | None = None,
    draws: int = DRAWS,
    **known: object,
) -> dict[str, tuple[float, float, float]]:
    """(extractor's, oracle's, allowed difference) of every feature on which they do not agree."""
    slow = naive.features(block, fs_hz, scale=scale, full_scale=full_scale, **known)
    assert set(slow) == {spec.name for spec in CATALOGUE}
    a = block.astype(np.float64) * scale
    draws = draws if np.isfinite(a).all() and np.ptp(a) > 0 else 0  # a sensor without a signal stays one
    moved = [naive.of_signal(_moved(a, seed), fs_hz, **known) for seed in range(draws)]  # type: ignore[arg-type]
    found = {}
    for compiled in COMPILED:
        ours: dict[str, object] = {"scale": scale, "full_scale": full_scale, "compiled": compiled, **known}
        for name, value in extracted(block, fs_hz, **ours).items():  # type: ignore[arg-type]
            allowance = _allowance(name, slow, moved) + (4 * _step(a) if moved and name == MEAN else 0.0)
            if not _agree(value, slow[name], allowance):
                found[f"{name} by {'numba' if compiled else 'numpy'}"] = (value, slow[name], allowance)
    return found


def _step(a: np.ndarray) -> float:
    return float(OF_DEVIATION * np.abs(a - a.mean()).max() + OF_SAMPLE * np.abs(a).max())


def _moved(a: np.ndarray, seed: int) -> np.ndarray:
    return np.asarray(a + _step(a) * np.random.default_rng(seed).standard_normal(a.size))


def _allowance(name: str, slow: dict[str, float], moves: list[dict[str, float]]) -> float:
    """NaN where rounding decides whether there is a number at all."""
    if name in OF_SAMPLES:
        return 0.0
    number, moved = slow[name], [values[name] for values in moves]
    if any(math.isnan(value) != math.isnan(number) for value in moved):
        return math.nan
    if math.isnan(number):
        return 0.0
    if _is_rounding(_founded_on(name), slow, moves):
        return math.inf
    floor = NEAR_ZERO if name in RATIOS else 0.0
    return floor + ALLOWED * abs(number) + 4 * max((abs(value - number) for value in moved), default=0.0)


def _founded_on(name: str) -> str:
    """Harmonics are counted, and the band is told, of the comb with the best score."""
    return re.sub("_(harmonics|band_hz)$", "_bits", name)


def _is_rounding(name: str, slow: dict[str, float], moves: list[dict[str, float]]) -> bool:
    if name not in RATIOS:
        return False
    farthest = max((abs(values[name] - slow[name]) for values in moves), default=0.0)
    return farthest > UNFOUNDED * abs(slow[name]) + NEAR_ZERO


def _agree(fast: float, slow: float, allowance: float) -> bool:
    if math.isinf(allowance):
        return True
    if math.isnan(fast) or math.isnan(slow):
        return math.isnan(fast) == math.isnan(slow) or math.isnan(allowance)
    return abs(fast - slow) <= allowance + 1e-6 * abs(slow)  # a float32 holds seven digits
