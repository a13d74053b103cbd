"""`palier bench core`, measured: the features beside a bare FFT, a textbook loop, their peers, an oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final, NamedTuple

from models.features import CORE
from models.features.catalogue import NAMES

from . import accuracy, extraction, machine, memory, peers, stages, threads
from .extraction import LONG, SHORT, Batch, Variant
from .goals import goals
from .report import Accuracy, Memory, Report, Row, Size, Stages
from .rounds import Case, Timing, measure
from .scipy_loop import ScipyLoop
from .subjects import FS_HZ, ORDERS, SLOW_SPINDLE, SPINDLE

Tell = Callable[[str], None]

MEMORY_WINDOWS: Final = 2048
LOOPED: Final = 32
"""Windows that the loop is given: its cost does not depend on how many there are."""

FEWEST_TIMED: Final = 1000
"""Small batches are repeated to as many windows as this, so that the clock sees them."""

_TWO: Final = "two_threads_"
_PEERS: Final = {peer.key: peer.what for peer in peers.PEERS}


class Plan(NamedTuple):
    """How much is measured. `windows` by length; `sizes` of batches; `lengths` that the oracle judges."""

    rounds: int
    size_rounds: int
    windows: Mapping[int, int]
    sizes: tuple[int, ...]
    lengths: tuple[int, ...]


FULL: Final = Plan(15, 3, {SHORT: 2048, LONG: 96}, (100, 1000, 10_000, 100_000), (SHORT, LONG))
QUICK: Final = Plan(2, 1, {SHORT: 256, LONG: 4}, (100, 1000), (SHORT,))


class _Length(NamedTuple):
    """What was timed with windows of one length."""

    bare_fft: float
    rows: list[Row]
    speed_up: dict[str, float]
    stages: list[Stages]
    missing: list[str]


def bench_core(plan: Plan, *, quick: bool, tell: Tell) -> Report:
    """Measures all of it; `tell` is called with what is being measured."""
    here = machine.look()
    passes = (False, True) if extraction.compiled_here() else (False,)
    tell(f"memory that {MEMORY_WINDOWS:,} windows add")
    used = tuple(_memory(compiled) for compiled in passes)  # first: later the process holds what it needs
    timed = {n: _length(n, plan, passes, tell) for n in (SHORT, LONG)}
    tell(f"batches of {plan.sizes[0]:,} to {plan.sizes[-1]:,} windows")
    sizes = tuple(size for features in extraction.SETS for size in _sizes(features, plan))
    tell("accuracy, beside the float64 oracle")
    report = Report(
        machine=here,
        quick=quick,
        rounds=plan.rounds,
        bare_fft={n: length.bare_fft for n, length in timed.items()},
        timings=tuple(row for length in timed.values() for row in length.rows),
        stages=tuple(stages for length in timed.values() for stages in length.stages),
        speed_up={key: value for length in timed.values() for key, value in length.speed_up.items()},
        memory=used,
        sizes=sizes,
        accuracy=_accuracy(plan, passes),
        missing=tuple(package for length in timed.values() for package in length.missing),
    )
    return replace(report, goals=goals(report))


def _length(n_samples: int, plan: Plan, passes: tuple[bool, ...], tell: Tell) -> _Length:
    """Times all variants of one length, and at the shorter one what they are compared with."""
    data = extraction.batch(plan.windows[n_samples], n_samples)
    variants = [
        Variant(features, n_samples, kind, compiled, known)
        for features in extraction.SETS
        for known in extraction.MACHINES[n_samples, features]
        for kind in ("float32", "int16")
        for compiled in passes
    ]
    others, missing = _others(data) if n_samples == SHORT else ({}, [])
    with ThreadPoolExecutor(threads.THREADS) as pool:
        both = {
            _TWO + variant.key: threads.case(variant, data, pool)
            for variant in variants
            if variant.features == "core" and variant.input == "float32" and n_samples == SHORT
        }
        tell(f"{len(variants) + len(others) + len(both)} cases with windows of {n_samples:,} samples")
        ours = {variant.key: extraction.case(variant, data) for variant in variants}
        bare, timed = measure(extraction.bare_fft(data), {**ours, **both, **others}, plan.rounds)
    rows = [_ours(variant, data, timed[variant.key]) for variant in variants]
    rows += [_other(key, case, timed[key]) for key, case in others.items()]
    tell(f"stages with windows of {n_samples:,} samples")
    apart = [
        _stages(Variant("catalogue", n_samples, "float32", compiled, known), data, plan.rounds)
        for known in extraction.MACHINES[n_samples, "catalogue"]
        for compiled in passes
    ]
    return _Length(bare, rows, _speed_up(timed), apart, missing)


def _others(data: Batch) -> tuple[dict[str, Case], list[str]]:
    """The loop and the peers, and which of these are missing."""
    found, missing = peers.cases(data.float32)
    return {"scipy_loop": _loop(data), **found}, missing


def _loop(data: Batch) -> Case:
    loop = ScipyLoop(FS_HZ, SHORT)
    x = data.float32[:LOOPED]
    return Case(lambda: loop.table(x, 1.0, SLOW_SPINDLE.speed_hz, ORDERS), len(x))


def _ours(variant: Variant, data: Batch, timing: Timing) -> Row:
    what = "the core set" if variant.features == "core" else "the whole catalogue"
    return Row(
        variant.key,
        what,
        variant.n_samples,
        variant.machine.speed_hz,
        variant.input,
        variant.compiled,
        len(data.float32),
        timing.us_per_window,
        timing.times,
        *timing.quartiles,
        tuple(extraction.not_given(variant, data)),
    )


def _other(key: str, case: Case, timing: Timing) -> Row:
    what = _PEERS.get(key, f"scipy, one window at a time, the same {len(CORE)} features")
    kind, speed_hz = ("float32", None) if key in _PEERS else ("float64", SLOW_SPINDLE.speed_hz)
    cost = timing.us_per_window, timing.times, *timing.quartiles
    return Row(key, what, SHORT, speed_hz, kind, None, case.windows, *cost, ())


def _speed_up(timed: Mapping[str, Timing]) -> dict[str, float]:
    """By the key of the case that one thread did."""
    both = {key.removeprefix(_TWO): timing for key, timing in timed.items() if key.startswith(_TWO)}
    return {key: timed[key].over(timing) for key, timing in both.items()}


def _stages(variant: Variant, data: Batch, rounds: int) -> Stages:
    costs = tuple(stages.by_stage(variant, data, rounds))
    return Stages(variant.n_samples, variant.machine.speed_hz, variant.compiled, costs)


def _memory(compiled: bool) -> Memory:
    """Of the whole catalogue and its extractor, with the table it gives; the samples were there before."""
    variant = Variant("catalogue", SHORT, "float32", compiled, SPINDLE)
    data = extraction.batch(MEMORY_WINDOWS, SHORT)

    def run() -> object:
        return extraction.extract(variant.extractor(), data.float32, 1.0, variant.machine)

    extraction.extract(variant.extractor(), data.float32[:64], 1.0, variant.machine)  # compiles, imports
    resident = memory.resident_added(
        run
    )  # first: what is freed stays with the process, and hides a second run
    return Memory(compiled, MEMORY_WINDOWS, memory.peak_added(run), resident)


def _sizes(features: str, plan: Plan) -> list[Size]:
    """Cost of a window in small and large batches of one long record."""
    known = extraction.MACHINES[SHORT, features][0]
    variant = Variant(features, SHORT, "int16", compiled=False, machine=known)
    data = extraction.batch(plan.windows[SHORT], SHORT)
    cases = {str(windows): _sized(variant, data, windows) for windows in plan.sizes}
    _, timed = measure(extraction.bare_fft(data), cases, plan.size_rounds)
    return [
        Size(features, windows, timed[str(windows)].us_per_window, timed[str(windows)].times)
        for windows in plan.sizes
    ]


def _sized(variant: Variant, data: Batch, windows: int) -> Case:
    view = memory.sliding(data.float32, windows)
    extractor = variant.extractor()
    repeats = max(1, FEWEST_TIMED // windows)
    _, scale = data.of("int16")

    def run() -> None:
        for _ in range(repeats):
            extraction.extract(extractor, view, scale, variant.machine)

    return Case(run, repeats * windows)


def _accuracy(plan: Plan, passes: tuple[bool, ...]) -> Accuracy:
    oracle = accuracy.find_oracle()
    if oracle is None:
        return Accuracy((), why="the float64 oracle comes with the tests: run it in a checkout")
    found = tuple(accuracy.deviations(oracle, plan.lengths, passes))
    compared = {deviation.feature for deviation in found}
    return Accuracy(found, tuple(name for name in NAMES if name not in compared))
