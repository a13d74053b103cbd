"""Names the fault of a machine from how its features changed, or says that it does not know it.

Rules:
1. A class is a point among log ratios (`examples`): the median of its machines. Its covariance is in part
   its own (`OWN_SHARE`), else that within all classes, shrunk (Ledoit-Wolf): regularised discriminants, of
   which a dozen machines a fault are enough (J. H. Friedman, J. Am. Stat. Assoc. 84 (1989) 165-175). Were
   all classes as wide as the widest, a fault that was never taught would lie within one that is narrow. A
   row is as far from a class as the root mean square of its whitened deviations.
2. The nearest class is named if the row is no further from it than `MARGIN` times the furthest of that
   class's own machines, each measured by a model that has not seen it (`splits.by_machine`). Else the row is
   *unidentified*: like nothing that was taught.
3. Good health is a class like any other. Examples of a fault that are still like good health teach nothing
   and are left out; so is a fault with fewer than `LEAST_MACHINES`.

Everything that is measured of it is of machines held out, and, for what it never saw, of a fault held out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.detection.bands import Z_OLD
from models.detection.multivariate import ledoit_wolf
from models.diagnosis.types import Fault
from models.features.gate import DoubleArray
from models.features.huber import MAD_TO_SIGMA

from .dataset import HEALTHY, PointHistory
from .examples import RATIOS, Examples, lately, levels_of, names_of, ratios
from .gathering import medians
from .selection import select
from .splits import Fold, by_machine

UNIDENTIFIED: Final = Fault.UNIDENTIFIED.value

MARGIN: Final = 1.2
"""Of the furthest of a class's machines that were left out. Measured with a dozen machines a fault: 1.1 names
two machines in a hundred fewer, 1.3 takes three unseen faults in a hundred more for one that was taught."""

LEAST_MACHINES: Final = 4
"""Of a fault: three to learn it from, while one is left out."""

FOLDS: Final = 6
"""In which machines are left out: five sixths of them are nearly all."""

LEAST_OFF: Final = 0.05
"""Least spread of a log ratio in good health: no sensor repeats better than 5 %."""

OWN_SHARE: Final = 0.3
"""Of a class's covariance that is its own, the rest is that of all. Of 0, 0.3, 0.5 and 0.8 on six draws of
pumps: with 0 cavitation and lubrication that nobody taught are taken for each other, from 0.5 on unbalance
for misalignment."""

STRANGEST: Final = 5
"""Features by which it is told whether an example is unlike good health: some faults have no more of them."""

LEAST_SIGMA: Final = 0.03
"""Added to the spread within classes: no feature repeats closer in other machines."""

LEAST_KNOWN: Final = 0.5
"""Share of the features that a row must have; by the others no class is further off."""

GOLDEN_ROWS: Final = 32


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """What a classifier names in blocks (m,): `label` a fault, "none" (good health), "unidentified" (strange,
    and like nothing it was taught), or "" (too little is known); `confidence` 0 to 1: how much nearer than
    the next class, or how far beyond the limit of the nearest; `leading` the feature that moved most.
    """

    label: npt.NDArray[np.str_]
    confidence: DoubleArray
    leading: npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class FaultClassifier:
    """`classes` (k,) with `means` (k, d) of the log ratios of `features` (d,), `white` (k, d, d) whitening
    each class, `spread` (d,) of the features within classes, `limits` (k,) how far a row may be; `golden_x`
    (g, d) rows whose distances `golden` (g, k) are known.
    """

    features: tuple[str, ...]
    classes: tuple[str, ...]
    means: DoubleArray
    white: DoubleArray
    spread: DoubleArray
    limits: DoubleArray
    golden_x: DoubleArray
    golden: DoubleArray

    def classify(self, history: PointHistory, levels: DoubleArray | None = None) -> Named:
        """What it names in a history's blocks, each with the four before it; `levels` (c,) of its columns in
        good health, by default the medians of the history's own healthy blocks.
        """
        known = levels_of(history) if levels is None else np.asarray(levels, dtype=np.float64)
        some = [RATIOS.index(name) for name in self.features]
        rows = np.where(history.context.running[:, None], ratios(history, known)[:, some], np.nan)
        return self.named(lately(rows))

    def named(self, rows: DoubleArray) -> Named:
        """What it names in rows (m, d) of log ratios of its features, NaN where unknown."""
        away = self.distances(rows)
        order = np.argsort(np.nan_to_num(away, nan=np.inf), axis=1)
        at = np.arange(len(rows))
        nearest, limit = away[at, order[:, 0]], self.limits[order[:, 0]]
        second = away[at, order[:, 1]] if away.shape[1] > 1 else np.full(len(rows), np.inf)
        label = np.where(nearest <= limit, np.asarray(self.classes)[order[:, 0]], UNIDENTIFIED)
        told = ~np.isnan(nearest)
        with np.errstate(invalid="ignore", divide="ignore"):
            sure = np.where(nearest <= limit, second / nearest - 1, nearest / limit - 1)
        moved = np.abs(rows) / self.spread
        far = np.argmax(np.nan_to_num(moved, nan=-1.0), axis=1)
        return Named(
            np.where(told, label, ""),
            np.where(told, np.clip(sure, 0.0, 1.0), np.nan),
            np.where(told, np.asarray(self.features)[far], ""),
        )

    def distances(self, rows: DoubleArray) -> DoubleArray:
        """How far rows (m, d) are from each class (m, k); NaN where fewer than half of the features are
        known."""
        known = np.isfinite(rows)
        share = known.mean(axis=1)
        found = np.empty((len(rows), len(self.classes)))
        for k, (mean, white) in enumerate(zip(self.means, self.white, strict=True)):
            off = np.where(known, rows - mean, 0.0) @ white
            found[:, k] = np.sqrt(np.einsum("ij,ij->i", off, off) / np.maximum(known.sum(axis=1), 1))
        return np.where(share[:, None] >= LEAST_KNOWN, found, np.nan)

    def golden_answer(self) -> DoubleArray:
        """The distances of its golden rows."""
        return self.distances(self.golden_x)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """By name."""
        return {f"classifier.{name}": np.asarray(getattr(self, name)) for name in FaultClassifier.__slots__}

    @classmethod
    def of(cls, told: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> FaultClassifier:
        """What `to_arrays` took apart. Raises ValueError where one is missing."""
        found: dict[str, Any] = {}
        for name in cls.__slots__:
            if f"classifier.{name}" not in arrays:
                raise ValueError(f"the array classifier.{name} is missing")
            found[name] = arrays[f"classifier.{name}"]
        found |= {name: tuple(found[name].tolist()) for name in ("features", "classes")}
        if list(found["classes"]) != list(told["classes"]):
            raise ValueError("the classes of the manifest are not those of the arrays")
        made = cls(**found)
        made._check()
        return made

    def _check(self) -> None:
        """Raises ValueError for what could not name anything."""
        k, d = len(self.classes), len(self.features)
        unknown = sorted(set(self.features) - set(RATIOS))
        if unknown:
            raise ValueError(f"it goes by features that are not measured here: {', '.join(unknown)}")
        for name, shape in (("means", (k, d)), ("white", (k, d, d)), ("spread", (d,)), ("limits", (k,))):
            array = getattr(self, name)
            if array.shape != shape or array.dtype.kind != "f" or not np.isfinite(array).all():
                raise ValueError(f"{name} must be {shape} numbers, got {array.shape} of {array.dtype}")


def fit(examples: Examples) -> FaultClassifier:
    """The classifier of examples, of features that `select` chooses. Two classes at least, each of
    `LEAST_MACHINES`."""
    kept = select(examples.x, examples.faults, RATIOS).kept
    return _fit(replace(examples, x=examples.x[:, kept]), names_of(kept.tolist()))


def taught(examples: Examples) -> tuple[Examples, dict[str, int], dict[str, int]]:
    """The examples that teach something, how many of each fault were like good health, and the machines of
    the faults that are left out because there are too few.
    """
    healthy = examples.x[examples.faults == HEALTHY]
    spread = np.hypot(MAD_TO_SIGMA * np.nan_to_num(medians(np.abs(healthy))), LEAST_OFF)
    strange = _strangest(np.nan_to_num(examples.x / spread))
    limit = _usual(strange[examples.faults == HEALTHY])
    is_fault = examples.faults != HEALTHY
    calm = is_fault & ~(strange > limit)
    like_healthy = {
        str(f): int((calm & (examples.faults == f)).sum()) for f in np.unique(examples.faults[calm])
    }
    some = examples.rows(~calm)
    few: dict[str, int] = {}
    for name in np.unique(examples.faults):
        count = len(np.unique(some.machines[some.faults == name]))
        if count < LEAST_MACHINES:
            few[str(name)] = count
    return some.rows(~np.isin(some.faults, list(few))), like_healthy, few


def measured(examples: Examples) -> dict[str, Any]:
    """How good it is on machines held out, and on faults that it never saw: each left out in turn."""
    said, unseen = np.full(len(examples.faults), "", dtype="<U32"), {}
    for fold in _by_machine_folds(examples):
        model = fit(examples.rows(fold.fit))
        some = [RATIOS.index(name) for name in model.features]
        said[fold.held_out] = model.named(examples.x[fold.held_out][:, some]).label
    faults = [str(name) for name in np.unique(examples.faults) if name != HEALTHY]
    if len(faults) > 1:
        for fault in faults:
            mine = examples.faults == fault
            model = fit(examples.rows(~mine))
            some = [RATIOS.index(name) for name in model.features]
            label = model.named(examples.x[mine][:, some]).label
            unseen[fault] = _by_machine(label == UNIDENTIFIED, examples.machines[mine])
    sick = examples.faults != HEALTHY
    right = said == examples.faults
    taken = sorted({(str(t), str(s)) for t, s in zip(examples.faults, said, strict=True) if t != s})
    return {
        "split": "by machine",
        "machines": len(np.unique(examples.machines)),
        "examples": {str(n): int((examples.faults == n).sum()) for n in np.unique(examples.faults)},
        "named": _by_machine(right[sick], examples.machines[sick]),
        "healthy": _by_machine(right[~sick], examples.machines[~sick]) if (~sick).any() else None,
        "named_of": {
            f: _by_machine(right[examples.faults == f], examples.machines[examples.faults == f])
            for f in faults
        },
        "mistaken": [
            {"fault": t, "for": s, "examples": int(((examples.faults == t) & (said == s)).sum())}
            for t, s in taken
        ],
        "unseen_unidentified": unseen,
    }


def _fit(examples: Examples, features: Sequence[str]) -> FaultClassifier:
    """Of these features alone, with the limits that left-out machines give."""
    classes = tuple(str(name) for name in np.unique(examples.faults))
    parts = _model(examples, classes)
    own = np.full(len(examples.faults), np.nan)
    nothing = np.empty((0, len(features)))
    for fold in _by_machine_folds(examples):
        part = _model(examples.rows(fold.fit), classes)
        model = FaultClassifier(tuple(features), classes, *part, np.ones(len(classes)), nothing, nothing)
        away = model.distances(examples.x[fold.held_out])
        place = [classes.index(str(name)) for name in examples.faults[fold.held_out]]
        own[fold.held_out] = away[np.arange(len(place)), place]
    limits = np.array([MARGIN * np.nanmax(own[examples.faults == name], initial=0.0) for name in classes])
    limits = np.where(limits > 0, limits, np.median(limits))  # none was held out by itself
    model = FaultClassifier(tuple(features), classes, *parts, limits, nothing, nothing)
    some = np.unique(np.linspace(0, len(examples.x) - 1, min(GOLDEN_ROWS, len(examples.x))).astype(int))
    return replace(model, golden_x=examples.x[some], golden=model.distances(examples.x[some]))


def _model(examples: Examples, classes: Sequence[str]) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    """Means (k, d), whitening (k, d, d) and spread (d,); what is not known is as its class is. A class of
    which there is none has no mean (NaN)."""
    x = examples.x
    means = np.full((len(classes), x.shape[1]), np.nan)
    off = np.zeros_like(x)
    rows = [np.flatnonzero(examples.faults == name) for name in classes]
    for mean, mine in zip(means, rows, strict=True):
        if mine.size:
            mean[:] = np.nan_to_num(medians(x[mine]))
            off[mine] = np.where(np.isfinite(x[mine]), x[mine] - mean, 0.0)
    shared = ledoit_wolf(off).covariance
    white = np.array([_whitening(_covariance(off[mine], shared)) for mine in rows])
    return means, white, np.sqrt(np.diag(shared) + LEAST_SIGMA**2)


def _covariance(off: DoubleArray, shared: DoubleArray) -> DoubleArray:
    """Of a class (d, d), from its deviations (n, d) and what all classes share."""
    if len(off) < LEAST_MACHINES - 1:
        return shared
    own = off.T @ off / (len(off) - 1)
    return np.asarray(OWN_SHARE * own + (1 - OWN_SHARE) * shared)


def _whitening(covariance: DoubleArray) -> DoubleArray:
    lower = np.linalg.cholesky(covariance + LEAST_SIGMA**2 * np.eye(len(covariance)))
    return np.ascontiguousarray(np.linalg.solve(lower, np.eye(len(lower))).T)


def _by_machine_folds(examples: Examples) -> tuple[Fold, ...]:
    count = max(2, min(FOLDS, len(np.unique(examples.machines))))
    return by_machine(examples.machines.tolist(), count, examples.faults.tolist())


def _by_machine(right: npt.NDArray[np.bool_], machines: npt.NDArray[np.str_]) -> float:
    """The mean over machines of the share of their examples that are right."""
    return float(np.mean([right[machines == name].mean() for name in np.unique(machines)]))


def _usual(strange: DoubleArray) -> float:
    """What good health stays below, from its median and the spread of its logarithms; 0 without any."""
    if not strange.size:
        return 0.0
    told = np.log(np.maximum(strange, LEAST_SIGMA))
    middle = float(np.median(told))
    return float(np.exp(middle + Z_OLD * MAD_TO_SIGMA * np.median(np.abs(told - middle))))


def _strangest(x: DoubleArray) -> DoubleArray:
    """How far rows (m, d) in σ are off in the few columns in which they are furthest."""
    few = np.sort(np.abs(x), axis=1)[:, -STRANGEST:]
    return np.asarray(np.sqrt((few**2).mean(axis=1)))
