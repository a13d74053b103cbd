"""Blocks of machine parts beside everything they are judged by, before any memory comes in.

What needs no past (levels expected, limits, residuals, T² and SPE) is computed here for a whole stretch of
time and all parts at once; `monitor` then goes through it in order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Final, TypeVar, cast

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray

from .bands import ALERT_RATIO, CRITERION_II, DANGER_RATIO, zone_bands
from .baseline import Baseline, Told, expected_of
from .lines import Line, Spread
from .multivariate import Multivariate
from .persistence import DEAD_BAND, DEAD_BAND_SIGMA
from .regimes import SENSOR_FLOOR_M_S2

VELOCITY: Final = "velocity_rms_mm_s"
ACCELERATION: Final = "acceleration_rms_m_s2"

MAY_BE_DANGER: Final = frozenset(
    (VELOCITY, "velocity_rms_low_mm_s", ACCELERATION, "acceleration_rms_usable_m_s2")
)
"""Broadband levels: envelopes and kurtosis rise twenty times weeks before anything must be stopped, so that
they alert and no more."""


Some = slice | Sequence[int] | npt.NDArray[np.intp]
"""Which of n parts."""

_T = TypeVar("_T")


def some_of(value: _T, which: object) -> _T:
    """A dataclass of arrays with some of the first axis of each: parts, or times."""
    kind = type(value)
    return kind(*(getattr(value, name)[which] for name in kind.__slots__))  # type: ignore[attr-defined]


def feature_of(name: str) -> str:
    """The feature of a column "feature" or "channel/feature"."""
    return name.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of a machine is judged by.

    `baseline` is None while it is learning. `alert` and `danger` are the standard's limits (B/C and C/D) of
    the columns `zoned` (by default the broadband velocities from 10 Hz), NaN without; `signed` how many times
    B/C an engineer has signed for; `temperature_alert` and `temperature_danger` in °C; `residual_alert` and
    `residual_danger` in K, of a temperature beside its model (`housing`); `floor_m_s2` the noise of its
    sensors.
    """

    baseline: Baseline | None = None
    alert: float = np.nan
    danger: float = np.nan
    zoned: tuple[str, ...] | None = None
    signed: float = 1.0
    temperature_alert: float = np.nan
    temperature_danger: float = np.nan
    residual_alert: float = np.nan
    residual_danger: float = np.nan
    floor_m_s2: float = SENSOR_FLOOR_M_S2


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks of n parts at m times (m, n), or at one time (n,); one value stands for all. Inf is unknown.

    `features` (m, n, c) or (n, c), NaN where unknown or refused; `time_s` seconds, NaN where a part has no
    block; `live` False for frames that came late. `temperature_c`, its slope, `current_share`,
    `speed_change` (over the block) and `residual_k` (of the temperature beside its model) where known;
    `others` (..., q) further causes of the levels.
    """

    time_s: npt.ArrayLike
    features: npt.ArrayLike
    speed_hz: npt.ArrayLike = np.nan
    load: npt.ArrayLike = np.nan
    temperature_c: npt.ArrayLike = np.nan
    temperature_slope_k_per_h: npt.ArrayLike = np.nan
    current_share: npt.ArrayLike = np.nan
    speed_change: npt.ArrayLike = np.nan
    residual_k: npt.ArrayLike = np.nan
    live: npt.ArrayLike = True
    others: npt.ArrayLike = ()

    def stretch(self, n: int, c: int) -> Blocks:
        """All of them as float64 (m, n) and (m, n, c), `live` as bool, no inf. Raises ValueError."""
        features = np.asarray(self.features, dtype=np.float64)
        if features.ndim not in (2, 3) or features.shape[-2:] != (n, c):
            raise ValueError(f"features must be of shape ({n}, {c}) or (m, {n}, {c}), got {features.shape}")
        features = features.reshape(-1, n, c)
        shape = features.shape[:2]
        told = {name: _known(name, getattr(self, name), shape) for name in _PER_BLOCK}
        told["features"] = _known("features", features, features.shape)
        others = np.asarray(self.others, dtype=np.float64)
        causes = (*shape, others.shape[-1] if others.size else 0)
        told["others"] = _known("others", others, causes) if causes[-1] else np.empty(causes)
        whole = isinstance(self.live, bool)
        live = np.full(shape, self.live) if whole else _over("live", self.live, shape, np.bool_)
        return Blocks(live=live, **told)


_PER_BLOCK: Final = (
    "time_s", "speed_hz", "load", "temperature_c", "temperature_slope_k_per_h", "current_share",
    "speed_change", "residual_k",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything of m times and n parts that needs no past, (m, n, c) where nothing else is said.

    `x` the features, `z` residuals in σ, `multi` (m, n, 2) T² and SPE in σ; limits and the levels at which an
    alarm of theirs is calm again; `velocity` and `acceleration` (m, n), the highest of the part's channels.
    """

    x: DoubleArray
    z: DoubleArray
    multi: DoubleArray
    low: DoubleArray
    low_calm: DoubleArray
    alert: DoubleArray
    alert_calm: DoubleArray
    far: DoubleArray
    far_calm: DoubleArray
    velocity: DoubleArray
    acceleration: DoubleArray


