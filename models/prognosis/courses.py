"""A batch of trends on the machine's own clock: running hours times the load factor, from the last
intervention.

Damage stands still while the machine does and hurries under load, so a course over this clock is smoother
than over the calendar, and an answer on it goes back to the calendar by the use of late (an assumption that
is said).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray

BoolArray = npt.NDArray[np.bool_]

LEAST_SPREAD: Final = 1e-5
"""Relative noise below which no sensor measures; a course without any noise is given this much."""

BASELINE_SHARE: Final = 0.2
"""Share of a course that stands for health where the caller has no baseline."""

BASELINE_POINTS: Final = 8
"""Points at least of that share: a median of fewer moves by more than half the spread."""

RATE_BLOCKS: Final = 8
"""Parts of a course whose rates of use are compared: long against shifts and weekends, enough for a
variance."""

_MAD: Final = 1.4826  # median absolute deviation of a gaussian to its standard deviation


@dataclass(frozen=True, slots=True)
class Courses:
    """n courses of at most m points. All (n, m) or (n,).

    `hours`: the caller's time; `clock`: hours of damage since the first point; `values`: NaN where there is
    none or where it counts for nothing (before the last intervention); `known`: where there is a value.
    `wander`: by how much the use varies in the long run, hours: (variance of its mean over H hours)·H/mean².
    `back`: rows whose time goes back.
    """

    hours: DoubleArray
    clock: DoubleArray
    values: DoubleArray
    known: BoolArray
    baseline: DoubleArray
    spread: DoubleArray
    alert: DoubleArray
    threshold: DoubleArray
    wander: DoubleArray
    back: BoolArray
    linear: bool

    @property
    def points(self) -> npt.NDArray[np.intp]:
        """Points known of each course."""
        return np.asarray(self.known.sum(axis=1), dtype=np.intp)

    def latest(self, points: int = 3) -> DoubleArray:
        """The median of the last known points of each course, NaN without any."""
        rank = self.known[:, ::-1].cumsum(axis=1)[:, ::-1]
        return _median(np.where(self.known & (rank <= points), self.values, np.nan))

    def deviation(self) -> DoubleArray:
        """Each value's distance from its baseline in spreads: of logarithms, or of the values if linear."""
        with np.errstate(invalid="ignore", divide="ignore"):
            if self.linear:
                off = self.values - self.baseline[:, None]
            else:
                off = np.log(self.values / self.baseline[:, None])
            return np.where(self.known, off / self.spread[:, None], np.nan)


