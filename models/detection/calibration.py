"""Healthy-only verdicts about regimes that nobody has measured: the threshold from leaving regimes out.

A baseline refuses a speed or a load that it has not seen. Where a machine must be judged there all the same
(an acceptance test, a rig with a few settings), how far a healthy machine moves from one regime to another
has to be learned as well, and cannot be read off the windows of one regime, however many.

Rules:
1. Rows are logarithms; levels are divided by the square of the speed where it is known: what geometry excites
   (unbalance, waviness, roughness) accelerates with it. The rest of what regimes do is learned.
2. The covariance of a row in a new regime is that within regimes (Ledoit-Wolf, pooled) plus that between
   regimes, times 1 + 1/R + the leverage of its position: it widens with the distance from what was learned,
   as the prediction variance of a regression does.
3. Between few regimes a difference tells little: a ratio of `ALERT_RATIO`, which is significant where no
   standard says more, counts as two standard deviations, as if it were one more regime.
4. Each regime is scored by the model of the others, which has seen nothing of it, neither for its centre nor
   for its covariance between regimes. The threshold is `MARGIN` times the highest of the 99 % quantiles
   found; with one regime `MARGIN` itself, whatever the distance, since a score is the root mean square of the
   distances in standard deviations: 1 where a regime is as different as expected.

How often healthy windows of the next regime are alarmed then, where regimes differ at random in a dozen ways,
one to six times as much as windows do (simulated): 4 % with three regimes learned, 1 % with four to six, none
with nine; with two up to 18 %, for what is one difference.

No fault is needed for any of it, and no window of a regime that is judged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray
from models.features.huber import MAD_TO_SIGMA
from models.types import Refusal

from .bands import ALERT_RATIO
from .baseline import BASELINE_TOO_SHORT
from .charts import OUTLIER
from .lines import LEAST_SIGMA
from .multivariate import ledoit_wolf

LEAST_ROWS: Final = 20
"""Windows of a regime below which its 99 % quantile is no more than its highest window's luck."""

SELDOM: Final = 0.99
"""Quantile of a left-out regime's scores: one window in a hundred is what it may be alone."""

MARGIN: Final = 2.0
"""The next regime may be twice as strange as the strangest of those left out, which with R of them it exceeds
once in R + 1 times: for a handful far too often to go without a margin."""

PRIOR_SIGMA: Final = math.log(ALERT_RATIO) / 2
"""Standard deviation of ln(level) between regimes before any was compared."""

SPEED_POWER: Final = 2.0
"""Acceleration of a path of fixed shape goes with the square of the speed it is run along at."""

WATCHED: Final = (
    "acceleration_rms_m_s2", "band_250_500_m_s2", "band_500_1000_m_s2", "band_1000_2500_m_s2",
    "band_2500_5000_m_s2", "band_5000_10000_m_s2", "band_10000_20000_m_s2", "spectral_centroid_hz",
    "kurtosis_quarters",
)  # fmt: skip
"""Features to judge unseen regimes by: where the energy is, and how impulsive it is. Below 250 Hz speed and
load have their own say (orders of the shaft, blades, meshes), which is no fault's."""

_TINY: Final = 1e-12


def regime_rows(
    features: npt.ArrayLike, degree: npt.ArrayLike, speed_hz: npt.ArrayLike | None = None
) -> DoubleArray:
    """Rows (m, d) for `RegimeModel` of positive features (m, d), NaN where one is not positive or not known.

    `degree` (d,) is what a scale does to each (`FeatureSpec.degree`); `speed_hz`, one or (m,), None where it
    is the same everywhere or not known. Raises ValueError for shapes that do not fit.
    """
    values = np.asarray(features, dtype=np.float64)
    power = np.asarray(degree, dtype=np.float64)
    if values.ndim != 2 or power.shape != values.shape[1:]:
        raise ValueError(f"features must be (m, d) with d degrees, got {values.shape} and {power.shape}")
    with np.errstate(divide="ignore", invalid="ignore"):
        rows = np.where((values > 0) & np.isfinite(values), np.log(values), np.nan)
        if speed_hz is not None:
            law = SPEED_POWER * np.log(np.abs(np.asarray(speed_hz, dtype=np.float64)))
            rows -= np.where(power != 0, np.reshape(law, (-1, 1)) * power, 0.0)
    return np.where(np.isfinite(rows), rows, np.nan)


