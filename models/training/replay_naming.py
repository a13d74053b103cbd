"""What a classifier called the failures of the past, and what it called machines that had none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .dataset import HEALTHY, PointHistory
from .replay_truth import Failure, Truth

UNIDENTIFIED: Final = "unidentified"
"""What a classifier says of a fault that it was not made for."""

REFUSED: Final = ""
"""Of a block that it can't judge."""

Flags = npt.NDArray[np.bool_]
NameFaults = Callable[[PointHistory], npt.ArrayLike]
"""What a classifier calls each block (m,): a fault's key, HEALTHY, UNIDENTIFIED or REFUSED."""


class Called(StrEnum):
    """How a failure was named."""

    RIGHT = "right"
    WRONG = "wrong"
    UNIDENTIFIED = "unidentified"
    HEALTHY = "healthy"  # it saw nothing
    REFUSED = "refused"  # no block could be judged


@dataclass(frozen=True, slots=True)
class Named:
    """A failure, what most blocks of it were called, and how often each answer was given."""

    fault: str
    end_s: float
    called: Called
    answer: str
    answers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Naming:
    """What a classifier said of one machine: of its failures, and of `healthy` blocks outside of them, of
    which `false_names` were given a fault and `refused` no answer.
    """

    failures: tuple[Named, ...]
    healthy: int
    false_names: int
    refused: int

    def count(self, called: Called) -> int:
        """Failures that were named so."""
        return sum(one.called is called for one in self.failures)

    def told(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"counts": {str(called): self.count(called) for called in Called}}


def naming_of(answers: Sequence[tuple[PointHistory, npt.NDArray[Any], Flags]], truth: Truth) -> Naming:
    """From the answers (m,) of each point and which blocks (m,) count.

    A failure is named by most of the blocks in which it was known, of its own points: refused blocks do not
    vote. Raises ValueError for answers of another shape.
    """
    for history, said, _ in answers:
        if said.shape != (len(history),):
            raise ValueError(
                f"a classifier must give ({len(history)},) answers, one a block, got {said.shape}"
            )
    named = tuple(
        _named(one, answers) for one in truth.failures if any(_of(one, h)[c].any() for h, _, c in answers)
    )
    calm: Counter[str] = Counter()
    for history, said, counted in answers:
        apart = counted & history.context.running
        for failure in truth.failures:
            t = history.time_s
            apart &= ~((t >= failure.looked.start_s) & (t < failure.looked.end_s))
        calm.update(np.asarray(said[apart], dtype=np.str_).tolist())
    refused = calm.pop(REFUSED, 0)
    false = sum(n for answer, n in calm.items() if answer not in (HEALTHY, UNIDENTIFIED))
    return Naming(named, sum(calm.values()), false, refused)


def _of(failure: Failure, history: PointHistory) -> Flags:
    """Blocks (m,) of a failure at one of its points."""
    t, mine = history.time_s, history.point in failure.points
    known = (t >= failure.known.start_s) & (t < failure.known.end_s)
    return np.asarray(known & history.context.running & mine)


def _named(failure: Failure, answers: Sequence[tuple[PointHistory, npt.NDArray[Any], Flags]]) -> Named:
    votes: Counter[str] = Counter()
    for history, said, counted in answers:
        votes.update(np.asarray(said[_of(failure, history) & counted], dtype=np.str_).tolist())
    heard = {answer: n for answer, n in votes.items() if answer != REFUSED}
    answer = max(sorted(heard), key=lambda one: heard[one], default=REFUSED)
    return Named(failure.fault, failure.known.end_s, _called(answer, failure.fault), answer, dict(votes))


def _called(answer: str, fault: str) -> Called:
    if answer == fault:
        return Called.RIGHT
    known = {REFUSED: Called.REFUSED, UNIDENTIFIED: Called.UNIDENTIFIED, HEALTHY: Called.HEALTHY}
    return known.get(answer, Called.WRONG)
