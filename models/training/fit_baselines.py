"""Baselines of machines, and what any training gives: parts of a bundle, and what was refused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from models.bundle import Parts
from models.bundle_points import Golden, Place, PointBaseline
from models.detection.baseline import LEAST_BLOCKS, LEAST_DAYS, Baseline
from models.features.catalogue import NAMES
from models.features.gate import DoubleArray
from models.types import Refusal

from .dataset import PointHistory
from .drift_trained import TrainedOn
from .examples import healthy_rows
from .gathering import medians


@dataclass(frozen=True, slots=True)
class Unfit:
    """What was not trained, why, and what that is about: numbers and names for the sentence
    `training.<reason>` of the locale, "" for a point or machine where it is of several."""

    place: Place
    refusal: Refusal
    params: Mapping[str, float | str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """`parts` for `models.bundle.pack`, None where nothing could be trained; what was refused; the
    metrics."""

    parts: Parts | None
    refused: tuple[Unfit, ...] = ()
    report: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


def fit_machine(
    histories: Sequence[PointHistory], *, columns_of_machine: int | None = None
) -> tuple[PointBaseline | Unfit, ...]:
    """The baseline of each point of one machine. `columns_of_machine` is how many are judged on all of it, by
    default those of the histories: the more, the higher the limits."""
    columns = columns_of_machine or sum(len(history.judged) for history in histories)
    return tuple(fit_point(history, columns) for history in histories)


def fit_point(history: PointHistory, columns_of_machine: int) -> PointBaseline | Unfit:
    """The baseline of a point, of what is healthy as far as anybody knows: what people labelled as a fault is
    left out, what they labelled as nothing is not, whatever the alarm."""
    judged = _judged(history)
    baseline = Baseline.fit(
        judged.x, judged.context, names=judged.names, features_of_machine=columns_of_machine
    )
    if isinstance(baseline, Refusal):
        progress = Baseline.progress(judged.x, judged.context)
        return Unfit(history.place, baseline, _missing(progress.blocks, progress.days))
    time_s = history.time_s
    point = PointBaseline(
        history.place, history.kind, judged.channels, judged.units, baseline, _levels(history,
        judged.channels), history.fs_hz, history.n_samples, float(time_s[0]), float(time_s[-1]),
        history.digest(), Golden.of(judged.rows(healthy_rows(history))), TrainedOn.of(baseline, judged),
    )  # fmt: skip
    return replace(point, golden=point.golden.answered(point.answer()))


def baselines_of(fitted: Iterable[PointBaseline | Unfit]) -> Trained:
    """What `fit_machine` gave of machines, as one model. Raises ValueError for points of several sites."""
    every = list(fitted)
    points = sorted((one for one in every if isinstance(one, PointBaseline)), key=lambda one: one.place)
    refused = tuple(one for one in every if isinstance(one, Unfit))
    sites = {one.place[0] for one in points}
    if len(sites) > 1:
        raise ValueError(
            f"baselines must be of one site, got {', '.join(sorted(sites))}: train each by itself"
        )
    if not points:
        return Trained(None, refused)
    report = {
        "points": len(points),
        "refused": len(refused),
        "blocks": sum(p.baseline.blocks for p in points),
    }
    arrays: dict[str, npt.NDArray[Any]] = {}
    for i, one in enumerate(points):
        arrays |= one.to_arrays(f"point.{i}")
    told = {
        "scope": {"site": points[0].place[0], "machines": len({one.place[1] for one in points})},
        "points": [one.told() for one in points],
        "data_sha256": fingerprint(one.digest for one in points),
        "metrics": report,
    }
    return Trained(Parts("baselines", told, arrays), refused, report)


def fingerprint(digests: Iterable[str]) -> str:
    """One digest of those of several histories, whatever their order."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def _judged(history: PointHistory) -> PointHistory:
    """What is judged of a history, with what people said in the place of what the alarms said."""
    chosen = history.columns(history.judged)
    return replace(chosen, context=replace(history.context, in_alarm=~healthy_rows(history)))


def _levels(history: PointHistory, channels: Sequence[str]) -> DoubleArray:
    """Medians (n_channels, n_features of the catalogue) in good health; NaN where there is no such column."""
    place = {name: j for j, name in enumerate(history.names)}
    wanted = [place.get(f"{channel}/{name}", -1) for channel in channels for name in NAMES]
    known = [j for j in wanted if j >= 0]
    found = np.full(len(wanted), np.nan)
    found[[j >= 0 for j in wanted]] = medians(history.x[healthy_rows(history)][:, known])
    return found.reshape(len(channels), len(NAMES))


def _missing(blocks: int, days: int) -> dict[str, float | str]:
    return {"blocks": blocks, "days": days, "least_blocks": LEAST_BLOCKS, "least_days": LEAST_DAYS}
