"""How good judgements were: metrics of prognosis and of detection, each by its published formula.

Prognosis: Saxena et al., Int. J. PHM 1 (2010) (horizon, α-λ, relative accuracy); Saxena et al., PHM 2008
(score of the challenge); IEEE PHM 2012 challenge (Nectoux et al.). All over arrays, element by element; NaN
(an answer that was refused) counts nowhere, so `answered` belongs beside every figure.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray

ALPHA: Final = 0.2
"""Half width of the band in which an answer counts as right: share of the life, or of what was left."""

BETA: Final = 0.5
"""Probability that must lie in the band for an answer to count."""

EARLY_H, LATE_H = 13.0, 10.0
"""Scales of the PHM 2008 score, in its unit of time: being late costs more."""

EARLY_PERCENT, LATE_PERCENT = 20.0, 5.0
"""Errors in per cent at which the PHM 2012 accuracy is one half."""


class Detection(NamedTuple):
    """Rates of a detector, None where there is nothing to divide by: of points, episodes or records."""

    precision: float | None
    recall: float | None
    f1: float | None
    false_alarm_rate: float | None
    missed_alarm_rate: float | None


def answered(p50: npt.ArrayLike) -> float:
    """The share of cases that got an answer; NaN without a case."""
    given = np.isfinite(np.asarray(p50, dtype=np.float64))
    return float(given.mean()) if given.size else float("nan")


def interval_coverage(low: npt.ArrayLike, high: npt.ArrayLike, actual: npt.ArrayLike) -> float:
    """The share of answers whose interval [low, high] holds what happened; NaN without an answer."""
    lo, hi, was = _numbers(low, high, actual)
    known = np.isfinite(lo) & np.isfinite(hi) & np.isfinite(was)
    return _share((lo <= was) & (was <= hi), known)


def late_error_rate(p10: npt.ArrayLike, actual: npt.ArrayLike) -> float:
    """The share of answers whose planning date (P10) came after the end; NaN without an answer."""
    low, was = _numbers(p10, actual)
    return _share(low > was, np.isfinite(low) & np.isfinite(was))


def relative_accuracy(predicted: npt.ArrayLike, actual: npt.ArrayLike) -> DoubleArray:
    """1 − |actual − predicted|/actual of each; NaN where actual is not positive."""
    said, was = _numbers(predicted, actual)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(was > 0, 1 - np.abs(was - said) / was, np.nan)


def alpha_lambda(predicted: npt.ArrayLike, actual: npt.ArrayLike, *, alpha: float = ALPHA) -> DoubleArray:
    """1 where a prediction lies within ±α of what was left, 0 where not, NaN where there is none.

    The cases are those at one share λ of the life (0.5, 0.75, 0.9): λ is when one asks, not an argument.
    """
    said, was = _numbers(predicted, actual)
    inside = np.abs(said - was) <= alpha * was
    return np.where(np.isfinite(said) & np.isfinite(was), inside.astype(np.float64), np.nan)


def prognostic_horizon(times: npt.ArrayLike, mass: npt.ArrayLike, end: float, *, beta: float = BETA) -> float:
    """How long before `end` the answers became right for good: end − first time from which all are.

    `times` (k,) rising, all up to `end`; `mass` (k,): probability that each answer put within ±α of the life
    about what was left (`mass_within`), NaN for a refusal, which is not right. 0 where the last one is wrong.
    """
    t, right = _numbers(times, mass)
    if t.ndim != 1 or t.shape != right.shape or (np.diff(t) < 0).any() or (t > end).any():
        raise ValueError("times must rise to the end at most, with one mass each")
    good = np.nan_to_num(right, nan=0.0) >= beta
    if not good.size or not good[-1]:
        return 0.0
    wrong = np.flatnonzero(~good)
    return float(end - t[wrong[-1] + 1 if wrong.size else 0])


def mass_within(
    quantiles: npt.ArrayLike, levels: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike
) -> DoubleArray:
    """Probability that an answer puts between low and high (n,), from its quantiles (n, q) at `levels` (q,).

    Between quantiles the distribution is a straight line of time; outside them, it is cut: what lies beyond
    the first and last level counts nowhere, so the mass is a lower bound.
    """
    q, p, lo, hi = _numbers(quantiles, levels, low, high)
    return _through(q, p, hi) - _through(q, p, lo)


def _through(q: DoubleArray, p: DoubleArray, at: DoubleArray) -> DoubleArray:
    """The distribution of each row at one time, held outside its quantiles."""
    x = np.clip(at, q[:, 0], q[:, -1])[:, None]
    width = np.diff(q, axis=1)
    inside = np.clip((x - q[:, :-1]) / np.where(width > 0, width, 1.0), 0.0, 1.0)
    inside = np.where(width > 0, inside, (at[:, None] >= q[:, 1:]).astype(np.float64))
    found: DoubleArray = p[0] + (inside * np.diff(p)).sum(axis=1)
    return found


def phm08_score(predicted: npt.ArrayLike, actual: npt.ArrayLike) -> DoubleArray:
    """e^(−d/13) − 1 for an early answer (d < 0), e^(d/10) − 1 for a late one, d = predicted − actual."""
    said, was = _numbers(predicted, actual)
    d = said - was
    found: DoubleArray = np.expm1(np.where(d < 0, -d / EARLY_H, d / LATE_H))
    return found


def phm2012_score(predicted: npt.ArrayLike, actual: npt.ArrayLike) -> DoubleArray:
    """1 for an exact answer, one half at 20 % early or 5 % late: e^(∓ln 0.5·Er/…), Er in % of actual."""
    said, was = _numbers(predicted, actual)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = 100 * (was - said) / was
        found: DoubleArray = 0.5 ** np.where(error <= 0, -error / LATE_PERCENT, error / EARLY_PERCENT)
    return found


def detection(truth: npt.ArrayLike, alarm: npt.ArrayLike) -> Detection:
    """Precision, recall, F1, false and missed alarm rate of alarms beside the truth, both boolean (n,)."""
    was, said = np.asarray(truth, dtype=bool), np.asarray(alarm, dtype=bool)
    if was.shape != said.shape:
        raise ValueError(f"truth and alarm must have one shape, got {was.shape} and {said.shape}")
    hit, false = int((was & said).sum()), int((~was & said).sum())
    missed, calm = int((was & ~said).sum()), int((~was & ~said).sum())
    return Detection(
        precision=_ratio(hit, hit + false),
        recall=_ratio(hit, hit + missed),
        f1=_ratio(2 * hit, 2 * hit + false + missed),
        false_alarm_rate=_ratio(false, false + calm),
        missed_alarm_rate=_ratio(missed, hit + missed),
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _share(right: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_]) -> float:
    return float(right[known].mean()) if known.any() else float("nan")


def _numbers(*arrays: npt.ArrayLike) -> tuple[DoubleArray, ...]:
    return tuple(np.asarray(array, dtype=np.float64) for array in arrays)