class Models:
    """Everything that n parts of c columns are judged by, stacked: no loop over parts with each block."""

    def __init__(self, parts: Sequence[Part], names: tuple[str, ...]) -> None:
        """Raises ValueError for limits that do not fit: danger without alert, or signed for too much."""
        c, learned = len(names), [part.baseline for part in parts]
        self.line = Line.stacked([b.line if b else None for b in learned], c)
        self.spread = Spread.stacked([b.spread if b else None for b in learned], c)
        self.multivariate = Multivariate.stacked([b.multivariate if b else None for b in learned], c)
        self.reach = self.line.reach()
        self.k = np.array([b.z if b else np.nan for b in learned], dtype=np.float64)[:, None]
        self.zoned = np.reshape([zoned_columns(part, names) for part in parts], (-1, c)).astype(np.bool_)
        self.alert, self.danger, self.signed = (
            np.array([[getattr(part, name)] for part in parts], dtype=np.float64).reshape(-1, 1)
            for name in ("alert", "danger", "signed")
        )
        if (np.isnan(self.alert) & ~np.isnan(self.danger)).any():
            raise ValueError("danger must come with alert (B/C beside C/D), got a part with danger alone")
        zone_bands(np.nan, np.nan, np.nan, self.alert, self.danger, signed=self.signed)
        self._of_zone = np.flatnonzero(self.zoned.any(axis=0))  # columns that a standard judges somewhere
        self._of_velocity, self._of_acceleration = (
            [i for i, name in enumerate(names) if feature_of(name) == feature]
            for feature in (VELOCITY, ACCELERATION)
        )

    def of(self, parts: Some) -> Models:
        """Those of some of the parts."""
        chosen = copy(self)
        for name in ("line", "spread", "multivariate", "reach"):
            setattr(chosen, name, some_of(getattr(self, name), parts))
        for name in ("k", "zoned", "alert", "danger", "signed"):
            setattr(chosen, name, getattr(self, name)[parts])
        return chosen

    def measure(self, blocks: Blocks) -> Measured:
        """`Measured` of stretched blocks. Raises ValueError where causes that were learned are not told."""
        x = np.asarray(blocks.features)
        expected = expected_of(self.line, self.spread, x, cast(Told, blocks), self.reach)
        level, sigma = np.exp(expected.log_level), expected.sigma
        multi = self.multivariate.scores(expected.z.swapaxes(0, 1)).T
        low, alert, danger = self._bands(level, sigma)
        sure = 1 - DEAD_BAND
        band, up = np.fmin(sure, np.exp(-DEAD_BAND_SIGMA * sigma)), level * np.exp(sigma)
        low_calm = np.minimum(low / band, np.fmax(level * np.exp(-sigma), low / sure))
        # Calm is below the band, but no lower than one σ above what is expected: `persistence.release_level`.
        alert_calm, danger_calm = (
            np.fmax(band * limit, np.minimum(up, sure * limit)) for limit in (alert, danger)
        )
        velocity, acceleration = _highest(x, self._of_velocity), _highest(x, self._of_acceleration)
        return Measured(
            x, expected.z, multi,
            low, low_calm, alert, alert_calm, danger, danger_calm,
            velocity, acceleration,
        )  # fmt: skip

    def _bands(self, level: DoubleArray, sigma: DoubleArray) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
        """Low limit, alert and danger (m, n, c): as `feature_bands`, and as `zone_bands` where a standard
        judges; what is checked once of a part is not checked with each block.
        """
        grow, far = np.exp(self.k * sigma), np.maximum(np.exp((self.k + 2) * sigma), DANGER_RATIO)
        low, alert, danger = level / far, level * np.maximum(grow, ALERT_RATIO), level * far
        places = self._of_zone
        if places.size:
            zoned, m, spread = self.zoned[:, places], level[..., places], grow[..., places]
            step, top = CRITERION_II * self.alert, np.minimum(self.signed * self.alert, self.danger)
            of_zone = np.where(np.isnan(top), np.nan, np.fmin(np.maximum(m * spread, m + step), top))
            least = np.maximum(np.minimum(m / spread, m - step), low[..., places])
            low[..., places] = np.where(zoned, least, low[..., places])
            alert[..., places] = np.where(zoned, of_zone, alert[..., places])
            danger[..., places] = np.where(zoned, self.danger, danger[..., places])
        return low, alert, danger


def zoned_columns(part: Part, names: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Columns (c,) that the part's standard judges."""
    if np.isnan(part.alert):
        return np.zeros(len(names), dtype=np.bool_)
    if part.zoned is None:
        return np.array([feature_of(name) == VELOCITY for name in names])
    return np.array([name in part.zoned for name in names])


def _highest(x: DoubleArray, columns: list[int]) -> DoubleArray:
    """The highest of columns, (m, n); NaN where none is known."""
    return np.asarray(np.fmax.reduce(x[..., columns], axis=-1, initial=np.nan), dtype=np.float64)


def _known(name: str, value: npt.ArrayLike, shape: tuple[int, ...]) -> DoubleArray:
    """Values of a shape, NaN for what is infinite: one sick value must not stop the judging of the others."""
    if isinstance(value, float):
        return np.full(shape, value if math.isfinite(value) else np.nan)
    array = _over(name, value, shape, np.float64)
    infinite = np.isinf(array)
    return np.asarray(np.where(infinite, np.nan, array) if infinite.any() else array, dtype=np.float64)


def _over(
    name: str, value: npt.ArrayLike, shape: tuple[int, ...], kind: type[np.generic]
) -> npt.NDArray[np.generic]:
    array = np.asarray(value, dtype=kind)
    if array.shape == shape:
        return array
    if shape[:1] == (1,) and array.shape == shape[1:]:
        return array[None]
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(f"{name} must be one value, or of shape {shape}, got shape {array.shape}") from None
