"""Detectors keep the rules, and those that do not are told which."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest

from models.detection.context import Context
from models.features.gate import DoubleArray
from models.training import conformance
from models.training.conformance import Nonconforming, Rule
from models.training.detectors import BUILT_IN, Factory, Memory, Memoryless, Stored, pca


@pytest.mark.parametrize("rule", conformance.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", ["baseline", "pca"])
def test_a_built_in_detector_keeps_every_rule(name: str, rule: Rule) -> None:
    assert rule(BUILT_IN[name]) == ""


@pytest.mark.long
@pytest.mark.parametrize("name", ["isolation-forest", "one-class-svm"])
def test_a_detector_of_scikit_learn_keeps_every_rule(name: str) -> None:
    conformance.check(BUILT_IN[name])


@dataclass
class Largest(Memoryless):
    """The smallest detector there is: the largest residual."""

    name: ClassVar[str] = "largest"
    known: int = 0

    def fit(self, x: DoubleArray, context: Context) -> Largest:
        return type(self)(x.shape[1])

    def score(self, x: DoubleArray, context: Context) -> DoubleArray:
        far = np.where(np.isnan(x), -1.0, np.abs(x)).max(axis=1, initial=-1.0)
        return np.where(far < 0, np.nan, far)

    def to_parts(self) -> Stored:
        return Stored({"known": np.asarray(self.known)})

    @classmethod
    def from_parts(cls, stored: Stored) -> Largest:
        return cls(int(stored.arrays["known"]))


@dataclass
class Slow(Largest):
    """One with a memory: the mean of the last scores, fading."""

    name: ClassVar[str] = "slow"

    def start(self) -> Memory:
        return {"mean": np.zeros(1)}

    def score(self, x: DoubleArray, context: Context) -> DoubleArray:
        return self.step(self.start(), x, context)[1]

    def step(self, memory: Memory, x: DoubleArray, context: Context) -> tuple[Memory, DoubleArray]:
        mean, found = float(memory["mean"][0]), np.full(len(x), np.nan)
        for k, value in enumerate(Largest.score(self, x, context)):
            if not np.isnan(value):
                mean = found[k] = 0.8 * mean + 0.2 * value
        return {"mean": np.array([mean])}, found


@pytest.mark.parametrize("made", [Largest, Slow])
def test_somebody_elses_detector_conforms(made: type[Largest]) -> None:
    conformance.check(lambda _seed: made())


class Zero(Largest):
    def score(self, x: DoubleArray, context: Context) -> DoubleArray:
        return np.nan_to_num(super().score(x, context))


class Single(Largest):
    def score(self, x: DoubleArray, context: Context) -> DoubleArray:
        return super().score(x, context).astype(np.float32)  # type: ignore[return-value]


class Writes(Largest):
    def score(self, x: DoubleArray, context: Context) -> DoubleArray:
        x[:] = np.nan_to_num(x)
        return np.abs(x).max(axis=1, initial=0.0)


class Draws(Largest):
    draw: ClassVar[np.random.Generator] = np.random.default_rng(0)

    def score(self, x: DoubleArray, context: Context) -> DoubleArray:
        return super().score(x, context) + self.draw.uniform()


@dataclass
class Same(Largest):
    mean: list[float] = field(default_factory=list)

    def fit(self, x: DoubleArray, context: Context) -> Same:
        self.mean.append(float(np.nanmean(x)))
        return self

    def score(self, x: DoubleArray, context: Context) -> DoubleArray:
        return super().score(x, context) + sum(self.mean)


class Upside(Largest):
    def score(self, x: DoubleArray, context: Context) -> DoubleArray:
        return -super().score(x, context)


class Forgets(Largest):
    @classmethod
    def from_parts(cls, stored: Stored) -> Forgets:
        raise KeyError("known")


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (Zero, "must score NaN, never a number"),
        (Single, "must give float64"),
        (Writes, "must not be changed"),
        (Draws, "the same data and seed"),
        (Same, "leave itself as it was"),
        (Upside, "higher is stranger"),
        (Forgets, "it must not raise, got KeyError"),
    ],
)
def test_what_breaks_a_rule_is_told_which(made: type[Largest], sentence: str) -> None:
    factory: Factory = lambda _seed: made()  # noqa: E731
    with pytest.raises(Nonconforming, match=sentence):
        conformance.check(factory)


def test_a_common_rise_is_as_strange_to_pca_as_a_single_one() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 6)) + rng.normal(size=(800, 1))
    context = Context(600.0 * np.arange(800.0))
    fitted = pca(0).fit(x, context)
    alone, together = np.zeros((2, 1, 6))
    alone[0, 2], together[:] = 8.0, 8.0
    one = Context([0.0])  # type: ignore[arg-type]
    usual = float(np.quantile(fitted.score(x, context), 0.999))  # type: ignore[union-attr]
    assert fitted.score(alone, one)[0] > usual  # type: ignore[union-attr]
    assert fitted.score(together, one)[0] > usual  # type: ignore[union-attr]
