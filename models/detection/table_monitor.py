"""A causal monitor of a table of slow readings: any number of channels, one fixed configuration for all.

It is fitted on the first rows of a table, which are taken to be normal, and then says of each row how far it
stands from them. Two charts watch the channels that hold a level in the prefix, against that level:

- *level*: an EWMA of the squared Mahalanobis distance of the rows (any departure, of one channel or of how
  they go together) and a multivariate EWMA (Lowry et al., Technometrics 34 (1992) 46-53; a small lasting
  shift), as one weighted mean, each in units of what the prefix exceeded in one row of a hundred;
- *change*: a fast EWMA against the slow one. It needs no level and sees a step within a few rows. It gives
  the changepoints, and begins an alarm where the change leads away from the level of the prefix.

Channels that drift in the prefix (a temperature that warms up, `table_monitor_fit.DRIFTING`) have no level to
be judged by. Beside channels that have one they are left out, and the notes say so. Where no channel has one,
a *moving* reference serves: the slow level of a channel against the mean and scatter of all that came before.

What a chunk gives does not depend on how a table is cut into chunks: `step` on all rows equals `step` on
each, with the state stored and read between any two (to 1e-6; rounding apart it is the same arithmetic).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from models.types import Refusal

from .table_monitor_charts import CHANGE_LIMIT, LEVEL_LIMIT, Alarm, Charts, FixedCharts, MovingCharts
from .table_monitor_fit import (
    DRIFTING,
    ROWS_PER_CHANNEL,
    Flags,
    Rows,
    filled,
    fit_fixed,
    fit_moving,
    slow_share,
    too_short,
    usable,
)

__all__ = ["CHANGE_LIMIT", "LEVEL_LIMIT", "Note", "TableMonitor", "TableScores"]

VERSION: Final = 1
"""Of the stored form."""

ENOUGH: Final = 0.5
"""A row is judged where at least this share of the judged channels has a value."""


@dataclass(frozen=True, slots=True)
class Note:
    """What limits a verdict, about one channel. `key` is of the table `score` of the locale.

    Keys: channel_constant, channel_missing, channel_drifting (left out), channel_moving (judged against its
    own past only), channel_few_rows (judged, after too short a fit for so many).
    """

    key: str
    channel: str


@dataclass(frozen=True, slots=True, eq=False)
class TableScores:
    """Verdicts of n rows, in order.

    `score` (n,) is NaN where a row has too few values to be judged; `threshold` (n,) is what it is held
    against. `alarm` (n,) stands from where the score passes it for some rows, or a change leads away from
    normal, until the score is back at half of it. `changepoint` (n,) marks the row in which a change was
    seen. `contributions` (n, p) are the channels' shares of the score, 0 to 1, all of them 1 together; NaN
    where not judged, 0 for a channel that is left out.
    """

    score: Rows
    threshold: Rows
    alarm: Flags
    changepoint: Flags
    contributions: Rows

    @property
    def judged(self) -> Flags:
        """(n,) rows that have a verdict."""
        return ~np.isnan(self.score)


class TableMonitor:
    """Made by `fit`, advanced by `step`; holds the state of its recursions.

    `channels` are all columns of a row in order, `watched` those that are judged, `moving` whether they are
    judged against their own past only, `notes` what limits the verdicts.
    """

    def __init__(
        self, channels: tuple[str, ...], keep: Flags, charts: Charts, notes: tuple[Note, ...], alarm: Alarm
    ) -> None:
        self.channels = channels
        self.notes = notes
        self._keep = keep
        self._charts = charts
        self._alarm = alarm

    @classmethod
    def fit(cls, rows: Rows, channels: Sequence[str]) -> TableMonitor | Refusal:
        """Learn from the first rows (n, p) of a table, one column a channel, NaN where a value is missing.

        Refuses fewer than `table_monitor_fit.MIN_ROWS` rows, and a prefix without a channel that varies.
        Raises ValueError for rows of another shape.
        """
        rows = _table(rows, len(channels))
        if (short := too_short(rows.shape[0])) is not None:
            return short
        keep, why = usable(rows)
        if not keep.any():
            return Refusal("no_usable_channel", "other_columns")
        prefix = filled(rows[:, keep])
        drifts = slow_share(prefix) >= DRIFTING
        moving = bool(drifts.all())
        if not moving:
            why |= {int(i): "channel_drifting" for i in np.flatnonzero(keep)[drifts]}
            keep[keep] = ~drifts
            charts: Charts = FixedCharts.begin(fit_fixed(prefix[:, ~drifts]))
        else:
            why |= {int(i): "channel_moving" for i in np.flatnonzero(keep)}
            charts = MovingCharts.begin(fit_moving(prefix), prefix[0])
        notes = [Note(why[i], channels[i]) for i in sorted(why)]
        if rows.shape[0] < ROWS_PER_CHANNEL * np.count_nonzero(keep):
            notes += [Note("channel_few_rows", channels[int(i)]) for i in np.flatnonzero(keep)]
        monitor = cls(tuple(channels), keep, charts, tuple(notes), Alarm())
        charts.settle(prefix if moving else prefix[:, ~drifts])
        return monitor

    @property
    def watched(self) -> tuple[str, ...]:
        """The channels that are judged."""
        return tuple(name for name, kept in zip(self.channels, self._keep, strict=True) if kept)

    @property
    def moving(self) -> bool:
        """Whether no channel held a level in the prefix: the weaker verdict."""
        return isinstance(self._charts, MovingCharts)

    def step(self, rows: Rows) -> TableScores:
        """Judge the next rows (n, p), n from 0 on. Raises ValueError for rows of another shape."""
        rows = _table(rows, len(self.channels))
        kept = rows[:, self._keep]
        known = np.isfinite(kept)
        judged = known.mean(axis=1) >= ENOUGH
        seen = self._charts.step(np.where(known, kept, np.nan), judged)
        score, alarm, changepoint = self._alarm.step(seen, judged)
        contributions = np.zeros(rows.shape)
        contributions[:, self._keep] = seen.shares
        contributions[~judged] = np.nan
        return TableScores(score, np.full(score.size, seen.limit), alarm, changepoint, contributions)

    def to_dict(self) -> dict[str, Any]:
        """What was learnt and where the recursions stand, as numbers, lists and text that JSON carries."""
        return {
            "version": VERSION,
            "channels": list(self.channels),
            "keep": self._keep.tolist(),
            "notes": [[note.key, note.channel] for note in self.notes],
            "moving": self.moving,
            "charts": self._charts.to_dict(),
            "alarm": self._alarm.to_dict(),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> TableMonitor:
        """The monitor that `to_dict` stored. Raises ValueError for another version of the form."""
        if stored.get("version") != VERSION:
            raise ValueError(
                f"a stored table monitor must be of version {VERSION}, got {stored.get('version')!r}: "
                "fit a new one"
            )
        kind = MovingCharts if stored["moving"] else FixedCharts
        return cls(
            tuple(stored["channels"]),
            np.array(stored["keep"], dtype=bool),
            kind.from_dict(stored["charts"]),
            tuple(Note(key, channel) for key, channel in stored["notes"]),
            Alarm.from_dict(stored["alarm"]),
        )


def _table(rows: Rows, n_channels: int) -> Rows:
    table = np.asarray(rows, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != n_channels:
        raise ValueError(f"rows must be (n, {n_channels}), one column a channel, got shape {table.shape}")
    return table
