"""Huber regression of many small systems at once, by iteratively reweighted least squares.

P. J. Huber, Robust Statistics (1981) §7; the scale is 1.4826 times the median of |residual|, taken anew with
each step. It bears outliers of y, not of the regressors: a wrong regressor far out pulls the fit.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from .gate import DoubleArray

HUBER_K: Final = 1.345
"""Residuals beyond so many σ count linearly: 95 % of the efficiency of least squares in gaussian noise."""

MAD_TO_SIGMA: Final = 1.4826
"""σ of gaussian noise over the median of its absolute value."""

_MOST_STEPS: Final = 50
"""Ten steps reach 1e-6 σ in noise; without noise each step takes most of the rest of the outliers away."""

_COLLINEAR: Final = 1e-8
"""Eigenvalues of the regressors' correlations below it are taken for 0: load and speed that only ever moved
together share their effect instead of cancelling each other at random."""


def huber_fit(x: DoubleArray, y: DoubleArray) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    """Intercept (n,), coefficients (n, p) and σ of the residuals (n,) of y ≈ intercept + x · coefficients.

    `x` (n, m, p), `y` (n, m); a row with a NaN in either counts for nothing. NaN where no row is left; a
    regressor that does not vary gets 0. What is enough rows is the caller's to say.
    """
    known = ~(np.isnan(y) | np.isnan(x).any(axis=2))
    count = known.sum(axis=1)
    with np.errstate(invalid="ignore"):  # 0/0 where no row is left
        centre, middle = _mean(np.where(known[..., None], x, 0), count), _mean(np.where(known, y, 0), count)
        deviation = np.where(known[..., None], x - centre[:, None], 0)
        spread = np.sqrt(_mean(deviation**2, count))
    spread = np.where(spread > 1e-12 * np.abs(centre), spread, np.inf)  # rounding of a constant
    design = np.concatenate((np.ones((*y.shape, 1)), deviation / spread[:, None]), axis=2)
    target = np.where(known, y - middle[:, None], 0)
    beta, sigma = _reweighted(design, target, known, count)
    coefficients = beta[:, 1:] / spread
    intercept = middle + beta[:, 0] - (coefficients * centre).sum(axis=1)
    empty = count == 0
    return (
        np.where(empty, np.nan, intercept),
        np.where(empty[:, None], np.nan, coefficients),
        np.where(empty, np.nan, sigma),
    )


def _reweighted(
    design: DoubleArray, target: DoubleArray, known: npt.NDArray[np.bool_], count: npt.NDArray[np.intp]
) -> tuple[DoubleArray, DoubleArray]:
    """Coefficients (n, 1 + p) of the standardised regressors and σ (n,)."""
    weight = known.astype(np.float64)
    size = np.sqrt(_mean(target**2, np.maximum(count, 1)))
    beta = np.zeros((len(target), design.shape[2]))
    for _ in range(_MOST_STEPS):
        weighted = (design * weight[..., None]).swapaxes(1, 2)
        inverse = np.linalg.pinv(weighted @ design, rcond=_COLLINEAR, hermitian=True)
        before, beta = beta, (inverse @ (weighted @ target[..., None]))[..., 0]
        residual = np.abs(target - (design @ beta[..., None])[..., 0])
        sigma = MAD_TO_SIGMA * median_of_known(residual, known)
        moved = np.abs(beta - before).max(axis=1, initial=0)
        if (moved <= 1e-6 * sigma + 1e-12 * size).all():
            break
        limit = HUBER_K * np.maximum(sigma, 1e-14 * size)[:, None]
        weight = np.where(known, limit / np.maximum(residual, np.maximum(limit, 1e-300)), 0)
    return beta, sigma


def median_of_known(values: DoubleArray, known: npt.NDArray[np.bool_]) -> DoubleArray:
    """The median of the known values of each row, (n,); 0 where a row has none. Lower of two middle ones."""
    count = known.sum(axis=1)
    rising = np.sort(np.where(known, values, np.inf), axis=1)
    at = np.take_along_axis(rising, np.maximum(count - 1, 0)[:, None] // 2, axis=1)[:, 0]
    return np.where(count == 0, 0.0, at)


def _mean(values: DoubleArray, count: npt.NDArray[np.intp]) -> DoubleArray:
    mean: DoubleArray = values.sum(axis=1) / (count[:, None] if values.ndim == 3 else count)
    return mean
