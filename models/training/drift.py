"""Whether what a baseline was trained on is still what the machine does in good health: figures, an advice.

Nothing adapts here. What is said rests on these rules:

1. A fault that grows is no drift of the process: blocks in alarm are left out and counted, and where they are
   more than half of all, nothing is advised. A fault that does not alarm yet looks like drift: the advice is
   to look at the machine first, and to learn anew only where it is found in good health.
2. Levels have moved where a column, over the last `WINDOW_DAYS` and in all regimes or in one, is both far
   (PSI above `FAR`) and surely so (PSI and Kolmogorov-Smirnov beyond what samples of their independent blocks
   show, all columns and groups together once in 1/`TAIL` looks); or where Page-Hinkley's sum of daily means
   over `LOOK_DAYS` is above its limit.
3. A process has new regimes where `OUTSIDE` of the running blocks are outside those learned, a day of them
   at least, on three days. A baseline is old after `OLD_DAYS`.
4. With too little to tell, the answer is a refusal, with what would make it possible; the share outside and
   the age are told even then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from models.detection.baseline import Baseline
from models.detection.regimes import LOAD_BINS, SPEED_STEP
from models.features.gate import DoubleArray
from models.types import Refusal

from .dataset import PointHistory
from .drift_statistics import (
    DAY_S,
    LEAST_EFFECTIVE,
    bins_for,
    daily_means,
    ks,
    ks_limit,
    memory_of,
    page_hinkley,
    page_hinkley_limit,
    psi,
    psi_limit,
)
from .drift_trained import ALL, Sample, TrainedOn, counting, paced

WINDOW_DAYS: Final = 14
"""Two weeks: weekdays and week-ends twice, and 30 independent blocks where blocks remember three hours."""

LOOK_DAYS: Final = 28
"""How far back daily means are added up: a shift of one σ of a baseline of a week is told within it."""

FAR: Final = 0.25
"""PSI from which a change matters whatever its certainty (the customary limit): half a σ of a normal one."""

TAIL: Final = 0.01
"""Probability that some column or regime of a point that did not change is beyond its limits in one look."""

ALLOWED: Final = 0.5
"""σ that a day's mean may be off its place without being added up: what the baseline's own CUSUM allows."""

LEAST_SUM: Final = 3.0
"""σ · days that Page-Hinkley's sum must reach at least, three days of 1.5 σ: one odd day is no new level."""

OUTSIDE: Final = 0.1
"""Share of blocks outside the learned regimes from which the baseline no longer covers the machine's work."""

LEAST_OUTSIDE: Final = 144
"""Blocks outside, a day of them: a single transport or test run is no new regime."""

OUTSIDE_DAYS: Final = 3

OLD_DAYS: Final = 365.0
"""A year: accelerometers are checked yearly in most plants, and all seasons have passed."""

DRIFT_TOO_SHORT: Final = Refusal("drift_too_short", "wait_for_blocks")
DRIFT_IN_ALARM: Final = Refusal("drift_in_alarm", "clear_alarm_first")
TRAINED_UNKNOWN: Final = Refusal("drift_trained_unknown", "relearn_when_serviced")

REFUSALS: Final = (DRIFT_TOO_SHORT, DRIFT_IN_ALARM, TRAINED_UNKNOWN)
"""What this module refuses with: a locale must have a sentence for each."""

REASONS: Final = ("levels_moved", "regimes_new", "baseline_old")
"""Why learning anew is advised: keys `drift.<reason>` of the locale."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the baseline should be learned anew, and what a sentence about it needs."""

    key: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """How far one column has moved, in the group of blocks where it has most (`regime` "" for all of them).

    `psi` and `ks` with the limits that samples of this size have; `page_hinkley` in σ · days; `shift` of the
    mean in σ; `effective` independent blocks. NaN where nothing can be said.
    """

    name: str
    regime: str
    psi: float
    psi_limit: float
    ks: float
    ks_limit: float
    page_hinkley: float
    page_hinkley_limit: float
    shift: float
    effective: float

    @property
    def moved(self) -> bool:
        """Whether it is far and surely so, or its daily means add up beyond their limit."""
        far = self.psi > max(FAR, self.psi_limit) and self.ks > self.ks_limit
        return far or self.page_hinkley > self.page_hinkley_limit


