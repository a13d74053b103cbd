"""What the feature core must reach, each figure beside a reference of the same run."""

from __future__ import annotations

from typing import Final, NamedTuple

from .accuracy import EQUAL
from .extraction import SHORT
from .report import Aim, Goal, Report

MEGABYTE: Final = 1e6

LEVEL: Final = 1.3
"""Dearest over cheapest window of all sizes of batches. A call costs something before its first window, which
a hundred windows share, and the table of the largest batch fits no cache; more than that would be growth."""

AIMS: Final = (
    Aim("core", "core set, 4,096 samples, numpy", "µs", "bare FFT", "<=", 4.0),
    Aim("core_compiled", "core set, 4,096 samples, compiled", "µs", "bare FFT", "<=", 3.0),
    Aim("loop", "core set, numpy, against a scipy loop", "µs", "plain scipy loop", ">=", 50.0),
    Aim("tsfel", "core set, numpy, against TSFEL", "µs", "TSFEL, all of it", ">=", 1000.0),
    Aim("catalogue_4096", "whole catalogue, 4,096 samples, numpy", "µs", "bare FFT", "<=", 16.0),
    Aim("catalogue_102400", "whole catalogue, 102,400 samples, numpy", "µs", "bare FFT", "<=", 16.0),
    Aim("accuracy", "worst relative error, numpy", "", "float64 oracle", "<=", EQUAL),
    Aim("accuracy_compiled", "worst relative error, compiled", "", "float64 oracle", "<=", EQUAL),
    Aim("memory", "memory that 2,048 windows add", "MB", "", "<=", 200.0),
    Aim("constant_core", "core set, dearest batch size", "µs", "cheapest size", "<=", LEVEL),
    Aim("constant_catalogue", "whole catalogue, dearest batch size", "µs", "cheapest size", "<=", LEVEL),
    Aim("two_threads", "core set, numpy, two threads", "µs", "one thread", ">=", 1.7),
)

NOT_COMPILED: Final = "numba is not installed: pip install '.[fast]'"


class Found(NamedTuple):
    """A figure and its reference. A `ratio` of None is no number that could meet any goal."""

    figure: float | None
    reference: float | None
    ratio: float | None
    note: str = ""


def goals(report: Report) -> tuple[Goal, ...]:
    """Every goal: met, or not, or not measured and why."""
    found: dict[str, Found | str] = {
        "core": _beside_fft(report, "core_4096_float32_numpy"),
        "core_compiled": _beside_fft(report, "core_4096_float32_compiled"),
        "loop": _faster(report, "scipy_loop"),
        "tsfel": _faster(report, "tsfel"),
        "catalogue_4096": _beside_fft(report, "catalogue_4096_float32_numpy"),
        "catalogue_102400": _beside_fft(report, "catalogue_102400_float32_numpy"),
        "accuracy": _accuracy(report, compiled=False),
        "accuracy_compiled": _accuracy(report, compiled=True),
        "memory": _memory(report),
        "constant_core": _constant(report, "core"),
        "constant_catalogue": _constant(report, "catalogue"),
        "two_threads": _threads(report),
    }
    return tuple(judge(aim, found[aim.key]) for aim in AIMS)


def judge(aim: Aim, found: Found | str) -> Goal:
    """Whether what was found reaches its aim; a text says why nothing was measured."""
    if isinstance(found, str):
        return Goal(aim, None, None, None, None, found)
    if found.ratio is None:
        met = False
    else:
        met = found.ratio <= aim.goal if aim.sense == "<=" else found.ratio >= aim.goal
    return Goal(aim, found.figure, found.reference, found.ratio, met, found.note)


def _beside_fft(report: Report, key: str) -> Found | str:
    row = report.timing(key)
    if row is None:
        return NOT_COMPILED
    note = f"shaft at {row.speed_hz:g} Hz" if row.speed_hz else ""
    return Found(row.us_per_window, report.bare_fft[row.n_samples], row.times_b, note)


def _faster(report: Report, peer: str) -> Found | str:
    """How many times as fast the core set is."""
    core, other = report.timing("core_4096_float32_numpy"), report.timing(peer)
    if core is None or other is None:
        return f"{peer} is not installed"
    return Found(core.us_per_window, other.us_per_window, other.times_b / core.times_b)


def _accuracy(report: Report, *, compiled: bool) -> Found | str:
    worst = report.accuracy.worst(compiled=compiled)
    if worst is None:
        return report.accuracy.why or NOT_COMPILED
    note = f"{worst.feature}, {worst.kind}, {worst.n_samples:,} samples"
    return Found(worst.got, worst.expected, worst.error, note)


def _memory(report: Report) -> Found:
    most = max(max(used.allocated, used.resident or 0) for used in report.memory) / MEGABYTE
    own = max(used.windows for used in report.memory) * SHORT * 4 / MEGABYTE
    return Found(most, None, most, f"the windows themselves are {own:.0f} MB of float32")


def _constant(report: Report, features: str) -> Found:
    sizes = [size for size in report.sizes if size.features == features]
    dearest, cheapest = (pick(sizes, key=lambda size: size.times_b) for pick in (max, min))
    ratio = dearest.times_b / cheapest.times_b
    note = f"batches of {dearest.windows:,} and of {cheapest.windows:,} windows"
    return Found(dearest.us_per_window, cheapest.us_per_window, ratio, note)


def _threads(report: Report) -> Found | str:
    one = report.timing("core_4096_float32_numpy")
    if report.machine.cores < 2 or one is None:
        return "this process has one core"
    speed_up = report.speed_up[one.key]
    return Found(one.us_per_window / speed_up, one.us_per_window, speed_up)
