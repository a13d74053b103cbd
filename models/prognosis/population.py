"""The life of a population, where nothing of a machine's own degradation is seen: Weibull, and labelled so.

Of a machine that has reached age a, the remaining life r has P(R > r) = exp((a/η)^β − ((a + r)/η)^β), so its
quantiles are closed: r_p = η·((a/η)^β − ln(1 − p))^(1/β) − a, computed without the difference.
"""

from __future__ import annotations

import math

from .types import Assumption, Method, RemainingLife


def population_life(age_h: float, shape: float, scale_h: float) -> RemainingLife:
    """P10, P50 and P90 of the remaining life at an age of running hours, from a Weibull life (β, η).

    It says what machines of the class do, nothing of this one. Raises ValueError.
    """
    if not (0 <= age_h < math.inf and 0 < shape < math.inf and 0 < scale_h < math.inf):
        raise ValueError(
            f"age must be 0 or more, shape and scale positive, got {age_h} h, {shape} and {scale_h} h"
        )
    p10, p50, p90 = (_residual_h(age_h, shape, scale_h, p) for p in (0.1, 0.5, 0.9))
    params = {"shape": shape, "scale_h": scale_h, "age_h": age_h}
    return RemainingLife(p10, p50, p90, Method.POPULATION, (Assumption("population", params),))


def _residual_h(age_h: float, shape: float, scale_h: float, p: float) -> float:
    hazard = -math.log1p(-p)
    if age_h == 0:
        return float(scale_h * hazard ** (1 / shape))
    return age_h * math.expm1(math.log1p(hazard * (scale_h / age_h) ** shape) / shape)
