"""Detectors: what learns a machine's good health from residuals, and says how strange a block is.

A detector sees *residuals* `x` (m, c): ln(feature), less what speed and load explain, over its spread in good
health (`models.detection.Baseline`); NaN where a feature is not known. So it need not scale, nor know what a
load does, and one of a kind of machine fits every machine of it. What its scores must exceed is calibrated
outside (`threshold`).

Rules for every detector (`conformance` checks them):
1. `fit` gives a new one and leaves itself as it was; the same data and seed give the same one.
2. `score` gives one float64 a row, higher for what is stranger; NaN for a row that can't be told (by default
   one with fewer than half of the columns), never for one that is complete, and never an infinite one.
3. What it is given is never changed.
4. `to_parts` is everything it knows, as arrays of numbers and, of the allow-list of `bundle_skops`,
   scikit-learn estimators; what `from_parts` makes of it gives the same scores.
5. `step` with rows in chunks of any size gives what `score` gives of all.

A detector of somebody else's is an entry point of the group `palier.detectors`: a callable that takes a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Final, Protocol, Self

import numpy as np
import numpy.typing as npt

from models.detection.charts import OUTLIER
from models.detection.context import Context
from models.detection.multivariate import Multivariate
from models.detection.plain import from_arrays, to_arrays
from models.features.gate import DoubleArray
from models.types import Refusal

Memory = Mapping[str, npt.NDArray[Any]]
"""What a detector remembers between blocks: arrays of numbers by name."""

NOTHING: Final[Memory] = MappingProxyType({})

LEAST_KNOWN: Final = 0.5
"""Share of the columns that a row must have; those it has not count as expected."""

TOO_ALIKE: Final = Refusal("nothing_to_learn", "check_sensor")


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """All that a detector knows: `arrays` of numbers by name, `estimators` of scikit-learn by name."""

    arrays: Mapping[str, npt.NDArray[Any]]
    estimators: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


class Detector(Protocol):
    """See the top of the file. `context` tells time, speed and load of the rows."""

    name: ClassVar[str]

    def fit(self, x: DoubleArray, context: Context) -> Self | Refusal:
        """A fitted one, of rows (m, c) in good health in order of time; a Refusal where they do not do."""
        ...

    def score(self, x: DoubleArray, context: Context) -> DoubleArray:
        """How strange each row is (m,), NaN where it can't be told."""
        ...

    def start(self) -> Memory:
        """What it remembers before any block."""
        ...

    def step(self, memory: Memory, x: DoubleArray, context: Context) -> tuple[Memory, DoubleArray]:
        """What it remembers after some rows more, and their scores; `memory` stays as it was."""
        ...

    def to_parts(self) -> Stored:
        """All that it knows."""
        ...

    @classmethod
    def from_parts(cls, stored: Stored) -> Self:
        """What `to_parts` took apart. Raises ValueError for anything else."""
        ...


Factory = Callable[[int], Detector]
"""Makes a detector that is not fitted, from a seed."""


class Memoryless:
    """For detectors that judge each row by itself."""

    def score(self, x: DoubleArray, context: Context) -> DoubleArray:
        """How strange each row is (m,)."""
        raise NotImplementedError

    def start(self) -> Memory:
        """Nothing."""
        return NOTHING

    def step(self, memory: Memory, x: DoubleArray, context: Context) -> tuple[Memory, DoubleArray]:
        """Each row by itself."""
        return memory, self.score(x, context)


def filled(x: DoubleArray) -> tuple[DoubleArray, npt.NDArray[np.bool_]]:
    """Rows (k, c) without a NaN, what is not known being as expected, and which (m,) of all they are."""
    known = np.isfinite(x)
    enough = known.sum(axis=1) >= max(1.0, LEAST_KNOWN * x.shape[1])
    return np.where(known, x, 0.0)[enough], np.asarray(enough)


def spread_out(of_some: npt.ArrayLike, which: npt.NDArray[np.bool_]) -> DoubleArray:
    """Scores (m,) of which `of_some` (k,) are known, NaN elsewhere."""
    found = np.full(len(which), np.nan)
    found[which] = of_some
    return found


