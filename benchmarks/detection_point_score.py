"""Point-wise figures and figures of events, over any number of runs. Nothing is adjusted: a row is a row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]


class Counts(NamedTuple):
    """Rows by what was said and what was true, pooled over runs."""

    hits: int
    false: int
    missed: int
    quiet: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 0 to 1."""
        wrong = self.false + self.missed
        return 2 * self.hits / (2 * self.hits + wrong) if self.hits + wrong else 0.0

    @property
    def false_rate(self) -> float:
        """Percent of the normal rows that were alarmed."""
        return 100 * self.false / max(self.false + self.quiet, 1)

    @property
    def missed_rate(self) -> float:
        """Percent of the anomalous rows that were not alarmed."""
        return 100 * self.missed / max(self.missed + self.hits, 1)

    @property
    def share(self) -> float:
        """Share of all rows that were alarmed, 0 to 1."""
        return (self.hits + self.false) / max(sum(self), 1)


def count(alarm: Flags, truth: Flags) -> Counts:
    """The rows of all runs, one after the other."""
    return Counts(
        int(np.count_nonzero(alarm & truth)),
        int(np.count_nonzero(alarm & ~truth)),
        int(np.count_nonzero(~alarm & truth)),
        int(np.count_nonzero(~alarm & ~truth)),
    )


def at_random(truth: Flags, share: float) -> Counts:
    """What is to be expected of one that alarms each row with the probability `share`."""
    anomalous = int(np.count_nonzero(truth))
    normal = truth.size - anomalous
    hits, false = round(share * anomalous), round(share * normal)
    return Counts(hits, false, anomalous - hits, normal - false)


class Events(NamedTuple):
    """Episodes of a run or of many.

    `delays_s` are those of the episodes found, `normal_s` is the time outside of any.
    """

    true: int
    delays_s: tuple[float, ...]
    false: int
    normal_s: float

    @property
    def found(self) -> int:
        """How many of the true episodes had an alarm."""
        return len(self.delays_s)

    @property
    def median_delay_s(self) -> float | None:
        """From the beginning of an episode to its first alarmed row; None where none was found."""
        return float(np.median(self.delays_s)) if self.delays_s else None

    @property
    def false_per_hour(self) -> float:
        """Alarms that touch no true episode, per hour of normal time."""
        return 3600 * self.false / max(self.normal_s, 1e-9)


def episodes(flags: Flags) -> list[tuple[int, int]]:
    """First and last row, both inside, of each run of True."""
    padded = np.concatenate(([0], flags.view(np.int8), [0]))
    edges = np.flatnonzero(np.diff(padded))
    return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]


def events(times_s: npt.NDArray[np.float64], alarm: Flags, truth: Flags) -> Events:
    """The episodes of one run. An alarm that stands already when an episode begins has no delay."""
    true = episodes(truth)
    delays = [
        float(times_s[first + int(np.argmax(alarm[first : last + 1]))] - times_s[first])
        for first, last in true
        if alarm[first : last + 1].any()
    ]
    false = sum(not truth[first : last + 1].any() for first, last in episodes(alarm))
    steps = np.diff(times_s, append=times_s[-1] + np.median(np.diff(times_s)))
    return Events(len(true), tuple(delays), false, float(steps[~truth].sum()))


def pooled(all_events: Sequence[Events]) -> Events:
    """The episodes of many runs as one."""
    return Events(
        sum(e.true for e in all_events),
        tuple(delay for e in all_events for delay in e.delays_s),
        sum(e.false for e in all_events),
        sum(e.normal_s for e in all_events),
    )


def pooled_rows(runs: Iterable[Flags]) -> Flags:
    """The rows of many runs, one after the other."""
    return np.concatenate(list(runs))
