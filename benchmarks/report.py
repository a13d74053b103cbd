"""What `palier bench core` found, as values: what is printed and what programs read is made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from .accuracy import Deviation
from .machine import Machine
from .stages import StageCost

VERSION: Final = 1
"""Of the JSON: it rises when a key changes its meaning or goes."""


class Row(NamedTuple):
    """One timed case. `times_b` is the median ratio to B of the same length, `low` and `high` its quartiles.

    `speed_hz` is that of the shaft, None where the case takes none; `compiled` is None where the case is not
    ours. `not_given` are the features that were NaN everywhere.
    """

    key: str
    what: str
    n_samples: int
    speed_hz: float | None
    input: str
    compiled: bool | None
    windows: int
    us_per_window: float
    times_b: float
    low: float
    high: float
    not_given: tuple[str, ...]


class Stages(NamedTuple):
    """The whole catalogue of float32 windows of one length and speed of the shaft, taken apart."""

    n_samples: int
    speed_hz: float
    compiled: bool
    costs: tuple[StageCost, ...]


class Memory(NamedTuple):
    """Bytes that one batch added at most: as allocated, and as resident (None where nobody can tell)."""

    compiled: bool
    windows: int
    allocated: int
    resident: int | None


class Size(NamedTuple):
    """Cost of a window in a batch of `windows`, int16."""

    features: str
    windows: int
    us_per_window: float
    times_b: float


class Aim(NamedTuple):
    """What must be reached: the ratio of what is measured to what stands `beside` it is at most ("<=") or at
    least (">=") `goal`."""

    key: str
    what: str
    unit: str
    beside: str
    sense: str
    goal: float


class Goal(NamedTuple):
    """An aim with its `figure` and the `reference` of the same run, both in its unit.

    `met` is None where it was not measured, and `note` says why; where it was, `note` says of what.
    """

    aim: Aim
    figure: float | None
    reference: float | None
    ratio: float | None
    met: bool | None
    note: str = ""


@dataclass(frozen=True)
class Accuracy:
    """The worst window of each feature, the worst feature first; `why` where there is no oracle to ask.

    `not_compared` are the features that the oracle does not have.
    """

    deviations: tuple[Deviation, ...]
    not_compared: tuple[str, ...] = ()
    why: str = ""

    def worst(self, *, compiled: bool) -> Deviation | None:
        """The worst with one kind of passes."""
        return next((found for found in self.deviations if found.compiled is compiled), None)


@dataclass(frozen=True)
class Report:
    """All of it. `bare_fft` is µs of a window of B by length, `speed_up` that of two threads by features."""

    machine: Machine
    quick: bool
    rounds: int
    bare_fft: dict[int, float]
    timings: tuple[Row, ...]
    stages: tuple[Stages, ...]
    speed_up: dict[str, float]
    memory: tuple[Memory, ...]
    sizes: tuple[Size, ...]
    accuracy: Accuracy
    missing: tuple[str, ...]
    goals: tuple[Goal, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """For programs; the keys are stable within a `version`."""
        return {
            "bench": "core",
            "version": VERSION,
            "machine": {**vars(self.machine), "busy": self.machine.busy},
            "quick": self.quick,
            "rounds": self.rounds,
            "goals": [flat(goal) for goal in self.goals],
            "bare_fft": [{"n_samples": n, "us_per_window": us} for n, us in self.bare_fft.items()],
            "timings": [row._asdict() for row in self.timings],
            "stages": [
                {**stages._asdict(), "costs": [cost._asdict() for cost in stages.costs]}
                for stages in self.stages
            ],
            "two_threads": [{"key": key, "speed_up": value} for key, value in self.speed_up.items()],
            "memory": [memory._asdict() for memory in self.memory],
            "sizes": [size._asdict() for size in self.sizes],
            "accuracy": {
                "why": self.accuracy.why,
                "not_compared": list(self.accuracy.not_compared),
                "features": [found._asdict() for found in self.accuracy.deviations],
            },
            "missing": list(self.missing),
        }

    def timing(self, key: str) -> Row | None:
        """The dearest of the timed cases whose key begins so: of all speeds. None where none was timed."""
        rows = (row for row in self.timings if row.key.startswith(key))
        return max(rows, key=lambda row: row.times_b, default=None)


def flat(goal: Goal) -> dict[str, Any]:
    """A goal and its aim as one dict."""
    found = goal._asdict()
    return {**found.pop("aim")._asdict(), **found}
