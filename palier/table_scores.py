"""A table judged by a monitor that is fitted on its first rows: what `palier score` tells of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.detection.table_monitor import TableMonitor, TableScores
from models.detection.table_monitor_fit import MIN_ROWS
from models.types import Refusal

from .tables import Table

CHUNK: Final = 10_000
"""Rows that are judged at once: some milliseconds, so that a bar moves."""

DEFAULT_SHARE: Final = 0.15
"""Share of a table that is learnt from where nobody says how much."""

LEADING: Final = 0.1
"""A channel is named in an alert from this share of the score on, and the first in any case."""


class Alert(NamedTuple):
    """Rows `first` to `last` of the table, both inside, that stood in alarm; `channels` by their share."""

    first: int
    last: int
    score: float
    channels: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class ScoredTable:
    """The verdicts of the rows from `fit_rows` on; `scores` has n - fit_rows rows."""

    table: Table
    fit_rows: int
    monitor: TableMonitor
    scores: TableScores
    alerts: tuple[Alert, ...]

    @property
    def changepoints(self) -> tuple[int, ...]:
        """Rows of the table in which a change was seen."""
        return tuple(int(i) + self.fit_rows for i in np.flatnonzero(self.scores.changepoint))


def default_fit_rows(n_rows: int) -> int:
    """How many rows to learn from where nobody says it."""
    return max(round(DEFAULT_SHARE * n_rows), MIN_ROWS)


def score_table(
    table: Table, fit_rows: int, tell: Callable[[int], None] = lambda _: None
) -> ScoredTable | Refusal:
    """Learn from the first `fit_rows` rows, judge the others; `tell` is given rows as they are judged."""
    monitor = TableMonitor.fit(table.rows[:fit_rows], table.channels)
    if isinstance(monitor, Refusal):
        return monitor
    chunks = []
    for first in range(fit_rows, max(len(table), fit_rows + 1), CHUNK):
        rows = table.rows[first : first + CHUNK]
        chunks.append(monitor.step(rows))
        tell(rows.shape[0])
    scores = _joined(chunks)
    return ScoredTable(table, fit_rows, monitor, scores, _alerts(scores, fit_rows, table.channels))


def _joined(chunks: list[TableScores]) -> TableScores:
    return TableScores(
        np.concatenate([c.score for c in chunks]),
        np.concatenate([c.threshold for c in chunks]),
        np.concatenate([c.alarm for c in chunks]),
        np.concatenate([c.changepoint for c in chunks]),
        np.concatenate([c.contributions for c in chunks]),
    )


def _alerts(scores: TableScores, offset: int, channels: tuple[str, ...]) -> tuple[Alert, ...]:
    """Alarms as episodes; rows that were not judged between two of them do not end one."""
    judged = np.flatnonzero(scores.judged)
    flags = np.concatenate(([0], scores.alarm[judged].view(np.int8), [0]))
    edges = np.flatnonzero(np.diff(flags)).reshape(-1, 2)
    return tuple(_alert(scores, judged[a:b], offset, channels) for a, b in edges)


def _alert(scores: TableScores, rows: npt.NDArray[np.intp], offset: int, channels: tuple[str, ...]) -> Alert:
    shares = scores.contributions[rows].mean(axis=0)
    order = np.argsort(-shares, kind="stable")
    leading = [int(i) for k, i in enumerate(order) if k == 0 or shares[i] >= LEADING]
    return Alert(
        int(rows[0]) + offset,
        int(rows[-1]) + offset,
        float(scores.score[rows].max()),
        tuple((channels[i], float(shares[i])) for i in leading),
    )
