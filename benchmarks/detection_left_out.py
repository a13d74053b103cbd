"""Regimes left out: healthy windows of some speeds or loads are learned, all of the others are judged.

Model, threshold and margin are those of `models.detection.calibration`; nothing that is judged was seen.
Every way to split the regimes is run (of many, a fixed sample), and told by how many were learned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt

from models.detection.calibration import RegimeModel
from models.features.catalogue import CATALOGUE

from .detection_protocol import Figure

HEALTHY: Final = "healthy"

FEW_OUT: Final = 2
"""Regimes left out of those there are, up to which goals hold: with more, most is extrapolation."""

GOALS: Final = (">= 0.99", "<= 1")
"""Of the hit rate and of false positives in %, over all regimes that were left out."""

MOST_SPLITS: Final = 60
"""Splits that are run of each number of learned regimes."""

DEGREES: Final = {spec.name: spec.degree for spec in CATALOGUE}

Rows = npt.NDArray[np.float64]
Windows = Mapping[tuple[str, float], Rows]
"""Rows (n, d) by fault and regime: a speed in r/min, a load in %."""

Scale = Callable[[float], float]
"""From a regime to its position for the model."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What was said of the regimes that were left out, by fault and regime: windows, and those alarmed."""

    learned: tuple[float, ...]
    counts: Mapping[tuple[str, float], tuple[int, int]]

    def rate(self, healthy: bool) -> float:
        """Share of the windows that were alarmed."""
        chosen = [n for (fault, _), n in self.counts.items() if (fault == HEALTHY) == healthy]
        return sum(hits for _, hits in chosen) / sum(windows for windows, _ in chosen)

    def rates(self, healthy: bool) -> list[float]:
        """The same of each fault and regime by itself."""
        return [hits / n for (fault, _), (n, hits) in self.counts.items() if (fault == HEALTHY) == healthy]


def splits(windows: Windows, learned: int, scale: Scale = float) -> list[Verdicts]:
    """Every choice of so many regimes to learn, the first ones in order of a fixed shuffle where many."""
    regimes = sorted({regime for fault, regime in windows if fault == HEALTHY})
    chosen = list(combinations(regimes, learned))
    if len(chosen) > MOST_SPLITS:
        order = np.random.default_rng(1).permutation(len(chosen))[:MOST_SPLITS]
        chosen = [chosen[i] for i in sorted(order)]
    return [_verdicts(windows, some, scale) for some in chosen]


def _verdicts(windows: Windows, learned: tuple[float, ...], scale: Scale) -> Verdicts:
    rows = [windows[HEALTHY, regime] for regime in learned]
    positions = np.repeat([scale(regime) for regime in learned], [len(part) for part in rows])
    model = RegimeModel.fit(np.concatenate(rows), positions)
    if not isinstance(model, RegimeModel):
        raise ValueError(f"regimes must have windows enough to learn from, got {[len(r) for r in rows]}")
    counts = {}
    for (fault, regime), part in windows.items():
        if regime not in learned:
            counts[fault, regime] = len(part), int((model.verdict(part, scale(regime)) == 1).sum())
    return Verdicts(learned, counts)


def figures(
    windows: Windows, *, least: int, what: str, worst: str | None = None, scale: Scale = float
) -> Iterator[Figure]:
    """One regime left out at a time, then more. Goals hold with one or two out, and at least `least` learned.

    `what` names regimes in the plural; `worst` is the goal in % of what one regime may alarm falsely.
    """
    count = len({regime for _, regime in windows})
    for learned in range(count - 1, 0, -1):
        runs = splits(windows, learned, scale)
        goals = (*GOALS, worst) if learned >= max(least, count - FEW_OUT) else (None, None, None)
        yield from _of(runs, f"{learned} of {count} {what} learned", goals)


def _of(runs: Sequence[Verdicts], told: str, goals: tuple[str | None, ...]) -> Iterator[Figure]:
    hits, false = (float(np.mean([run.rate(healthy) for run in runs])) for healthy in (False, True))
    least = min(min(run.rates(False)) for run in runs)
    worst = max(max(run.rates(True)) for run in runs)
    windows, alarms = (sum(n[i] for run in runs for n in run.counts.values()) for i in (0, 1))
    share = alarms / windows
    note = f"{len(runs)} splits; the worst of any fault in any regime {least:.3f}; {_each(runs)}"
    yield Figure(f"{told}: hit rate", hits, "", goals[0], "", 1.0, share, note)
    yield Figure(f"{told}: false positives", 100 * false, "%", goals[1], "", 100.0, 100 * share)
    name = f"{told}: the same, worst regime"
    yield Figure(name, 100 * worst, "%", goals[2], "", 100.0, 100 * share)


def _each(runs: Sequence[Verdicts]) -> str:
    """What each regime got when it was left out: hits and false alarms of its windows, over all splits."""
    told = []
    for regime in sorted({regime for run in runs for _, regime in run.counts}):
        of = {healthy: np.zeros(2, dtype=int) for healthy in (False, True)}
        for run in runs:
            for (fault, where), counts in run.counts.items():
                if where == regime:
                    of[fault == HEALTHY] += counts
        hits, false = (f"{alarms} of {windows}" for windows, alarms in (of[False], of[True]))
        told.append(f"{regime:g}: {hits} found, {false} false")
    return "; ".join(told)


def blocks(samples: npt.NDArray[np.generic], length: int) -> npt.NDArray[np.generic]:
    """A record (n,) as windows (k, length) side by side; the rest is dropped."""
    count = math.floor(samples.size / length)
    return samples[: count * length].reshape(count, length)
