"""What parts are judged by beside bands: limits of charts, slopes and temperatures, and how many in a row.

All tests of a part stand in one row of latches, in the order of `Layout`, so that one call advances them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray
from models.types import State

from . import charts as _charts
from .baseline import PACE_S
from .charts import ChartLimits
from .decision import STATES
from .measured import Models, Part
from .persistence import (
    ALERT_OF,
    DANGER_OF,
    DEAD_BAND,
    DEAD_BAND_SIGMA,
    DRIFT_OF,
    SLOPE_OF,
    Counts,
)

_LEARNING, _UNKNOWN = STATES.index(State.LEARNING), STATES.index(State.UNKNOWN)

OF_COLUMNS: Final = 7
"""Tests that each column has by itself: danger, far, alert, low, EWMA, CUSUM, slope."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the tests of a part of `c` columns stand: hot, the danger of the residual, the seven of the
    columns, T², SPE, warm, the alert of the residual.
    """

    c: int

    @property
    def size(self) -> int:
        """Tests of a part."""
        return OF_COLUMNS * self.c + 6

    @property
    def lasting(self) -> int:
        """Those that must last 30 s: dangers of temperature, and the zone's danger of each column."""
        return self.c + 2

    def of(self, test: int) -> slice:
        """The columns of one of the seven."""
        return slice(2 + test * self.c, 2 + (test + 1) * self.c)

    @property
    def columns(self) -> slice:
        """All seven."""
        return slice(2, 2 + OF_COLUMNS * self.c)

    @property
    def multi(self) -> slice:
        """T² and SPE."""
        return slice(self.size - 4, self.size - 2)

    def need(self) -> Counts:
        """How many in a row each test asks for."""
        seven = (DANGER_OF, ALERT_OF, ALERT_OF, ALERT_OF, DRIFT_OF, DRIFT_OF, SLOPE_OF)
        each = (DANGER_OF, DANGER_OF, *np.repeat(seven, self.c), DRIFT_OF, DRIFT_OF, ALERT_OF, ALERT_OF)
        return np.array(each, dtype=np.int16)


@dataclass(frozen=True, slots=True)
class Limits:
    """Of n parts with c columns: (n, c), or (n, 1) where one is for all columns; NaN: no limit.

    `k` is how many σ, with what is calm; `ewma`, `cusum`, `steep` limits of charts and slopes; `slack` and
    `ceiling` of the CUSUM in float32; `pace` seconds that blocks must be apart to count; `danger` (n, c) of
    the standard; `hot` and `warm` temperatures, `off_danger` and `off_alert` those of the residual; `floor`
    (n,) the noise of the sensors; `unsaid` (n,) what is said where nothing is known.
    """

    k: DoubleArray
    k_calm: DoubleArray
    ewma: DoubleArray
    ewma_calm: DoubleArray
    cusum: DoubleArray
    cusum_calm: DoubleArray
    ceiling: npt.NDArray[np.float32]
    slack: npt.NDArray[np.float32]
    steep: DoubleArray
    steep_calm: DoubleArray
    pace: DoubleArray
    danger: DoubleArray
    hot: DoubleArray
    hot_calm: DoubleArray
    warm: DoubleArray
    warm_calm: DoubleArray
    off_danger: DoubleArray
    off_danger_calm: DoubleArray
    off_alert: DoubleArray
    off_alert_calm: DoubleArray
    floor: DoubleArray
    unsaid: npt.NDArray[np.int8]

    @classmethod
    def of_parts(cls, parts: Sequence[Part], models: Models, columns: int) -> Limits:
        """Those of parts with these models."""
        none = np.full(columns, np.nan)
        learned = [p.baseline.charts if p.baseline else ChartLimits(*[none] * 4) for p in parts]
        ewma, cusum, slack, steep = (
            np.array([getattr(one, name) for one in learned]).reshape(len(parts), columns)
            for name in ChartLimits.__slots__
        )
        k = models.k
        calm_k = np.minimum((1 - DEAD_BAND) * k, k - DEAD_BAND_SIGMA)
        cusum = np.maximum(k**2 * cusum, _charts.LEAST_CUSUM)
        hot, warm, far_off, off = (
            np.array([[getattr(p, name)] for p in parts], dtype=np.float64).reshape(-1, 1)
            for name in ("temperature_danger", "temperature_alert", "residual_danger", "residual_alert")
        )
        return cls(
            k=k,
            k_calm=calm_k,
            ewma=k * ewma,
            ewma_calm=calm_k * ewma,
            cusum=cusum,
            cusum_calm=np.minimum((1 - DEAD_BAND) * cusum, cusum - DEAD_BAND_SIGMA),
            ceiling=np.nan_to_num(_charts.CEILING * cusum).astype(np.float32),
            slack=np.nan_to_num(slack).astype(np.float32),
            steep=k * steep,
            steep_calm=calm_k * steep,
            pace=np.reshape([[p.baseline.pace_s if p.baseline else PACE_S] for p in parts], (-1, 1)),
            danger=np.where(models.zoned, models.danger, np.nan),
            hot=hot,
            hot_calm=(1 - DEAD_BAND) * hot,
            warm=warm,
            warm_calm=(1 - DEAD_BAND) * warm,
            off_danger=far_off,
            off_danger_calm=(1 - DEAD_BAND) * far_off,
            off_alert=off,
            off_alert_calm=(1 - DEAD_BAND) * off,
            floor=np.array([p.floor_m_s2 for p in parts], dtype=np.float64),
            unsaid=np.array([_UNKNOWN if p.baseline else _LEARNING for p in parts], dtype=np.int8),
        )