@dataclass(frozen=True, slots=True)
class Drift:
    """What was found of a point. `outside` is the share of the window's running blocks outside the learned
    regimes (NaN without any), `blocks` how many counted, `in_alarm` how many were left out for an alarm.
    """

    columns: tuple[ColumnDrift, ...]
    outside: float
    age_days: float
    blocks: int
    in_alarm: int
    reasons: tuple[Reason, ...] = ()
    refusal: Refusal | None = None

    @property
    def advised(self) -> bool:
        """Whether to learn anew."""
        return bool(self.reasons)


def measure(
    baseline: Baseline,
    trained: TrainedOn | None,
    history: PointHistory,
    *,
    now_s: float,
    learned_s: float | None = None,
) -> Drift:
    """How far a point is from what its baseline was trained on, from its last `LOOK_DAYS` before `now_s`.

    What was before that training (before a service, say) is not of this baseline, and left out.

    `trained` is None where it was not kept; `learned_s` is when the baseline was learned, by default the end
    of what it was trained on. Raises ValueError where the history lacks one of the baseline's columns.
    """
    first_s = trained.start_s if trained else -np.inf
    recent = history.between(max(first_s, now_s - LOOK_DAYS * DAY_S), now_s)
    window = recent.between(now_s - WINDOW_DAYS * DAY_S, now_s)
    alarm = int(np.count_nonzero(window.context.in_alarm & window.context.running))
    running = int(np.count_nonzero(window.context.running))
    outside, general = _outside(baseline, window)
    since_s = learned_s if learned_s is not None else (trained.end_s if trained else np.nan)
    age = (now_s - since_s) / DAY_S
    if age >= OLD_DAYS:
        general.append(Reason("baseline_old", {"days": round(age)}))
    refusal: Refusal | None = None
    columns: tuple[ColumnDrift, ...] = ()
    counted = counting(baseline, recent, learned=True)
    inside = counted.rows(counted.time_s >= now_s - WINDOW_DAYS * DAY_S)
    if alarm > running / 2:
        return Drift((), outside, age, len(inside.time_s), alarm, (), DRIFT_IN_ALARM)
    if trained is None:
        refusal = TRAINED_UNKNOWN
    else:
        columns = tuple(_columns(trained, inside, counted))
        refusal = None if any(c.effective >= LEAST_EFFECTIVE for c in columns) else DRIFT_TOO_SHORT
    moved = [one for one in columns if one.moved]
    reasons = [*([_moved(moved)] if moved and refusal is None else []), *general]
    return Drift(columns, outside, age, len(inside.time_s), alarm, tuple(reasons), refusal)


def _moved(moved: list[ColumnDrift]) -> Reason:
    """The columns that moved, the farthest first."""
    order = sorted(moved, key=lambda one: -np.nan_to_num(one.psi))
    worst = order[0]
    return Reason(
        "levels_moved",
        {
            "columns": [one.name for one in order[:3]],
            "n": len(order),
            "psi": round(worst.psi, 3),
            "shift": round(worst.shift, 2),
            "regime": worst.regime,
        },
    )


def _outside(baseline: Baseline, window: PointHistory) -> tuple[float, list[Reason]]:
    """The share of blocks outside the learned regimes, and whether that is a reason."""
    mine = window.columns(baseline.names)
    context = mine.context
    usable = context.running & ~context.in_alarm & ~np.isnan(mine.x).all(axis=1)
    rows = paced(mine.time_s, usable)
    if not rows.size:
        return float("nan"), []
    strange = rows[~baseline.expect(mine.x, context).known[rows]]
    share = strange.size / rows.size
    days = np.unique(np.floor(mine.time_s[strange] / DAY_S)).size
    if share < OUTSIDE or strange.size < LEAST_OUTSIDE or days < OUTSIDE_DAYS:
        return share, []
    return share, [Reason("regimes_new", {"share": round(share, 3), "days": days})]


