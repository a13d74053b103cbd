"""What a machine is like in good health: levels that follow its speed and load, and how much they vary.

ln(feature) is regressed by Huber's method on ln(speed), load and what else is known to cause it (ambient
temperature, never the bearing's own), for all blocks together; bins of regime keep only the spread of what is
left, pooled until a bin has 100 blocks. With levels of each bin's own, a fan of variable speed would learn
for half a year. Spread is 1.4826 MAD, 5 % at least.

Rules:
1. A baseline needs 1000 valid blocks over seven days in all, or three full cycles that a technician declares.
2. The first 24 h after an intervention, and blocks in alarm, are not learned from.
3. A speed or a load outside the fitted range is a regime that nobody has seen: no statistics there.
4. A baseline never adapts by itself: a slow fault would teach it that it is healthy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray
from models.types import Refusal

from .bands import FEATURES_OF_Z, z_of
from .charts import ChartLimits, bin_means, chart_limits
from .context import Context
from .lines import Line, Reach, Spread, causes_of
from .multivariate import Multivariate

BASELINE_TOO_SHORT: Final = Refusal("baseline_too_short", "finish_learning")
NOTHING_TO_LEARN: Final = Refusal("nothing_to_learn", "check_sensor")
REGIME_UNSEEN: Final = Refusal("regime_unseen", "learn_regime")

REFUSALS: Final = (BASELINE_TOO_SHORT, NOTHING_TO_LEARN, REGIME_UNSEEN)
"""What this module refuses with, and why a block has no statistics (`Expected.known`): a locale must have a
sentence for each."""

LEAST_DAYS: Final = 7
"""Distinct days: what a week brings (weekends, shifts, weather) is in it."""

LEAST_BLOCKS: Final = 1000
"""A week of blocks ten minutes apart. 200 blocks gave 15 false alarms a month at autocorrelation 0.95."""

LEAST_CYCLES: Final = 3
"""Full cycles that a technician may declare instead, for machines whose whole work is shorter than a week."""

LEAST_CYCLE_BLOCKS: Final = 30
"""Blocks below which a median absolute deviation is off by more than a quarter (2 standard errors)."""

PACE_S: Final = 540.0
"""Blocks that are closer count once: persistence and false alarms were measured for blocks ten minutes apart,
and noise that lasts ten minutes is no more certain for being measured ten times."""

SETTLED_AFTER_S: Final = 24 * 3600.0
"""After an intervention grease works in, bolts and temperatures settle."""

LEAST_POSITIVE: Final = 0.9
"""Share of a feature's known values that must be above 0, for its logarithm to describe it."""

LEAST_KNOWN: Final = 0.5
"""Share of the blocks in which a feature, or a cause of its level, must be known."""

Flags = npt.NDArray[np.bool_]


class Told(Protocol):
    """What is known of blocks, (m,) or (m, n), NaN where it is not; other causes (m, [n,] q)."""

    @property
    def speed_hz(self) -> DoubleArray:
        """In Hz."""

    @property
    def load(self) -> DoubleArray:
        """In any unit."""

    @property
    def others(self) -> DoubleArray:
        """Further causes of the levels."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far learning has come: blocks that count, and days in which there was one."""

    blocks: int
    days: int

    def enough(self, cycles: int = 0) -> bool:
        """Whether a baseline can be made, `cycles` being what a technician declares."""
        if cycles >= LEAST_CYCLES:
            return self.blocks >= LEAST_CYCLE_BLOCKS
        return self.blocks >= LEAST_BLOCKS and self.days >= LEAST_DAYS


@dataclass(frozen=True, slots=True)
class Expected:
    """What a baseline says of m blocks, (m, c): ln of the level it expects, its σ, and `z` off it in σ.

    `known` (m,) is False where the regime was not learned; there everything is NaN. Of n baselines stacked:
    (m, n, c) and (m, n).
    """

    log_level: DoubleArray
    sigma: DoubleArray
    z: DoubleArray
    known: Flags


@dataclass(frozen=True, slots=True)
class Scores:
    """What a baseline says of m blocks, each by itself.

    `score` (m,) in σ above the baseline's own scores, the worse of T² and SPE (with one feature: of |z|);
    `threshold` what is abnormal above; `contributions` (m, c) the share of each feature, rows sum to 1;
    `verdict` (m,) int8: 1 abnormal, 0 not, -1 unknown (regime unseen, too few features). `z` (m, c):
    residuals in σ.
    """

    score: DoubleArray
    threshold: float
    contributions: DoubleArray
    verdict: npt.NDArray[np.int8]
    z: DoubleArray