def courses(
    hours: npt.ArrayLike,
    values: npt.ArrayLike,
    *,
    threshold: npt.ArrayLike,
    alert: npt.ArrayLike,
    baseline: npt.ArrayLike = np.nan,
    spread: npt.ArrayLike = np.nan,
    use: npt.ArrayLike | None = None,
    start: npt.ArrayLike = -np.inf,
    linear: bool = False,
) -> Courses:
    """A batch from hours, values and use (n, m), the rest (n,) or one number for all.

    `start` is the time of the last intervention: what came before it is forgotten. Padding is NaN in hours or
    values. Raises ValueError where shapes differ or use is negative.
    """
    h, x = np.asarray(hours, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if h.ndim != 2 or x.shape != h.shape or h.shape[1] == 0:
        raise ValueError(f"hours and values must have one shape (n, m), got {h.shape} and {x.shape}")
    given = np.isfinite(h)
    reached = np.maximum.accumulate(np.where(given, h, -np.inf), axis=1)
    back = (given & (h < reached)).any(axis=1)
    begin = np.broadcast_to(np.asarray(start, dtype=np.float64), h.shape[:1])
    known = given & np.isfinite(x) & (h >= begin[:, None]) & ((x > 0) | linear)
    x = np.where(known, x, np.nan)
    level, noise = _health(x, known, linear)
    own = [np.broadcast_to(np.asarray(v, dtype=np.float64), h.shape[:1]) for v in (baseline, spread)]
    level, noise = (
        np.where(np.isfinite(v), v, default) for v, default in zip(own, (level, noise), strict=True)
    )
    clock = _clock(h, reached, use)
    return Courses(
        hours=h,
        clock=clock,
        values=x,
        known=known,
        baseline=level,
        spread=np.maximum(noise, LEAST_SPREAD * (np.abs(level) if linear else 1.0)),
        alert=np.broadcast_to(np.asarray(alert, dtype=np.float64), h.shape[:1]),
        threshold=np.broadcast_to(np.asarray(threshold, dtype=np.float64), h.shape[:1]),
        wander=np.zeros(len(h)) if use is None else _wander(clock, reached),
        back=np.asarray(back, dtype=bool),
        linear=linear,
    )


def _clock(hours: DoubleArray, reached: DoubleArray, use: npt.ArrayLike | None) -> DoubleArray:
    """Damage hours since the first time; an unknown use counts as the mean of the known."""
    passed = np.diff(reached, axis=1, prepend=reached[:, :1])
    passed = np.where(np.isfinite(passed), np.maximum(passed, 0.0), 0.0)
    if use is not None:
        rate = np.broadcast_to(np.asarray(use, dtype=np.float64), hours.shape)
        if (rate < 0).any():
            raise ValueError("use must be 0 or more: 0 at rest, 1 at rated load")
        seen = np.isfinite(rate)
        count = seen.sum(axis=1, keepdims=True)
        mean = np.where(seen, rate, 0).sum(axis=1, keepdims=True) / np.maximum(count, 1)
        passed = passed * np.where(seen, rate, np.where(count > 0, mean, 1.0))
    return np.cumsum(passed, axis=1)


def _wander(clock: DoubleArray, reached: DoubleArray) -> DoubleArray:
    """From the rates of `RATE_BLOCKS` equal parts of each course: their relative variance times their
    length."""
    begin = np.where(np.isfinite(reached), reached, np.inf).min(axis=1, initial=np.inf)
    length = (reached[:, -1] - begin) / RATE_BLOCKS
    length = np.where(np.isfinite(length) & (length > 0), length, np.inf)
    block = np.clip(np.nan_to_num((reached - begin[:, None]) / length[:, None], neginf=0.0), 0, RATE_BLOCKS)
    upto = np.stack(
        [np.where(block <= k, clock, -np.inf).max(axis=1) for k in range(1, RATE_BLOCKS + 1)], axis=1
    )
    rate = np.diff(upto, axis=1, prepend=0.0)
    mean = rate.mean(axis=1)
    relative = rate.var(axis=1, ddof=1) / np.where(mean > 0, mean, 1.0) ** 2
    return np.where(np.isfinite(length), relative * np.where(np.isfinite(length), length, 0.0), 0.0)


def _health(x: DoubleArray, known: BoolArray, linear: bool) -> tuple[DoubleArray, DoubleArray]:
    """Level and spread of the first part of each course."""
    place = known.cumsum(axis=1)
    wanted = np.maximum(BASELINE_POINTS, np.ceil(BASELINE_SHARE * place[:, -1:]))
    first = np.where(known & (place <= wanted), x, np.nan)
    level = _median(first)
    with np.errstate(invalid="ignore", divide="ignore"):
        off = first - level[:, None] if linear else np.log(first / level[:, None])
    return level, _MAD * _median(np.abs(off))


def _median(x: DoubleArray) -> DoubleArray:
    """Median of each row without its NaN; NaN for a row of nothing else, and no warning."""
    count = np.isfinite(x).sum(axis=1)
    ordered = np.sort(x, axis=1)  # NaN last
    rows = np.arange(len(x))
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, x.shape[1] - 1)
    found: DoubleArray = np.where(count > 0, (ordered[rows, low] + ordered[rows, high]) / 2, np.nan)
    return found
