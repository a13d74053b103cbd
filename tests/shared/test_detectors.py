"""Detectors of other packages, and labels from verdicts."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from models.diagnosis.types import Fault
from models.training.detectors import BUILT_IN
from palier.detectors import GROUP, installed
from palier.labels import fault_of
from palier.operations import CauseCode, Found


def entry(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, GROUP)


def test_a_detector_of_another_package_is_installed_beside_the_built_in_ones() -> None:
    found = installed([entry("mine", "models.training.detectors:pca")])
    assert set(found.factories) == {*BUILT_IN, "mine"}
    assert found.factories["mine"](0).name == "pca"
    assert not found.broken


def test_one_that_is_broken_is_told_with_its_reason_and_breaks_nothing() -> None:
    found = installed(
        [
            entry("gone", "no_such_package:make"),
            entry("value", "models.training.detectors:LEAST_KNOWN"),
            entry("pca", "somebody.elses:pca"),
        ]
    )
    assert set(found.factories) == set(BUILT_IN)
    assert "no_such_package:make can't be loaded: ModuleNotFoundError" in found.broken["gone"]
    assert "callable" in found.broken["value"]
    assert "another name" in found.broken["pca"]


def test_what_is_installed_here_is_whole() -> None:
    assert not installed().broken


@pytest.mark.parametrize(
    ("verdict", "said", "found", "cause", "label"),
    [
        (Found.REFUTED, "unbalance", None, None, "none"),
        (Found.CONFIRMED, "unbalance", None, None, "unbalance"),
        (Found.CONFIRMED, "unbalance", Fault.OUTER_RING, None, "outer_ring"),
        (Found.OTHER_CAUSE, "unbalance", Fault.BELT, None, "belt"),
        (Found.OTHER_CAUSE, "unbalance", None, CauseCode.CURRENT_LEAKAGE, "electrical_erosion"),
        (Found.OTHER_CAUSE, "unbalance", None, CauseCode.SUBSURFACE_FATIGUE, None),
        (Found.OTHER_CAUSE, "unbalance", None, None, None),
        (Found.CONFIRMED, "unidentified", None, None, None),
        (Found.CONFIRMED, None, None, None, None),
    ],
)
def test_a_verdict_is_a_label_where_it_tells_something(
    verdict: Found, said: str | None, found: Fault | None, cause: CauseCode | None, label: str | None
) -> None:
    assert fault_of(verdict, said=said, found=found, cause=cause) == label
