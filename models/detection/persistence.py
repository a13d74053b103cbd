"""From exceedances to alarms that last: how often in a row, how far apart, and when it is over. Elementwise.

Rules, for arrays of any shape, one element a test:
1. On after `need` exceedances in a row among the blocks that say something (`known`); a block that says
   nothing (invalid, stopped, late) neither counts nor breaks the row.
2. A danger needs two in a row, 30 s apart or more: one passing truck is none.
3. Off after six known blocks in a row below the limit by its dead band; a value inside the band breaks them.
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

_MOST: Final = 10_000  # a count that is long over what anybody asks stays there


@dataclass(frozen=True, slots=True)
class Latches:
    """`on` and what leads there: exceedances in a row, calm blocks in a row, and when the row began in s."""

    on: Flags
    run: Counts
    calm: Counts
    since_s: DoubleArray

    @classmethod
    def start(cls, shape: tuple[int, ...]) -> Latches:
        """Off, without a past."""
        count = np.zeros(shape, dtype=np.int16)
        return cls(np.zeros(shape, dtype=np.bool_), count, count.copy(), np.full(shape, np.nan))


def advance(
    latches: Latches,
    exceeds: Flags,
    calm: Flags,
    known: Flags,
    *,
    need: int = ALERT_OF,
    time_s: npt.ArrayLike = np.nan,
    apart_s: float = 0.0,
) -> Latches:
    """The latches after one block, elementwise; `calm` is below the limit by its dead band.

    `time_s` is the block's time, needed where the row must last `apart_s`.
    """
    hit = exceeds & known
    run = np.where(hit, np.minimum(latches.run + 1, _MOST), np.where(known, 0, latches.run))
    calm_run = np.where(calm & known, np.minimum(latches.calm + 1, _MOST), np.where(known, 0, latches.calm))
    since = np.where(hit, np.where(run == 1, time_s, latches.since_s), latches.since_s)
    lasted = run >= need
    if apart_s:
        lasted &= np.asarray(time_s) - since >= apart_s
    on = (latches.on | (hit & lasted)) & ~(calm_run >= OFF_DELAY)
    return Latches(on, run.astype(np.int16), calm_run.astype(np.int16), since)


def release_level(limit: DoubleArray, sigma: npt.ArrayLike, expected: npt.ArrayLike = np.nan) -> DoubleArray:
    """The level below which a positive value is calm, elementwise, in the unit of `limit`.

    10 % below the limit and 2 σ (of its logarithm), but no lower than one σ above what is `expected`: an
    alarm must be able to end on a machine that is as it was learned.
    """
    band = np.minimum(1 - DEAD_BAND, np.exp(-DEAD_BAND_SIGMA * np.asarray(sigma)))
    reach = np.minimum(np.asarray(expected) * np.exp(sigma), (1 - DEAD_BAND) * limit)
    return np.asarray(np.fmax(np.where(np.isnan(band), 1 - DEAD_BAND, band) * limit, reach))