@dataclass(frozen=True, slots=True)
class Baseline:
    """A learned baseline of c columns, NaN in those that could not be learned.

    `names` (c) are "feature" or "channel/feature"; `intercept` (c,) and `coefficients` (c, p) of ln(feature)
    on ln(speed in Hz), load and the context's other causes; `low`, `high` (p,) the range of each (NaN: not
    given when it was learned); `sigma` (c,) pooled, `bins` (k,) with `bin_sigma` (k, c) their own; `charts`
    limits of EWMA, CUSUM and slope; `multivariate` T² and SPE, None with one feature or fewer than 50 blocks.
    `blocks` and `days` it stands on, `z` how many σ a feature may be off, `pace_s` seconds that blocks must
    be apart to count. `version` counts from 1 and rises with each re-learning.
    """

    names: tuple[str, ...]
    intercept: DoubleArray
    coefficients: DoubleArray
    low: DoubleArray
    high: DoubleArray
    reference_hz: float
    sigma: DoubleArray
    bins: npt.NDArray[np.int32]
    bin_sigma: DoubleArray
    charts: ChartLimits
    multivariate: Multivariate | None
    blocks: int
    days: int
    z: float
    pace_s: float
    version: int = 1

    @classmethod
    def fit(
        cls,
        x: npt.ArrayLike,
        context: Context,
        *,
        names: Sequence[str] | None = None,
        features_of_machine: int | None = None,
        version: int = 1,
    ) -> Baseline | Refusal:
        """The baseline of features `x` (m, c), positive, NaN where unknown, in the order of `context.time_s`.

        `names` of the columns (by default "0", "1", ...); `features_of_machine` how many columns are judged
        on the whole machine, for the budget of false alarms (by default those of this baseline). A column
        that is not known in half of the blocks, or not positive in 90 % of these, is left out (NaN). Rows
        whose time does not advance are left out too. Refusal where there is too little. Raises ValueError
        for shapes that do not fit.
        """
        values = _values(x, context)
        columns = tuple(str(i) for i in range(values.shape[1])) if names is None else tuple(names)
        if len(columns) != values.shape[1]:
            raise ValueError(f"names must be {values.shape[1]}, one a column, got {len(columns)}")
        causes = _causes(context)
        given = _given(context, causes)
        rows = _counting(context, values, causes[:, given])
        y = _logarithm(values[rows])
        learned = _described(values[rows], y)
        progress = Progress(len(rows), _days(context.time_s[rows]))
        if not progress.enough(context.cycles):
            return BASELINE_TOO_SHORT if rows.size or not len(values) else NOTHING_TO_LEARN
        if not learned.any():
            return NOTHING_TO_LEARN
        y[:, ~learned] = np.nan
        line = Line.fit(y, causes[rows], given)
        residual = y - line.of(causes[rows])
        codes = line.bins(context.speed_hz[rows], context.load[rows])
        spread = Spread.fit(residual, codes)
        z = residual / spread.of(codes)
        features = max(int(learned.sum()), features_of_machine or FEATURES_OF_Z)
        return cls(
            names=columns,
            intercept=line.intercept,
            coefficients=line.coefficients,
            low=line.low,
            high=line.high,
            reference_hz=float(np.asarray(line.reference_hz)),
            sigma=spread.pooled,
            bins=spread.bins,
            bin_sigma=spread.own,
            charts=chart_limits(z, bin_means(context.time_s[rows], z)),
            multivariate=Multivariate.fit(z),
            blocks=progress.blocks,
            days=progress.days,
            z=z_of(progress.days, features),
            pace_s=_pace_s(context),
            version=version,
        )

    @staticmethod
    def progress(x: npt.ArrayLike, context: Context) -> Progress:
        """How far the blocks `x` (m, c) would bring a baseline, by the same rules as `fit`."""
        causes = _causes(context)
        rows = _counting(context, _values(x, context), causes[:, _given(context, causes)])
        return Progress(len(rows), _days(context.time_s[rows]))

    @property
    def learned(self) -> Flags:
        """Columns (c,) that have a baseline."""
        return np.asarray(~np.isnan(self.intercept))

    @property
    def line(self) -> Line:
        """What its levels follow."""
        return Line(self.intercept, self.coefficients, self.low, self.high, self.reference_hz)

    @property
    def spread(self) -> Spread:
        """How much they vary."""
        return Spread(self.sigma, self.bins, self.bin_sigma)

    def expect(self, x: npt.ArrayLike, context: Context) -> Expected:
        """What is expected of features `x` (m, c) in their context, and how far they are off it.

        Raises ValueError for shapes that do not fit, and where causes that were learned are not told.
        """
        return expected_of(self.line, self.spread, _values(x, context), context)

    def score(self, x: npt.ArrayLike, context: Context) -> Scores:
        """How abnormal each block is, from features `x` (m, c) and their context, without persistence."""
        z = self.expect(x, context).z
        if self.multivariate is None:
            score = np.max(np.where(np.isnan(z), -np.inf, np.abs(z)), axis=1, initial=-np.inf)
            score = np.where(np.isinf(score), np.nan, score)
            shares = np.nan_to_num(z) ** 2
        else:
            both = self.multivariate.scores(z)
            score = np.maximum(both[0], both[1])
            parts = self.multivariate.contributions(z)
            shares = np.maximum(np.where((both[0] >= both[1])[:, None], *parts), 0.0)
        total = shares.sum(axis=1, keepdims=True)
        verdict = np.where(np.isnan(score), -1, score > self.z).astype(np.int8)
        return Scores(score, self.z, shares / np.where(total > 0, total, 1.0), verdict, z)


