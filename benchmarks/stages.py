"""What each stage of the extractor costs: a clock around its calls, in an extraction like any other."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple, ParamSpec, TypeVar

from models.features import Extractor

from .extraction import Batch, Variant, bare_fft, extract
from .rounds import Case, seconds

P = ParamSpec("P")
R = TypeVar("R")

SHARED: Final = "samples, window, FFT, powers"
"""What all stages stand on: it holds the one FFT of the block."""

AROUND: Final = "arguments, scales, table"
"""What is left of the whole call."""


class StageCost(NamedTuple):
    """Medians over the rounds; `times` is the ratio to the reference. `features` is how many it gives."""

    stage: str
    features: int
    us_per_window: float
    times: float


class Clock:
    """Adds up the seconds spent in functions, by name. A call costs it half a microsecond."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Counts what is done inside."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.spent[name] = self.spent.get(name, 0.0) + time.perf_counter() - start

    def around(self, name: str, function: Callable[P, R]) -> Callable[P, R]:
        """The function, counted."""

        def counted(*args: P.args, **kwargs: P.kwargs) -> R:
            with self.running(name):
                return function(*args, **kwargs)

        return counted


def by_stage(variant: Variant, data: Batch, rounds: int) -> list[StageCost]:
    """Cost of each stage of a variant, the largest first; they add up to the whole call."""
    clock = Clock()
    extractor = variant.extractor()
    given = _put_clocks(extractor, clock)
    x, scale = data.of(variant.input)
    whole = Case(lambda: extract(extractor, x, scale, variant.machine), len(x))
    reference = bare_fft(data)
    whole.run()
    reference.run()
    times: dict[str, list[float]] = {name: [] for name in given}
    ratios: dict[str, list[float]] = {name: [] for name in given}
    for _ in range(rounds):
        clock.spent.clear()
        before = seconds(reference)
        total = seconds(whole)
        beside = (before + seconds(reference)) / 2
        spent = {name: clock.spent.get(name, 0.0) / len(x) for name in given}
        spent[AROUND] = total - sum(spent.values())
        for name, own in spent.items():
            times[name].append(own)
            ratios[name].append(own / beside)
    costs = [
        StageCost(name, given[name], 1e6 * statistics.median(times[name]), statistics.median(ratios[name]))
        for name in given
    ]
    return sorted(costs, key=lambda cost: -cost.times)


def _put_clocks(extractor: Extractor, clock: Clock) -> dict[str, int]:
    """Puts clocks into an extractor; how many features each counted part gives."""
    wanted = set(extractor.names)
    given = {SHARED: 0}
    _count(extractor, "_chunk", SHARED, clock)
    for stage in extractor._stages:
        name = _in_words(type(stage).__name__)
        given[name] = len(wanted.intersection(stage.names))
        for method in ("begin", "chunk", "finish"):
            _count(stage, method, name, clock)
    return given | {AROUND: 0}


def _count(owner: object, method: str, name: str, clock: Clock) -> None:
    setattr(owner, method, clock.around(name, getattr(owner, method)))


def _in_words(name: str) -> str:
    """BearingEnvelope as "bearing envelope"."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower()