def _columns(trained: TrainedOn, inside: Sample, counted: Sample) -> Iterator[ColumnDrift]:
    """Each learned column, in the group where it has moved most."""
    memory = np.fmax(trained.memory, memory_of(inside.time_s, inside.z, trained.days_memory))
    sums, limits = _sums(trained, counted)
    tests = max(1, len(trained.codes) * len(trained.names))
    means, _ = daily_means(inside.time_s, inside.z)
    for j, name in enumerate(trained.names):
        if not trained.blocks[0, j]:
            continue
        groups = [
            _group(trained, g, j, inside, memory=float(memory[j]), alpha=TAIL / tests)
            for g in range(len(trained.codes))
        ]
        regime, found = max(groups, key=lambda one: (one[1][0] - max(FAR, one[1][1]), one[0] == ""))
        known = means[:, j][~np.isnan(means[:, j])]
        shift = float(known.mean() - trained.centre[j]) if known.size else float("nan")
        told = groups[0][1][4]
        yield ColumnDrift(name, regime, *found[:4], float(sums[j]), float(limits[j]), shift, told)


Found = tuple[float, float, float, float, float]
"""PSI and its limit, Kolmogorov-Smirnov and its limit, independent blocks."""


def _group(
    trained: TrainedOn, g: int, j: int, inside: Sample, *, memory: float, alpha: float
) -> tuple[str, Found]:
    """One column in one group."""
    code = int(trained.codes[g])
    z = inside.z[:, j] if code == ALL else inside.z[inside.codes == code, j]
    z = z[~np.isnan(z)].astype(trained.quantiles.dtype)  # as the quantiles are kept: equal values stay equal
    was, now = float(trained.blocks[g, j]) / memory, len(z) / memory
    bins = bins_for(min(was, now))
    if not bins:
        return regime_text(code), (*[float("nan")] * 4, min(was, now))  # type: ignore[return-value]
    quantiles = trained.quantiles[g, j].astype(np.float64)
    far, sure = psi(quantiles, z, bins, now), psi_limit(bins, was, now, alpha)
    return regime_text(code), (far, sure, ks(quantiles, z), ks_limit(was, now, alpha), min(was, now))


def _sums(trained: TrainedOn, counted: Sample) -> tuple[DoubleArray, DoubleArray]:
    """Page-Hinkley's sums (c,) over all days that are looked at, and their limits.

    Days of a short baseline tell neither where the mean is nor how they vary: both are taken two standard
    errors to the bad.
    """
    days, _ = daily_means(counted.time_s, counted.z)
    sums = page_hinkley(days, trained.centre, ALLOWED)
    n = np.maximum(trained.days / trained.days_memory, 2.0)
    spread = np.fmax(trained.spread, _of_memory(trained)) * (1 + 2 / np.sqrt(2 * n))
    fall = ALLOWED - 2 * spread / np.sqrt(n)
    lasting = spread * np.sqrt(trained.days_memory)
    limits = page_hinkley_limit(lasting, fall, TAIL / max(1, len(trained.names)) / LOOK_DAYS)
    return sums, np.where(trained.days >= 2, np.maximum(limits, LEAST_SUM), np.nan)


def _of_memory(trained: TrainedOn) -> DoubleArray:
    """The least standard deviation of a day's mean, of 144 blocks with that memory."""
    return np.asarray(np.sqrt(trained.memory / 144))


def regime_text(code: int) -> str:
    """A bin of regime for people and programs: steps of 5 % from the middle speed, third of the load."""
    if code == ALL:
        return ""
    speed, load = divmod(code, LOAD_BINS)
    return f"{100 * ((1 + SPEED_STEP) ** speed - 1):+.0f} %/{load + 1}"
