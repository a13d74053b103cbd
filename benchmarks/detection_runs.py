"""Runs to failure: what the detector of the product says of them, and what alarms at random would.

Each run is judged by `models.detection.monitor` with its own constants: a baseline of the run's beginning,
then every test on what follows, block by block. An alarm is any level of the monitor; it stands until it is
calm for six blocks, so that none is shorter than that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.detection.baseline import Baseline
from models.detection.context import Context
from models.detection.measured import Blocks, Part
from models.detection.monitor import TESTS, Decision, Level, Monitor

SUSTAINED: Final = 6
"""Files in a row that make an alarm of a detector that keeps none standing."""

SEED: Final = 1
DRAWS: Final = 20
"""Random detectors that a figure is averaged over."""

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Life:
    """One bearing from new to its end: `times_s` of all blocks, and for those from `first` on its `level`.

    `why` says for each of these which tests are on.
    """

    name: str
    times_s: Numbers
    first: int
    level: npt.NDArray[np.int8]
    why: tuple[str, ...] = ()

    @property
    def alarm(self) -> Flags:
        """Whether anything is on, from `first` on."""
        return np.asarray(self.level > Level.NONE)

    def starts(self, alarm: Flags | None = None) -> npt.NDArray[np.intp]:
        """Rows of the life at which an alarm begins, by default the monitor's."""
        on = np.concatenate(([False], self.alarm if alarm is None else alarm))
        return np.flatnonzero(on[1:] & ~on[:-1]) + self.first

    def lead_s(self, alarm: Flags | None = None) -> float | None:
        """From the first alarm to the end; None without an alarm."""
        starts = self.starts(alarm)
        return float(self.times_s[-1] - self.times_s[starts[0]]) if starts.size else None

    def standing_s(self) -> float | None:
        """From the beginning of the alarm that stands at the end; None where none does."""
        return float(self.times_s[-1] - self.times_s[self.starts()[-1]]) if self.alarm[-1:].any() else None

    def share(self, row: int) -> float:
        """Which share of its life was over at a row: by blocks, since rigs stand still for days between."""
        return row / (self.times_s.size - 1)

    def early(self, before: float, alarm: Flags | None = None) -> int:
        """Alarms that begin before that share of its life."""
        return sum(self.share(int(row)) < before for row in self.starts(alarm))

    def always(self) -> Flags:
        """The alarm of a detector that always alarms."""
        return np.ones_like(self.alarm)

    def at_random(self, rng: np.random.Generator) -> Flags:
        """That of one whose single rows are on as often as ours, and that needs `SUSTAINED` in a row."""
        rows = rng.random(self.level.size) < self.alarm.mean()
        return np.asarray(np.convolve(rows, np.ones(SUSTAINED))[: rows.size] >= SUSTAINED)


def judge(baselines: Sequence[Baseline], blocks: Blocks) -> tuple[Decision, list[list[str]]]:
    """What the monitor says of parts with these baselines, and of each part at each time why.

    `blocks` (m, n) of n parts with the same columns.
    """
    monitor = Monitor(baselines[0].names, [Part(baseline=baseline) for baseline in baselines])
    decision = monitor.run(monitor.start(), blocks)[1]
    names = np.array(TESTS)
    said = [["+".join(names[row]) for row in decision.tests[:, part]] for part in range(len(baselines))]
    return decision, said


def learned_rows(features: Numbers, context: Context) -> int | None:
    """The least number of rows of which a baseline can be learned; None where all are too few."""
    if not Baseline.progress(features, context).enough(context.cycles):
        return None
    low, high = 0, len(features)
    while high - low > 1:
        middle = (low + high) // 2
        enough = Baseline.progress(features[:middle], _until(context, middle)).enough(context.cycles)
        low, high = (low, middle) if enough else (middle, high)
    return high


def random_leads_s(lives: Iterable[Life]) -> list[list[float]]:
    """Of each draw the lead of each life, 0 where a random detector never alarms."""
    rng = np.random.default_rng(SEED)
    kept = list(lives)
    return [[life.lead_s(life.at_random(rng)) or 0.0 for life in kept] for _ in range(DRAWS)]


def random_early(lives: Iterable[Life], before: float) -> list[list[int]]:
    """Of each draw the alarms of each life that begin before that share of it."""
    rng = np.random.default_rng(SEED)
    kept = list(lives)
    return [[life.early(before, life.at_random(rng)) for life in kept] for _ in range(DRAWS)]


def _until(context: Context, row: int) -> Context:
    return Context(
        time_s=context.time_s[:row],
        running=context.running[:row],
        interventions_s=context.interventions_s,
        cycles=context.cycles,
    )