@dataclass(frozen=True, slots=True, eq=False)
class BaselineDetector(Memoryless):
    """T² and SPE of the machine's own baseline, the worse of both (`models.detection.multivariate`)."""

    name: ClassVar[str] = "baseline"
    model: Multivariate | None = None

    def fit(self, x: DoubleArray, context: Context) -> BaselineDetector | Refusal:
        """Of two columns at least."""
        model = Multivariate.fit(x)
        return TOO_ALIKE if model is None else BaselineDetector(model)

    def score(self, x: DoubleArray, context: Context) -> DoubleArray:
        """In σ above what the healthy time had."""
        t2, spe = _fitted(self.model).scores(x)
        return np.asarray(np.maximum(t2, spe))

    def to_parts(self) -> Stored:
        """Arrays alone."""
        return Stored(to_arrays(_fitted(self.model)))

    @classmethod
    def from_parts(cls, stored: Stored) -> BaselineDetector:
        """From arrays."""
        return cls(from_arrays(Multivariate, stored.arrays))


@dataclass(frozen=True, slots=True, eq=False)
class PcaDetector(Memoryless):
    """Principal components of healthy residuals: the distance within their plane, and that from it (Jackson &
    Mudholkar, Technometrics 21 (1979) 341-349), each by what it is in good health, the larger of both.

    `centre` (c,), `directions` (c, k) with their `variances` (k,), as many as hold nine tenths of the
    variance; `rest` the mean variance of what is left.
    """

    name: ClassVar[str] = "pca"
    centre: DoubleArray | None = None
    directions: DoubleArray | None = None
    variances: DoubleArray | None = None
    rest: float = 1.0
    EXPLAINED: ClassVar[float] = 0.9
    LEAST: ClassVar[float] = 0.01  # of a variance: columns that repeat each other need not stay so

    def fit(self, x: DoubleArray, context: Context) -> PcaDetector | Refusal:
        """Of two columns, and of more rows than columns."""
        rows, _ = filled(x)
        if rows.shape[1] < 2 or len(rows) <= rows.shape[1]:
            return TOO_ALIKE
        tame = np.clip(rows, -OUTLIER, OUTLIER)
        centre = np.median(tame, axis=0)
        variances, directions = np.linalg.eigh(np.cov(tame - centre, rowvar=False))
        variances = np.maximum(variances[::-1], self.LEAST)
        share = np.cumsum(variances) / float(variances.sum())
        k = min(int(np.searchsorted(share, self.EXPLAINED)) + 1, len(variances) - 1)
        plane = np.ascontiguousarray(directions[:, ::-1][:, :k])
        return PcaDetector(centre, plane, variances[:k], float(variances[k:].mean()))

    def score(self, x: DoubleArray, context: Context) -> DoubleArray:
        """Root mean square in σ: 1 in the midst of what was learned."""
        rows, enough = filled(x)
        off, plane = rows - _fitted(self.centre), _fitted(self.directions)
        within = (off @ plane) ** 2
        beyond = np.maximum(np.einsum("ij,ij->i", off, off) - within.sum(axis=1), 0.0)
        c, k = plane.shape
        far = np.maximum((within / _fitted(self.variances)).sum(axis=1) / k, beyond / ((c - k) * self.rest))
        return spread_out(np.sqrt(far), enough)

    def to_parts(self) -> Stored:
        """Arrays alone."""
        names = ("centre", "directions", "variances")
        return Stored({**{n: _fitted(getattr(self, n)) for n in names}, "rest": np.asarray(self.rest)})

    @classmethod
    def from_parts(cls, stored: Stored) -> PcaDetector:
        """From arrays."""
        centre, directions, variances, rest = (
            _array(stored, name) for name in ("centre", "directions", "variances", "rest")
        )
        return cls(centre, directions, variances, float(rest))


