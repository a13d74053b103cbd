"""Remaining life: from a course and a threshold to P10, P50 and P90, or a refusal. Batches and single
trends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray
from models.types import Refusal

from . import exponential, similarity, temperature, types, wiener
from .courses import BoolArray, Courses, courses
from .exponential import Exponential, Slope
from .history import ClassHistory
from .mixture import GENERIC, WIDEST_RATIO, Calibration, Model, read
from .onset import Onset, onset
from .types import Assumption, Method, Quantity, RemainingLife, Threshold, Trend

FEWEST_POINTS: Final = 8
"""Points since the onset below which any curve fits."""

LEAST_R2: Final = 0.5
LONGEST_SPANS: Final = 6.0
"""A course of a week does not tell of next year: nothing beyond six times what was observed."""

NARROW, FAIR = 3.0, 6.0
"""P90/P10 up to which confidence is high, and medium."""

ANSWERED: Final = -1


@dataclass(frozen=True, slots=True)
class Forecasts:
    """The models of the rows of a batch that can be answered.

    `refusal` (n,): index into `types.REFUSALS`, or `ANSWERED`; `crossed` (n,): the threshold is reached;
    `rows`: those that the models stand for, in order; `models`: their distributions in spans; `rate` (rows,):
    damage hours per hour; `span_h`, `span_clock`, `onset_h`, `jumps`, `r2` (rows,).
    """

    refusal: npt.NDArray[np.intp]
    crossed: BoolArray
    rows: npt.NDArray[np.intp]
    models: Mapping[str, Model]
    span_h: DoubleArray
    onset_h: DoubleArray
    jumps: DoubleArray
    r2: DoubleArray

    def spans(self, hours: npt.ArrayLike) -> DoubleArray:
        """Hours (n,) of the caller as spans of the modelled rows: what `mixture.calibrate` takes."""
        found: DoubleArray = np.asarray(hours, dtype=np.float64)[self.rows] / self.span_h
        return found


@dataclass(frozen=True, slots=True)
class Lives:
    """Answers of a batch, (n,): hours of the caller's time, NaN where refused, 0 where the threshold is
    crossed."""

    p10: DoubleArray
    p50: DoubleArray
    p90: DoubleArray
    refusal: npt.NDArray[np.intp]
    crossed: BoolArray
    capped: BoolArray
    shares: Mapping[str, float]


def forecast(data: Courses, history: ClassHistory | None = None) -> Forecasts:
    """The models of each course of one class, before they are mixed."""
    seen = onset(data)
    crossed = data.latest() >= data.threshold
    refusal = _refusals(data, seen)
    rows = np.flatnonzero((refusal == ANSWERED) & ~crossed)
    window = seen.window.take(rows)
    models, line = _models(seen, rows, history, linear=data.linear)
    weak = line.r2 < LEAST_R2
    down = line.slope <= 0
    refusal[rows[weak]] = _index(types.POOR_FIT)
    refusal[rows[down]] = _index(types.TREND_FALLING)
    fine = ~(weak | down)
    if not fine.all():
        rows = rows[fine]
        window = seen.window.take(rows)
        models, line = _models(seen, rows, history, linear=data.linear)
    return Forecasts(refusal, crossed, rows, models, window.span_h, window.onset_h, line.jumps, line.r2)


def _models(
    seen: Onset, rows: npt.NDArray[np.intp], history: ClassHistory | None, *, linear: bool
) -> tuple[dict[str, Model], Exponential]:
    window = seen.window.take(rows)
    if linear:
        warming = temperature.fit(window)
        better = warming.line if warming.line.r2.sum() > warming.curve.r2.sum() else warming.curve
        return {"temperature": warming}, better
    prior = Slope.unknown(len(rows)) if history is None else history.slope(window.span_clock)
    process = None if history is None or history.process <= 0 else history.process * window.span_clock
    line = exponential.fit(window, prior)
    walk = wiener.fit(window, prior, process).likeliest(wiener.KEPT)
    models: dict[str, Model] = {"exponential": line, "wiener": walk}
    if history is not None and history.library is not None:
        models["similarity"] = similarity.fit(window, history.library)
    return models, line


def _refusals(data: Courses, seen: Onset) -> npt.NDArray[np.intp]:
    """What forbids an answer before any model is fitted; the first reason speaks."""
    usable = np.isfinite(data.threshold)
    with np.errstate(invalid="ignore"):
        reasons = (
            (data.back, types.TIME_GOES_BACK),
            (~usable, types.NO_THRESHOLD),
            (data.points < FEWEST_POINTS, types.TOO_FEW_POINTS),
            (data.threshold <= data.baseline, types.BELOW_BASELINE),
            (data.latest() >= data.threshold, None),
            (np.isnan(data.alert), types.NO_ALERT),
            (seen.falling, types.TREND_FALLING),
            (~seen.confirmed, types.NO_DEGRADATION),
            ((seen.window.points < FEWEST_POINTS) | (seen.window.span_clock <= 0), types.TOO_FEW_POINTS),
            (seen.window.risen.sum(axis=1) < 3, types.TOO_FEW_POINTS),
        )
    choices = [np.full(len(usable), ANSWERED if why is None else _index(why)) for _, why in reasons]
    return np.select([found for found, _ in reasons], choices, ANSWERED).astype(np.intp)


def _index(refusal: Refusal) -> int:
    return types.REFUSALS.index(refusal)


def answers(told: Forecasts, calibration: Calibration = GENERIC) -> Lives:
    """The mixture's quantiles of each row, at the levels that past lives confirmed."""
    n = len(told.refusal)
    shares = calibration.shares(tuple(told.models))
    spans = read(told.models, calibration, len(told.rows))
    refusal, capped, hours = told.refusal.copy(), np.zeros(n, dtype=bool), np.full((n, 3), np.nan)
    wide = spans[:, 2] > WIDEST_RATIO * spans[:, 0]
    refusal[told.rows[wide]] = _index(types.INTERVAL_TOO_WIDE)
    capped[told.rows] = (spans[:, 2] > LONGEST_SPANS) & ~wide
    found = np.minimum(spans, LONGEST_SPANS) * told.span_h[:, None]
    hours[told.rows] = np.where(wide[:, None], np.nan, found)
    hours[told.crossed & (refusal == ANSWERED)] = 0.0
    return Lives(
        p10=hours[:, 0],
        p50=hours[:, 1],
        p90=hours[:, 2],
        refusal=refusal,
        crossed=told.crossed & (refusal == ANSWERED),
        capped=capped,
        shares=shares,
    )


