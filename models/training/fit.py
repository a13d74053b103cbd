"""Training: from the histories of points to the parts of a bundle. Seeded: the same data, the same model.

A machine is fitted by itself (`fit_machine`, `fit_detectors`), so that a caller may do many at a time, in
processes or on a cluster; what comes of it is put together by `baselines_of` and `detectors_of`. The whole in
one call: `train_baselines`, `train_detector`, `train_classifier`.

What can't be trained is told, point by point (`Unfit`), and stops no other; where nothing is left there are
no parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import numpy as np

from models.bundle import Parts
from models.bundle_detector import Per
from models.bundle_points import Place, PointBaseline
from models.detection.baseline import BASELINE_TOO_SHORT, NOTHING_TO_LEARN
from models.types import Refusal

from . import classifier
from .dataset import HEALTHY, PointHistory
from .detectors import Factory
from .examples import RATIOS, contradictions, examples_of, healthy_rows, ranked
from .fit_baselines import Trained, Unfit, baselines_of, fingerprint, fit_machine, fit_point
from .fit_detector import (
    DETECTOR_BLIND,
    NOT_CALIBRATED,
    Healthy,
    detector_of_kinds,
    detectors_of,
    factory_of,
    fit_detectors,
    healthy_of,
    name_of,
)
from .selection import select

__all__ = [
    "REFUSALS", "Healthy", "PointBaseline", "Trained", "Unfit", "baselines_of", "detector_of_kinds",
    "detectors_of", "fit_detectors", "fit_machine", "fit_point", "healthy_of", "train_baselines",
    "train_classifier", "train_detector",
]  # fmt: skip

NO_LABELS: Final = Refusal("no_labels", "give_verdicts")
LABELS_CONTRADICT: Final = Refusal("labels_contradict", "settle_labels")
TOO_FEW_MACHINES: Final = Refusal("too_few_machines", "label_more_machines")


REFUSALS: Final = (
    BASELINE_TOO_SHORT, NOTHING_TO_LEARN, NO_LABELS, LABELS_CONTRADICT, TOO_FEW_MACHINES, NOT_CALIBRATED,
    DETECTOR_BLIND,
)  # fmt: skip
"""What training refuses with: a locale must have a sentence for each."""


def train_baselines(histories: Iterable[PointHistory]) -> Trained:
    """Baselines of all points of a site. Histories of one machine must come one after the other: they are
    fitted while the others are still being read."""
    machines = groupby(histories, key=lambda history: history.place[:2])
    return baselines_of(one for _, some in machines for one in fit_machine([*some]))


def train_detector(
    histories: Iterable[PointHistory],
    detector: str | Factory = "baseline",
    *,
    per: Per = "point",
    seed: int = 0,
) -> Trained:
    """A detector of points, or of kinds of machines. Histories of one machine come one after the other.

    `detector` is the name of a built-in one, or a factory whose detector carries the name that it is
    installed under. Raises ValueError for another name.
    """
    factory_of(detector)
    machines = ([*some] for _, some in groupby(histories, key=lambda history: history.place[:2]))
    if per == "kind":
        return detector_of_kinds((one for some in machines for one in healthy_of(some)), detector, seed=seed)
    fitted = (one for some in machines for one in fit_detectors(some, detector, seed=seed))
    return detectors_of(fitted, name_of(detector))


def train_classifier(histories: Iterable[PointHistory], *, kind: str | None = None, seed: int = 0) -> Trained:
    """A classifier of the faults that histories are labelled with, of one kind of machine, or of all.

    Nothing is drawn by lot: any `seed` gives the same. Labels that contradict each other are refused, each
    pair.
    """
    some = [history for history in histories if kind is None or history.kind == kind]
    against = [one for history in some for one in contradictions(history)]
    if against:
        return Trained(None, tuple(_contradicting(*one) for one in _told(against)))
    labelled = [h for h in some if any(label.fault != HEALTHY for label in h.labels)]
    if not labelled:
        return Trained(None, (Unfit(("", "", ""), NO_LABELS, {"points": len(some)}),))
    examples = examples_of(ranked(history) for history in some)
    taught, like_healthy, few = classifier.taught(examples)
    refused = tuple(
        Unfit(("", "", ""), TOO_FEW_MACHINES, {"fault": f, "machines": n, "least": classifier.LEAST_MACHINES})
        for f, n in few.items()
    )
    if len(np.unique(taught.faults)) < 2:
        nothing = Unfit(("", "", ""), NO_LABELS, {"points": len(some)})
        return Trained(None, refused or (nothing,))
    model = classifier.fit(taught)
    report = {
        **classifier.measured(taught),
        "like_good_health": like_healthy,
        "left_out": few,
        "selection": select(taught.x, taught.faults, RATIOS).told(RATIOS),
    }
    told = {
        "scope": {"machine_kinds": sorted({history.kind for history in some})},
        "features": [{"name": name, "unit": "ln(level / healthy level)"} for name in model.features],
        "classes": list(model.classes),
        "thresholds": dict(zip(model.classes, model.limits.tolist(), strict=True)),
        "window_blocks": 5,
        "data_sha256": fingerprint(history.digest() for history in some),
        "trained": _spans(some),
        "metrics": report,
    }
    return Trained(Parts("classifier", told, model.to_arrays()), refused, report)


def _spans(histories: Iterable[PointHistory]) -> list[dict[str, Any]]:
    """The points that examples are of, and from when to when (s since 1970 UTC) of each was looked at: what a
    replay must not count."""
    spans: dict[Place, tuple[float, float]] = {}
    for history in histories:
        if healthy_rows(history).any():
            first, last = float(history.time_s[0]), float(history.time_s[-1])
            low, high = spans.get(history.place, (first, last))
            spans[history.place] = min(low, first), max(high, last)
    return [
        {"place": list(place), "start_s": start_s, "end_s": end_s}
        for place, (start_s, end_s) in sorted(spans.items())
    ]


def _told(against: Sequence[Any]) -> Iterable[tuple[Place, dict[str, float | str]]]:
    for one in against:
        yield (
            one.place,
            {
                "first": one.first.fault,
                "first_source": one.first.source,
                "second": one.second.fault,
                "second_source": one.second.source,
                "start": _utc(one.start_s),
                "end": _utc(one.end_s),
            },
        )


def _contradicting(place: Place, params: Mapping[str, float | str]) -> Unfit:
    return Unfit(place, LABELS_CONTRADICT, params)


def _utc(seconds: float) -> str:
    return f"{np.datetime64(int(seconds), 's')}Z"
