"""From exceedances to alarms that last: how often in a row, how far apart, and when it is over. Elementwise.

Rules, for arrays of any shape, one element a test:
1. On after `need` exceedances in a row among the blocks that say something (`known`); a block that says
   nothing (invalid, stopped, late) neither counts nor breaks the row.
2. A danger needs two in a row, 30 s apart or more: one passing truck is none.
3. Off after six known blocks in a row below the limit by its dead band; a value inside the band breaks them.

Many tests are advanced in one call: a call costs the same for one element as for hundreds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray

Flags = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int16]

ALERT_OF: Final = 3
"""Blocks in a row for an alert: half an hour of blocks ten minutes apart."""

DRIFT_OF: Final = 18
"""Blocks in a row for what tells of slow change (EWMA, CUSUM, T², SPE): 3 h of the day that a drift may take
to be seen. Where residuals remember 3 h, three blocks in a row are hardly more than one."""

DANGER_OF: Final = 2
"""Blocks in a row for a danger."""

DANGER_APART_S: Final = 27.0
"""Seconds between the first and the last of them: 30, less what a schedule is early by."""

SLOPE_OF: Final = 2
"""Evaluations in a row, one each 6 h, for a slope."""

OFF_DELAY: Final = 6
"""Blocks in a row below the dead band before an alarm is over."""

DEAD_BAND: Final = 0.1
"""Share of its limit that a value must fall below it."""

DEAD_BAND_SIGMA: Final = 2.0
"""And so many σ, so that noise does not chatter."""

_MOST: Final = np.int16(10_000)  # a count that is long over what anybody asks stays there


@dataclass(frozen=True, slots=True)
class Latches:
    """`on` and what leads there: exceedances in a row and calm blocks in a row, arrays (..., k).

    `since_s` (..., d) is when the row of the first d of the k elements began, in s: of those that must last.
    """

    on: Flags
    run: Counts
    calm: Counts
    since_s: DoubleArray

    @classmethod
    def start(cls, shape: tuple[int, ...], lasting: int | None = None) -> Latches:
        """Off, without a past. `lasting` is d, by default all."""
        count = np.zeros(shape, dtype=np.int16)
        d = shape[-1] if lasting is None else lasting
        return cls(np.zeros(shape, dtype=np.bool_), count, count.copy(), np.full((*shape[:-1], d), np.nan))


def advance(
    latches: Latches,
    exceeds: Flags,
    calm: Flags,
    known: Flags,
    *,
    need: int | Counts = ALERT_OF,
    time_s: npt.ArrayLike = np.nan,
    apart_s: float = 0.0,
) -> Latches:
    """The latches after one block, elementwise; `calm` is below the limit by its dead band.

    `need` is one count or one for each element. `time_s` is the block's time, needed where rows must last
    `apart_s` (those that `since_s` is kept of).
    """
    hit = exceeds & known
    run = _row_of(latches.run, exceeds, known)
    calm_run = _row_of(latches.calm, calm, known)
    lasted, since = run >= need, latches.since_s
    d = since.shape[-1]
    if apart_s and d:
        since = np.where(hit[..., :d] & (run[..., :d] == 1), time_s, since)
        lasted[..., :d] &= np.asarray(time_s) - since >= apart_s
    on = (latches.on | (hit & lasted)) & (calm_run < OFF_DELAY)
    return Latches(on, run, calm_run, since)


def _row_of(before: Counts, met: Flags, known: Flags) -> Counts:
    """How often in a row it is `met` by now, where it is `known`."""
    return np.minimum(before + (met & known), _MOST) * ~(known > met)


def release_level(limit: DoubleArray, sigma: npt.ArrayLike, expected: npt.ArrayLike = np.nan) -> DoubleArray:
    """The level below which a positive value is calm, elementwise, in the unit of `limit`.

    10 % below the limit and 2 σ (of its logarithm), but no lower than one σ above what is `expected`: an
    alarm must be able to end on a machine that is as it was learned.
    """
    band = np.minimum(1 - DEAD_BAND, np.exp(-DEAD_BAND_SIGMA * np.asarray(sigma)))
    reach = np.minimum(np.asarray(expected) * np.exp(sigma), (1 - DEAD_BAND) * limit)
    return np.asarray(np.fmax(np.where(np.isnan(band), 1 - DEAD_BAND, band) * limit, reach))
