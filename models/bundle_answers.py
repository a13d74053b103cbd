"""Whether a bundle's model is what it was where it was trained: its columns, and its answers, in time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray

from .bundle_checks import BundleError
from .bundle_points import features_told

if TYPE_CHECKING:
    from .bundle import Bundle

SLOWEST_S: Final = 0.1
"""For the eight golden rows of a point: a host of 100 points that hears each every ten minutes has 6 s for
one."""

CLOSE: Final = 1e-6
"""Relative difference within which an answer is the same: other processors round sums of products
otherwise."""


def check_order(bundle: Bundle, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """The manifest must state the columns that the arrays were fitted on, in their order."""
    for i, one in enumerate(bundle.manifest.points):
        kept = tuple(np.atleast_1d(arrays.get(f"point.{i}.baseline.names", np.empty(0, "<U1"))).tolist())
        if kept and kept != features_told(one):
            raise _wrong_order("/".join(one["place"]), features_told(one), kept)
    if bundle.classifier is not None:
        told = tuple(one["name"] for one in bundle.manifest.told["features"])
        kept = tuple(arrays["classifier.features"].tolist())
        if told != kept:
            raise _wrong_order("the classifier", told, kept)


def _wrong_order(what: str, told: Sequence[str], kept: Sequence[str]) -> BundleError:
    at = next((i for i, pair in enumerate(zip(told, kept, strict=False)) if pair[0] != pair[1]), len(kept))
    return BundleError(
        "feature_order",
        f"the features of {what} stand in another order, or are others, than those it was trained on (from "
        f"the {at + 1}. on): a manifest must not be edited. Train the model anew.",
    )


def check_answers(bundle: Bundle, seconds: Callable[[], float] | None) -> None:
    """Every golden row must have the answer that it had where the model was trained, in time."""
    asked = _questions(bundle)
    if asked:
        asked[0][1]()  # whatever is done once, imports above all, is done
    begun_s = seconds() if seconds else 0.0
    for what, ask, answer in asked:
        found = ask()
        if seconds is not None:
            _check_time(seconds() - begun_s, len(asked))
        if np.isfinite(answer).sum() > np.isfinite(found).sum() or not np.isfinite(found).any():
            raise BundleError(
                "not_a_number",
                f"the model gives no number for {what}, where it gave one when it was trained. Train it "
                "anew; if "
                "it happens again, its detector breaks the rule on unknown values.",
            )
        if found.shape != answer.shape or not np.allclose(found, answer, CLOSE, CLOSE, equal_nan=True):
            raise BundleError(
                "wrong_answer",
                f"the model does not give the answers for {what} that it gave when it was trained: another "
                "version "
                "of its detector or of a library is installed here. Train it anew on this host's versions.",
            )
    _check_judges(bundle)


def _check_time(took_s: float, questions: int) -> None:
    """Whether the time for all questions is spent, whatever is still to be asked."""
    if took_s > SLOWEST_S * questions:
        raise BundleError(
            "slow",
            f"the model takes more than {SLOWEST_S:g} s for eight blocks of a point ({took_s:.2g} s for "
            f"{questions} at most): it would hold up what is stored. Train one that is smaller.",
        )


def _check_judges(bundle: Bundle) -> None:
    """What makes a verdict of an answer must not fail either: whatever it raises breaks the bundle."""
    for one in bundle.baselines.values():
        bundle.score(one.golden_history())
    if bundle.classifier is not None:
        bundle.classifier.named(bundle.classifier.golden_x)


def _questions(bundle: Bundle) -> list[tuple[str, Callable[[], DoubleArray], DoubleArray]]:
    """(of what, what asks the model, the answer that it must give)."""
    found: list[tuple[str, Callable[[], DoubleArray], DoubleArray]] = []
    for place, one in bundle.baselines.items():
        found.append(("/".join(place), one.answer, one.golden.answer))
    if bundle.detector is not None:
        for place, (one, _) in bundle.detector.points.items():
            found.append(("/".join(place), partial(bundle.detector.golden_answer, one), one.golden.answer))
    if bundle.classifier is not None:
        found.append(("its golden rows", bundle.classifier.golden_answer, bundle.classifier.golden))
    return found
