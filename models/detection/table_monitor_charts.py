"""The recursions of the table monitor: charts that turn rows into distances, an alarm that turns those into
verdicts. Each holds its state, which `to_dict` stores and `from_dict` reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, NamedTuple, Protocol, Self

import numpy as np
from scipy.special import ndtri

from .table_monitor_fit import (
    FAST,
    SLOW,
    SPREAD,
    FixedFit,
    Flags,
    MovingFit,
    Rows,
    distances,
    ewma,
    quadratic,
    root_mean,
    standard,
)

LEVEL_LIMIT: Final = 2.2
"""The level alarms at this many times what the prefix exceeded in one row of a hundred: the prefix is short,
and a machine's normal hours wander about as far again as its first minutes show."""

CHANGE_LIMIT: Final = 1.25
"""A change is one at this many times what the prefix exceeded in one row of a hundred: a drift hardly enters
the difference of two means of neighbouring rows."""

SHIFT_SHARE: Final = 1 / 3
"""Weight of the lasting shift in the level, beside two thirds for the distance of the rows: a shift of the
mean shows in both."""

MOVING_PROBABILITY: Final = 0.005
"""Two-sided, for all channels of a moving reference together; for one channel 2.8 standard deviations."""

BACK: Final = 0.5
"""An alarm ends where the score is below this share of its threshold: a level that trembles at the threshold
is one alarm and not many."""

CHANGE_BACK: Final = 0.6
"""A change ends, and the next can be seen, below this share of its limit."""

PERSISTENT: Final = 8
"""Rows that the level must stand above its threshold for an alarm: most of the ten rows of its memory."""

REARM: Final = 200
"""Rows after an alarm before a change alone begins another: ten memories of the slow mean, in which the table
comes to rest; until then it alarms by its level only."""


class Seen(NamedTuple):
    """What charts make of n rows: `level` (n,) against `limit`; `change` (n,) in multiples of its limit, with
    `away` (n,) where it leads away from normal; `shares` (n, p) of the channels in the level."""

    level: Rows
    limit: float
    change: Rows
    away: Flags
    shares: Rows


class Charts(Protocol):
    """Recursions over rows (n, p) of the judged channels, NaN where a value is missing."""

    def settle(self, prefix: Rows) -> None:
        """Take the prefix in, so that the first row after it finds the recursions settled."""

    def step(self, rows: Rows, judged: Flags) -> Seen:
        """Advance by rows; those that are not `judged` change nothing."""

    def to_dict(self) -> dict[str, Any]:
        """Fit and state."""


