"""What a model would have said of points over their past: a level after each block, by the watch's rules.

Baselines are judged by the monitor itself, all points at once (each goes by its own blocks, so rows need not
be of one time); scores of a detector by the same persistence (`threshold.standing`), and never as more than
a watch. Temperatures are not part of a history: alarms of heat are no
model's merit and are left out of both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from models.detection.decision import TESTS, Basis, Decision, Level
from models.detection.measured import Blocks, Part
from models.detection.monitor import Monitor
from models.detection.regimes import Regime
from models.features.gate import DoubleArray

from .dataset import PointHistory
from .threshold import standing

Codes = npt.NDArray[np.int8]
Place = tuple[str, str, str]
"""(site, machine, point)."""

_ROWS: Final = 2048
"""Blocks of all points that are judged at once: a decision of 36 columns takes 600 bytes, and is let go."""


class Became(IntEnum):
    """What a model made of a block."""

    JUDGED = 0
    AT_REST = 1  # stopped, or on its way
    UNSEEN = 2  # the values are known, and the model has no answer: a regime or a case it was not made for
    NO_VALUES = 3  # the sensor was not to be believed, or absent


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What was said of one point: at `time_s` (m,) the `level` (m,) that stood then, and what `became` (m,)
    of the block. `causes` says, by row, what made the level rise there: "test: column, ..." or a score.
    """

    place: Place
    time_s: DoubleArray
    level: Codes
    became: Codes
    causes: Mapping[int, str] = field(default_factory=dict)


Score = Callable[[PointHistory], tuple[npt.ArrayLike, float]]
"""Scores (m,) of the blocks, the higher the stranger, NaN where one can't be scored; and their threshold."""


def courses_of_parts(jobs: Sequence[tuple[PointHistory, Part]]) -> list[Course]:
    """The course of each history as the monitor would have judged it by its part, in their order.

    Raises ValueError where a baseline is of columns that a history has not, or of causes it does not tell.
    """
    found: dict[int, Course] = {}
    groups: dict[tuple[str, ...], list[int]] = {}
    for i, (history, part) in enumerate(jobs):
        names = (history.watched or history.names) if part.baseline is None else part.baseline.names
        groups.setdefault(tuple(names), []).append(i)
    for names, members in groups.items():
        some = [(jobs[i][0].columns(names), jobs[i][1]) for i in members]
        found.update(zip(members, _together(names, some), strict=True))
    return [found[i] for i in range(len(jobs))]


def course_of_scores(history: PointHistory, score: Score) -> Course:
    """The course of a point by a detector's scores. Raises ValueError for scores of another shape."""
    found, threshold = score(history)
    scores = np.asarray(found, dtype=np.float64)
    if scores.shape != (len(history),):
        raise ValueError(f"a detector must give ({len(history)},) scores, one a block, got {scores.shape}")
    running = history.context.running
    scores = np.where(running & np.isfinite(scores), scores, np.nan)
    on = standing(scores, threshold, history.time_s)
    level = np.where(on, np.int8(Level.WATCH), np.int8(Level.NONE))
    rises = np.flatnonzero(np.diff(on.astype(np.int8), prepend=0) > 0)
    return Course(
        history.place,
        history.time_s,
        level,
        _became(history, ~np.isnan(scores), running),
        {int(i): f"score {scores[i]:.3g} > {threshold:.3g}" for i in rises},
    )


def _became(history: PointHistory, answered: npt.NDArray[np.bool_], running: npt.NDArray[np.bool_]) -> Codes:
    known = ~np.isnan(history.x).all(axis=1)
    lacking = np.where(known, np.int8(Became.UNSEEN), np.int8(Became.NO_VALUES))
    at_rest = np.where(known & ~running, np.int8(Became.AT_REST), lacking)
    return np.where(answered, np.int8(Became.JUDGED), at_rest)


def _together(names: tuple[str, ...], some: Sequence[tuple[PointHistory, Part]]) -> list[Course]:
    """Histories of the same columns: row i of the stretch is the i-th block of each."""
    histories = [history for history, _ in some]
    monitor = Monitor(names, [part for _, part in some])
    longest = max(len(history) for history in histories)
    said = [np.zeros((longest, len(some)), dtype=np.int8) for _ in range(4)]
    causes: list[dict[int, str]] = [{} for _ in some]
    state = monitor.start()
    for first in range(0, longest, _ROWS):
        last = min(longest, first + _ROWS)
        state, decision = monitor.run(state, _blocks(histories, first, last))
        for kept, new in zip(said, _codes(decision), strict=True):
            kept[first:last] = new
        for row, part in np.argwhere(decision.raised).tolist():
            causes[part][first + row] = _cause(decision, row, part, names)
    level, basis, regime, advanced = said
    found = []
    for i, history in enumerate(histories):
        m = len(history)
        running = regime[:m, i] == int(Regime.RUNNING)
        answered = running & (basis[:m, i] != int(Basis.NONE)) & (advanced[:m, i] != 0)
        if some[i][1].baseline is not None:  # the standard alone is no answer of a baseline
            answered &= basis[:m, i] == int(Basis.BASELINE)
        became = _became(history, answered, running)
        found.append(Course(history.place, history.time_s, level[:m, i], became, causes[i]))
    return found


def _codes(decision: Decision) -> tuple[npt.NDArray[np.generic], ...]:
    return decision.level, decision.basis, decision.regime, decision.advanced


def _cause(decision: Decision, row: int, part: int, names: tuple[str, ...]) -> str:
    """What made the level rise: the gravest test that is on, and up to three columns."""
    at = int(np.argmax(decision.tests[row, part]))
    columns = decision.columns[row, part]
    on = [names[int(i)] for i in np.flatnonzero(columns[at])] if at < len(columns) else []
    return f"{TESTS[at]}: {', '.join(on[:3])}" if on else TESTS[at]


def _blocks(histories: Sequence[PointHistory], first: int, last: int) -> Blocks:
    """Rows `first` to `last` of each history, NaN behind its end."""
    q = max(history.context.others.shape[1] for history in histories)
    c, n, m = len(histories[0].names), len(histories), last - first
    time_s, speed, load = (np.full((m, n), np.nan) for _ in range(3))
    x, others = np.full((m, n, c), np.nan), np.full((m, n, q), np.nan)
    for i, history in enumerate(histories):
        rows = slice(first, min(last, len(history)))
        k = max(0, rows.stop - first)
        context = history.context
        time_s[:k, i], speed[:k, i] = context.time_s[rows], context.speed_hz[rows]
        load[:k, i], x[:k, i] = context.load[rows], history.x[rows]
        others[:k, i, : context.others.shape[1]] = context.others[rows]
    return Blocks(time_s, x, speed, load, others=others if q else ())
