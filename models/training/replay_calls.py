"""Alerts of a machine's points, and what they are the word of: what calls of a replay are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from .replay_report import Fate


@dataclass(frozen=True, slots=True)
class Episode:
    """One alert of a point, and the failures that it is a word of; `here`: one of them is of the period."""

    point: str
    raised_s: float
    ended_s: float | None
    cause: str
    fate: Fate
    failures: tuple[int, ...]
    here: bool


@dataclass(frozen=True, slots=True)
class Words:
    """When a model `first` told of each failure, and of which it told in what was trained on: nobody knows
    what it would have said otherwise.
    """

    first: Mapping[int, float]
    of_trained: frozenset[int]


def words_of(episodes: Sequence[Episode]) -> Words:
    """When each failure was first told of, by all points of a machine."""
    first: dict[int, float] = {}
    for one in sorted(episodes, key=lambda e: -e.raised_s):
        if one.fate is Fate.DETECTION:
            first |= dict.fromkeys(one.failures, one.raised_s)
    of_trained = frozenset(i for one in episodes if one.fate is Fate.TRAINED for i in one.failures)
    return Words(first, of_trained)


BY_WEIGHT: Final = (
    Fate.DETECTION, Fate.REPEAT, Fate.ANSWERED, Fate.OPEN, Fate.CONTESTED, Fate.TRAINED, Fate.FALSE,
)  # fmt: skip
"""Of a call of several points: what was right about any of them was worth the way."""


def overlapping(episodes: Sequence[Episode]) -> list[list[Episode]]:
    """Episodes of a machine in groups that overlap, in order of time."""
    found: list[list[Episode]] = []
    until = -np.inf
    for one in sorted(episodes, key=lambda e: (e.raised_s, e.point)):
        if not found or until < one.raised_s:
            found.append([])
        found[-1].append(one)
        until = max(until, np.inf if one.ended_s is None else one.ended_s)
    return found