@dataclass(slots=True, eq=False)
class FixedCharts:
    """Charts of channels that hold a level. `parts`, `slow`, `fast` (p,) are the states of the recursions.

    A missing value is held at the channel's slow level: it adds no evidence and takes none away, so that a
    sensor that dies in an alarm does not end it.
    """

    fit: FixedFit
    parts: Rows
    slow: Rows
    fast: Rows

    @classmethod
    def begin(cls, fit: FixedFit) -> Self:
        """Before the first row of the prefix."""
        p = fit.mean.size
        return cls(fit, np.ones(p), np.zeros(p), np.zeros(p))

    def settle(self, prefix: Rows) -> None:
        """Take the prefix in."""
        self._advance(standard(prefix, self.fit.mean, self.fit.scale))

    def step(self, rows: Rows, judged: Flags) -> Seen:
        """Advance by rows; one that is not judged leaves everything as it was."""
        z = standard(rows, self.fit.mean, self.fit.scale)
        if np.isnan(z).any():
            parts, slow, fast = self._advance_holding(z, judged)
        else:
            parts, slow, fast = self._advance(z)
        return self._seen(parts, slow, fast)

    def _advance(self, z: Rows) -> tuple[Rows, Rows, Rows]:
        if not z.shape[0]:
            return z, z, z
        parts = ewma(distances(z, self.fit.distance), SPREAD, self.parts)
        slow, fast = ewma(z, SLOW, self.slow), ewma(z, FAST, self.fast)
        self.parts, self.slow, self.fast = parts[-1], slow[-1], fast[-1]
        return parts, slow, fast

    def _advance_holding(self, z: Rows, judged: Flags) -> tuple[Rows, Rows, Rows]:
        """Row by row, because what stands for a missing value depends on the row before."""
        out = np.empty((3, *z.shape))
        for i, row in enumerate(z):
            if judged[i]:
                held = np.where(np.isnan(row), self.slow, row)[None]
                self._advance(held)
            out[:, i] = self.parts, self.slow, self.fast
        return out[0], out[1], out[2]

    def _seen(self, parts: Rows, slow: Rows, fast: Rows) -> Seen:
        fit = self.fit
        spread = (parts.mean(axis=1) - 1) / fit.spread_unit
        shifts = quadratic(slow, fit.level)
        level = (1 - SHIFT_SHARE) * spread + SHIFT_SHARE * root_mean(shifts) / fit.level_unit
        change = root_mean(quadratic(fast - slow, fit.change)) / (fit.change_unit * CHANGE_LIMIT)
        away = quadratic(fast, fit.distance).sum(axis=1) > quadratic(slow, fit.distance).sum(axis=1)
        shares = (1 - SHIFT_SHARE) * _shares(parts) + SHIFT_SHARE * _shares(shifts)
        return Seen(level, LEVEL_LIMIT, change, away, shares)

    def to_dict(self) -> dict[str, Any]:
        """Fit and state."""
        return _stored(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """What `to_dict` stored."""
        return cls(FixedFit(**_arrays(stored["fit"])), **_arrays(stored, but="fit"))


@dataclass(slots=True, eq=False)
class MovingCharts:
    """The slow level (p,) of channels that have none of their own, against all that came before."""

    fit: MovingFit
    slow: Rows

    @classmethod
    def begin(cls, fit: MovingFit, first: Rows) -> Self:
        """Before the first row of the prefix."""
        return cls(fit, first.copy())

    def settle(self, prefix: Rows) -> None:
        """Take the prefix in: its sums are in the fit already."""
        self.slow = ewma(prefix, SLOW, self.slow)[-1]

    def step(self, rows: Rows, judged: Flags) -> Seen:
        """Advance by rows; a missing value leaves its channel as it was."""
        known = np.isfinite(rows) & judged[:, None]
        slow = self._levels(rows, known)
        away = slow - self.fit.mean
        count, total, square = self._before(away, known)
        middle = total / count
        scatter = np.sqrt(np.maximum(square / count - middle**2, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.nan_to_num((away - middle) / scatter, posinf=0.0, neginf=0.0)
        z = np.where(known, z, 0.0)
        limit = float(-ndtri(MOVING_PROBABILITY / 2 / rows.shape[1]))
        level = np.abs(z).max(axis=1)
        return Seen(level, limit, level / limit, np.ones(level.size, dtype=bool), _shares(z**2))

    def _levels(self, rows: Rows, known: Flags) -> Rows:
        if known.all():
            slow = ewma(rows, SLOW, self.slow) if rows.shape[0] else rows
        else:
            slow = np.empty(rows.shape)
            level = self.slow
            for i, row in enumerate(rows):
                level = np.where(known[i], SLOW * np.where(known[i], row, 0.0) + (1 - SLOW) * level, level)
                slow[i] = level
        self.slow = slow[-1] if rows.shape[0] else self.slow
        return slow

    def _before(self, away: Rows, known: Flags) -> tuple[Rows, Rows, Rows]:
        """Count and sums of what each row finds before it; the state advances past the last one."""
        sums = []
        for name, added in (("count", known * 1.0), ("total", away * known), ("square", away**2 * known)):
            run = np.cumsum(np.vstack((getattr(self.fit, name)[None], added)), axis=0)
            sums.append(run)
        self.fit = MovingFit(self.fit.mean, *(run[-1] for run in sums))
        count, total, square = (run[:-1] for run in sums)
        return count, total, square

    def to_dict(self) -> dict[str, Any]:
        """Fit and state."""
        return _stored(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """What `to_dict` stored."""
        return cls(MovingFit(**_arrays(stored["fit"])), **_arrays(stored, but="fit"))


@dataclass(slots=True)
class Alarm:
    """Turns levels and changes into verdicts, row by row. The fields are its state."""

    on: bool = False
    above: int = 0
    waiting: int = 0
    changing: bool = False

    def step(self, seen: Seen, judged: Flags) -> tuple[Rows, Flags, Flags]:
        """Score (n,), NaN where not judged; alarm (n,); changepoint (n,)."""
        n = seen.level.size
        score, alarm, changepoint = np.full(n, np.nan), np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
        rows = zip(
            judged.tolist(), seen.level.tolist(), seen.change.tolist(), seen.away.tolist(), strict=True
        )
        for i, (valid, level, change, away) in enumerate(rows):
            if valid:
                changepoint[i] = self._changepoint(change)
                score[i] = self._advance(level / seen.limit, change if away else 0.0) * seen.limit
                alarm[i] = self.on
        return score, alarm, changepoint

    def _changepoint(self, change: float) -> bool:
        """Whether a change is seen in this row for the first time."""
        begins = change > 1 and not self.changing
        self.changing = begins or (self.changing and change > CHANGE_BACK)
        return begins

    def _advance(self, level: float, change: float) -> float:
        """The score of a row in units of its threshold; `on` is its alarm."""
        armed = self.on or self.waiting == 0
        score = max(level, change) if armed else level
        if self.on:
            self.on = level >= BACK or change > CHANGE_BACK
            self.waiting, self.above = (0 if self.on else REARM), 0
        else:
            self.waiting = max(self.waiting - 1, 0)
            self.above = self.above + 1 if level > 1 else 0
            self.on = self.above >= PERSISTENT or (armed and change > 1)
        return score

    def to_dict(self) -> dict[str, Any]:
        """The state."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """What `to_dict` stored."""
        return cls(**stored)


def _shares(parts: Rows) -> Rows:
    """Parts (n, p) of a distance as shares of their sum; what lowers the distance has none."""
    positive = np.maximum(parts, 0.0)
    total = positive.sum(axis=1, keepdims=True)
    shares: Rows = np.divide(positive, total, out=np.zeros_like(positive), where=total > 0)
    return shares


def _stored(charts: FixedCharts | MovingCharts) -> dict[str, Any]:
    state = {f.name: getattr(charts, f.name).tolist() for f in fields(charts) if f.name != "fit"}
    fit = {f.name: getattr(charts.fit, f.name) for f in fields(charts.fit)}
    return {"fit": {k: v if isinstance(v, float) else v.tolist() for k, v in fit.items()}, **state}


def _arrays(stored: Mapping[str, Any], but: str = "") -> dict[str, Any]:
    return {k: v if isinstance(v, float) else np.array(v) for k, v in stored.items() if k != but}
