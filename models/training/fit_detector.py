"""Training of detectors: fitted on residuals in good health, calibrated on time or machines held out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.bundle import Parts
from models.bundle_detector import DetectorModel, Group, furthest, joined
from models.bundle_points import Place, PointBaseline
from models.detection.context import Context
from models.detection.measured import feature_of
from models.features.gate import DoubleArray
from models.types import Refusal

from .dataset import PointHistory
from .detectors import BUILT_IN, Detector, Factory
from .examples import healthy_rows
from .fit_baselines import Trained, Unfit, fingerprint, fit_machine
from .splits import Fold, by_machine, by_time
from .threshold import LEAST_DAYS, Threshold, calibrate, paced

NOT_CALIBRATED: Final = Refusal("not_calibrated", "finish_learning")
DETECTOR_BLIND: Final = Refusal("detector_blind", "choose_detector")

FAR: Final = 10.0
"""Residuals in σ, of all columns at once, alike or in turns, one of which any detector must find strange."""


@dataclass(frozen=True, slots=True, eq=False)
class Healthy:
    """A point with its residuals `z` (k, c) in good health, at the pace at which blocks count."""

    point: PointBaseline
    z: DoubleArray
    context: Context

    @classmethod
    def of(cls, point: PointBaseline, history: PointHistory) -> Healthy:
        """From the history that its baseline was fitted on."""
        z = point.residuals(history)
        known = ~np.isnan(z).all(axis=1) & healthy_rows(history)
        rows = paced(history.time_s, known)
        return cls(point, z[rows], history.rows(rows).context)


def fit_detectors(
    histories: Sequence[PointHistory], detector: str | Factory, *, seed: int = 0
) -> tuple[tuple[PointBaseline, Group] | Unfit, ...]:
    """A detector for each point of one machine (`per="point"`)."""
    found: list[tuple[PointBaseline, Group] | Unfit] = []
    for point, history in zip(fit_machine(histories), histories, strict=True):
        if isinstance(point, Unfit):
            found.append(point)
            continue
        healthy = Healthy.of(point, history)
        group = _fitted(
            "/".join(point.place),
            point.names,
            [healthy],
            [healthy.z],
            factory_of(detector)(seed),
            tests=len(histories),
        )
        found.append(Unfit(point.place, *group) if isinstance(group, tuple) else (point, group))
    return tuple(found)


def healthy_of(histories: Sequence[PointHistory]) -> tuple[Healthy | Unfit, ...]:
    """What a detector of a kind of machine is fitted on, of one machine."""
    return tuple(
        point if isinstance(point, Unfit) else Healthy.of(point, history)
        for point, history in zip(fit_machine(histories), histories, strict=True)
    )


def detectors_of(fitted: Iterable[tuple[PointBaseline, Group] | Unfit], detector: str) -> Trained:
    """What `fit_detectors` gave of machines, as one model."""
    every = list(fitted)
    pairs = sorted((one for one in every if not isinstance(one, Unfit)), key=lambda one: one[0].place)
    refused = tuple(one for one in every if isinstance(one, Unfit))
    points = {point.place: (point, g) for g, (point, _) in enumerate(pairs)}
    return _as_parts(DetectorModel(detector, "point", tuple(g for _, g in pairs), points), refused)


def detector_of_kinds(some: Iterable[Healthy | Unfit], detector: str | Factory, *, seed: int = 0) -> Trained:
    """One detector for all points of each kind of machine (`per="kind"`), machines held out in turn."""
    every = list(some)
    refused = [one for one in every if isinstance(one, Unfit)]
    healthy = sorted(
        (one for one in every if isinstance(one, Healthy)), key=lambda one: (one.point.kind, one.point.place)
    )
    groups: list[Group] = []
    points: dict[Place, tuple[PointBaseline, int]] = {}
    for kind, members in groupby(healthy, key=lambda one: one.point.kind):
        mine = list(members)
        columns = _common(mine)
        rows = [furthest(one.z, one.point.names, columns) for one in mine]
        of_machine = max(len([*same]) for _, same in groupby(mine, key=lambda one: one.point.place[:2]))
        group = _fitted(kind, columns, mine, rows, factory_of(detector)(seed), tests=of_machine)
        if isinstance(group, tuple):
            refused += [Unfit(one.point.place, *group) for one in mine]
            continue
        points |= {one.point.place: (one.point, len(groups)) for one in mine}
        groups.append(group)
    return _as_parts(DetectorModel(name_of(detector), "kind", tuple(groups), points), tuple(refused))


def factory_of(detector: str | Factory) -> Factory:
    """The factory of a name. Raises ValueError for one that is not built in."""
    if not isinstance(detector, str):
        return detector
    if detector not in BUILT_IN:
        raise ValueError(f"detector must be one of {', '.join(BUILT_IN)}, or a factory, got {detector!r}")
    return BUILT_IN[detector]


def name_of(detector: str | Factory) -> str:
    """The name that a bundle states."""
    return detector if isinstance(detector, str) else detector(0).name


def _fitted(
    key: str,
    columns: Sequence[str],
    healthy: Sequence[Healthy],
    rows: Sequence[DoubleArray],
    empty: Detector,
    *,
    tests: int,
) -> Group | tuple[Refusal, dict[str, float | str]]:
    """One detector of rows (k, c) of each of some points, with its threshold; or why there is none."""
    x = np.concatenate(rows)
    context = joined([one.context for one in healthy])
    detector = empty.fit(x, context)
    if isinstance(detector, Refusal):
        return detector, {"blocks": len(x)}
    limit = _threshold(healthy, rows, empty, tests)
    if limit is None:
        return NOT_CALIBRATED, {"blocks": len(x), "least_days": LEAST_DAYS}
    signs = np.ones((2, x.shape[1]))
    signs[1, ::2] = -1.0
    strange = limit.of(detector.score(FAR * signs, _rows(context, np.arange(len(x)) < len(signs))))
    if not (strange > limit.value).any():
        return DETECTOR_BLIND, {
            "detector": empty.name,
            "threshold": limit.value,
            "most": float(np.max(strange)),
        }
    return Group(key, tuple(columns), detector, limit)


def _threshold(
    healthy: Sequence[Healthy], rows: Sequence[DoubleArray], empty: Detector, tests: int
) -> Threshold | None:
    """From scores of each part of the time, or of each machine, by a detector that has not seen it."""
    series = [np.full(len(part), np.nan) for part in rows]
    for fits, holds in _folds(healthy):
        fit_on = [(z[use], _rows(one.context, use)) for one, z, use in zip(healthy, rows, fits, strict=True)]
        some = [pair for pair in fit_on if len(pair[0])]
        if not some:
            continue
        detector = empty.fit(np.concatenate([z for z, _ in some]), joined([context for _, context in some]))
        if isinstance(detector, Refusal):
            continue
        for one, z, hold, scores in zip(healthy, rows, holds, series, strict=True):
            if hold.any():
                scores[hold] = detector.score(z[hold], _rows(one.context, hold))
    times = [one.context.time_s for one in healthy]
    return calibrate([*zip(times, series, strict=True)], tests=tests)


def _folds(
    healthy: Sequence[Healthy],
) -> Iterable[tuple[list[npt.NDArray[np.bool_]], list[npt.NDArray[np.bool_]]]]:
    """For each fold the rows of each point that are fitted on, and those that are held out."""
    sizes = np.cumsum([len(one.z) for one in healthy])[:-1]
    machines = ["/".join(one.point.place[:2]) for one in healthy for _ in range(len(one.z))]
    several = len({*machines}) > 1
    folds: tuple[Fold, ...]
    if several:
        folds = by_machine(machines, min(4, len({*machines})))
    else:
        folds = by_time(np.concatenate([one.context.time_s for one in healthy]))
    for fold in folds:
        yield np.split(fold.fit, sizes), np.split(fold.held_out, sizes)


def _rows(context: Context, which: npt.NDArray[np.bool_]) -> Context:
    return replace(
        context,
        **{
            n: getattr(context, n)[which]
            for n in ("time_s", "speed_hz", "load", "others", "running", "in_alarm")
        },
    )


def _common(healthy: Sequence[Healthy]) -> tuple[str, ...]:
    """The features that every point of a kind has, in their order."""
    each = [dict.fromkeys(feature_of(name) for name in one.point.names) for one in healthy]
    return tuple(name for name in each[0] if all(name in features for features in each))


def _as_parts(model: DetectorModel, refused: tuple[Unfit, ...]) -> Trained:
    if not model.points:
        return Trained(None, refused)
    points = {
        place: (replace(one, golden=one.golden.answered(model.golden_answer(one))), g)
        for place, (one, g) in model.points.items()
    }
    model = replace(model, points=points)
    limits = [group.threshold for group in model.groups]
    report: dict[str, Any] = {
        "points": len(points),
        "refused": len(refused),
        "alerts_held_out": sum(one.alerts for one in limits),
        "months_held_out": sum(one.months for one in limits),
        "split": "by machine" if model.per == "kind" else "by time",
        "unsettled": [group.key for group in model.groups if group.threshold.strangest_s],
    }
    arrays, estimators = model.stored()
    told = {
        "scope": {"sites": sorted({place[0] for place in points})},
        **model.told(),
        "data_sha256": fingerprint(one.digest for one, _ in points.values()),
        "metrics": report,
    }
    return Trained(Parts("detector", told, arrays, estimators), refused, report)
