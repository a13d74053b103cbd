"""Estimators of scikit-learn in a bundle: without pickle, of known types, of one version."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from functools import cache
from itertools import count
from typing import Any

import numpy as np
import pytest

from models import bundle, bundle_skops
from models.bundle import BundleError
from models.bundle_zip import unzipped, zipped
from models.training.fit import train_detector
from tests.support.bundles import edited, nothing, refused
from tests.support.histories import healthy

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("sklearn")]  # four seconds to import, once


@cache
def detector_files() -> dict[str, bytes]:
    parts = train_detector([healthy(8)], "one-class-svm").parts
    assert parts is not None
    return bundle.pack(parts, name="svm")


def test_estimators_come_back_with_the_same_scores() -> None:
    history = healthy(8)
    loaded = bundle.load(detector_files(), seconds=count(0, 1e-3).__next__)
    again = bundle.load(detector_files())
    assert np.array_equal(loaded.score(history).score, again.score(history).score)
    assert loaded.manifest.libraries["scikit-learn"]
    assert loaded.detector is not None
    assert loaded.detector.name == "one-class-svm"


def test_the_same_forest_has_the_same_bytes() -> None:
    first, second = (train_detector([healthy(8)], "one-class-svm", seed=3).parts for _ in range(2))
    assert first is not None
    assert second is not None
    assert bundle.pack(first, name="svm") == bundle.pack(second, name="svm")


def test_estimators_of_another_version_or_type_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    some = detector_files()
    other = edited(some, lambda told: told["libraries"].update({"scikit-learn": "0.24.1"}))
    assert "0.24.1" in refused(other, "library_version")
    monkeypatch.setattr(bundle_skops, "ALLOWED", bundle_skops.ALLOWED - {
        one for one in bundle_skops.ALLOWED if one[1] == "OneClassSVM"
    })  # fmt: skip
    assert "not on the list" in refused(some, "refused_type")


def test_a_type_that_skops_itself_would_trust_is_not_on_our_list() -> None:
    tree = {"__class__": "partial", "__module__": "functools", "__loader__": "PartialNode", "content": {}}
    some = edited(detector_files(), nothing, model_skops=zipped({"schema.json": json.dumps(tree).encode()}))
    assert "functools.partial" in refused(some, "refused_type")
    with pytest.raises(BundleError) as error:
        bundle.pack(bundle.Parts("detector", {}, {}, {"x": np.random.default_rng(0)}), name="x")
    assert error.value.key == "refused_type"


def forged(data: bytes, change: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]) -> bytes:
    """The same estimators with other arrays."""
    members = unzipped(data)
    for name in [name for name in members if name.endswith(".npy")]:
        sink = io.BytesIO()
        np.save(sink, change(np.load(io.BytesIO(members[name])).copy()))
        members[name] = sink.getvalue()
    return zipped(members)


def test_trees_that_lead_back_or_out_of_their_arrays_are_refused() -> None:
    from sklearn.ensemble import IsolationForest

    x = np.random.default_rng(0).normal(size=(60, 4))
    sound = bundle_skops.dumps({"forest": IsolationForest(n_estimators=2, random_state=0).fit(x)})

    def with_(field: str, value: int) -> bytes:
        def change(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            if array.dtype.names and field in array.dtype.names:
                array[field][0] = value
            return array

        return forged(sound, change)

    assert set(bundle_skops.loads(forged(sound, lambda array: array))) == {"forest"}
    for field, value, why in (
        ("left_child", 0, "leads back"),  # it would never come to an end
        ("right_child", 2**40, "leads back, or nowhere"),
        ("feature", 2**40, "column"),
    ):
        with pytest.raises(ValueError, match=why):
            bundle_skops.loads(with_(field, value))


def test_support_vectors_without_their_weights_are_refused() -> None:
    cut = forged(detector_files()["model.skops"], lambda array: array[:, :1] if array.ndim == 2 else array)
    assert "do not fit" in refused(edited(detector_files(), nothing, model_skops=cut), "refused_type")