@dataclass(frozen=True, slots=True)
class RegimeModel:
    """What is healthy in regimes that were learned, and how far others may be from it.

    `learned` (d,) columns that are known in every learned window; `medians` (R, k) of each regime at its
    `positions` (R,); `within`, `between` (k, k) covariances; `left_out` (R,) the 99 % quantile of each regime
    by the model of the others, one 1 where there is only one; `threshold` of the scores.
    """

    learned: npt.NDArray[np.bool_]
    positions: DoubleArray
    medians: DoubleArray
    within: DoubleArray
    between: DoubleArray
    left_out: DoubleArray
    threshold: float

    @classmethod
    def fit(cls, rows: npt.ArrayLike, position: npt.ArrayLike) -> RegimeModel | Refusal:
        """The model of healthy `rows` (m, d) of `regime_rows`, measured at `position` (m,).

        The position is what regimes differ in, on a scale on which equal steps do alike: ln(speed), load.
        Windows of the same position are one regime. Refusal where one has fewer than `LEAST_ROWS` windows or
        nothing is known in all of them. Raises ValueError for shapes that do not fit.
        """
        values, places = _checked(rows, position)
        learned = np.asarray(~np.isnan(values).any(axis=0))
        positions, which, counts = np.unique(places, return_inverse=True, return_counts=True)
        if not learned.any() or not counts.size or counts.min() < LEAST_ROWS:
            return BASELINE_TOO_SHORT
        parts = [values[which == r][:, learned] for r in range(positions.size)]
        medians = np.array([np.median(part, axis=0) for part in parts])
        within = _within(np.concatenate([part - m for part, m in zip(parts, medians, strict=True)]))
        model = cls(learned, positions, medians, within, _between(medians), np.ones(1), MARGIN)
        if positions.size == 1:
            return model
        left_out = np.array([model._left_out(r, part) for r, part in enumerate(parts)])
        return replace(model, left_out=left_out, threshold=MARGIN * float(left_out.max()))

    def score(self, rows: npt.ArrayLike, position: npt.ArrayLike) -> DoubleArray:
        """How far each of `rows` (n, d) at `position` (n,) is from healthy, in standard deviations.

        Root mean square over the columns; NaN where a learned column is not known.
        """
        values, places = _checked(rows, position)
        scores = np.full(len(values), np.nan)
        for place in np.unique(places[~np.isnan(places)]):
            here = places == place
            scores[here] = self._scores(values[here][:, self.learned], float(place))
        return scores

    def verdict(self, rows: npt.ArrayLike, position: npt.ArrayLike) -> npt.NDArray[np.int8]:
        """1 abnormal, 0 not, -1 unknown, (n,)."""
        scores = self.score(rows, position)
        return np.where(np.isnan(scores), -1, scores > self.threshold).astype(np.int8)

    def _left_out(self, r: int, part: DoubleArray) -> float:
        """The 99 % quantile of a regime's windows by the model of the others."""
        rest = np.delete(self.medians, r, axis=0)
        others = replace(self, positions=np.delete(self.positions, r), medians=rest, between=_between(rest))
        return float(np.quantile(others._scores(part, float(self.positions[r])), SELDOM))

    def _scores(self, part: DoubleArray, place: float) -> DoubleArray:
        """Scores of windows (n, k) at one place."""
        covariance = self.within + _widening(self.positions, place) * self.between
        off = part - self.medians.mean(axis=0)
        return np.asarray(np.sqrt((off * np.linalg.solve(covariance, off.T).T).sum(axis=1) / off.shape[1]))


def _checked(rows: npt.ArrayLike, position: npt.ArrayLike) -> tuple[DoubleArray, DoubleArray]:
    values = np.asarray(rows, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(f"rows must be of shape (m, d), a window each, got shape {values.shape}")
    places = np.asarray(position, dtype=np.float64)
    if places.shape not in ((), (len(values),)):
        raise ValueError(f"position must be one, or one for each of {len(values)} rows, got {places.shape}")
    return values, np.broadcast_to(places, len(values))


def _within(residual: DoubleArray) -> DoubleArray:
    """Covariance (k, k) of rows about their regime's median, no row further out than `OUTLIER` σ."""
    sigma = np.maximum(MAD_TO_SIGMA * np.median(np.abs(residual), axis=0), LEAST_SIGMA)
    tame = np.clip(residual, -OUTLIER * sigma, OUTLIER * sigma)
    return np.asarray(ledoit_wolf(tame).covariance + LEAST_SIGMA**2 * np.eye(len(sigma)))


def _between(medians: DoubleArray) -> DoubleArray:
    """Covariance (k, k) of regimes: that of their medians (R, k) and of one more, isotropic one.

    What the regimes have not shown is taken to vary as their mean column does; that of the prior is one more.
    """
    count, k = medians.shape
    off = medians - medians.mean(axis=0)
    square = off.T @ off
    variance = (float(np.trace(square)) / k + PRIOR_SIGMA**2) / count
    return np.asarray((square + variance * np.eye(k)) / count, dtype=np.float64)


def _widening(positions: DoubleArray, place: float) -> float:
    """What multiplies the covariance between regimes at a place, for the mean of regimes at `positions`."""
    off = positions - positions.mean()
    spread = float(off @ off)
    leverage = (place - float(positions.mean())) ** 2 / spread if spread > _TINY else 0.0
    return 1 + 1 / positions.size + leverage