def expected_of(
    line: Line, spread: Spread, values: DoubleArray, context: Told, reach: Reach | None = None
) -> Expected:
    """What one baseline expects of features `values` (m, c), or n stacked ones of (m, n, c).

    `reach` is that of the line, where it is at hand. Raises ValueError where causes that were learned are not
    told; more than were learned count for nothing.
    """
    p = line.low.shape[-1]
    if context.others.shape[-1] < p - 2:
        raise ValueError(
            f"others must be the {p - 2} causes that were learned, got {context.others.shape[-1]}"
        )
    causes = causes_of(context.speed_hz, context.load, context.others[..., : p - 2])
    known = (line.reach() if reach is None else reach).holds(causes)
    sigma = spread.of(line.bins(context.speed_hz, context.load)) if spread.bins.size else spread.pooled
    level = line.of(causes)
    if known.all():
        sigma = np.broadcast_to(sigma, values.shape) if sigma.shape != values.shape else sigma
    else:
        level, sigma = (np.where(known[..., None], v, np.nan) for v in (level, sigma))
    return Expected(level, sigma, (_logarithm(values) - level) / sigma, known)


def _values(x: npt.ArrayLike, context: Context) -> DoubleArray:
    values = np.asarray(x, dtype=np.float64)
    if values.ndim != 2 or len(values) != len(context.time_s):
        raise ValueError(
            f"x must be features of shape ({len(context.time_s)}, c), a row each time, got {values.shape}"
        )
    return values


def _logarithm(values: DoubleArray) -> DoubleArray:
    """ln of what is positive and finite, NaN elsewhere."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((values > 0) & np.isfinite(values), np.log(values), np.nan)


def _described(values: DoubleArray, y: DoubleArray) -> Flags:
    """Columns (c,) that are known often enough, and positive where they are, `y` being their logarithms."""
    known, positive = (np.count_nonzero(~np.isnan(v), axis=0) for v in (values, y))
    return np.asarray((positive >= LEAST_POSITIVE * known) & (positive >= max(1.0, LEAST_KNOWN * len(y))))


def _causes(context: Context) -> DoubleArray:
    """ln(speed), load and other causes (m, p)."""
    return causes_of(context.speed_hz, context.load, context.others)


def _learnable(context: Context) -> Flags:
    """Rows (m,) that may be learned from: running, time advancing, not in alarm, interventions settled."""
    t = context.time_s
    before = np.concatenate(([-np.inf], np.fmax.accumulate(np.where(np.isnan(t), -np.inf, t))[:-1]))
    ok = context.running & ~context.in_alarm & (t > before)
    for done in context.interventions_s:
        ok &= ~((t >= done) & (t < done + SETTLED_AFTER_S))
    return np.asarray(ok)


def _given(context: Context, causes: DoubleArray) -> Flags:
    """Causes (p,) that are known in half of what may be learned from; others would leave too little."""
    some = causes[_learnable(context)]
    known = np.count_nonzero(~np.isnan(some), axis=0)
    return np.asarray((known > 0) & (known >= LEAST_KNOWN * len(some)))


def _counting(context: Context, values: DoubleArray, causes: DoubleArray) -> npt.NDArray[np.intp]:
    """Rows that a baseline is learned from, where `causes` (m, p) are known, in time order, at its pace."""
    features = np.count_nonzero(~np.isnan(_logarithm(values)), axis=1)
    usable = _learnable(context) & (features > 0) & ~np.isnan(causes).any(axis=1)
    return _paced(context.time_s, usable, features, _pace_s(context))


def _pace_s(context: Context) -> float:
    """Seconds that blocks must be apart to count; cycles may be shorter than that."""
    return 0.0 if context.cycles >= LEAST_CYCLES else PACE_S


def _paced(
    time_s: DoubleArray, usable: Flags, features: npt.NDArray[np.intp], pace_s: float
) -> npt.NDArray[np.intp]:
    """Rows that count: in each interval of the pace the usable one of most features, of equal ones the first.

    Else readings of a single feature, each 30 s, would take the place of whole blocks.
    """
    rows = np.flatnonzero(usable)
    if not pace_s or not rows.size:
        return rows
    interval = np.floor((time_s[rows] - time_s[rows[0]]) / pace_s)
    order = np.lexsort((-features[rows], interval))
    return rows[order[np.unique(interval[order], return_index=True)[1]]]


def _days(time_s: DoubleArray) -> int:
    """Days, counted from the first time, in which there is one."""
    return int(np.unique(np.floor((time_s - time_s[:1]) / 86_400.0)).size)
