"""What a classifier of faults is taught: how the features of a machine changed, and what people said of it.

A machine is compared with itself: ln(feature) less ln(its level in good health), of several channels of a
point the one that rose most. So machines of other sizes, and with channels of other names, fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt

from models.detection.measured import feature_of
from models.features.catalogue import NAMES
from models.features.gate import DoubleArray

from .dataset import HEALTHY, Label, PointHistory
from .gathering import learnable, medians

RECENT: Final = 5
"""Blocks whose median is looked at: as many as a diagnosis looks at."""

LEAST_RECENT: Final = 3
"""Of them that must be known: one block alone is stranger than what the limits were made of."""

EXAMPLES: Final = 4
"""Of one machine and fault at most: more of them are the same machine again."""

BEFORE_S: Final = 3 * 86_400.0
"""Before a label says that a fault is there nobody knows how long it has been: these days are not healthy."""

AFTER_S: Final = 86_400.0
"""After a label's end the machine settles, as after an intervention."""

_NO_LEVEL: Final = frozenset(
    {"mean_m_s2", "skewness", "clipped_fraction", "longest_hold", "spikes", "ski_slope", "ski_ratio"}
)
"""Offsets, signed numbers and doubts of the sensor: they have no ratio to a level."""

_NO_LEVEL_ENDS: Final = ("_band_hz", "_harmonics")
_NO_LEVEL_STARTS: Final = ("cepstrum_",)

RATIOS: Final = tuple(
    name
    for name in NAMES
    if name not in _NO_LEVEL and not name.endswith(_NO_LEVEL_ENDS) and not name.startswith(_NO_LEVEL_STARTS)
)
"""Features that have a level in good health, which they can be compared with."""

_FROM_ONE: Final = frozenset(name for name in RATIOS if name.endswith("_bits"))
"""Scores that are 0 where there is nothing: 1 is added before the logarithm."""

_RANK: Final = {"truth": 2, "work_order": 1}
"""Who is believed: what was found when the machine was opened, before a verdict from outside."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two labels of one point that overlap, say two things, and are to be believed alike."""

    place: tuple[str, str, str]
    first: Label
    second: Label

    @property
    def start_s(self) -> float:
        """When both begin to hold."""
        return max(self.first.start_s, self.second.start_s)

    @property
    def end_s(self) -> float:
        """When one ends."""
        return min(self.first.end_s, self.second.end_s)


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Rows `x` (n, d) of log ratios of `RATIOS`, the fault of each (`HEALTHY` too), and the machine it is
    of."""

    x: DoubleArray
    faults: npt.NDArray[np.str_]
    machines: npt.NDArray[np.str_]

    def rows(self, which: npt.NDArray[np.bool_]) -> Examples:
        """Some of them."""
        return Examples(self.x[which], self.faults[which], self.machines[which])


def contradictions(history: PointHistory) -> tuple[Contradiction, ...]:
    """Labels that can't both be true, the earliest first."""
    pairs = combinations(sorted(history.labels, key=lambda one: one.start_s), 2)
    return tuple(
        Contradiction(history.place, a, b)
        for a, b in pairs
        if a.fault != b.fault and _rank(a) == _rank(b) and max(a.start_s, b.start_s) < min(a.end_s, b.end_s)
    )


def ranked(history: PointHistory) -> PointHistory:
    """Its labels in the order in which they are believed: the last wins."""
    return replace(history, labels=tuple(sorted(history.labels, key=_rank)))


def healthy_rows(history: PointHistory) -> npt.NDArray[np.bool_]:
    """Blocks (m,) in good health as far as anybody knows: calm, running, and labelled so, or not labelled and
    not next to a fault that is.
    """
    told = ranked(history).faults()
    context = history.context
    calm = learnable(context.time_s, context.running, context.in_alarm, context.interventions_s)
    for label in history.labels:
        if label.fault != HEALTHY:
            near = (context.time_s >= label.start_s - BEFORE_S) & (context.time_s < label.end_s + AFTER_S)
            calm &= ~near
    return np.asarray(((told == "") & calm) | ((told == HEALTHY) & context.running))


def levels_of(history: PointHistory) -> DoubleArray:
    """Medians (c,) of its columns in good health, NaN where nothing is known."""
    return medians(history.x[healthy_rows(history)])


def ratios(history: PointHistory, levels: DoubleArray) -> DoubleArray:
    """Log ratios (m, d) of `RATIOS` to their `levels` (c,), of several channels the highest; NaN: unknown."""
    if np.shape(levels) != (len(history.names),):
        raise ValueError(f"levels must be {len(history.names)}, one a column, got shape {np.shape(levels)}")
    found = np.full((len(history), len(RATIOS)), np.nan)
    place = {name: j for j, name in enumerate(RATIOS)}
    for i, name in enumerate(history.names):
        j = place.get(feature_of(name))
        if j is None:
            continue
        more = 1.0 if RATIOS[j] in _FROM_ONE else 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.log((history.x[:, i] + more) / (levels[i] + more))
        found[:, j] = np.fmax(found[:, j], np.where(np.isfinite(ratio), ratio, np.nan))
    return found


def lately(rows: DoubleArray) -> DoubleArray:
    """Medians (m, d) of each row and of those before it, `RECENT` in all; NaN where fewer than `LEAST_RECENT`
    are known."""
    padded = np.concatenate((np.full((RECENT - 1, rows.shape[1]), np.nan), rows))
    windows = np.lib.stride_tricks.sliding_window_view(padded, RECENT, axis=0)
    enough = np.isfinite(windows).sum(axis=-1) >= LEAST_RECENT
    return np.where(enough, medians(np.moveaxis(windows, -1, 0)), np.nan)


def examples_of(histories: Iterable[PointHistory]) -> Examples:
    """Up to `EXAMPLES` of each machine in good health and under each of its faults."""
    x, faults, machines = [np.empty((0, len(RATIOS)))], [], []
    for history in histories:
        told = ranked(history).faults()
        healthy = healthy_rows(history)
        if not healthy.any():
            continue
        rows = ratios(history, levels_of(history))
        names = [name for name in np.unique(told).tolist() if name not in ("", HEALTHY)]
        kinds = [(HEALTHY, healthy), *((n, (told == n) & history.context.running) for n in names)]
        for name, which in kinds:
            if which.any():
                some = _stretches(rows[which])
                x.append(some)
                faults += [name] * len(some)
                machines += [f"{history.site}/{history.machine}"] * len(some)
    return Examples(np.concatenate(x), np.array(faults, dtype=np.str_), np.array(machines, dtype=np.str_))


def _stretches(rows: DoubleArray) -> DoubleArray:
    """Medians (k, d) of `RECENT` blocks each, spread over all of them, the last among them."""
    ends = np.unique(np.linspace(min(RECENT, len(rows)), len(rows), EXAMPLES).astype(int))
    apart = [end for k, end in enumerate(ends) if k == len(ends) - 1 or ends[-1] - end >= RECENT]
    return np.array([medians(rows[max(0, end - RECENT) : end]) for end in apart])


def _rank(label: Label) -> int:
    return _RANK.get(label.source, 0)


def names_of(kept: Sequence[int]) -> tuple[str, ...]:
    """The names of some of `RATIOS`."""
    return tuple(RATIOS[int(j)] for j in kept)
