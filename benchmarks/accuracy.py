"""How far the extractor is from a plain float64 computation of the same definitions, feature by feature."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

from models.features.catalogue import CATALOGUE

from .extraction import LONG, SHORT, Variant, extract
from .subjects import FS_HZ, MOTOR, ORDERS, SLOW_SPINDLE, SPINDLE, Machine, kinds

RANGE: Final = 1e-5
"""100 dB: what lies farther below the level of the whole window is below the noise of any accelerometer, and
of the rounding of its samples to float32. It is compared with that level."""

_SUPPORT: Final = Path(__file__).resolve().parents[1] / "tests" / "support"

_LEVELS: Final = {
    "m/s²": "acceleration_rms_m_s2",
    "mm/s": "velocity_rms_mm_s",
    "µm": "displacement_rms_um",
}
_UNITS: Final = {spec.name: spec.unit for spec in CATALOGUE}

MACHINES: Final = {SHORT: (SPINDLE, SLOW_SPINDLE, MOTOR), LONG: (MOTOR,)}

EQUAL: Final = 1e-3
"""Relative error up to which both are the same: far below what any trend or limit can tell apart."""


Oracle = Callable[..., dict[str, float]]


class Deviation(NamedTuple):
    """The worst window of one feature: `error` is relative, None where one is NaN and the other is not."""

    feature: str
    compiled: bool
    error: float | None
    kind: str
    n_samples: int
    expected: float | None
    got: float | None

    @property
    def rank(self) -> float:
        """For sorting: a NaN against a number is worse than any error."""
        return math.inf if self.error is None else self.error


def find_oracle() -> Oracle | None:
    """The plain computation, which comes with the tests and not with the package: None outside a checkout.

    It is found beside this package: TSFEL installs a package `tests` of its own, which gives way meanwhile.
    """
    if not (_SUPPORT / "naive.py").is_file():
        return None
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "tests"}
    for name in before:
        del sys.modules[name]
    try:
        for name, folder in (("tests", _SUPPORT.parent), ("tests.support", _SUPPORT)):
            package = ModuleType(name)
            package.__path__ = [str(folder)]
            sys.modules[name] = package
        oracle: Oracle = import_module("tests.support.naive").features
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
            del sys.modules[name]
        sys.modules.update(before)
    return oracle


def deviations(oracle: Oracle, lengths: Sequence[int], passes: Iterable[bool]) -> list[Deviation]:
    """The worst of each feature over all kinds of windows, for each kind of passes; the worst first."""
    worst: dict[tuple[str, bool], Deviation] = {}
    tried = tuple(passes)
    for n_samples in lengths:
        for machine in MACHINES[n_samples]:
            for found in _compare(oracle, n_samples, machine, tried):
                key = found.feature, found.compiled
                if key not in worst or found.rank > worst[key].rank:
                    worst[key] = found
    return sorted(worst.values(), key=lambda found: -found.rank)


def _compare(oracle: Oracle, n_samples: int, machine: Machine, passes: Sequence[bool]) -> Iterator[Deviation]:
    extractors = {
        compiled: Variant("catalogue", n_samples, "float32", compiled, machine).extractor()
        for compiled in passes
    }
    for kind, (x, scale) in kinds(n_samples, machine).items():
        expected = oracle(
            x[0], FS_HZ, scale=scale, speed_hz=machine.speed_hz, orders=ORDERS, kinematics=machine.kinematics
        )
        for compiled, extractor in extractors.items():
            table = extract(extractor, x, scale, machine)
            for name, got in zip(extractor.names, table[0].tolist(), strict=True):
                if name in expected:
                    least = _least(name, n_samples, expected)
                    error = _error(expected[name], got, least)
                    yield Deviation(
                        name, compiled, error, kind, n_samples, _known(expected[name]), _known(got)
                    )


def _least(name: str, n_samples: int, expected: Mapping[str, float]) -> float:
    """What an error is compared with at least.

    Mean and skewness are 0 for a symmetric signal, where a relative error means nothing: they are compared
    with the standard error that gaussian noise of that length has in them. Levels are compared with what lies
    100 dB below that of the whole window, scores with one bit.
    """
    if name == "mean_m_s2":
        return expected["acceleration_rms_m_s2"] / math.sqrt(n_samples)
    if name == "skewness":
        return math.sqrt(6 / n_samples)
    if _UNITS[name] == "bit":
        return 1.0
    return RANGE * expected[_LEVELS[_UNITS[name]]] if _UNITS[name] in _LEVELS else 0.0


def _error(expected: float, got: float, least: float) -> float | None:
    if math.isnan(expected) and math.isnan(got):
        return 0.0
    if math.isnan(expected) or math.isnan(got):
        return None
    if expected == got:
        return 0.0
    against = max(abs(expected), least)
    return abs(got - expected) / against if against else 1.0


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
