"""Timing in turns: every case stands between two runs of the reference, and its ratio is to those two."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

Job = Callable[[], object]


class Case(NamedTuple):
    """Something to time: `run` does `windows` windows a call."""

    run: Job
    windows: int


class Timing(NamedTuple):
    """Of one case: the median time of a window, and its ratio to the reference in each round."""

    us_per_window: float
    ratios: tuple[float, ...]

    @property
    def times(self) -> float:
        """Median over the rounds of the ratio to the reference, both per window."""
        return statistics.median(self.ratios)

    @property
    def quartiles(self) -> tuple[float, float]:
        """Of the ratios: how far the machine let them stray."""
        if len(self.ratios) == 1:
            return self.times, self.times
        low, _, high = statistics.quantiles(self.ratios, n=4)
        return low, high

    def over(self, other: Timing) -> float:
        """Median over the rounds of this case's time over that of another of the same rounds."""
        return statistics.median(a / b for a, b in zip(self.ratios, other.ratios, strict=True))


def measure(reference: Case, cases: Mapping[str, Case], rounds: int) -> tuple[float, dict[str, Timing]]:
    """Times the cases in turns; (µs of a window of the reference, timing of each case).

    A machine that is slowed by others slows case and reference alike, so the median of the ratios of the
    rounds holds where the times themselves do not. All run once before, so that caches are warm, tables made
    and passes compiled.
    """
    reference.run()
    for case in cases.values():
        case.run()
    references: list[float] = []
    times: dict[str, list[float]] = {key: [] for key in cases}
    ratios: dict[str, list[float]] = {key: [] for key in cases}
    for _ in range(rounds):
        before = seconds(reference)
        for key, case in cases.items():
            own = seconds(case)
            after = seconds(reference)
            times[key].append(own)
            ratios[key].append(2 * own / (before + after))
            references.append(after)
            before = after
    return _microseconds(references), {
        key: Timing(_microseconds(times[key]), tuple(ratios[key])) for key in cases
    }


def seconds(case: Case) -> float:
    """Seconds that one window of the case took, now."""
    start = time.perf_counter()
    case.run()
    return (time.perf_counter() - start) / case.windows


def _microseconds(times: Sequence[float]) -> float:
    return 1e6 * statistics.median(times)
