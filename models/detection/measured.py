"""Blocks of machine parts beside everything they are judged by, before any memory comes in.

What needs no past (levels expected, limits, residuals, T² and SPE) is computed here for a whole stretch of
time and all parts at once; `monitor` then goes through it in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray

from .bands import feature_bands, zone_bands
from .baseline import Baseline, Told, expected_of
from .lines import Line, Spread
from .multivariate import Multivariate
from .persistence import DEAD_BAND, DEAD_BAND_SIGMA, release_level
from .regimes import SENSOR_FLOOR_M_S2

VELOCITY: Final = "velocity_rms_mm_s"
ACCELERATION: Final = "acceleration_rms_m_s2"

MAY_BE_DANGER: Final = frozenset(
    (VELOCITY, "velocity_rms_low_mm_s", ACCELERATION, "acceleration_rms_usable_m_s2")
)
"""Broadband levels: envelopes and kurtosis rise twenty times weeks before anything must be stopped, so that
they alert and no more."""


def feature_of(name: str) -> str:
    """The feature of a column "feature" or "channel/feature"."""
    return name.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of a machine is judged by.

    `baseline` is None while it is learning. `alert` and `danger` are the standard's limits (B/C and C/D) of
    the columns `zoned` (by default the broadband velocities from 10 Hz), NaN without; `signed` how many times
    B/C an engineer has signed for; `temperature_alert` and `temperature_danger` in °C; `floor_m_s2` the noise
    of its sensors.
    """

    baseline: Baseline | None = None
    alert: float = np.nan
    danger: float = np.nan
    zoned: tuple[str, ...] | None = None
    signed: float = 1.0
    temperature_alert: float = np.nan
    temperature_danger: float = np.nan
    floor_m_s2: float = SENSOR_FLOOR_M_S2


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks of n parts at m times (m, n), or at one time (n,); one value stands for all. Inf is unknown.

    `features` (m, n, c) or (n, c), NaN where unknown or refused; `time_s` seconds, NaN where a part has no
    block; `live` False for frames that came late. `temperature_c`, its slope, `current_share` and
    `speed_change` (over the block) where known; `others` (..., q) further causes of the levels.
    """

    time_s: npt.ArrayLike
    features: npt.ArrayLike
    speed_hz: npt.ArrayLike = np.nan
    load: npt.ArrayLike = np.nan
    temperature_c: npt.ArrayLike = np.nan
    temperature_slope_k_per_h: npt.ArrayLike = np.nan
    current_share: npt.ArrayLike = np.nan
    speed_change: npt.ArrayLike = np.nan
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
        features = _known("features", features, features.shape)
        others = np.asarray(self.others, dtype=np.float64)
        others = _known("others", others, (*shape, others.shape[-1] if others.size else 0))
        return replace(
            self, features=features, others=others, live=_over("live", self.live, shape, np.bool_), **told
        )


_PER_BLOCK: Final = (
    "time_s", "speed_hz", "load", "temperature_c", "temperature_slope_k_per_h", "current_share",
    "speed_change",
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
        self.k = np.array([b.z if b else np.nan for b in learned], dtype=np.float64)[:, None]
        self.zoned = np.reshape([zoned_columns(part, names) for part in parts], (-1, c)).astype(np.bool_)
        self.alert, self.danger, self.signed = (
            np.array([[getattr(part, name)] for part in parts], dtype=np.float64).reshape(-1, 1)
            for name in ("alert", "danger", "signed")
        )
        if (np.isnan(self.alert) & ~np.isnan(self.danger)).any():
            raise ValueError("danger must come with alert (B/C beside C/D), got a part with danger alone")
        zone_bands(np.nan, np.nan, np.nan, self.alert, self.danger, signed=self.signed)
        self.of_velocity, self.of_acceleration = (
            [i for i, name in enumerate(names) if feature_of(name) == feature]
            for feature in (VELOCITY, ACCELERATION)
        )

    def measure(self, blocks: Blocks) -> Measured:
        """`Measured` of stretched blocks. Raises ValueError where causes that were learned are not told."""
        x = np.asarray(blocks.features)
        expected = expected_of(self.line, self.spread, x, cast(Told, blocks))
        level, sigma = np.exp(expected.log_level), expected.sigma
        multi = np.moveaxis(self.multivariate.scores(expected.z.swapaxes(0, 1)), (0, 1, 2), (2, 1, 0))
        low, alert, danger = self._bands(level, sigma)
        band = np.fmin(1 - DEAD_BAND, np.exp(-DEAD_BAND_SIGMA * sigma))
        low_calm = np.minimum(low / band, np.fmax(level * np.exp(-sigma), low / (1 - DEAD_BAND)))
        alert_calm, danger_calm = release_level(np.stack((alert, danger)), sigma, level)
        velocity, acceleration = _highest(x, self.of_velocity), _highest(x, self.of_acceleration)
        return Measured(
            x, expected.z, multi,
            low, low_calm, alert, alert_calm, danger, danger_calm,
            velocity, acceleration,
        )  # fmt: skip

    def _bands(self, level: DoubleArray, sigma: DoubleArray) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
        """Low limit, alert and danger (m, n, c)."""
        plain = feature_bands(level, sigma, self.k)
        if not self.zoned.any():
            return plain.low, plain.alert, plain.danger
        zone = zone_bands(level, sigma, self.k, self.alert, self.danger, signed=self.signed)
        return (
            np.where(self.zoned, zone.low, plain.low),
            np.where(self.zoned, zone.alert, plain.alert),
            np.where(self.zoned, zone.danger, plain.danger),
        )


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
    array = _over(name, value, shape, np.float64)
    finite = np.isfinite(array)
    return np.asarray(array if finite.all() else np.where(finite, array, np.nan), dtype=np.float64)


def _over(
    name: str, value: npt.ArrayLike, shape: tuple[int, ...], kind: type[np.generic]
) -> npt.NDArray[np.generic]:
    array = np.asarray(value, dtype=kind)
    if array.shape == shape:
        return array
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(f"{name} must be one value, or of shape {shape}, got shape {array.shape}") from None