def remaining_life(
    trend: Trend,
    threshold: Threshold,
    *,
    history: ClassHistory | None = None,
    calibration: Calibration = GENERIC,
) -> RemainingLife | Refusal:
    """P10, P50 and P90 of the hours that are left until a trend reaches its threshold, or why not.

    `history` is what the class of the machine teaches, `calibration` how far the models could be believed so
    far. Hours are those of `trend.hours`, at the use of the time since the onset. Raises ValueError where
    arrays do not fit each other.
    """
    if "unknown" in (trend.unit, threshold.unit):
        return types.UNIT_UNKNOWN
    if trend.unit != threshold.unit:
        return types.UNIT_MISMATCH
    if not np.size(trend.hours):
        return types.TOO_FEW_POINTS
    data = _single(trend, threshold)
    told = forecast(data, history)
    found = answers(told, calibration)
    if found.refusal[0] != ANSWERED:
        return types.REFUSALS[found.refusal[0]]
    if found.crossed[0]:
        return RemainingLife(
            0.0, 0.0, 0.0, Method.THRESHOLD_CROSSED, (_goal(threshold),), confidence="high", onset_hours=None
        )
    return _answer(found, told, threshold, history, calibration)


def _single(trend: Trend, threshold: Threshold) -> Courses:
    def or_nan(value: float | None) -> float:
        return np.nan if value is None else value

    hours = np.atleast_2d(np.asarray(trend.hours, dtype=np.float64))
    use = None if trend.use is None else np.atleast_2d(np.asarray(trend.use, dtype=np.float64))
    latest = float(hours[np.isfinite(hours)].max(initial=-np.inf))
    done = [time for time in trend.interventions if time <= latest]
    return courses(
        hours,
        np.atleast_2d(np.asarray(trend.values, dtype=np.float64)),
        threshold=threshold.value if threshold.value > 0 else np.nan,
        alert=or_nan(trend.alert),
        baseline=or_nan(trend.baseline),
        spread=or_nan(trend.spread),
        use=use,
        start=max(done, default=-np.inf),
        linear=trend.quantity is Quantity.TEMPERATURE,
    )


def _goal(threshold: Threshold) -> Assumption:
    return Assumption("threshold", {"name": threshold.name, "value": threshold.value, "unit": threshold.unit})


def _answer(
    found: Lives,
    told: Forecasts,
    threshold: Threshold,
    history: ClassHistory | None,
    calibration: Calibration,
) -> RemainingLife:
    assumptions = [Assumption("regime_unchanged"), _goal(threshold)]
    if history is None:
        assumptions.append(Assumption("no_class_history"))
    else:
        assumptions.append(Assumption("class_history", {"lives": history.lives}))
    if calibration.lives:
        assumptions.append(Assumption("calibrated", {"lives": calibration.lives}))
    else:
        assumptions.append(Assumption("calibrated_on_simulation"))
    if told.jumps[0] > 0:
        assumptions.append(Assumption("jumps_seen", {"jumps": told.jumps[0]}))
    if found.capped[0]:
        assumptions.append(Assumption("capped", {"hours": LONGEST_SPANS * told.span_h[0]}))
    ratio = found.p90[0] / found.p10[0]
    return RemainingLife(
        p10=float(found.p10[0]),
        p50=float(found.p50[0]),
        p90=float(found.p90[0]),
        method=Method.MIXTURE,
        assumptions=tuple(assumptions),
        weights=dict(found.shares),
        confidence="high" if ratio <= NARROW else "medium" if ratio <= FAIR else "low",
        onset_hours=float(told.onset_h[0]),
    )
