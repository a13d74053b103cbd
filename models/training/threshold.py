"""What a detector's score must exceed: chosen so that a healthy machine seldom raises it, on held-out time.

Rules:
1. An alert stands from three blocks in a row above the threshold on, at the pace of a baseline (ten minutes),
   until six in a row are calm: a tenth below it. So what counts is the lowest of three neighbours.
2. Blocks remember each other, so they are not counted as independent: the unit is the day. Its highest such
   value over the days of held-out healthy time has a tail like Gumbel's, whose place and scale are read off
   its quartiles (a day that was not healthy after all moves neither).
3. The threshold is the value that a day exceeds with the probability that the budget leaves it, and two
   standard errors of that extrapolation above it: a week of days says little.
4. No more than the budget may have been raised in the held-out time itself: where its strangest days exceed
   rule 3, they set the threshold, and the report tells which days these were.

E. J. Gumbel, Statistics of Extremes (1958), §5; the budget is less than one false alert a machine and month
for all its tests together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv

from models.detection.baseline import PACE_S
from models.detection.persistence import ALERT_OF, DEAD_BAND, OFF_DELAY
from models.features.gate import DoubleArray
from models.features.huber import MAD_TO_SIGMA

BUDGET: Final = 0.25
"""False alerts a machine and month that one trained detector may raise: a quarter of what all tests together
may, and most of what the machine's own baseline leaves (it raises 0.01 to 0.3)."""

MONTH_S: Final = 30 * 86_400.0
DAY_S: Final = 86_400.0

LEAST_A_DAY: Final = 36
"""Blocks that a day must have to tell its highest: a quarter of them."""

LEAST_DAYS: Final = 5
"""Days without which there are no quartiles to speak of."""

ERRORS: Final = 2.0
"""Standard errors that are added: one in forty calibrations is too low."""

_LOW, _HIGH = -np.log(-np.log(0.25)), -np.log(-np.log(0.75))  # quartiles of the standard Gumbel variable
_ERROR_OF_SCALE: Final = 1.35  # of √n · scale, from quartiles: √(1.57 · 1.16), asymptotic

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Threshold:
    """`value` and the level below which a block is `calm`, in σ of healthy scores: (raw - centre) / spread.

    `alerts` of them stood in `months` of held-out healthy time of points; `rate` is the upper 95 % limit of
    what that says of false alerts a machine and month; `strangest_s` the days (start, s) that set the value,
    none by rule 3 alone.
    """

    value: float
    centre: float
    spread: float
    alerts: int
    months: float
    rate: float
    strangest_s: tuple[float, ...] = ()

    @property
    def calm(self) -> float:
        """Below it a block is calm."""
        return self.value - DEAD_BAND * abs(self.value)

    def of(self, raw: DoubleArray) -> DoubleArray:
        """Raw scores in σ of healthy ones."""
        return (raw - self.centre) / self.spread


def calibrate(
    series: Sequence[tuple[DoubleArray, DoubleArray]], *, tests: int = 1, budget: float = BUDGET
) -> Threshold | None:
    """The threshold of raw scores of held-out healthy time: (time_s (m,), scores (m,)) of each point.

    `tests` is how many points a machine has that are judged like this. None where there are fewer than
    `LEAST_DAYS` days, or the scores do not vary.
    """
    every = np.concatenate([np.empty(0), *(scores for _, scores in series)])
    every = every[np.isfinite(every)]
    if not every.size:
        return None
    centre = float(np.median(every))
    spread = float(MAD_TO_SIGMA * np.median(np.abs(every - centre)))
    if spread <= 0:
        return None
    scaled = [(time_s, (scores - centre) / spread) for time_s, scores in series]
    days = [daily_highest(time_s, scores) for time_s, scores in scaled]
    when, highest = (np.concatenate([one[k] for one in days]) for k in (0, 1))
    if highest.size < LEAST_DAYS:
        return None
    months = highest.size * DAY_S / MONTH_S
    value = _of_gumbel(highest, budget * DAY_S / MONTH_S / tests)
    allowed = int(budget * months / tests)
    most = float(np.sort(highest)[-allowed - 1]) * (1 + 1e-9)
    strangest = tuple(float(s) for s in when[highest > value]) if most > value else ()
    value = max(value, most)
    alerts = sum(episodes(standing(scores, value, time_s)) for time_s, scores in scaled)
    rate = float(gammaincinv(alerts + 1, 0.95)) / months * tests
    return Threshold(value, centre, spread, alerts, months, rate, strangest)


def standing(scores: DoubleArray, value: float, time_s: DoubleArray, pace_s: float = PACE_S) -> Flags:
    """Whether an alert stands after each block (m,): rule 1. A block that is not known changes nothing."""
    rows = paced(time_s, ~np.isnan(scores), pace_s)
    above, calm = scores[rows] > value, scores[rows] < value - DEAD_BAND * abs(value)
    raised, ended = _in_a_row(above, ALERT_OF), _in_a_row(calm, OFF_DELAY)
    place = np.arange(len(rows))
    last_raised, last_ended = (
        np.maximum.accumulate(np.where(at, place, -1)) if len(rows) else place for at in (raised, ended)
    )
    found = np.zeros(len(scores), dtype=np.bool_)
    found[rows] = last_raised > last_ended
    told = np.zeros(len(scores), dtype=np.intp)
    told[rows] = rows
    return np.asarray(found[np.maximum.accumulate(told)]) if len(scores) else found


def episodes(stands: Flags) -> int:
    """How many alerts there were."""
    return int(np.count_nonzero(stands & ~np.concatenate((np.zeros(1, np.bool_), stands[:-1]))))


def daily_highest(time_s: DoubleArray, scores: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """(start of the day in s, the highest value that three blocks in a row reach in it) of each full day."""
    rows = paced(time_s, ~np.isnan(scores))
    if len(rows) < ALERT_OF:
        return np.empty(0), np.empty(0)
    known = scores[rows]
    lasting = np.minimum(np.minimum(known[:-2], known[1:-1]), known[2:])
    day, first, count = np.unique(np.floor(time_s[rows][2:] / DAY_S), return_index=True, return_counts=True)
    full = count >= LEAST_A_DAY
    return day[full] * DAY_S, np.maximum.reduceat(lasting, first)[full]


def paced(time_s: DoubleArray, known: Flags, pace_s: float = PACE_S) -> npt.NDArray[np.intp]:
    """Rows that count: known, and no closer than the pace to the one that counted last."""
    rows = np.flatnonzero(known)
    times = time_s[rows]
    if len(rows) < 2 or float(np.diff(times).min()) >= pace_s:
        return rows
    after = np.searchsorted(times, times + pace_s).tolist()  # of each the first that may count next
    kept, at = [], 0
    while at < len(rows):
        kept.append(at)
        at = max(after[at], at + 1)
    return rows[kept]


def _of_gumbel(highest: DoubleArray, p: float) -> float:
    """What a day exceeds with probability p, and two standard errors more."""
    low, high = np.quantile(highest, (0.25, 0.75))
    scale = max(float(high - low) / (_HIGH - _LOW), 1e-6)
    place = float(low) - scale * _LOW
    y = -np.log(-np.log1p(-p))
    return float(place + scale * y + ERRORS * scale * _ERROR_OF_SCALE * y / np.sqrt(highest.size))


def _in_a_row(met: Flags, need: int) -> Flags:
    """Where `need` in a row are met, this one the last."""
    sums = np.concatenate(([0], np.cumsum(met)))
    found = np.zeros(len(met), dtype=np.bool_)
    if len(met) >= need:
        found[need - 1 :] = sums[need:] - sums[:-need] == need
    return found
