"""The limits of single features: a machine's own statistics, tied to the zones of its standard.

With m the expected level, σ its spread as a logarithm and z = 5 until 30 days of baseline, then 4:

- velocity with zone limits B/C and C/D: ALERT = min(max(m exp(zσ), m + 0.25 B/C), B/C), which an engineer
  may sign up to 1.25 B/C; DANGER = C/D. The step of 0.25 B/C is criterion II of ISO 20816-1 and -3: a change
  by more, up or down, is significant whatever the zone;
- features without zones: ALERT = m max(exp(zσ), 2), DANGER = m max(exp((z+2)σ), 4);
- low limit (a sensor that has come off, a machine uncoupled): m / max(exp((z+2)σ), 4), and for velocity as
  well a fall by both 0.25 B/C and zσ.

z was chosen for twelve features of one machine. More tests alarm more often: above twelve, z is raised so
that all of them together alarm as often as twelve (Šidák). All functions are elementwise with broadcasting;
NaN in, NaN out.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray

from .zones import LimitKind, LimitSet

Z_YOUNG: Final = 5.0
"""Until the baseline has seen a month: with a week and an autocorrelation of 0.95, 4 alarms once a month."""

Z_OLD: Final = 4.0
"""From then on."""

OLD_DAYS: Final = 30
"""Days of baseline from which its median and spread are known well enough for `Z_OLD`."""

FEATURES_OF_Z: Final = 12
"""Features of one machine that these z were measured for."""

CRITERION_II: Final = 0.25
"""Share of B/C that makes a change significant (ISO 20816-1:2016 and ISO 20816-3:2022, criterion II)."""

MOST_SIGNED: Final = 1.25
"""An engineer may sign an ALERT up to so many times B/C, no further (same source)."""

ALERT_RATIO: Final = 2.0
"""Least ratio to the baseline that alerts where there are no zones."""

DANGER_RATIO: Final = 4.0
"""Least ratio to the baseline that is a danger where there are no zones."""


@dataclass(frozen=True, slots=True)
class Bands:
    """Limits of one shape; a value above `alert` or `danger`, or below `low`, exceeds. NaN: no limit."""

    low: DoubleArray
    alert: DoubleArray
    danger: DoubleArray


def z_of(days: float, features: int = FEATURES_OF_Z) -> float:
    """How many σ a single feature may be off, for a baseline of so many days and a machine's features."""
    z = Z_OLD if days >= OLD_DAYS else Z_YOUNG
    if features <= FEATURES_OF_Z:
        return z
    tail = NormalDist().cdf(-z)
    share = -np.expm1(np.log1p(-tail) * FEATURES_OF_Z / features)
    return -NormalDist().inv_cdf(float(share))


def feature_bands(expected: npt.ArrayLike, sigma: npt.ArrayLike, z: npt.ArrayLike) -> Bands:
    """The limits of features without zones, in the unit of `expected`."""
    m, s, k = (np.asarray(v, dtype=np.float64) for v in (expected, sigma, z))
    far = np.maximum(np.exp((k + 2) * s), DANGER_RATIO)
    return Bands(m / far, m * np.maximum(np.exp(k * s), ALERT_RATIO), m * far)


def zone_bands(
    expected: npt.ArrayLike,
    sigma: npt.ArrayLike,
    z: npt.ArrayLike,
    b_c: npt.ArrayLike,
    c_d: npt.ArrayLike,
    *,
    signed: npt.ArrayLike = 1.0,
) -> Bands:
    """The limits of velocity, in the unit of the zone limits.

    Where `expected` is NaN (no baseline, a regime that was not learned) the zones stand alone: ALERT = B/C.
    `signed` is how many times B/C an engineer has signed for, 1 to `MOST_SIGNED`. Raises ValueError.
    """
    m, s, k, bc, cd, factor = np.broadcast_arrays(
        *(np.asarray(v, dtype=np.float64) for v in (expected, sigma, z, b_c, c_d, signed))
    )
    if not np.all((factor >= 1) & (factor <= MOST_SIGNED)):
        raise ValueError(
            f"signed must be 1 to {MOST_SIGNED} times B/C, got {signed!r}: no standard allows more"
        )
    step, spread = CRITERION_II * bc, np.exp(k * s)
    top = np.minimum(factor * bc, cd)
    alert = np.fmin(np.maximum(m * spread, m + step), top)
    low = np.maximum(np.minimum(m / spread, m - step), feature_bands(m, s, k).low)
    return Bands(low, np.where(np.isnan(top), np.nan, alert), np.array(cd))


def standard_limits(limits: LimitSet | None) -> tuple[float, float]:
    """(alert, danger) of a standard's row: B/C and C/D, alarm and shutdown, or its two values.

    NaN without limits, and for the shutdown of a row that has none.
    """
    if limits is None:
        return np.nan, np.nan
    values = (*limits.values, np.nan)
    first = 0 if limits.kind is LimitKind.TWO_VALUES else 1
    return values[first], values[first + 1]