@dataclass(frozen=True, slots=True, eq=False)
class IsolationForestDetector(Memoryless):
    """How few random cuts set a row apart (Liu, Ting & Zhou, ICDM 2008): scikit-learn's forest."""

    name: ClassVar[str] = "isolation-forest"
    seed: int = 0
    forest: Any = None
    TREES: ClassVar[int] = 100
    OF_A_TREE: ClassVar[int] = 256  # as published: more rows hide what is strange among what is not

    def fit(self, x: DoubleArray, context: Context) -> IsolationForestDetector | Refusal:
        """Of any rows."""
        from sklearn.ensemble import IsolationForest  # an extra: 100 MB and a second to import

        rows, _ = filled(x)
        if not len(rows):
            return TOO_ALIKE
        forest = IsolationForest(
            n_estimators=self.TREES, max_samples=min(self.OF_A_TREE, len(rows)), random_state=self.seed
        )
        return IsolationForestDetector(self.seed, forest.fit(rows))

    def score(self, x: DoubleArray, context: Context) -> DoubleArray:
        """0 to 1: 0.5 for what is as any other."""
        rows, enough = filled(x)
        return spread_out(-_fitted(self.forest).score_samples(rows) if len(rows) else [], enough)

    def to_parts(self) -> Stored:
        """The forest."""
        return Stored({"seed": np.asarray(self.seed)}, {"forest": _fitted(self.forest)})

    @classmethod
    def from_parts(cls, stored: Stored) -> IsolationForestDetector:
        """From the forest."""
        return cls(int(_array(stored, "seed")), _estimator(stored, "forest"))


@dataclass(frozen=True, slots=True, eq=False)
class OneClassSvmDetector(Memoryless):
    """How far a row is from the support of healthy ones (Schölkopf et al., Neural Computation 13 (2001)
    1443-1471): scikit-learn's one-class SVM with a Gaussian kernel, scored as √-ln of the kernel's sum, which
    goes on growing where the decision function has long come to rest.
    """

    name: ClassVar[str] = "one-class-svm"
    seed: int = 0
    machine: Any = None
    NU: ClassVar[float] = 0.02  # of the healthy rows that may lie outside
    MOST_ROWS: ClassVar[int] = 2000  # its cost goes with their square; evenly spaced over the time

    def fit(self, x: DoubleArray, context: Context) -> OneClassSvmDetector | Refusal:
        """Of any rows."""
        from sklearn.svm import OneClassSVM

        rows, _ = filled(x)
        if not len(rows):
            return TOO_ALIKE
        some = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), self.MOST_ROWS)).astype(int))
        machine = OneClassSVM(nu=self.NU, gamma=1.0 / (2 * rows.shape[1]))
        return OneClassSvmDetector(self.seed, machine.fit(np.clip(rows[some], -OUTLIER, OUTLIER)))

    def score(self, x: DoubleArray, context: Context) -> DoubleArray:
        """0 in the midst of what was learned."""
        rows, enough = filled(x)
        if not len(rows):
            return spread_out([], enough)
        machine = _fitted(self.machine)
        share = machine.score_samples(rows) / float(machine.dual_coef_.sum())
        return spread_out(np.sqrt(-np.log(np.clip(share, np.finfo(np.float64).tiny, 1.0))), enough)

    def to_parts(self) -> Stored:
        """The machine."""
        return Stored({"seed": np.asarray(self.seed)}, {"machine": _fitted(self.machine)})

    @classmethod
    def from_parts(cls, stored: Stored) -> OneClassSvmDetector:
        """From the machine."""
        return cls(int(_array(stored, "seed")), _estimator(stored, "machine"))


def isolation_forest(seed: int) -> IsolationForestDetector:
    """The entry point `isolation-forest`."""
    return IsolationForestDetector(seed)


def one_class_svm(seed: int) -> OneClassSvmDetector:
    """The entry point `one-class-svm`."""
    return OneClassSvmDetector(seed)


def pca(_seed: int) -> PcaDetector:
    """The entry point `pca`."""
    return PcaDetector()


def baseline(_seed: int) -> BaselineDetector:
    """The entry point `baseline`."""
    return BaselineDetector()


BUILT_IN: Final[Mapping[str, Factory]] = MappingProxyType(
    {
        "isolation-forest": isolation_forest,
        "one-class-svm": one_class_svm,
        "pca": pca,
        "baseline": baseline,
    }
)
"""The detectors that come with Palier."""


def _fitted(what: Any) -> Any:
    if what is None:
        raise ValueError("this detector is not fitted: call fit, and take what it gives")
    return what


def _array(stored: Stored, name: str) -> npt.NDArray[Any]:
    if name not in stored.arrays:
        raise ValueError(f"the array {name} is missing: this was stored by another detector, or version")
    return np.asarray(stored.arrays[name])


def _estimator(stored: Stored, name: str) -> Any:
    if name not in stored.estimators:
        raise ValueError(f"the estimator {name} is missing: this was stored by another detector, or version")
    return stored.estimators[name]
