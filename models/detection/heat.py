"""Baselines of what is warm: a bearing's rise over ambient follows speed and load with its housing's delay.

Friction makes heat of speed and load at once; the housing shows it an hour later. So that `Baseline` can
regress a rise on its causes, these go through the housing's lag first (`models.features.thermal_lag`), and
the rules of the baseline apply to what is left: a lagged speed or load outside what was learned is a regime
that nobody has seen. In the first three time constants of a record, where a start may still be warming up
unseen, nothing is known and nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray
from models.features.thermal_lag import first_order_lag
from models.types import Refusal

from .baseline import BASELINE_TOO_SHORT, Baseline
from .context import Context

HOUSING_TAU_H: Final = 0.5
"""Time constant of a bearing housing: 30 to 60 min, here the least, for which a record may be shortest."""

MEMORIES: Final = 3.0
"""Time constants that make a memory: e⁻³ = 5 % of what was before is left."""


def remembered(context: Context, tau_h: float = HOUSING_TAU_H) -> Context:
    """The context whose speed, load and other causes are what the housing still feels of them.

    NaN in the first `MEMORIES` time constants and after gaps of half an hour; at standstill, which is to be
    given as a speed of 0, the lag goes on, and `running` stays what it was. Raises ValueError for a time
    constant that is not above 0, and for times that do not rise.
    """
    if not tau_h > 0:
        raise ValueError(f"tau_h must be hours above 0, got {tau_h:g}")
    if np.any(~(np.diff(context.time_s) > 0)):
        raise ValueError("time_s must rise, for a lag to be taken")
    causes = np.column_stack((np.abs(context.speed_hz), context.load, context.others)).T
    rows = np.ascontiguousarray(causes)
    lagged = first_order_lag(context.time_s / 3600, rows, np.full(len(rows), tau_h))
    lagged = np.where(np.isnan(rows).all(axis=1)[:, None], np.nan, lagged)
    return replace(context, speed_hz=lagged[0], load=lagged[1], others=lagged[2:].T)


def fit_heat(
    rise_k: npt.ArrayLike,
    context: Context,
    *,
    names: Sequence[str] | None = None,
    tau_h: float = HOUSING_TAU_H,
    features_of_machine: int | None = None,
) -> Baseline | Refusal:
    """The baseline of rises over ambient (m, c) in K in an ordinary context; judge by `remembered` ones.

    Refusal as `Baseline.fit`, and where what is known after the first memory lasts less than another one:
    all of its blocks would be one and the same. Raises ValueError for shapes that do not fit.
    """
    felt = remembered(context, tau_h)
    rise = np.asarray(rise_k, dtype=np.float64)
    if rise.ndim != 2 or len(rise) != len(context.time_s):
        raise ValueError(f"rise_k must be of shape ({len(context.time_s)}, c), got {rise.shape}")
    known = felt.running & ~_unknown(felt) & ~np.isnan(rise).all(axis=1)
    times = context.time_s[known]
    if not times.size or times[-1] - times[0] < MEMORIES * tau_h * 3600:
        return BASELINE_TOO_SHORT
    return Baseline.fit(rise, felt, names=names, features_of_machine=features_of_machine)


def _unknown(felt: Context) -> npt.NDArray[np.bool_]:
    """Blocks (m,) in which a cause that is given otherwise is not known."""
    causes: DoubleArray = np.column_stack((felt.speed_hz, felt.load, felt.others))
    given = ~np.isnan(causes).all(axis=0)
    return np.asarray(np.isnan(causes[:, given]).any(axis=1) | (not given.any()), dtype=np.bool_)
